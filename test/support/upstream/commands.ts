/** What tests tell the process of the providers, as JSON over its control endpoint. */

/** Claims by their names, and how the account signs in. */
export interface UpstreamAccount {
  readonly subject: string;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly acr?: string;
  readonly amr?: readonly string[];
}

/** A client of a provider. Metadata beside these are those of OpenID Connect Dynamic Client Registration 1.0. */
export interface UpstreamClient {
  readonly clientId: string;
  /** None: a public client, or one that signs. */
  readonly clientSecret?: string;
  readonly redirectUris: readonly string[];
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** A command for one of the providers. */
export type UpstreamCommand =
  | { readonly do: "set_account"; readonly account: UpstreamAccount }
  | { readonly do: "set_client"; readonly client: UpstreamClient }
  /** Answers all with status 503 from now on, or no more. */
  | { readonly do: "set_down"; readonly down: boolean }
  /** Signs by new keys from now on; the old ones are gone. */
  | { readonly do: "rotate_keys" }
  /** Counts the requests by method and path. */
  | { readonly do: "count_requests" }
  /** Has all providers of the process be so far from the machine's time. */
  | { readonly do: "set_time"; readonly offsetMs: number };

/** The names of the providers of the process. */
export type UpstreamName = "first" | "second" | "github";
