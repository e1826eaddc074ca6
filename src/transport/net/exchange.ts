import type { X509Certificate } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Readable } from "node:stream";
import { domainError } from "../../domain/errors.ts";
import type { Connection } from "./connections.ts";

/** Headers of an answer, by lower-case name. */
export type ResponseHeaders = Record<string, string | string[]>;

/** An answer, whole. */
export interface Response {
  readonly status: number;
  readonly headers: ResponseHeaders;
  /** Text goes out with the headers in one piece, which saves a good part of an HTTP/1.1 answer. */
  readonly body?: Uint8Array | string | undefined;
  /** HTTP/2 only. */
  readonly trailers?: ResponseHeaders | undefined;
}

/** The other end of a connection. */
export interface Peer {
  /** The address of the socket, IPv4-mapped IPv6 as IPv4; empty if the socket is gone. */
  readonly address: string;
  /** The address as budgets count it: IPv6 by its /64. */
  readonly subject: string;
  /** Whether the address is one of `server.trusted_proxies`. */
  readonly trustedProxy: boolean;
  readonly encrypted: boolean;
  /** The connection itself, as it is counted. */
  readonly connection: Connection;
  /** The client certificate, if one was sent and the listener's authorities signed it. */
  readonly certificate: X509Certificate | undefined;
  /** Why a client certificate that was sent does not count, as OpenSSL names it: `CERT_HAS_EXPIRED`. */
  readonly certificateProblem: string | undefined;
}

/**
 * One request and its answer, the same for HTTP/1.1 and HTTP/2. It exists so that the unary path costs neither the
 * compatibility layer of node:http2 nor web Request and Response objects.
 */
export interface Exchange {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** What follows the question mark; empty if there is none. */
  readonly query: string;
  readonly httpVersion: 1 | 2;
  readonly peer: Peer;
  /** `:authority` or Host, as sent. */
  readonly host: string | undefined;
  /** Whether the client went away before it was answered. */
  readonly gone: boolean;
  /** Whether the headers of an answer are on their way, so that no other can be given. */
  readonly answered: boolean;
  /** A header by its lower-case name. Repeated ones are joined or the first is taken, as Node does. */
  header(name: string): string | undefined;
  /** How often a header was sent. */
  headerCount(name: string): number;
  /** All headers, for handlers that ask for them. */
  allHeaders(): Headers;
  /**
   * Reads the body. Throws REQUEST_TOO_LARGE as soon as the declared or received length is beyond the limit,
   * REQUEST_TIMEOUT if the body does not come in time, REQUEST_CANCELED if the client goes away. A body that is there already is given
   * at once: a promise, a timer and listeners for nothing cost more than to read it.
   */
  readBody(limits: BodyLimits): Uint8Array | Promise<Uint8Array>;
  /**
   * Answers. What was not read of the request is thrown away; does nothing if the client is gone. Throws if a header
   * cannot be sent; then nothing was sent.
   */
  respond(response: Response): void;
  /** Calls back once if the client goes away before it was answered; at once if it is gone already. */
  onGone(listener: () => void): void;
  /** Calls back once when nothing of the request and its answer is held any more, whatever ended it; at once if that is past. */
  onClosed(listener: () => void): void;
  /** The call has no room in a budget: gives the client little time to read the answer, and its connection few more calls. */
  hurry(): void;
  /** Ends the request without an answer, or in the middle of one. Never throws. */
  destroy(): void;
  /**
   * The request and response of Node, for what this interface does not cover. The answer is theirs alone then. What is not
   * read of the request once the response is complete is thrown away here as well.
   */
  toNode(): NodePair;
}

/** A handler of a plain HTTP path; `headers` are those that every answer has. */
export type HttpHandler = (exchange: Exchange, headers: ResponseHeaders) => void | Promise<void>;

/** A request and response as Node has them. */
export interface NodePair {
  readonly request: IncomingMessage | Http2ServerRequest;
  readonly response: ServerResponse | Http2ServerResponse;
}

/** Bounds of a body. */
export interface BodyLimits {
  /** What the error names: the limit of the message. */
  readonly maxBytes: number;
  /** What a protocol adds around a message. Default 0. */
  readonly overheadBytes?: number;
  /** Called with the number of bytes that are there, and throws to refuse the rest. */
  readonly grow?: (bytes: number) => void;
  /** Looks at the first bytes as soon as they are there, and throws to refuse the rest. */
  readonly inspect?: (start: Uint8Array) => void;
}

/** What bounds one request. */
export interface ExchangeLimits {
  /** How long the whole body may take to arrive. */
  readonly requestTimeoutMs: number;
}

/** How much of a refused body is still read so that the client sees the answer; beyond it the connection ends. */
export const maxDiscardedBytes = 16 * 1024 * 1024;

/** Splits a request target; an absolute one (RFC 9112, section 3.2.2) counts by its path. */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  let origin = target;
  if (!target.startsWith("/")) {
    const path = /^https?:\/\/[^/?#]*(.*)$/i.exec(target)?.[1];
    if (path !== undefined) origin = path.startsWith("/") ? path : `/${path}`;
  }
  const mark = origin.indexOf("?");
  return mark < 0
    ? { path: origin, query: "" }
    : { path: origin.slice(0, mark), query: origin.slice(mark + 1) };
}

