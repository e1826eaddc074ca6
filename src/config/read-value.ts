import { isAbsolute, resolve } from "node:path";
import {
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  toJson,
} from "@bufbuild/protobuf";
import { DurationSchema, durationFromMs } from "@bufbuild/protobuf/wkt";
import { isMap, isScalar, isSeq, type Node, type Scalar, type YAMLMap } from "yaml";
import { closest } from "../domain/suggest.ts";
import { parseDuration } from "./durations.ts";
import { insteadOfFormerKey } from "./former-keys.ts";
import { choicesOf, configKeys, defaultOf, valueKindOf } from "./keys.ts";
import { type Problem, type Source, type Sources, sourceOf } from "./problems.ts";

/** The place that is read, and the lists that sources and problems are added to. */
export interface ReadContext {
  /** Source of a node. */
  readonly sourceOf: (node: Node | null) => Source;
  /** Base of relative paths. */
  readonly baseDirectory: string;
  readonly sources: Sources;
  readonly problems: Problem[];
}

/** A value in the JSON form of its field, or the reason why it is not of its type. */
export type ReadResult =
  | { readonly kind: "value"; readonly json: JsonValue }
  | { readonly kind: "wrong"; readonly message: string };

/**
 * Reads the YAML of a section of the configuration. Calls `onLeaf` for each key that is set and `onSection` for
 * each section that is there, if only as an empty one.
 */
export function readSection(
  node: Node | null,
  message: DescMessage,
  path: string,
  context: ReadContext,
  take: { onLeaf(path: string, json: JsonValue): void; onSection(path: string): void },
): void {
  for (const entry of entriesOf(node, message, path, context)) {
    const { field, path: entryPath, value } = entry;
    context.sources.set(entryPath, entry.source);
    if (field.fieldKind === "message" && field.message && valueKindOf(field) === "message") {
      take.onSection(entryPath);
      readSection(value, field.message, entryPath, context, take);
      continue;
    }
    const json = readNode(value, field, entryPath, context);
    if (json !== undefined) take.onLeaf(entryPath, json);
  }
}

/** Reads the YAML of a leaf to the JSON form of its field; undefined if there was a problem. */
export function readNode(
  node: Node | null,
  field: DescField,
  path: string,
  context: ReadContext,
): JsonValue | undefined {
  if (field.fieldKind !== "list") return readSingle(node, field, path, context);
  if (!isSeq(node)) return wrong(context, path, "must be a list");
  const values: JsonValue[] = [];
  for (const [index, item] of node.items.entries()) {
    const itemPath = `${path}[${index}]`;
    context.sources.set(itemPath, context.sourceOf(item as Node | null));
    if (valueKindOf(field) === "secret" && isCut(item, node.items[index + 1])) {
      return wrong(
        context,
        path,
        "has a secret with a comma that ends it in YAML: put each secret in quotes",
      );
    }
    const json = readSingle(item as Node | null, field, itemPath, context);
    if (json !== undefined) values.push(json);
  }
  return values;
}

/** Reads the text of a variable, a flag or a default to the JSON form of a field, or of each value of its list. */
export function readText(text: string, field: DescField, baseDirectory: string): ReadResult {
  const kind = valueKindOf(field);
  switch (kind) {
    case "text":
      return { kind: "value", json: text };
    case "path":
      return { kind: "value", json: resolvePath(text, baseDirectory) };
    case "secret":
      return { kind: "value", json: { literal: text } };
    case "boolean":
      if (text !== "true" && text !== "false") return { kind: "wrong", message: "must be true or false" };
      return { kind: "value", json: text === "true" };
    case "number": {
      const number = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
      if (number <= 0xffffffff) return { kind: "value", json: number };
      return { kind: "wrong", message: "must be a whole number from 0 to 4294967295" };
    }
    case "duration": {
      const ms = parseDuration(text);
      if (ms !== undefined) return { kind: "value", json: toJson(DurationSchema, durationFromMs(ms)) };
      return { kind: "wrong", message: "must be a duration such as 500ms, 15m, 1h30m or 7d" };
    }
    case "choice": {
      const choices = choicesOf(field);
      const choice = choices.find(({ word }) => word === text);
      if (choice !== undefined) return { kind: "value", json: choice.name };
      return { kind: "wrong", message: `must be one of ${choices.map(({ word }) => word).join(", ")}` };
    }
    case "document":
    case "message":
      return { kind: "wrong", message: "must be a map" };
    default:
      return kind satisfies never;
  }
}

