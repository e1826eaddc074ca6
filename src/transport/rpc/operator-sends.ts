import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { RemedySchema } from "../../../gen/ostiary/error/v1/error_detail_pb.js";
import {
  type SendMessageErrorSchema,
  type SentMessage,
  SentMessageSchema,
} from "../../../gen/ostiary/identity/v1/identity_service_pb.js";
import type { DomainError } from "../../domain/errors.ts";
import type { LinkKind, OperatorFlows } from "../../domain/flow/operator-flows.ts";
import type { OperatorSends, SendOrder, SendResult } from "../../domain/flow/operator-sends.ts";
import type { IdempotencyRunner } from "../../domain/idempotency/idempotency.ts";
import type { IdentityId } from "../../domain/ids.ts";
import { type Call, callOf } from "./call.ts";
import { toTimestamp } from "./convert/common.ts";
import { toConnectError } from "./errors.ts";
import { runOnce } from "./idempotent.ts";

/** What the streams are served with. */
export interface SendDependencies {
  readonly operatorFlows: OperatorFlows;
  readonly operatorSends: OperatorSends;
  readonly idempotency: IdempotencyRunner;
}

/** A message of either stream. */
interface SendRequest {
  readonly requestId: string;
  readonly identityIds: readonly string[];
}

/** A result of either stream. */
export interface SendResponse {
  identityId: string;
  result:
    | { case: "sent"; value: SentMessage }
    | { case: "error"; value: MessageInitShape<typeof SendMessageErrorSchema> };
}

const methods: Readonly<Record<LinkKind, string>> = {
  recovery: "SendRecoveryMessages",
  verification: "SendVerificationMessages",
};

/** Serves a stream of identities that links of a kind are sent to. */
export async function* sendToEach(
  dependencies: SendDependencies,
  flow: LinkKind,
  requests: AsyncIterable<SendRequest>,
  context: HandlerContext,
): AsyncGenerator<SendResponse> {
  const call = callOf(context);
  const { signal } = context;
  const stream = { tenant: call.tenant, flow, signal };
  const results = dependencies.operatorSends.sendEach(stream, ordersOf(requests, signal), (order) =>
    sendOnce(dependencies, call, flow, order),
  );
  for await (const result of results) yield toResponse(result, call.requestId);
}

async function* ordersOf(
  requests: AsyncIterable<SendRequest>,
  signal: AbortSignal,
): AsyncGenerator<SendOrder> {
  for await (const { requestId, identityIds } of requests) {
    for (const identityId of identityIds) {
      // A message may hold many: what ends the stream must not wait for the next one.
      signal.throwIfAborted();
      yield { identityId: identityId as IdentityId, requestId };
    }
  }
}

function sendOnce(
  { operatorFlows, idempotency }: SendDependencies,
  call: Call,
  flow: LinkKind,
  { identityId, requestId }: SendOrder,
): Promise<SentMessage> {
  const { tenant, origin } = call;
  // Security rule: one key for each identity, so that a repetition sends nobody a second message, in whatever order and
  // messages the ids come this time.
  const key = requestId === "" ? "" : `${requestId} ${identityId.toLowerCase()}`;
  const once = { method: methods[flow], request: { requestId: key }, response: SentMessageSchema };
  return runOnce(idempotency, call, once, async (scope) => {
    const begin = { tenant, scope, origin };
    const to = { identityId, address: "" };
    const sent = await (flow === "recovery"
      ? operatorFlows.sendRecovery(begin, to)
      : operatorFlows.sendVerification(begin, to));
    return { address: sent.address, expireTime: toTimestamp(sent.expiresAt) };
  });
}

function toResponse(result: SendResult<SentMessage>, requestId: string): SendResponse {
  const { identityId } = result;
  return result.kind === "sent"
    ? { identityId, result: { case: "sent", value: result.sent } }
    : { identityId, result: { case: "error", value: toSendError(result.error, requestId) } };
}

/** The same details as the error of the call for one identity would carry. */
function toSendError(error: DomainError, requestId: string): MessageInitShape<typeof SendMessageErrorSchema> {
  const connectError = toConnectError(error, requestId);
  return {
    message: connectError.rawMessage,
    errorInfo: connectError.findDetails(ErrorInfoSchema)[0],
    remedy: connectError.findDetails(RemedySchema)[0],
  };
}
