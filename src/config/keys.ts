import { type DescField, type DescMessage, getOption, hasOption, ScalarType } from "@bufbuild/protobuf";
import { DurationSchema, StructSchema } from "@bufbuild/protobuf/wkt";
import {
  ConfigSchema,
  default_yaml as defaultYamlOption,
  optional_section as optionalSectionOption,
  path as pathOption,
  SecretSchema,
} from "../../gen/ostiary/config/v1/config_pb.js";

/** A key of the configuration, as its descriptor has it. */
export interface ConfigKey {
  /** `server.public.port` */
  readonly path: string;
  readonly field: DescField;
  /** A section has keys below it; a leaf is read as a whole, also where it is a list or a secret. */
  readonly kind: "section" | "leaf";
  /** `OSTIARY_SERVER_PUBLIC_PORT` */
  readonly variable: string;
  /**
   * Whether the presence of the section means something (`tls`, `smtp`); such a section is left out unless one of its keys is
   * set.
   */
  readonly optional: boolean;
  /** The paths of the earlier sections that exclude it: `….smtp` for `….http`. */
  readonly alternatives: readonly string[];
}

/** The prefix of the variables that set keys. */
export const variablePrefix = "OSTIARY_";

/** The name of the variable that sets the key at a path. */
export function variableOf(path: string): string {
  return variablePrefix + path.replaceAll(".", "_").toUpperCase();
}

/** All keys in the order of the contract, each section before its own keys. */
export const configKeys: readonly ConfigKey[] = keysOf(ConfigSchema, "");

/** Notation of the values of a field. */
export type ValueKind =
  | "text"
  | "path"
  | "number"
  | "boolean"
  | "choice"
  | "duration"
  | "secret"
  | "document"
  | "message";

/** How a value of the field is written; for a list, each of its values. */
export function valueKindOf(field: DescField): ValueKind {
  if (field.fieldKind === "map") throw new Error(`${field.name}: the configuration has no maps`);
  if (field.message !== undefined) return messageKindOf(field.message);
  if (field.enum !== undefined) return "choice";
  switch (field.scalar) {
    case ScalarType.BOOL:
      return "boolean";
    case ScalarType.UINT32:
      return "number";
    case ScalarType.STRING:
      return getOption(field, pathOption) ? "path" : "text";
    default:
      throw new Error(`${field.name}: the configuration has no such type`);
  }
}

/** The default of a field, as it would be written in YAML; undefined if it has none. */
export function defaultOf(field: DescField): string | undefined {
  return hasOption(field, defaultYamlOption) ? getOption(field, defaultYamlOption) : undefined;
}

/** The words for an enum field: `LOG_LEVEL_DEBUG` is written `debug`. Not the unspecified one. */
export function choicesOf(field: DescField): readonly { readonly word: string; readonly name: string }[] {
  if (field.enum === undefined) throw new Error(`${field.name} is no enum`);
  const prefix = field.enum.sharedPrefix ?? "";
  return field.enum.values
    .filter((value) => value.number !== 0)
    .map((value) => ({ name: value.name, word: value.name.slice(prefix.length).toLowerCase() }));
}

function messageKindOf(message: DescMessage): ValueKind {
  switch (message.typeName) {
    case DurationSchema.typeName:
      return "duration";
    case SecretSchema.typeName:
      return "secret";
    case StructSchema.typeName:
      return "document";
    default:
      return "message";
  }
}

function keysOf(message: DescMessage, prefix: string): ConfigKey[] {
  return message.fields.flatMap((field) => {
    const path = prefix === "" ? field.name : `${prefix}.${field.name}`;
    const kind = field.fieldKind === "message" && valueKindOf(field) === "message" ? "section" : "leaf";
    const members = field.oneof?.fields ?? [];
    const key: ConfigKey = {
      path,
      field,
      kind,
      variable: variableOf(path),
      optional: field.oneof !== undefined || getOption(field, optionalSectionOption),
      alternatives: members.slice(0, members.indexOf(field)).map(({ name }) => `${prefix}.${name}`),
    };
    return kind === "section" && field.message ? [key, ...keysOf(field.message, path)] : [key];
  });
}
