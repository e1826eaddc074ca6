/** The OAuth2 server that this server signs people in for, as far as logins and logouts go. */
import type { IdentityId, SessionId } from "../ids.ts";
import type { AssuranceLevel } from "../session/session.ts";
import type { Tenant } from "../tenant/tenant.ts";

/** An application at the OAuth2 server. */
export interface OAuth2Client {
  readonly id: string;
  /** For people. Empty: it has none. */
  readonly name: string;
}

/** A login that the OAuth2 server asks for. */
export interface OAuth2LoginRequest {
  readonly kind: "found";
  /** The address at the OAuth2 server that the browser came from. Going there again begins the request again. */
  readonly requestUrl: string;
  readonly client: OAuth2Client;
  /** The account that the OAuth2 server knows in this browser: nobody else can be accepted. Undefined: everybody can. */
  readonly subject: string | undefined;
  /** The values of `prompt` (OpenID Connect Core 1.0, section 3.1.2.1). */
  readonly prompts: readonly string[];
  /** The longest time since the person last showed who they are (`max_age`). Undefined: any. */
  readonly maxAgeMs: number | undefined;
  /** The first of `acr_values` that is a level of this server. Undefined: none is asked for. */
  readonly level: AssuranceLevel | undefined;
  /** What the person is likely to sign in with (`login_hint`). */
  readonly loginHint: string | undefined;
}

/** What the OAuth2 server is told of a login. */
export interface AcceptedLogin {
  readonly subject: IdentityId;
  readonly sessionId: SessionId;
  /** Authentication Context Class Reference. */
  readonly acr: AssuranceLevel;
  /** Authentication Methods References (RFC 8176, section 2, and its registry). */
  readonly amr: readonly string[];
  /** Whether the OAuth2 server keeps the login for later requests of this browser. */
  readonly remember: boolean;
  /** In seconds: for how long it does. */
  readonly rememberFor: number;
}

/** Why a login cannot be given: error codes of OpenID Connect Core 1.0, section 3.1.2.6, and of Unmet Authentication Requirements 1.0. */
export type LoginDenial = "login_required" | "interaction_required" | "unmet_authentication_requirements";

/** A challenge that cannot be answered any more. */
export interface ChallengeGone {
  readonly kind: "gone";
  readonly problem: "unknown" | "used" | "expired";
}

/** No answer in time, or none that can be relied on. The challenge is as it was, as far as is known. */
export interface ServerUnavailable {
  readonly kind: "unavailable";
}

/** Where the browser goes on. It is at the OAuth2 server's own origin. */
export interface GoOnAt {
  readonly kind: "answered";
  readonly url: string;
}

/** The OAuth2 server of a tenant that has one. Implemented in src/outbound/oauth2-server.ts. */
export interface OAuth2Server {
  loginRequest(
    tenant: Tenant,
    challenge: string,
  ): Promise<OAuth2LoginRequest | ChallengeGone | ServerUnavailable>;
  acceptLogin(
    tenant: Tenant,
    challenge: string,
    login: AcceptedLogin,
  ): Promise<GoOnAt | ChallengeGone | ServerUnavailable>;
  rejectLogin(
    tenant: Tenant,
    challenge: string,
    error: LoginDenial,
  ): Promise<GoOnAt | ChallengeGone | ServerUnavailable>;
  /** Whether there is a logout that waits for an answer. */
  logoutRequest(
    tenant: Tenant,
    challenge: string,
  ): Promise<{ readonly kind: "found" } | ChallengeGone | ServerUnavailable>;
  acceptLogout(tenant: Tenant, challenge: string): Promise<GoOnAt | ChallengeGone | ServerUnavailable>;
}
