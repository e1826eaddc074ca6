import type { SealedMessage } from "../../courier/outbox.ts";
import { domainError } from "../../errors.ts";
import type { StepRejected } from "../../form/rejection.ts";
import { accountName } from "../../identity/account-name.ts";
import type { Credential, Identity } from "../../identity/identity.ts";
import { type NoticePlace, placeOf } from "../../identity/notices.ts";
import type { IdentityStore } from "../../identity/store.ts";
import type {
  MethodMemory,
  SecretChanged,
  SettingsMethod,
  SettingsStep,
  VouchedAccount,
} from "../../method/method.ts";
import type { Clock } from "../../ports.ts";
import { LocalBuckets } from "../../throttle/local-buckets.ts";
import type { Throttle } from "../../throttle/throttle.ts";
import type { CodeMessages } from "./code-messages.ts";
import { askerOf } from "./hash-asker.ts";
import { bindingOf } from "./second-factors.ts";
import type { Sent } from "./sent-before.ts";
import type { AttemptOf, KindTypes } from "./table.ts";

/** A method that has more to ask, with what goes out then, or where the browser goes on. */
interface SecretContinues {
  readonly kind: "continues" | "redirects";
  readonly memory: MethodMemory;
  readonly messages?: readonly SealedMessage[];
  readonly sent?: Sent;
  readonly url?: string;
}

interface SecretStepsDependencies {
  readonly identities: Pick<IdentityStore, "findSecret">;
  readonly codeMessages: CodeMessages;
  readonly throttle: Throttle;
  readonly clock: Clock;
}

/** The steps by which owners set a secret of their own: in settings, after a recovery, and before the session of a login. */
export class SecretSteps {
  readonly #deps: SecretStepsDependencies;
  readonly #hashings = new LocalBuckets();

  constructor(deps: SecretStepsDependencies) {
    this.#deps = deps;
  }

  /**
   * Checks and hashes a new secret. Throws RATE_LIMITED, SERVER_OVERLOADED.
   *
   * Security rule (SR-LIMIT-10): each account has a budget for it (`throttle.account`, in each process, whose own work it guards), counted
   * before anything is hashed. Each `standing` has its own: what a session can do that somebody found open uses up neither the budget of
   * a fresh login nor that of a recovery.
   */
  async take(
    attempt: Pick<AttemptOf<KindTypes>, "caller" | "tenant" | "flow" | "flowId" | "step" | "count">,
    { method, step: rule }: { readonly method: SettingsMethod; readonly step: SettingsStep },
    by: {
      readonly identity: Identity;
      readonly credentials: readonly Credential[];
      readonly memory: MethodMemory | undefined;
      readonly standing: "fresh" | "stale" | "recovered" | "before_session";
      readonly isFresh: boolean;
    },
  ): Promise<StepRejected | SecretChanged | SecretContinues> {
    const { caller, tenant, flow, flowId, step } = attempt;
    const { identity, credentials, memory, standing, isFresh } = by;
    const { codeMessages, identities, throttle, clock } = this.#deps;
    const { enabled, limits } = tenant.settings.throttle;
    const now = clock.now();
    const subject = `${tenant.tenantId} ${identity.id} ${standing}`;
    // A success counts as well: what is limited is the work.
    const waitMs = enabled ? this.#hashings.take(subject, limits.account, now.getTime()) : 0;
    if (waitMs > 0) {
      throw domainError("RATE_LIMITED", { scope: "account" }, { retryAfterMs: Math.ceil(waitMs) });
    }
    const counted = await codeMessages.countSetUp(attempt, rule, { memory, isFresh, identity });
    if (counted?.kind === "rejected") return counted;
    const identifiers = identity.identifiers.map(({ value }) => value);
    const account = { traits: identity.traits, identifiers, name: accountName(identity) };
    const result = await rule.take({
      ...{ tenant, step, account, credentials, binding: bindingOf(flow), memory, isFresh },
      flow: { kind: flow.kind, id: flowId },
      place: placeOf(caller.origin, now),
      asker: askerOf(caller, identity.id),
      // Security rule (SR-LIMIT-5): the answer tells which password the account has, so nobody gets it before a fresh login.
      outdatedSecret:
        isFresh && isComparedWith(identity, method)
          ? await identities.findSecret(tenant, identity.id, method.kind)
          : undefined,
    });
    switch (result.kind) {
      case "rejected":
        return result;
      case "changed":
        if (counted !== undefined) await throttle.release(tenant, counted.ticket);
        return result;
      case "redirects":
        return result;
      case "vouched":
        return linked(result.vouched, placeOf(caller.origin, now));
      case "continues":
        return {
          kind: "continues",
          memory: result.memory,
          ...codeMessages.sentWith(attempt, result, identity),
        };
      default:
        return result satisfies never;
    }
  }
}

/** The link with an account that was vouched for. The owner is told. */
function linked({ credential, authentication }: VouchedAccount, place: NoticePlace): SecretChanged {
  const { kind, label = "" } = credential;
  const notice = { template: "credential_added", data: { kind, label, ...place } } as const;
  return { kind: "changed", credential, notice, authentication, endsOtherSessions: false };
}

/** Whether a new secret is compared with the one that the account has, because it is asked for another one. */
export function isComparedWith(
  { requiredActions }: Identity,
  { kind }: Pick<SettingsMethod, "kind">,
): boolean {
  return kind === "password" && requiredActions.some((action) => action.kind === "set_password");
}
