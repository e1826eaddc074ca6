import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type ExplainedProofSchema,
  type ExplainLoginPolicyResponseSchema,
  LoginPolicyClient,
  LoginPolicyOutcome,
  LoginPolicyRule,
} from "../../../../gen/ostiary/identity/v1/identity_service_pb.js";
import type { ExplainedProof, LoginExplanation, LoginRule } from "../../../domain/flow/login/explanation.ts";
import type { FlowClient } from "../../../domain/kinds.ts";
import { methodKinds } from "./method.ts";
import { toRequiredAction } from "./required-action.ts";
import { assuranceLevels } from "./session.ts";

const outcomes: Readonly<Record<ExplainedProof["outcome"], LoginPolicyOutcome>> = {
  session: LoginPolicyOutcome.SESSION,
  second_factor: LoginPolicyOutcome.SECOND_FACTOR,
  refused: LoginPolicyOutcome.REFUSED,
};

const rules: Readonly<Record<LoginRule, LoginPolicyRule>> = {
  one_factor_enough: LoginPolicyRule.ONE_FACTOR_ENOUGH,
  two_factors_in_one: LoginPolicyRule.TWO_FACTORS_IN_ONE,
  second_factor_enrolled: LoginPolicyRule.SECOND_FACTOR_ENROLLED,
  policy_required: LoginPolicyRule.POLICY_REQUIRED,
  required_action: LoginPolicyRule.REQUIRED_ACTION,
  demand: LoginPolicyRule.DEMAND,
  passkey_comes_second: LoginPolicyRule.PASSKEY_COMES_SECOND,
  sms_comes_second: LoginPolicyRule.SMS_COMES_SECOND,
  account_inactive: LoginPolicyRule.ACCOUNT_INACTIVE,
  credential_missing: LoginPolicyRule.CREDENTIAL_MISSING,
  address_not_verified: LoginPolicyRule.ADDRESS_NOT_VERIFIED,
  demand_not_met: LoginPolicyRule.DEMAND_NOT_MET,
};

/** The kind of client that signs in. Validation lets no other one through. */
export function fromLoginPolicyClient(client: LoginPolicyClient): FlowClient {
  return client === LoginPolicyClient.BROWSER ? "browser" : "native";
}

/** What a login needs. */
export function toExplanation({
  proofs,
  unmetDemand,
}: LoginExplanation): MessageInitShape<typeof ExplainLoginPolicyResponseSchema> {
  return { proofs: proofs.map(toProof), unmetDemand: unmetDemand ?? "" };
}

function toProof(proof: ExplainedProof): MessageInitShape<typeof ExplainedProofSchema> {
  return { ...common(proof), secondFactors: proof.secondFactors.map(common) };
}

function common({ method, userVerified, outcome, because, assuranceLevel, requiredActions }: ExplainedProof) {
  return {
    method: methodKinds[method],
    userVerified: userVerified ?? false,
    outcome: outcomes[outcome],
    rule: rules[because],
    requiredActions: requiredActions.map(toRequiredAction),
    ...(assuranceLevel && { assuranceLevel: assuranceLevels[assuranceLevel] }),
  };
}
