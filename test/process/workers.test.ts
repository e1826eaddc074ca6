import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, request as requestHttp } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ConnectError, createClient } from "@connectrpc/connect";
import { credentials, Client as GrpcClient } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { Health, HealthCheckResponse_ServingStatus } from "../../gen/grpc/health/v1/health_pb.js";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { transportOf } from "../support/app.ts";
import { Caller, resultOf, tokenIn } from "../support/caller.ts";
import {
  type CertificateFiles,
  type CertificateFolder,
  makeCertificateFolder,
} from "../support/certificates.ts";
import { workersOf } from "../support/child-processes.ts";
import { createServerDatabase, type TestDatabase } from "../support/database.ts";
import { isInstalled, runProgram } from "../support/foreign.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";

const count = 3;
const cheap = {
  OSTIARY_DEV: "true",
  OSTIARY_SECRETS_SEALING: "s".repeat(32),
  OSTIARY_TENANT_DEFAULTS_THROTTLE_ENABLED: "false",
  OSTIARY_TENANT_DEFAULTS_PASSWORD_ARGON2_MEMORY_KIB: "64",
  OSTIARY_TENANT_DEFAULTS_PASSWORD_ARGON2_ITERATIONS: "1",
};

const running: ServerProcess[] = [];
async function start(args: readonly string[] = [], env: Record<string, string> = {}): Promise<ServerProcess> {
  const server = await startServerProcess(["--workers", String(count), ...args], { ...cheap, ...env });
  running.push(server);
  return server;
}
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.end("SIGTERM")));
});

const callerOf = ({ publicUrl, adminUrl }: ServerProcess) => new Caller({ publicUrl, adminUrl, apiKey: "" });
const workers = ({ child }: ServerProcess) => workersOf(child.pid);
const logged = (server: ServerProcess, text: string, timeout = 60_000) =>
  vi.waitUntil(() => server.log().includes(text), { timeout, interval: 50 });

interface Readiness {
  readonly status: string;
  readonly components: Readonly<Record<string, boolean>>;
}
const readiness = async ({ publicUrl }: ServerProcess): Promise<Readiness> => {
  // Over a connection of its own: one that was kept may be that of a worker that was killed.
  const answer = await fetch(`${publicUrl}/health/ready`, { headers: { connection: "close" } });
  return (await answer.json()) as Readiness;
};
/** Waits until all workers serve, or one does not. A worker may be killed with a connection that it has just taken. */
const allServe = (server: ServerProcess, expected = true) =>
  vi.waitUntil(
    async () => (await readiness(server).catch(() => undefined))?.components.workers === expected,
    { timeout: 60_000, interval: 50 },
  );

/** Waits until somebody else serves in the place of a worker that was killed. */
async function replaced(server: ServerProcess, victim: number): Promise<void> {
  // All workers have been told of the end before another one is started.
  await vi.waitUntil(
    async () => {
      const pids = await workers(server);
      return pids.length === count && !pids.includes(victim);
    },
    { timeout: 60_000, interval: 50 },
  );
  await allServe(server);
}

/** Registers people without pause until it is told to stop, or its connection breaks. Notes those that were acknowledged. */
async function register(
  server: ServerProcess,
  acknowledged: string[],
  stopped: () => boolean,
): Promise<void> {
  const caller = callerOf(server);
  while (!stopped()) {
    const email = freshEmail();
    const result = resultOf(await caller.register(email));
    if (result !== "completed") throw new Error(`a registration was ${result}`);
    acknowledged.push(email);
  }
}

/** Those of the people who cannot log in. */
async function lostOf(server: ServerProcess, people: readonly string[]): Promise<readonly string[]> {
  const caller = callerOf(server);
  const results = [];
  for (const email of people)
    results.push([email, resultOf(await caller.logIn(email, goodPassword))] as const);
  return results.flatMap(([email, result]) => (result === "completed" ? [] : [email]));
}

