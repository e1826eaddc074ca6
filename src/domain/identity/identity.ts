import { type CredentialId, type IdentityId, newId } from "../ids.ts";
import { type Instant, type Never, never } from "../instant.ts";
import type { JsonObject } from "../json.ts";
import type { CredentialKind } from "../kinds.ts";
import type { RequiredAction } from "./required-actions.ts";

/** Whether an identity can sign in. */
export type IdentityState = "active" | "inactive";

/** How an address is reached. */
export type AddressKind = "email" | "phone";

/** What identifiers come from; decides how they are normalised. */
export type IdentifierKind = "email" | "phone" | "username";

/** Something that an identity signs in with. `value` is normalised and unique within the tenant. */
export interface Identifier {
  readonly kind: IdentifierKind;
  readonly value: string;
  /** The JSON path of the trait that it comes from: `email`, `phones.0`. */
  readonly path: string;
}

/** An address whose ownership can be shown. */
export interface VerifiableAddress {
  readonly kind: AddressKind;
  /** Normalised. */
  readonly value: string;
  /** The path of the trait that the address comes from; empty if it was not recorded yet. */
  readonly path: string;
  readonly verifiedAt: Date | undefined;
}

/** An address that recovery messages may be sent to. */
export interface RecoveryAddress {
  readonly kind: AddressKind;
  /** Normalised. */
  readonly value: string;
  /** As in `VerifiableAddress`. */
  readonly path: string;
}

/** An identity as it is stored. */
export interface Identity {
  readonly id: IdentityId;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Counts changes, from 1. The etag is made from it. */
  readonly revision: number;
  readonly externalId: string | undefined;
  readonly schemaId: string;
  readonly schemaVersion: number;
  readonly state: IdentityState;
  readonly stateChangedAt: Date;
  readonly traits: JsonObject;
  readonly publicMetadata: JsonObject;
  readonly adminMetadata: JsonObject;
  readonly identifiers: readonly Identifier[];
  readonly verifiableAddresses: readonly VerifiableAddress[];
  readonly recoveryAddresses: readonly RecoveryAddress[];
  readonly displayName: string;
  readonly lastLoginAt: Date | undefined;
  /** What it is asked to do, oldest first. `pendingActions` says what of it counts. */
  readonly requiredActions: readonly RequiredAction[];
  /** When it will be deleted, as its owner asked for. Only a settings flow sets it: no create or update writes it. */
  readonly purgeAt: Instant | Never;
}

/** What a new identity is made of: its traits with what they give, and whatever is not as usual. */
export type IdentityParts = Pick<Identity, "traits" | "verifiableAddresses"> &
  Omit<DerivedTraits, "verifiableAddresses"> &
  Partial<Identity>;

/** Makes an identity, active unless its parts say something else. */
export function newIdentity(
  schema: { readonly id: string; readonly version: number },
  at: Date,
  parts: IdentityParts,
): Identity {
  return {
    id: newId<IdentityId>(at),
    createdAt: at,
    updatedAt: at,
    revision: 1,
    externalId: undefined,
    schemaId: schema.id,
    schemaVersion: schema.version,
    state: "active",
    stateChangedAt: at,
    publicMetadata: {},
    adminMetadata: {},
    lastLoginAt: undefined,
    requiredActions: [],
    purgeAt: never,
    ...parts,
  };
}

/** What traits give, once they are validated: stored beside them and searched by. */
export interface DerivedTraits {
  readonly identifiers: readonly Identifier[];
  readonly verifiableAddresses: readonly RecoveryAddress[];
  readonly recoveryAddresses: readonly RecoveryAddress[];
  readonly displayName: string;
}

/** In UTF-16 units. */
export const maxLabelLength = 64;

/** A credential without its secret. */
export interface Credential {
  /** Stays the same when the credential is replaced. */
  readonly id: CredentialId;
  readonly kind: CredentialKind;
  /** What it is looked up by, unique in its kind, where an identity can have several of it; else empty. */
  readonly lookupKey: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** The name that its owner gave it; empty if none. At most `maxLabelLength`. */
  readonly label: string;
  /** Whether a login asks for a second factor because of it. */
  readonly isSecondFactor: boolean;
  /** What may be shown of it, as its method says: of a password the `algorithm` of its hash. */
  readonly facts: JsonObject;
  /** Undefined: never used, or its method records no use. */
  readonly lastUsedAt: Date | undefined;
}

/** The secret part of a credential: a hash, or sealed by its method. And what may be shown of it. */
export interface CredentialSecret {
  readonly secret: string;
  readonly facts: JsonObject;
}

/** A credential with its secret part. */
export interface CredentialWithSecret extends Credential, CredentialSecret {}

/** A credential to store, in the place of the one of the same kind and key. */
export interface NewCredential extends CredentialSecret {
  readonly kind: CredentialKind;
  /** Of one that is new. Default: it gets one as it is stored. */
  readonly id?: CredentialId;
  /** Default: none, because an identity has one of the kind. */
  readonly lookupKey?: string;
  /** Default: none. */
  readonly label?: string;
  /** Default: it is none. */
  readonly isSecondFactor?: boolean;
  /** When it was made in the system that it comes from. Default: now. */
  readonly createdAt?: Date | undefined;
}

/** The credential that a new one takes the place of: the one of the same kind and key. */
export function formerOf(
  credentials: readonly Credential[],
  { kind, lookupKey = "" }: Pick<NewCredential, "kind" | "lookupKey">,
): Credential | undefined {
  return credentials.find((own) => own.kind === kind && own.lookupKey === lookupKey);
}

/** A credential as it is once it is stored. */
export function storedCredential(
  { secret: _secret, ...given }: NewCredential & { readonly id: CredentialId },
  former: Credential | undefined,
  at: Date,
): Credential {
  const usual = { lookupKey: "", label: "", isSecondFactor: false };
  return { ...usual, ...given, createdAt: former?.createdAt ?? at, updatedAt: at, lastUsedAt: undefined };
}
