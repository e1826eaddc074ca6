import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshEmail } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { copyGoClient, goClient, isInstalled, outputOf } from "../support/foreign.ts";

// Also what go.mod needs must be there: a Go that is too old, or without the modules and no network, counts as absent.
const installed = await isInstalled("go", ["mod", "download"], { cwd: goClient });
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
    const folder = await copyGoClient();
    const options = { cwd: folder, timeoutMs: 250_000 };
    try {
      const [, helper = ""] = /```go\n([\s\S]*?)```/.exec(await readFile("docs/errors.md", "utf8")) ?? [];
      await writeFile(join(folder, "errors.go"), helper);
      await outputOf("go", ["build", "-trimpath", "-o", "journey", "."], options);
      const emails = [freshEmail(), freshEmail(), freshEmail()];
      expect(await outputOf("./journey", [app.localUrl, ...emails], options)).toBe(
        "the journeys are complete",
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
