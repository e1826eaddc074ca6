/** What follows from a proof in a login. The login itself and what explains it to operators ask here. */
import type { Credential, Identity } from "../../identity/identity.ts";
import type { MethodKind } from "../../kinds.ts";
import type { Authentication } from "../../method/method.ts";
import { propertiesOf } from "../../session/demands.ts";
import type { AuthenticationMethod } from "../../session/session.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { SecondFactors } from "../shared/second-factors.ts";
import { changesAccount, type PendingActions } from "./pending-actions.ts";
import { demandedBy, type LoginPurpose, secondFactorWantedBy } from "./state.ts";

/** What follows from a first proof, and the rule that says so. */
export type FirstProofDecision =
  | {
      readonly kind: "second_factor";
      /** One of these is shown next. */
      readonly methods: readonly MethodKind[];
      readonly because: "second_factor_enrolled" | "policy_required" | "demand" | "required_action";
    }
  /** It is one factor where two are asked for, and the account begins with another proof. */
  | { readonly kind: "refused"; readonly because: "passkey_comes_second" | "sms_comes_second" }
  | { readonly kind: "enough"; readonly because: "two_factors_in_one" | "one_factor_enough" };

interface DecisionDependencies {
  readonly secondFactors: SecondFactors;
  readonly pending: PendingActions;
}

/** Decides what follows from a first proof. */
export function decide(
  { secondFactors, pending }: DecisionDependencies,
  tenant: Tenant,
  given: { readonly authentication: Authentication; readonly by?: MethodKind | undefined },
  owner: { readonly identity: Identity; readonly credentials: readonly Credential[] },
  login: { readonly purpose: LoginPurpose; readonly at: Date },
): FirstProofDecision {
  const { credentials } = owner;
  const asked = secondFactorWantedBy(login.purpose);
  // Security rule (SR-ACTION-3): what changes the account before the session asks for all that the settings ask for.
  const { before } = pending.find(tenant, owner, { ...login, proofs: [given.authentication] });
  const changes = before.some(changesAccount);
  const why = changes && asked !== "demanded" ? secondFactors.reasonToChange(tenant, credentials) : asked;
  const methods = secondFactors.requiredBeside(tenant, given, credentials, why);
  if (methods.length > 0) {
    const isUsual = secondFactors.requiredBeside(tenant, given, credentials).length > 0;
    const unusual = why === asked ? "demand" : "required_action";
    return {
      kind: "second_factor",
      methods,
      because: isUsual ? usualRule(secondFactors, tenant, credentials) : unusual,
    };
  }
  if (secondFactors.comesSecond(tenant, given, owner, why)) {
    const isBySms = given.authentication.sentBy === "sms";
    return { kind: "refused", because: isBySms ? "sms_comes_second" : "passkey_comes_second" };
  }
  const isTwo = given.authentication.assuranceLevel === "aal2";
  return { kind: "enough", because: isTwo ? "two_factors_in_one" : "one_factor_enough" };
}

/**
 * The demand that all proofs of a login do not meet; undefined if they meet all.
 *
 * Security rule (SR-FACTOR-4): a step-up never gives less than what was demanded. The account may have lost its second factor
 * meanwhile.
 */
export function unmetDemand(
  purpose: LoginPurpose,
  proofs: readonly Pick<AuthenticationMethod, "kind" | "purpose" | "assuranceLevel" | "userVerified">[],
): "assuranceLevel" | "methodProperty" | undefined {
  const isLow = proofs.every(({ assuranceLevel }) => assuranceLevel !== "aal2");
  if (stepsUp(purpose) && isLow) return "assuranceLevel";
  const shown = proofs.flatMap(propertiesOf);
  return demandedBy(purpose).some((property) => !shown.includes(property)) ? "methodProperty" : undefined;
}

/** The rule by which logins ask for a second factor that is there. */
function usualRule(
  secondFactors: SecondFactors,
  tenant: Tenant,
  credentials: readonly Credential[],
): "second_factor_enrolled" | "policy_required" {
  return secondFactors.isChosen(tenant, credentials) ? "second_factor_enrolled" : "policy_required";
}

function stepsUp(purpose: LoginPurpose): boolean {
  return purpose.kind === "refresh" && purpose.stepsUpTo === "aal2";
}
