import { Client } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { TenantScope } from "../../src/domain/ports.ts";
import { Database } from "../../src/storage/database.ts";
import { deleteDueAccounts } from "../../src/storage/due-deletions.ts";
import { openStorage, type Storage } from "../../src/storage/storage.ts";
import { createTestDatabase, defaultTestOptions, type TestDatabase } from "../support/database.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../support/database-proxy.ts";
import { administer } from "../support/postgres.ts";
import { anEvent, anIdentity, noon } from "../support/records.ts";

/** What is told of events that this process writes: caches forget by it what a caller must not see any more. */

let database: TestDatabase;
let proxy: DatabaseProxy;
let storage: Storage;
let scope: TenantScope;
let told: string[];
beforeAll(async () => {
  database = await createTestDatabase();
  proxy = await startDatabaseProxy(database.url);
  storage = await openStorage({ ...defaultTestOptions, url: proxy.url });
  scope = { tenantId: await storage.ensureTenant("default", noon) };
  storage.onOwnEvents((tenantId, events) => {
    expect(tenantId).toBe(scope.tenantId);
    told.push(...events.map(({ type }) => type));
  });
});
afterAll(async () => {
  await storage.close();
  await proxy.close();
  await database.drop();
});
beforeEach(() => {
  told = [];
});

test("a statement's are told once it is committed, before its caller knows of it", async () => {
  const done = storage.events.append(scope, [anEvent("session.revoked")]).then(() => [...told]);
  expect(told).toEqual([]);
  expect(await done).toEqual(["session.revoked"]);
});

test("a transaction's are told with its commit, without those of a part that was taken back", async () => {
  await storage.transaction(scope, async (tx) => {
    await storage.events.append(tx, [anEvent("login.succeeded")]);
    await storage.transaction(tx, (inner) => storage.events.append(inner, [anEvent("session.created")]));
    const failing = storage.transaction(tx, async (inner) => {
      await storage.events.append(inner, [anEvent("session.revoked")]);
      throw new Error("taken back");
    });
    await expect(failing).rejects.toThrow("taken back");
    expect(told).toEqual([]);
  });
  expect(told).toEqual(["login.succeeded", "session.created"]);
});

test("of a transaction that is taken back nothing is told", async () => {
  const failing = storage.transaction(scope, async (tx) => {
    await storage.events.append(tx, [anEvent("session.revoked")]);
    throw new Error("taken back");
  });
  await expect(failing).rejects.toThrow("taken back");
  expect(told).toEqual([]);
});

test("of accounts that are deleted because it is time, each is named", async () => {
  const identities = [anIdentity(), anIdentity()];
  for (const identity of identities) await storage.identities.create(scope, identity, [], []);
  await administer(database.url, (query) => query("UPDATE ostiary.identity SET purge_at = $1", [noon]));
  const named: (string | undefined)[] = [];
  const pool = new Database({
    ...{ ...defaultTestOptions, url: database.url },
    onEvents: (_tenantId, events) => named.push(...events.map((event) => event.identityId)),
  });
  await deleteDueAccounts(pool, noon);
  await pool.close();
  expect(named.toSorted()).toEqual(identities.map(({ id }) => id).toSorted());
});

describe("where the connection is lost and nobody knows whether it was committed, they are told", () => {
  test("of a transaction", async () => {
    const failing = storage.transaction(scope, async (tx) => {
      await storage.events.append(tx, [anEvent("session.revoked")]);
      proxy.cut();
    });
    await expect(failing).rejects.toMatchObject({ reason: "DATABASE_UNAVAILABLE" });
    expect(told).toEqual(["session.revoked"]);
  });

  test("of a statement", async () => {
    const blocker = new Client({ connectionString: database.url });
    await blocker.connect();
    await blocker.query("BEGIN");
    await blocker.query("LOCK TABLE ostiary.event");
    const failing = storage.events.append(scope, [anEvent("session.revoked")]);
    failing.catch(() => {});
    await vi.waitUntil(
      () =>
        administer(database.url, async (query) => {
          const waiting = await query(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
          );
          return waiting.length > 0;
        }),
      { timeout: 20_000 },
    );
    proxy.cut();
    await expect(failing).rejects.toMatchObject({ reason: "DATABASE_UNAVAILABLE" });
    expect(told).toEqual(["session.revoked"]);
    await blocker.end();
  });
});