describe.runIf(process.platform === "linux")("a server of three workers", { timeout: 120_000 }, () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createServerDatabase();
  });
  afterAll(() => database.drop());
  const serve = (args: readonly string[] = [], env: Record<string, string> = {}) =>
    start(args, { OSTIARY_DATABASE_URL: database.url, ...env });

  test("loses nothing that was acknowledged when one is killed under load, others answer, and it is started again", async () => {
    const server = await serve();
    const before = await workers(server);
    expect(before).toHaveLength(count);
    const acknowledged: string[] = [];
    let over = false;
    const writers = Array.from({ length: 6 }, () => register(server, acknowledged, () => over));
    const ends = Promise.allSettled(writers);
    await vi.waitUntil(() => acknowledged.length >= 12, { timeout: 60_000 });
    const [victim = 0] = before;
    process.kill(victim, "SIGKILL");
    const atKill = acknowledged.length;
    await vi.waitUntil(() => acknowledged.length >= atKill + 12, { timeout: 60_000 });
    over = true;
    for (const end of await ends) {
      // Nothing but the end of their connection told them so.
      if (end.status === "rejected") expect(String(end.reason)).toContain("TypeError");
    }
    await replaced(server, victim);
    const after = await workers(server);
    expect(after).toHaveLength(count);
    expect(after).not.toContain(victim);
    expect(after).toEqual(expect.arrayContaining(before.slice(1)));
    expect(server.log()).toContain('"error":"it ended with SIGKILL"');
    expect(await lostOf(server, acknowledged)).toEqual([]);
    expect(await server.end("SIGTERM")).toBe(0);
  });

  test("is ready without one of them, and says that it is not there", async () => {
    const server = await serve();
    await allServe(server);
    const [victim = 0] = await workers(server);
    process.kill(victim, "SIGKILL");
    await allServe(server, false);
    expect((await readiness(server)).status).toBe("ready");
    await allServe(server);
  });

  test("answers every call under way at SIGTERM, tells streams that it stops, and ends with 0", async () => {
    const server = await serve();
    const acknowledged: string[] = [];
    const writers = Promise.allSettled(
      Array.from({ length: 6 }, () => register(server, acknowledged, () => false)),
    );
    const streams = await Promise.all(Array.from({ length: 6 }, () => watchHealth(server)));
    await vi.waitUntil(() => acknowledged.length >= 12, { timeout: 60_000 });
    const pids = await workers(server);
    expect(await server.end("SIGTERM")).toBe(0);
    // A call was answered, or never taken: no connection is there any more.
    for (const end of await writers)
      if (end.status === "rejected") expect(String(end.reason)).toContain("fetch failed");
    for (const { ended } of streams) expect(await ended).toBe("SERVER_STOPPING");
    await expect(fetch(server.publicUrl)).rejects.toThrow("fetch failed");
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
    const next = await serve();
    expect(await lostOf(next, acknowledged)).toEqual([]);
  });

  test("replaces all of them at SIGUSR2 under load, and refuses no call", async () => {
    const server = await serve();
    const before = await workers(server);
    const caller = callerOf(server);
    const email = freshEmail();
    const token = tokenIn(await caller.register(email));
    let over = false;
    const answers = new Map<string, number>();
    const note = (answer: string) => answers.set(answer, (answers.get(answer) ?? 0) + 1);
    const until = async (call: () => Promise<string>) => {
      while (!over) note(await call().catch((error: unknown) => `${error}`));
    };
    const kept = new Agent({ keepAlive: true });
    const fresh = new Agent({ keepAlive: false });
    // It obeys GOAWAY, and sends again what HTTP/2 says was not taken. Connect's client of Node does not.
    const grpc = new GrpcClient(new URL(server.publicUrl).host, credentials.createInsecure());
    const load = [
      ...Array.from({ length: 4 }, () => until(() => check(server, kept, token))),
      ...Array.from({ length: 2 }, () => until(() => check(server, fresh, token))),
      until(async () => `${(await caller.check(token)).status}`),
      until(() => beginByGrpc(grpc)),
      until(() => beginByGrpc(grpc)),
      until(async () => resultOf(await callerOf(server).register(freshEmail()))),
    ];
    await vi.waitUntil(() => (answers.get("200") ?? 0) > 100, { timeout: 60_000 });
    server.child.kill("SIGUSR2");
    await logged(server, "all workers were replaced");
    over = true;
    await Promise.all(load);
    kept.destroy();
    grpc.close();
    process.stdout.write(`${JSON.stringify([...answers])}\n`);
    expect(new Set(answers.keys())).toEqual(new Set(["200", "completed", "begun"]));
    const after = await workers(server);
    expect(after).toHaveLength(count);
    expect(after.filter((pid) => before.includes(pid))).toEqual([]);
    expect((await readiness(server)).components.workers).toBe(true);
    // Those are kept running as well.
    process.kill(after[0] ?? 0, "SIGKILL");
    await replaced(server, after[0] ?? 0);
  });

  test("takes a new configuration at SIGUSR2; a broken one replaces nobody", async () => {
    const folder = await mkdtemp(join(tmpdir(), "ostiary-workers-"));
    const file = join(folder, "ostiary.yaml");
    const write = (config: object) => writeFile(file, stringify(config));
    try {
      await write({ tenant_defaults: { branding: { name: "Before" } } });
      const server = await serve(["--config", file]);
      const before = await workers(server);
      await write({ tenant_defaults: { branding: { nam: "Broken" } } });
      server.child.kill("SIGUSR2");
      await logged(server, "not restarted: ");
      expect(server.log()).toContain("nam");
      // One that dies now comes back with the configuration of the others.
      process.kill(before[0] ?? 0, "SIGKILL");
      await replaced(server, before[0] ?? 0);
      expect(await workers(server)).toEqual(expect.arrayContaining(before.slice(1)));

      await write({ database: { data_directory: join(folder, "elsewhere") } });
      server.child.kill("SIGUSR2");
      await logged(server, "not restarted: database.data_directory cannot change while the server runs");
      await write({ tenant_defaults: { branding: { name: "After" } } });
      server.child.kill("SIGUSR2");
      await logged(server, "all workers were replaced");
      const names = await Promise.all(Array.from({ length: 12 }, () => nameOf(server)));
      expect(new Set(names)).toEqual(new Set(["After"]));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("shows the figures of all workers as those of one server, and keeps them when one is replaced or dies", async () => {
    const server = await serve();
    await allServe(server);
    const { publicUrl } = server;
    const token = `ost_ses_default_${"a".repeat(49)}`;
    const fresh = new Agent({ keepAlive: false });
    for (let index = 0; index < 30; index++) await check(server, fresh, token);
    const series =
      'rpc_server_call_duration_seconds_count{rpc_system_name="connectrpc",rpc_method="ostiary.session.v1.SessionService/CheckSession",rpc_status_code="unauthenticated"}';
    const figure = async (name: string) => {
      // Over a connection of its own: whichever worker is asked.
      const page = await fetch(`${server.adminUrl}/metrics`, { headers: { connection: "close" } });
      const line = (await page.text()).split("\n").find((each) => each.startsWith(`${name} `));
      return Number(line?.slice(name.length + 1));
    };
    for (let index = 0; index < 6; index++) expect(await figure(series)).toBe(30);
    expect(await figure("ostiary_workers_serving")).toBe(count);
    expect(await figure("ostiary_workers_wanted")).toBe(count);
    expect(await figure("ostiary_database_up")).toBe(1);
    // Divided among them.
    for (const lane of ["sign_in", "operator"]) {
      expect(await figure(`ostiary_hash_waiting_limit{lane="${lane}"}`)).toBe(100);
    }
    expect(await figure('db_client_connection_max{db_client_connection_pool_name="calls"}')).toBe(count * 10);

    const [victim = 0] = await workers(server);
    process.kill(victim, "SIGKILL");
    await replaced(server, victim);
    expect(await figure(series)).toBe(30);
    await check(server, fresh, token);
    server.child.kill("SIGUSR2");
    await logged(server, "all workers were replaced");
    expect(await figure(series)).toBe(31);
    expect((await fetch(`${publicUrl}/health/ready`)).status).toBe(200);
  });

  test("cuts off what is left at a second signal, with all of them", async () => {
    const server = await serve([], { OSTIARY_SERVER_SHUTDOWN_TIMEOUT: "1h" });
    const pids = await workers(server);
    // Half a request keeps its worker from ending.
    const { hostname, port } = new URL(server.publicUrl);
    const held = requestHttp({
      hostname,
      port,
      method: "POST",
      path: "/ostiary.session.v1.SessionService/CheckSession",
    });
    held.on("error", () => {});
    held.write("{");
    await once(held, "socket");
    server.child.kill("SIGTERM");
    await vi.waitUntil(() => server.output().includes("Stopping"), 10_000);
    expect(await server.end("SIGTERM")).toBe(130);
    const isGone = (pid: number) => {
      try {
        return !process.kill(pid, 0);
      } catch {
        return true;
      }
    };
    await vi.waitUntil(() => pids.every(isGone), 10_000);
  });

  test("does not start at a port that is in use, and says so in one line", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const args = ["serve", "--workers", "2", "--public-port", String(port), "--admin-port", "0"];
    const env = { ...cheap, OSTIARY_DATABASE_URL: database.url };
    const result = await runProgram("bin/ostiary", args, { env });
    other.close();
    expect(result.failed).toBe(true);
    const lines = result.stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
    expect(lines).toEqual([expect.stringMatching(new RegExp(`port ${port} .* is already in use`))]);
  });

  test("is refused without a secret that all of them share", async () => {
    const args = ["config", "check", "--workers", "2", "--dev"];
    const result = await runProgram("bin/ostiary", args, { env: { OSTIARY_DATABASE_URL: database.url } });
    expect(result.failed).toBe(true);
    expect(result.stderr).toContain("secrets.sealing");
    expect(result.stderr).toContain("server.workers");
  });
});

