import { randomUUID } from "node:crypto";
import { createServer as createHttp1Server, type IncomingMessage, type ServerResponse } from "node:http";
import { constants, createServer as createHttp2Server, type Http2Session } from "node:http2";
import type { Socket } from "node:net";
import type { ErrorReason } from "../../domain/errors.ts";
import type { Logger } from "../../domain/ports.ts";
import type { Exchange } from "./exchange.ts";
import { baseHeaders, type HeaderSize, maxHeaderFields, measureHeaders } from "./headers.ts";
import { Http1Exchange } from "./http1-exchange.ts";
import { Http2Exchange } from "./http2-exchange.ts";
import type { Peers } from "./peers.ts";

/** What bounds the connections of a listener. Each default is in `defaultLimits`. */
export interface ListenerLimits {
  /** How long a connection may take to say what it speaks, and a request to send its headers. */
  readonly headerTimeoutMs: number;
  /** How long a request may take to arrive as a whole. */
  readonly requestTimeoutMs: number;
  /** How long a connection is kept without a request. */
  readonly idleTimeoutMs: number;
  /** The most bytes that the headers of a request may have, names and values. */
  readonly maxHeaderBytes: number;
  /** How many calls one HTTP/2 connection may have under way. */
  readonly maxConcurrentStreams: number;
  /** How long a stream waits for its client: for the next message, or for it to read an answer. */
  readonly streamIdleTimeoutMs: number;
  /** How much may wait for a client to read it, of a stream whose messages go to many. */
  readonly streamBufferBytes: number;
  /** The interval of the permission check on open streams. */
  readonly streamAccessIntervalMs: number;
  /** The lifetime of a stream without a credential: health and reflection. */
  readonly anonymousStreamLifetimeMs: number;
}

/** Generous for every honest client, and small enough that slow ones cannot hold much. */
export const defaultLimits: ListenerLimits = {
  headerTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  // Longer than the idle time of common load balancers, which otherwise reuse a connection as it is closed.
  idleTimeoutMs: 75_000,
  // Twice what common servers take: other applications of the site set cookies, which come here as well.
  maxHeaderBytes: 32 * 1024,
  maxConcurrentStreams: 250,
  streamIdleTimeoutMs: 60_000,
  // Several seconds of the liveliest feed. What waits is the same memory for all clients that are sent the same.
  streamBufferBytes: 1024 * 1024,
  streamAccessIntervalMs: 1_000,
  anonymousStreamLifetimeMs: 60 * 60_000,
};

/**
 * What one stream of HTTP/2 may send before it is read, in bytes. Security rule (SR-LIMIT-12): what arrives while credentials are looked up is
 * buffered below the budget that counts it, so it is less than the 64 KiB of the protocol's default until a caller has shown a valid credential.
 */
const streamWindowBytes = 16 * 1024;

/** How many calls of one HTTP/2 connection are refused for want of room in a budget before it takes no more of them. */
const mostCrowdedCalls = 50;

/**
 * How much is read of headers beyond the limit, so that they are answered with what to do and not only with the end of the
 * connection: 64 cookies of the largest size, and more cookies than a browser keeps for one site.
 */
const readHeaderBytes = 256 * 1024;
const readHeaderFields = 512;

/** Takes over a request, and resolves once it is answered. */
export type HandleExchange = (exchange: Exchange, size: HeaderSize) => Promise<void>;

/** The two servers behind a listener; connections are handed to them once it is known what they speak. */
export interface ProtocolServers {
  acceptHttp1(socket: Socket): void;
  acceptHttp2(socket: Socket): void;
  /** Lets each connection end with its next answer. Those over HTTP/2 are told at once, and may still send what they have begun. */
  announceClose(): void;
  /** Ends connections without a call under way, and lets each other one end with its call. */
  close(): void;
}

/** Dependencies of the servers. */
interface ProtocolServerOptions {
  readonly limits: ListenerLimits;
  readonly peers: Peers;
  readonly handle: HandleExchange;
  /** The body of the answer to what HTTP itself refuses. */
  readonly describeRefusal: DescribeRefusal;
  readonly logger: Logger;
}

type DescribeRefusal = (
  reason: ErrorReason,
  message: string,
  metadata: Readonly<Record<string, string>>,
) => Uint8Array;

