import { durationMs } from "@bufbuild/protobuf/wkt";
import type { ForwardAuthRuleConfig, ForwardAuthSession } from "../../gen/ostiary/config/v1/config_pb.js";
import type { ForwardAuthRule } from "../domain/forward-auth/rules.ts";
import type { Demand } from "../domain/session/demands.ts";
import type { CompleteConfig } from "./complete-config.ts";

/** The rules of forward auth, as the domain takes them. */
export function forwardAuthRules({ tenantDefaults }: CompleteConfig): readonly ForwardAuthRule[] {
  return tenantDefaults.forwardAuth.rules.map((rule) => ({
    host: rule.host,
    pathPrefix: prefixOf(rule),
    access:
      rule.access.case === "session"
        ? {
            kind: "session",
            demands: demandsOf(rule.access.value),
            audience: audienceOf(rule),
            template: rule.access.value.template,
          }
        : { kind: "anyone" },
  }));
}

/** The prefix of a rule: every path if it names none. */
export function prefixOf({ pathPrefix }: Pick<ForwardAuthRuleConfig, "pathPrefix">): string {
  return pathPrefix === "" ? "/" : pathPrefix;
}

function audienceOf({ host, access }: ForwardAuthRuleConfig): string {
  const named = access.case === "session" ? access.value.audience : "";
  return named === "" ? `https://${host}` : named;
}

function demandsOf(session: ForwardAuthSession): readonly Demand[] {
  const { maxAge } = session;
  const demands: readonly (Demand | false)[] = [
    session.secondFactor && { kind: "assurance_level", level: "aal2" },
    maxAge !== undefined && { kind: "freshness", maxAgeMs: durationMs(maxAge) },
    session.phishingResistant && { kind: "method_property", property: "phishing_resistant" },
    session.verifiedAddress && { kind: "verified_address", addressKind: undefined },
    session.noPendingActions && { kind: "no_pending_actions" },
  ];
  return demands.filter((demand) => demand !== false);
}
