import {
  create,
  type DescMessage,
  type MessageShape,
  type Registry,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { domainError } from "../../../domain/errors.ts";
import type { Clock } from "../../../domain/ports.ts";
import { matchesEtag } from "../../net/etag.ts";
import type { Exchange } from "../../net/exchange.ts";
import type { Access } from "../access.ts";
import type { AddressLimits } from "../address-limits.ts";
import { admitAddress, admitCall } from "../admit-call.ts";
import { setCall } from "../call.ts";
import { toConnectError } from "../errors.ts";
import { createCall, type Inbound } from "../inbound.ts";
import type { Route } from "../routes.ts";
import type { ValidateRequest } from "../validation.ts";
import { addCookies, UnaryContext } from "./context.ts";
import { type Codec, decodeMessage } from "./decode.ts";
import type { EncodedMessage, Wire } from "./wire.ts";

/** What a unary call is served with. */
export interface UnaryDependencies {
  readonly access: Access;
  readonly addressLimits: AddressLimits;
  readonly validate: ValidateRequest;
  /** What a google.protobuf.Any may hold in JSON. */
  readonly jsonTypes: Registry | undefined;
  readonly clock: Clock;
}

/** How a call ended. */
export interface CallResult {
  /** Undefined: it succeeded. */
  readonly error: ConnectError | undefined;
}

const succeeded: CallResult = { error: undefined };

/**
 * Serves a unary call: limits by address, authenticates, authorizes, reads the request, validates, calls the service, and answers.
 * The order is the same for streams (streaming.ts). Whatever goes wrong is answered; nothing is thrown.
 */
export async function serveUnary(
  dependencies: UnaryDependencies,
  route: Route,
  wire: Wire,
  inbound: Inbound,
): Promise<CallResult> {
  const { exchange, headers } = inbound;
  const setCookies: string[] = [];
  let context: UnaryContext | undefined;
  let result = succeeded;
  let message: EncodedMessage | undefined;
  try {
    const timeoutMs = wire.timeoutMs(exchange);
    context = new UnaryContext(exchange, route.method, wire.protocol, timeoutMs);
    const work = carryOut(dependencies, route, wire, inbound, context, setCookies);
    message = await (timeoutMs === undefined ? work : withDeadline(work, timeoutMs, context));
  } catch (error) {
    result = { error: toConnectError(error, inbound.requestId) };
  }

  try {
    context?.copyHeadersTo(headers);
    if (setCookies.length > 0) addCookies(headers, setCookies);
    const head = { headers, trailers: context?.trailers() ?? {} };
    if (exchange.gone) return { error: result.error ?? canceled(inbound) };
    if (result.error === undefined && message !== undefined) {
      context?.shared?.addHeadersTo(headers);
      if (context?.shared !== undefined && isKnown(exchange, context.shared.etag)) {
        exchange.respond({ status: 304, headers });
      } else wire.succeed(exchange, head, message);
    } else if (result.error !== undefined) wire.fail(exchange, head, result.error);
  } catch (error) {
    if (exchange.gone) return { error: result.error ?? canceled(inbound) };
    // A header or trailer that cannot be sent, for example one with a line break in it.
    result = { error: toConnectError(error, inbound.requestId) };
    wire.fail(
      exchange,
      { headers: { "x-request-id": inbound.requestId }, trailers: {} },
      result.error as ConnectError,
    );
  }
  return result;
}

async function carryOut(
  dependencies: UnaryDependencies,
  route: Route,
  wire: Wire,
  inbound: Inbound,
  context: UnaryContext,
  setCookies: string[],
): Promise<EncodedMessage> {
  const { validate, jsonTypes, clock } = dependencies;
  const { exchange } = inbound;
  // Before the body is read, so that what is refused costs next to nothing, and nobody without credentials makes the server
  // hold or parse what only an operator may send.
  const byAddress = admitAddress(dependencies, inbound, route);
  if (byAddress !== undefined) await byAddress;
  const admission = await admitCall(dependencies, inbound, route, setCookies);
  inbound.caller = admission.caller;
  const bytes = await wire.readMessage(exchange, route.maxRequestBytes);
  setCall(context, createCall(inbound, admission, clock.now(), setCookies));

  // Decoded and validated in the same turn, so that of many large messages one at a time is in memory in its decoded form.
  const request = decodeMessage(route.method.input, wire.codec, bytes, {
    jsonTypes,
    closed: route.closed,
  });
  validate(route.method.input, request);
  if (route.spec.kind !== "unary") throw new Error(`${route.name} is not unary`);
  const response = await route.spec.impl(request, context);
  if (context.shared !== undefined) return context.shared.encodedAs(wire.codec);
  return encode(route.method.output, wire.codec, create(route.method.output, response), jsonTypes);
}

/** Whether the caller of a GET has the answer already. */
function isKnown(exchange: Exchange, etag: string): boolean {
  return exchange.method === "GET" && matchesEtag(exchange.header("if-none-match"), etag);
}

function encode(
  schema: DescMessage,
  codec: Codec,
  message: MessageShape<DescMessage>,
  jsonTypes: Registry | undefined,
): EncodedMessage {
  return codec === "json"
    ? toJsonString(schema, message, { registry: jsonTypes })
    : toBinary(schema, message);
}

async function withDeadline<T>(work: Promise<T>, timeoutMs: number, context: UnaryContext): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const error = domainError("REQUEST_TIMEOUT", {});
      context.abort(error);
      reject(error);
    }, timeoutMs);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

function canceled({ requestId }: Inbound): ConnectError {
  return toConnectError(domainError("REQUEST_CANCELED", {}), requestId);
}