test("a server alone stays as it is at SIGUSR2, and says why", async () => {
  const database = await createServerDatabase();
  const server = await startServerProcess([], { ...cheap, OSTIARY_DATABASE_URL: database.url });
  running.push(server);
  server.child.kill("SIGUSR2");
  await logged(server, "not restarted: there are no workers to replace one by one (server.workers)");
  expect((await fetch(`${server.publicUrl}/health/ready`)).status).toBe(200);
  expect(await server.end("SIGTERM")).toBe(0);
  await database.drop();
});

describe.runIf(process.platform === "linux")(
  "workers of a server with a database of its own",
  { timeout: 120_000 },
  () => {
    test("leave it to their parent: it survives each of them, and ends after the last", async () => {
      const data = await mkdtemp(join(tmpdir(), "ostiary-workers-"));
      try {
        // At ports of its own, which the system knows again as soon as one worker is back.
        const ports = ["--public-port", String(await freePort()), "--admin-port", String(await freePort())];
        const server = await start(["--data-directory", data, ...ports]);
        const caller = callerOf(server);
        const email = freshEmail();
        expect(resultOf(await caller.register(email))).toBe("completed");
        for (const pid of await workers(server)) process.kill(pid, "SIGKILL");
        await vi.waitUntil(async () => (await workers(server)).length === count, 60_000);
        const answers = () =>
          fetch(server.publicUrl).then(
            () => true,
            () => false,
          );
        await vi.waitUntil(answers, { timeout: 60_000, interval: 50 });
        await allServe(server);
        expect(await lostOf(server, [email])).toEqual([]);

        // The mailbox is one, whichever worker is asked: a link opens it once.
        const { stdout } = await runProgram("bin/ostiary", ["mailbox", "--link", "--data-directory", data]);
        const link = stdout.trim();
        const statuses = [];
        for (let index = 0; index < 6; index++) {
          const answer = await fetch(link, { redirect: "manual", headers: { connection: "close" } });
          statuses.push(answer.headers.has("set-cookie"));
        }
        expect(statuses).toEqual([true, false, false, false, false, false]);
        expect(await server.end("SIGTERM")).toBe(0);
        expect(server.log()).not.toContain('"level":"error","message":"the embedded');
        const again = await start(["--data-directory", data]);
        expect(await lostOf(again, [email])).toEqual([]);
        expect(await again.end("SIGTERM")).toBe(0);
      } finally {
        await rm(data, { recursive: true, force: true });
      }
    });
  },
);

