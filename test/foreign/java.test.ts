import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshEmail } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { isInstalled, outputOf } from "../support/foreign.ts";

const installed =
  (await isInstalled("mvn", ["--version"])) && (await isInstalled("javac", ["--release", "17", "--version"]));
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp();
});

afterAll(() => app.stop());

describe.skipIf(!installed)("grpc-java, built by Maven", () => {
  // The time is that of the first run on a machine, which fetches the libraries and compiles the contract.
  test("registers, logs in and checks the session", { timeout: 600_000 }, async () => {
    const journey = `-Dexec.args=${new URL(app.localUrl).host} ${freshEmail()}`;
    const args = ["--batch-mode", "--quiet", "compile", "exec:java", journey];
    // For a program that is over in seconds: what a long run gains by them costs more than it brings.
    const env = { MAVEN_OPTS: "-XX:+UseSerialGC -XX:TieredStopAtLevel=1" };
    const options = { cwd: "test/foreign/clients/java", timeoutMs: 550_000, env };
    expect(await outputOf("mvn", args, options)).toContain("the journey is complete");
  });
});
