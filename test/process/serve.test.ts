import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createTestDatabase } from "../support/database.ts";
import { runProgram } from "../support/foreign.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";

let folder: string;
let data: string;
const running: ServerProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ostiary-serve-"));
  data = join(folder, "data");
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.end("SIGTERM")));
  await rm(folder, { recursive: true, force: true });
});

async function serve(args: readonly string[] = [], env: Record<string, string> = {}): Promise<ServerProcess> {
  const server = await startServerProcess(["--data-directory", data, ...args], env);
  running.push(server);
  return server;
}

async function createIdentity(server: ServerProcess, email: string, key: string): Promise<number> {
  const response = await fetch(`${server.adminUrl}/ostiary.identity.v1.IdentityService/CreateIdentity`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ traits: { email } }),
  });
  return response.status;
}

const adminKey = async () => (await readFile(join(data, "admin-api-key"), "utf8")).trim();

describe("ostiary serve with nothing configured", () => {
  test("makes the first admin key once, for its owner only, and keeps data over a restart", async () => {
    const first = await serve();
    const keyFile = join(data, "admin-api-key");
    expect(((await stat(keyFile)).mode & 0o777).toString(8)).toBe("600");
    // Nobody else may list or change the directory; as root, PostgreSQL's own user passes through it.
    expect(((await stat(data)).mode & 0o066).toString(8)).toBe("0");
    expect(first.output()).toContain("admin-api-key");
    // Not a terminal: the key itself is not printed, nor logged (ASVS V16.2.5).
    const key = await adminKey();
    expect(first.output() + first.log()).not.toContain(key);
    expect(await createIdentity(first, "keep@example.com", key)).toBe(200);
    expect(await first.end("SIGINT")).toBe(0);

    const second = await serve();
    expect(await adminKey()).toBe(key);
    expect(await createIdentity(second, "keep@example.com", key)).toBe(409);
  });

  test("recovers from kill -9, without losing what was acknowledged", async () => {
    const first = await serve();
    const key = await adminKey();
    expect(await createIdentity(first, "survivor@example.com", key)).toBe(200);
    await first.end("SIGKILL");
    const second = await serve();
    expect(await createIdentity(second, "survivor@example.com", key)).toBe(409);
  });

  test("refuses a data directory that another server uses, in one line, and leaves that one alone", async () => {
    const first = await serve();
    const second = await runProgram("bin/ostiary", ["serve", "--data-directory", data, "--public-port", "0"]);
    expect(second.failed).toBe(true);
    expect(second.stderr.trim().split("\n").length).toBe(1);
    expect(second.stderr).toContain("is already in use by process");
    expect(await createIdentity(first, "alone@example.com", await adminKey())).toBe(200);
  });
});

/** What was printed for people: standard error without the lines of the log, which are JSON. */
function plainLines(stderr: string): string[] {
  return stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
}

// One request could end the server by a promise that nobody waited for.
test("security rule (SR-INPUT-2): a rejection that nobody handled is logged, and the server goes on", async () => {
  const stray = "process.on('SIGUSR2', () => { Promise.reject(new Error('stray')) })";
  const database = await createTestDatabase();
  const server = await serve(["--database-url", database.url], {
    OSTIARY_SECRETS_SEALING: "x".repeat(32),
    NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(stray)}`,
  });
  server.child.kill("SIGUSR2");
  await vi.waitUntil(() => server.log().includes("stray"), 10_000);
  expect((await fetch(`${server.publicUrl}/health/ready`)).status).toBe(200);
  expect(server.log()).toContain("a rejection that nobody handled");
  expect(await server.end("SIGTERM")).toBe(0);
  await database.drop();
});

describe("ostiary serve says in one line", () => {
  const failure = async (args: readonly string[], env: Record<string, string> = {}) => {
    const result = await runProgram("bin/ostiary", ["serve", "--data-directory", data, ...args], { env });
    expect(result.failed).toBe(true);
    expect(plainLines(result.stderr)).toHaveLength(1);
    return result.stderr;
  };

  test("that a data directory cannot be used", async () => {
    const result = await runProgram("bin/ostiary", ["serve", "--data-directory", "/proc/ostiary"]);
    expect(result.failed).toBe(true);
    expect(result.stderr.trim().split("\n")).toHaveLength(1);
    expect(result.stderr).toContain("/proc/ostiary");
  });

  test("that the admin API would be open without TLS", async () => {
    expect(await failure([], { OSTIARY_SERVER_ADMIN_HOST: "0.0.0.0" })).toContain("server.admin");
  });
});
