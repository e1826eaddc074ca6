/** Violations of single fields of a request, in the words of the contract. */

/** The names of ostiary.error.v1.FieldViolationReason, in its order; test/structure holds the two together. */
export const fieldViolationReasons = [
  "REQUIRED",
  "UNKNOWN_FIELD",
  "NOT_ALLOWED",
  "CONFLICT",
  "TYPE",
  "TOO_SHORT",
  "TOO_LONG",
  "RANGE",
  "FORMAT",
  "PATTERN",
  "NOT_UNIQUE",
  "VALUE",
] as const;

/** Reason of a violation. Permanent. */
export type FieldViolationReason = (typeof fieldViolationReasons)[number];

/** One field that is wrong. */
export interface FieldViolation {
  /** Its path in the JSON form of the request, as field-path.ts writes it: `traits.email`; empty for the request as a whole. */
  readonly field: string;
  /** A sentence for a developer, in English. Never holds the value, which may be a secret. */
  readonly description: string;
  readonly reason: FieldViolationReason;
}

/** The rules of each reason, with commas. Ids of protovalidate stand here without their type: `max_len` for `string.max_len`. */
const rules: Readonly<Record<FieldViolationReason, string>> = {
  REQUIRED:
    "required, import.empty, dependentRequired, dependencies, uuid_empty, email_empty, uri_empty, hostname_empty, address_empty, ip_empty",
  UNKNOWN_FIELD: "additionalProperties, unevaluatedProperties, propertyNames, property_name",
  NOT_ALLOWED: "readOnly, form_field, batch.request_id",
  CONFLICT: "message.oneof, demands_to_step_up, login_challenge_alone",
  TYPE: "type, number",
  TOO_SHORT: "min_len, min_bytes, min_items, min_pairs, minLength, minItems, minProperties, too_short",
  // `items` is broken only by too many items, after `prefixItems`.
  TOO_LONG:
    "max_len, max_bytes, max_items, max_pairs, maxLength, maxItems, maxProperties, items, additionalItems, unevaluatedItems, " +
    "too_long, max_depth, max_values",
  RANGE:
    "gt, gte, lt, lte, gt_lt, gt_lte, gte_lt, gte_lte, gt_lt_exclusive, gt_lte_exclusive, gte_lt_exclusive, gte_lte_exclusive, " +
    "gt_now, lt_now, minimum, maximum, exclusiveMinimum, exclusiveMaximum, number_range",
  FORMAT: "format, uuid, email, uri, hostname, address, ip, forbidden_character",
  PATTERN: "pattern",
  NOT_UNIQUE: "unique, uniqueItems",
  VALUE:
    "defined_only, in, not_in, const, enum, not, anyOf, oneOf, if, contains, multipleOf, false schema, identifier, common, " +
    "too_similar, breached",
};

const reasons: ReadonlyMap<string, FieldViolationReason> = new Map(
  fieldViolationReasons.flatMap((reason) => rules[reason].split(", ").map((rule) => [rule, reason])),
);

/**
 * The reason for a broken rule: an id of protovalidate (`string.max_len`), a keyword of JSON Schema, or a limit of all traits
 * or passwords. Clients get these reasons so that none comes to depend on the words of a library. Undefined for a rule that is
 * not in the table.
 */
export function knownViolationReason(rule: string): FieldViolationReason | undefined {
  return reasons.get(rule) ?? reasons.get(rule.slice(rule.lastIndexOf(".") + 1));
}

/** The reason for a broken rule; VALUE, the most general one, for a rule that is not in the table. */
export function violationReasonOf(rule: string): FieldViolationReason {
  return knownViolationReason(rule) ?? "VALUE";
}
