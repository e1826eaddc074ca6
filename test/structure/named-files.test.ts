import { globSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { expect, test } from "vitest";

const folders = "{src,test,sdk,ui,scripts,bench,deploy,docs,proto,proto-config,gen,runtime,bin,.ci}";
const left = (path: string) => /(^|\/)(node_modules|dist|target|\.cache)(\/|$)/.test(path);

/** Everything that can be named: files and folders, from the root of the repository. */
const existing = [...globSync("*"), ...globSync(`${folders}/**/*`, { exclude: left })].filter(
  (path) => !left(path),
);

/** Where files are named: the comments of code, and the pages. The changelog tells of files that were. */
const named = existing
  .filter((path) => /\.(tsx?|proto|md)$|^Makefile$/.test(path))
  .filter((path) => !/^(gen|test\/fixtures)\/|^CHANGELOG|^proto\/(google|buf)\//.test(path));

/** Stand for a name that is made up. */
const placeholders = new Set(["x.ts", "x.tsx", "_name.liquid"]);

// A file below any folder, by the end of its path: `convert/flow.ts`.
const endings = new Set<string>();
for (const path of existing) {
  const parts = path.split("/");
  for (let first = 0; first < parts.length; first++) endings.add(parts.slice(first).join("/"));
}

/** The names of files in a text, and files and folders (`test/`) in backticks whose path begins with one of our folders. */
function namesIn(text: string): string[] {
  const files = /(?<![\w/@.:-])(?:[\w.@*-]+\/)*[\w*-]+(?:\.[\w*-]+)*\.(?:tsx?|proto|md|liquid)\b(?![\w(])/g;
  const paths = new RegExp(
    `\`(${folders.slice(1, -1).replaceAll(",", "|").replaceAll(".", "\\.")})/(?:[\\w.*-]+/)*(?:[\\w*-]*\\.[\\w.*-]+)?\``,
    "g",
  );
  const found = [...text.matchAll(files), ...text.matchAll(paths)].map(([name]) => name.replaceAll("`", ""));
  return [...new Set(found)].map((name) => name.replace(/^(\.\.?\/)+/, "").replace(/\/$/, ""));
}

function exists(name: string): boolean {
  if (endings.has(name) || placeholders.has(name)) return true;
  if (!name.includes("*")) return false;
  const pattern = name.split("*").map((part) => part.replaceAll(".", "\\."));
  const wanted = new RegExp(`(^|/)${pattern.join("[^/]*")}$`);
  return existing.some((path) => wanted.test(path));
}

/** What people read of a file. Code blocks of a page are of somebody else's project. */
function proseOf(path: string): string {
  const text = readFileSync(path, "utf8");
  if (path.endsWith(".md")) return text.replace(/```[\s\S]*?```/g, "");
  if (basename(path) === "Makefile") return (text.match(/#.*$/gm) ?? []).join("\n");
  return (text.match(/(?<=^|\s)\/\/ .*$|\/\*[\s\S]*?\*\//gm) ?? []).join("\n");
}

test("comments and pages name no file that does not exist", () => {
  expect(named.length).toBeGreaterThan(500);
  const missing = named.flatMap((path) =>
    namesIn(proseOf(path))
      .filter((name) => !exists(name))
      .map((name) => `${path}: ${name}`),
  );
  expect(missing).toEqual([]);
});

test("the check finds what is not there, by name, by path and by pattern", () => {
  const text =
    "as `load-templates.ts`, src/domain/none.ts and `src/nowhere/` do; so does *-nothing.ts, unlike cli.ts";
  expect(namesIn(text).filter((name) => !exists(name))).toEqual([
    ...["load-templates.ts", "src/domain/none.ts", "*-nothing.ts"],
    "src/nowhere",
  ]);
  expect(named.some((path) => namesIn(proseOf(path)).includes("liquid-renderer.ts"))).toBe(true);
});
