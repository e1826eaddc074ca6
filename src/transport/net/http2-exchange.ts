import {
  constants,
  Http2ServerRequest,
  Http2ServerResponse,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import {
  type BodyLimits,
  boundedLength,
  byteLengthOf,
  countIn,
  type Exchange,
  type ExchangeLimits,
  headerIn,
  type NodePair,
  type Peer,
  type Response,
  type ResponseHeaders,
  readBounded,
  splitTarget,
  toHeaders,
} from "./exchange.ts";
import { connectionHeaders } from "./headers.ts";

/** What the listener tells of a stream besides the stream itself. */
interface Http2Context {
  readonly peer: Peer;
  readonly limits: ExchangeLimits;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  /** Told if a call of the connection has no room in a budget. */
  readonly onCrowded: () => void;
}

/** How long an answer without room in a budget may wait for the client to read it. */
const hurryMs = 1_000;

/** A request over HTTP/2. */
export class Http2Exchange implements Exchange {
  readonly httpVersion = 2;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly peer: Peer;
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  readonly #context: Http2Context;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, context: Http2Context) {
    const { path, query } = splitTarget(headers[":path"] ?? "");
    this.method = headers[":method"] ?? "";
    this.path = path;
    this.query = query;
    this.peer = context.peer;
    this.#stream = stream;
    this.#headers = headers;
    this.#context = context;
  }

  get host(): string | undefined {
    return this.#headers[":authority"] ?? this.#headers.host;
  }

  get gone(): boolean {
    // A reset right behind the headers closes the stream before it is destroyed, and before anybody hears of it.
    return this.#stream.destroyed || this.#stream.aborted || this.#stream.closed;
  }

  get answered(): boolean {
    return this.#stream.headersSent;
  }

  header(name: string): string | undefined {
    return headerIn(this.#headers, name);
  }

  headerCount(name: string): number {
    return countIn(this.#context.rawHeaders, name);
  }

  allHeaders(): Headers {
    return toHeaders(this.#headers);
  }

  readBody(limits: BodyLimits): Promise<Uint8Array> {
    boundedLength(this.#headers["content-length"], limits);
    return readBounded(this.#stream, limits, this.#context.limits.requestTimeoutMs);
  }

  respond({ status, headers, body, trailers }: Response): void {
    const stream = this.#stream;
    if (this.gone || stream.headersSent) return;
    dropConnectionHeaders(headers);
    headers[":status"] = String(status);
    const endStream = (body === undefined || this.method === "HEAD") && trailers === undefined;
    if (trailers === undefined && status !== 204 && status !== 304) {
      headers["content-length"] = String(byteLengthOf(body));
    }
    stream.respond(headers, { endStream, waitForTrailers: trailers !== undefined });
    if (trailers !== undefined) stream.once("wantTrailers", () => this.#sendTrailers(trailers));
    if (!endStream) {
      stream.end(body);
      // Security rule (SR-LIMIT-13): an answer that its client does not read is given up, or the call would hold its share for ever. The
      // time begins anew with each part that is read (test/transport/budgets.test.ts).
      stream.setTimeout(this.#context.limits.requestTimeoutMs, () => stream.close(constants.NGHTTP2_CANCEL));
    }
    this.#discardRest();
  }

  onGone(listener: () => void): void {
    if (this.gone) listener();
    else this.#stream.once("aborted", listener);
  }

  onClosed(listener: () => void): void {
    if (this.#stream.destroyed) listener();
    else this.#stream.once("close", listener);
  }

  hurry(): void {
    // The connection of a proxy is that of many clients: one of them does not end it for the others.
    if (!this.peer.trustedProxy) this.#context.onCrowded();
    const timer = setTimeout(() => this.#stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM), hurryMs);
    this.#stream.once("close", () => clearTimeout(timer));
  }

  destroy(): void {
    if (!this.#stream.destroyed) this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  toNode(): NodePair {
    const request = new Http2ServerRequest(this.#stream, this.#headers, {}, [...this.#context.rawHeaders]);
    const response = new Http2ServerResponse(this.#stream);
    // An empty body may have ended while the caller was looked up: nothing would tell the request then.
    if (this.#stream.readableEnded) request.push(null);
    // Emitted when all of the body has gone out; the response's own listener sends the trailers first.
    this.#stream.once("wantTrailers", () => setImmediate(() => this.#discardRest()));
    return { request, response };
  }

  /** Runs as a listener, where nobody would catch what it throws. */
  #sendTrailers(trailers: ResponseHeaders): void {
    try {
      dropConnectionHeaders(trailers);
      this.#stream.sendTrailers(trailers);
    } catch {
      // The client has reset the stream meanwhile, or a service set a trailer that cannot be sent: the call has no end.
      this.destroy();
    }
  }

  /** Tells the client that the answer is complete without the rest of the request (RFC 9113, section 8.1). */
  #discardRest(): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.readableEnded || stream.endAfterHeaders) return;
    stream.resume();
    stream.close(constants.NGHTTP2_NO_ERROR);
  }
}

/** Security rule (SR-INPUT-2): no answer is refused by HTTP/2 for a header of HTTP/1.1. */
function dropConnectionHeaders(headers: ResponseHeaders): void {
  for (const name of connectionHeaders) if (name in headers) delete headers[name];
}
