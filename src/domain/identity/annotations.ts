import type { JsonObject, JsonValue } from "../json.ts";
import { drawingKeys } from "./drawing.ts";
import type { AddressKind, IdentifierKind } from "./identity.ts";
import { SchemaDocumentError } from "./schema-document-error.ts";

/** Purpose of a trait, as its schema has it. */
export interface Annotation {
  /** `any`: decided by the form of the text. Only Kratos' keyword says so, for strings without a format. */
  readonly identifier: IdentifierKind | "any" | undefined;
  readonly verifiable: AddressKind | undefined;
  readonly recovery: AddressKind | undefined;
  readonly displayName: boolean;
}

/** Our own keyword. */
export const annotationKeyword = "ostiary";

/** The keyword of Ory Kratos, so that its schemas work as they are. */
export const kratosKeyword = "ory.sh/kratos";

/** The annotation of a subschema; undefined if it has none. Throws SchemaDocumentError for a broken one. */
export function readAnnotation(schema: JsonObject, pointer: string): Annotation | undefined {
  const own = schema[annotationKeyword];
  const kratos = schema[kratosKeyword];
  // Both may stand side by side while a schema moves over; ours then decides.
  if (own !== undefined) {
    const read = readOwn(own, `${pointer}/${annotationKeyword}`);
    if (read !== undefined || kratos === undefined) return read;
  }
  return kratos === undefined ? undefined : readKratos(kratos, schema, `${pointer}/ory.sh~1kratos`);
}

const identifierKinds: readonly IdentifierKind[] = ["email", "phone", "username"];
const addressKinds: readonly AddressKind[] = ["email", "phone"];

const purposeKeys = ["identifier", "verifiable", "recovery", "display_name"];

/** Undefined if the annotation only says how the trait is drawn. */
function readOwn(value: JsonValue, pointer: string): Annotation | undefined {
  const keys = objectAt(value, pointer);
  const known: readonly string[] = [...purposeKeys, ...drawingKeys];
  const stranger = Object.keys(keys).find((key) => !known.includes(key));
  if (stranger !== undefined) {
    throw new SchemaDocumentError(
      `${pointer} has an unknown key ${JSON.stringify(stranger)}; known are ${known.join(", ")}`,
    );
  }
  if (!purposeKeys.some((key) => Object.hasOwn(keys, key))) return undefined;
  const { identifier, verifiable, recovery, display_name: displayName } = keys;
  if (displayName !== undefined && typeof displayName !== "boolean") {
    throw new SchemaDocumentError(`${pointer}/display_name must be true or false`);
  }
  return {
    identifier: oneOf(identifierKinds, identifier, `${pointer}/identifier`),
    verifiable: oneOf(addressKinds, verifiable, `${pointer}/verifiable`),
    recovery: oneOf(addressKinds, recovery, `${pointer}/recovery`),
    displayName: displayName === true,
  };
}

/** Keys that we have no use for (organizations, for example) are passed over; those that we read must be right. */
function readKratos(value: JsonValue, schema: JsonObject, pointer: string): Annotation | undefined {
  const keys = objectAt(value, pointer);
  const credentials = section(keys, "credentials", pointer);
  const credential = (kind: string) => section(credentials, kind, `${pointer}/credentials`);
  const flag = (kind: string, key: string) => {
    const set = credential(kind)[key];
    if (set === undefined || typeof set === "boolean") return set === true;
    throw new SchemaDocumentError(`${pointer}/credentials/${kind}/${key} must be true or false`);
  };
  const via = (name: string, from: JsonObject) => readVia(from.via, `${pointer}/${name}/via`);

  const verifiable = via("verification", section(keys, "verification", pointer));
  const recovery = via("recovery", section(keys, "recovery", pointer));
  const codeVia = via("credentials/code", credential("code"));
  const identifies = ["password", "code", "webauthn"].some((kind) => flag(kind, "identifier"));
  const displayName = flag("passkey", "display_name") || flag("totp", "account_name");
  const kind = kindOfFormat(schema.format) ?? codeVia ?? verifiable ?? recovery ?? "any";
  return { identifier: identifies ? kind : undefined, verifiable, recovery, displayName };
}

function kindOfFormat(format: JsonValue | undefined): IdentifierKind | undefined {
  switch (format) {
    case "email":
    case "idn-email":
    case "email_loose":
      return "email";
    case "tel":
      return "phone";
    default:
      return undefined;
  }
}

function readVia(value: JsonValue | undefined, pointer: string): AddressKind | undefined {
  switch (value) {
    case undefined:
    case "":
      return undefined;
    case "email":
      return "email";
    case "sms":
    case "phone":
      return "phone";
    default:
      throw new SchemaDocumentError(`${pointer} must be email or sms`);
  }
}

function section(keys: JsonObject, name: string, pointer: string): JsonObject {
  const value = keys[name];
  return value === undefined ? {} : objectAt(value, `${pointer}/${name}`);
}

function objectAt(value: JsonValue, pointer: string): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new SchemaDocumentError(`${pointer} must be an object`);
}

function oneOf<T extends string>(
  known: readonly T[],
  value: JsonValue | undefined,
  pointer: string,
): T | undefined {
  if (value === undefined) return undefined;
  const found = known.find((candidate) => candidate === value);
  if (found === undefined) throw new SchemaDocumentError(`${pointer} must be one of ${known.join(", ")}`);
  return found;
}
