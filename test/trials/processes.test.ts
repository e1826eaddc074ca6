// What operators did to processes: operations/crash_rounds with crash_client, verify_acked, waitready and mailcheck;
// operations/many and multi; operations/term; operations/load and overload.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { bearer, Caller, resultOf, tokenIn } from "../support/caller.ts";
import { childrenOf } from "../support/child-processes.ts";
import { createServerDatabase, createTestDatabase, type TestDatabase } from "../support/database.ts";
import { type MailServer, startMailServer } from "../support/mail-server.ts";
import { administer } from "../support/postgres.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";

const defaults = "OSTIARY_TENANT_DEFAULTS_";
const cheapHashes = {
  [`${defaults}PASSWORD_ARGON2_MEMORY_KIB`]: "64",
  [`${defaults}PASSWORD_ARGON2_ITERATIONS`]: "1",
};
const common = {
  OSTIARY_DEV: "true",
  OSTIARY_SECRETS_SEALING: "s".repeat(32),
  [`${defaults}THROTTLE_ENABLED`]: "false",
};
const mailTo = ({ port }: MailServer) => ({
  [`${defaults}COURIER_FROM_ADDRESS`]: "no-reply@example.com",
  [`${defaults}COURIER_EMAIL_SMTP_URL`]: `smtp://127.0.0.1:${port}`,
});

const running: ServerProcess[] = [];
async function start(args: readonly string[], env: Record<string, string>): Promise<ServerProcess> {
  const server = await startServerProcess(args, env);
  running.push(server);
  return server;
}
const callerOf = ({ publicUrl, adminUrl }: ServerProcess) => new Caller({ publicUrl, adminUrl, apiKey: "" });
const stopAll = () => Promise.all(running.splice(0).map((server) => server.end("SIGTERM")));

/** How often each mail came, by its Message-ID. */
function arrivals({ mails }: MailServer): readonly number[] {
  const counts = new Map<string, number>();
  for (const { source } of mails) {
    const id = /^Message-ID: <(.+)>/im.exec(source)?.[1] ?? "";
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return [...counts.values()];
}

describe("a server with a database of its own that is killed while people register and change passwords", () => {
  let folder: string;
  let mail: MailServer;
  let server: ServerProcess;
  let kills = 0;
  const serve = () => start(["--data-directory", folder], { ...common, ...cheapHashes, ...mailTo(mail) });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "ostiary-crash-"));
    mail = await startMailServer();
    server = await serve();
  });
  afterAll(async () => {
    await stopAll();
    await mail.close();
    await rm(folder, { recursive: true });
  });

  /** The password that was acknowledged last, and one whose change was under way. */
  interface Account {
    acknowledged: string;
    underWay?: string;
  }

  /** Registers and changes passwords until the server is gone. */
  async function write(accounts: Map<string, Account>): Promise<void> {
    const caller = callerOf(server);
    for (;;) {
      const email = freshEmail();
      const registered = await caller.register(email);
      if (resultOf(registered) !== "completed") throw new Error(`a registration was ${resultOf(registered)}`);
      const account: Account = { acknowledged: goodPassword };
      accounts.set(email, account);
      const token = tokenIn(registered);
      const flow = await caller.begin("Settings", bearer(token));
      account.underWay = `${goodPassword}, the next`;
      const changed = await caller.submit(
        "Settings",
        flow,
        { password: { password: account.underWay } },
        bearer(token),
      );
      if (resultOf(changed) !== "saved") throw new Error(`a change was ${resultOf(changed)}`);
      accounts.set(email, { acknowledged: account.underWay });
    }
  }

  async function postmaster(): Promise<number> {
    const [pid] = (await readFile(join(folder, "postgres/postmaster.pid"), "utf8")).split("\n");
    return Number(pid);
  }

  /** Nobody waits for the half minute that the dead workers hold what they were sending. */
  async function endLeases(before: Date): Promise<void> {
    const [, , , , socket = ""] = (await readFile(join(folder, "postgres/postmaster.pid"), "utf8")).split(
      "\n",
    );
    const password = (await readFile(join(folder, "postgres-password"), "utf8")).trim();
    const url = `postgresql://postgres:${password}@localhost/ostiary?host=${encodeURIComponent(socket)}`;
    const end = "UPDATE ostiary.message SET next_attempt_at = $1 WHERE state = 'sending' AND updated_at < $1";
    await administer(url, (query) => query(end, [before]));
  }

  test.runIf(process.platform === "linux").each<[string, () => Promise<number[]>]>([
    ["alone", async () => []],
    ["with PostgreSQL's first process, and started at once", async () => [await postmaster()]],
    [
      "with all of PostgreSQL, as by a power cut",
      async () => {
        const first = await postmaster();
        return [first, ...(await childrenOf(first))];
      },
    ],
  ])(
    "%s has everything that was acknowledged when it is back, and mails it",
    async (_name, find) => {
      const accounts = new Map<string, Account>();
      const before = mail.mails.length;
      const writers = Promise.allSettled(Array.from({ length: 4 }, () => write(accounts)));
      await vi.waitUntil(() => accounts.size >= 12 && mail.mails.length > before, { timeout: 30_000 });
      const others = await find();
      const killed = server.end("SIGKILL");
      for (const pid of others) process.kill(pid, "SIGKILL");
      await killed;
      kills++;
      for (const end of await writers) {
        // Nothing but the end of the connection told them so.
        if (end.status === "rejected") expect(String(end.reason)).toContain("TypeError");
      }

      const restartedAt = new Date();
      server = await serve();
      expect((await fetch(`${server.publicUrl}/health/ready`)).status).toBe(200);
      await endLeases(restartedAt);
      const caller = callerOf(server);
      const lost: string[] = [];
      for (const [email, { acknowledged, underWay }] of accounts) {
        const passwords = underWay === undefined ? [acknowledged] : [underWay, acknowledged];
        const results = await Promise.all(passwords.map((password) => caller.logIn(email, password)));
        if (!results.some((result) => resultOf(result) === "completed")) lost.push(email);
      }
      expect(lost).toEqual([]);
      const mailed = () => new Set(mail.mails.flatMap(({ to }) => to));
      await vi.waitUntil(() => [...accounts.keys()].every((email) => mailed().has(email)), {
        timeout: 45_000,
      });
      // Each of the two workers can die between the server's yes and its note of it, once a kill.
      const doubles = arrivals(mail).reduce((sum, count) => sum + count - 1, 0);
      expect(doubles).toBeLessThanOrEqual(2 * kills);
    },
    90_000,
  );
});

