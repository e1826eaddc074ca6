import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, request as passOn } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { selfSignedCertificate } from "../support/certificate.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { type MailServer, startMailServer } from "../support/mail-server.ts";
import { freePort } from "../support/passkeys.ts";
import { administer } from "../support/postgres.ts";
import { runInProcess, startOstiary } from "./run-ostiary.ts";

/** What the front door does beside passing everything on. */
let tamper: { readonly answer?: Readonly<Record<string, string>>; readonly refuseOptions?: boolean } = {};

let directory: string;
let database: TestDatabase;
let mail: MailServer;
let front: ReturnType<typeof createServer>;
let frontUrl: string;
let server: ReturnType<typeof startOstiary>;
let publicPort: number;

/** A set-up in which all is well, with a door in front that passes everything on as it is. */
const settings = (change: object = {}) => ({
  server: { public: { port: 0 }, admin: { port: 0 } },
  database: { url: database.url, pool_size: 8 },
  secrets: { sealing: ["s".repeat(32)] },
  tenant_defaults: {
    public_url: frontUrl,
    allowed_origins: ["http://127.0.0.1:5173"],
    courier: {
      from_address: "no-reply@example.com",
      email: { smtp: { url: `smtp://ada:correct@127.0.0.1:${mail.port}` } },
    },
  },
  ...change,
});

async function configure(change: object = {}): Promise<string> {
  const file = join(directory, `ostiary-${Math.random()}.yaml`);
  await writeFile(file, stringify(settings(change)), { mode: 0o600 });
  return file;
}

/** Runs the doctor, and gives its lines by part: `ok`, `LOOK` or `WRONG`, with text and remedy. */
async function examine(change: object = {}) {
  const file = await configure(change);
  const { code, stdout, stderr } = await runInProcess(["doctor", "--config", file], { directory });
  const findings = [...stdout.matchAll(/^(ok|LOOK|WRONG) +(\w+) +(.*)\n(?: +-> (.*)\n)?/gm)].map(
    ([, state, part, text, remedy]) => ({ state, part, text, remedy }),
  );
  return {
    code,
    stdout,
    stderr,
    findings,
    of: (part: string) => findings.find((each) => each.part === part),
  };
}

const listening = (server_: {
  listen(port: number, host: string, done: () => void): unknown;
  address(): unknown;
}) =>
  new Promise<number>((resolve) =>
    server_.listen(0, "127.0.0.1", () => resolve((server_.address() as AddressInfo).port)),
  );

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ostiary-doctor-"));
  database = await createTestDatabase();
  mail = await startMailServer({
    hideSTARTTLS: true,
    allowInsecureAuth: true,
    onAuth: ({ username, password }, _session, callback) =>
      password === "correct"
        ? callback(null, { user: username ?? "" })
        : callback(new Error("Invalid username or password")),
  });
  front = createServer((request, response) => {
    if (tamper.refuseOptions && request.method === "OPTIONS") return void response.writeHead(405).end();
    const { url: path, method, headers } = request;
    const upstream = passOn({ host: "127.0.0.1", port: publicPort, path, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...tamper.answer });
      answer.pipe(response);
    });
    upstream.on("error", () => response.destroy());
    request.pipe(upstream);
  });
  frontUrl = `http://127.0.0.1:${await listening(front)}`;
  publicPort = await freePort();
  const words = ["serve", "--config", await configure(), "--public-port", String(publicPort)];
  server = startOstiary(words, { directory });
  await server.output("CreateRegistrationFlow");
});

afterEach(async () => {
  tamper = {};
  vi.useRealTimers();
});

afterAll(async () => {
  server.process.kill("SIGTERM");
  await server.finished;
  await new Promise((resolve) => front.close(resolve));
  await mail.close();
  await database.drop();
  await rm(directory, { recursive: true });
});

