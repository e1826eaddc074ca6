/** What operators write into an identity, checked; shared by creating and updating. */
import { domainError, invalid } from "../errors.ts";
import { joinFieldPath, splitFieldPath } from "../field-path.ts";
import { type FieldViolation, violationReasonOf } from "../field-violation.ts";
import { normaliseIdentifier, normaliseIdentifierPrefix } from "../identifier/normalise.ts";
import type { IdentityId } from "../ids.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { isStorableText } from "../storable-text.ts";
import { type OwnsAddress, ownsEverything, ownsProven } from "./address-claims.ts";
import type { CompiledSchema, TraitViolation } from "./compiled-schema.ts";
import type { DerivedTraits, IdentityState, VerifiableAddress } from "./identity.ts";
import type { ImportedCredential } from "./imported-credential.ts";
import { checkJsonLimits, metadataLimits, traitLimits } from "./json-limits.ts";
import { mergePatch } from "./merge-patch.ts";
import type { NewPassword } from "./new-password.ts";
import type { OrderedAction } from "./operator-actions.ts";
import type { IdentityFilter } from "./store.ts";

/** An identity to make. */
export interface NewIdentity {
  /** Empty: the tenant's default. */
  readonly schemaId: string;
  readonly traits: JsonObject;
  readonly password: NewPassword | undefined;
  /** Credentials of another system. Default: none. */
  readonly imported?: readonly ImportedCredential[];
  /** Empty: none. */
  readonly externalId: string;
  readonly publicMetadata: JsonObject;
  readonly adminMetadata: JsonObject;
  /** Addresses among the traits that the caller vouches for. */
  readonly verifiedAddresses: readonly VouchedAddress[];
  /** Whether a username may be an address that is not among those. */
  readonly allowUnverifiedAddressAsUserName: boolean;
  readonly state: IdentityState;
  /** When the identity was made elsewhere; undefined: now. */
  readonly createdAt: Date | undefined;
  readonly requiredActions: readonly OrderedAction[];
}

/** An address that an operator vouches for. */
export interface VouchedAddress {
  /** As a person would type it. */
  readonly value: string;
  /** When it was verified elsewhere. Default: now. */
  readonly verifiedAt?: Date | undefined;
}

/** New traits or metadata. */
export type DocumentChange =
  /** The whole document; members that it does not hold are deleted. */
  | { readonly kind: "whole"; readonly document: JsonObject }
  /** A merge patch (RFC 7396), merged at the moment of the change. */
  | { readonly kind: "patch"; readonly patch: JsonObject };

/** What to change of an identity; undefined stays as it is. */
export interface IdentityChange {
  readonly id: IdentityId;
  /** Empty: the current one is not compared. */
  readonly etag: string;
  /** Another schema; needs traits. */
  readonly schemaId: string | undefined;
  readonly traits: DocumentChange | undefined;
  /** Empty removes it. */
  readonly externalId: string | undefined;
  readonly publicMetadata: DocumentChange | undefined;
  readonly adminMetadata: DocumentChange | undefined;
  /** Whether sessions go on although identifiers or addresses change. */
  readonly keepSessions: boolean;
  /** Whether a username may be an address that is no verified one of the identity. */
  readonly allowUnverifiedAddressAsUserName: boolean;
}

/** Which identities to list; empty and undefined filter nothing. */
export interface IdentityQuery {
  /** As a person would type it. */
  readonly identifierPrefix: string;
  readonly state: IdentityState | undefined;
  readonly schemaId: string;
  /** All of them must match. A path is written like the name of a form node. */
  readonly traits: readonly { readonly path: string; readonly value: JsonValue }[];
}

/** Validates traits and says what they give. Throws TRAITS_INVALID with the fields: `traits.email`. */
export function deriveFrom(schema: CompiledSchema, traits: JsonObject, owns: OwnsAddress): DerivedTraits {
  const validated = schema.validate(traits, owns);
  if (validated.valid) return validated.derived;
  const violations = validated.violations.map((violation) => toFieldViolation("traits", violation));
  throw domainError("TRAITS_INVALID", {}, { violations });
}

/** What a new identity may have as username: the addresses that the caller vouches for, or any address. */
export function ownedByNew(input: NewIdentity): OwnsAddress {
  if (input.allowUnverifiedAddressAsUserName) return ownsEverything;
  return ownsProven(
    input.verifiedAddresses
      .map(({ value }) => normaliseIdentifier(value))
      .flatMap((address) =>
        address.kind === "email" || address.kind === "phone" ? [{ ...address, kind: address.kind }] : [],
      ),
  );
}

/** Throws REQUEST_INVALID for metadata beyond 16 KiB, or that no database can hold. */
export function assertMetadata(
  metadata: Readonly<Record<"publicMetadata" | "adminMetadata", JsonObject | undefined>>,
): void {
  const violations = Object.entries(metadata).flatMap(([field, value]) => {
    const violation = value === undefined ? undefined : checkJsonLimits(value, metadataLimits);
    return violation === undefined ? [] : [toFieldViolation(field, violation)];
  });
  if (violations.length > 0) throw invalid(...violations);
}

