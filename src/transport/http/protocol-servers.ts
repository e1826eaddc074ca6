import { createServer as createHttp1Server, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { Exchange } from "./exchange.ts";
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
  /** The most bytes that the headers of a request may have. */
  readonly maxHeaderBytes: number;
  /** How many calls one HTTP/2 connection may have under way. */
  readonly maxConcurrentStreams: number;
}

/** Generous for every honest client, and small enough that slow ones cannot hold much. */
export const defaultLimits: ListenerLimits = {
  headerTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  // Longer than the idle time of common load balancers, which otherwise reuse a connection as it is closed.
  idleTimeoutMs: 75_000,
  maxHeaderBytes: 16 * 1024,
  maxConcurrentStreams: 250,
};

/** Takes over a request. `headerFields` is how many header fields it has. */
export type HandleExchange = (exchange: Exchange, headerFields: number) => void;

/** The two servers behind a listener; connections are handed to them once it is known what they speak. */
export interface ProtocolServers {
  acceptHttp1(socket: Socket): void;
  acceptHttp2(socket: Socket): void;
  /** Ends connections without a call under way, and lets each other one end with its call. */
  close(): void;
}

/** Makes the servers. They listen to nothing themselves. */
export function createProtocolServers(
  limits: ListenerLimits,
  peers: Peers,
  handle: HandleExchange,
): ProtocolServers {
  let closing = false;
  const sessions = new Set<ServerHttp2Session>();
  const isClosing = () => closing;

  const handleHttp1 = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean) => {
    // A reset connection is no news; without a listener it would end the process.
    request.on("error", () => {});
    response.on("error", () => {});
    const context = { peer: peers.of(request.socket), limits, expectsContinue, closing: isClosing };
    handle(new Http1Exchange(request, response, context), request.rawHeaders.length / 2);
  };
  const http1 = createHttp1Server({
    headersTimeout: limits.headerTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: Math.min(limits.headerTimeoutMs, 5_000),
    maxHeaderSize: limits.maxHeaderBytes,
    insecureHTTPParser: false,
    noDelay: true,
  });
  // Beyond a count Node would drop headers in silence, Origin and Authorization included: they are refused instead.
  http1.maxHeadersCount = 0;
  http1.on("request", (request, response) => handleHttp1(request, response, false));
  http1.on("checkContinue", (request, response) => handleHttp1(request, response, true));
  http1.on("checkExpectation", (request, response) => handleHttp1(request, response, false));
  http1.on("clientError", answerBadRequest);
  // It never listens, and this event is what starts its watch over slow clients.
  http1.emit("listening");

  const http2 = createHttp2Server({
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    maxHeaderListPairs: 128,
    // What one connection may hold in memory, in MB.
    maxSessionMemory: 10,
    settings: {
      enablePush: false,
      maxConcurrentStreams: limits.maxConcurrentStreams,
      maxHeaderListSize: limits.maxHeaderBytes,
    },
  });
  http2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    session.on("error", () => {});
    session.setTimeout(limits.idleTimeoutMs, () => session.close());
    if (closing) session.close();
  });
  http2.on("sessionError", () => {});
  http2.on("stream", (stream, headers, _flags, rawHeaders) => {
    stream.on("error", () => {});
    const socket = stream.session?.socket;
    if (socket === undefined) return;
    const peer = peers.of(socket);
    handle(new Http2Exchange(stream, headers, { peer, limits, rawHeaders }), rawHeaders.length / 2);
  });

  return {
    acceptHttp1: (socket) => http1.emit("connection", socket),
    acceptHttp2: (socket) => http2.emit("connection", socket),
    close() {
      closing = true;
      // Closes what is idle; a connection in the middle of a call is told `Connection: close` with its answer.
      http1.close();
      for (const session of sessions) session.close();
    },
  };
}

/** Answers what the parser refuses. The request cannot be trusted in any part, so the connection ends. */
function answerBadRequest(
  error: NodeJS.ErrnoException,
  socket: NodeJS.WritableStream & { destroy(): void },
): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, message] = refusals[error.code ?? ""] ?? [
    "400 Bad Request",
    "The request is not valid HTTP.",
  ];
  const body = JSON.stringify({ code: "invalid_argument", message });
  const head = [
    `HTTP/1.1 ${status}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}

const refusals: Readonly<Record<string, readonly [status: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: ["431 Request Header Fields Too Large", "The headers are too large."],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ["413 Payload Too Large", "The chunk extensions are too large."],
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", "The request did not arrive in time."],
};
