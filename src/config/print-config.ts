import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";
import { DurationSchema, durationMs } from "@bufbuild/protobuf/wkt";
import { Document, isMap, isScalar, type Node, type Scalar, type YAMLMap } from "yaml";
import { ConfigSchema } from "../../gen/ostiary/config/v1/config_pb.js";
import { formatDuration } from "./durations.ts";
import { choicesOf, configKeys, valueKindOf } from "./keys.ts";
import type { LoadedConfig } from "./load-config.ts";
import { describeSource } from "./problems.ts";

/**
 * The effective configuration as YAML that can be loaded again. Literal secrets read `[secret]`; references to
 * variables and files are shown. With `sources`, a comment says where each value that is no default came from.
 */
export function printConfig(loaded: LoadedConfig, options: { readonly sources?: boolean } = {}): string {
  const message = loaded.config as unknown as MessageShape<typeof ConfigSchema>;
  const json = toJson(ConfigSchema, message, { useProtoFieldName: true, alwaysEmitImplicit: true });
  const document = new Document(written(json, ConfigSchema), { aliasDuplicateObjects: false });
  if (options.sources && isMap(document.contents)) {
    addSources(document.contents as YAMLMap<Scalar, Node>, "", loaded);
  }
  return document.toString({ lineWidth: 110 });
}

/** The JSON form of a message as people write it: durations, words for enums, secrets as text. */
function written(json: JsonValue, schema: DescMessage): JsonValue {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return json;
  const entries = schema.fields.flatMap((field): [string, JsonValue][] => {
    const value = json[field.name];
    // A choice that an element of a list leaves open has no word.
    const isOpen = typeof value === "string" && value === field.enum?.values[0]?.name;
    if (value === undefined || isOpen) return [];
    return [[field.name, Array.isArray(value) ? value.map((item) => one(item, field)) : one(value, field)]];
  });
  return Object.fromEntries(entries);
}

function one(value: JsonValue, field: DescField): JsonValue {
  switch (valueKindOf(field)) {
    case "duration":
      return formatDuration(durationMs(fromJson(DurationSchema, value)));
    case "choice":
      return choicesOf(field).find(({ name }) => name === value)?.word ?? value;
    case "secret": {
      const literal =
        typeof value === "object" && value !== null && !Array.isArray(value) ? value.literal : undefined;
      return literal ?? value;
    }
    case "message":
      return field.message === undefined ? value : written(value, field.message);
    default:
      return value;
  }
}

function addSources(map: YAMLMap<Scalar, Node>, path: string, loaded: LoadedConfig): void {
  for (const { key, value } of map.items) {
    const keyPath = path === "" ? String(key.value) : `${path}.${key.value}`;
    if (sections.has(keyPath) && isMap(value)) {
      addSources(value as YAMLMap<Scalar, Node>, keyPath, loaded);
      continue;
    }
    const place = describeSource(loaded.sources.get(keyPath) ?? { kind: "default" });
    if (place === undefined) continue;
    if (isScalar(value)) value.comment = ` ${place}`;
    else key.commentBefore = ` ${place}`;
  }
}

const sections = new Set(configKeys.filter(({ kind }) => kind === "section").map(({ path }) => path));
