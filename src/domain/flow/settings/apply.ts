/** Changes of the settings: carried out, or kept until a login that comes first. */
import { domainError } from "../../errors.ts";
import { changeableNow, changeBetween } from "../../identity/merge-patch.ts";
import type { JsonObject } from "../../json.ts";
import type { Authentication, SettingsMethod } from "../../method/method.ts";
import type { Clock } from "../../ports.ts";
import type { AwaitedChange } from "../../user-message/stage-messages.ts";
import type { Challenges } from "../challenge/challenges.ts";
import type { LoginFlows } from "../login/login-flows.ts";
import type { CreatedFlow } from "../shared/flow.ts";
import type { SecondFactors } from "../shared/second-factors.ts";
import type { StepResult, StepRule } from "../shared/table.ts";
import type { ActionSettings } from "./actions.ts";
import { choiceOf, type SettingsAttempt } from "./change.ts";
import type { CredentialSettings } from "./credentials.ts";
import type { AccountDeletion } from "./deletion.ts";
import { deletionStep } from "./deletion-step.ts";
import { filledIn, type ProfileSettings } from "./profile.ts";
import type { SecretSettings } from "./secret.ts";
import type { SettingsChange, SettingsTypes } from "./state.ts";

type Result = Promise<StepResult<SettingsTypes>>;

/** What the table of the settings is made of. */
export interface SettingsTableDependencies {
  readonly methods: readonly SettingsMethod[];
  readonly challenges: Challenges;
  readonly profile: ProfileSettings;
  readonly secret: SecretSettings;
  readonly credentials: CredentialSettings;
  readonly deletion: AccountDeletion;
  readonly actions: ActionSettings;
  readonly secondFactors: SecondFactors;
  readonly logins: LoginFlows;
  readonly clock: Clock;
}

/** What a change asks of the session in which it is made, at once or after it was interrupted. */
export const needsOf: Readonly<Record<SettingsChange["kind"], StepRule<SettingsTypes>["needs"]>> = {
  credential: "fresh login",
  method: "fresh login",
  removal: "fresh login",
  second_factor: "fresh login",
  // Security rule (SR-SETTINGS-1): a session that somebody found open or stole deletes no account (ASVS V7.5.1).
  deletion: "fresh login",
  // Security rule (SR-SETTINGS-1): what somebody signs in or is recovered with changes only after a fresh login (ASVS V7.5.1).
  profile: "fresh login for addresses",
};

/** Carries out a change that was checked, or asks for a fresh login first, and keeps it until then. */
export async function apply(
  deps: SettingsTableDependencies,
  attempt: SettingsAttempt,
  change: SettingsChange,
  shown?: Authentication,
): Result {
  const { identity, isPrivileged } = attempt;
  const isTooOld = needsOf[change.kind] === "fresh login" && !isPrivileged;
  switch (change.kind) {
    case "credential":
      return isTooOld ? loginFirst(deps, attempt, change) : deps.secret.change(attempt, change, shown);
    case "method":
      return isTooOld ? loginFirst(deps, attempt, change) : deps.secret.continue(attempt, change.method);
    case "second_factor":
      return isTooOld ? loginFirst(deps, attempt, change) : deps.credentials.setSecondFactor(attempt, change);
    case "removal":
      return isTooOld ? loginFirst(deps, attempt, change) : deps.credentials.remove(attempt, change);
    case "deletion":
      if (deletionStep(attempt.tenant, identity) !== "deleteAccount") {
        throw domainError("STEP_NOT_OFFERED", { step: "deleteAccount" });
      }
      return isTooOld ? loginFirst(deps, attempt, change) : deps.deletion.request(attempt);
    case "profile":
      return applyProfile(deps, attempt, changeableNow(change.change, identity.traits));
    default: {
      const unreachable: never = change;
      return unreachable;
    }
  }
}

/**
 * Changes traits as they were filled in. If a trait in the patch was changed elsewhere since the form was drawn, nothing is
 * saved: the form shows its new value, with the typed value beside it.
 */
export async function takeProfile(deps: SettingsTableDependencies, attempt: SettingsAttempt): Result {
  const { tenant, identity, traits: patch, traitsEtag } = attempt;
  const conflict =
    traitsEtag === "" ? undefined : deps.profile.conflictOf(tenant, identity, patch, traitsEtag);
  return conflict === undefined
    ? applyProfile(deps, attempt, patch)
    : filledIn(attempt, conflict.rejected, conflict.merged);
}

/** Changes traits by a merge patch of those that the account has now. */
async function applyProfile(
  deps: SettingsTableDependencies,
  attempt: SettingsAttempt,
  patch: JsonObject,
): Result {
  const { tenant, identity, isPrivileged } = attempt;
  const { plan, merged } = deps.profile.plan(tenant, identity, patch);
  if (plan.kind === "rejected") return filledIn(attempt, plan, merged);
  if (plan.isSensitive && !isPrivileged) {
    const change = changeBetween(identity.traits, plan.traits);
    return loginFirst(deps, attempt, { kind: "profile", change });
  }
  return deps.profile.change(attempt, plan);
}

/** Keeps the change, and begins the login that it waits for. */
function loginFirst(
  { logins, secondFactors }: SettingsTableDependencies,
  { caller, tenant, flow, state, identity, credentials, session }: SettingsAttempt,
  interrupted: SettingsChange,
): StepResult<SettingsTypes> {
  const { client, returnTo } = flow;
  const { purpose, clientData } = flow.data;
  const begin = (): Promise<CreatedFlow> => {
    // Those who were recovered show what is missing; the holder of a session proves again who they are.
    if (purpose.kind === "recovery") {
      return logins.createSecondFactor(
        caller,
        { client, returnTo, clientData },
        identity.id,
        purpose.recovery,
      );
    }
    if (session === undefined) throw domainError("SESSION_CREDENTIAL_MISSING", {});
    const stepsUpTo = secondFactors.highestLevel(tenant, credentials);
    return logins.createRefresh(caller, {
      ...{ client, returnTo, clientData, session, stepsUpTo },
      changesAccount: true,
      isFor: kindOf(interrupted),
    });
  };
  const at = choiceOf(state);
  return {
    kind: "login_first",
    moved: { kind: "moved", state: { at, interrupted }, identityId: identity.id },
    begin,
  };
}

/** What a change is, in a word for the login that it waits for. */
function kindOf(change: SettingsChange): AwaitedChange {
  if (change.kind === "credential" && change.credential.kind === "password") return "password";
  return change.kind === "credential" || change.kind === "method" ? "credential" : change.kind;
}
