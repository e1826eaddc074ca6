import type { Demand } from "../session/demands.ts";
import { type HostPattern, hostMatches } from "../tenant/protected-hosts.ts";
import type { ForwardedTokenAsk } from "./forwarded-tokens.ts";
import type { ForwardedTarget } from "./target.ts";

/** Who may request what lies below a path of a host. */
export interface ForwardAuthRule {
  readonly host: HostPattern;
  /** `/admin` stands for `/admin` and all that follows it after a slash. */
  readonly pathPrefix: string;
  readonly access:
    | { readonly kind: "anyone" }
    | ({ readonly kind: "session"; readonly demands: readonly Demand[] } & ForwardedTokenAsk);
}

/**
 * The rule of a request: of those for its host the one with the longest prefix. A host of its own name has none of a wildcard's rules.
 *
 * Security rule (SR-FORWARD-1): no rule, no access.
 */
export function ruleFor(
  rules: readonly ForwardAuthRule[],
  { host, path }: ForwardedTarget,
): ForwardAuthRule | undefined {
  const patterns = rules.map((rule) => rule.host).filter((pattern) => hostMatches(pattern, host));
  const own = patterns.find((pattern) => pattern === host);
  const nearest = own ?? patterns.toSorted((left, right) => right.length - left.length)[0];
  return rules
    .filter((rule) => rule.host === nearest && coversPath(rule, path))
    .toSorted((left, right) => right.pathPrefix.length - left.pathPrefix.length)[0];
}

/**
 * Security rule (SR-FORWARD-3): applications differ in whether they tell capitals from small letters. A rule that asks for a session counts
 * for both, one that lets everybody in only for what it says.
 */
function coversPath({ pathPrefix, access }: ForwardAuthRule, path: string): boolean {
  const [prefix, asked] =
    access.kind === "anyone" ? [pathPrefix, path] : [pathPrefix.toLowerCase(), path.toLowerCase()];
  return asked === prefix || asked.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`);
}
