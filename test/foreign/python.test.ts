import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshEmail } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { isInstalled, outputOf } from "../support/foreign.ts";

const python = process.env.OSTIARY_TEST_PYTHON ?? "python3";
const installed = await isInstalled(python, ["-c", "import connectrpc, grpc, grpc_status, grpc_tools"]);
const timeoutMs = 240_000;
// The plugins are beside the interpreter.
const env = { PATH: `${dirname(python)}:${process.env.PATH}` };
let app: TestApp;
let folder: string;

/** Stubs for grpcio, made by the commands of the docs. */
async function makeGrpcStubs(name: string): Promise<string> {
  const text = await readFile("docs/clients.md", "utf8");
  const [, commands = ""] = /```sh\n([^`]*grpc_tools\.protoc[^`]*)```/.exec(text) ?? [];
  await outputOf("sh", ["-ec", commands.replaceAll("stubs", name)], { cwd: folder, env });
  return join(folder, name);
}

const run = (program: string, args: readonly string[], pythonPath = "") =>
  outputOf(python, [join(folder, program), ...args], { env: { PYTHONPATH: pythonPath }, timeoutMs });

describe.skipIf(!installed)("Python", () => {
  let grpcStubs: string;
  const host = () => new URL(app.localUrl).host;

  beforeAll(async () => {
    app = await startTestApp();
    folder = await mkdtemp(join(tmpdir(), "ostiary-python-"));
    await cp("test/foreign/clients/python", folder, { recursive: true });
    await symlink(resolve("proto"), join(folder, "proto"));
    grpcStubs = await makeGrpcStubs("stubs");
    // Those for Connect, in the package `gen`.
    await outputOf(resolve("node_modules/.bin/buf"), ["generate", resolve("proto")], { cwd: folder, env });
  }, timeoutMs);

  afterAll(async () => {
    await rm(folder, { recursive: true });
    await app.stop();
  });

  test("with grpcio registers, logs in and checks the session", { timeout: timeoutMs }, async () => {
    expect(await run("grpc_journey.py", [host(), freshEmail()], grpcStubs)).toBe("the journey is complete");
  });

  test("with Connect does the same over Connect, gRPC and gRPC-Web", { timeout: timeoutMs }, async () => {
    const emails = [freshEmail(), freshEmail(), freshEmail()];
    expect(await run("connect_journey.py", [app.localUrl, ...emails])).toBe("the journeys are complete");
  });

  // Google's Protobuf has one registry for a process: two options with one number, or two files of one name that differ, end it.
  test("has both in one process, twice, beside the options of another team", {
    timeout: timeoutMs,
  }, async () => {
    await writeFile(
      join(folder, "private_options.proto"),
      `syntax = "proto3";
      package private;
      import "google/protobuf/descriptor.proto";
      extend google.protobuf.MethodOptions { string required_role = 51900; }`,
    );
    const protoc = ["-m", "grpc_tools.protoc", `-I${folder}`, `--python_out=${folder}`];
    await outputOf(python, [...protoc, "private_options.proto"]);
    const second = await makeGrpcStubs("second");
    const emails = [freshEmail(), freshEmail(), freshEmail(), freshEmail()];
    expect(await run("together.py", [second, host(), ...emails], grpcStubs)).toContain("they live together");
  });
});
