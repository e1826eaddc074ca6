import { Migration } from "@mikro-orm/migrations";
import { Client } from "pg";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { ConcurrentIndex } from "../../src/storage/migrations/concurrent-index.ts";
import { type ListedMigration, migrations } from "../../src/storage/migrations/index.ts";
import { migrateDatabase, revertMigrations } from "../../src/storage/migrator.ts";
import { freshEmail } from "../support/accounts.ts";
import { type LogLine, memoryLogger, startTestApp, type TestApp } from "../support/app.ts";
import { Caller, resultOf, tokenIn } from "../support/caller.ts";
import { TestClock } from "../support/clock.ts";
import { createServerDatabase, type TestDatabase } from "../support/database.ts";
import { administer } from "../support/postgres.ts";

/** What the next release might bring: a column, which needs a lock that every login is in the way of, and an index. */
class NextColumn extends Migration {
  override up(): void {
    this.addSql("ALTER TABLE ostiary.flow ADD COLUMN next text");
    this.addSql("ALTER TABLE ostiary.session ADD COLUMN next text");
  }
  override down(): void {
    this.addSql("ALTER TABLE ostiary.flow DROP COLUMN next");
    this.addSql("ALTER TABLE ostiary.session DROP COLUMN next");
  }
}

class NextIndex extends ConcurrentIndex {
  protected override readonly index = ["session_next", "ostiary.session (tenant_id, next)"] as const;
}

const added: readonly ListedMigration[] = [
  { name: "29991231000000-next-column", load: async () => NextColumn },
  { name: "29991231000001-next-index", load: async () => NextIndex },
];
const list = [...migrations, ...added];

const patience = { timeout: 30_000, interval: 20 };
const config = { secrets: { sealing: ["s".repeat(32)] } };
const clock = new TestClock();
const isSuperuser = await administer(inject("postgresUrl"), async (query) => {
  const [role] = await query<{ rolsuper: boolean }>(
    "SELECT rolsuper FROM pg_roles WHERE rolname = current_user",
  );
  return role?.rolsuper === true;
});
let database: TestDatabase;
const running: TestApp[] = [];

beforeAll(async () => {
  database = await createServerDatabase();
});
afterAll(async () => {
  for (const app of running) await app.stop();
  await database.drop();
});

async function start(): Promise<TestApp> {
  const app = await startTestApp({ databaseUrl: database.url, clock, config });
  running.push(app);
  return app;
}

async function stop(app: TestApp): Promise<void> {
  running.splice(running.indexOf(app), 1);
  await app.stop();
}

const done = async () =>
  (
    await administer(database.url, (query) =>
      query<{ name: string }>("SELECT name FROM ostiary.migration WHERE name LIKE '2999%' ORDER BY name"),
    )
  ).map(({ name }) => name);

/** A load balancer with people behind it: they log in, register and are checked, at whichever server it has. */
function startLoad(first: TestApp) {
  let current = first;
  let over = false;
  const counts = { check: 0, login: 0, registration: 0 };
  const wrong: string[] = [];
  const underWay = new Map<TestApp, Set<Promise<void>>>();
  const work = async (kind: keyof typeof counts, call: (caller: Caller) => Promise<string>) => {
    while (!over) {
      const app = current;
      const calls = underWay.get(app) ?? new Set();
      underWay.set(app, calls);
      const one = call(new Caller(app)).then((answer) => {
        counts[kind]++;
        if (answer !== "completed" && answer !== "200") wrong.push(`${kind}: ${answer}`);
      });
      calls.add(one);
      await one.finally(() => calls.delete(one));
    }
  };
  // Logins of one account take turns, and end its oldest session where there are too many.
  const emails = Array.from({ length: 3 }, () => freshEmail());
  const ready = (async () => {
    for (const email of emails) await new Caller(first).register(email);
    return tokenIn(await new Caller(first).register());
  })();
  const finished = ready.then((token) =>
    Promise.all([
      ...Array.from({ length: 2 }, () =>
        work("check", async (caller) => String((await caller.check(token)).status)),
      ),
      ...emails.map((email) => work("login", async (caller) => resultOf(await caller.logIn(email)))),
      work("registration", async (caller) => resultOf(await caller.register())),
    ]),
  );
  finished.catch(() => {});
  return {
    counts,
    wrong,
    /** Sends people to another server, and waits until the former one has answered. */
    moveTo: async (app: TestApp) => {
      const former = current;
      current = app;
      await Promise.all(underWay.get(former) ?? []);
    },
    /** Waits until more logins have been answered. */
    more: async () => {
      const { login } = counts;
      await vi.waitUntil(() => counts.login > login + 5 || wrong.length > 0, patience);
    },
    end: async () => {
      over = true;
      await finished;
    },
  };
}

