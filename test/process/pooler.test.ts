import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openStorage } from "../../src/storage/storage.ts";
import { freshEmail } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { Caller, resultOf, tokenIn } from "../support/caller.ts";
import { createServerDatabase, defaultTestOptions, type TestDatabase } from "../support/database.ts";
import { isInstalled } from "../support/foreign.ts";
import { type PgBouncer, pgBouncerProgram, startPgBouncer } from "../support/pgbouncer.ts";
import { administer } from "../support/postgres.ts";

/** @see operations 4.1: in transaction mode half of all calls failed, and nothing said why. */
describe.runIf(await isInstalled(pgBouncerProgram, ["--version"]))("behind PgBouncer", () => {
  let database: TestDatabase;
  let pooler: PgBouncer | undefined;
  let app: TestApp | undefined;
  beforeAll(async () => {
    database = await createServerDatabase();
  });
  afterEach(async () => {
    await app?.stop();
    await pooler?.stop();
    app = undefined;
    pooler = undefined;
  });
  afterAll(() => database.drop());

  test("in session mode everything works, with no setting but the mode", async () => {
    pooler = await startPgBouncer(database.url, { pool_mode: "session", default_pool_size: 30 });
    app = await startTestApp({ databaseUrl: pooler.url });
    const caller = new Caller(app);
    const email = freshEmail();
    const token = tokenIn(await caller.register(email));
    const answers = await Promise.all(
      Array.from({ length: 40 }, async (_, place) =>
        place % 4 === 0 ? resultOf(await caller.logIn(email)) : (await caller.checkStrongly(token)).status,
      ),
    );
    expect(new Set(answers)).toEqual(new Set([200, "completed"]));
  });

  test("with fewer connections of the server than ours, calls wait for each other and none fails", async () => {
    // Five are taken for good by what is not a call, and ten would be by calls.
    pooler = await startPgBouncer(database.url, { pool_mode: "session", default_pool_size: 9 });
    app = await startTestApp({ databaseUrl: pooler.url });
    const caller = new Caller(app);
    const token = tokenIn(await caller.register());
    const answers = await Promise.all(
      Array.from({ length: 60 }, async () => (await caller.checkStrongly(token)).status),
    );
    expect(new Set(answers)).toEqual(new Set([200]));
  });

  test("with a single connection of the server left, the start does not wait for a second one", async () => {
    pooler = await startPgBouncer(database.url, { pool_mode: "session", default_pool_size: 1 });
    const storage = await openStorage({ ...defaultTestOptions, url: pooler.url });
    await storage.ping();
    await storage.close();
  });

  test.each(["transaction", "statement"])("in %s mode the start is refused in one sentence", async (mode) => {
    for (const size of [1, 20]) {
      const front = await startPgBouncer(database.url, { pool_mode: mode, default_pool_size: size });
      await expect(startTestApp({ databaseUrl: front.url }).finally(() => front.stop())).rejects.toThrow(
        /^Cannot use the database \S+ at 127\.0\.0\.1:\d+: a pooler in front of it gives .* set pool_mode = session/,
      );
    }
  });

  test("in transaction mode it is found out while others use the pooler as well, which takes turns", async () => {
    pooler = await startPgBouncer(database.url, {
      pool_mode: "transaction",
      default_pool_size: 5,
      server_round_robin: 1,
    });
    const { url } = pooler;
    let over = false;
    const others = Array.from({ length: 4 }, () =>
      administer(url, async (query) => {
        while (!over) await query("SELECT 1");
      }),
    );
    await expect(startTestApp({ databaseUrl: url })).rejects.toThrow("pool_mode = session");
    over = true;
    await Promise.all(others);
  });
});
