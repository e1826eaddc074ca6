import type { DescMessage, MessageShape, Registry } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  createConnectRouter,
  createContextKey,
  type Interceptor,
} from "@connectrpc/connect";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { compressionGzip, universalRequestFromNodeRequest } from "@connectrpc/connect-node";
import { domainError } from "../../../domain/errors.ts";
import type { Exchange, NodePair } from "../../net/exchange.ts";
import { connectionHeaders } from "../../net/headers.ts";
import type { ListenerLimits } from "../../net/protocol-servers.ts";
import { type Call, valuesWith } from "../call.ts";
import { protocolError, reasonOf, toConnectError } from "../errors.ts";
import type { Pipeline } from "../pipeline.ts";
import type { Route } from "../routes.ts";
import { binaryOptionsFor, jsonOptions } from "../unary/decode.ts";
import { http2Needed, methodNotAllowed, type Refusal, unknownContentType } from "../unary/negotiate.ts";
import type { CallResult } from "../unary/serve.ts";
import { BroadcastServer } from "./broadcast.ts";
import { answerRefused } from "./refused.ts";
import { sendAnswer } from "./send-answer.ts";
import { watchAccess } from "./stream-access.ts";
import { assertDeadline, capDeadline, cutOff, endOf, isEnded, readNext } from "./stream-client.ts";
import { streamWireOf } from "./stream-wire.ts";

/** What streams are served with. */
interface StreamingDependencies {
  readonly pipeline: Pipeline;
  readonly jsonTypes: Registry | undefined;
  readonly limits: StreamLimits;
  /** Ends all streams when the listener closes. */
  readonly shutdownSignal: AbortSignal;
}

type StreamLimits = Pick<
  ListenerLimits,
  | "requestTimeoutMs"
  | "streamIdleTimeoutMs"
  | "streamAccessIntervalMs"
  | "streamBufferBytes"
  | "anonymousStreamLifetimeMs"
>;

/** Serves calls of streaming methods. */
export interface StreamServer {
  /** Why HTTP itself already refuses the request; undefined if `serve` may be called. */
  refuse(call: Call, route: Route): Refusal | undefined;
  /** Resolves once the stream has ended, however it did. */
  serve(call: Call, route: Route): Promise<CallResult>;
}

/** One stream, while it is served. */
class Stream {
  readonly call: Call;
  readonly route: Route;
  /** Aborted with the reason if the server ends it. */
  readonly ended = new AbortController();
  error: ConnectError | undefined;
  #stopWatching: () => void = () => {};
  #end: NodeJS.Timeout | undefined;
  #reader: NodeJS.Timeout | undefined;
  #closed = false;
  readonly #idleTimeoutMs: number;
  readonly #cutOff: () => void;

  constructor(call: Call, route: Route, idleTimeoutMs: number, onIdle: () => void) {
    this.call = call;
    this.route = route;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#cutOff = onIdle;
  }

  /** Watches, from the moment of admission, whether its credential still counts; without one it ends after a time. */
  watch(pipeline: Pipeline, { streamAccessIntervalMs, anonymousStreamLifetimeMs }: StreamLimits): void {
    const end = (error: unknown) => this.ended.abort(error);
    this.#stopWatching = watchAccess(pipeline, this.call, this.route, streamAccessIntervalMs, end);
    // Security rule (SR-LIMIT-12): a stranger's stream does not last for ever (test/transport/budgets.test.ts).
    if (this.call.caller.kind !== "anonymous") return;
    const message = "The stream has been open for as long as one without a credential may; open another one.";
    const late = () => end(domainError("REQUEST_TIMEOUT", {}, { message }));
    this.#end = setTimeout(late, anonymousStreamLifetimeMs);
  }