/** @see operations 2.1: a backup that ran let no login complete until its end, and the new server died of a deadlock. */
test("an upgrade and the way back, under load and with a backup running, refuse nobody", async () => {
  const old = await start();
  const load = startLoad(old);
  await load.more();

  // The backup reads every table until it is told to end.
  const backup = new Client({ connectionString: database.url, application_name: "pg_dump" });
  await backup.connect();
  await backup.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
  await backup.query("SELECT count(*) FROM ostiary.flow, ostiary.session");
  const log: LogLine[] = [];
  const migrating = migrateDatabase(database.url, { list, logger: memoryLogger(log) });
  await vi.waitUntil(
    () => log.filter(({ message }) => /did not get a lock in time/.test(message)).length >= 2,
    patience,
  );
  await load.more();
  expect(log).toContainEqual({
    level: "warn",
    fields: expect.objectContaining({ application: "pg_dump", migration: "29991231000000-next-column" }),
    message: expect.stringMatching(/^a migration waits for a lock/),
  });
  await backup.query("COMMIT");
  await backup.end();
  await migrating;
  expect(await done()).toEqual(added.map(({ name }) => name));
  const next = await start();
  await load.more();
  await load.moveTo(next);
  await stop(old);
  await load.more();

  // Back: the release before on the schema of the next one, and then without it.
  const again = await start();
  await load.moveTo(again);
  await stop(next);
  await load.more();
  await revertMigrations(database.url, { list: added });
  expect(await done()).toEqual([]);
  await load.more();
  await load.end();
  expect(load.wrong).toEqual([]);
  for (const count of Object.values(load.counts)) expect(count).toBeGreaterThan(0);
}, 120_000);

test("an index whose making was cut off is made anew", async () => {
  await migrateDatabase(database.url);
  const blocker = new Client({ connectionString: database.url });
  await blocker.connect();
  await blocker.query("BEGIN");
  await blocker.query("LOCK TABLE ostiary.session IN ROW EXCLUSIVE MODE");
  const onlyIndex = [{ name: "29991231000001-next-index", load: async () => IndexAlone }];
  const cut = migrateDatabase(database.url, { list: onlyIndex });
  cut.catch(() => {});
  const indexes = () =>
    administer(database.url, (query) =>
      query(
        "SELECT i.indisvalid AS valid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname = 'session_next'",
      ),
    );
  await vi.waitFor(async () => expect(await indexes()).toEqual([{ valid: false }]), patience);
  await administer(database.url, (query) =>
    query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%'`,
    ),
  );
  await expect(cut).rejects.toMatchObject({ reason: "DATABASE_UNAVAILABLE" });
  expect(await indexes()).toEqual([{ valid: false }]);
  await blocker.query("COMMIT");
  await blocker.end();
  await migrateDatabase(database.url, { list: onlyIndex });
  expect(await indexes()).toEqual([{ valid: true }]);
  await revertMigrations(database.url, { list: onlyIndex });
});

class IndexAlone extends ConcurrentIndex {
  protected override readonly index = ["session_next", "ostiary.session (tenant_id, expires_at)"] as const;
}

/** @see operations 2.1: one that reads `flow` after `message` while the migration goes the other way. */
// Only a superuser may set the time that a deadlock is looked for after.
test.runIf(isSuperuser)("a migration that meets a deadlock is tried again", async () => {
  class TwoTables extends Migration {
    override up(): void {
      this.addSql("ALTER TABLE ostiary.flow ADD COLUMN next text");
      this.addSql("SELECT pg_sleep(0.2)");
      this.addSql("ALTER TABLE ostiary.message ADD COLUMN next text");
    }
    override down(): void {
      this.addSql("ALTER TABLE ostiary.flow DROP COLUMN next");
      this.addSql("ALTER TABLE ostiary.message DROP COLUMN next");
    }
  }
  const two = [{ name: "29991231000002-two-tables", load: async () => TwoTables }];
  // Whoever looks first ends itself; here that is the migration.
  const name = new URL(database.url).pathname.slice(1);
  await administer(database.url, (query) => query(`ALTER DATABASE ${name} SET deadlock_timeout = '100ms'`));
  const other = new Client({ connectionString: database.url });
  await other.connect();
  await other.query("SET deadlock_timeout = '1h'");
  await other.query("BEGIN");
  await other.query("SELECT count(*) FROM ostiary.message");
  const log: LogLine[] = [];
  const migrating = migrateDatabase(database.url, { list: two, logger: memoryLogger(log) });
  await vi.waitFor(
    async () =>
      expect(
        await administer(database.url, (query) =>
          query(
            `SELECT FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock' AND relation = 'ostiary.flow'::regclass`,
          ),
        ),
      ).toHaveLength(1),
    patience,
  );
  await other.query("SELECT count(*) FROM ostiary.flow");
  await other.query("COMMIT");
  await other.end();
  await migrating;
  expect(log.map(({ message }) => message)).toContainEqual(
    expect.stringMatching(/^a migration met a deadlock; trying again$/),
  );
  await revertMigrations(database.url, { list: two });
});
