import { setTimeout as delay } from "node:timers/promises";
import { create, type Message } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { ConnectError, type HandlerContext } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import {
  type HeaderField,
  messageType,
  type RequestedError,
  registry,
  type StreamDefinition,
  type StreamRequest,
  type UnaryDefinition,
  type UnaryRequest,
} from "./schema.ts";

const requestInfoType = messageType("ConformancePayload.RequestInfo");

/** What connectrpc.conformance.v1.ConformanceService asks of a server. `Unimplemented` is left out on purpose. */
export const conformanceImplementation = {
  async unary(request: UnaryRequest, context: HandlerContext) {
    return answerOnce(request.responseDefinition, [request], context);
  },

  async idempotentUnary(request: UnaryRequest, context: HandlerContext) {
    return answerOnce(request.responseDefinition, [request], context);
  },

  async clientStream(requests: AsyncIterable<UnaryRequest>, context: HandlerContext) {
    const received: UnaryRequest[] = [];
    for await (const request of requests) received.push(request);
    return answerOnce(received[0]?.responseDefinition, received, context);
  },

  async *serverStream(request: StreamRequest, context: HandlerContext) {
    yield* answerAll(request.responseDefinition, [request], context);
  },

  async *bidiStream(requests: AsyncIterable<StreamRequest>, context: HandlerContext) {
    let definition: StreamDefinition | undefined;
    let received: StreamRequest[] = [];
    let answered = 0;
    let fullDuplex: boolean | undefined;
    for await (const request of requests) {
      definition = fullDuplex === undefined ? request.responseDefinition : definition;
      fullDuplex ??= request.fullDuplex ?? false;
      received.push(request);
      if (!fullDuplex) continue;
      const data = definition?.responseData[answered];
      if (definition === undefined || data === undefined) break;
      if (answered === 0) setMetadata(definition, context);
      await delay(definition.responseDelayMs);
      const info = answered === 0 ? requestInfo(received, context) : { requests: received.map(pack) };
      yield { payload: { data, requestInfo: info } };
      answered++;
      received = [];
    }
    yield* answerAll(definition, received, context, answered);
  },
};

/** One answer. Headers and trailers go with an error as well. */
async function answerOnce(
  definition: UnaryDefinition | undefined,
  requests: readonly Message[],
  context: HandlerContext,
) {
  if (definition === undefined) return { payload: { requestInfo: requestInfo(requests, context) } };
  setMetadata(definition, context);
  await delay(definition.responseDelayMs);
  const { response } = definition;
  if (response.case === "error") throw new ConformanceError(response.value, requestInfo(requests, context));
  const data = response.case === "responseData" ? response.value : new Uint8Array();
  return { payload: { data, requestInfo: requestInfo(requests, context) } };
}

/** All answers from the `answered`-th on, the first with what was received, and the error after them. */
async function* answerAll(
  definition: StreamDefinition | undefined,
  requests: readonly Message[],
  context: HandlerContext,
  answered = 0,
) {
  if (definition === undefined) return;
  if (answered === 0) setMetadata(definition, context);
  for (const [index, data] of definition.responseData.slice(answered).entries()) {
    await delay(definition.responseDelayMs);
    const first = answered + index === 0;
    yield { payload: first ? { data, requestInfo: requestInfo(requests, context) } : { data } };
  }
  if (definition.error === undefined) return;
  const nothingSent = answered === 0 && definition.responseData.length === 0;
  throw new ConformanceError(definition.error, nothingSent ? requestInfo(requests, context) : undefined);
}

/**
 * An error exactly as a test case asks for it. The server sends only errors that have a reason of ours and takes all
 * others for its own mistakes; this one claims a reason without sending it, because the suite counts the details.
 */
class ConformanceError extends ConnectError {
  constructor({ code, message, details }: RequestedError, info: ReturnType<typeof requestInfo> | undefined) {
    super(message ?? "", code);
    this.details = details.map(({ typeUrl, value }) => ({
      type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
      value,
    }));
    if (info !== undefined) this.details.push({ desc: requestInfoType, value: info });
  }

  override findDetails(type: never): never[] {
    const reason = create(ErrorInfoSchema, { reason: "CONFORMANCE" });
    return (type === ErrorInfoSchema ? [reason] : super.findDetails(type)) as never[];
  }
}

function setMetadata(
  definition: Pick<UnaryDefinition, "responseHeaders" | "responseTrailers">,
  context: HandlerContext,
): void {
  append(definition.responseHeaders, context.responseHeader);
  append(definition.responseTrailers, context.responseTrailer);
}

function append(fields: readonly HeaderField[], headers: Headers): void {
  for (const { name, value } of fields) for (const item of value) headers.append(name, item);
}

function requestInfo(requests: readonly Message[], context: HandlerContext) {
  const { requestHeader, requestMethod, url } = context;
  const timeoutMs = context.timeoutMs();
  const query = [...new URL(url).searchParams].map(([name, value]) => ({ name, value: [value] }));
  return {
    requestHeaders: [...requestHeader].map(([name, value]) => ({ name, value: [value] })),
    requests: requests.map(pack),
    ...(timeoutMs === undefined ? {} : { timeoutMs: BigInt(Math.round(timeoutMs)) }),
    ...(requestMethod === "GET" ? { connectGetInfo: { queryParams: query } } : {}),
  };
}

function pack(message: Message) {
  const type = registry.getMessage(message.$typeName);
  if (type === undefined) throw new Error(`${message.$typeName} is not a message of the suite`);
  return anyPack(type, message);
}
