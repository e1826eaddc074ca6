import { fromJson, toJson } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import type { JsonValue } from "../../../domain/json.ts";

/** A JSON value as google.protobuf.Value. */
export function toValue(value: JsonValue): Value {
  return fromJson(ValueSchema, value);
}

/** A google.protobuf.Value as JSON. */
export function fromValue(value: Value): JsonValue {
  return toJson(ValueSchema, value) as JsonValue;
}
