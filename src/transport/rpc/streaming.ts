import type { DescMessage, DescMethod, MessageShape, Registry } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  createConnectRouter,
  createContextKey,
  createContextValues,
  type HandlerContext,
  type Interceptor,
} from "@connectrpc/connect";
import {
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { domainError } from "../../domain/errors.ts";
import type { Clock } from "../../domain/ports.ts";
import { tooLarge } from "../http/body-reader.ts";
import type { Access } from "./access.ts";
import type { AddressLimits } from "./address-limits.ts";
import { admitCall } from "./admit-call.ts";
import { setCall } from "./call.ts";
import { protocolError, reasonOf, toConnectError } from "./errors.ts";
import { createCall, type Inbound } from "./inbound.ts";
import type { Route } from "./routes.ts";
import { binaryOptions, jsonOptions, malformed } from "./unary/decode.ts";
import { http2Needed, methodNotAllowed, type Refusal, unknownContentType } from "./unary/negotiate.ts";
import type { CallResult } from "./unary/serve.ts";
import type { ValidateRequest } from "./validation.ts";

/** What streams are served with. */
interface StreamingDependencies {
  readonly access: Access;
  readonly addressLimits: AddressLimits;
  readonly validate: ValidateRequest;
  readonly maxRequestBytes: number;
  readonly jsonTypes: Registry | undefined;
  readonly clock: Clock;
  /** How long the one request of a server-streaming call may take to arrive. */
  readonly requestTimeoutMs: number;
  /** Ends all streams when the listener closes. */
  readonly shutdownSignal: AbortSignal;
}

/** Serves calls of streaming methods. */
export interface StreamServer {
  /** Why HTTP itself already refuses the request; undefined if `serve` may be called. */
  refuse(inbound: Inbound, route: Route): Refusal | undefined;
  /** Resolves once the stream has ended, however it did. */
  serve(inbound: Inbound, route: Route): Promise<CallResult>;
}

/** One stream, while it is served. */
interface Stream {
  readonly inbound: Inbound;
  readonly route: Route;
  readonly setCookies: string[];
  error: ConnectError | undefined;
}

const streamKey = createContextKey<Stream | undefined>(undefined, { description: "the stream being served" });

/**
 * Serves streams through Connect's own handlers: they last, so what such a handler costs a call does not matter.
 * Authentication and authorization run before the first message is read, validation on each message.
 */
export function createStreamServer(
  dependencies: StreamingDependencies,
  routes: Iterable<Route>,
): StreamServer {
  const { maxRequestBytes, jsonTypes, shutdownSignal } = dependencies;
  const router = createConnectRouter({
    acceptCompression: [compressionGzip],
    readMaxBytes: maxRequestBytes,
    jsonOptions: { ...jsonOptions, registry: jsonTypes },
    binaryOptions,
    shutdownSignal,
    requestGate: (context) => admit(dependencies, context),
    interceptors: [createInterceptor(dependencies)],
  });
  for (const { method, spec } of routes) if (spec.kind !== "unary") router.rpc(method, spec.impl as never);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  return {
    refuse({ exchange }, route) {
      if (exchange.method !== "POST") return methodNotAllowed("POST");
      const type = exchange.header("content-type") ?? "";
      if (handlers.get(route.path)?.supportedContentType(type) !== true) return unknownContentType(exchange);
      const isGrpc = /^application\/grpc(?!-web)/i.test(type);
      const needsHttp2 = isGrpc || route.spec.kind === "bidi_streaming";
      return needsHttp2 && exchange.httpVersion === 1 ? http2Needed(isGrpc) : undefined;
    },
    async serve(inbound, route) {
      const handler = handlers.get(route.path);
      if (handler === undefined) throw new Error(`${route.name} is not a stream`);
      const stream: Stream = { inbound, route, setCookies: [], error: undefined };
      const { request, response } = inbound.exchange.toNode();
      for (const [name, value] of Object.entries(inbound.headers)) response.setHeader(name, value);
      const closed = new Promise<void>((resolve) => response.once("close", () => resolve()));
      try {
        const values = createContextValues().set(streamKey, stream);
        const received = universalRequestFromNodeRequest(request, response, undefined, values);
        // Connect's own reader destroys a request that it does not read to its end, and over HTTP/1.1 the rest of
        // the body would then stand before the next request of the connection.
        const body = request.iterator({ destroyOnReturn: false });
        const answer = await handler({ ...received, body });
        await Promise.race([universalResponseToNodeResponse(answer, response), closed]);
        await closed;
      } catch (error) {
        // The client went away in the middle of the answer, or never named a host: nobody is left to tell.
        stream.error ??= protocolError(Code.Canceled, "REQUEST_CANCELED", String(error));
        if (!response.writableEnded) response.end();
      }
      return { error: stream.error };
    },
  };
}

async function admit(dependencies: StreamingDependencies, context: HandlerContext): Promise<void> {
  const { access, addressLimits, clock } = dependencies;
  const stream = streamOf(context.values);
  const { inbound, route, setCookies } = stream;
  try {
    addressLimits.admit(inbound, route, access.tenantOf(inbound.exchange));
    const admission = await admitCall(dependencies, inbound, route);
    inbound.caller = admission.caller;
    setCall(context, createCall(inbound, admission, clock.now(), setCookies));
  } catch (error) {
    throw remember(stream, error);
  }
}

/** Maps errors and validates messages. The gate has run by then. */
function createInterceptor(dependencies: StreamingDependencies): Interceptor {
  return (next) => async (request) => {
    const stream = streamOf(request.contextValues);
    try {
      if (!request.stream) throw new Error("unary calls are not served here");
      const message = validated(request.message, dependencies, request.method);
      const response = await next({ ...request, message } as typeof request);
      if (stream.setCookies.length > 0) {
        for (const cookie of stream.setCookies) response.header.append("set-cookie", cookie);
      }
      return response.stream ? { ...response, message: mapErrors(response.message, stream) } : response;
    } catch (error) {
      throw remember(stream, error);
    }
  };
}

async function* validated<T>(
  messages: AsyncIterable<T>,
  { validate, maxRequestBytes, requestTimeoutMs }: StreamingDependencies,
  { input, methodKind }: DescMethod,
) {
  const iterator = messages[Symbol.asyncIterator]();
  // A client may take its time between messages of its own stream, but not with the one that asks for the server's.
  const timeoutMs = methodKind === "server_streaming" ? requestTimeoutMs : undefined;
  try {
    for (;;) {
      const next = await readNext(iterator, maxRequestBytes, timeoutMs);
      if (next.done === true) return;
      validate(input, next.value as MessageShape<DescMessage>);
      yield next.value;
    }
  } finally {
    // Not awaited: it would wait for a read that is still under way.
    iterator.return?.().catch(() => {});
  }
}

async function readNext<T>(
  iterator: AsyncIterator<T>,
  maxRequestBytes: number,
  timeoutMs: number | undefined,
): Promise<IteratorResult<T>> {
  const next = iterator.next().catch((error: unknown) => {
    throw readingError(error, maxRequestBytes);
  });
  if (timeoutMs === undefined) return next;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(domainError("REQUEST_TIMEOUT", {})), timeoutMs);
  });
  return Promise.race([next, late]).finally(() => clearTimeout(timer));
}

