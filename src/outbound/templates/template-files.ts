import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type MessageTemplate, messageTemplates } from "../../domain/courier/message.ts";

/** The parts of a template, each a file of its own. */
export type TemplatePart = "subject" | "text" | "html" | "sms";

/** The parts that a mail is made of. */
const mailParts = ["subject", "text", "html"] as const satisfies readonly TemplatePart[];

const parts: readonly TemplatePart[] = [...mailParts, "sms"];

/** Template files by name: `de/login_code.subject.liquid`. */
export type TemplateFiles = ReadonlyMap<string, string>;

/** Something wrong with a template, for people: `de/login_code.text.liquid:3: undefined variable: cod`. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
}

/** The largest template that is read. */
export const maxTemplateBytes = 262_144;

const builtInDirectory = fileURLToPath(new URL("./built-in/", import.meta.url));

/** The name of the file of a template's part. */
export function templateFile(language: string, template: MessageTemplate, part: TemplatePart): string {
  return `${language}/${template}.${part}.liquid`;
}

/**
 * Reads the built-in templates, and over them those of a folder. Throws a TemplateError for a file that would never be
 * used, for one that cannot be read, and for a mail of which a part is missing.
 */
export function readTemplateFiles(directory: string | undefined): {
  readonly files: TemplateFiles;
  /** The names that come from the folder. */
  readonly overridden: readonly string[];
} {
  const files = readDirectory(builtInDirectory);
  if (directory === undefined) return { files, overridden: [] };
  const own = readDirectory(directory);
  for (const name of own.keys()) assertUseful(name, directory);
  for (const [name, text] of own) files.set(name, text);
  for (const language of languagesOf(files)) assertWhole(files, language, directory);
  return { files, overridden: [...own.keys()] };
}

/** The languages that there are templates in. */
export function languagesOf(files: TemplateFiles): readonly string[] {
  const folders = [...files.keys()].filter((name) => name.includes("/")).map((name) => name.split("/")[0]);
  return [...new Set(folders)].filter((folder) => folder !== undefined).sort();
}

function readDirectory(directory: string): Map<string, string> {
  const files = new Map<string, string>();
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" }).sort();
  for (const name of names.map((each) => each.replaceAll("\\", "/"))) {
    if (!name.endsWith(".liquid")) continue;
    const path = join(directory, name);
    try {
      if (statSync(path).size > maxTemplateBytes) {
        throw new TemplateError(`${path}: is larger than ${maxTemplateBytes} bytes`);
      }
      files.set(name, new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path)));
    } catch (error) {
      if (error instanceof TemplateError) throw error;
      const code = error instanceof Error && "code" in error ? String(error.code) : "not UTF-8 text";
      throw new TemplateError(`${path}: cannot be read (${code})`);
    }
  }
  return files;
}

/** A file whose name is mistyped would leave the built-in text in force without a word. */
function assertUseful(name: string, directory: string): void {
  const match = /^([a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)\/(?:(layout\.html)|(\w+)\.(\w+))\.liquid$/.exec(name);
  const isPartial = /^(?:[A-Za-z0-9-]+\/)?_[\w.-]+\.liquid$/.test(name);
  const [, , layout, template, part] = match ?? [];
  if (isPartial || layout !== undefined) return;
  const known =
    messageTemplates.some((each) => each === template) && parts.some((candidate) => candidate === part);
  if (known) return;
  throw new TemplateError(
    `${join(directory, name)}: is no template; the names are <language>/<template>.<part>.liquid with the parts ${parts.join(", ")}, ` +
      `<language>/layout.html.liquid, and _<name>.liquid for what they include; the templates are ${messageTemplates.join(", ")}`,
  );
}

function assertWhole(files: TemplateFiles, language: string, directory: string): void {
  for (const template of messageTemplates) {
    const missing = mailParts.filter((part) => !files.has(templateFile(language, template, part)));
    const [first] = missing;
    if (first === undefined || missing.length === mailParts.length) continue;
    throw new TemplateError(
      `${join(directory, templateFile(language, template, first))}: is missing; a mail has a subject, text and html`,
    );
  }
}
