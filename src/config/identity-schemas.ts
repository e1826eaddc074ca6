import { readFileSync, statSync } from "node:fs";
import type { JsonObject } from "@bufbuild/protobuf";
import { defaultSchemaDocument } from "../domain/identity/default-schema.ts";
import { SchemaDocumentError } from "../domain/identity/schema-document-error.ts";
import { compileConfiguredSchema } from "../domain/identity/schemas.ts";
import type { CompleteConfig } from "./complete-config.ts";
import { describeFileError } from "./files.ts";
import type { Problem } from "./problems.ts";
import { maxYamlBytes, readYaml } from "./yaml.ts";

/** An identity schema as the configuration has it. */
export interface ConfiguredSchema {
  readonly id: string;
  readonly document: JsonObject;
  readonly selfService: boolean;
  /** The key of its file or document. */
  readonly key: string;
  readonly file: string | undefined;
}

/** Problems of the identity schemas of the configuration, and warnings about them. */
export function checkIdentitySchemas(config: CompleteConfig): { problems: Problem[]; warnings: Problem[] } {
  const { schemas, problems } = loadIdentitySchemas(config);
  const warnings: Problem[] = [];
  for (const schema of schemas) {
    const { key, file } = schema;
    const place = file === undefined ? "" : `the file ${file}: `;
    try {
      const name = `identity schema ${JSON.stringify(schema.id)}`;
      for (const warning of compileConfiguredSchema(schema).warnings) {
        warnings.push({ key, message: `${place}${name}: ${warning}` });
      }
    } catch (error) {
      if (!(error instanceof SchemaDocumentError)) throw error;
      problems.push({ key, message: `${place}${error.message}` });
    }
  }
  return { problems, warnings };
}

/**
 * Reads the identity schemas of the configuration, JSON or YAML, and what is wrong with their files. Whether a
 * document is a JSON Schema is for src/domain/identity to say. Empty if none are configured.
 */
export function loadIdentitySchemas(config: CompleteConfig): {
  schemas: ConfiguredSchema[];
  problems: Problem[];
} {
  const schemas: ConfiguredSchema[] = [];
  const problems: Problem[] = [];
  for (const [index, { id, source, selfService }] of config.tenantDefaults.identity.schemas.entries()) {
    const key = `tenant_defaults.identity.schemas[${index}]`;
    if (source.case === "document") {
      schemas.push({ id, document: source.value, selfService, key: `${key}.document`, file: undefined });
    }
    if (source.case !== "file") continue;
    const file = source.value;
    const result = readDocument(file);
    if (typeof result === "string")
      problems.push({ key: `${key}.file`, message: `the file ${file} ${result}` });
    else schemas.push({ id, document: result, selfService, key: `${key}.file`, file });
  }
  return { schemas, problems };
}

/**
 * Says which traits a text can be put into: those of the default schema that are one and that people set themselves. All, where
 * the schema cannot be used, which is a problem of its own.
 */
export function textTraitsOf(config: CompleteConfig): (name: string) => boolean {
  const { schemas } = loadIdentitySchemas(config);
  const { defaultSchema } = config.tenantDefaults.identity;
  const builtIn = { id: "default", document: defaultSchemaDocument };
  const schema = schemas.find(({ id }) => id === defaultSchema) ?? schemas[0] ?? builtIn;
  try {
    const { fields } = compileConfiguredSchema(schema);
    const texts = fields.filter(
      (field) => field.kind === "field" && field.type === "string" && !field.readOnly,
    );
    const names = new Set(texts.map(({ path }) => path.join("/")));
    return (name) => names.has(name);
  } catch (error) {
    if (!(error instanceof SchemaDocumentError)) throw error;
    return () => true;
  }
}

/** The document, or what is wrong with it. JSON is YAML as well. */
function readDocument(path: string): JsonObject | string {
  let text: string;
  try {
    if (statSync(path).size > maxYamlBytes) return `is larger than ${maxYamlBytes} bytes`;
    text = new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    return describeFileError(error);
  }
  const yaml = readYaml(text);
  if (yaml.kind === "wrong")
    return yaml.mistakes.map(({ line, message }) => `line ${line}: ${message}`).join("; ");
  const document: unknown = yaml.contents?.toJSON();
  if (typeof document !== "object" || document === null || Array.isArray(document)) return "must be a map";
  return document as JsonObject;
}
