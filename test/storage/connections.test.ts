import { randomBytes } from "node:crypto";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from "vitest";
import { Database } from "../../src/storage/database.ts";
import { openStorage, type Storage } from "../../src/storage/storage.ts";
import { startTestApp } from "../support/app.ts";
import { Caller, tokenIn } from "../support/caller.ts";
import { createTestDatabase, defaultTestOptions, type TestDatabase } from "../support/database.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../support/database-proxy.ts";
import { administer, countOf } from "../support/postgres.ts";
import { noon } from "../support/records.ts";

const patience = { timeout: 20_000, interval: 20 };

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

// Who makes the tests' databases may be no superuser, and can then make no role.
const mayMakeRoles = await administer(inject("postgresUrl"), async (query) => {
  const [role] = await query<{ rolsuper: boolean }>(
    "SELECT rolsuper FROM pg_roles WHERE rolname = current_user",
  );
  return role?.rolsuper === true;
});

describe.runIf(mayMakeRoles)("with fewer connections to be had than the pool may have", () => {
  const role = `ostiary_test_${process.pid}_${randomBytes(4).toString("hex")}`;
  let url: string;
  let pool: Database;
  const limit = (connections: number) =>
    administer(database.url, (query) => query(`ALTER ROLE ${role} CONNECTION LIMIT ${connections}`));
  const work = () => pool.query(undefined, { text: "SELECT pg_sleep(0.02)" }, []);

  beforeAll(async () => {
    await administer(database.url, (query) => query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`));
    const own = new URL(database.url);
    Object.assign(own, { username: role, password: "secret" });
    url = own.href;
  });
  afterAll(() => administer(database.url, (query) => query(`DROP ROLE ${role}`)));

  const makePool = (acquireTimeoutMs: number) => {
    pool = new Database({ ...defaultTestOptions, url, poolSize: 10, acquireTimeoutMs });
    const made = pool;
    onTestFinished(() => made.close());
  };

  test("calls wait for one that is open, none fails, and once there are more they are used", async () => {
    await limit(3);
    makePool(10_000);
    await Promise.all(Array.from({ length: 60 }, work));
    expect(pool.figures).toMatchObject({ limit: 10, used: 0, waiting: 0 });
    expect(pool.figures.idle).toBeLessThanOrEqual(3);
    await limit(-1);
    await vi.waitFor(async () => {
      await Promise.all(Array.from({ length: 30 }, work));
      expect(pool.figures.idle).toBe(10);
    }, patience);
  });

  test("a call waits for the first one, or fails in time with what the database said", async () => {
    await limit(1);
    // What the test before has closed may still be open on the other side.
    const holder = await vi.waitFor(async () => {
      const client = new Client({ connectionString: url });
      await client.connect();
      return client;
    }, patience);
    makePool(3_000);
    await expect(work()).rejects.toMatchObject({
      reason: "DATABASE_UNAVAILABLE",
      cause: { code: "53300" },
    });
    makePool(10_000);
    const waiting = Promise.all(Array.from({ length: 5 }, work));
    await vi.waitUntil(() => pool.figures.waiting === 5, patience);
    await holder.end();
    await waiting;
  });
});

/** @see operations 3.2: what was documented was not what a process opened. */
test("a process opens no more connections than database.pool_size, jobs, notifications, the feed and the watch included", async () => {
  const app = await startTestApp({ config: { database: { pool_size: 9 } } });
  onTestFinished(() => app.stop());
  const caller = new Caller(app);
  const token = tokenIn(await caller.register());
  const open = () =>
    administer(app.databaseUrl, (query) =>
      query<{ application: string; count: number }>(
        `SELECT application_name AS application, count(*)::int AS count FROM pg_stat_activity
          WHERE datname = current_database() AND application_name LIKE 'ostiary%' GROUP BY 1 ORDER BY 1`,
      ),
    );
  await vi.waitFor(async () => {
    await Promise.all(Array.from({ length: 60 }, () => caller.checkStrongly(token)));
    const counts = await open();
    expect(counts.map(({ application }) => application)).toEqual([
      "ostiary",
      "ostiary feed",
      "ostiary jobs",
      "ostiary notifications",
      "ostiary watch",
    ]);
    expect(counts[0]).toEqual({ application: "ostiary", count: 3 });
    expect(counts.reduce((sum, { count }) => sum + count, 0)).toBeLessThanOrEqual(9);
  }, patience);
});

describe("while the database is known to be away", () => {
  const away = { reason: "DATABASE_UNAVAILABLE" };

  test("calls under way, calls that wait and new ones fail at once, and afterwards they work", async () => {
    const pool = new Database({ ...defaultTestOptions, url: database.url, poolSize: 1 });
    onTestFinished(() => pool.close());
    const sleeping = pool.query(undefined, { text: "SELECT pg_sleep(60)" }, []);
    const waiting = pool.query(undefined, { text: "SELECT 1" }, []);
    await vi.waitUntil(() => pool.figures.used === 1 && pool.figures.waiting === 1, patience);
    pool.suspend(new Error("it is away"));
    const calls = [sleeping, waiting, pool.query(undefined, { text: "SELECT 1" }, [])];
    const refused = { status: "rejected", reason: expect.objectContaining(away) };
    expect(await Promise.allSettled(calls)).toEqual([refused, refused, refused]);
    expect(pool.figures).toMatchObject({ used: 0, waiting: 0, idle: 0 });
    pool.resume();
    expect(await pool.query(undefined, { text: "SELECT 1 AS one" }, [])).toEqual([{ one: 1 }]);
    await administer(database.url, (query) =>
      query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"),
    );
  });
});

/** @see operations 3.4: connections that went silent stopped the clean-up for good, and the next stop with it. */
describe("connections whose other end is gone without a word", () => {
  let own: TestDatabase;
  let proxy: DatabaseProxy;
  let storage: Storage;

  beforeAll(async () => {
    own = await createTestDatabase();
    proxy = await startDatabaseProxy(own.url);
    storage = await openStorage({ ...defaultTestOptions, url: proxy.url });
  });
  afterAll(async () => {
    await storage.close();
    await proxy.close();
    await own.drop();
  });

  test("are given up by calls, jobs and messages, and a stop does not wait for them", async () => {
    const clock = { now: () => noon };
    const jobs = storage.startJobs({ retentionMs: 0, messageRetentionMs: 0, clock });
    let heard = 0;
    const listener = storage.openMessageChannel(() => heard++);
    const states: string[] = [];
    const watch = storage.watch((state) => states.push(state));
    const isWorking = async () => {
      await administer(own.url, (query) => query("SELECT graphile_worker.add_job('remove_expired')"));
      await vi.waitFor(
        async () => {
          const waiting = await administer(own.url, (query) => query("SELECT FROM graphile_worker.jobs"));
          expect(waiting).toEqual([]);
        },
        { timeout: 50_000, interval: 50 },
      );
    };
    const isListening = () =>
      vi.waitFor(async () => {
        const before = heard;
        await administer(own.url, (query) => query("NOTIFY ostiary_message"));
        await vi.waitUntil(() => heard > before, { timeout: 500, interval: 10 });
      }, patience);
    // The worker makes its schema first.
    await vi.waitFor(isWorking, { timeout: 50_000, interval: 100 });
    await isListening();
    await vi.waitUntil(() => states.at(-1) === "ready", patience);

    proxy.silence();
    const call = storage.ping();
    await expect(call).rejects.toMatchObject({ reason: "DATABASE_UNAVAILABLE" });
    await vi.waitUntil(() => states.join() === "ready,away,ready", patience);
    await storage.ping();
    await isWorking();
    await isListening();

    proxy.silence();
    watch.stop();
    await Promise.all([jobs.stop(), listener.stop()]);
    expect(await countOf(own.url, "session")).toBe(0);
  });
});
