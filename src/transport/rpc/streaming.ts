import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
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
import type { Clock } from "../../domain/ports.ts";
import type { Access } from "./access.ts";
import type { AddressLimits } from "./address-limits.ts";
import { admitCall } from "./admit-call.ts";
import { setCall } from "./call.ts";
import { protocolError, toConnectError } from "./errors.ts";
import { createCall, type Inbound } from "./inbound.ts";
import type { Route } from "./routes.ts";
import { malformed, maxNesting } from "./unary/decode.ts";
import { methodNotAllowed, type Refusal, unknownContentType } from "./unary/negotiate.ts";
import type { CallResult } from "./unary/serve.ts";
import type { ValidateRequest } from "./validation.ts";

/** What streams are served with. */
interface StreamingDependencies {
  readonly access: Access;
  readonly addressLimits: AddressLimits;
  readonly validate: ValidateRequest;
  readonly maxRequestBytes: number;
  readonly clock: Clock;
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
  const { maxRequestBytes, shutdownSignal } = dependencies;
  const router = createConnectRouter({
    acceptCompression: [compressionGzip],
    readMaxBytes: maxRequestBytes,
    jsonOptions: { ignoreUnknownFields: false, recursionLimit: maxNesting },
    binaryOptions: { readUnknownFields: false, recursionLimit: maxNesting },
    shutdownSignal,
    requestGate: (context) => admit(dependencies, context),
    interceptors: [createInterceptor(dependencies.validate)],
  });
  for (const { method, spec } of routes) if (spec.kind !== "unary") router.rpc(method, spec.impl as never);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  return {
    refuse({ exchange }, route) {
      if (exchange.method !== "POST") return methodNotAllowed("POST");
      const supports = handlers.get(route.path)?.supportedContentType;
      return supports?.(exchange.header("content-type") ?? "") ? undefined : unknownContentType(exchange);
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
        const answer = await handler(universalRequestFromNodeRequest(request, response, undefined, values));
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
function createInterceptor(validate: ValidateRequest): Interceptor {
  return (next) => async (request) => {
    const stream = streamOf(request.contextValues);
    try {
      if (!request.stream) throw new Error("unary calls are not served here");
      const message = validated(request.message, validate, request.method.input);
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

async function* validated<T>(messages: AsyncIterable<T>, validate: ValidateRequest, schema: DescMessage) {
  const iterator = messages[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await readNext(iterator);
      if (next.done === true) return;
      validate(schema, next.value as MessageShape<DescMessage>);
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}

async function readNext<T>(iterator: AsyncIterator<T>): Promise<IteratorResult<T>> {
  try {
    return await iterator.next();
  } catch (error) {
    // Connect calls a message that cannot be parsed an internal error; it is the client's.
    const isParseError = error instanceof ConnectError && error.code === Code.Internal;
    throw isParseError ? malformed("A message of the stream could not be read.", [], error) : error;
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
  stream.error = toConnectError(error, stream.inbound.requestId);
  return stream.error;
}

function streamOf(values: ContextValues): Stream {
  const stream = values.get(streamKey);
  if (stream === undefined) throw new Error("the stream was not announced");
  return stream;
}
