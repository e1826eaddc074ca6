import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshEmail } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { isInstalled, runProgram } from "../support/foreign.ts";

const python = process.env.OSTIARY_TEST_PYTHON ?? "python3";
const installed = await isInstalled(python, ["-c", "import grpc, grpc_tools"]);
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp();
});

afterAll(() => app.stop());

describe.skipIf(!installed)("Python's grpcio", () => {
  test("registers, logs in and checks the session with stubs that it generates itself", async () => {
    const stubs = await mkdtemp(join(tmpdir(), "ostiary-python-"));
    try {
      // All of the contract, as somebody would who takes the folder.
      const files = (await readdir("proto/ostiary", { recursive: true }))
        .filter((name) => name.endsWith(".proto"))
        .map((name) => `ostiary/${name}`);
      const generated = await runProgram(python, [
        ...["-m", "grpc_tools.protoc", "-Iproto"],
        ...[`--python_out=${stubs}`, `--grpc_python_out=${stubs}`, "buf/validate/validate.proto", ...files],
      ]);
      expect(generated.stderr).toBe("");
      const journey = await runProgram(
        python,
        [resolve("test/foreign/clients/journey.py"), new URL(app.localUrl).host, freshEmail()],
        { env: { PYTHONPATH: stubs } },
      );
      expect(journey.stderr).toBe("");
      expect(journey.stdout.trim()).toBe("the journey is complete");
    } finally {
      await rm(stubs, { recursive: true });
    }
  });
});