describe("three processes that start at once on one database", { timeout: 90_000 }, () => {
  let database: TestDatabase;
  let mail: MailServer;
  let callers: readonly Caller[];
  const at = (index: number): Caller => {
    const caller = callers[index % callers.length];
    if (caller === undefined) throw new Error("there is no such process");
    return caller;
  };

  beforeAll(async () => {
    database = await createTestDatabase();
    // As empty as a database of PostgreSQL is.
    await administer(database.url, (query) => query("DROP SCHEMA ostiary CASCADE"));
    mail = await startMailServer();
    const env = { ...common, ...cheapHashes, ...mailTo(mail), OSTIARY_DATABASE_URL: database.url };
    callers = (await Promise.all([1, 2, 3].map(() => start([], env)))).map(callerOf);
  });
  afterAll(async () => {
    await stopAll();
    await mail.close();
    await database.drop();
  });

  test("are ready, and have made the schema once", async () => {
    for (const { url } of callers) expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    const rows = await administer(database.url, (query) =>
      query(
        "SELECT (SELECT count(*)::int FROM ostiary.tenant) AS tenants, count(*)::int AS schemas FROM ostiary.identity_schema",
      ),
    );
    expect(rows).toEqual([{ tenants: 1, schemas: 1 }]);
  });

  test("send each of thirty mails once, asked at any of them", async () => {
    const addresses = Array.from({ length: 30 }, freshEmail);
    const results = await Promise.all(
      addresses.map(async (address, index) => resultOf(await at(index).register(address))),
    );
    expect(new Set(results)).toEqual(new Set(["completed"]));
    await vi.waitFor(
      async () => {
        const left = await administer(database.url, (query) =>
          query("SELECT state FROM ostiary.message WHERE state <> 'sent'"),
        );
        expect(left).toEqual([]);
      },
      { timeout: 30_000, interval: 100 },
    );
    expect(mail.mails.flatMap(({ to }) => to).sort()).toEqual([...addresses].sort());
  });

  test.each([0, 1, 2])(
    "know at once in number %i, and everywhere else within the bound, that it has ended a session, or all others of a person",
    async (which) => {
      const email = freshEmail();
      await at(0).register(email);
      const tokens: string[] = [];
      for (const caller of callers) tokens.push(tokenIn(await caller.logIn(email)));
      const [own = "", ...others] = [...tokens.slice(which), ...tokens.slice(0, which)];
      const everywhere = (token: string) =>
        Promise.all(callers.map(async (caller) => resultOf(await caller.check(token))));
      for (const token of tokens)
        expect(new Set(await everywhere(token))).not.toContain("401 SESSION_REVOKED");
      await at(which).call("session.v1.SessionService/RevokeOtherSessions", {}, bearer(own));
      const revoked = "401 SESSION_REVOKED";
      const isRefused = async (token: string) => {
        expect(resultOf(await at(which).check(token))).toBe(revoked);
        // `session.max_staleness`, and what a busy machine adds.
        await expect.poll(() => everywhere(token), { timeout: 3_000 }).toEqual(callers.map(() => revoked));
      };
      for (const token of others) await isRefused(token);
      await at(which).call("session.v1.SessionService/Logout", {}, bearer(own));
      await isRefused(own);
    },
  );

  test("share flows and what was typed into them", async () => {
    const email = freshEmail();
    await at(0).register(email);
    const flow = await at(1).begin("Login");
    const fields = { identifier: email, password: { password: goodPassword } };
    const answers = [];
    for (const index of [2, 0]) answers.push(resultOf(await at(index).submit("Login", flow, fields)));
    expect(answers).toEqual(["completed", "400 FLOW_COMPLETED"]);
  });
});

