import type { Migration } from "@mikro-orm/migrations";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CredentialId } from "../../src/domain/ids.ts";
import { CredentialIds } from "../../src/storage/migrations/20261129020000-credential-ids.ts";
import { AddressPaths } from "../../src/storage/migrations/20261129020100-address-paths.ts";
import { administer } from "../support/postgres.ts";
import { anIdentity, aPassword } from "../support/records.ts";
import { openTwoTenants, type TwoTenants } from "./two-tenants.ts";

let tenants: TwoTenants;

beforeAll(async () => {
  tenants = await openTwoTenants();
});

afterAll(() => tenants.storage.close());

test("credentials and addresses of before get an id of their time, and the trait that an identifier tells", async () => {
  const { storage, scope } = tenants;
  const named = anIdentity();
  const only = { kind: "email", value: "recovers-only@example.com", path: "spare" } as const;
  const password = aPassword("$h");
  for (const identity of [named, anIdentity({ recoveryAddresses: [only] })]) {
    await storage.identities.create(scope, identity, password, []);
  }
  const { ids, paths } = await administer(storage.url, async (query) => {
    await query("BEGIN");
    for (const migration of [AddressPaths, CredentialIds]) {
      for (const direction of ["down", "up"] as const) {
        for (const statement of statementsOf(migration, direction)) await query(statement);
      }
    }
    const found = {
      ids: await query<{ id: string; created_at: Date }>(
        "SELECT id, created_at FROM ostiary.identity_credential",
      ),
      paths: await query<{ value: string; path: string }>(
        "SELECT value, path FROM ostiary.identity_recovery_address",
      ),
    };
    await query("ROLLBACK");
    return found;
  });
  const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  expect(new Set(ids.map(({ id }) => id)).size).toBe(2);
  for (const { id, created_at } of ids) {
    expect(id).toMatch(uuidV7);
    expect(Number.parseInt(id.replace("-", "").slice(0, 12), 16)).toBe(new Date(created_at).getTime());
  }
  const { value } = named.recoveryAddresses[0] ?? only;
  expect(new Map(paths.map((row) => [row.value, row.path]))).toEqual(
    new Map([
      [value, "email"],
      [only.value, ""],
    ]),
  );
});

test("a password that a release without ids wrote goes by the id of its identity", async () => {
  const { storage, scope } = tenants;
  const { identities } = storage;
  const identity = anIdentity();
  await identities.create(scope, identity, aPassword("$h"), []);
  await tenants.rows("UPDATE ostiary.identity_credential SET id = NULL WHERE identity_id = $1", [
    identity.id,
  ]);
  const { items } = await identities.listCredentials(scope, identity.id, { size: 10 });
  expect(items.map(({ id }) => id)).toEqual([identity.id]);
  const id = identity.id as string as CredentialId;
  expect(await identities.findCredential(scope, identity.id, id)).toEqual(items[0]);
  expect(await identities.deleteCredential(scope, identity.id, id, [])).toBe(true);
});

function statementsOf(
  migration: new (...parameters: ConstructorParameters<typeof Migration>) => Migration,
  direction: "up" | "down",
): readonly string[] {
  const found: string[] = [];
  const made: { up(): void; down(): void; addSql(statement: string): void } = Object.create(
    migration.prototype,
  );
  made.addSql = (statement) => found.push(statement);
  made[direction]();
  return found;
}
