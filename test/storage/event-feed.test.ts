import fc from "fast-check";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import type { EventType } from "../../src/domain/event/event.ts";
import type { FeedEvent, FeedPosition } from "../../src/domain/event/feed.ts";
import { type IdentityId, newId, type SessionId } from "../../src/domain/ids.ts";
import type { TenantScope } from "../../src/domain/ports.ts";
import { openStorage, type Storage } from "../../src/storage/storage.ts";
import { createTestDatabase, defaultTestOptions, type TestDatabase } from "../support/database.ts";
import { administer } from "../support/postgres.ts";
import { anEvent, noon } from "../support/records.ts";

const patience = { timeout: 20_000, interval: 5 };

let database: TestDatabase;
let storage: Storage;
let scope: TenantScope;
beforeAll(async () => {
  database = await createTestDatabase();
  storage = await openStorage({ ...defaultTestOptions, url: database.url });
  scope = { tenantId: await storage.ensureTenant("default", noon) };
});
afterAll(async () => {
  await storage.close();
  await database.drop();
});

/** What a follower was told. */
interface Heard {
  readonly events: FeedEvent[];
  /** How many events had been told with each position. */
  readonly counts: number[];
  readonly positions: FeedPosition[];
  resets: number;
}

/** Follows from now on, at an interval that is far longer than a test unless another is given. */
async function follow(of: Storage = storage, intervalMs = 600_000) {
  const { feed, stop } = of.openEventFeed({ intervalMs });
  onTestFinished(stop);
  const heard: Heard = { events: [], counts: [], positions: [], resets: 0 };
  feed.follow({
    heard: (events, position) => {
      heard.events.push(...events);
      heard.counts.push(heard.events.length);
      heard.positions.push(position);
    },
    reset: () => heard.resets++,
  });
  await vi.waitUntil(() => feed.position !== undefined, patience);
  return { feed, heard, types: () => heard.events.map(({ type }) => type) };
}

const append = (type: EventType, of: TenantScope = scope, by: Storage = storage) =>
  by.events.append(of, [anEvent(type)]);

/** A connection in a transaction of its own that has written an event, and what ends it. */
async function writeSlowly(type: EventType, url = database.url): Promise<{ commit(): Promise<void> }> {
  const client = new Client({ connectionString: url });
  await client.connect();
  onTestFinished(() => client.end());
  await client.query("BEGIN");
  await client.query(
    `INSERT INTO ostiary.event (tenant_id, transaction_id, id, created_at, type, actor, request_id, data)
      VALUES ($1, pg_current_xact_id(), gen_random_uuid(), now(), $2, '{"kind":"server"}', '', '{}')`,
    [scope.tenantId, type],
  );
  return {
    commit: async () => {
      await client.query("COMMIT");
    },
  };
}

test("events are told in the order of writing, as they are, of all tenants, from now on", async () => {
  await append("login.failed");
  const { heard, feed } = await follow();
  const other = { tenantId: await storage.ensureTenant("other", noon) };
  const about = {
    identityId: newId<IdentityId>(noon),
    sessionId: newId<SessionId>(noon),
    data: { reason: "é" },
  };
  await storage.events.append(scope, [anEvent("session.revoked", about), anEvent("login.succeeded")]);
  await append("session.extended", other);
  await vi.waitUntil(() => heard.events.length === 3, patience);
  expect(heard.events).toEqual([
    { tenantId: scope.tenantId, type: "session.revoked", ...about, sequence: expect.any(BigInt) },
    expect.objectContaining({ type: "login.succeeded", identityId: undefined, sessionId: undefined }),
    expect.objectContaining({ type: "session.extended", tenantId: other.tenantId }),
  ]);
  expect(heard.resets).toBe(1);
  expect(feed.position).toEqual(heard.positions.at(-1));
});

describe("a transaction that stays open", () => {
  test("keeps nothing from being told, holds the position, and is told once it has committed", async () => {
    const { heard, feed, types } = await follow();
    const slow = await writeSlowly("identity.created");
    await append("login.succeeded");
    await vi.waitUntil(() => heard.events.length === 1, patience);
    await append("session.extended");
    await vi.waitUntil(() => heard.events.length === 2, patience);
    const held = feed.position?.sequence ?? 0n;
    expect(held).toBeLessThan(heard.events[0]?.sequence ?? 0n);
    await slow.commit();
    feed.wake();
    await vi.waitUntil(() => heard.events.length === 3, patience);
    expect(types()).toEqual(["login.succeeded", "session.extended", "identity.created"]);
    // What was written beside it by other tests of the machine may hold the position for longer.
    await vi.waitFor(() => {
      feed.wake();
      expect(feed.position?.sequence).toBeGreaterThanOrEqual(heard.events[1]?.sequence ?? 0n);
    }, patience);
    expect(types()).toHaveLength(3);
  });

  test("is not told if it is taken back", async () => {
    const { heard, feed, types } = await follow();
    const failing = storage.transaction(scope, async (tx) => {
      await append("identity.created", tx);
      await append("login.succeeded");
      await vi.waitUntil(() => heard.events.length === 1, patience);
      throw new Error("taken back");
    });
    await expect(failing).rejects.toThrow("taken back");
    feed.wake();
    await append("session.extended");
    await vi.waitUntil(() => heard.events.length === 2, patience);
    expect(types()).toEqual(["login.succeeded", "session.extended"]);
  });
});

