import type { Secret } from "../secret.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { Credential, NewCredential } from "./identity.ts";

/** A credential of another system, as an operator gives it. */
export type ImportedCredential = ImportedTotp | ImportedPasskey | ImportedOidcAccount;

/** What is known of a credential in the other system. */
interface ImportedFacts {
  /** Its path in the request, for violations: `credentials.passkeys.0`. */
  readonly field: string;
  /** Empty: none. */
  readonly label: string;
  /** Undefined: now. */
  readonly createdAt: Date | undefined;
}

/** The key of an authenticator app. */
export interface ImportedTotp extends ImportedFacts {
  readonly kind: "totp";
  readonly key: { readonly base32: Secret } | { readonly raw: Uint8Array };
  /** 0: not said. */
  readonly digits: number;
  /** Undefined: not said. */
  readonly periodMs: number | undefined;
  readonly algorithm: "sha1" | "other";
}

/** A passkey or security key. */
export interface ImportedPasskey extends ImportedFacts {
  readonly kind: "passkey";
  readonly credentialId: Uint8Array;
  /** COSE_Key (RFC 9052). */
  readonly publicKey: Uint8Array;
  readonly counter: number;
  readonly transports: readonly string[];
  /** Empty: not known. */
  readonly aaguid: string;
  /** Undefined: not known. */
  readonly isBackupEligible: boolean | undefined;
  readonly isBackedUp: boolean;
  readonly isDiscoverable: boolean;
  /** Empty: it shows none. */
  readonly userHandle: Uint8Array;
  readonly isSecondFactor: boolean;
}

/** An account at a provider. */
export interface ImportedOidcAccount extends ImportedFacts {
  readonly kind: "oidc";
  /** The id of the provider. */
  readonly provider: string;
  readonly subject: string;
  /** Empty: that of the provider. */
  readonly issuer: string;
  /** Empty: not known. */
  readonly account: string;
}

/** Makes the credentials that imported ones are stored as. Implemented in method/credential-imports.ts. */
export interface CredentialImporter {
  /**
   * The credentials to store, in their order. `own`: those that the identity has. Throws REQUEST_INVALID, which names the
   * fields.
   */
  read(
    tenant: Tenant,
    imported: readonly ImportedCredential[],
    own: readonly Credential[],
  ): Promise<readonly NewCredential[]>;
  /** Throws CREDENTIALS_TOO_MANY for more credentials of a kind than an identity may have. */
  assertNumber(credentials: readonly Credential[]): void;
}
