import type { MailReach } from "../courier/mail-reach.ts";
import { splitFieldPath } from "../field-path.ts";
import { isObject, type JsonObject, type JsonValue, valueAt } from "../json.ts";
import { type OwnsAddress, ownsEverything } from "./address-claims.ts";
import type { CompiledSchema, TraitValidation, TraitViolation } from "./compiled-schema.ts";
import type { DerivedTraits } from "./identity.ts";
import { checkJsonLimits, traitLimits } from "./json-limits.ts";
import { isSameJson, mergePatch } from "./merge-patch.ts";
import { namesThatArePhones, withCountryCodes } from "./trait-phones.ts";

interface OwnTraitsRules {
  readonly owns?: OwnsAddress;
  readonly country?: string;
  readonly reach?: Pick<MailReach, "reaches">;
}

/**
 * Traits as their owner wants to change them: a merge patch of what there is, checked as a whole. `merged` is what a form then
 * shows: what there is, where the patch cannot even be read. `country`: the country whose telephone numbers need no country code.
 * They get it here. `reach`: new email addresses that mail cannot reach are refused; what was there before stays.
 */
export function checkChange(
  schema: CompiledSchema,
  traits: JsonObject,
  patch: JsonObject,
  { owns, country = "", reach }: OwnTraitsRules = {},
): TraitValidation & { readonly merged: JsonObject } {
  const typed = mergeTraits(traits, patch);
  if (typed.beyondLimits !== undefined) {
    return { valid: false, violations: [typed.beyondLimits], merged: typed.merged };
  }
  const merged = withCountryCodes(schema.fields, typed.merged, country);
  const violations = [
    ...readOnlyChanges(schema, traits, merged),
    ...(country === "" ? [] : namesThatArePhones(schema.annotatedIn(merged), traits, country)),
  ];
  if (violations.length > 0) return { valid: false, violations, merged };
  const validated = schema.validate(merged, owns);
  const unreached = validated.valid && reach ? unreachedIn(schema, traits, validated.derived, reach) : [];
  return unreached.length > 0 ? { valid: false, violations: unreached, merged } : { ...validated, merged };
}

/** The addresses that mail cannot reach, without those that the traits had before. */
function unreachedIn(
  schema: CompiledSchema,
  before: JsonObject,
  derived: DerivedTraits,
  reach: Pick<MailReach, "reaches">,
): readonly TraitViolation[] {
  const all = [...derived.identifiers, ...derived.verifiableAddresses, ...derived.recoveryAddresses];
  const unreached = all.filter(({ kind, value }) => kind === "email" && !reach.reaches(value));
  if (unreached.length === 0) return [];
  const former = schema.validate(before, ownsEverything);
  const known = new Set(former.valid ? former.derived.identifiers.map(({ value }) => value) : []);
  for (const { value } of former.valid ? former.derived.verifiableAddresses : []) known.add(value);
  for (const { value } of former.valid ? former.derived.recoveryAddresses : []) known.add(value);
  const paths = new Set(unreached.filter(({ value }) => !known.has(value)).map(({ path }) => path));
  const message = "is an email address that the mail server does not take";
  return [...paths].map((path) => ({
    path: splitFieldPath(path),
    rule: "identifier",
    message,
    params: { problem: "email_unreachable" },
  }));
}

/** Traits merged with a patch, unvalidated. Without the patch if it is beyond the limits of traits. */
export function mergeTraits(
  traits: JsonObject,
  patch: JsonObject,
): { readonly merged: JsonObject; readonly beyondLimits: TraitViolation | undefined } {
  // Security rule (SR-TRAIT-3): before it is merged, since merging goes as deep as the patch does. The whole is measured again later.
  const beyondLimits = checkJsonLimits(patch, traitLimits);
  return { merged: beyondLimits === undefined ? mergePatch(traits, patch) : traits, beyondLimits };
}

/**
 * Traits or a patch of them as their owner sees them. Security rule (SR-TRAIT-2): what the schema calls write-only is not shown again once it
 * was sent, wherever it stands.
 */
export function withoutWriteOnly(schema: CompiledSchema, traits: JsonObject): JsonObject {
  const hidden = schema.writeOnlyIn(traits);
  if (hidden.length === 0) return traits;
  return hidden.some((path) => path.length === 0) ? {} : (withoutPlaces(traits, hidden) as JsonObject);
}

/** A value without what is at these places; of an item of a list null is left, so that the others stay where they are. */
function withoutPlaces(value: JsonValue, places: readonly (readonly string[])[]): JsonValue {
  const within = Map.groupBy(places, ([name = ""]) => name);
  const rest = (name: string) => within.get(name)?.map((path) => path.slice(1));
  const shown = (
    inner: JsonValue,
    paths: readonly (readonly string[])[] | undefined,
  ): JsonValue | undefined => {
    if (paths === undefined) return inner;
    return paths.some((path) => path.length === 0) ? undefined : withoutPlaces(inner, paths);
  };
  if (Array.isArray(value)) return value.map((item, index) => shown(item, rest(String(index))) ?? null);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) => {
      const left = shown(inner, rest(name));
      return left === undefined ? [] : [[name, left]];
    }),
  );
}

/** An object without the value at a path. The path never leads into a list. */
export function withoutPath(object: JsonObject, [name = "", ...path]: readonly string[]): JsonObject {
  return Object.fromEntries(
    Object.entries(object).flatMap(([key, value]) => {
      if (key !== name) return [[key, value]];
      return path.length > 0 && isObject(value) ? [[key, withoutPath(value, path)]] : [];
    }),
  );
}

/**
 * Security rule (SR-TRAIT-1): only an operator sets a read-only trait, for example a customer number. Items of lists are told apart by their
 * index, so an item that holds such a value can be neither moved, removed nor added.
 */
function readOnlyChanges(
  schema: CompiledSchema,
  before: JsonObject,
  after: JsonObject,
): readonly TraitViolation[] {
  const places = [...schema.readOnlyIn(before), ...schema.readOnlyIn(after)];
  return [...new Map(places.map((path) => [JSON.stringify(path), path])).values()]
    .filter((path) => !isSameJson(valueAt(before, path) ?? null, valueAt(after, path) ?? null))
    .map((path) => ({ path, rule: "readOnly", message: "is read-only", params: {} }));
}
