import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshEmail } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { isInstalled, runProgram } from "../support/foreign.ts";

const client = "test/foreign/clients/go";
// Also what go.mod needs must be there: a Go that is too old, or without the modules and no network, counts as absent.
const installed = await isInstalled("go", ["mod", "download"], client);
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp();
});

afterAll(() => app.stop());

describe.skipIf(!installed)("connect-go", () => {
  // The time is that of the first run on a machine, which compiles the plugins and Go's own libraries.
  test("registers, logs in and checks the session over Connect, gRPC and gRPC-Web", {
    timeout: 300_000,
  }, async () => {
    const folder = await mkdtemp(join(tmpdir(), "ostiary-go-"));
    const run = async (file: string, ...args: readonly string[]) => {
      const { stdout, stderr, failed } = await runProgram(file, args, { cwd: folder, timeoutMs: 250_000 });
      if (failed) throw new Error(`${file} ${args.join(" ")}: ${stderr}`);
      return stdout.trim();
    };
    try {
      await cp(client, folder, { recursive: true });
      const [, helper = ""] = /```go\n([\s\S]*?)```/.exec(await readFile("docs/errors.md", "utf8")) ?? [];
      await writeFile(join(folder, "errors.go"), helper);
      const paths = ["proto/ostiary", "proto/buf"].flatMap((path) => ["--path", resolve(path)]);
      await run(
        resolve("node_modules/.bin/buf"),
        "generate",
        resolve("."),
        "--template",
        "buf.gen.yaml",
        ...paths,
      );
      await run("go", "build", "-o", "journey", ".");
      const emails = [freshEmail(), freshEmail(), freshEmail()];
      expect(await run("./journey", app.localUrl, ...emails)).toBe("the journeys are complete");
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
