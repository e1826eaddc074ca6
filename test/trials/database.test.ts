// What operators did to the database: operations/load and full (it is away, full, read-only, out of connections), mig and
// miglock (upgrades), pgbouncer (a pooler in between).
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { migrations } from "../../src/storage/migrations/index.ts";
import { openMikroOrm } from "../../src/storage/mikro-orm.ts";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { type LogLine, startTestApp, type TestApp } from "../support/app.ts";
import { Caller, type HeldFlow, resultOf, tokenIn } from "../support/caller.ts";
import { TestClock } from "../support/clock.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { administer, dropDatabase } from "../support/postgres.ts";

const callerOf = (app: TestApp) => new Caller(app);
const nameOf = (url: string) => new URL(url).pathname.slice(1);
const patience = { timeout: 20_000, interval: 50 };

// Who makes the tests' databases may be no superuser, and can then give none to a role of its own.
const mayMakeRoles = await administer(inject("postgresUrl"), async (query) => {
  const [role] = await query<{ rolsuper: boolean }>(
    "SELECT rolsuper FROM pg_roles WHERE rolname = current_user",
  );
  return role?.rolsuper === true;
});

describe.runIf(mayMakeRoles)("a database that is", () => {
  let owner: string;
  let database: string;
  let app: TestApp;
  let caller: Caller;
  let email: string;
  let token: string;
  const asAdmin = (...statements: string[]) =>
    administer(inject("postgresUrl"), async (query) => {
      for (const statement of statements) await query(statement);
    });
  const inside = (...statements: string[]) => {
    const url = new URL(inject("postgresUrl"));
    url.pathname = `/${database}`;
    return administer(url.href, async (query) => {
      for (const statement of statements) await query(statement);
    });
  };
  const endConnections = (which = "") =>
    asAdmin(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}' ${which}`);

  beforeAll(async () => {
    // With a role that is no superuser: PostgreSQL holds those to no limit.
    database = `ostiary_test_trial_${process.pid}_${randomBytes(4).toString("hex")}`;
    owner = database;
    await asAdmin(
      `CREATE ROLE ${owner} LOGIN PASSWORD 'secret'`,
      `CREATE DATABASE ${database} OWNER ${owner} TEMPLATE template1 STRATEGY FILE_COPY`,
    );
    const url = new URL(inject("postgresUrl"));
    Object.assign(url, { username: owner, password: "secret", pathname: `/${database}` });
    app = await startTestApp({ databaseUrl: url.href });
    caller = callerOf(app);
    email = freshEmail();
    token = tokenIn(await caller.register(email));
  });
  afterAll(async () => {
    await app?.stop();
    await dropDatabase(inject("postgresUrl"), database);
    await asAdmin(`DROP ROLE IF EXISTS ${owner}`);
  });

  /** Calls all the time, until the trouble is over; gives what was answered to each kind of call. */
  async function underLoad(trouble: (seen: Record<string, Set<string>>) => Promise<void>) {
    const seen: Record<string, Set<string>> = { check: new Set(), login: new Set(), registration: new Set() };
    let over = false;
    const work = async (kind: string, call: () => ReturnType<Caller["check"]>) => {
      while (!over) {
        const answer = await call();
        seen[kind]?.add(kind === "check" && answer.status === 200 ? "good" : resultOf(answer));
        if (answer.status !== 503) continue;
        expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
        expect(JSON.stringify(answer.body)).toContain("google.rpc.RetryInfo");
      }
    };
    const workers = [
      work("check", () => caller.check(token)),
      work("check", () => caller.check(token)),
      work("login", () => caller.logIn(email)),
      work("registration", () => caller.register()),
    ];
    try {
      await trouble(seen);
    } finally {
      over = true;
      await Promise.all(workers);
    }
    return seen;
  }

  /** Waits until everything is answered as ever, again and again. */
  const healed = () =>
    vi.waitFor(async () => {
      for (let round = 0; round < 3; round++) {
        expect((await caller.check(token)).status).toBe(200);
        expect(resultOf(await caller.logIn(email))).toBe("completed");
        expect(resultOf(await caller.register())).toBe("completed");
      }
      expect((await fetch(`${app.localUrl}/health/ready`)).status).toBe(200);
    }, patience);

  /** Waits until a kind of call was answered so. */
  const until = (seen: Record<string, Set<string>>, kind: string, answer: string) =>
    vi.waitUntil(() => seen[kind]?.has(answer), patience);

  const away = "503 DATABASE_UNAVAILABLE";
  const fullDisk = (table: string) => [
    `CREATE FUNCTION public.full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$`,
    `CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON ostiary.${table} FOR EACH STATEMENT EXECUTE FUNCTION public.full_disk()`,
  ];

  test("ended three times is away for a moment, and nothing else is said of it", async () => {
    const seen = await underLoad(async (found) => {
      for (let time = 0; time < 3; time++) {
        for (const answers of Object.values(found)) answers.delete("good");
        await endConnections();
        await until(found, "check", "good");
      }
    });
    const allowed = new Set(["good", "completed", away]);
    for (const answers of Object.values(seen))
      for (const answer of answers) expect(allowed).toContain(answer);
    await healed();
  });

  test.each(["flow", "session", "identity", "event"])(
    "full, where %s is written, still checks sessions",
    async (table) => {
      const seen = await underLoad(async (found) => {
        await inside(...fullDisk(table));
        await until(found, "registration", away);
      });
      expect(seen.check).toEqual(new Set(["good"]));
      for (const kind of ["login", "registration"])
        for (const answer of seen[kind] ?? []) expect(["completed", away]).toContain(answer);
      await inside("DROP FUNCTION public.full_disk() CASCADE");
      await healed();
    },
  );

  test("read-only, as after a failover, still checks sessions, and readiness knows it", async () => {
    await asAdmin(`ALTER DATABASE ${database} SET default_transaction_read_only = on`);
    await endConnections();
    const seen = await underLoad(async (found) => {
      await until(found, "registration", away);
      found.check?.clear();
      await until(found, "check", "good");
      await vi.waitFor(async () => {
        expect((await fetch(`${app.localUrl}/health/ready`)).status).toBe(503);
      }, patience);
    });
    for (const kind of ["check", "login", "registration"])
      for (const answer of seen[kind] ?? []) expect(["good", "completed", away]).toContain(answer);
    expect(app.log.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/^the database takes no writes/),
    );
    const another = startTestApp({ databaseUrl: app.databaseUrl });
    await expect(another).rejects.toThrow(/it is read-only: default_transaction_read_only is on/);
    await asAdmin(`ALTER DATABASE ${database} RESET default_transaction_read_only`);
    await endConnections();
    await healed();
  });

  test("out of connections lets calls wait for those that are open, and refuses none", async () => {
    // Those for calls are ended; what else the server has keeps its five.
    await asAdmin(`ALTER ROLE ${owner} CONNECTION LIMIT 7`);
    await endConnections("AND application_name = 'ostiary'");
    const seen = await underLoad(async (found) => {
      await until(found, "check", "good");
      for (const answers of Object.values(found)) answers.clear();
      for (const kind of ["login", "registration"]) await until(found, kind, "completed");
    });
    expect(seen).toEqual({
      check: new Set(["good"]),
      login: new Set(["completed"]),
      registration: new Set(["completed"]),
    });
    await asAdmin(`ALTER ROLE ${owner} CONNECTION LIMIT -1`);
    await healed();
  });
});

