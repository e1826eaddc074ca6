import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { administer, type Query } from "../support/postgres.ts";

/**
 * The rules that let a tenant be moved to a node of its own, held over PostgreSQL's catalogue: each returns what
 * breaks it. Only the migrations' own table and the epoch of the event log, which is never distributed, belong to no tenant.
 */
const rules: Record<string, (query: Query) => Promise<string[]>> = {
  "every table has a tenant_id that is a uuid and never null": (query) =>
    names(
      query,
      `SELECT c.relname AS name FROM pg_class c
        WHERE c.relnamespace = 'ostiary'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname NOT IN ('migration', 'event_epoch')
          AND NOT EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id'
              AND a.atttypid = 'uuid'::regtype AND a.attnotnull
          )`,
    ),
  "every table has a primary key": (query) =>
    names(
      query,
      `SELECT c.relname AS name FROM pg_class c
        WHERE c.relnamespace = 'ostiary'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'migration'
          AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)`,
    ),
  // tenant_name is how tenants are found: the table of tenants is the one that every node has whole.
  "every primary key and unique index starts with tenant_id": (query) =>
    names(
      query,
      `SELECT i.indexrelid::regclass::text AS name FROM pg_index i
        JOIN pg_class c ON c.oid = i.indrelid
        LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE c.relnamespace = 'ostiary'::regnamespace AND c.relname NOT IN ('migration', 'event_epoch') AND i.indisunique
          AND a.attname IS DISTINCT FROM 'tenant_id' AND i.indexrelid::regclass::text <> 'ostiary.tenant_name'`,
    ),
  "every foreign key starts with tenant_id, on both sides": (query) =>
    names(
      query,
      `SELECT k.conname AS name FROM pg_constraint k
        JOIN pg_attribute here ON here.attrelid = k.conrelid AND here.attnum = k.conkey[1]
        JOIN pg_attribute there ON there.attrelid = k.confrelid AND there.attnum = k.confkey[1]
        WHERE k.connamespace = 'ostiary'::regnamespace AND k.contype = 'f'
          AND (here.attname <> 'tenant_id' OR there.attname <> 'tenant_id')`,
    ),
  "there are no triggers, rules, functions or views": (query) =>
    names(
      query,
      `SELECT t.tgname AS name FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
          WHERE c.relnamespace = 'ostiary'::regnamespace AND NOT t.tgisinternal
        UNION ALL SELECT rulename FROM pg_rules WHERE schemaname = 'ostiary'
        UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'ostiary'::regnamespace
        UNION ALL SELECT relname FROM pg_class
          WHERE relnamespace = 'ostiary'::regnamespace AND relkind IN ('v', 'm')`,
    ),
  "no value is computed by the database": (query) =>
    names(
      query,
      `SELECT c.relname || '.' || a.attname AS name FROM pg_attrdef d
        JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        JOIN pg_class c ON c.oid = d.adrelid
        WHERE c.relnamespace = 'ostiary'::regnamespace AND c.relname <> 'migration'
          -- A constant is not computed; a column that came later needs one, for releases that do not know it.
          AND pg_get_expr(d.adbin, d.adrelid) !~ '^([0-9]+|false|''''::text|''\\[\\]''::jsonb)$'`,
    ),
  "only the event log, which is never distributed, counts its rows": (query) =>
    names(
      query,
      `SELECT c.relname || '.' || a.attname AS name FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'ostiary'::regnamespace AND c.relname <> 'migration' AND a.attidentity <> ''
          AND NOT c.relispartition AND NOT (c.relname = 'event' AND a.attname = 'position')`,
    ),
  "every text in a key is ordered by its bytes": (query) =>
    names(
      query,
      `SELECT i.indexrelid::regclass || '.' || a.attname AS name FROM pg_index i
        JOIN pg_class c ON c.oid = i.indrelid
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
        WHERE c.relnamespace = 'ostiary'::regnamespace AND c.relname <> 'migration'
          AND a.atttypid = 'text'::regtype AND a.attcollation <> '"C"'::regcollation`,
    ),
  "every moment has its time zone": (query) =>
    names(
      query,
      `SELECT c.relname || '.' || a.attname AS name FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'ostiary'::regnamespace AND c.relkind = 'r' AND a.atttypid = 'timestamp'::regtype`,
    ),
};

/** A change that breaks each rule: shows that its check can fail. */
const offences: Record<keyof typeof rules, string> = {
  "every table has a tenant_id that is a uuid and never null":
    "CREATE TABLE ostiary.offender (tenant_id uuid, id uuid PRIMARY KEY)",
  "every table has a primary key": "CREATE TABLE ostiary.offender (tenant_id uuid NOT NULL)",
  "every primary key and unique index starts with tenant_id":
    "CREATE UNIQUE INDEX offender ON ostiary.session (token_digest, tenant_id)",
  "every foreign key starts with tenant_id, on both sides":
    "ALTER TABLE ostiary.session ADD CONSTRAINT offender FOREIGN KEY (id, tenant_id) REFERENCES ostiary.session (id, tenant_id)",
  "there are no triggers, rules, functions or views": "CREATE VIEW ostiary.offender AS SELECT 1 AS one",
  "no value is computed by the database":
    "ALTER TABLE ostiary.session ADD COLUMN offender timestamptz DEFAULT now()",
  "only the event log, which is never distributed, counts its rows":
    "ALTER TABLE ostiary.session ADD COLUMN offender bigint GENERATED ALWAYS AS IDENTITY",
  "every text in a key is ordered by its bytes":
    "CREATE INDEX offender ON ostiary.identity (tenant_id, display_name)",
  "every moment has its time zone": "ALTER TABLE ostiary.session ADD COLUMN offender timestamp",
};

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

async function names(query: Query, text: string): Promise<string[]> {
  return (await query<{ name: string }>(text)).map((row) => row.name);
}

describe("the distribution rules over the catalogue", () => {
  test("look at tables that are there", async () => {
    const tables = await administer(database.url, (query) =>
      names(query, "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'ostiary'"),
    );
    expect(tables).toEqual(expect.arrayContaining(["identity", "session", "flow", "event"]));
  });

  test.each(Object.keys(rules))("%s", async (name) => {
    expect(await administer(database.url, (query) => broken(name, query))).toEqual([]);
  });

  test.each(Object.keys(rules))("control: a schema that breaks it is seen: %s", async (name) => {
    await administer(database.url, async (query) => {
      await query("BEGIN");
      if (name.startsWith("every foreign key")) {
        await query("CREATE UNIQUE INDEX offender_target ON ostiary.session (id, tenant_id)");
      }
      await query(offences[name] ?? "");
      expect(await broken(name, query)).not.toEqual([]);
      await query("ROLLBACK");
    });
  });
});

function broken(name: string, query: Query): Promise<string[]> {
  const rule = rules[name];
  if (rule === undefined) throw new Error(`there is no rule "${name}"`);
  return rule(query);
}
