import { joinFieldPath } from "../field-path.ts";
import {
  type IdentifierProblem,
  maxIdentifierLength,
  type NormalisedIdentifier,
  normaliseIdentifier,
} from "../identifier/normalise.ts";
import type { JsonObject } from "../json.ts";
import type { AddressClaim, OwnsAddress } from "./address-claims.ts";
import type { Annotation } from "./annotations.ts";
import type { AnnotatedTrait } from "./collect-annotations.ts";
import type { TraitViolation } from "./compiled-schema.ts";
import type { AddressKind, DerivedTraits, Identifier, IdentifierKind, RecoveryAddress } from "./identity.ts";

/** The most identifiers, verifiable addresses and recovery addresses that one identity has of each. */
const maxDerived = 20;

/**
 * What traits give: identifiers, addresses and a display name. What occurs twice counts once, at its first place. Empty
 * text and null give nothing. Violations instead where a value cannot be what its annotation says, or where a username is
 * an address that is not the identity's own.
 */
export function deriveTraits(
  annotated: readonly AnnotatedTrait[],
  owns: OwnsAddress,
): { readonly derived: DerivedTraits } | { readonly violations: readonly TraitViolation[] } {
  const identifiers = new Map<string, Identifier>();
  const verifiable = new Map<string, RecoveryAddress>();
  const recovery = new Map<string, RecoveryAddress>();
  const claims: AddressClaim[] = [];
  // A field for an address or a name has both annotations, one in each branch of an anyOf: there an address is one.
  const addresses = new Set(annotated.filter(isAddress).map(({ path }) => joinFieldPath(path)));
  const violations: TraitViolation[] = [];
  let displayName = "";

  for (const trait of annotated) {
    const { annotation, value, path } = trait;
    if (annotation.displayName && displayName === "" && typeof value === "string") {
      displayName = displayable(value);
    }
    const wanted = [annotation.identifier, annotation.verifiable, annotation.recovery].filter(
      (kind) => kind !== undefined,
    );
    if (wanted.length === 0 || value === null || (typeof value === "string" && value.trim() === "")) continue;
    const isName = isUserName(annotation);
    const read = readIdentifier(trait, isName ? ["any"] : wanted);
    if (read.kind === "violation") {
      violations.push(read.violation);
      continue;
    }
    const { kind, value: normalised } = read.identifier;
    const joined = joinFieldPath(path);
    if (isName && kind !== "username" && !addresses.has(joined)) {
      claims.push({ kind, value: normalised, path });
    }
    if (annotation.identifier !== undefined) {
      keepFirst(identifiers, { kind, value: normalised, path: joined });
    }
    if (annotation.verifiable !== undefined) {
      keepFirst(verifiable, { kind: annotation.verifiable, value: normalised, path: joined });
    }
    if (annotation.recovery !== undefined) {
      keepFirst(recovery, { kind: annotation.recovery, value: normalised, path: joined });
    }
  }

  const most = Math.max(identifiers.size, verifiable.size, recovery.size);
  if (most > maxDerived) {
    const message = `must not hold more than ${maxDerived} identifiers or addresses`;
    violations.push({
      path: [],
      rule: "identifier",
      message,
      params: { problem: "too_many", limit: maxDerived },
    });
  }
  const derived = {
    identifiers: [...identifiers.values()],
    verifiableAddresses: [...verifiable.values()],
    recoveryAddresses: [...recovery.values()],
    displayName,
  };
  const foreign = claims.filter((claim) => !owns(claim, derived));
  violations.push(...foreign.map(({ path, kind }) => claimViolation(path, kind)));
  return violations.length > 0 ? { violations } : { derived };
}

/** Whether a trait is for usernames: an identifier of no kind of address. */
function isUserName({ identifier, verifiable, recovery }: Annotation): boolean {
  const isName = identifier === "username" || identifier === "any";
  return isName && verifiable === undefined && recovery === undefined;
}

/** Whether a trait is for addresses: an identifier of their kind, or one to verify or recover by. */
function isAddress({ annotation: { identifier, verifiable, recovery } }: AnnotatedTrait): boolean {
  return [identifier, verifiable, recovery].some((kind) => kind === "email" || kind === "phone");
}

type Read =
  | { readonly kind: "identifier"; readonly identifier: NormalisedIdentifier }
  | { readonly kind: "violation"; readonly violation: TraitViolation };

function readIdentifier(
  { value, path }: AnnotatedTrait,
  wanted: readonly (IdentifierKind | AddressKind | "any")[],
): Read {
  if (typeof value !== "string") {
    const violation = { path, rule: "type", message: "must be string", params: { type: "string" } };
    return { kind: "violation", violation };
  }
  const identifier = normaliseIdentifier(value);
  const expected = wanted.find((kind) => kind !== "any" && kind !== identifier.kind);
  if (identifier.kind !== "problem" && expected === undefined) return { kind: "identifier", identifier };
  return { kind: "violation", violation: violationOf(value, path, identifier, expected ?? "any") };
}

function tooLong(value: string): JsonObject {
  return { problem: "too_long", limit: maxIdentifierLength, actual: [...value].length };
}

function violationOf(
  value: string,
  path: readonly string[],
  found: NormalisedIdentifier | IdentifierProblem,
  expected: IdentifierKind | "any",
): TraitViolation {
  // The rules that schemas have for the same thing, so that forms say the same.
  if (expected === "email") {
    return { path, rule: "format", message: "must be a valid email address", params: { format: "email" } };
  }
  if (expected === "phone") {
    const message = "must be a valid telephone number with its country code";
    return { path, rule: "format", message, params: { format: "tel" } };
  }
  if (found.kind === "problem") {
    return {
      path,
      rule: "identifier",
      message: sentences[found.problem],
      params: found.problem === "too_long" ? tooLong(value) : { problem: found.problem },
    };
  }
  return claimViolation(path, found.kind === "email" ? "email" : "phone");
}

function claimViolation(path: readonly string[], kind: AddressKind): TraitViolation {
  const address = kind === "email" ? "an email address" : "a telephone number";
  const message = `must not look like ${address}, unless it is a verified one of the same identity`;
  return { path, rule: "identifier", message, params: { problem: `looks_like_${kind}` } };
}

const sentences: Readonly<Record<IdentifierProblem["problem"], string>> = {
  empty: "must not be empty",
  too_long: "must be at most 320 characters long",
  forbidden_character: "must not have control or invisible characters",
  email_invalid: "has an @ but is not a valid email address",
  phone_invalid: "begins like a telephone number but is not a valid one",
};

function keepFirst<T extends { readonly value: string }>(map: Map<string, T>, item: T): void {
  if (!map.has(item.value)) map.set(item.value, item);
}

/** A name as it can be shown and put into a mail header: one line, nothing that turns the text around it. */
function displayable(text: string): string {
  const line = text
    .normalize("NFC")
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ")
    .replace(bidiControls, "")
    .trim();
  return [...line].slice(0, 255).join("").trim();
}

const bidiControls = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