describe("an upgrade", () => {
  let database: TestDatabase;
  let before: TestApp;
  let config: object;
  const clock = new TestClock();
  const accounts: { readonly email: string; readonly token: string }[] = [];
  let flow: HeldFlow;

  beforeAll(async () => {
    database = await createTestDatabase();
    config = { secrets: { sealing: ["s".repeat(32)] } };
    before = await startTestApp({ databaseUrl: database.url, clock, config });
    const caller = callerOf(before);
    for (let count = 0; count < 4; count++) {
      const email = freshEmail();
      await caller.register(email);
      accounts.push({ email, token: tokenIn(await caller.logIn(email)) });
    }
    flow = await caller.begin("Login");
  });
  afterAll(async () => {
    await before.stop();
    await database.drop();
  });

  /** Everything that was there before is there, and new things can be made. */
  async function holds(app: TestApp): Promise<void> {
    const caller = callerOf(app);
    for (const { email, token } of accounts) {
      expect(resultOf(await caller.logIn(email))).toBe("completed");
      expect((await caller.check(token)).status).toBe(200);
    }
    const email = freshEmail();
    expect(resultOf(await caller.register(email))).toBe("completed");
    for (const other of [before, app]) expect(resultOf(await callerOf(other).logIn(email))).toBe("completed");
  }

  /** Takes migrations back, newest first. */
  async function takeBack(count: number): Promise<void> {
    const orm = await openMikroOrm({ url: database.url, name: nameOf(database.url) });
    try {
      for (let step = 0; step < count; step++) await orm.migrator.down();
    } finally {
      await orm.close();
    }
  }

  const done = () =>
    administer(database.url, (query) => query<{ name: string }>("SELECT name FROM ostiary.migration"));

  test.each([1, 4])(
    "over the last %i migrations keeps all data, and the server of before goes on",
    async (count) => {
      await takeBack(count);
      expect(await done()).toHaveLength(migrations.length - count);
      const after = await startTestApp({ databaseUrl: database.url, clock, config });
      expect(await done()).toHaveLength(migrations.length);
      await holds(after);
      await after.stop();
    },
  );

  test("while a backup reads the tables waits for its end, says for whom, and is made once", async () => {
    // The first of them changes a table, which an index that is made beside it does not.
    const first = migrations.findIndex(({ name }) => name.endsWith("-identity-text-order"));
    await takeBack(migrations.length - first);
    const backup = new Client({ connectionString: database.url, application_name: "pg_dump" });
    await backup.connect();
    await backup.query("BEGIN");
    const tables = await backup.query("SELECT tablename FROM pg_tables WHERE schemaname = 'ostiary'");
    const names = tables.rows.map(({ tablename }) => `ostiary.${tablename}`).join(", ");
    await backup.query(`LOCK TABLE ${names} IN ACCESS SHARE MODE`);
    const log: LogLine[] = [];
    const starting = startTestApp({ databaseUrl: database.url, clock, config, log });
    const said = (message: RegExp) =>
      vi.waitUntil(() => log.find((line) => message.test(line.message)), patience);
    expect((await said(/^a migration waits for a lock/)).fields).toMatchObject({
      process: expect.any(Number),
      application: "pg_dump",
      statement: expect.stringMatching(/^LOCK TABLE/),
    });
    await said(/^a migration did not get a lock in time/);
    expect(await done()).toHaveLength(first);
    await backup.query("COMMIT");
    await backup.end();
    const after = await starting;
    expect(await done()).toHaveLength(migrations.length);
    await holds(after);
    await after.stop();
  });

  test("to a release that has added to the schema leaves this one serving, and lets it start again", async () => {
    await administer(database.url, async (query) => {
      await query("INSERT INTO ostiary.migration (name) VALUES ('29991231000000-next')");
      for (const table of ["flow", "session", "identity", "message", "event"])
        await query(`ALTER TABLE ostiary.${table} ADD COLUMN next text DEFAULT 'x'`);
      await query("CREATE TABLE ostiary.next (id uuid)");
    });
    await holds(before);
    const again = await startTestApp({ databaseUrl: database.url, clock, config });
    await holds(again);
    // What was begun before all of that can still be gone on with.
    const [somebody] = accounts;
    const fields = { identifier: somebody?.email, password: { password: goodPassword } };
    expect(resultOf(await callerOf(again).submit("Login", flow, fields))).toBe("completed");
    await again.stop();
  });
});

