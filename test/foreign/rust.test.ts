import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshEmail } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { isInstalled, outputOf } from "../support/foreign.ts";

const client = "test/foreign/clients/rust";
// Also what Cargo.lock names must be there: without the crates and no network, Rust counts as absent.
const installed = await isInstalled("cargo", ["fetch", "--locked"], { cwd: client });
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp();
});

afterAll(() => app.stop());

describe.skipIf(!installed)("Rust's tonic", () => {
  // The time is that of the first run on a machine, which compiles all crates.
  test("registers, logs in and checks the session", { timeout: 600_000 }, async () => {
    const options = { cwd: client, timeoutMs: 550_000 };
    const journey = ["run", "--quiet", "--locked", "--", app.localUrl, freshEmail()];
    expect(await outputOf("cargo", journey, options)).toBe("the journey is complete");
  });
});
