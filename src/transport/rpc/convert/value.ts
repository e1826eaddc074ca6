import { fromJson } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import type { JsonValue } from "../../../domain/json.ts";

/** A JSON value as google.protobuf.Value. */
export function toValue(value: JsonValue): Value {
  return fromJson(ValueSchema, value);
}

/**
 * A google.protobuf.Value as it stands, null where it holds nothing. Not by toJson, which throws at what the binary
 * form can hold and JSON cannot: NaN and infinity stay numbers, and the rules refuse them by their field.
 */
export function fromValue({ kind }: Value): JsonValue {
  switch (kind.case) {
    case "structValue":
      return Object.fromEntries(entriesOf(kind.value.fields));
    case "listValue":
      return kind.value.values.map(fromValue);
    case "nullValue":
    case undefined:
      return null;
    default:
      return kind.value;
  }
}

/** The values of a form by their names. */
export function fromValues(values: Readonly<Record<string, Value>>): ReadonlyMap<string, JsonValue> {
  return new Map(entriesOf(values));
}

/**
 * Names with their values, also `__proto__`. The decoder assigns names one by one, so this name has become the prototype. It is
 * added again, for the validation to refuse it.
 */
function entriesOf(fields: Readonly<Record<string, Value>>): readonly (readonly [string, JsonValue])[] {
  const entries = Object.entries(fields).map(([name, value]) => [name, fromValue(value)] as const);
  const isPlain = Object.getPrototypeOf(fields) === Object.prototype;
  return isPlain ? entries : [...entries, ["__proto__", null]];
}
