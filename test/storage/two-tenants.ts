import type { IdentityId } from "../../src/domain/ids.ts";
import type { TenantScope } from "../../src/domain/ports.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { openTestStorage } from "../support/database.ts";
import { administer } from "../support/postgres.ts";
import { noon } from "../support/records.ts";

/** A storage with two tenants in it, which must not see each other. */
export interface TwoTenants {
  readonly storage: Storage & { readonly url: string };
  readonly scope: TenantScope;
  readonly other: TenantScope;
  /** How many events of a type there are, of all tenants. */
  countEvents(type: string): Promise<number>;
  /** Looks into the database past the stores. */
  rows<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

/** Opens a storage on a database of its own, with two tenants. `storage.close` removes it. */
export async function openTwoTenants(): Promise<TwoTenants> {
  const storage = await openTestStorage();
  const scope = { tenantId: await storage.ensureTenant("default", noon) };
  const other = { tenantId: await storage.ensureTenant("other", noon) };
  const rows = <Row extends object>(text: string, values: readonly unknown[] = []) =>
    administer(storage.url, (query) => query<Row>(text, values));
  return {
    storage,
    scope,
    other,
    rows,
    countEvents: async (type) => {
      const [row] = await rows<{ count: number }>(
        "SELECT count(*)::int AS count FROM ostiary.event WHERE type = $1",
        [type],
      );
      return row?.count ?? 0;
    },
  };
}

/** Removes an identity's password. */
export async function deletePassword({ storage, scope }: TwoTenants, id: IdentityId): Promise<void> {
  const { items } = await storage.identities.listCredentials(scope, id, { size: 1 });
  for (const credential of items) await storage.identities.deleteCredential(scope, id, credential.id, []);
}
