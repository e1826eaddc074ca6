import { normaliseForLogin } from "../../identifier/normalise.ts";
import type { ProofTarget } from "../../identity/addresses.ts";
import type { IdentityId } from "../../ids.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { Throttle, ThrottleTicket } from "../../throttle/throttle.ts";
import type { FlowCaller, FlowRecord } from "../shared/flow.ts";

/**
 * Counts a code or link that is asked for. Throws RATE_LIMITED.
 *
 * Security rule: counted by what was typed, not by where it leads, so that the answer does not tell whether anybody has it
 * (ASVS V6.3.8). Who need not type it shows no more than a mask. By where it leads it is counted as well, in silence: several
 * names of an account lead to one mailbox.
 */
export function countSend(
  throttle: Throttle,
  caller: FlowCaller,
  flow: FlowRecord,
  { target, sentTo }: { readonly target: ProofTarget | undefined; readonly sentTo: string },
): Promise<ThrottleTicket> {
  const recipient = recipientOf(flow, target, sentTo);
  const isNamed = fixedIdentity(flow) === undefined && (flow.kind === "login" || flow.kind === "recovery");
  return throttle.take(caller.tenant, caller.origin, "code_send", {
    ...shownBy(caller, flow),
    recipient,
    identityId: claimant(flow, target),
    mailbox: isNamed ? (target?.value ?? recipient) : undefined,
    registrationMailbox: flow.kind === "registration" ? recipient : undefined,
  });
}

/**
 * Counts a try of a code or link. Throws RATE_LIMITED.
 *
 * Security rule: one of a secret that is alive is not stopped by what others of the client's address do. Wrong codes count for
 * the account, apart from its owner's devices and sessions.
 */
export function countTry(
  throttle: Throttle,
  caller: FlowCaller,
  attempt: {
    readonly flow: FlowRecord;
    /** The flow that holds the challenge. */
    readonly holder: FlowRecord | undefined;
    readonly target: ProofTarget | undefined;
    readonly now: Date;
  },
): Promise<ThrottleTicket> {
  const { flow, holder, target, now } = attempt;
  const { pending } = flow.data;
  const isAwaited = holder !== undefined && isAlive(holder, caller.tenant, now);
  const action = pending?.kind === "code" ? "code_check" : "link_check";
  return throttle.take(caller.tenant, caller.origin, isAwaited ? action : "late_check", {
    ...shownBy(caller, flow),
    recipient: recipientOf(flow, target, pending?.sentTo ?? ""),
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

/** Whose a flow is whatever is typed in it from now on. */
export function fixedIdentity(flow: FlowRecord): IdentityId | undefined {
  return isFixed(flow) ? flow.identityId : undefined;
}

/** Whether what is typed in a flow from now on decides nothing about whose it is. */
export function isFixed({ kind, data }: FlowRecord): boolean {
  return kind === "settings" || data.refreshes !== undefined || data.choice !== undefined;
}

/** Who proves a new address in settings is who the flow belongs to, whether or not somebody has the address. */
function claimant(flow: FlowRecord, target: ProofTarget | undefined): IdentityId | undefined {
  return flow.kind === "settings" ? flow.identityId : target?.identityId;
}

/** What a message is counted as sent to. */
function recipientOf(flow: FlowRecord, target: ProofTarget | undefined, sentTo: string): string {
  const isMasked = fixedIdentity(flow) !== undefined;
  const named = (isMasked ? target?.value : undefined) ?? sentTo;
  return normaliseForLogin(named) ?? named;
}

/** What the call shows, as what an attempt in this flow is counted by. */
function shownBy(caller: FlowCaller, flow: FlowRecord) {
  return {
    address: caller.limitedAddress,
    flow: flow.digest,
    purpose: flow.kind,
    device: caller.shownDevice(flow.client),
    session: caller.shownSession(flow.client),
  };
}
