import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const page = readFileSync("docs/security-rules.md", "utf8");

/** A rule of the page: its id, and what follows up to the next one. */
const rules = page
  .split(/^(?=- \*\*SR-)/m)
  .slice(1)
  .map((text) => ({ id: /SR-[A-Z]+-\d+/.exec(text)?.[0] ?? "", text: text.split(/^## /m)[0] ?? "" }));
const ids = new Set(rules.map(({ id }) => id));

const folders = [
  "src",
  "test",
  "sdk/typescript/src",
  "ui/src",
  "proto",
  "proto-config",
  "scripts",
  "bench",
  "bin",
];
const files = folders
  .flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
  )
  .filter(
    (file) => /\.(ts|tsx|proto|go|java|rs|py|sh)$/.test(file) && !/\/(node_modules|dist|target)\//.test(file),
  )
  .filter((file) => file !== "test/structure/security-rules.test.ts");

describe("docs/security-rules.md", () => {
  test("has each rule once, with its sources", () => {
    expect(rules.length).toBe(ids.size);
    expect(ids.size).toBeGreaterThan(100);
    expect(
      rules.filter(
        ({ text }) => !/ _.*(ASVS|NIST|RFC|CVE|GHSA|CWE|Unicode|JSON Schema|Our review).*_$/m.test(text),
      ),
    ).toEqual([]);
  });

  test.each(rules)("$id names tests that exist, or says that it has none", ({ text }) => {
    const lines = text.split("\n").filter((line) => line.startsWith("  - "));
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.filter((line) => !isTest(line) && !/^ {2}- No test: ./.test(line))).toEqual([]);
  });
});

describe("comments", () => {
  test("name only rules that the page has", () => {
    expect(linesWith(/SR-[A-Z]+-\d+/).filter(({ line }) => !named(line).every((id) => ids.has(id)))).toEqual(
      [],
    );
  });

  test("that begin with 'Security rule' name their rule", () => {
    expect(linesWith(/\bsecurity rules?(?! \(SR-[A-Z]+-\d+)\b(?=[:" (])/i)).toEqual([]);
  });
});

function named(line: string): readonly string[] {
  return line.match(/SR-[A-Z]+-\d+/g) ?? [];
}

function linesWith(pattern: RegExp): readonly { readonly file: string; readonly line: string }[] {
  return files.flatMap((file) =>
    readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => pattern.test(line))
      .map((line) => ({ file, line: line.trim() })),
  );
}

/** Whether a line of the page is a file and the name of a test or a group of tests in it. */
function isTest(line: string): boolean {
  const [, file = "", name = ""] = /^ {2}- `([^`]+)`: (.+)$/.exec(line) ?? [];
  if (!existsSync(file)) return false;
  const text = readFileSync(file, "utf8").replaceAll('\\"', '"');
  return text.includes(`"${name}"`) || text.includes(`\`${name}\``);
}
