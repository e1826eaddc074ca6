/** What operators write into an identity, checked; shared by creating and updating. */
import { domainError } from "../errors.ts";
import { joinFieldPath, splitFieldPath } from "../field-path.ts";
import { type FieldViolation, violationReasonOf } from "../field-violation.ts";
import type { IdentityId } from "../ids.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { type OwnsAddress, ownsEverything, ownsProven } from "./address-claims.ts";
import type { CompiledSchema, TraitViolation } from "./compiled-schema.ts";
import type { DerivedTraits, IdentityState, VerifiableAddress } from "./identity.ts";
import { checkJsonLimits, metadataLimits } from "./json-limits.ts";
import type { NewPassword } from "./new-passwords.ts";
import { normaliseIdentifier, normaliseIdentifierPrefix } from "./normalise.ts";
import { isStorableText } from "./storable-text.ts";
import type { IdentityFilter } from "./store.ts";

/** An identity to make. */
export interface NewIdentity {
  /** Empty: the tenant's default. */
  readonly schemaId: string;
  readonly traits: JsonObject;
  readonly password: NewPassword | undefined;
  /** Empty: none. */
  readonly externalId: string;
  readonly publicMetadata: JsonObject;
  readonly adminMetadata: JsonObject;
  /** Addresses among the traits that the caller vouches for. */
  readonly verifiedAddresses: readonly string[];
  /** Whether a user name may be an address that is not among those. */
  readonly allowUnverifiedAddressAsUserName: boolean;
}

/** What to change of an identity; undefined stays as it is. */
export interface IdentityChange {
  readonly id: IdentityId;
  /** Empty: whatever is current. */
  readonly etag: string;
  /** Another schema; needs traits. */
  readonly schemaId: string | undefined;
  readonly traits: JsonObject | undefined;
  /** Empty removes it. */
  readonly externalId: string | undefined;
  readonly publicMetadata: JsonObject | undefined;
  readonly adminMetadata: JsonObject | undefined;
  /** Whether sessions go on although identifiers or addresses change. */
  readonly keepSessions: boolean;
  /** Whether a user name may be an address that is no verified one of the identity. */
  readonly allowUnverifiedAddressAsUserName: boolean;
}

/** Which identities to list; empty and undefined filter nothing. */
export interface IdentityQuery {
  /** As a person would type it. */
  readonly identifierPrefix: string;
  readonly state: IdentityState | undefined;
  readonly schemaId: string;
  /** The path's parts are separated by dots. */
  readonly trait: { readonly path: string; readonly value: JsonValue } | undefined;
}

/** Validates traits and says what they give. Throws TRAITS_INVALID with the fields: `traits.email`. */
export function deriveFrom(schema: CompiledSchema, traits: JsonObject, owns: OwnsAddress): DerivedTraits {
  const validated = schema.validate(traits, owns);
  if (validated.valid) return validated.derived;
  const violations = validated.violations.map((violation) => toFieldViolation("traits", violation));
  throw domainError("TRAITS_INVALID", {}, { violations });
}

/** What a new identity may have as user name: the addresses that the caller vouches for, or any address. */
export function ownedByNew(input: NewIdentity): OwnsAddress {
  if (input.allowUnverifiedAddressAsUserName) return ownsEverything;
  return ownsProven(
    input.verifiedAddresses
      .map(normaliseIdentifier)
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

/** The addresses of traits, those verified that somebody vouches for. Throws REQUEST_INVALID for any other. */
export function vouchedAddresses(
  derived: DerivedTraits,
  verified: readonly string[],
  at: Date,
): readonly VerifiableAddress[] {
  const known = new Set(derived.verifiableAddresses.map((address) => address.value));
  const vouched = new Set<string>();
  const violations: FieldViolation[] = [];
  for (const [index, text] of verified.entries()) {
    const normalised = normaliseIdentifier(text);
    if (normalised.kind !== "problem" && known.has(normalised.value)) vouched.add(normalised.value);
    else {
      const description = "is not among the verifiable addresses of the traits";
      violations.push({ field: `verifiedAddresses.${index}`, description, reason: "VALUE" });
    }
  }
  if (violations.length > 0) throw invalid(...violations);
  return derived.verifiableAddresses.map((address) => ({
    ...address,
    verifiedAt: vouched.has(address.value) ? at : undefined,
  }));
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
  const { trait } = query;
  if (trait !== undefined) {
    const value = checkJsonLimits({ value: trait.value }, metadataLimits);
    if (value !== undefined) {
      throw invalid({
        field: "trait.value",
        description: value.message,
        reason: violationReasonOf(value.rule),
      });
    }
    if (!isStorableText(trait.path)) return undefined;
  }
  return {
    identifierPrefix: prefix === "" ? undefined : prefix,
    state: query.state,
    schemaId: query.schemaId === "" ? undefined : query.schemaId,
    trait: trait === undefined ? undefined : { path: splitFieldPath(trait.path), value: trait.value },
  };
}

/** The error of fields that break a rule which the contract does not state. */
export function invalid(...violations: readonly FieldViolation[]) {
  return domainError("REQUEST_INVALID", {}, { violations });
}

/** A violation of traits or metadata as one of the request: `traits.email`. */
export function toFieldViolation(field: string, { path, message, rule }: TraitViolation): FieldViolation {
  const below = path.length === 0 ? "" : `.${joinFieldPath(path)}`;
  return { field: `${field}${below}`, description: message, reason: violationReasonOf(rule) };
}
