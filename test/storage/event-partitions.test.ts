import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { eventClasses } from "../../src/domain/event/event-class.ts";
import type { TenantScope } from "../../src/domain/ports.ts";
import { Database } from "../../src/storage/database.ts";
import { dropMonths, makeMonths } from "../../src/storage/event-partitions.ts";
import { removeOldEvents } from "../../src/storage/event-retention.ts";
import { migrations } from "../../src/storage/migrations/index.ts";
import { migrateDatabase, revertMigrations } from "../../src/storage/migrator.ts";
import { openStorage, type Storage } from "../../src/storage/storage.ts";
import { createTestDatabase, defaultTestOptions, type TestDatabase } from "../support/database.ts";
import { administer, type Query } from "../support/postgres.ts";
import { anEvent, noon } from "../support/records.ts";

const day = 86_400_000;
const keptForEver = { changes: 1e12, sign_ins: 1e12, failures: 1e12, unknown_names: 1e12, messages: 1e12 };

let own: TestDatabase;
let storage: Storage;
let database: Database;
let scope: TenantScope;
beforeAll(async () => {
  own = await createTestDatabase();
  storage = await openStorage({ ...defaultTestOptions, url: own.url });
  database = new Database({ ...defaultTestOptions, url: own.url });
  scope = { tenantId: await storage.ensureTenant("default", noon) };
});
afterAll(async () => {
  await database.close();
  await storage.close();
  await own.drop();
});

const send: Query = (text, values) => administer(own.url, (query) => query(text, values));
const at = (type: Parameters<typeof anEvent>[0], createdAt: string) =>
  storage.events.append(scope, [anEvent(type, { createdAt: new Date(createdAt) })]);
/** In which partition each event is. */
const places = async () =>
  (
    await send<{ place: string }>(
      "SELECT tableoid::regclass::text AS place FROM ostiary.event ORDER BY position",
    )
  ).map(({ place }) => place.replace("ostiary.event_", ""));
const partitions = async () =>
  (
    await send<{ name: string }>(
      `SELECT relname AS name FROM pg_class WHERE relnamespace = 'ostiary'::regnamespace AND relispartition AND relkind = 'r'
        ORDER BY relname`,
    )
  ).map(({ name }) => name);
const monthOf = (date: Date) => date.toISOString().slice(0, 7).replace("-", "_");
const removedThrough = async () =>
  (await send<{ id: string }>("SELECT removed_through::text AS id FROM ostiary.event_epoch"))[0]?.id;

test("there is room for this month and the next two, of each class, from the start", async () => {
  const now = new Date();
  const present = await partitions();
  for (const eventClass of eventClasses) {
    for (const ahead of [0, 1, 2]) {
      const month = monthOf(new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + ahead)));
      expect(present).toContain(`event_${eventClass}_${month}`);
    }
  }
  expect(await makeMonths(database, now)).toBe(0);
});

test("an event of any time and class can be written, and goes to the month that is made later", async () => {
  await at("login.succeeded", "2031-05-31T23:59:59.999Z");
  await at("login.succeeded", "2031-06-01T00:00:00.000Z");
  await at("identity.created", "2031-06-30T12:00:00.000Z");
  await at("login.failed", "2031-07-01T00:00:00.000Z");
  await at("message.sent", "1999-01-01T00:00:00.000Z");
  await send(
    `INSERT INTO ostiary.event (tenant_id, transaction_id, id, created_at, type, actor, request_id, data, retention_class)
      VALUES ($1, pg_current_xact_id(), gen_random_uuid(), now(), 'later.release', '{"kind":"server"}', '', '{}', 'later')`,
    [scope.tenantId],
  );
  const before = await send("SELECT * FROM ostiary.event ORDER BY position");
  expect(await places()).toEqual([
    ...["sign_ins_default", "sign_ins_default", "changes_default", "unknown_names_default"],
    ...["messages_default", "default"],
  ]);
  const made = await Promise.all([1, 2].map(() => makeMonths(database, new Date("2031-06-10T00:00:00Z"))));
  expect(made.reduce((sum, each) => sum + each)).toBeGreaterThanOrEqual(1);
  // Of two at once each may have left some to the other.
  await makeMonths(database, new Date("2031-06-10T00:00:00Z"));
  expect(await places()).toEqual([
    ...["sign_ins_default", "sign_ins_2031_06", "changes_2031_06", "unknown_names_2031_07"],
    ...["messages_default", "default"],
  ]);
  expect(await send("SELECT * FROM ostiary.event ORDER BY position")).toEqual(before);
  // They are partitions like the others.
  const [indexes] = await send<{ counts: string[] }>(
    `SELECT array_agg(DISTINCT count) AS counts FROM (
      SELECT count(*)::text FROM pg_indexes WHERE schemaname = 'ostiary' AND tablename ~ '^event_[a-z_]+_[0-9]{4}_[0-9]{2}$' GROUP BY tablename
    ) c`,
  );
  expect(indexes?.counts).toHaveLength(1);
  await send("DELETE FROM ostiary.event");
});

