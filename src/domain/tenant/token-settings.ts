import type { JsonObject } from "../json.ts";

/** The settings of signed tokens. */
export interface TokenSettings {
  /** The services that tokens can be for; the first is the usual one. Empty: none are issued. */
  readonly audiences: readonly string[];
  /** The claim `iss`. */
  readonly issuer: string;
  /** How long a token is valid unless its request says something else. */
  readonly lifetimeMs: number;
  readonly algorithm: "ES256" | "EdDSA";
  /** How long a key signs. */
  readonly keyRotationMs: number;
  /** The sets of further claims, by their names. */
  readonly templates: ReadonlyMap<string, TokenTemplate>;
}

/** A set of claims. */
export interface TokenTemplate {
  /** The claims for these facts: the members `session` and `identity`. Never throws. */
  fill(facts: JsonObject): FilledTemplate;
}

/** The claims of a template, or the first that cannot be computed. `reason` is for operators, and has no value of a fact. */
export type FilledTemplate =
  | { readonly kind: "filled"; readonly claims: JsonObject }
  | { readonly kind: "failed"; readonly claim: string; readonly reason: string };