// With PgBouncer itself: test/process/pooler.test.ts.
test("a pooler that refuses the settings of a connection finds none to refuse", async () => {
  // What PgBouncer takes without being told to.
  const known = new Set(["user", "database", "client_encoding", "datestyle", "timezone", "application_name"]);
  const pooler = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (packet) => {
      // Its length and the protocol's version come first; then names and values, each with a zero at its end.
      const names = packet.toString("latin1", 8).split("\0");
      const refused = names.find(
        (name, index) => index % 2 === 0 && name !== "" && !known.has(name.toLowerCase()),
      );
      const fields = `SFATAL\0C08P01\0Munsupported startup parameter: ${refused ?? "nothing"}\0\0`;
      const head = Buffer.from("E\0\0\0\0", "latin1");
      head.writeInt32BE(fields.length + 4, 1);
      socket.end(Buffer.concat([head, Buffer.from(fields, "latin1")]));
    });
  });
  await once(pooler.listen(0, "127.0.0.1"), "listening");
  const { port } = pooler.address() as AddressInfo;
  const starting = startTestApp({ databaseUrl: `postgresql://ada:hunter2@127.0.0.1:${port}/ostiary` });
  const error = await starting.catch((thrown: unknown) => thrown);
  pooler.close();
  const message = error instanceof Error ? error.message : "it started";
  expect(message).toContain("unsupported startup parameter: nothing");
  expect(message).toContain(`ostiary at 127.0.0.1:${port}`);
  expect(message).not.toMatch(/hunter2|\n/);
});