/** Whether two values of a list `[a,b]` are rather one text with a comma: without quotes, and no blank after it. */
function isCut(item: unknown, next: unknown): boolean {
  const isPlain = (node: unknown): node is Scalar => isScalar(node) && node.type === "PLAIN";
  if (!isPlain(item) || !isPlain(next)) return false;
  const [end, start] = [item.range?.[1], next.range?.[0]];
  return end !== undefined && start === end + 1;
}

function readSingle(
  node: Node | null,
  field: DescField,
  path: string,
  context: ReadContext,
): JsonValue | undefined {
  const kind = valueKindOf(field);
  if (kind === "document") {
    if (!isMap(node)) return wrong(context, path, "must be a map");
    return plainJson(node, path, context);
  }
  if (field.message && (kind === "message" || (kind === "secret" && isMap(node)))) {
    return readMessage(node, field.message, path, context);
  }
  if (kind === "secret" && isScalar(node) && node.type === "PLAIN" && /^\S/.test(node.comment ?? "")) {
    return wrong(context, path, "has a # that begins a comment in YAML: put the secret in quotes");
  }
  if (isMap(node) || isSeq(node)) return wrong(context, path, `must be ${nounOf[kind]}`);
  if (!isScalar(node) || node.value === null) return wrong(context, path, "has no value");
  const typed = typeof node.value;
  const expected = kind === "boolean" ? "boolean" : kind === "number" ? "number" : "string";
  // A bare 0 is the one duration that is a number as well.
  if (typed !== expected && !(kind === "duration" && node.value === 0)) {
    const hint =
      expected === "string" && kind !== "choice" && kind !== "duration" ? ": put it in quotes" : "";
    return wrong(context, path, `must be ${nounOf[kind]}${hint}`);
  }
  const result = readText(textOf(node), field, context.baseDirectory);
  if (result.kind === "wrong") return wrong(context, path, result.message);
  return result.json;
}

/** A message within a leaf: a secret, or an element of a list. Its own defaults are filled in here. */
function readMessage(
  node: Node | null,
  message: DescMessage,
  path: string,
  context: ReadContext,
): JsonObject | undefined {
  if (!isMap(node))
    return wrong(context, path, `must be a map with ${message.fields.map(({ name }) => name).join(", ")}`);
  const json: Record<string, JsonValue> = {};
  for (const field of message.fields) {
    const text = defaultOf(field);
    if (text === undefined) continue;
    const value = readText(text, field, context.baseDirectory);
    if (value.kind === "value") json[field.name] = value.json;
  }
  const seen = new Map<string, string>();
  for (const { field, path: entryPath, value, source } of entriesOf(node, message, path, context)) {
    context.sources.set(entryPath, source);
    const other = field.oneof && seen.get(field.oneof.name);
    if (other !== undefined) {
      wrong(context, entryPath, `cannot be set together with ${other}`);
      continue;
    }
    if (field.oneof) seen.set(field.oneof.name, field.name);
    const entry = readNode(value, field, entryPath, context);
    if (entry !== undefined) json[field.name] = entry;
  }
  return json;
}

interface Entry {
  readonly field: DescField;
  readonly path: string;
  readonly value: Node | null;
  readonly source: Source;
}