  /** Gives the client up if it does not come for what there is to read. */
  awaitReader(): void {
    clearTimeout(this.#reader);
    if (this.#closed) return;
    this.#reader = setTimeout(() => {
      this.error ??= toConnectError(domainError("STREAM_IDLE", {}), this.call.id);
      this.#cutOff();
    }, this.#idleTimeoutMs);
  }

  /** The client has come for it. */
  readerCame(): void {
    clearTimeout(this.#reader);
  }

  /** Nothing of it goes on. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#reader);
    clearTimeout(this.#end);
    this.#stopWatching();
  }
}

const streamKey = createContextKey<Stream | undefined>(undefined, { description: "the stream being served" });

/**
 * Serves streams through Connect's own handlers: they last, so what such a handler costs a call does not matter. The pipeline
 * lets the call through before its first message is read, and checks each message.
 */
export function createStreamServer(deps: StreamingDependencies, routes: Iterable<Route>): StreamServer {
  const { pipeline, jsonTypes, limits, shutdownSignal } = deps;
  const router = createConnectRouter({
    acceptCompression: [compressionGzip],
    jsonOptions: { ...jsonOptions, registry: jsonTypes },
    shutdownSignal,
    interceptors: [createInterceptor(deps)],
  });
  for (const { method, spec, maxRequestBytes, closed, isBroadcast } of routes) {
    if (spec.kind === "unary" || isBroadcast) continue;
    const options = { readMaxBytes: maxRequestBytes, binaryOptions: binaryOptionsFor(closed) };
    router.rpc(method, spec.impl as never, options);
  }
  const broadcasts = new BroadcastServer(deps);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  return {
    refuse({ exchange }, route) {
      if (exchange.method !== "POST") return methodNotAllowed("POST");
      const type = exchange.header("content-type") ?? "";
      const isSupported = route.isBroadcast
        ? streamWireOf(exchange) !== undefined
        : handlers.get(route.path)?.supportedContentType(type) === true;
      if (!isSupported) return unknownContentType(exchange);
      const isGrpc = /^application\/grpc(?!-web)/i.test(type);
      return isGrpc && exchange.httpVersion === 1 ? http2Needed() : undefined;
    },
    async serve(call, route) {
      if (route.isBroadcast) return broadcasts.serve(call, route);
      const handler = handlers.get(route.path);
      if (handler === undefined) throw new Error(`${route.name} is not a stream`);
      const { exchange } = call;
      try {
        assertDeadline(exchange);
        await pipeline.admit(call, route);
        // Nothing would ever say that a stream has closed which was closed before it was served.
        if (exchange.gone) throw domainError("REQUEST_CANCELED", {});
      } catch (cause) {
        const error = toConnectError(cause, call.id);
        if (!exchange.gone) answerRefused(call, error);
        return error;
      }
      const pair = exchange.toNode();
      const { request, response } = pair;
      const stream = new Stream(call, route, limits.streamIdleTimeoutMs, () => cutOff(pair));
      stream.watch(pipeline, limits);
      for (const [name, value] of Object.entries(call.headers)) response.setHeader(name, value);
      const closed = new Promise<void>((resolve) => response.once("close", () => resolve()));
      try {
        const values = valuesWith(call).set(streamKey, stream);
        const received = universalRequestFromNodeRequest(request, response, undefined, values);
        capDeadline(received.header);
        const answer = await handler({ ...received, ...bodyOf(exchange, request, route) });
        if (exchange.httpVersion === 2) dropConnectionHeaders(answer);
        await Promise.race([sendAnswer(answer, response), closed]);
        await closed;
        if (!response.writableEnded)
          throw new Error("the connection was closed before the answer was complete");
      } catch (error) {
        // The client went away in the middle of the answer, or never named a host: nobody is left to tell.
        const canceled = domainError("REQUEST_CANCELED", {}, { cause: error });
        stream.error ??= toConnectError(canceled, call.id);
        if (!response.writableEnded) response.end();
      } finally {
        stream.close();
      }
      return stream.error;
    },
  };
}

/** Security rule (SR-INPUT-2): no answer is refused by HTTP/2 for a header of HTTP/1.1 (see Http2Exchange). */
function dropConnectionHeaders({ header, trailer }: UniversalServerResponse): void {
  for (const name of connectionHeaders) {
    header?.delete(name);
    trailer?.delete(name);
  }
}

function bodyOf(exchange: Exchange, request: NodePair["request"], route: Route) {
  if (exchange.httpVersion === 1 && route.spec.kind === "bidi_streaming") {
    // Connect refuses streams in both directions by the version alone. One direction after the other works.
    return { body: wholeBody(exchange, route.maxRequestBytes), httpVersion: "2.0" };
  }
  // Connect's own reader destroys a request that it does not read to its end, and over HTTP/1.1 the rest of the body would
  // then stand before the next request of the connection.
  return { body: request.iterator({ destroyOnReturn: false }) };
}

/** Maps errors and validates messages. The pipeline has let the call through by then. */
function createInterceptor(deps: StreamingDependencies): Interceptor {
  return (next) => async (request) => {
    const stream = streamOf(request.contextValues);
    try {
      if (!request.stream) throw new Error("unary calls are not served here");
      const signal = AbortSignal.any([request.signal, stream.ended.signal]);
      const message = validated(request.message, deps, stream, signal);
      const response = await next({ ...request, signal, message } as typeof request);
      for (const cookie of stream.call.setCookies) response.header.append("set-cookie", cookie);
      return response.stream ? { ...response, message: sent(response.message, stream, signal) } : response;
    } catch (error) {
      throw remember(stream, error);
    }
  };
}

async function* validated<T>(
  messages: AsyncIterable<T>,
  { pipeline, limits }: StreamingDependencies,
  { call, route }: Stream,
  signal: AbortSignal,
) {
  const { method, maxRequestBytes, closed } = route;
  const iterator = messages[Symbol.asyncIterator]();
  // A client may take more time between messages of its own stream than for the one that asks for the server's.
  const late =
    method.methodKind === "server_streaming"
      ? ({ afterMs: limits.requestTimeoutMs, reason: "REQUEST_TIMEOUT" } as const)
      : ({ afterMs: limits.streamIdleTimeoutMs, reason: "STREAM_IDLE" } as const);
  try {
    for (;;) {
      const next = await readNext(iterator, { maxRequestBytes, late, signal });
      if (next.done === true) return;
      const message = next.value as MessageShape<DescMessage>;
      closed?.(message);
      pipeline.check(call, method, message);
      yield next.value;
    }
  } finally {
    // Not awaited: it would wait for a read that is still under way.
    iterator.return?.().catch(() => {});
  }
}

/** Hands the answers on, maps errors, and gives the client up if it does not read what was written. */
async function* sent<T>(messages: AsyncIterable<T>, stream: Stream, signal: AbortSignal) {
  try {
    for await (const message of messages) {
      // A service may not look at the signal.
      if (isEnded(signal)) break;
      stream.awaitReader();
      yield message;
      stream.readerCame();
    }
    // A service may end quietly when the server ends the stream, or its deadline; the caller is told why it ended.
    if (isEnded(signal)) throw endOf(signal);
  } catch (error) {
    throw remember(stream, signal.aborted && error === signal.reason ? endOf(signal) : error);
  } finally {
    // What is written already, and how the stream ended, must be read in time as well.
    stream.awaitReader();
  }
}

/** All of a body before its first message: over HTTP/1.1 many clients read nothing before they have sent everything. */
async function* wholeBody(exchange: Exchange, maxBytes: number) {
  yield await exchange.readBody({ maxBytes });
}

function remember(stream: Stream, error: unknown): ConnectError {
  // All methods are implemented: Connect says so of a compression that it does not understand, and of more or fewer
  // messages than one.
  const isConnects =
    error instanceof ConnectError && error.code === Code.Unimplemented && reasonOf(error) === undefined;
  stream.error ??= isConnects
    ? protocolError(Code.Unimplemented, "REQUEST_MALFORMED", error.rawMessage)
    : toConnectError(error, stream.call.id);
  return stream.error;
}

function streamOf(values: ContextValues): Stream {
  const stream = values.get(streamKey);
  if (stream === undefined) throw new Error("the stream was not announced");
  return stream;
}
