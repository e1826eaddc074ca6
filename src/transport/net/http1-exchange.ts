import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type BodyLimits,
  boundedLength,
  byteLengthOf,
  countIn,
  type Exchange,
  type ExchangeLimits,
  headerIn,
  maxDiscardedBytes,
  type NodePair,
  type Peer,
  type Response,
  readBounded,
  splitTarget,
  takeArrived,
  toHeaders,
} from "./exchange.ts";

/** What the listener tells of a request besides the request itself. */
interface Http1Context {
  readonly peer: Peer;
  readonly limits: ExchangeLimits;
  /** Whether the client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
  /** Whether the listener is closing, so that the connection must not be used again. */
  readonly closing: () => boolean;
}

/**
 * Up to which length bytes are handed to Node as text of one character a byte. It sends text and the head in one piece, and bytes after the
 * head in a second one, which costs more than half of a small answer.
 */
const maxJoinedBytes = 16 * 1024;

/** A request over HTTP/1.1. */
export class Http1Exchange implements Exchange {
  readonly httpVersion = 1;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly peer: Peer;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #context: Http1Context;
  #continued = false;
  /** Whether all of the body was read. */
  #taken = false;

  constructor(request: IncomingMessage, response: ServerResponse, context: Http1Context) {
    const { path, query } = splitTarget(request.url ?? "");
    this.method = request.method ?? "";
    this.path = path;
    this.query = query;
    this.peer = context.peer;
    this.#request = request;
    this.#response = response;
    this.#context = context;
  }

  get host(): string | undefined {
    return this.#request.headers.host;
  }

  get gone(): boolean {
    // The answer to a pipelined request has no socket yet, and would not notice that it is gone.
    return (this.#response.destroyed || this.#request.socket.destroyed) && !this.#response.writableEnded;
  }

  get answered(): boolean {
    return this.#response.headersSent;
  }

  header(name: string): string | undefined {
    return headerIn(this.#request.headers, name);
  }

  headerCount(name: string): number {
    return countIn(this.#request.rawHeaders, name);
  }

  allHeaders(): Headers {
    return toHeaders(this.#request.headers);
  }

  readBody(limits: BodyLimits): Uint8Array | Promise<Uint8Array> {
    const length = boundedLength(this.#request.headers["content-length"], limits);
    if (this.#context.expectsContinue) {
      this.#continued = true;
      this.#response.writeContinue();
    }
    // The parser tells of the end of a body only after the turn in which the body came.
    if (length === this.#request.readableLength || this.#request.complete) {
      this.#taken = true;
      return takeArrived(this.#request, limits);
    }
    return readBounded(this.#request, limits, this.#context.limits.requestTimeoutMs);
  }

  respond({ status, headers, body }: Response): void {
    const response = this.#response;
    if (response.destroyed || response.headersSent) return;
    // A client that was told not to send its body may send it all the same: that connection is of no more use.
    const unusable = this.#context.expectsContinue && !this.#continued;
    const length = byteLengthOf(body);
    // Over TLS, Node's parser loses parts of a request that comes before the socket has drained (tls.test.ts).
    const undrained = this.peer.encrypted && length >= response.writableHighWaterMark;
    if (unusable || undrained || this.#context.closing()) headers.connection = "close";
    if (body !== undefined || (status !== 204 && status !== 304)) headers["content-length"] = String(length);
    response.writeHead(status, headers);
    if (body === undefined || this.method === "HEAD") response.end();
    else if (typeof body === "string" || length > maxJoinedBytes) response.end(body);
    else response.end(asBuffer(body).toString("latin1"), "latin1");
    if (!unusable) this.#discardRest();
  }

  onGone(listener: () => void): void {
    if (this.gone) listener();
    else {
      this.#response.once("close", () => {
        if (!this.#response.writableEnded) listener();
      });
    }
  }

  onClosed(listener: () => void): void {
    // The answer to a pipelined request has no socket yet, and would not notice that it is gone; the connection does.
    this.#response.once("close", this.peer.connection.onClose(listener));
  }

  /** Over HTTP/1.1 what is small has gone out, and a connection has one answer at a time. */
  hurry(): void {}

  destroy(): void {
    this.#request.socket.destroy();
  }

  toNode(): NodePair {
    this.#response.once("finish", () => this.#discardRest());
    return { request: this.#request, response: this.#response };
  }

  /**
   * Reads on after a refusal, because closing a socket with unread bytes makes the kernel reset it, and the client
   * would lose the answer. It holds nothing, and ends at `maxDiscardedBytes` or with the listener's time limit.
   */
  #discardRest(): void {
    if (this.#taken || this.#request.complete || this.#request.destroyed) return;
    let discarded = 0;
    this.#request.on("error", () => {});
    // An abandoned reader of a stream has left its listener, which would keep the rest from flowing.
    this.#request.removeAllListeners("readable");
    this.#request.on("data", (chunk: Buffer) => {
      discarded += chunk.length;
      if (discarded > maxDiscardedBytes) this.#request.socket.destroy();
    });
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
