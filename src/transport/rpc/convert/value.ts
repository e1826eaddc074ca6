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