/** Makes the servers. They listen to nothing themselves. */
export function createProtocolServers(options: ProtocolServerOptions): ProtocolServers {
  const { limits, peers, handle, logger } = options;
  let closing = false;
  let closed = false;
  // How many calls each HTTP/2 connection has under way, and how many of it had no room in a budget.
  const sessions = new Map<Http2Session, { calls: number; crowded: number }>();
  const isClosing = () => closing;

  // Security rule (SR-INPUT-2): what goes wrong with one request ends that request, and no other one.
  const serve = async (open: () => Exchange, size: HeaderSize, onEnd: () => void = () => {}) => {
    let exchange: Exchange | undefined;
    try {
      exchange = open();
      exchange.peer.connection.begin();
      await handle(exchange, size);
    } catch (error) {
      logger.error({ err: error }, "a request was given up");
      exchange?.destroy();
    } finally {
      exchange?.peer.connection.end();
      onEnd();
    }
  };

  const refuseParsed = (error: { readonly code?: string }, socket: ParserSocket) => {
    const callId = randomUUID();
    logger.debug({ requestId: callId, code: error.code }, "a request could not be parsed");
    answerBadRequest(error, socket, callId, options);
  };
  const handleHttp1 = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean) => {
    // A reset connection is no news; without a listener it would end the process.
    request.on("error", () => {});
    response.on("error", () => {});
    if (request.httpVersion === "1.1" && request.headers.host === undefined) {
      return refuseParsed({ code: "HOST_MISSING" }, request.socket);
    }
    const open = () => {
      const context = { peer: peers.of(request.socket), limits, expectsContinue, closing: isClosing };
      return new Http1Exchange(request, response, context);
    };
    void serve(open, measureHeaders(request.rawHeaders, request.url?.length));
  };
  const http1 = createHttp1Server({
    headersTimeout: limits.headerTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: Math.min(limits.headerTimeoutMs, 5_000),
    maxHeaderSize: readHeaderBytes,
    insecureHTTPParser: false,
    // Node would refuse a request without Host by itself, and without a word; it is refused below.
    requireHostHeader: false,
    noDelay: true,
  });
  // Beyond a count Node would drop headers in silence, Origin and Authorization included: they are refused instead.
  http1.maxHeadersCount = 0;
  http1.on("request", (request, response) => handleHttp1(request, response, false));
  http1.on("checkContinue", (request, response) => handleHttp1(request, response, true));
  http1.on("checkExpectation", (request, response) => handleHttp1(request, response, false));
  http1.on("clientError", refuseParsed);
  // It never listens, and this event is what starts its watch over slow clients.
  http1.emit("listening");

  const http2 = createHttp2Server({
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    maxHeaderListPairs: readHeaderFields,
    // What one connection may hold in memory, in MB.
    maxSessionMemory: 10,
    settings: {
      enablePush: false,
      maxConcurrentStreams: limits.maxConcurrentStreams,
      maxHeaderListSize: readHeaderBytes,
      initialWindowSize: streamWindowBytes,
    },
  });
  http2.on("session", (session) => {
    sessions.set(session, { calls: 0, crowded: 0 });
    session.once("close", () => sessions.delete(session));
    session.on("error", () => {});
    session.setTimeout(limits.idleTimeoutMs, () => {
      session.close();
      // Half a request, or an answer that nobody reads, would keep it open for ever; a quiet stream may.
      if (sessions.get(session)?.calls === 0) session.destroy();
    });
    if (closed) session.close();
    else if (closing) announceEnd(session);
  });
  http2.on("sessionError", () => {});
  http2.on("stream", (stream, headers, _flags, rawHeaders) => {
    stream.on("error", () => {});
    const { session } = stream;
    if (session?.socket === undefined) return;
    const counts = sessions.get(session) ?? { calls: 0, crowded: 0 };
    counts.calls++;
    const onCrowded = () => {
      // What is under way goes on; more is refused by the protocol itself, which costs next to nothing.
      if (++counts.crowded === mostCrowdedCalls) session.close();
    };
    const open = () =>
      new Http2Exchange(stream, headers, { peer: peers.of(session.socket), limits, rawHeaders, onCrowded });
    void serve(open, measureHeaders(rawHeaders), () => counts.calls--);
  });

  return {
    acceptHttp1: (socket) => http1.emit("connection", socket),
    acceptHttp2: (socket) => http2.emit("connection", socket),
    announceClose() {
      closing = true;
      for (const session of sessions.keys()) announceEnd(session);
    },
    close() {
      closing = closed = true;
      // Closes what is idle; a connection in the middle of a call is told `Connection: close` with its answer.
      http1.close();
      for (const session of sessions.keys()) session.close();
    },
  };
}

/**
 * RFC 9113, section 6.8: a GOAWAY that takes all streams says that the connection will end, and loses no call that is on its way.
 * `Http2Session.close` alone refuses those that the client sends before it has heard of it.
 */
function announceEnd(session: Http2Session): void {
  if (!session.closed && !session.destroyed) session.goaway(constants.NGHTTP2_NO_ERROR, 2 ** 31 - 1);
}

/** Answers what the parser refuses. The request cannot be trusted in any part, so the connection ends. */
function answerBadRequest(
  { code = "" }: { readonly code?: string },
  socket: ParserSocket,
  callId: string,
  { limits: { maxHeaderBytes }, describeRefusal }: ProtocolServerOptions,
): void {
  if (code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const { status, message, reason = "REQUEST_MALFORMED" } = refusals[code] ?? invalid;
  const headerLimits = { limitBytes: String(maxHeaderBytes), limitFields: String(maxHeaderFields) };
  const metadata: Record<string, string> = reason === "HEADERS_TOO_LARGE" ? headerLimits : {};
  const body = describeRefusal(reason, message, metadata);
  const head = [
    `HTTP/1.1 ${status}`,
    ...Object.entries(baseHeaders(callId, false)).map(([name, value]) => `${name}: ${value}`),
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
    "Connection: close",
  ];
  socket.end(Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), body]), () => socket.destroy());
}

type ParserSocket = NodeJS.WritableStream & { destroy(): void };

interface ParserRefusal {
  readonly status: string;
  readonly message: string;
  readonly reason?: ErrorReason;
}

const invalid: ParserRefusal = { status: "400 Bad Request", message: "The request is not valid HTTP." };

const refusals: Readonly<Record<string, ParserRefusal>> = {
  HOST_MISSING: { status: "400 Bad Request", message: "The request has no Host header." },
  HPE_HEADER_OVERFLOW: {
    status: "431 Request Header Fields Too Large",
    message: "The headers are too large. In a browser it is the cookies: delete those of the site.",
    reason: "HEADERS_TOO_LARGE",
  },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: {
    status: "413 Payload Too Large",
    message: "The chunk extensions are too large.",
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: "408 Request Timeout",
    message: "The request did not arrive in time.",
    reason: "REQUEST_TIMEOUT",
  },
};