test("another process is told at once, without a poll", async () => {
  const other = await openStorage({ ...defaultTestOptions, url: database.url });
  onTestFinished(() => other.close());
  const here = await follow();
  const there = await follow(other);
  await vi.waitFor(async () => {
    // Until both listen.
    await append("login.failed");
    await append("login.failed", scope, other);
    await vi.waitUntil(() => here.heard.events.length > 1 && there.heard.events.length > 1, { timeout: 500 });
  }, patience);
  await append("session.revoked", scope, other);
  await vi.waitUntil(() => here.types().includes("session.revoked"), patience);
});

test("without any notification, what others write is told after the interval", async () => {
  const { feed, types } = await follow(storage, 50);
  const slow = await writeSlowly("session.revoked");
  await slow.commit();
  await vi.waitUntil(() => types().includes("session.revoked"), patience);
  const before = feed.heardAt;
  expect(before).toBeLessThanOrEqual(performance.now());
  await vi.waitUntil(() => feed.heardAt > before, patience);
});

test("a connection that is killed is made again, and nothing is missed or told twice", async () => {
  const { heard, feed, types } = await follow(storage, 50);
  for (let round = 0; round < 5; round++) {
    await append("session.extended");
    await administer(database.url, (query) =>
      query(`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'ostiary feed'`),
    );
    await append("session.revoked");
  }
  const before = feed.heardAt;
  await vi.waitUntil(() => heard.events.length >= 10 && feed.heardAt > before, patience);
  expect(types().toSorted()).toEqual([
    ...Array(5).fill("session.extended"),
    ...Array(5).fill("session.revoked"),
  ]);
  expect(heard.resets).toBe(1);
});

describe("followers begin anew", () => {
  test("when the log is that of another database, and only once", async () => {
    const { heard, feed } = await follow(storage, 20);
    await administer(database.url, (query) => query("UPDATE ostiary.event_epoch SET epoch = epoch # 1"));
    await vi.waitUntil(() => heard.resets === 2, patience);
    expect(heard.positions.at(-1)?.epoch).not.toBe(heard.positions[0]?.epoch);
    await append("login.failed");
    await vi.waitUntil(() => heard.events.length === 1, patience);
    expect(feed.position?.epoch).toBe(heard.positions.at(-1)?.epoch);
    expect(heard.resets).toBe(2);
  });

  test("when more happened at once than can be caught up with; less is told whole, in parts", async () => {
    const { heard, feed } = await follow();
    const write = (count: number) =>
      administer(database.url, (query) =>
        query(
          `INSERT INTO ostiary.event (tenant_id, transaction_id, id, created_at, type, actor, request_id, data)
            SELECT $1, pg_current_xact_id(), gen_random_uuid(), now(), 'login.failed', '{"kind":"server"}', '',
              jsonb_build_object('n', n) FROM generate_series(1, ${count}) n`,
          [scope.tenantId],
        ),
      );
    await write(2_500);
    feed.wake();
    await vi.waitUntil(() => heard.events.length === 2_500, patience);
    expect(heard.events.map(({ data }) => data.n)).toEqual(Array.from({ length: 2_500 }, (_, n) => n + 1));
    await write(20_001);
    feed.wake();
    await vi.waitUntil(() => heard.resets === 2, patience);
    heard.events.length = 0;
    await append("session.revoked");
    await vi.waitUntil(() => heard.events.length > 0, patience);
    expect(heard.events.map(({ type }) => type)).toEqual(["session.revoked"]);
  });
});

/** A step of somebody who has three transactions. */
type Step =
  | { readonly do: "write" | "commit" | "rollback"; readonly of: number }
  | { readonly do: "write alone" | "read" | "lose the connection" };

