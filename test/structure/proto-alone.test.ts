import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

test("the folder proto/ compiles by itself, without a network: every import is in it or known to any compiler", () => {
  const alone = mkdtempSync(join(tmpdir(), "ostiary-proto-"));
  try {
    cpSync("proto", alone, { recursive: true });
    execFileSync(resolve("node_modules/.bin/buf"), ["build", "."], { cwd: alone, stdio: "pipe" });
  } finally {
    rmSync(alone, { recursive: true });
  }
});

test("it holds nothing of the configuration file, whose schema is a module of its own", () => {
  const files = readdirSync("proto", { recursive: true, encoding: "utf8" });
  for (const file of files.filter((name) => name.startsWith("ostiary/") && name.endsWith(".proto"))) {
    expect(readFileSync(join("proto", file), "utf8"), file).not.toMatch(/ostiary[./]config/);
  }
});

test("both packages carry the folder", () => {
  for (const name of ["package.json", "sdk/typescript/package.json"]) {
    expect(JSON.parse(readFileSync(name, "utf8")).files).toContain("proto");
  }
});
