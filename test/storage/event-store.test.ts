import { Client } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { EventCursor, RecordedEvent } from "../../src/domain/event/store.ts";
import { type IdentityId, newId, type SessionId } from "../../src/domain/ids.ts";
import type { TenantScope } from "../../src/domain/ports.ts";
import { Database } from "../../src/storage/database.ts";
import { removeOldEvents } from "../../src/storage/event-retention.ts";
import { openStorage, type Storage } from "../../src/storage/storage.ts";
import { defaultTestOptions, openTestStorage } from "../support/database.ts";
import { administer, cloneDatabase, databaseUrl, dropDatabase } from "../support/postgres.ts";
import { afterNoon, anEvent, noon, origin } from "../support/records.ts";

let storage: Storage & { readonly url: string };
let scope: TenantScope;
let other: TenantScope;
beforeAll(async () => {
  storage = await openTestStorage();
});
afterAll(() => storage.close());
let tenantCount = 0;
beforeEach(async () => {
  tenantCount++;
  scope = { tenantId: await storage.ensureTenant(`tenant-${tenantCount}`, noon) };
  other = { tenantId: await storage.ensureTenant(`other-${tenantCount}`, noon) };
});

/** The events after a cursor. */
async function eventsAfter(
  of: Storage,
  tenant: TenantScope,
  cursor: EventCursor | undefined,
  limit: number,
): Promise<readonly RecordedEvent[]> {
  const result = await of.events.readAfter(tenant, cursor, limit);
  if (result.kind === "too_old") throw new Error("the cursor is too old");
  return result.events;
}

function types(events: readonly RecordedEvent[]): string[] {
  return events.map((event) => event.type);
}

/**
 * Waits until all transactions that have begun so far are over, in whatever database of the cluster: until then a reader
 * does not get what was written beside them, and other test files share the cluster.
 */
async function othersHaveEnded(): Promise<void> {
  await administer(storage.url, async (query) => {
    const [now] = await query<{ id: string }>("SELECT pg_current_xact_id()::text AS id");
    const passed = async () => {
      const statement = "SELECT pg_snapshot_xmin(pg_current_snapshot()) > $1::xid8 AS passed";
      return (await query<{ passed: boolean }>(statement, [now?.id]))[0]?.passed;
    };
    await expect.poll(passed, { timeout: 25_000 }).toBe(true);
  });
}

test("events are read back as they were written, in order, within their tenant", async () => {
  const event = anEvent("session.revoked", {
    origin: {
      actor: { kind: "certificate", name: "CN=x" },
      ...{ requestId: "r", ipAddress: undefined, userAgent: undefined },
    },
    ...{
      identityId: newId<IdentityId>(noon),
      sessionId: newId<SessionId>(noon),
      data: { reason: "é", n: 1 },
    },
  });
  await storage.events.append(scope, [event, anEvent("login.failed")]);
  await storage.events.append(scope, []);
  await storage.events.append(other, [anEvent("password.checked")]);
  await othersHaveEnded();
  const [first, second, ...rest] = await eventsAfter(storage, scope, undefined, 10);
  const { cursor, ...read } = first ?? { cursor: undefined };
  expect(read).toEqual(event);
  expect(cursor?.epoch).toMatch(/^\d+$/);
  expect(second).toMatchObject({ type: "login.failed", origin });
  expect(rest).toEqual([]);
  expect(types(await eventsAfter(storage, scope, cursor, 10))).toEqual(["login.failed"]);
  expect(types(await eventsAfter(storage, scope, undefined, 1))).toEqual(["session.revoked"]);
  expect(types(await eventsAfter(storage, other, undefined, 10))).toEqual(["password.checked"]);
});

