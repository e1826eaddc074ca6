import type { StepRejected } from "../../form/rejection.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import { resendTooEarly } from "../../user-message/user-messages.ts";
import type { FlowData, FlowRecord, SentBefore } from "./flow.ts";

/** What is sent, and to whom. */
export type Sent = Omit<SentBefore, "at">;

/** What a flow remembers of the messages that it has sent, with one more. What is old enough is forgotten. */
export function withSent(data: FlowData, { settings }: Tenant, sent: Sent, at: Date): FlowData["sent"] {
  const since = at.getTime() - settings.code.resendAfterMs;
  const recent = (data.sent ?? []).filter(
    (each) => new Date(each.at).getTime() > since && !isAlike(each, sent),
  );
  return [...recent, { ...sent, at: at.toISOString() }];
}

/**
 * The refusal of a code or link that follows another one too soon; undefined if it does not.
 *
 * Security rule (SR-CODE-11): `code.resend_after` holds for the whole flow, whichever way leads to the next message: the same button, or
 * the way back and the form again. By what was typed, so that it does not tell which names lead to one mailbox. Another address, and the
 * other kind, can be asked for at once: their numbers are for the throttle.
 */
export function sentTooSoon(
  { data }: Pick<FlowRecord, "data">,
  { settings }: Tenant,
  sent: Sent,
  now: Date,
): StepRejected | undefined {
  const last = data.sent?.find((each) => isAlike(each, sent));
  const isTooSoon =
    last !== undefined && now.getTime() < new Date(last.at).getTime() + settings.code.resendAfterMs;
  return isTooSoon ? resendRefused() : undefined;
}

/** Another code or link was asked for too soon. */
export function resendRefused(): StepRejected {
  return { kind: "rejected", reason: "RESEND_TOO_EARLY", problems: { fields: [], form: [resendTooEarly()] } };
}

function isAlike(one: Sent, other: Sent): boolean {
  return one.kind === other.kind && one.to === other.to;
}