const withOpenssl = await isInstalled("openssl", ["version"]);
describe.runIf(withOpenssl)("workers with TLS", { timeout: 120_000 }, () => {
  let folder: CertificateFolder;
  let database: TestDatabase;
  let files: CertificateFiles;
  let authority: CertificateFiles;
  beforeAll(async () => {
    database = await createServerDatabase();
    folder = await makeCertificateFolder();
    authority = await folder.authority("authority");
    files = await folder.issue({ name: "first", authority, names: "IP:127.0.0.1" });
  });
  afterAll(async () => {
    await folder.remove();
    await database.drop();
  });

  test("have new certificates at SIGHUP, all of them, and keep the old ones if one cannot be used", async () => {
    const file = join(folder.path, "ostiary.yaml");
    const tls = { certificate_file: files.certificate, key_file: files.key };
    const sealing = join(folder.path, "sealing");
    await writeFile(sealing, "a".repeat(32), { mode: 0o600 });
    const config = { server: { public: { tls } }, secrets: { sealing: [{ file: sealing }] } };
    await writeFile(file, stringify(config));
    const { OSTIARY_SECRETS_SEALING: _, ...env } = cheap;
    const server = await startServerProcess(["--workers", String(count), "--config", file], {
      ...env,
      OSTIARY_DATABASE_URL: database.url,
    });
    running.push(server);
    const first = await serialsOf(server);
    expect(first.size).toBe(1);

    const second = await folder.issue({ name: "second", authority, names: "IP:127.0.0.1" });
    await folder.replace(files, { certificate: second.certificate, key: authority.key });
    server.child.kill("SIGHUP");
    await logged(server, "not reloaded: ");
    expect(await serialsOf(server)).toEqual(first);

    await folder.replace(files, second);
    server.child.kill("SIGHUP");
    await logged(server, "were read again");
    const renewed = await serialsOf(server);
    expect(renewed.size).toBe(1);
    expect(renewed).not.toEqual(first);

    // Nothing of a configuration that is broken elsewhere.
    const third = await folder.issue({ name: "third", authority, names: "IP:127.0.0.1" });
    await folder.replace(files, third);
    await writeFile(file, stringify({ ...config, unknown: true }));
    server.child.kill("SIGHUP");
    await logged(server, "unknown");
    expect(await serialsOf(server)).toEqual(renewed);
  });

  /** The certificates that many connections are shown: each worker takes some of them. */
  async function serialsOf({ publicUrl }: ServerProcess): Promise<Set<string>> {
    const { port } = new URL(publicUrl);
    const serials = Array.from({ length: 40 }, async () => {
      const socket = connectTls({ host: "127.0.0.1", port: Number(port), rejectUnauthorized: false });
      await once(socket, "secureConnect");
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      return serialNumber;
    });
    return new Set(await Promise.all(serials));
  }
});