function entriesOf(node: Node | null, message: DescMessage, path: string, context: ReadContext): Entry[] {
  // `server:` with everything below it commented out is an empty section.
  if (node === null || (isScalar(node) && node.value === null)) return [];
  if (!isMap(node)) {
    wrong(context, path, "must be a map of keys");
    return [];
  }
  const fields = new Map(message.fields.map((field) => [field.name, field]));
  const entries: Entry[] = [];
  for (const { key, value } of (node as YAMLMap<Scalar, Node | null>).items) {
    const name = String(key.value);
    const field = fields.get(name);
    const entryPath = path === "" ? name : `${path}.${name}`;
    const source = context.sourceOf(key);
    const before = entries.at(-1);
    // The key would be the rest of the secret, so it is not named.
    if (before !== undefined && valueKindOf(before.field) === "secret" && isCut(before.value, key)) {
      const message = "has a secret with a comma that ends it in YAML: put the secret in quotes";
      context.problems.push({ key: before.path, source, message });
      continue;
    }
    if (field === undefined) {
      const message = `unknown key${hintFor(name, path, [...fields.keys()])}`;
      context.problems.push({ key: shortened(entryPath), source, message });
      continue;
    }
    entries.push({ field, path: entryPath, value, source });
  }
  return entries;
}

/** Suggestion for an unknown key: its replacement, a similar key beside it, or a key of its name elsewhere. */
function hintFor(name: string, path: string, siblings: readonly string[]): string {
  const instead = insteadOfFormerKey(path === "" ? name : `${path}.${name}`);
  if (instead !== undefined) return `; did you mean ${instead}?`;
  const snakeCase = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replaceAll("-", "_");
  const sibling = closest(snakeCase, siblings);
  if (sibling !== undefined) return `; did you mean ${path === "" ? "" : `${path}.`}${sibling}?`;
  const elsewhere = configKeys.find((key) => `_${key.path.replaceAll(".", "_")}`.endsWith(`_${snakeCase}`));
  return elsewhere === undefined
    ? `; known here: ${siblings.join(", ")}`
    : `; did you mean ${elsewhere.path}?`;
}

/** The sources of what is within a document, so that problems there have their line. */
function addSources(node: unknown, path: string, context: ReadContext): void {
  if (isSeq<Node>(node)) {
    for (const [index, item] of node.items.entries()) addSource(item, item, `${path}[${index}]`, context);
  } else if (isMap<Scalar, Node>(node)) {
    for (const { key, value } of node.items) addSource(key, value, `${path}.${key.value}`, context);
  }
}

function addSource(place: Node, value: unknown, path: string, context: ReadContext): void {
  context.sources.set(path, context.sourceOf(place));
  addSources(value, path, context);
}

function plainJson(node: YAMLMap, path: string, context: ReadContext): JsonValue | undefined {
  try {
    addSources(node, path, context);
    // Aliases are refused before; a value such as .inf or .nan has no JSON form.
    const json: unknown = node.toJSON();
    const text = JSON.stringify(json, (_, value: unknown) => {
      if (typeof value === "number" && !Number.isFinite(value)) throw new Error("not a JSON number");
      return value;
    });
    return JSON.parse(text) as JsonValue;
  } catch {
    return wrong(context, path, "has values that JSON cannot hold");
  }
}

function wrong(context: ReadContext, path: string, message: string): undefined {
  context.problems.push({ key: path, message, source: sourceOf(context.sources, path) });
  return undefined;
}

function textOf(node: Scalar): string {
  return typeof node.value === "string" ? node.value : (node.source ?? String(node.value));
}

/** A relative path starts at the base directory; an empty one stays what it is. */
function resolvePath(path: string, baseDirectory: string): string {
  return path === "" || isAbsolute(path) ? path : resolve(baseDirectory, path);
}

function shortened(path: string): string {
  return path.length > 120 ? `${path.slice(0, 120)}…` : path;
}

const nounOf = {
  text: "text",
  path: "a path",
  number: "a whole number",
  boolean: "true or false",
  choice: "a word",
  duration: "a duration such as 500ms, 15m, 1h30m or 7d",
  secret: "text, {env: NAME} or {file: path}",
  document: "a map",
  message: "a map",
} as const;
