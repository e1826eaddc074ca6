/** The traits that an invitation fills a form in with: a part of a document, of which a person adds the rest. */
import { domainError } from "../errors.ts";
import { allNodes, nodeName } from "../form/form.ts";
import { traitNodes } from "../form/trait-nodes.ts";
import { ownsProven } from "../identity/address-claims.ts";
import type { CompiledSchema, TraitViolation } from "../identity/compiled-schema.ts";
import { toFieldViolation } from "../identity/identity-input.ts";
import { isObject, type JsonObject, type JsonValue } from "../json.ts";
import type { InvitedAccount } from "./invitation.ts";

/**
 * The traits that the form is filled in with: the given traits, and the address if the schema has a field for it that was not
 * given. Throws TRAITS_INVALID for traits that break the schema and cannot become valid by further traits, and for traits that
 * no form shows, because the person who registers could neither see nor change it. A missing trait is no mistake: the
 * registration validates the whole.
 */
export function invitedTraits(
  schema: CompiledSchema,
  given: JsonObject,
  address: InvitedAccount["address"],
): JsonObject {
  const filledIn = address === undefined ? given : withAddress(schema.fields, given, address);
  // A username may be the address that the invitation proves.
  const validated = schema.validate(filledIn, ownsProven(address === undefined ? [] : [address]));
  const broken = validated.valid ? [] : lasting(validated.violations);
  const said = new Set(broken.map(({ path }) => keyOf(path)));
  const violations = [...broken, ...hidden(schema, given).filter(({ path }) => !said.has(keyOf(path)))];
  if (violations.length > 0) {
    const fields = violations.map((violation) => toFieldViolation("traits", violation));
    throw domainError("TRAITS_INVALID", {}, { violations: fields });
  }
  return filledIn;
}

/** Rules that a document breaks because something is missing from it. */
const incomplete = new Set(["required", "minProperties", "minItems", "contains", "dependentRequired"]);
/** Rules whose parts may be broken without harm: with more in the document another part of them may hold. */
const alternatives = new Set(["anyOf", "oneOf", "if", "not", "dependencies", "dependentSchemas"]);

/** The violations that further traits cannot mend. A violation that may be mended is left out. */
function lasting(violations: readonly TraitViolation[]): readonly TraitViolation[] {
  if (violations.some(({ rule }) => alternatives.has(rule))) return [];
  return violations.filter(({ rule }) => !incomplete.has(rule));
}

/** Traits without a field in the form, except those that only an operator sets. */
function hidden(schema: CompiledSchema, traits: JsonObject): readonly TraitViolation[] {
  const given = new Set(schema.readOnlyIn(traits).map((path) => keyOf(path)));
  const shown = new Set(
    allNodes(traitNodes(schema.fields, traits)).flatMap(({ name, element }) =>
      element.kind === "input" && !element.readOnly ? [name] : [],
    ),
  );
  const toVisit: { value: JsonValue; path: readonly string[] }[] = [{ value: traits, path: [] }];
  const violations: TraitViolation[] = [];
  for (let visit = toVisit.pop(); visit !== undefined; visit = toVisit.pop()) {
    const { value, path } = visit;
    if (given.has(keyOf(path))) continue;
    if (typeof value === "object" && value !== null) {
      for (const [name, inner] of Object.entries(value))
        toVisit.push({ value: inner, path: [...path, name] });
    } else if (!shown.has(nodeName("traits", ...path))) {
      const message = "has no field in the form of a registration, so it cannot be filled in";
      violations.push({ path, rule: "form_field", message, params: {} });
    }
  }
  return violations.slice(0, maxViolations);
}

const maxViolations = 20;

function withAddress(
  fields: CompiledSchema["fields"],
  traits: JsonObject,
  address: NonNullable<InvitedAccount["address"]>,
): JsonObject {
  const field = fields.find((one) => one.kind === "field" && one.addressKind === address.kind);
  return field === undefined ? traits : setIfMissing(traits, field.path, address.value);
}

function setIfMissing(object: JsonObject, [name, ...rest]: readonly string[], value: string): JsonObject {
  if (name === undefined) return object;
  const inner = Object.hasOwn(object, name) ? object[name] : undefined;
  if (rest.length === 0) return inner === undefined ? { ...object, [name]: value } : object;
  if (inner === undefined) return { ...object, [name]: setIfMissing({}, rest, value) };
  return isObject(inner) ? { ...object, [name]: setIfMissing(inner, rest, value) } : object;
}

function keyOf(path: readonly string[]): string {
  return JSON.stringify(path);
}