describe("a server whose passwords take a while to hash", { timeout: 90_000 }, () => {
  let database: TestDatabase;
  /** Another process on the same database, which stays. */
  let witness: Caller;
  const closers: (() => unknown)[] = [];
  const accounts: string[] = [];
  // One at a time, so that logins wait for each other.
  const env = () => ({
    ...common,
    [`${defaults}PASSWORD_ARGON2_MEMORY_KIB`]: "19456",
    [`${defaults}PASSWORD_ARGON2_ITERATIONS`]: "2",
    OSTIARY_HASHING_CONCURRENCY: "1",
    OSTIARY_DATABASE_URL: database.url,
  });

  beforeAll(async () => {
    database = await createServerDatabase();
    const other = await startServerProcess([], env());
    closers.push(() => other.end("SIGTERM"));
    witness = callerOf(other);
    for (let count = 0; count < 6; count++) {
      const email = freshEmail();
      expect(resultOf(await witness.register(email))).toBe("completed");
      accounts.push(email);
    }
  });
  afterEach(stopAll);
  afterAll(async () => {
    for (const close of closers) await close();
    await database.drop();
  });

  /** Logins of many accounts, or one, that are submitted together. */
  async function submitTogether(caller: Caller, count: number, emails: readonly string[]) {
    const flows = await Promise.all(Array.from({ length: count }, () => caller.begin("Login")));
    return flows.map((flow, index) =>
      caller.submit("Login", flow, {
        identifier: emails[index % emails.length],
        password: { password: goodPassword },
      }),
    );
  }

  test.each(["SIGTERM", "SIGINT"] as const)(
    "answers every call under way after %s, and ends with 0",
    async (signal) => {
      const server = await start([], env());
      const caller = callerOf(server);
      const logins = await submitTogether(caller, 12, accounts);
      // All others have arrived, and wait for their hash.
      await Promise.race(logins);
      const ended = server.end(signal);
      const answers = await Promise.all(logins);
      expect(answers.map(resultOf)).toEqual(answers.map(() => "completed"));
      expect(await ended).toBe(0);
      await expect(fetch(server.publicUrl)).rejects.toThrow("fetch failed");
      // What was answered has been done.
      for (const answer of answers) expect((await witness.check(tokenIn(answer))).status).toBe(200);
    },
  );

  test.each([
    ["SIGTERM", "SIGTERM"],
    ["SIGINT", "SIGTERM"],
  ] as const)(
    "cuts off what is left after %s and then %s, and nothing that was answered is lost",
    async (first, second) => {
      const server = await start([], env());
      const logins = await submitTogether(callerOf(server), 40, accounts);
      const settled = Promise.allSettled(logins);
      await Promise.race(logins);
      server.child.kill(first);
      await vi.waitUntil(() => server.output().includes("Stopping"), 10_000);
      expect(await server.end(second)).toBe(130);
      const answers = (await settled).flatMap((login) => (login.status === "fulfilled" ? [login.value] : []));
      expect(answers.map(resultOf)).toEqual(answers.map(() => "completed"));
      expect(answers.length).toBeLessThan(40);
      for (const answer of answers) expect((await witness.check(tokenIn(answer))).status).toBe(200);
    },
  );

  // That those of one account are served in turn is asked by test/race/logins-of-one-account.
  test.each<[string, () => readonly string[], number]>([
    ["many accounts", () => accounts, 4],
    ["one account", () => accounts.slice(0, 1), 2],
  ])(
    "refuses logins of %s beyond its queue with a time to wait, and checks sessions all the while",
    async (_name, who, least) => {
      const server = await start([], { ...env(), OSTIARY_HASHING_QUEUE_LIMIT: "5" });
      const caller = callerOf(server);
      const token = tokenIn(await caller.logIn(accounts[0] ?? ""));
      const logins = await submitTogether(caller, 60, who());
      let over = false;
      const checks = (async () => {
        const statuses: number[] = [];
        while (!over) statuses.push((await caller.check(token)).status);
        return statuses;
      })();
      const answers = await Promise.all(logins);
      over = true;
      expect(new Set(await checks)).toEqual(new Set([200]));
      expect(new Set(answers.map(resultOf))).toEqual(new Set(["completed", "429 SERVER_OVERLOADED"]));
      const refused = answers.filter(({ status }) => status === 429);
      for (const { headers, body } of refused) {
        expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
        expect(JSON.stringify(body)).toContain("google.rpc.RetryInfo");
      }
      // At least those that were under way and waited: of one address, three of five; of one account, one.
      expect(answers.length - refused.length).toBeGreaterThanOrEqual(least);
      expect(resultOf(await caller.logIn(accounts[0] ?? ""))).toBe("completed");
    },
  );
});
