import type { Credential } from "../../identity/identity.ts";
import {
  isOfPolicy,
  newRequiredAction,
  pendingActions,
  type RequiredAction,
  type RequiredActionKind,
} from "../../identity/required-actions.ts";
import type { CredentialKind } from "../../kinds.ts";
import { enabledMethods, type LoginCandidate, type SettingsMethod } from "../../method/method.ts";
import type { AuthenticationMethod } from "../../session/session.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { ProfileSettings } from "../settings/profile.ts";
import type { SecondFactors } from "../shared/second-factors.ts";
import { type AwaitedAction, awaited, type LoginPurpose } from "./state.ts";

interface PendingDependencies {
  readonly secondFactors: SecondFactors;
  readonly profile: Pick<ProfileSettings, "plan">;
  readonly methods: readonly SettingsMethod[];
}

/** What a login finds that its account is asked to do. */
interface FoundActions {
  /** The one that comes before the session; undefined if there is none. */
  readonly next: AwaitedAction | undefined;
  /** All that come before the session. */
  readonly before: readonly RequiredAction[];
  /** What the policy asks for from this login on. */
  readonly added: readonly RequiredAction[];
  /** What turns out to be done already. */
  readonly done: readonly RequiredAction[];
}

/** What comes before a session, and in which order. */
export class PendingActions {
  readonly #deps: PendingDependencies;

  constructor(deps: PendingDependencies) {
    this.#deps = deps;
  }

  /**
   * What an account is asked to do before the session of a login that gave these proofs.
   *
   * Security rule (SR-ACTION-1): until what comes before a session is done there is none, whichever flow would give it. What is asked
   * for is read together with the account, at the moment at which the session is written.
   */
  find(
    tenant: Tenant,
    { identity, credentials }: Pick<LoginCandidate, "identity" | "credentials">,
    login: {
      readonly proofs: readonly Pick<AuthenticationMethod, "kind" | "assuranceLevel" | "sentBy">[];
      readonly purpose: LoginPurpose;
      readonly at: Date;
    },
  ): FoundActions {
    const { policy } = tenant.settings.secondFactor;
    const hasTwo =
      login.proofs.length > 1 || login.proofs.some(({ assuranceLevel }) => assuranceLevel === "aal2");
    const isEnrolled = hasTwo || this.#asksMore(tenant, credentials, login.proofs);
    const isMissing = policy === "required" && !isEnrolled && !identity.requiredActions.some(isOfPolicy);
    const added = isMissing
      ? [newRequiredAction(enrolment, { kind: "server", because: "second_factor_policy" }, login.at)]
      : [];
    if (identity.requiredActions.length === 0 && added.length === 0) return nothingToDo;
    const requiredActions = [...identity.requiredActions, ...added];
    const pending = pendingActions({ ...identity, requiredActions }, tenant.settings, login.at);
    const isDone = ({ kind }: RequiredAction) =>
      kind === "enrol_factor"
        ? isEnrolled
        : kind === "complete_traits" && this.#deps.profile.plan(tenant, identity, {}).plan.kind === "planned";
    const done = pending.filter(isDone);
    const isForAll = login.purpose.kind === "refresh" && login.purpose.doesActions === true;
    const before = pending.filter(
      (action) =>
        !done.includes(action) &&
        (isForAll || action.timing === "before_session") &&
        this.#canBeDone(tenant, action),
    );
    const isLast = ({ kind }: RequiredAction) => kind === "enrol_factor";
    // What is set up would have to be shown before the others.
    const wanted = [...before.filter((action) => !isLast(action)), ...before.filter(isLast)];
    const [first] = wanted;
    return { next: first && awaited(first, identity), before: wanted, added, done };
  }

  /**
   * Whether the account has a second factor.
   *
   * Security rule (SR-FACTOR-8): where everybody needs one, a passkey that the login has just used by itself is none, since nothing would
   * be asked for beside it.
   */
  #asksMore(
    tenant: Tenant,
    credentials: readonly Credential[],
    [given]: readonly Pick<AuthenticationMethod, "kind" | "assuranceLevel" | "sentBy">[],
  ): boolean {
    const { secondFactors } = this.#deps;
    if (given === undefined || tenant.settings.secondFactor.policy !== "required") {
      return secondFactors.isEnrolled(tenant, credentials);
    }
    return (
      secondFactors.requiredBeside(tenant, { authentication: given, by: given.kind }, credentials).length > 0
    );
  }

  /** What nobody can do here keeps nobody out. */
  #canBeDone(tenant: Tenant, { kind }: RequiredAction): boolean {
    if (kind === "enrol_factor") return this.enrolling(tenant).length > 0;
    if (kind === "set_password") {
      return enabledMethods(this.#deps.methods, tenant).some((method) => method.kind === "password");
    }
    return kind !== "verify_address" || tenant.settings.verification.enabled;
  }

  /** The methods of which one can be set up as the second factor. */
  enrolling(tenant: Tenant): readonly SettingsMethod[] {
    return enabledMethods(this.#deps.methods, tenant).filter(({ kind }) =>
      this.#deps.secondFactors.canBeSecond(kind, tenant),
    );
  }

  /** Whether a method of this kind is one, where it is switched on. */
  canEnrol(kind: CredentialKind): boolean {
    return this.#deps.secondFactors.canBeSecond(kind);
  }
}

/** Whether an action is what the settings ask a fresh login for. */
export function changesAccount({ kind }: Pick<RequiredAction, "kind">): boolean {
  return changing.has(kind);
}

const changing: ReadonlySet<RequiredActionKind> = new Set([
  "set_password",
  "complete_traits",
  "enrol_factor",
]);
const enrolment = { kind: "enrol_factor", timing: "when_convenient" } as const;
const nothingToDo: FoundActions = { next: undefined, before: [], added: [], done: [] };