/** A header by its lower-case name, as Node has read them. */
export function headerIn(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.join(", ");
}

/** How often a header was sent; `rawHeaders` are names and values in turn. */
export function countIn(rawHeaders: readonly string[], name: string): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const raw = rawHeaders[index];
    if (raw?.length === name.length && raw.toLowerCase() === name) count++;
  }
  return count;
}

/** All headers but those of HTTP/2 itself. */
export function toHeaders(read: IncomingHttpHeaders): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(read)) {
    if (name.startsWith(":")) continue;
    if (typeof value === "string") headers.append(name, value);
    else for (const item of value ?? []) headers.append(name, item);
  }
  return headers;
}

/** The length of a body on the wire. */
export function byteLengthOf(body: Uint8Array | string | undefined): number {
  return body === undefined ? 0 : Buffer.byteLength(body);
}

/** The declared length of a body; undefined if there is none. */
function declaredLength(contentLength: string | undefined): number | undefined {
  // Node has refused anything but digits by now; the check costs nothing and keeps NaN out of comparisons.
  return contentLength !== undefined && /^\d{1,15}$/.test(contentLength) ? Number(contentLength) : undefined;
}

const empty: Buffer = Buffer.alloc(0);

/**
 * Takes a body all of which has arrived. Throws REQUEST_TOO_LARGE beyond the limit, and REQUEST_CANCELED if the client is gone.
 */
export function takeArrived(stream: Readable, limits: BodyLimits): Uint8Array {
  if (stream.destroyed) throw domainError("REQUEST_CANCELED", {});
  const { readableLength } = stream;
  if (readableLength > limits.maxBytes + (limits.overheadBytes ?? 0)) throw tooLarge(limits.maxBytes);
  limits.grow?.(readableLength);
  const chunk = stream.read() as Buffer | null;
  if (chunk === null) return empty;
  limits.inspect?.(chunk);
  // Copied for the reason that readBounded gives.
  return Buffer.from(chunk);
}

/**
 * Reads a stream to its end. Throws REQUEST_TOO_LARGE at the first byte beyond the limit, REQUEST_TIMEOUT if the
 * end does not come in time, and REQUEST_CANCELED if it never comes.
 *
 * Security rule (SR-LIMIT-12): what is held is no more than twice what has arrived. A chunk is a part of what was read from the socket at once,
 * and would keep all of that in memory, so it is copied (test/process/budgets.test.ts).
 */
export function readBounded(
  stream: Readable & { readonly closed?: boolean },
  limits: BodyLimits,
  timeoutMs: number,
): Promise<Uint8Array> {
  const limit = limits.maxBytes + (limits.overheadBytes ?? 0);
  return new Promise((resolve, reject) => {
    let body: Buffer = empty;
    let length = 0;

    const timer = setTimeout(() => fail(domainError("REQUEST_TIMEOUT", {})), timeoutMs);
    const onData = (chunk: Buffer) => {
      const before = length;
      length += chunk.length;
      if (length > limit) return fail(tooLarge(limits.maxBytes));
      try {
        limits.grow?.(length);
        if (before === 0) limits.inspect?.(chunk);
      } catch (error) {
        return fail(error);
      }
      // Nearly all bodies are one chunk.
      if (before === 0) body = Buffer.from(chunk);
      else {
        if (length > body.length) body = grown(body, before, Math.min(2 * length, limit));
        chunk.copy(body, before);
      }
    };
    const onEnd = () => {
      // A stream of HTTP/2 that is reset in the middle of its body ends as well; what has come of it may even be a whole message.
      if (stream.closed === true) return onGone();
      release();
      resolve(body.subarray(0, length));
    };
    const onGone = () => fail(domainError("REQUEST_CANCELED", {}));
    const release = () => {
      clearTimeout(timer);
      stream.off("data", onData).off("end", onEnd).off("close", onGone);
    };
    const fail = (error: unknown) => {
      release();
      body = empty;
      reject(error);
    };

    // The client may have gone, or an empty body ended, while the caller was looked up: nothing would tell then.
    if (stream.destroyed) return onGone();
    if (stream.readableEnded) return onEnd();
    // Whatever ends it early closes it: an error, a reset, a connection that is gone.
    stream.on("data", onData).on("end", onEnd).on("close", onGone);
  });
}

function grown(body: Buffer, length: number, size: number): Buffer {
  const larger = Buffer.allocUnsafe(size);
  body.copy(larger, 0, 0, length);
  return larger;
}

/**
 * The declared length of a body; undefined if there is none. Throws REQUEST_TOO_LARGE if it is beyond the limit, so that not a byte of the
 * body is read.
 */
export function boundedLength(contentLength: string | undefined, limits: BodyLimits): number | undefined {
  const declared = declaredLength(contentLength);
  if (declared !== undefined && declared > limits.maxBytes + (limits.overheadBytes ?? 0)) {
    throw tooLarge(limits.maxBytes);
  }
  return declared;
}

/** The error of a request beyond the limit. */
export function tooLarge(limitBytes: number): Error {
  return domainError("REQUEST_TOO_LARGE", { limitBytes: String(limitBytes) });
}