/** A port that nobody had a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Checks a session, and gives the status. */
function check({ publicUrl }: ServerProcess, agent: Agent, token: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = requestHttp(`${publicUrl}/ostiary.session.v1.SessionService/CheckSession`, {
      agent,
      method: "POST",
      headers: { "content-type": "application/json" },
    });
    call.on("response", (response) => {
      response.resume();
      response.on("end", () => resolve(String(response.statusCode)));
      response.on("error", reject);
    });
    call.on("error", reject);
    call.end(JSON.stringify({ token }));
  });
}

/** Begins a registration. */
function beginByGrpc(client: GrpcClient): Promise<string> {
  const { createRegistrationFlow: method } = RegistrationService.method;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      `/${method.parent.typeName}/${method.name}`,
      () => Buffer.from(toBinary(method.input, create(method.input, { client: ClientKind.NATIVE }))),
      (bytes: Buffer) => fromBinary(method.output, bytes),
      {},
      (error, answer) => {
        if (error !== null) reject(error);
        else resolve(answer?.flow === undefined ? "no flow" : "begun");
      },
    );
  });
}

/** What the server calls itself, asked over a connection of its own. */
async function nameOf({ publicUrl }: ServerProcess): Promise<string> {
  const answer = await fetch(`${publicUrl}/ostiary.flow.v1.FlowService/GetTenantProfile`, {
    method: "POST",
    headers: { "content-type": "application/json", connection: "close" },
    body: "{}",
  });
  const { profile } = (await answer.json()) as { profile?: { branding?: { name?: string } } };
  return profile?.branding?.name ?? "";
}

/** A stream that waits for news of the server's health. */
async function watchHealth({ publicUrl }: ServerProcess): Promise<{ readonly ended: Promise<string> }> {
  const health = createClient(Health, transportOf("gRPC", publicUrl, undefined));
  const opened = Promise.withResolvers<void>();
  const ended = (async () => {
    try {
      for await (const { status } of health.watch({})) {
        if (status === HealthCheckResponse_ServingStatus.SERVING) opened.resolve();
      }
      return "quietly";
    } catch (error) {
      opened.reject(error);
      const refused = ConnectError.from(error);
      return refused.findDetails(ErrorInfoSchema)[0]?.reason ?? refused.message;
    }
  })();
  await opened.promise;
  return { ended };
}
