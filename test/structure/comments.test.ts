import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const rooms = ["src", "test", "sdk/typescript", "ui", "scripts", "bench", "proto", "proto-config", "docs"];
const files = rooms
  .flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
  )
  .filter((file) => !/\/(node_modules|dist|target|fixtures)\//.test(file))
  .concat(readdirSync(".").filter((name) => name.endsWith(".md")));

/** The name of a source or a page, with or without folders. Not of a package or a URL. */
const fileName = /(?<![\w@$./*>-])(?:[\w.-]+\/)*\w[\w.-]*\.(?:tsx?|md)\b(?!\.\w)/g;

/** The comments of a source file, and all of the README of a room. */
function proseOf(file: string): string {
  const text = readFileSync(file, "utf8").replace(/https?:\S+/g, "");
  if (file.endsWith(".md")) return text;
  return text
    .split("\n")
    .flatMap((line) => /(?:^\s*\/?\*|\/\/)(.*)$/.exec(line)?.[1] ?? [])
    .join("\n");
}

test("comments and the READMEs of rooms name only files that are there", () => {
  const readers = files.filter(
    (file) => (/\.tsx?$/.test(file) && !file.startsWith("docs/")) || /^src\/.*README\.md$/.test(file),
  );
  const lost = readers.flatMap((file) =>
    (proseOf(file).match(fileName) ?? [])
      .map((name) => (name.startsWith(".") ? join(dirname(file), name) : name))
      .filter((name) => !files.some((known) => known === name || known.endsWith(`/${name}`)))
      .map((name) => `${file}: ${name}`),
  );
  expect(readers.length).toBeGreaterThan(500);
  expect(lost).toEqual([]);
});
