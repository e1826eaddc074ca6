import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { IdentityFilter } from "../../src/domain/identity/store.ts";
import { listIdentitiesQuery } from "../../src/storage/identity-list.ts";
import { administer } from "../support/postgres.ts";
import { openTwoTenants, type TwoTenants } from "./two-tenants.ts";

let tenants: TwoTenants;
beforeAll(async () => {
  tenants = await openTwoTenants();
  const { tenantId } = tenants.scope;
  await administer(tenants.storage.url, async (query) => {
    await query(
      `INSERT INTO ostiary.identity (tenant_id, id, created_at, updated_at, revision, schema_id, schema_version, state,
          state_changed_at, traits, public_metadata, admin_metadata, display_name, login_sequence)
        SELECT $1, gen_random_uuid(), now() - n * interval '1 s', now(), 1, 'default', 1, 'active', now(), '{}', '{}', '{}', '', 0
        FROM generate_series(1, 5000) n`,
      [tenantId],
    );
    await query("ANALYZE ostiary.identity");
  });
});
afterAll(() => tenants.storage.close());

/** @see operations 10: a filter that few identities pass read the whole table. */
describe("identities are listed without reading those that are not asked for", () => {
  test.each<[string, IdentityFilter]>([
    ["state", { state: "inactive" }],
    ["schema", { schemaId: "nobody-has-it" }],
  ])("by %s", async (_, filter) => {
    const page = { size: 100, after: undefined };
    const { text, values } = listIdentitiesQuery(tenants.scope, filter, page, { documents: true });
    const client = new Client({ connectionString: tenants.storage.url });
    await client.connect();
    const { rows } = await client.query(`EXPLAIN (ANALYZE, FORMAT JSON) ${text}`, [...values]);
    await client.end();
    const plan = JSON.stringify(rows);
    expect(plan.includes('"Index Name":"identity_list_by_')).toBe(true);
    expect(/"Rows Removed by \w+":[1-9]/.test(plan)).toBe(false);
  });
});
