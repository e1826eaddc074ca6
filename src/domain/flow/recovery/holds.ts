import { isSameBytes } from "../../bytes.ts";
import type { Outbox } from "../../courier/outbox.ts";
import { newEvent } from "../../event/event.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import type { Credential, Identity } from "../../identity/identity.ts";
import { maskAddress } from "../../identity/mask-address.ts";
import { noticeOf, noticesTo, placeOf } from "../../identity/notices.ts";
import { instantOf } from "../../instant.ts";
import type { Clock, Tokens } from "../../ports.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import * as texts from "../../user-message/user-messages.ts";
import type { Challenges, ProvedAddress } from "../challenge/challenges.ts";
import type { FlowRecord } from "../shared/flow.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import type { SecondFactors } from "../shared/second-factors.ts";
import type { FlowStore, HeldRevision } from "../shared/store.ts";
import type { AttemptOf, Moved, NotAccepted } from "../shared/table.ts";
import { typedAt } from "../shared/typed-address.ts";
import type { OnHold, RecoveryTypes, Stopping } from "./state.ts";

interface RecoveryHoldsDependencies {
  readonly engine: FlowEngine;
  readonly flows: Pick<FlowStore, "find" | "findHeldRecovery" | "stopRecoveries">;
  readonly challenges: Challenges;
  readonly secondFactors: SecondFactors;
  readonly tokens: Tokens;
  readonly outbox: Outbox;
  readonly clock: Clock;
}

/** How long after its end a recovery that has waited can be completed, by another proof of the same address. */
const windowMs = 7 * 24 * 3_600_000;

/**
 * Recoveries that wait (`flows.recovery.hold`): of an account that would be recovered by its mailbox alone.
 *
 * What waits is a flow of its own, of the account and the address that was proven, and nobody has its id. So the person needs to keep
 * nothing: once it is over, another proof of the same address counts, in any flow.
 */
export class RecoveryHolds {
  readonly #deps: RecoveryHoldsDependencies;

  constructor(deps: RecoveryHoldsDependencies) {
    this.#deps = deps;
  }

  /**
   * What a proof has to wait for: `free` if for nothing (any more), with the flow that has waited and is used up then.
   *
   * Security rule (SR-HOLD-1): the time counts from the first proof of the address. Neither another proof nor another recovery makes it
   * shorter or longer, and the proof of one address is none of another one.
   */
  async admit(
    attempt: AttemptOf<RecoveryTypes>,
    { target, authentication, held }: ProvedAddress,
    { identity, credentials }: { readonly identity: Identity; readonly credentials: readonly Credential[] },
  ): Promise<{ readonly kind: "free"; readonly waited: readonly HeldRevision[] } | Moved<OnHold>> {
    const { flows, secondFactors, clock } = this.#deps;
    const { tenant, flow, state } = attempt;
    const { holdMs } = tenant.settings.recovery;
    const why = secondFactors.reasonToChange(tenant, credentials);
    const asksMore = secondFactors.requiredBeside(tenant, { authentication }, credentials, why).length > 0;
    // Security rule (SR-HOLD-2): an account without any credential has nobody to be told from the person who reads its mailbox, and one
    // with a second factor is asked for it. An operator who has begun a recovery knows whose account it is.
    const isExempt = asksMore || credentials.length === 0 || flow.data.purpose.operator !== undefined;
    if (holdMs === 0 || isExempt) return { kind: "free", waited: [] };
    const now = clock.now();
    const known = await flows.findHeldRecovery(tenant, target, now);
    const until = known && endOf(known);
    if (known !== undefined && until !== undefined && until <= now) {
      return { kind: "free", waited: [{ digest: known.digest, revision: known.revision }] };
    }
    const typed = typedAt(state) ?? "";
    const waits = (end: Date): OnHold => ({ at: "on_hold", until: end.toISOString(), sentTo: typed });
    const moved = { kind: "moved", identityId: undefined, held } as const;
    if (until !== undefined) return { ...moved, state: waits(until) };
    const end = new Date(now.getTime() + holdMs);
    return { ...moved, state: waits(end), ...this.#begin(attempt, identity, { target, now, end }) };
  }

  /** The flow that waits, and what the owner is told. */
  #begin(
    { caller, tenant, flow }: AttemptOf<RecoveryTypes>,
    identity: Identity,
    { target, now, end }: { readonly target: ContactAddress; readonly now: Date; readonly end: Date },
  ): Pick<Moved<OnHold>, "begins" | "messages" | "events"> {
    const { challenges, outbox, tokens } = this.#deps;
    const masked = maskAddress(target);
    const state: OnHold = { at: "on_hold", until: end.toISOString(), sentTo: masked, target };
    const waiting: FlowRecord = {
      digest: tokens.issue("flow", tenant.name).digest,
      kind: "recovery",
      client: "native",
      state: "active",
      createdAt: now,
      expiresAt: new Date(end.getTime() + windowMs),
      returnTo: undefined,
      browserDigest: undefined,
      identityId: identity.id,
      revision: 0,
      challenge: undefined,
      data: { purpose: {}, state },
    };
    // The link only stops the recovery. Without a page for it, the notice says to sign in.
    const stoppable =
      tenant.settings.uiUrls.recovery === undefined
        ? undefined
        : challenges.handOver(tenant, waiting, {
            sentTo: masked,
            target,
            expiresAt: instantOf(waiting.expiresAt),
          });
    const begins = stoppable && { ...stoppable.flow, data: waiting.data };
    const { device } = placeOf(caller.origin, now);
    const url = stoppable?.link.url.reveal() ?? "";
    const data = { until: end, address_masked: masked, device, url };
    return {
      begins: begins ?? waiting,
      messages: noticesTo(
        outbox,
        identity,
        { template: "recovery_held", data },
        noticeOf(flow, now, caller.origin),
      ),
      events: [
        newEvent("recovery.held", now, caller.origin, {
          identityId: identity.id,
          data: { until: end.toISOString() },
        }),
      ],
    };
  }

