import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runProgram } from "../support/foreign.ts";

const service = "proto/ostiary/session/v1/session_service.proto";
const nouns = "proto/ostiary/session/v1/session.proto";
let clone: string;

// A repository of the contract alone, without tags: what a fresh clone has.
beforeEach(async () => {
  clone = mkdtempSync(join(tmpdir(), "ostiary-breaking-"));
  mkdirSync(join(clone, ".cache"));
  for (const name of ["proto", "buf.yaml", "scripts/check-breaking.sh", ".cache/proto"]) {
    cpSync(name, join(clone, name), { recursive: true });
  }
  symlinkSync(resolve("node_modules"), join(clone, "node_modules"));
  writeFileSync(join(clone, ".gitignore"), "node_modules\n.cache\n");
  await git("init", "--quiet", "--initial-branch=main");
  await commit();
});
afterEach(() => rmSync(clone, { recursive: true }));

describe("the check for breaking changes", () => {
  test("compares with the main branch while there is no release", async () => {
    await git("switch", "--quiet", "--create", "work");
    expect(await check()).toEqual({ failed: false, said: expect.stringContaining("compared with main") });
    edit(service, "string token = 1", "string token = 9");
    expect(await check()).toEqual({ failed: true, said: expect.stringContaining("CheckSessionRequest") });
  });

  test("lets additions pass", async () => {
    edit(nouns, "bool current = 14;", "bool current = 14;\n  // Whether it is newer.\n  bool newer = 15;");
    expect((await check()).failed).toBe(false);
  });

  test("compares with the newest release once there is one, whatever became of main since", async () => {
    await git("tag", "v0.1.0");
    edit(service, "string token = 1", "string token = 9");
    await commit();
    expect(await check()).toEqual({ failed: true, said: expect.stringContaining("compared with v0.1.0") });
  });

  test("sees that a message was moved to another file, which breaks the imports of the SDK", async () => {
    const moved = /\/\/ SessionView says[\s\S]*?\n\}\n/.exec(readFileSync(service, "utf8"))?.[0] ?? "";
    edit(service, moved, "");
    edit(nouns, "// SessionState says", `${moved}\n// SessionState says`);
    expect(await check()).toEqual({ failed: true, said: expect.stringContaining("SessionView") });
  });

  test("compares with nothing where there is neither", async () => {
    await git("branch", "--quiet", "--move", "trunk");
    edit(service, "string token = 1", "string token = 9");
    expect(await check()).toEqual({ failed: false, said: expect.stringContaining("nothing to compare") });
  });
});

async function check() {
  const path = `${resolve("node_modules/.bin")}:${process.env.PATH ?? ""}`;
  const { failed, stdout, stderr } = await runProgram(join(clone, "scripts/check-breaking.sh"), [], {
    env: { PATH: path },
  });
  return { failed, said: stdout + stderr };
}

function edit(file: string, from: string, to: string): void {
  const text = readFileSync(join(clone, file), "utf8");
  expect(text).toContain(from);
  writeFileSync(
    join(clone, file),
    text.replace(from, () => to),
  );
}

async function commit(): Promise<void> {
  await git("add", "--all");
  await git("-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "-m", "test");
}

async function git(...args: readonly string[]): Promise<void> {
  const { failed, stderr } = await runProgram("git", args, { cwd: clone });
  if (failed) throw new Error(`git ${args.join(" ")}: ${stderr}`);
}
