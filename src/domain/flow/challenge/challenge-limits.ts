import { normaliseForLogin } from "../../identifier/normalise.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import type { IdentityId } from "../../ids.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { ThrottleTicket } from "../../throttle/throttle.ts";
import type { FlowRecord } from "../shared/flow.ts";
import type { AttemptOf, KindTypes } from "../shared/table.ts";

/** A step of a flow. */
type Attempt = Pick<AttemptOf<KindTypes>, "caller" | "flow" | "count">;

/** A code or link that is asked for or tried. */
interface Challenged {
  /** Whether what is typed in the flow decides nothing about whose it is. */
  readonly isFixed: boolean;
  readonly target: ContactAddress | undefined;
  readonly sentTo: string;
}

/**
 * Counts a code or link that is asked for. Throws RATE_LIMITED.
 *
 * Security rule (SR-ENUM-10): counted by what was typed, not by where it leads, so that the answer does not tell whether anybody has it
 * (ASVS V6.3.8). Where nothing is typed, the answer shows no more than a mask. By where it leads it is counted as well, in
 * silence: several names of an account lead to one mailbox.
 */
export function countSend({ flow, count }: Attempt, challenged: Challenged): Promise<ThrottleTicket> {
  const { isFixed, target } = challenged;
  const recipient = recipientOf(flow, challenged);
  const isNamed = !(isFixed && flow.identityId) && (flow.kind === "login" || flow.kind === "recovery");
  return count("code_send", {
    purpose: flow.kind,
    recipient,
    identityId: claimant(flow, target),
    holder: holderOf(flow),
    mailbox: isNamed ? (target?.value ?? recipient) : undefined,
    registrationMailbox: flow.kind === "registration" ? recipient : undefined,
  });
}

/**
 * Counts a try of a code or link. Throws RATE_LIMITED.
 *
 * Security rule (SR-LIMIT-2): one of a secret that is alive is not stopped by what others of the client's address do. Wrong codes count for
 * the account, apart from its owner's devices and sessions.
 */
export function countTry(
  { caller, flow, count }: Attempt,
  tried: Challenged & {
    readonly action: "code_check" | "link_check";
    /** The flow that holds the challenge. */
    readonly holder: FlowRecord | undefined;
    readonly now: Date;
  },
): Promise<ThrottleTicket> {
  const { holder, target, now } = tried;
  const isAwaited = holder !== undefined && isAlive(holder, caller.tenant, now);
  return count(isAwaited ? tried.action : "late_check", {
    purpose: flow.kind,
    recipient: recipientOf(flow, tried),
    identityId: claimant(flow, target),
  });
}

/** Whether a flow waits for a secret that can still be used. */
export function isAlive({ state, challenge }: FlowRecord, tenant: Tenant, now: Date): boolean {
  const { maxTries } = tenant.settings.code;
  return (
    state === "active" &&
    challenge !== undefined &&
    challenge.expiresAt > now &&
    challenge.attempts < maxTries
  );
}

/** Whose account a secret is counted for: in settings the owner of the flow, whether or not somebody has the new address. */
function claimant(flow: FlowRecord, target: ContactAddress | undefined): IdentityId | undefined {
  return flow.kind === "settings" ? flow.identityId : target?.identityId;
}

/** Whose account somebody has shown to hold who has a message sent: in settings, and in a login that asks for more before its session. */
function holderOf({ kind, identityId, data: { state } }: FlowRecord): IdentityId | undefined {
  const isHeld = kind === "settings" || (kind === "login" && "proved" in state);
  return isHeld ? identityId : undefined;
}

/** What a message is counted as sent to. */
export function recipientOf(flow: FlowRecord, { isFixed, target, sentTo }: Challenged): string {
  const isMasked = isFixed && flow.identityId !== undefined;
  const named = (isMasked ? target?.value : undefined) ?? sentTo;
  return normaliseForLogin(named) ?? named;
}
