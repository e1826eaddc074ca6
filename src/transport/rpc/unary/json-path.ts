import { type DescField, type DescMessage, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { joinFieldPath } from "../../../domain/field-path.ts";
import type { FieldViolation } from "../../../domain/field-violation.ts";

/**
 * Finds out where JSON text that could not be read as a message goes wrong; undefined if it is not even JSON.
 * Runs only once reading has failed, so it can afford to read parts again.
 */
export function locateJsonError(schema: DescMessage, text: string): FieldViolation | undefined {
  let json: JsonValue;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  return locate(schema, json, "") ?? { field: "", description: "has a field twice", reason: "CONFLICT" };
}

function locate(schema: DescMessage, json: JsonValue, path: string): FieldViolation | undefined {
  if (reads(schema, json)) return undefined;
  if (schema.typeName.startsWith("google.protobuf.")) {
    return { field: path, description: `is not a ${schema.typeName} in its JSON form`, reason: "TYPE" };
  }
  if (json === null || typeof json !== "object" || Array.isArray(json)) {
    return { field: path, description: "must be an object", reason: "TYPE" };
  }
  for (const [key, value] of Object.entries(json)) {
    const part = joinFieldPath([key]);
    const at = path === "" ? part : `${path}.${part}`;
    const field = schema.fields.find((candidate) => candidate.jsonName === key || candidate.name === key);
    if (field === undefined) {
      return { field: at, description: `is unknown in ${schema.typeName}`, reason: "UNKNOWN_FIELD" };
    }
    const wrong = locateInField(schema, field, value, key, at);
    if (wrong !== undefined) return wrong;
  }
  return {
    field: path,
    description: "sets a field, or alternatives of one, more than once",
    reason: "CONFLICT",
  };
}

function locateInField(
  schema: DescMessage,
  field: DescField,
  json: JsonValue,
  key: string,
  path: string,
): FieldViolation | undefined {
  if (reads(schema, { [key]: json })) return undefined;
  if (field.fieldKind === "message") return locate(field.message, json, path);
  if (field.fieldKind === "list" && Array.isArray(json)) {
    for (const [index, item] of json.entries()) {
      const at = `${path}.${index}`;
      if (field.listKind === "message") {
        const wrong = locate(field.message, item, at);
        if (wrong !== undefined) return wrong;
      } else if (!reads(schema, { [key]: [item] })) {
        return { field: at, description: expectation(field), reason: "TYPE" };
      }
    }
  }
  return { field: path, description: expectation(field), reason: "TYPE" };
}

/** What a field takes. Never quotes the value: it may be a secret. */
function expectation(field: DescField): string {
  switch (field.fieldKind) {
    case "list":
      return "has a wrong value in its list, or is no list";
    case "map":
      return "is not an object of the right values";
    case "enum": {
      // The zero value means "not set", so it is not among the suggestions.
      const names = field.enum.values.filter(({ number }) => number !== 0).map(({ name }) => name);
      return `must be one of ${names.join(", ")}`.slice(0, 400);
    }
    case "message":
    case "scalar":
      return "has a value of the wrong type";
    default: {
      const unreachable: never = field;
      return unreachable;
    }
  }
}

function reads(schema: DescMessage, json: JsonValue): boolean {
  try {
    fromJson(schema, json);
    return true;
  } catch {
    return false;
  }
}
