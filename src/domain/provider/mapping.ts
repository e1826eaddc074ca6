/** What of a provider's claims becomes what of an account, in CEL. */
import type { JsonObject } from "../json.ts";

/** The expressions of a provider, as they are written: maps whose leaves are CEL. */
export interface MappingExpressions {
  readonly traits: JsonObject;
  /** A list of texts. */
  readonly verifiedAddresses: string;
  readonly publicMetadata: JsonObject;
  readonly adminMetadata: JsonObject;
  /** A text. */
  readonly account: string;
}

/** What an account gets from claims. */
export interface MappedClaims {
  readonly traits: JsonObject;
  /** As the provider writes them; not normalised. */
  readonly verifiedAddresses: readonly string[];
  readonly publicMetadata: JsonObject;
  readonly adminMetadata: JsonObject;
  /** What the owner knows the account at the provider by; empty: nothing is known. */
  readonly account: string;
}

/** A mapping that was checked. */
export interface ClaimsMapping {
  readonly expressions: MappingExpressions;
  /** Never throws: what an expression cannot find, or is not of its kind, is left out. */
  apply(claims: JsonObject): MappedClaims;
}
