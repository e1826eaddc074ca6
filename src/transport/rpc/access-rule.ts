import { type DescMethod, type DescService, getOption, hasOption } from "@bufbuild/protobuf";
import { Health } from "../../../gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../../../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionAlpha } from "../../../gen/grpc/reflection/v1alpha/reflection_pb.js";
import {
  method as methodOption,
  RateClass,
  type SessionAccess,
} from "../../../gen/ostiary/option/v1/option_pb.js";
import type { Demand } from "../../domain/session/demands.ts";
import { fromDemand } from "./convert/demand.ts";

/** Who may call a method, as its `access` option says. */
export type AccessRule =
  | { readonly kind: "anyone" | "flow"; readonly withSession: boolean }
  | { readonly kind: "session"; readonly demands: readonly Demand[] }
  | { readonly kind: "api_key"; readonly scope: string }
  /** Says nothing, so nobody may. */
  | { readonly kind: "undeclared" };

/**
 * Services of others that are served without an `access` option. They are named one by one: an unknown service
 * without the option is denied.
 */
export const openForeignServices: readonly DescService[] = [Health, ServerReflection, ServerReflectionAlpha];

/** The rule of a method. Default deny: without the option, or with an empty one, it is `undeclared`. */
export function accessRuleOf(method: DescMethod): AccessRule {
  if (openForeignServices.includes(method.parent)) return { kind: "anyone", withSession: false };
  const caller = accessOf(method)?.caller;
  switch (caller?.case) {
    case "anyone":
    case "flow":
      return { kind: caller.case, withSession: caller.value.withSession };
    case "session":
      return sessionRule(caller.value.demands);
    case "apiKey":
      // An empty scope would be included by no key but one with `*`; it is a mistake, so nobody has it.
      return caller.value.scope === ""
        ? { kind: "undeclared" }
        : { kind: "api_key", scope: caller.value.scope };
    case undefined:
      return { kind: "undeclared" };
    default: {
      const unreachable: never = caller;
      return unreachable;
    }
  }
}

/** Security rule (SR-SESSION-4): nobody can call a method with a demand that is empty or that this server does not know. */
function sessionRule(declared: SessionAccess["demands"]): AccessRule {
  const demands = declared.map(fromDemand).filter((demand) => demand !== undefined);
  return demands.length === declared.length ? { kind: "session", demands } : { kind: "undeclared" };
}

/** The class of limits of a method; health and reflection are checks. */
export function rateClassOf(method: DescMethod): RateClass {
  if (openForeignServices.includes(method.parent)) return RateClass.CHECK;
  return accessOf(method)?.rateClass ?? RateClass.UNSPECIFIED;
}

function accessOf(method: DescMethod) {
  return hasOption(method, methodOption) ? getOption(method, methodOption).access : undefined;
}

/** Whether calls of a method are too frequent to be logged one by one at `info`. */
export function isQuiet(method: DescMethod): boolean {
  return rateClassOf(method) === RateClass.CHECK;
}