describe("an event of a transaction that commits late", () => {
  /** What a reader would do that remembers the greatest position it has seen. */
  async function naiveReadAfter(position: string): Promise<string[]> {
    const rows = await administer(storage.url, (query) =>
      query<{ type: string }>(
        "SELECT type FROM ostiary.event WHERE tenant_id = $1 AND position > $2 ORDER BY position",
        [scope.tenantId, position],
      ),
    );
    return rows.map(({ type }) => type);
  }

  /** Two readers poll while one transaction overtakes another; what each has seen at the end. */
  async function interleave(): Promise<{ readonly careful: string[]; readonly naive: string[] }> {
    const careful: RecordedEvent[] = [];
    const naive: string[] = [];
    let naivePosition = "0";
    const poll = async () => {
      careful.push(...(await eventsAfter(storage, scope, careful.at(-1)?.cursor, 100)));
      naive.push(...(await naiveReadAfter(naivePosition)));
      const [last] = await administer(storage.url, (query) =>
        query<{ position: string }>(
          "SELECT coalesce(max(position), 0) AS position FROM ostiary.event WHERE tenant_id = $1",
          [scope.tenantId],
        ),
      );
      naivePosition = last?.position ?? "0";
    };
    await storage.transaction(scope, async (slow) => {
      await storage.events.append(slow, [anEvent("identity.created")]);
      // Takes a greater position, and commits first.
      await storage.events.append(scope, [anEvent("login.succeeded")]);
      await poll();
    });
    await othersHaveEnded();
    await poll();
    return { careful: types(careful), naive };
  }

  test("is not skipped", async () => {
    expect((await interleave()).careful).toEqual(["identity.created", "login.succeeded"]);
  });

  test("is skipped by a reader that remembers positions (the control)", async () => {
    expect((await interleave()).naive).toEqual(["login.succeeded"]);
  });

  test("is not skipped if the transaction took its id before and its position after", async () => {
    const careful: RecordedEvent[] = [];
    const client = new Client({ connectionString: storage.url });
    await client.connect();
    await client.query("BEGIN");
    await client.query("SELECT pg_current_xact_id()");
    await storage.events.append(scope, [anEvent("login.succeeded")]);
    careful.push(...(await eventsAfter(storage, scope, undefined, 10)));
    expect(careful).toEqual([]);
    await client.query("COMMIT");
    await client.end();
    await othersHaveEnded();
    careful.push(...(await eventsAfter(storage, scope, undefined, 10)));
    expect(types(careful)).toEqual(["login.succeeded"]);
  });
});

test("an event belongs to the transaction that it is written in", async () => {
  await expect(
    storage.transaction(scope, async (tx) => {
      await storage.events.append(tx, [anEvent("login.failed")]);
      throw new Error("taken back");
    }),
  ).rejects.toThrow("taken back");
  await othersHaveEnded();
  expect(await eventsAfter(storage, scope, undefined, 10)).toEqual([]);
});

describe("the epoch", () => {
  test("stays while the database is the same", async () => {
    await storage.events.append(scope, [anEvent("login.failed")]);
    await othersHaveEnded();
    const [before] = await eventsAfter(storage, scope, undefined, 1);
    await Promise.all(Array.from({ length: 8 }, () => storage.ensureTenant(`tenant-${tenantCount}`, noon)));
    const [after] = await eventsAfter(storage, scope, undefined, 1);
    expect(after?.cursor).toEqual(before?.cursor);
  });

  test("changes when the data turns up in another database, and a former cursor reads from the beginning", async () => {
    const own = await openTestStorage();
    const tenant = { tenantId: await own.ensureTenant("default", noon) };
    await own.events.append(tenant, [anEvent("login.failed"), anEvent("login.succeeded")]);
    await othersHaveEnded();
    const before = await eventsAfter(own, tenant, undefined, 10);
    // A dump from another cluster: its transaction ids are far ahead of this one's.
    await administer(own.url, (query) =>
      query("UPDATE ostiary.event SET transaction_id = '4000000000000'::xid8"),
    );
    const cursor: EventCursor = {
      epoch: before.at(-1)?.cursor.epoch ?? "",
      transactionId: "4000000000000",
      position: before.at(-1)?.cursor.position ?? "",
    };
    const template = new URL(own.url).pathname.slice(1);
    const copy = `${template}_copy`;
    await copyIdleDatabase(own.url, template, copy);
    const restored = await openStorage({ ...defaultTestOptions, url: databaseUrl(own.url, copy) });
    try {
      expect(await restored.ensureTenant("default", noon)).toBe(tenant.tenantId);
      await restored.events.append(tenant, [anEvent("identity.created")]);
      await othersHaveEnded();
      const after = await eventsAfter(restored, tenant, cursor, 10);
      expect(types(after)).toEqual(["login.failed", "login.succeeded", "identity.created"]);
      expect(after[0]?.cursor.epoch).not.toBe(cursor.epoch);
      expect(await eventsAfter(restored, tenant, after.at(-1)?.cursor, 10)).toEqual([]);
    } finally {
      await restored.close();
      await dropDatabase(databaseUrl(own.url, "postgres"), copy);
      await own.close();
    }
  });
});

