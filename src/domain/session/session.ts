import type { Identity } from "../identity/identity.ts";
import type { CredentialId, IdentityId, SessionId } from "../ids.ts";
import type { Instant, Never } from "../instant.ts";
import type { MethodKind } from "../kinds.ts";

/** The authenticator assurance level of a session (NIST SP 800-63B-4). */
export type AssuranceLevel = "aal1" | "aal2";

/** The purpose of a proof. */
export type AuthenticationPurpose = "sign_in" | "registration" | "recovery";

/** A property that a proof of a session can be asked for. */
export type MethodProperty = "phishing_resistant" | "user_verified";

/** One proof that was given. */
export interface AuthenticationMethod {
  readonly kind: MethodKind;
  readonly purpose: AuthenticationPurpose;
  readonly assuranceLevel: AssuranceLevel;
  /** Whether the authenticator has verified its user. Default: it has not. */
  readonly userVerified?: boolean;
  /** The credential, of a kind that an identity can have several of. */
  readonly credentialId?: CredentialId;
  /** `sms`: what was shown came by text message. Default: it did not. */
  readonly sentBy?: "sms";
  /** The id of the provider that vouched. Default: none did. */
  readonly provider?: string;
  /** What the account at the provider is looked up by. Default: no provider vouched. */
  readonly providerAccount?: string;
  /** The provider's own session. Default: it has told of none. */
  readonly providerSession?: string;
  readonly completedAt: Date;
}

/** The device that a session began on. */
export interface Device {
  readonly ipAddress: string | undefined;
  /** At most 512 characters. */
  readonly userAgent: string | undefined;
}

/** A session as it is stored. */
export interface Session {
  readonly id: SessionId;
  readonly identityId: IdentityId;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly assuranceLevel: AssuranceLevel;
  /** Oldest first; never empty. */
  readonly authenticationMethods: readonly AuthenticationMethod[];
  readonly authenticatedAt: Date;
  readonly expiresAt: Instant;
  /** Kept to about a minute. */
  readonly lastUsedAt: Date;
  readonly revokedAt: Instant | Never;
  readonly device: Device;
}

/** A session to store, with the digest of its token. */
export interface NewSession extends Session {
  readonly tokenDigest: Uint8Array;
}

/** A session and whose it is. */
export interface AuthenticatedSession {
  readonly session: Session;
  readonly identity: Identity;
}
