// SPDX-License-Identifier: Apache-2.0
import { type DescMethod, getOption, hasOption, type Message } from "@bufbuild/protobuf";
import { type Demand, FreshnessClass } from "../../../../gen/ostiary/option/v1/demand_pb.js";
import { method as methodOption, type SessionAccess } from "../../../../gen/ostiary/option/v1/option_pb.js";

/** Who may call a method, by the `access` of its option `ostiary.option.v1.method`. */
export type AccessRule =
  | { readonly kind: "anyone" }
  | { readonly kind: "session"; readonly demands: readonly Demand[] }
  /** The method declares nothing that a guard of sessions can check, so nobody may call it. */
  | { readonly kind: "undeclared" };

const undeclared: AccessRule = { kind: "undeclared" };

/**
 * The rule of a method.
 *
 * Security rule (SR-ACCESS-1): default deny. Nobody may call a method without the option, with an empty one, or with one for holders of a flow
 * or of an API key, whom only Ostiary itself can recognise.
 *
 * Security rule (SR-SDK-3): a field that a newer contract adds to a demand, beside it or beside the caller may let fewer people in. So nobody
 * can call a method whose access has a field that this package does not know.
 */
export function accessRuleOf(method: DescMethod): AccessRule {
  if (!hasOption(method, methodOption)) return undeclared;
  const { access } = getOption(method, methodOption);
  if (access === undefined || hasUnknownField(access)) return undeclared;
  switch (access.caller.case) {
    case "anyone":
      return hasUnknownField(access.caller.value) ? undeclared : { kind: "anyone" };
    case "session":
      return sessionRule(access.caller.value);
    default:
      return undeclared;
  }
}

function sessionRule(access: SessionAccess): AccessRule {
  const isKnown = !hasUnknownField(access) && access.demands.every(isKnownDemand);
  return isKnown ? { kind: "session", demands: access.demands } : undeclared;
}

/**
 * Whether a demand is set and known. An enum value that is newer than this package goes to Ostiary, which knows or refuses it.
 */
function isKnownDemand(message: Demand): boolean {
  if (hasUnknownField(message)) return false;
  const { demand } = message;
  switch (demand.case) {
    case "assuranceLevel":
    case "methodProperty":
      return demand.value !== 0;
    case "freshness": {
      const { within } = demand.value;
      const isGiven = within.case === "maxAge" || within.value !== FreshnessClass.UNSPECIFIED;
      return within.case !== undefined && isGiven && !hasUnknownField(demand.value);
    }
    case "verifiedAddress":
    case "noPendingActions":
      return !hasUnknownField(demand.value);
    case undefined:
      return false;
    default:
      return demand satisfies never;
  }
}

function hasUnknownField(message: Message): boolean {
  return (message.$unknown ?? []).length > 0;
}
