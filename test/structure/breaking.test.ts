import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runProgram } from "../support/foreign.ts";

const service = "proto/ostiary/access/v1/throttle_service.proto";
const nouns = "proto/ostiary/access/v1/throttle.proto";
let copy: string;

// The contract and what checks it, without the rest and without a history.
beforeEach(() => {
  copy = mkdtempSync(join(tmpdir(), "ostiary-breaking-"));
  mkdirSync(join(copy, ".cache"));
  for (const name of [
    "proto",
    "proto-config",
    "buf.yaml",
    "buf.baseline.binpb",
    "Makefile",
    ".cache/proto",
  ]) {
    cpSync(name, join(copy, name), { recursive: true });
  }
  symlinkSync(resolve("node_modules"), join(copy, "node_modules"));
});
afterEach(() => rmSync(copy, { recursive: true }));

describe("the check for breaking changes", () => {
  test("lets the contract pass as it is, and additions", async () => {
    expect(await check()).toEqual({ failed: false, said: "" });
    edit(
      nouns,
      "message ThrottleCounter {",
      "message ThrottleCounter {\n  // Whether it is new.\n  bool new = 99;",
    );
    expect(await check()).toEqual({ failed: false, said: "" });
  });

  test("compares with the image that is checked in, not with a branch or a release", async () => {
    edit(service, "string ip_address = 2", "string ip_address = 9");
    expect(await check()).toEqual({ failed: true, said: expect.stringContaining("ExplainThrottleRequest") });
  });

  test("sees that a message was moved to another file, which breaks the imports of the SDK", async () => {
    const moved =
      /\/\/ ResetThrottleResponse is[\s\S]*?\n\}\n/.exec(readFileSync(service, "utf8"))?.[0] ?? "";
    edit(service, moved, "");
    edit(nouns, "// ThrottleCounter is", `${moved}\n// ThrottleCounter is`);
    expect(await check()).toEqual({ failed: true, said: expect.stringContaining("ResetThrottleResponse") });
  });

  test("sees another idempotency level, which is in the clients that people generate", async () => {
    edit(service, "idempotency_level = IDEMPOTENT", "idempotency_level = NO_SIDE_EFFECTS");
    expect(await check()).toEqual({ failed: true, said: expect.stringContaining("ExplainThrottle") });
  });

  test("lets the schema of the configuration file change, which is never on the wire", async () => {
    edit("proto-config/ostiary/config/v1/config.proto", "bool dev = 8", "bool development = 9");
    expect(await check()).toEqual({ failed: false, said: "" });
  });

  test("has a new image by one command, which takes the contract as it is", async () => {
    edit(service, "string ip_address = 2", "string ip_address = 9");
    expect(await make("contract-baseline")).toMatchObject({ failed: false });
    expect(await check()).toEqual({ failed: false, said: "" });
  });
});

/** Runs what `make lint` runs, in the copy. */
async function check() {
  const { stdout } = await make("--dry-run", "lint");
  const command = stdout.split("\n").find((line) => line.startsWith("buf breaking")) ?? "";
  const path = `${resolve("node_modules/.bin")}:${process.env.PATH ?? ""}`;
  const ran = await runProgram("bash", ["-c", command], { cwd: copy, env: { PATH: path } });
  return { failed: ran.failed || command === "", said: ran.stdout + ran.stderr };
}

/** Without what make would install first. */
function make(...args: readonly string[]) {
  return runProgram("make", ["--silent", "--assume-old=.cache/proto/.written", ...args], { cwd: copy });
}

function edit(file: string, from: string, to: string): void {
  const text = readFileSync(join(copy, file), "utf8");
  expect(text).toContain(from);
  writeFileSync(
    join(copy, file),
    text.replace(from, () => to),
  );
}
