import type { ProviderQuirk } from "./provider.ts";

/** What is known of a provider before an operator has configured it. Data alone: adding one is a file here and a row in the docs. */
export interface ProviderPreset {
  readonly id: string;
  readonly name: string;
  /** The id of its logo, which is that of the preset; empty: none. */
  readonly logo: string;
  /**
   * The issuer; `{domain}` stands for what the operator configures as `domain`. Empty: the operator configures it. Without
   * discovery it stands for the provider in credentials.
   */
  readonly issuer: string;
  /** `domain` where the operator configures none. Undefined: it is needed. Only where `issuer` has it. */
  readonly defaultDomain?: string;
  /** Undefined: by discovery. Empty: the operator configures it. */
  readonly fixed?: {
    readonly authorizationUrl: string;
    readonly tokenUrl: string;
    readonly userinfoUrl: string;
    readonly subjectField: string;
  };
  readonly scopes: readonly string[];
  readonly claimsSource: "id_token" | "userinfo";
  /** `tenant_in_issuer` is for a `domain` of several tenants: with the id of one the issuer is as it stands. */
  readonly quirks: readonly ProviderQuirk[];
  /** CEL over `claims`, for each trait of the built-in schema and the usual names: `email`, `name`, `username`. */
  readonly traits: Readonly<Record<string, string>>;
  /**
   * CEL over `claims`: the addresses that the provider has verified, by its own documentation. Empty: none, ever.
   *
   * Security rule (SR-MAP-4): compared with `== true`, because a provider that writes "false" as a text has verified nothing.
   */
  readonly verifiedAddresses: string;
  /** CEL over `claims`: what its owner knows the account by. */
  readonly account: string;
}
