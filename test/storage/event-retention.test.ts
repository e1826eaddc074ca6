// operations 10.1: events were kept for ever, with the IP addresses of people, and nothing said so.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EventType } from "../../src/domain/event/event.ts";
import { type EventClass, membersOf } from "../../src/domain/event/event-class.ts";
import { type IdentityId, newId } from "../../src/domain/ids.ts";
import { Database } from "../../src/storage/database.ts";
import { removeOldEvents } from "../../src/storage/event-retention.ts";
import { defaultTestOptions, openTestStorage } from "../support/database.ts";
import { administer } from "../support/postgres.ts";
import { anEvent, noon } from "../support/records.ts";

let storage: Awaited<ReturnType<typeof openTestStorage>>;
let database: Database;
const hour = 3_600_000;
const retention = {
  classesMs: {
    changes: 9 * hour,
    sign_ins: 7 * hour,
    failures: 5 * hour,
    unknown_names: 3 * hour,
    messages: hour,
  },
  clientDetailsMs: 8 * hour,
};
const identityId = newId<IdentityId>(noon);

beforeAll(async () => {
  storage = await openTestStorage();
  database = new Database({ ...defaultTestOptions, url: storage.url });
});
afterAll(async () => {
  await database.close();
  await storage.close();
});

const ago = (ms: number) => new Date(noon.getTime() - ms);
const rows = () =>
  administer(storage.url, (query) =>
    query<{ type: EventType; is_known: boolean; age: number; ip_address: string | null }>(
      `SELECT type, identity_id IS NOT NULL AS is_known, ip_address,
        extract(epoch FROM $1::timestamptz - created_at)::float / 3600 AS age FROM ostiary.event`,
      [noon],
    ),
  );

async function write(events: readonly { type: EventType; isKnown: boolean; ageMs: number }[]) {
  const scope = { tenantId: await storage.ensureTenant("default", noon) };
  await storage.events.append(
    scope,
    events.map(({ type, isKnown, ageMs }) => ({
      ...anEvent(type, isKnown ? { identityId } : {}),
      createdAt: ago(ageMs),
    })),
  );
}

describe("events", () => {
  const classes = Object.keys(retention.classesMs) as EventClass[];

  test("of each class are kept as long as it says, and no longer", async () => {
    for (const eventClass of classes) {
      const keptMs = retention.classesMs[eventClass];
      const { types, hasIdentity = true } = membersOf(eventClass);
      for (const ageMs of [keptMs + 1_000, keptMs - 1_000]) {
        await write(types.map((type) => ({ type, isKnown: hasIdentity, ageMs })));
      }
    }
    const before = await rows();
    const done = await removeOldEvents(database, noon, retention);
    const after = await rows();
    expect(done.events).toBe(before.length / 2);
    expect(after).toHaveLength(before.length / 2);
    for (const { type, is_known, age } of after) {
      const own = classes.find((each) => {
        const { types, hasIdentity = is_known } = membersOf(each);
        return types.includes(type) && hasIdentity === is_known;
      });
      expect(own && age * hour).toBeLessThan(own ? retention.classesMs[own] : 0);
    }
    expect(new Set(after.map(({ type }) => type))).toEqual(new Set(before.map(({ type }) => type)));
  });

  test("that are kept longer lose the IP address and User-Agent, and nothing else", async () => {
    const type = "credential.set";
    await administer(storage.url, (query) => query("DELETE FROM ostiary.event"));
    await write([
      { type, isKnown: true, ageMs: 8 * hour + 1_000 },
      { type, isKnown: true, ageMs: 8 * hour - 1_000 },
    ]);
    expect(await removeOldEvents(database, noon, retention)).toEqual({
      events: 0,
      months: 0,
      clientDetails: 1,
    });
    expect((await rows()).map(({ ip_address }) => ip_address).sort()).toEqual(["192.0.2.1", null]);
    expect(await removeOldEvents(database, noon, retention)).toEqual({
      events: 0,
      months: 0,
      clientDetails: 0,
    });
  });

  test("are removed in batches, by indexes, and by several servers at once", async () => {
    await administer(storage.url, async (query) => {
      await query("DELETE FROM ostiary.event");
      await query(
        `INSERT INTO ostiary.event (tenant_id, transaction_id, id, created_at, type, actor, request_id, data, retention_class)
          SELECT gen_random_uuid(), pg_current_xact_id(), gen_random_uuid(), $1::timestamptz - n * interval '1 second',
            'login.succeeded', '{}', '', '{}', 'sign_ins' FROM generate_series(1, 30000) n`,
        [ago(7 * hour - 100_000)],
      );
      await query("ANALYZE ostiary.event");
    });
    const texts: string[] = [];
    const other = new Database({
      ...{ ...defaultTestOptions, url: storage.url },
      onStatement: (text) => texts.push(text),
    });
    try {
      const done = await Promise.all([
        removeOldEvents(database, noon, retention),
        removeOldEvents(other, noon, retention),
      ]);
      expect(done.map(({ events }) => events).reduce((sum, each) => sum + each)).toBe(30_000 - 100);
      expect(await rows()).toHaveLength(100);
      const ofEvents = [...new Set(texts)].filter((text) => /DELETE FROM|UPDATE ostiary.event/.test(text));
      expect(ofEvents).toHaveLength(12);
      for (const text of ofEvents) {
        const plan = await administer(storage.url, async (query) => {
          await query("SET enable_seqscan = off");
          return query(`EXPLAIN ${text}`, [noon]);
        });
        expect(JSON.stringify(plan)).not.toContain("Seq Scan");
      }
    } finally {
      await other.close();
    }
  });
});