/** What Connect throws while it reads is about what the client sent; its own words for it are for a server's author. */
function readingError(error: unknown, maxRequestBytes: number): unknown {
  // Of the socket: the client went away.
  if (!(error instanceof ConnectError)) return domainError("REQUEST_CANCELED", {}, { cause: error });
  switch (error.code) {
    case Code.Internal:
      return malformed("A message of the stream could not be read.", [], error);
    case Code.ResourceExhausted:
      return tooLarge(maxRequestBytes);
    default:
      return error;
  }
}

async function* mapErrors<T>(messages: AsyncIterable<T>, stream: Stream) {
  try {
    yield* messages;
  } catch (error) {
    throw remember(stream, error);
  }
}

function remember(stream: Stream, error: unknown): ConnectError {
  // All methods are implemented: Connect says so of a compression that it does not understand, and of more or fewer
  // messages than one.
  const isConnects =
    error instanceof ConnectError && error.code === Code.Unimplemented && reasonOf(error) === undefined;
  stream.error = isConnects
    ? protocolError(Code.Unimplemented, "REQUEST_MALFORMED", error.rawMessage)
    : toConnectError(error, stream.inbound.requestId);
  return stream.error;
}

function streamOf(values: ContextValues): Stream {
  const stream = values.get(streamKey);
  if (stream === undefined) throw new Error("the stream was not announced");
  return stream;
}
