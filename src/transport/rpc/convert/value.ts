import { fromJson } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import { domainError } from "../../../domain/errors.ts";
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
      return Object.fromEntries(
        Object.entries(kind.value.fields).map(([name, inner]) => [name, fromValue(inner)]),
      );
    case "listValue":
      return kind.value.values.map(fromValue);
    case "nullValue":
    case undefined:
      return null;
    default:
      return kind.value;
  }
}

/** The values of a form by their names. Throws REQUEST_INVALID. */
export function fromValues(values: Readonly<Record<string, Value>>): ReadonlyMap<string, JsonValue> {
  // The decoder assigns names one by one, so that this one makes the value a prototype, and is gone.
  if (Object.getPrototypeOf(values) !== Object.prototype) {
    const violation = { field: "__proto__", description: "is no field of the form", reason: "UNKNOWN_FIELD" };
    throw domainError("REQUEST_INVALID", {}, { violations: [violation] });
  }
  return new Map(Object.entries(values).map(([name, value]) => [name, fromValue(value)]));
}