test("the logins of an identity are listed newest first, page by page, within their tenant", async () => {
  const [identityId, somebody] = [newId<IdentityId>(noon), newId<IdentityId>(noon)];
  const kinds = ["registration.succeeded", "login.failed", "login.succeeded", "recovery.succeeded"] as const;
  const events = kinds.map((type, index) => anEvent(type, { createdAt: afterNoon(index), identityId }));
  const others = [
    anEvent("session.created", { identityId }),
    anEvent("login.failed", { identityId: somebody }),
  ];
  await storage.events.append(scope, [...events, ...others, anEvent("login.failed")]);
  await storage.events.append(other, [anEvent("login.failed", { identityId })]);
  const first = await storage.events.listLogins(scope, identityId, { size: 3 });
  expect(first.items).toEqual(events.slice(1).reverse());
  const second = await storage.events.listLogins(scope, identityId, { size: 3, after: first.next });
  expect(second.items).toEqual(events.slice(0, 1));
  expect(second.next).toBeUndefined();
});

/** Copying needs a database that nobody is connected to. */
async function copyIdleDatabase(url: string, template: string, name: string): Promise<void> {
  const server = databaseUrl(url, "postgres");
  await administer(server, (query) =>
    query("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1", [template]),
  );
  await cloneDatabase(server, template, name);
}

describe("a cursor", () => {
  /** Removes all events of the tenant, since they are too old to be kept. */
  const remove = async () => {
    await administer(storage.url, (query) =>
      query("UPDATE ostiary.event SET created_at = $2 WHERE tenant_id = $1", [scope.tenantId, "2025-12-31"]),
    );
    const database = new Database({ ...defaultTestOptions, url: storage.url });
    const classesMs = { changes: 0, sign_ins: 0, failures: 0, unknown_names: 0, messages: 0 };
    await removeOldEvents(database, new Date("2026-01-01"), { classesMs, clientDetailsMs: 0 });
    await database.close();
  };

  test("is too old when events after it were removed, and not before", async () => {
    await storage.events.append(scope, [anEvent("session.created")]);
    await othersHaveEnded();
    const [first] = await eventsAfter(storage, scope, undefined, 1);
    await storage.events.append(scope, [anEvent("login.failed")]);
    await othersHaveEnded();
    const [second] = await eventsAfter(storage, scope, first?.cursor, 1);
    expect(second?.type).toBe("login.failed");
    await remove();
    expect(await storage.events.readAfter(scope, first?.cursor, 1)).toEqual({ kind: "too_old" });
    // Nothing of what comes after it is missing.
    expect(await storage.events.readAfter(scope, second?.cursor, 1)).toMatchObject({
      kind: "read",
      events: [],
    });
    expect(await storage.events.readAfter(scope, undefined, 1)).toMatchObject({ kind: "read", events: [] });
  });

  test("goes on also where a tenant has no events, and so is not too old for what was removed of others", async () => {
    await othersHaveEnded();
    const start = await storage.events.readAfter(other, undefined, 10);
    await storage.events.append(scope, [anEvent("login.failed")]);
    await othersHaveEnded();
    const later = await storage.events.readAfter(other, start.kind === "read" ? start.next : undefined, 10);
    await remove();
    expect(later).toMatchObject({ kind: "read", events: [] });
    const next = later.kind === "read" ? later.next : undefined;
    await storage.events.append(other, [anEvent("session.created")]);
    await othersHaveEnded();
    expect(types(await eventsAfter(storage, other, next, 10))).toEqual(["session.created"]);
    expect(start.kind === "read" && (await storage.events.readAfter(other, start.next, 10)).kind).toBe(
      "too_old",
    );
  });

  test("does not move beyond the oldest transaction that runs", async () => {
    const before = await storage.events.readAfter(scope, undefined, 10);
    const client = new Client({ connectionString: storage.url });
    await client.connect();
    await client.query("BEGIN");
    const { rows } = await client.query<{ id: string }>("SELECT pg_current_xact_id()::text AS id");
    const own = BigInt(rows[0]?.id ?? 0);
    await storage.events.append(scope, [anEvent("session.created")]);
    const held = await storage.events.readAfter(scope, before.kind === "read" ? before.next : undefined, 10);
    expect(held).toMatchObject({ kind: "read", events: [] });
    expect(held.kind === "read" && BigInt(held.next.transactionId) < own).toBe(true);
    await client.end();
    await othersHaveEnded();
    expect(
      types(await eventsAfter(storage, scope, held.kind === "read" ? held.next : undefined, 10)),
    ).toEqual(["session.created"]);
  });
});
