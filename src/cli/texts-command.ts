import { readFileSync } from "node:fs";
import { isMap, isScalar } from "yaml";
import { ConfigError } from "../config/problems.ts";
import { readYaml } from "../config/yaml.ts";
import { checkTexts, englishOf } from "../domain/user-message/check-texts.ts";
import { englishTexts } from "../domain/user-message/known-texts.generated.ts";
import type { CommandContext, CommandOptions } from "./context.ts";

/**
 * `ostiary texts check <file>`: OK, or a line for each text that cannot be used. With `--complete` also for each that the file
 * lacks.
 */
export function checkTextsFile(file: string, options: CommandOptions, context: CommandContext): void {
  const { texts, lineOf } = readTexts(file);
  const { problems, missing } = checkTexts(texts);
  const lines = problems.map(({ key, message }) => `${file}:${lineOf(key)}: ${key}: ${message}`);
  if (options.complete === true) {
    lines.push(...missing.map((key) => `${file}: ${key} is missing: ${englishOf(key)}`));
  }
  if (lines.length > 0) throw new ConfigError(lines);
  context.print(missing.length === 0 ? "OK" : `OK: ${missing.length} texts are not in it`);
}

/** `ostiary texts list`: all texts in English, as a file to begin with. */
export function listTexts(_: CommandOptions, context: CommandContext): void {
  context.print(JSON.stringify(englishTexts, undefined, 2));
}

/** Reads a file as YAML, of which JSON is a part: it then knows the lines, and refuses keys that are there twice. */
function readTexts(file: string): {
  readonly texts: Readonly<Record<string, unknown>>;
  readonly lineOf: (key: string) => number;
} {
  const read = readYaml(readFileSync(file, "utf8"));
  if (read.kind === "wrong") {
    throw new ConfigError(read.mistakes.map(({ line, message }) => `${file}:${line}: ${message}`));
  }
  const { contents, lineOf } = read;
  if (!isMap(contents)) throw new ConfigError([`${file}: must be an object from keys to sentences`]);
  const texts = new Map<string, unknown>();
  const lines = new Map<string, number>();
  for (const { key, value } of contents.items) {
    const name = isScalar(key) ? String(key.value) : "";
    texts.set(name, isScalar(value) ? value.value : undefined);
    lines.set(name, isScalar(key) ? lineOf(key) : 1);
  }
  return { texts: Object.fromEntries(texts), lineOf: (key) => lines.get(key) ?? 1 };
}
