import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import {
  type SendMessageResultSchema,
  type SentMessage,
  SentMessageSchema,
} from "../../../../gen/ostiary/identity/v1/identity_service_pb.js";
import type { LinkKind, OperatorFlows } from "../../../domain/flow/operator/operator-flows.ts";
import type { OperatorSends, SendOrder, SendResult } from "../../../domain/flow/operator/operator-sends.ts";
import type { IdempotencyRunner } from "../../../domain/idempotency/idempotency.ts";
import type { IdentityId } from "../../../domain/ids.ts";
import { type Call, callOf } from "../call.ts";
import { toCallError } from "../convert/call-error.ts";
import { toTimestamp } from "../convert/common.ts";
import { runOnce } from "./idempotent.ts";

/** What the batches are served with. */
export interface SendDependencies {
  readonly operatorFlows: OperatorFlows;
  readonly operatorSends: OperatorSends;
  readonly idempotency: IdempotencyRunner;
}

/** The request of either batch. */
interface SendRequest {
  readonly requestId: string;
  readonly identityIds: readonly string[];
}

const methods: Readonly<Record<LinkKind, string>> = {
  recovery: "BatchSendRecoveryMessages",
  verification: "BatchSendVerificationMessages",
};

/** Sends links of a kind to a list of identities. */
export async function sendToEach(
  dependencies: SendDependencies,
  flow: LinkKind,
  { requestId, identityIds }: SendRequest,
  context: HandlerContext,
): Promise<{ results: MessageInitShape<typeof SendMessageResultSchema>[] }> {
  const call = callOf(context);
  const batch = { tenant: call.tenant, flow, signal: context.signal };
  const orders = identityIds.map((identityId) => ({ identityId: identityId as IdentityId, requestId }));
  const results = await dependencies.operatorSends.sendEach(batch, orders, (order) =>
    sendOnce(dependencies, call, flow, order),
  );
  return { results: results.map((result) => toResult(result, call.id)) };
}

function sendOnce(
  { operatorFlows, idempotency }: SendDependencies,
  call: Call,
  flow: LinkKind,
  { identityId, requestId }: SendOrder,
): Promise<SentMessage> {
  const { tenant, origin } = call;
  // Security rule (SR-FLOW-12): one key for each identity, so that a repetition sends nobody a second message, in whatever order and
  // calls the ids come this time.
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

function toResult(
  result: SendResult<SentMessage>,
  callId: string,
): MessageInitShape<typeof SendMessageResultSchema> {
  const { identityId } = result;
  return result.kind === "sent"
    ? { identityId, result: { case: "sent", value: result.sent } }
    : { identityId, result: { case: "error", value: toCallError(result.error, callId) } };
}