describe("ostiary doctor", () => {
  test("says of each part that it is good where all is well", async () => {
    const { code, findings, stdout } = await examine();
    expect(findings.map(({ part, state }) => `${part} ${state}`)).toEqual([
      "configuration ok",
      "database ok",
      "clock ok",
      "mail ok",
      "https ok",
      "proxies ok",
      "origins ok",
    ]);
    expect(stdout).not.toContain("->");
    expect(code).toBe(0);
    // Looking at it sends nothing.
    expect(mail.mails).toEqual([]);
  });

  test("names each problem of a configuration that cannot be used", async () => {
    const { code, of } = await examine({ secrets: { sealing: ["short"] } });
    expect(of("configuration")).toMatchObject({
      state: "WRONG",
      text: expect.stringContaining("secrets.sealing"),
    });
    expect(code).toBe(1);
  });

  test.each([
    ["that is away", { url: "postgresql://u:hunter2@127.0.0.1:1/db" }, "refuses connections: is it running?"],
    ["of which a process takes too much", { pool_size: 500 }, "connections, and a process takes up to 500"],
  ])("names a database %s", async (_, change, text) => {
    const { code, of, stdout } = await examine({ database: { url: database.url, ...change } });
    expect(of("database")).toMatchObject({ state: "WRONG", text: expect.stringContaining(text) });
    expect(of("database")?.remedy).toContain("database.");
    expect(stdout).not.toContain("hunter2");
    expect(code).toBe(1);
  });

  test("names a database that is read-only, and one that is not migrated", async () => {
    const other = await createTestDatabase();
    const name = new URL(other.url).pathname.slice(1);
    try {
      await administer(other.url, (query) =>
        query("DELETE FROM ostiary.migration WHERE name LIKE '%provider-sessions'"),
      );
      const pending = await examine({ database: { url: other.url, pool_size: 8 } });
      expect(pending.of("database")).toMatchObject({
        state: "LOOK",
        remedy: expect.stringContaining("ostiary migrate"),
      });
      expect(pending.code).toBe(0);
      await administer(other.url, (query) =>
        query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`),
      );
      const readOnly = await examine({ database: { url: other.url, pool_size: 8 } });
      expect(readOnly.of("database")).toMatchObject({
        state: "WRONG",
        text: expect.stringContaining("it is read-only"),
      });
      expect(readOnly.code).toBe(1);
    } finally {
      await other.drop();
    }
  });

  test("names a clock that is off", async () => {
    // It stands still from now on, so what the doctor sees is a little less than an hour.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
    const { code, of } = await examine();
    expect(of("clock")).toMatchObject({ state: "WRONG", remedy: expect.stringContaining("NTP") });
    expect(of("clock")?.text).toMatch(/^is 3(5\d\d\.\d|600\.0) s ahead of the database's$/);
    expect(code).toBe(1);
  });

  test.each([
    ["refuses the password", () => `smtp://ada:wrong@127.0.0.1:${mail.port}`, "Correct user and password"],
    ["is not there", () => "smtp://ada:correct@127.0.0.1:1", "Correct host and port"],
  ])("names a mail server that %s", async (_, url, remedy) => {
    const { code, of, stdout } = await examine({
      tenant_defaults: {
        public_url: frontUrl,
        courier: { from_address: "no-reply@example.com", email: { smtp: { url: url() } } },
      },
    });
    expect(of("mail")).toMatchObject({ state: "WRONG", remedy: expect.stringContaining(remedy) });
    expect(stdout).not.toMatch(/ada:|wrong@/);
    expect(code).toBe(1);
  });

  test("names what answers in the place of the server, and a certificate that is refused", async () => {
    const stranger = createServer((_request, response) => response.end("<title>Welcome to nginx</title>"));
    const tls = createTlsServer(selfSignedCertificate(), (_request, response) => response.end());
    const urls = [
      [`http://127.0.0.1:${await listening(stranger)}`, "something else answers", "let the proxy pass"],
      [`https://localhost:${await listening(tls)}`, "has a certificate that is refused", "Renew it"],
      ["http://127.0.0.1:1", "nothing answers", "Start the server"],
    ] as const;
    for (const [url, text, remedy] of urls) {
      const { code, of } = await examine({
        tenant_defaults: { ...settings().tenant_defaults, public_url: url },
      });
      expect(of("https")).toMatchObject({
        state: "WRONG",
        text: expect.stringContaining(text),
        remedy: expect.stringContaining(remedy),
      });
      expect(of("origins")?.state).toBe("LOOK");
      expect(code).toBe(1);
    }
    await Promise.all([stranger, tls].map((each) => new Promise((resolve) => each.close(resolve))));
  });

  test("names a proxy that is not listed, one that is listed and not there, and a list of everybody", async () => {
    tamper = { answer: { via: "1.1 cache" } };
    const unlisted = await examine();
    expect(unlisted.of("proxies")).toMatchObject({
      state: "WRONG",
      remedy: expect.stringContaining("trusted_proxies"),
    });
    expect(unlisted.code).toBe(1);
    tamper = {};
    const listed = (...trusted: string[]) =>
      examine({ server: { public: { port: 0 }, admin: { port: 0 }, trusted_proxies: trusted } });
    expect((await listed("10.1.2.3")).of("proxies")?.state).toBe("LOOK");
    const everybody = (await listed("10.1.2.3", "128.0.0.0/1")).of("proxies");
    expect(everybody).toMatchObject({ state: "WRONG", text: expect.stringContaining("128.0.0.0/1") });
    tamper = { answer: { via: "1.1 cache" } };
    expect((await listed("10.1.2.3")).of("proxies")?.state).toBe("ok");
  });

  test("names origins that a proxy adds or refuses", async () => {
    tamper = { answer: { "access-control-allow-origin": "*" } };
    const added = await examine();
    expect(added.of("origins")).toMatchObject({
      state: "WRONG",
      text: expect.stringContaining("every origin"),
    });
    tamper = { refuseOptions: true };
    const refused = await examine();
    expect(refused.of("origins")).toMatchObject({
      state: "WRONG",
      text: expect.stringContaining("is refused"),
    });
    expect([added.code, refused.code]).toEqual([1, 1]);
  });
});