describe("a month of which nothing is kept any more", () => {
  const now = new Date("2031-10-15T00:00:00Z");
  const retention = {
    classesMs: { ...keptForEver, sign_ins: 90 * day, failures: 30 * day },
    clientDetailsMs: 365 * day,
  };
  const write = async () => {
    await makeMonths(database, new Date("2031-06-10T00:00:00Z"));
    await makeMonths(database, new Date("2031-09-10T00:00:00Z"));
    await at("login.succeeded", "2031-06-01T00:00:00Z");
    await at("login.succeeded", "2031-07-02T00:00:00Z");
    await at("login.succeeded", "2031-07-20T00:00:00Z");
    await at("identity.created", "2031-06-01T00:00:00Z");
  };

  test("is dropped, and the position up to which events were removed is kept", async () => {
    await write();
    const [first] = await send<{ id: string }>("SELECT min(transaction_id)::text AS id FROM ostiary.event");
    const done = await removeOldEvents(database, now, retention);
    expect(done).toMatchObject({ events: 0 });
    expect(done.months).toBeGreaterThanOrEqual(1);
    // Nobody is known by the event that is kept until its month is over.
    expect(done.clientDetails).toBe(1);
    expect(await places()).toEqual(["sign_ins_2031_07", "sign_ins_2031_07", "changes_2031_06"]);
    const present = await partitions();
    expect(present).not.toContain("event_sign_ins_2031_06");
    expect(present).toContain("event_changes_2031_06");
    expect(await removedThrough()).toBe(first?.id);
  });

  test("is not waited for while somebody reads it, and is dropped afterwards", async () => {
    await makeMonths(database, new Date("2031-06-10T00:00:00Z"));
    const reader = new Client({ connectionString: own.url });
    await reader.connect();
    onTestFinished(() => reader.end());
    await reader.query("BEGIN");
    await reader.query("SELECT count(*) FROM ostiary.event");
    const keptFrom = () => new Date("2031-07-01T00:00:00Z");
    expect(await dropMonths(database, keptFrom)).toBe(0);
    expect(await partitions()).toContain("event_sign_ins_2031_06");
    await reader.query("COMMIT");
    await vi.waitFor(async () => {
      await dropMonths(database, keptFrom);
      expect(await partitions()).not.toContain("event_sign_ins_2031_06");
    });
  });
});

/** @see issue 15, 2: rows of a release before are moved, and none is lost. */
test("the migration moves every event into its class and month, as its message says it", async () => {
  const former = await createTestDatabase();
  onTestFinished(() => former.drop());
  const list = migrations.filter(({ name }) => name >= "20261130044027");
  await revertMigrations(former.url, { list });
  const query: Query = (text, values) => administer(former.url, (each) => each(text, values));
  const rows = [
    [
      "login.succeeded",
      "2026-01-31T23:59:59Z",
      true,
      { method: "password", second_factor: "totp", refresh: false },
    ],
    ["login.failed", "2026-02-01T00:00:00Z", true, { reason: 'a "message_id": b', method: "password" }],
    [
      "login.failed",
      "2026-02-01T00:00:00Z",
      false,
      { reason: "CREDENTIALS_INVALID", method: "password", attempts: 3 },
    ],
    [
      "message.sent",
      "2025-12-31T23:59:59Z",
      false,
      { message_id: "m", template: "login_code", channel: "email" },
    ],
    ["credential.deleted", "2026-01-01T00:00:00Z", true, { kind: "passkey", credential_id: "c" }],
    [
      ...["identity.required_actions_set", "2026-01-01T00:00:00Z", true],
      { actions: [{ action_id: "a", kind: "set_password", timing: "before_session" }] },
    ],
  ];
  for (const [type, createdAt, isKnown, data] of rows) {
    await query(
      `INSERT INTO ostiary.event (tenant_id, transaction_id, id, created_at, type, identity_id, actor, request_id, data)
        VALUES ($1, pg_current_xact_id(), gen_random_uuid(), $2, $3, CASE WHEN $4 THEN gen_random_uuid() END, '{"kind":"server"}', '', $5)`,
      [scope.tenantId, createdAt, type, isKnown, JSON.stringify(data)],
    );
  }
  const all =
    "SELECT position, transaction_id::text, id, created_at, type, identity_id FROM ostiary.event ORDER BY position";
  const before = await query(all);
  await migrateDatabase(former.url);
  expect(await query(all)).toEqual(before);
  expect(
    await query("SELECT tableoid::regclass::text AS place, data FROM ostiary.event ORDER BY position"),
  ).toEqual([
    {
      place: "ostiary.event_sign_ins_2026_01",
      data: { method: "password", secondFactor: "totp", refresh: false },
    },
    {
      place: "ostiary.event_failures_2026_02",
      data: { reason: 'a "message_id": b', method: "password" },
    },
    {
      place: "ostiary.event_unknown_names_2026_02",
      data: { reason: "CREDENTIALS_INVALID", method: "password", attempts: 3 },
    },
    {
      place: "ostiary.event_messages_2025_12",
      data: { messageId: "m", template: "login_code", channel: "email" },
    },
    { place: "ostiary.event_changes_2026_01", data: { kind: "passkey", credentialId: "c" } },
    {
      place: "ostiary.event_changes_2026_01",
      data: { actions: [{ actionId: "a", kind: "set_password", timing: "before_session" }] },
    },
  ]);
  // The numbers go on.
  const migrated = await openStorage({ ...defaultTestOptions, url: former.url });
  await migrated.ensureTenant("default", noon);
  await migrated.events.append(scope, [anEvent("session.created")]);
  await migrated.close();
  const [last] = await query<{ position: string }>(
    "SELECT max(position)::text AS position FROM ostiary.event",
  );
  expect(Number(last?.position)).toBe(rows.length + 1);
});