describe("whatever transactions do beside each other", () => {
  const steps: fc.Arbitrary<Step[]> = fc.array(
    fc.oneof(
      fc.record({
        do: fc.constantFrom("write", "write", "commit", "rollback"),
        of: fc.nat({ max: 2 }),
      }),
      fc.record({ do: fc.constantFrom("write alone", "read", "read") }),
      { weight: 1, arbitrary: fc.constant<Step>({ do: "lose the connection" }) },
    ) as fc.Arbitrary<Step>,
    { minLength: 5, maxLength: 25 },
  );

  test("each event that was committed is told once, and no position is ahead of what was told", async () => {
    const { heard, feed } = await follow(storage, 100);
    const clients = await Promise.all(
      [0, 1, 2].map(async () => {
        const client = new Client({ connectionString: database.url });
        await client.connect();
        onTestFinished(() => client.end());
        return client;
      }),
    );
    let count = 0;
    const insert = (client: Client) =>
      client.query(
        `INSERT INTO ostiary.event (tenant_id, transaction_id, id, created_at, type, actor, request_id, data)
          VALUES ($1, pg_current_xact_id(), gen_random_uuid(), now(), 'login.failed', '{"kind":"server"}', '', $2)`,
        [scope.tenantId, JSON.stringify({ n: ++count })],
      );
    await fc.assert(
      fc.asyncProperty(steps, async (given) => {
        const committed: number[] = [];
        const open = new Map<Client, number[]>();
        const end = async (client: Client, how: "COMMIT" | "ROLLBACK") => {
          const written = open.get(client);
          if (written === undefined) return;
          open.delete(client);
          await client.query(how);
          if (how === "COMMIT") committed.push(...written);
        };
        const before = heard.events.length;
        for (const step of given) {
          const client = clients["of" in step ? step.of : 0] as Client;
          switch (step.do) {
            case "write":
              if (!open.has(client)) await client.query("BEGIN");
              await insert(client);
              open.set(client, [...(open.get(client) ?? []), count]);
              break;
            case "commit":
              await end(client, "COMMIT");
              break;
            case "rollback":
              await end(client, "ROLLBACK");
              break;
            case "write alone":
              await storage.events.append(scope, [anEvent("login.failed", { data: { n: ++count } })]);
              committed.push(count);
              break;
            case "lose the connection":
              await administer(database.url, (query) =>
                query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                  WHERE datname = current_database() AND application_name = 'ostiary feed'`),
              );
              break;
            case "read":
              feed.wake();
              await new Promise((resolve) => setImmediate(resolve));
              break;
            default:
              step satisfies never;
          }
        }
        for (const client of clients) await end(client, "COMMIT");
        const ended = performance.now();
        await vi.waitUntil(() => feed.heardAt > ended, patience);
        const told = heard.events.slice(before).map(({ data }) => Number(data.n));
        expect(told.toSorted((a, b) => a - b)).toEqual(committed.toSorted((a, b) => a - b));
      }),
      { numRuns: 30 },
    );
    expect(heard.resets).toBe(1);
    // Over all of it: positions never go back, and what a position includes was told before it or with it.
    const { positions, counts, events } = heard;
    const sequences = positions.map(({ sequence }) => sequence);
    expect(sequences).toEqual(sequences.toSorted((a, b) => Number(a - b)));
    for (const [index, event] of events.entries()) {
      const [including] = sequences.flatMap((sequence, at) => (sequence >= event.sequence ? [at] : []));
      if (including !== undefined) expect(counts[including]).toBeGreaterThan(index);
    }
  });
});

/** @see issue 15, 2: a cursor waits for it, what forgets sessions does not. */
test("a transaction that writes and stays open, in another database of the cluster, delays nothing", async () => {
  const elsewhere = await createTestDatabase();
  onTestFinished(() => elsewhere.drop());
  const { heard, feed, types } = await follow(storage, 50);
  const client = new Client({ connectionString: elsewhere.url });
  await client.connect();
  await client.query("BEGIN");
  await client.query("CREATE TABLE public.slow AS SELECT pg_current_xact_id() AS id");
  const { rows } = await client.query<{ id: string }>("SELECT id::text FROM public.slow");
  const slow = BigInt(rows[0]?.id ?? 0);
  for (let round = 1; round <= 20; round++) {
    // Each once, also while the same transactions stay beside them.
    await append("session.revoked");
    await vi.waitUntil(() => heard.events.length === round, patience);
    expect(performance.now() - feed.heardAt).toBeLessThan(20_000);
  }
  expect(heard.events.every(({ sequence }) => sequence > slow)).toBe(true);
  // What is resumed from is below it.
  expect(feed.position?.sequence).toBeLessThan(slow);
  await client.query("ROLLBACK");
  await client.end();
  const before = feed.heardAt;
  await vi.waitUntil(() => feed.heardAt > before, patience);
  expect(types()).toHaveLength(20);
});

test("a server that takes over begins a new epoch, by which followers begin anew", async () => {
  const { heard } = await follow(storage, 20);
  // As a standby would see it that has become the primary.
  await administer(database.url, (query) => query("UPDATE ostiary.event_epoch SET timeline = '00000000'"));
  await administer(database.url, (query) =>
    query(`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'ostiary feed'`),
  );
  await vi.waitUntil(() => heard.resets === 2, patience);
  expect(heard.positions.at(-1)?.epoch).not.toBe(heard.positions[0]?.epoch);
});
