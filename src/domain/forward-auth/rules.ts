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

/** Rules, in the order in which they are looked at: that is worked out once and not for each request. */
export class ForwardAuthRules {
  /** The rules of each host, those with the longest prefix first. */
  readonly #byHost: ReadonlyMap<HostPattern, readonly ForwardAuthRule[]>;
  /** The longest first, which is the nearest to every host that several stand for. */
  readonly #wildcards: readonly HostPattern[];

  constructor(rules: readonly ForwardAuthRule[]) {
    const longestFirst = rules.toSorted((left, right) => right.pathPrefix.length - left.pathPrefix.length);
    this.#byHost = Map.groupBy(longestFirst, ({ host }) => host);
    this.#wildcards = [...this.#byHost.keys()]
      .filter((host) => host.startsWith("*."))
      .sort((left, right) => right.length - left.length);
  }

  /**
   * The rule of a request: of those for its host the one with the longest prefix. A host of its own name has none of a wildcard's rules.
   *
   * Security rule (SR-FORWARD-1): no rule, no access.
   */
  find({ host, path }: ForwardedTarget): ForwardAuthRule | undefined {
    const rules =
      this.#byHost.get(host) ??
      this.#byHost.get(this.#wildcards.find((pattern) => hostMatches(pattern, host)) ?? "");
    return rules?.find((rule) => coversPath(rule, path));
  }
}

/**
 * Security rule (SR-FORWARD-3): applications differ in whether they tell capitals from small letters. A rule for sessions counts for both, a
 * rule for anyone only for what it says.
 */
function coversPath({ pathPrefix, access }: ForwardAuthRule, path: string): boolean {
  const [prefix, asked] =
    access.kind === "anyone" ? [pathPrefix, path] : [pathPrefix.toLowerCase(), path.toLowerCase()];
  return asked === prefix || asked.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`);
}
