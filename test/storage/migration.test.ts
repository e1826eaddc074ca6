import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { entities } from "../../src/storage/entities.ts";
import { migrateDatabase, revertMigrations } from "../../src/storage/migrator.ts";
import { openMikroOrm } from "../../src/storage/mikro-orm.ts";
import { openStorage } from "../../src/storage/storage.ts";
import { createTestDatabase, defaultTestOptions } from "../support/database.ts";
import { administer, cloneDatabase, databaseUrl, dropDatabase } from "../support/postgres.ts";
import { noon } from "../support/records.ts";

const name = `ostiary_test_empty_${process.pid}_${randomBytes(4).toString("hex")}`;
let url: string;
beforeAll(async () => {
  await cloneDatabase(inject("postgresUrl"), "template1", name);
  url = databaseUrl(inject("postgresUrl"), name);
});
afterAll(() => dropDatabase(inject("postgresUrl"), name));

/** Everything of our schema, in an order that stays. */
async function describeSchema(): Promise<unknown> {
  return administer(url, async (query) => ({
    columns: await query(
      `SELECT table_name, column_name, data_type, is_nullable, collation_name FROM information_schema.columns
        WHERE table_schema = 'ostiary' AND table_name <> 'migration' ORDER BY table_name, ordinal_position`,
    ),
    indexes: await query(
      "SELECT indexdef FROM pg_indexes WHERE schemaname = 'ostiary' AND tablename <> 'migration' ORDER BY indexdef",
    ),
  }));
}

describe("the migrations", () => {
  test("bring an empty database up to date, once, though eight servers start at once", async () => {
    const storage = await openStorage({ ...defaultTestOptions, url });
    try {
      expect(await storage.pendingMigrations()).not.toEqual([]);
      await expect(storage.ensureTenant("default", noon)).rejects.toThrow("SQLSTATE 42P01");
      await Promise.all(Array.from({ length: 8 }, () => storage.migrate()));
      expect(await storage.pendingMigrations()).toEqual([]);
      const done = await administer(url, (query) => query("SELECT name FROM ostiary.migration"));
      expect(done).toHaveLength(new Set(done.map((row) => JSON.stringify(row))).size);
      await storage.ensureTenant("default", noon);
    } finally {
      await storage.close();
    }
  });

  test("lead back, and forward again to the same schema", async () => {
    await migrateDatabase(url);
    const before = await describeSchema();
    await revertMigrations(url);
    expect(await describeSchema()).toEqual({ columns: [], indexes: [] });
    await migrateDatabase(url);
    expect(await describeSchema()).toEqual(before);
  });

  test("say of each proof that is there what it was given for", async () => {
    await migrateDatabase(url);
    const proofs = ["password", "code_recovery", "link_recovery"].map((kind) => ({
      kind,
      assuranceLevel: "aal1",
    }));
    const flow = { recovery: proofs[1], firstFactor: proofs[0] };
    await administer(url, async (query) => {
      // As a release before it has left them; whose they are does not matter here.
      await query("DELETE FROM ostiary.migration WHERE name LIKE '%proof-purposes%'");
      await query("SET session_replication_role = replica");
      for (const [place, methods] of [proofs, []].entries()) {
        await query(
          `INSERT INTO ostiary.session (tenant_id, id, identity_id, token_digest, created_at, updated_at, assurance_level,
            authentication_methods, authenticated_at, expires_at, last_used_at, revoked_at)
          VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), $1, now(), now(), 'aal1', $2, now(), now(), now(),
            'infinity')`,
          [Buffer.from([place]), JSON.stringify(methods)],
        );
      }
      await query(
        `INSERT INTO ostiary.flow (tenant_id, digest, kind, client, state, created_at, expires_at, data)
        VALUES (gen_random_uuid(), '', 'settings', 'native', 'active', now(), now(), $1)`,
        [JSON.stringify(flow)],
      );
      for (const method of ["code_recovery", "link_recovery", "password"]) {
        await query(
          `INSERT INTO ostiary.event (tenant_id, transaction_id, id, created_at, type, actor, request_id, data)
          VALUES (gen_random_uuid(), pg_current_xact_id(), gen_random_uuid(), now(), 'recovery.succeeded', '{}', '', $1)`,
          [JSON.stringify({ method })],
        );
      }
    });
    await migrateDatabase(url);
    const now = await administer(url, async (query) => ({
      sessions: await query(
        "SELECT authentication_methods AS proofs FROM ostiary.session ORDER BY token_digest",
      ),
      flows: await query("SELECT data FROM ostiary.flow"),
      events: await query("SELECT data FROM ostiary.event ORDER BY position"),
    }));
    const [password, code, link] = [
      { kind: "password", assuranceLevel: "aal1", purpose: "sign_in" },
      { kind: "code", assuranceLevel: "aal1", purpose: "recovery" },
      { kind: "link", assuranceLevel: "aal1", purpose: "recovery" },
    ];
    expect(now).toEqual({
      sessions: [{ proofs: [password, code, link] }, { proofs: [] }],
      flows: [{ data: { recovery: code, firstFactor: password } }],
      events: ["code", "link", "password"].map((method) => ({ data: { method } })),
    });
  });
});

test("the migrated schema is the one that the entities describe", async () => {
  const database = await createTestDatabase();
  const orm = await openMikroOrm({ url: database.url, name: new URL(database.url).pathname.slice(1) });
  try {
    const differences = (await orm.schema.getUpdateSchemaSQL({ wrap: false }))
      .split("\n")
      .filter((line) => line.trim() !== "")
      // Foreign keys and the event's counter are in the migrations alone, see entities.ts.
      .filter((line) => !/drop constraint "\w+_tenant_id_identity_id_fkey"/.test(line))
      .filter((line) => !/"event" alter column "position" drop default/.test(line));
    expect(differences).toEqual([]);
    // The control: a column that only the database has is seen.
    await administer(database.url, (query) => query("ALTER TABLE ostiary.flow ADD COLUMN stray text"));
    expect(await orm.schema.getUpdateSchemaSQL({ wrap: false })).toContain("stray");
  } finally {
    await orm.close();
    await database.drop();
  }
});

test("the last migration has all that the entities have", async () => {
  const orm = await openMikroOrm();
  try {
    // Otherwise: make migration NAME=...
    expect(await orm.migrator.checkSchema()).toBe(false);
    // The control: an entity with a column more is seen.
    const identity = orm.getMetadata().get(entities.Identity);
    Object.assign(identity.properties.displayName ?? {}, { fieldNames: ["another_name"] });
    expect(await orm.migrator.checkSchema()).toBe(true);
  } finally {
    await orm.close();
  }
});
