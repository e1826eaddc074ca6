/** Other providers that people sign in with, as the configuration has them once a preset has filled it in. */
import type { JsonObject, JsonValue } from "../json.ts";
import type { Secret } from "../secret.ts";
import type { ClaimsMapping } from "./mapping.ts";

/** How a provider departs from the specifications. A closed list: each is a line in the client. */
export type ProviderQuirk =
  /** The issuer has the account's tenant in the place of `{tenantid}` (Microsoft, several tenants). */
  | "tenant_in_issuer"
  /** The answer comes by POST from another site, and the name of the account beside it (Apple). */
  | "form_post"
  /** The client secret is a JWT that the client key signs, good for a while (Apple). */
  | "signed_secret"
  /** User info is read at a second place for addresses (GitHub's `/user/emails`). */
  | "github_emails";

/** Where a provider's endpoints are known from. */
export type ProviderEndpoints =
  /**
   * By OpenID Connect Discovery 1.0, at the issuer. With the quirk `tenant_in_issuer`, `tenant` stands in the place of
   * `{tenantid}` there: `common`, `organizations`.
   */
  | { readonly kind: "discovery"; readonly tenant?: string }
  /** OAuth 2 without ID tokens: `issuer` stands for the provider, and user info says who it is. */
  | {
      readonly kind: "fixed";
      readonly authorizationUrl: string;
      readonly tokenUrl: string;
      readonly userinfoUrl: string;
      /** The field of user info that never changes for an account: `id`. */
      readonly subjectField: string;
    };

/** How the server proves to a provider who it is. Secrets are read each time: a reload changes them. */
export type ClientAuthentication =
  | { readonly kind: "secret"; readonly secret: () => Secret }
  /** RFC 7523. */
  | { readonly kind: "private_key"; readonly key: () => Secret; readonly keyId: string }
  /** Apple: the secret is a JWT that the key signs. */
  | {
      readonly kind: "signed_secret";
      readonly key: () => Secret;
      readonly keyId: string;
      readonly teamId: string;
    }
  /** A public client: PKCE alone. */
  | { readonly kind: "none" };

/** One provider. */
export interface Provider {
  /** Never changes; part of the callback's path. */
  readonly id: string;
  readonly preset: string;
  /** For people. */
  readonly name: string;
  /** The id of a logo; empty: none. */
  readonly logo: string;
  /** Exactly as ID tokens have it; with the quirk `tenant_in_issuer` a template. */
  readonly issuer: string;
  readonly endpoints: ProviderEndpoints;
  readonly clientId: string;
  readonly authentication: ClientAuthentication;
  readonly scopes: readonly string[];
  /** Whether codes are bound by PKCE, S256. */
  readonly pkce: boolean;
  /** More parameters of the authorisation request, from an allow-list. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly claimsSource: "id_token" | "userinfo";
  readonly quirks: ReadonlySet<ProviderQuirk>;
  readonly mapping: ClaimsMapping;
  readonly updateOnLogin: "never" | "missing" | "always";
  /** In lower case. */
  readonly authoritativeDomains: ReadonlySet<string>;
  readonly aal2: { readonly acr: ReadonlySet<string>; readonly amr: ReadonlySet<string> };
  readonly keepTokens: boolean;
  /** Whether those who sign out here are led on to sign out there. */
  readonly logoutAtProvider: boolean;
  /** Beside `clientId`, as the audience of ID tokens that native apps hand in. */
  readonly nativeClientIds: ReadonlySet<string>;
  readonly timeoutMs: number;
}

/** What a login elsewhere is asked for with. */
export interface ProviderRequest {
  readonly state: string;
  readonly nonce: string;
  /** Random; the provider sees its digest alone (RFC 7636). */
  readonly codeVerifier: string;
  readonly redirectUri: string;
  /** More parameters, which the flow asks for: `max_age`, `acr_values`, `login_hint`. */
  readonly parameters?: Readonly<Record<string, string>>;
}

