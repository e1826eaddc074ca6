import type { DescField, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { isMap, isScalar, isSeq, type Node } from "yaml";
import { ConfigSchema } from "../../gen/ostiary/config/v1/config_pb.js";
import { closest } from "../domain/suggest.ts";
import { configFlags, type FlagValues } from "./flags.ts";
import { insteadOfFormerVariable } from "./former-keys.ts";
import { type ConfigKey, configKeys, defaultOf, valueKindOf, variablePrefix } from "./keys.ts";
import type { Problem, Source, Sources } from "./problems.ts";
import { readNode, readSection, readText } from "./read-value.ts";
import { readYaml } from "./yaml.ts";

/** The values of keys, gathered from one place after the other; a later one wins, leaf by leaf. */
export class Layers {
  readonly sources: Sources = new Map();
  readonly problems: Problem[] = [];
  readonly #leaves = new Map<string, JsonValue>();
  readonly #sections = new Set<string>();

  /** The defaults of the contract. Relative paths among them start at the working directory. */
  addDefaults(workingDirectory: string): void {
    for (const { path, field, kind } of configKeys) {
      const text = defaultOf(field);
      if (text === undefined) continue;
      if (kind === "section") {
        this.#addSectionDefaults(path, field, text, workingDirectory);
        continue;
      }
      const result = readText(text, field, workingDirectory);
      if (result.kind === "wrong") throw new Error(`the default of ${path} ${result.message}`);
      this.#leaves.set(path, result.json);
    }
  }

  /** A file's text; `name` is what messages call it. */
  addFile(text: string, name: string, directory: string): void {
    const yaml = readYaml(text);
    const sourceAt = (line: number): Source => ({ kind: "file", file: name, line });
    if (yaml.kind === "wrong") {
      for (const { line, message } of yaml.mistakes)
        this.problems.push({ key: "", message, source: sourceAt(line) });
      return;
    }
    const sources: Sources = new Map([["", sourceAt(1)]]);
    const sourceOf = (node: Parameters<typeof yaml.lineOf>[0]) => sourceAt(yaml.lineOf(node));
    this.#addSection(yaml.contents, "", { sourceOf, baseDirectory: directory, sources });
  }

  /** Variables made from the keys' paths. A section's variable comes first, so that those below it win. */
  addVariables(environment: Readonly<Record<string, string | undefined>>, workingDirectory: string): void {
    for (const key of configKeys) {
      const text = environment[key.variable];
      // Compose files and shells pass unset variables on as empty ones.
      if (text === undefined || text === "") continue;
      this.#addText(key, text, { kind: "variable", name: key.variable }, workingDirectory);
    }
  }

  /** Flags of the command line. */
  addFlags(flags: FlagValues, workingDirectory: string): void {
    for (const { path, name } of configFlags) {
      const text = flags[path];
      const key = configKeys.find((candidate) => candidate.path === path);
      if (text !== undefined && key) this.#addText(key, text, { kind: "flag", name }, workingDirectory);
    }
  }

  /** Refuses OSTIARY_ variables that set nothing: a typing mistake would otherwise leave a default in force. */
  checkVariables(environment: Readonly<Record<string, string | undefined>>): void {
    const known = new Set([...configKeys.map(({ variable }) => variable), ...this.#referredVariables()]);
    for (const [name, value] of Object.entries(environment)) {
      if (!name.startsWith(variablePrefix) || value === undefined || known.has(name)) continue;
      if (isReserved(name) || isServiceLink(name, value)) continue;
      const variables = configKeys.map(({ variable }) => variable);
      const meant = insteadOfFormerVariable(name) ?? closest(name, variables);
      const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
      this.problems.push({ key: name, source: { kind: "default" }, message: `unknown variable${hint}` });
    }
  }

  /** Refuses two sections that exclude each other, also if they come from different layers. */
  checkAlternatives(): void {
    for (const { path, alternatives } of configKeys) {
      const other = alternatives.find((candidate) => this.#sections.has(candidate));
      if (other === undefined || !this.#sections.has(path)) continue;
      // A section that exists because a variable sets one of its keys has no source of its own.
      const [, source] = [...this.sources].find(([known]) => isWithin(known, path)) ?? [];
      const message = `must not be there together with ${other}`;
      this.problems.push({ key: path, message, ...(source && { source }) });
    }
  }

  /** All values as the JSON form of Config. Every section is there, except optional sections that are not set. */
  toJson(): JsonObject {
    const root: JsonObject = {};
    const sections = new Map<string, JsonObject>([["", root]]);
    for (const { path, field, kind, optional } of configKeys) {
      const parent = sections.get(parentPath(path));
      if (parent === undefined) continue;
      if (kind === "section") {
        if (optional && !this.#sections.has(path)) continue;
        const section: JsonObject = {};
        parent[field.name] = section;
        sections.set(path, section);
        continue;
      }
      const value = this.#leaves.get(path);
      if (value !== undefined) parent[field.name] = value;
    }
    return root;
  }

  /** A section may carry the defaults of its keys, where the same message has others in each place. */
  #addSectionDefaults(path: string, { message }: DescField, text: string, baseDirectory: string): void {
    const yaml = readYaml(text);
    if (yaml.kind === "wrong" || message === undefined) throw new Error(`the default of ${path} is no map`);
    const problems: Problem[] = [];
    const context = {
      sourceOf: (): Source => ({ kind: "default" }),
      baseDirectory,
      sources: new Map(),
      problems,
    };
    const onLeaf = (leaf: string, json: JsonValue) => void this.#leaves.set(leaf, json);
    readSection(yaml.contents, message, path, context, { onLeaf, onSection: () => {} });
    for (const problem of problems) throw new Error(`the default of ${problem.key} ${problem.message}`);
  }

  #addText(key: ConfigKey, text: string, source: Source, baseDirectory: string): void {
    const context = { sourceOf: () => source, baseDirectory, sources: new Map([[key.path, source]]) };
    const kind = valueKindOf(key.field);
    const isList = key.field.fieldKind === "list";
    if (kind === "secret") {
      this.#addSecretText(key, text, context);
      return;
    }
    const asYaml = kind === "message" || kind === "document" || (isList && text.trimStart().startsWith("["));
    if (asYaml) {
      const yaml = readYaml(text);
      if (yaml.kind === "wrong") {
        for (const { message } of yaml.mistakes) this.problems.push({ key: key.path, message, source });
      } else if (key.kind === "section") {
        this.#addSection(yaml.contents, key.path, context, key);
      } else {
        const json = readNode(yaml.contents, key.field, key.path, { ...context, problems: this.problems });
        if (json !== undefined) this.#set(key.path, json, context.sources);
      }
      return;
    }
    const parts = isList ? text.split(",").map((part) => part.trim()) : [text];
    const values: JsonValue[] = [];
    for (const part of parts.filter((candidate) => !isList || candidate !== "")) {
      const result = readText(part, key.field, baseDirectory);
      if (result.kind === "value") values.push(result.json);
      else this.problems.push({ key: key.path, message: result.message, source });
    }
    const [first] = values;
    if (isList) this.#set(key.path, values, context.sources);
    else if (first !== undefined) this.#set(key.path, first, context.sources);
  }

  /**
   * Sets a secret from a text. The text is the secret as it stands, because a secret may hold any character. A list of secrets is
   * one secret, or a list in JSON or YAML with each secret in quotes. One secret may also be a reference: `{file: …}`, `{env: …}`.
   */
  #addSecretText(
    { path, field }: ConfigKey,
    text: string,
    context: Omit<Parameters<typeof readNode>[3], "problems">,
  ): void {
    const isList = field.fieldKind === "list";
    const read = readSecretText(text, isList);
    if (read.kind === "wrong") {
      this.problems.push({ key: path, message: read.message, source: context.sourceOf(null) });
      return;
    }
    if (read.kind === "literal") {
      this.#set(path, isList ? [{ literal: text }] : { literal: text }, context.sources);
      return;
    }
    const json = readNode(read.node, field, path, { ...context, problems: this.problems });
    if (json !== undefined) this.#set(path, json, context.sources);
  }

  #addSection(
    contents: Parameters<typeof readSection>[0],
    path: string,
    context: Omit<Parameters<typeof readSection>[3], "problems">,
    key?: ConfigKey,
  ): void {
    const message = key?.field.message ?? ConfigSchema;
    if (key !== undefined) this.#sections.add(path);
    readSection(
      contents,
      message,
      path,
      { ...context, problems: this.problems },
      {
        onLeaf: (leafPath, json) => this.#set(leafPath, json, context.sources),
        onSection: (sectionPath) => {
          this.#sections.add(sectionPath);
          // Only of a section that means something by being there; what is missing in others is not the file's doing.
          const source = context.sources.get(sectionPath);
          if (source !== undefined && optionalSections.has(sectionPath))
            this.sources.set(sectionPath, source);
        },
      },
    );
  }

  #set(path: string, json: JsonValue, sources: Sources): void {
    this.#leaves.set(path, json);
    for (const known of [...this.sources.keys()]) if (isWithin(known, path)) this.sources.delete(known);
    for (const [known, source] of sources) if (isWithin(known, path)) this.sources.set(known, source);
    for (let parent = parentPath(path); parent !== ""; parent = parentPath(parent))
      this.#sections.add(parent);
  }

  /** The variables that secrets refer to may have any name, also one with our prefix. */
  #referredVariables(): string[] {
    return configKeys.flatMap(({ path, field, kind }) =>
      kind === "leaf" ? variablesIn(this.#leaves.get(path), field) : [],
    );
  }
}

/** The variables that the secrets of a value refer to, also those within a list of maps. */
function variablesIn(value: JsonValue | undefined, field: DescField): string[] {
  const kind = valueKindOf(field);
  if (kind !== "secret" && kind !== "message") return [];
  return (Array.isArray(value) ? value : [value]).flatMap((item) => {
    if (typeof item !== "object" || item === null || Array.isArray(item)) return [];
    if (kind === "secret") return typeof item.env === "string" ? [item.env] : [];
    return field.message?.fields.flatMap((inner) => variablesIn(item[inner.name], inner)) ?? [];
  });
}

/** How the text of a variable or flag names secrets. */
function readSecretText(
  text: string,
  isList: boolean,
):
  | { readonly kind: "literal" }
  | { readonly kind: "node"; readonly node: Node | null }
  | { readonly kind: "wrong"; readonly message: string } {
  const isReference = /^\s*\{\s*["']?(file|env)["']?\s*:/.test(text);
  if (!isReference && !(isList && text.trimStart().startsWith("["))) {
    return isList && text.includes(",")
      ? { kind: "wrong", message: `has a comma: ${quoted}` }
      : { kind: "literal" };
  }
  const yaml = readYaml(isReference && isList ? `[${text}]` : text);
  const contents = yaml.kind === "read" ? yaml.contents : null;
  if (isReference && (isList ? isSeq(contents) : isMap(contents))) return { kind: "node", node: contents };
  if (isReference) return { kind: "wrong", message: "is no {file: path} or {env: NAME}" };
  if (!isSeq(contents)) return { kind: "wrong", message: `begins with [ and is no list: ${quoted}` };
  const isPlain = contents.items.some((item) => isScalar(item) && item.type === "PLAIN");
  if (isPlain) return { kind: "wrong", message: `is a list with a secret that is not in quotes: ${quoted}` };
  return { kind: "node", node: contents };
}

const quoted =
  'a secret with a comma or with [ at its beginning, and several secrets, are written as a list in quotes: ["…", "…"]; a file is written [{file: path}]';

const optionalSections = new Set(
  configKeys.filter(({ kind, optional }) => kind === "section" && optional).map(({ path }) => path),
);

function parentPath(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf(".")));
}

function isWithin(path: string, outer: string): boolean {
  return path === outer || path.startsWith(`${outer}.`) || path.startsWith(`${outer}[`);
}

// OSTIARY_CONFIG names the file (src/cli); OSTIARY_TEST_* belongs to the test suite.
function isReserved(name: string): boolean {
  return name === "OSTIARY_CONFIG" || name.startsWith("OSTIARY_TEST_");
}

/**
 * Kubernetes gives every container variables for each service of its namespace, named after the service: one called
 * `ostiary` or `ostiary-admin` would otherwise keep the server from starting.
 * https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
function isServiceLink(name: string, value: string): boolean {
  if (/_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$/.test(name)) return true;
  if (/_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name)) return true;
  return name.endsWith("_PORT") && /^(tcp|udp|sctp):\/\//.test(value);
}