  /**
   * Stops the recoveries of the account, for a reader of the notice. Throws FLOW_CHANGED, FLOW_COMPLETED.
   *
   * Security rule (SR-HOLD-4): the link of the notice stops a recovery, and does nothing else.
   */
  async stop(attempt: AttemptOf<RecoveryTypes, Stopping>): Promise<RecoveryTypes["Done"] | NotAccepted> {
    const { flows, engine, outbox, clock } = this.#deps;
    const { caller, tenant, flow, state, identity, count } = attempt;
    await count("link_check", {});
    const waiting = await flows.find(tenant, "recovery", Buffer.from(state.parent, "base64url"));
    const now = clock.now();
    const { state: standing, challenge } = waiting ?? {};
    const isOpen =
      standing === "active" &&
      challenge !== undefined &&
      challenge.expiresAt > now &&
      isSameBytes(challenge.digest, Buffer.from(state.opened, "base64url"));
    if (waiting === undefined || identity === undefined || !isOpen) return isOver(tenant);
    const result = await flows.stopRecoveries(tenant, {
      held: [flow, waiting].map(({ digest, revision }) => ({ digest, revision })),
      identityId: identity.id,
      endsOperators: false,
      at: now,
      messages: noticesTo(
        outbox,
        identity,
        { template: "recovery_stopped", data: {} },
        noticeOf(flow, now, caller.origin),
      ),
      events: [
        newEvent("recovery.stopped", now, caller.origin, { identityId: identity.id, data: { by: "owner" } }),
      ],
    });
    if (result === "flow_taken") {
      // Stopped or completed at the same moment, unless this flow was submitted twice.
      const own = await flows.find(tenant, "recovery", flow.digest);
      if (own?.revision !== flow.revision) throw await engine.taken(tenant, flow);
      return isOver(tenant);
    }
    return { kind: "completed", completed: { settings: undefined, session: undefined } };
  }
}

/** The end of a recovery that waits; undefined if the flow is none. */
export function endOf({ data: { state } }: FlowRecord): Date | undefined {
  const { at, until } = state as Partial<OnHold>;
  return at === "on_hold" && until !== undefined ? new Date(until) : undefined;
}

/** There is nothing to stop any more. Who cannot sign in goes on with a recovery of their own. */
function isOver({ settings }: Tenant): NotAccepted {
  const problems = { fields: [], form: [texts.recoveryIsOver()] };
  const goesTo = settings.recovery.enabled ? { at: "choose_method" } : undefined;
  return { kind: "rejected", reason: "LINK_INVALID", problems, goesTo };
}