/** What came back with the browser. */
export interface ProviderCallback {
  /** The parameters, as a query. */
  readonly query: string;
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
  readonly redirectUri: string;
}

/** What a provider says of an account of its own. All of it was checked. */
export interface ProviderAnswer {
  readonly kind: "answered";
  readonly issuer: string;
  /** Unique and never reassigned within the issuer. At most 255 characters. */
  readonly subject: string;
  /** ID token and user info together, as far as they are read; at most 32 KiB as JSON. */
  readonly claims: JsonObject;
  readonly acr: string | undefined;
  readonly amr: readonly string[];
  readonly authTime: Date | undefined;
  /** The provider's own session (`sid`). */
  readonly session: string | undefined;
  readonly tokens: ProviderTokens | undefined;
}

/** The provider's tokens. */
export interface ProviderTokens {
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
  readonly idToken: string | undefined;
  readonly expiresAt: Date | undefined;
  readonly scope: string | undefined;
}

/**
 * Why there is no answer.
 *
 * - `unavailable`: it cannot be reached, answers too late, or with an error of its own.
 * - `denied`: the person or the provider has not agreed (`access_denied`, `login_required`, …).
 * - `invalid`: what came is not what was asked for, or is not signed, meant or written rightly.
 */
export interface ProviderFailure {
  readonly kind: "failed";
  readonly problem: "unavailable" | "denied" | "invalid";
  /** For the log: names no token, code, secret or claim. */
  readonly detail: string;
}

/** A logout that a provider tells of (OpenID Connect Back-Channel Logout 1.0). All of it was checked but `id`, which counts once. */
export interface ProviderLogout {
  readonly kind: "logout";
  readonly issuer: string;
  readonly subject: string | undefined;
  readonly session: string | undefined;
  /** `jti`. */
  readonly id: string;
  readonly expiresAt: Date;
}

/** Talks to providers. Implemented in src/outbound/oidc. Its methods never throw for what a provider does. */
export interface ProviderClient {
  /** Where the browser goes. Undefined parts of the provider are looked up first, from memory where they are known. */
  begin(
    provider: Provider,
    request: ProviderRequest,
  ): Promise<{ readonly kind: "url"; readonly url: string } | ProviderFailure>;
  /** Takes what came back: exchanges the code, checks the ID token, reads user info. */
  finish(provider: Provider, callback: ProviderCallback): Promise<ProviderAnswer | ProviderFailure>;
  /** Checks an ID token that a native app hands in; its nonce is one of these. */
  readIdToken(
    provider: Provider,
    idToken: string,
    nonces: readonly string[],
  ): Promise<ProviderAnswer | ProviderFailure>;
  /** Checks a logout token. */
  readLogoutToken(provider: Provider, token: string): Promise<ProviderLogout | ProviderFailure>;
  /** Where the browser is signed out at the provider; undefined where that is not possible, or the provider is away. */
  logoutUrl(
    provider: Provider,
    request: { readonly idToken: string | undefined; readonly returnTo: string | undefined },
  ): Promise<string | undefined>;
  /**
   * Asks for fresh tokens of an account. `denied`: there are none any more, or what came is of another account. The ID token is left out
   * where it cannot be checked now.
   */
  refresh(
    provider: Provider,
    refreshToken: string,
    account: Pick<ProviderAnswer, "issuer" | "subject">,
  ): Promise<{ readonly kind: "refreshed"; readonly tokens: ProviderTokens } | ProviderFailure>;
  /** Revokes a token (RFC 7009), where the provider can. */
  revoke(provider: Provider, token: string): Promise<void>;
  /** Whether the provider can be used, as far as is known: false from a failed look-up on until one works. */
  isAvailable(provider: Provider): boolean;
}

/** Finds a provider by its id. */
export function providerOf(providers: readonly Provider[], id: JsonValue | undefined): Provider | undefined {
  return providers.find((provider) => provider.id === id);
}
