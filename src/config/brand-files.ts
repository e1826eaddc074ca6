import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { BrandFile, BrandFiles } from "../domain/tenant/brand-files.ts";
import { checkTexts } from "../domain/user-message/check-texts.ts";
import type { CompleteConfig } from "./complete-config.ts";
import { describeFileError } from "./files.ts";
import type { Problem } from "./problems.ts";
import { readYaml } from "./yaml.ts";

/** The largest file that is read. */
const maxBytes = 262_144;

const prefix = "tenant_defaults.branding";

/** Reads the files of the branding: pictures, and the style sheet and texts of the custom directory. */
export function readBrandFiles({ tenantDefaults: { branding } }: CompleteConfig): {
  readonly files: BrandFiles;
  readonly problems: readonly Problem[];
} {
  const problems: Problem[] = [];
  const picture = (name: string, path: string, types: readonly PictureType[]) => {
    if (path === "") return undefined;
    const key = `${prefix}.${name}`;
    const file = readPicture(path, types);
    if (typeof file !== "string") return file;
    problems.push({ key, message: `the file ${path} ${file}` });
    return undefined;
  };
  const custom = readCustomDirectory(branding.customDirectory);
  problems.push(...custom.mistakes.map((message) => ({ key: `${prefix}.custom_directory`, message })));
  const files = {
    logo: picture("logo_file", branding.logoFile, [svg, png]),
    logoDark: picture("logo_dark_file", branding.logoDarkFile, [svg, png]),
    favicon: picture("favicon_file", branding.faviconFile, [svg, png, icon]),
    style: custom.style,
    texts: custom.texts,
  };
  return { files, problems };
}

interface PictureType {
  readonly name: string;
  readonly contentType: string;
  readonly fits: (content: Buffer) => boolean;
}

const png: PictureType = {
  name: "PNG",
  contentType: "image/png",
  fits: (content) => content.subarray(0, 8).toString("latin1") === "\x89PNG\r\n\x1a\n",
};
const icon: PictureType = {
  name: "ICO",
  contentType: "image/x-icon",
  fits: (content) => content.subarray(0, 4).equals(Buffer.from([0, 0, 1, 0])),
};
// Without its namespace an SVG is no picture to a browser.
const svg: PictureType = {
  name: "SVG",
  contentType: "image/svg+xml",
  fits: (content) =>
    /<svg\b[^>]*\bxmlns=["']http:\/\/www\.w3\.org\/2000\/svg["']/.test(content.toString("utf8")),
};

/** What a picture is, is read from its content: a name can be wrong, and browsers are told to guess nothing. */
function readPicture(path: string, types: readonly PictureType[]): BrandFile | string {
  const content = readBytes(path);
  if (typeof content === "string") return content;
  const type = types.find(({ fits }) => fits(content));
  if (type === undefined)
    return `is no ${types
      .map(({ name }) => name)
      .join(", ")
      .replace(/, (\w+)$/, " or $1")}`;
  // Security rule (SR-PAGES-5): a document type can have entities, a few lines of which stand for gigabytes.
  if (type === svg && /<!(DOCTYPE|ENTITY)/i.test(content.toString("utf8")))
    return "must have no document type";
  return { content, contentType: type.contentType };
}

interface CustomDirectory {
  readonly style: BrandFile | undefined;
  readonly texts: ReadonlyMap<string, BrandFile>;
  readonly mistakes: readonly string[];
}

function readCustomDirectory(directory: string): CustomDirectory {
  const texts = new Map<string, BrandFile>();
  const mistakes: string[] = [];
  let style: BrandFile | undefined;
  for (const name of namesIn(directory, mistakes)) {
    const path = join(directory, name);
    const language = /^texts\.([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)\.(?:json|ya?ml)$/
      .exec(name)?.[1]
      ?.toLowerCase();
    if (name === "style.css") style = noteFile(readStyle(path), path, mistakes);
    else if (language !== undefined && texts.has(language)) {
      mistakes.push(`${path}: there are other texts in this language`);
    } else if (language !== undefined) {
      const file = readTexts(path, mistakes);
      if (file !== undefined) texts.set(language, file);
    } else if (!/^\.|^readme/i.test(name)) {
      // A name that is mistyped would leave the built-in texts in force without a word.
      mistakes.push(
        `${path}: is not used; the names are style.css and texts.<language>.json, such as texts.de.json`,
      );
    }
  }
  return { style, texts, mistakes };
}

function namesIn(directory: string, mistakes: string[]): readonly string[] {
  if (directory === "") return [];
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    mistakes.push(`the directory ${directory} ${describeFileError(error)}`);
    return [];
  }
}

function noteFile(file: BrandFile | string, path: string, mistakes: string[]): BrandFile | undefined {
  if (typeof file !== "string") return file;
  mistakes.push(`${path} ${file}`);
  return undefined;
}

/**
 * Security rule (SR-PAGES-6): a style sheet that would load something from elsewhere is refused, so that nobody relies on it. Browsers load it
 * neither: the policy of the pages is the same with it.
 */
function readStyle(path: string): BrandFile | string {
  const text = readText(path);
  if (typeof text !== "object") return text;
  const rules = text.text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, " "));
  for (const [index, line] of rules.split("\n").entries()) {
    if (/@import\b/i.test(line)) return `line ${index + 1}: @import is not allowed: one file is read`;
    if (/url\(\s*["']?\s*(?:[a-z][a-z0-9+.-]*:|\/\/)(?<!data:)/i.test(line)) {
      return `line ${index + 1}: url() must be a path of this server or data:, since the pages load nothing from elsewhere`;
    }
  }
  return { content: Buffer.from(text.text), contentType: "text/css; charset=utf-8" };
}

function readTexts(path: string, mistakes: string[]): BrandFile | undefined {
  const text = readText(path);
  if (typeof text === "string") {
    mistakes.push(`${path} ${text}`);
    return undefined;
  }
  // JSON is YAML as well, and keys that are there twice are found.
  const yaml = readYaml(text.text);
  const found =
    yaml.kind === "wrong"
      ? yaml.mistakes.map(({ line, message }) => `line ${line}: ${message}`)
      : mistakesIn(yaml.contents?.toJSON());
  mistakes.push(...found.map((mistake) => `${path}: ${mistake}`));
  if (yaml.kind === "wrong" || found.length > 0) return undefined;
  return {
    content: Buffer.from(JSON.stringify(yaml.contents?.toJSON())),
    contentType: "application/json",
  };
}

function mistakesIn(texts: unknown): readonly string[] {
  if (typeof texts !== "object" || texts === null || Array.isArray(texts)) {
    return ['must be a map of texts, such as { "login.title": "Welcome" }'];
  }
  const { problems } = checkTexts(texts as Readonly<Record<string, unknown>>);
  return problems.map(({ key, message }) => `${key}: ${message}`);
}

function readText(path: string): { readonly text: string } | string {
  const content = readBytes(path);
  if (typeof content === "string") return content;
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(content) };
  } catch (error) {
    return describeFileError(error);
  }
}

function readBytes(path: string): Buffer | string {
  try {
    const status = statSync(path);
    // A pipe or device would be waited for.
    if (status.isFile() && status.size > maxBytes) return `is larger than ${maxBytes} bytes`;
    if (!status.isFile()) return status.isDirectory() ? "is a directory" : "is no ordinary file";
    return readFileSync(path);
  } catch (error) {
    return describeFileError(error);
  }
}