/** An external id to store; empty is none. Throws REQUEST_INVALID for one with control characters. */
export function toExternalId(text: string): string | undefined {
  if (text === "") return undefined;
  if (!/[\p{Cc}\p{Cs}]/u.test(text)) return text;
  const description = "must not have control characters";
  throw invalid({ field: "externalId", description, reason: "FORMAT" });
}

/**
 * The verifiable addresses in traits. Those that an operator vouches for (`verified`) are verified. Throws REQUEST_INVALID for
 * a vouched address that the traits do not have, and for a time in the future.
 */
export function vouchedAddresses(
  derived: DerivedTraits,
  verified: readonly VouchedAddress[],
  now: Date,
): readonly VerifiableAddress[] {
  const known = new Set(derived.verifiableAddresses.map((address) => address.value));
  const vouched = new Map<string, Date>();
  const violations: FieldViolation[] = [];
  for (const [index, { value, verifiedAt = now }] of verified.entries()) {
    const field = `verifiedAddresses.${index}`;
    const normalised = normaliseIdentifier(value);
    if (verifiedAt > now) violations.push(inTheFuture(`${field}.verifyTime`));
    if (normalised.kind !== "problem" && known.has(normalised.value)) {
      vouched.set(normalised.value, verifiedAt);
    } else {
      const description = "is not among the verifiable addresses of the traits";
      violations.push({ field: `${field}.value`, description, reason: "VALUE" });
    }
  }
  if (violations.length > 0) throw invalid(...violations);
  return derived.verifiableAddresses.map((address) => ({
    ...address,
    verifiedAt: vouched.get(address.value),
  }));
}

/** When an identity was made. Throws REQUEST_INVALID for a time in the future. */
export function creationTime({ createdAt }: Pick<NewIdentity, "createdAt">, now: Date): Date {
  if (createdAt !== undefined && createdAt > now) throw invalid(inTheFuture("createTime"));
  return createdAt ?? now;
}

function inTheFuture(field: string): FieldViolation {
  return { field, description: "must not be in the future", reason: "RANGE" };
}

/** Throws REQUEST_INVALID for a patch that is larger than the document may be, so that merging it is bounded work. */
export function assertPatches({ traits, publicMetadata, adminMetadata }: IdentityChange): void {
  const patches = [
    { field: "traitsPatch", change: traits, limits: traitLimits },
    { field: "publicMetadataPatch", change: publicMetadata, limits: metadataLimits },
    { field: "adminMetadataPatch", change: adminMetadata, limits: metadataLimits },
  ];
  const violations = patches.flatMap(({ field, change, limits }) => {
    const violation = change?.kind === "patch" ? checkJsonLimits(change.patch, limits) : undefined;
    return violation === undefined ? [] : [toFieldViolation(field, violation)];
  });
  if (violations.length > 0) throw invalid(...violations);
}

/** A document after its change. */
export function changedDocument(before: JsonObject, change: DocumentChange | undefined): JsonObject {
  if (change === undefined) return before;
  return change.kind === "whole" ? change.document : mergePatch(before, change.patch);
}

/** The addresses of new traits; one that was there before, and of the same kind, keeps its verification. */
export function carriedAddresses(
  derived: DerivedTraits,
  before: readonly VerifiableAddress[],
): readonly VerifiableAddress[] {
  return derived.verifiableAddresses.map((address) => ({
    ...address,
    verifiedAt: before.find((old) => old.kind === address.kind && old.value === address.value)?.verifiedAt,
  }));
}

/** What to ask the store for; undefined if nothing can match. Throws REQUEST_INVALID. */
export function toFilter(query: IdentityQuery): IdentityFilter | undefined {
  const prefix = normaliseIdentifierPrefix(query.identifierPrefix);
  if (prefix === undefined || !isStorableText(query.schemaId)) return undefined;
  for (const [index, { value }] of query.traits.entries()) {
    const violation = checkJsonLimits({ value }, metadataLimits);
    if (violation === undefined) continue;
    const { message: description, rule } = violation;
    throw invalid({ field: `traits.${index}.value`, description, reason: violationReasonOf(rule) });
  }
  if (!query.traits.every(({ path }) => isStorableText(path))) return undefined;
  return {
    identifierPrefix: prefix === "" ? undefined : prefix,
    state: query.state,
    schemaId: query.schemaId === "" ? undefined : query.schemaId,
    traits: query.traits.map(({ path, value }) => ({ path: splitFieldPath(path), value })),
  };
}

/** A violation of traits or metadata as one of the request: `traits.email`. */
export function toFieldViolation(field: string, { path, message, rule }: TraitViolation): FieldViolation {
  const below = path.length === 0 ? "" : `.${joinFieldPath(path)}`;
  return { field: `${field}${below}`, description: message, reason: violationReasonOf(rule) };
}
