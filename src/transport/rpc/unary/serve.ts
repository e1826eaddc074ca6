import type { Registry } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { domainError } from "../../../domain/errors.ts";
import { matchesEtag } from "../../net/etag.ts";
import type { Call } from "../call.ts";
import { toConnectError } from "../errors.ts";
import type { Pipeline } from "../pipeline.ts";
import type { Route } from "../routes.ts";
import { decodeMessage } from "./decode.ts";
import { encodeMessage } from "./encoded-answer.ts";
import type { EncodedMessage, Wire } from "./wire.ts";

/** What a unary call is served with. */
export interface UnaryDependencies {
  readonly pipeline: Pipeline;
  /** What a google.protobuf.Any may hold in JSON. */
  readonly jsonTypes: Registry | undefined;
}

/** How a call ended; undefined: it succeeded. */
export type CallResult = ConnectError | undefined;

/** Serves a unary call: the pipeline, the service, the answer. Whatever goes wrong is answered; nothing is thrown. */
export async function serveUnary(
  deps: UnaryDependencies,
  route: Route,
  wire: Wire,
  call: Call,
): Promise<CallResult> {
  let message: EncodedMessage = "";
  let error: CallResult;
  try {
    const timeoutMs = wire.timeoutMs(call.exchange);
    call.begin(route.method, wire, timeoutMs);
    const work = carryOut(deps, route, wire, call);
    call.work = work;
    message = await (timeoutMs === undefined ? work : withDeadline(work, timeoutMs, call));
  } catch (cause) {
    error = toConnectError(cause, call.id);
  }
  return answer(wire, call, message, error);
}

async function carryOut(
  { pipeline, jsonTypes }: UnaryDependencies,
  route: Route,
  wire: Wire,
  call: Call,
): Promise<EncodedMessage> {
  const { method, spec, closed, maxRequestBytes } = route;
  // Never at once: over HTTP/1.1 the body is parsed behind the headers, in the same turn.
  await pipeline.admit(call, route);
  const grow = (length: number) => call.holding?.grow(length);
  const message = wire.readMessage(call.exchange, { maxBytes: maxRequestBytes, grow });
  const bytes = message instanceof Promise ? await message : message;
  // What arrived compressed, or in the query, is larger than what was counted.
  grow(bytes.length);
  // Decoded and validated in the same turn, so that of many large messages one at a time is in memory in its decoded form.
  const request = decodeMessage(method.input, wire.codec, bytes, jsonTypes, closed);
  pipeline.check(call, method, request);
  if (spec.kind !== "unary") throw new Error(`${route.name} is not unary`);
  const answered = spec.impl(request, call);
  const response = answered instanceof Promise ? await answered : answered;
  if (call.encoded !== undefined) return call.encoded;
  if (call.shared !== undefined) return call.shared.encodedAs(wire.codec);
  return encodeMessage(method.output, wire.codec, response, jsonTypes);
}

function answer(wire: Wire, call: Call, message: EncodedMessage, error: CallResult): CallResult {
  const { exchange, headers, shared } = call;
  const canceled = () => error ?? toConnectError(domainError("REQUEST_CANCELED", {}), call.id);
  try {
    call.completeHeaders();
    const head = { headers, trailers: call.trailers() };
    if (exchange.gone) return canceled();
    if (error !== undefined) wire.fail(exchange, head, error);
    else {
      shared?.addHeadersTo(headers);
      if (shared !== undefined && isKnown(call, shared.etag)) exchange.respond({ status: 304, headers });
      else wire.succeed(exchange, head, message);
    }
    return error;
  } catch (cause) {
    if (exchange.gone) return canceled();
    // A header or trailer that cannot be sent, for example one with a line break in it.
    const failure = toConnectError(cause, call.id);
    wire.fail(exchange, { headers: { "x-request-id": call.id }, trailers: {} }, failure);
    return failure;
  }
}

/** Whether the caller of a GET has the answer already. */
function isKnown({ exchange }: Call, etag: string): boolean {
  return exchange.method === "GET" && matchesEtag(exchange.header("if-none-match"), etag);
}

async function withDeadline<T>(work: Promise<T>, timeoutMs: number, call: Call): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const error = domainError("REQUEST_TIMEOUT", {});
      call.abort(error);
      reject(error);
    }, timeoutMs);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
