import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import { openStorage, type Storage, type StorageOptions } from "../../src/storage/storage.ts";
import { cloneDatabase, databaseUrl, dropDatabase, silentLogger } from "./postgres.ts";

/** A database of one test file. */
export interface TestDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

/** Makes a migrated, empty database, as a copy of the template. */
export function createTestDatabase(): Promise<TestDatabase> {
  return clone(inject("templateDatabase"));
}

/** The same for a server, with its first admin key. */
export async function createServerDatabase(): Promise<TestDatabase & { readonly adminKey: string }> {
  const { database, adminKey } = inject("serverTemplate");
  return { ...(await clone(database)), adminKey };
}

async function clone(template: string): Promise<TestDatabase> {
  const server = inject("postgresUrl");
  const name = `${template.replace("_template_", "_db_")}_${randomBytes(6).toString("hex")}`;
  await cloneDatabase(server, template, name);
  return { url: databaseUrl(server, name), drop: () => dropDatabase(server, name) };
}

/** A storage on a database of its own; `close` removes both. */
export async function openTestStorage(
  options: Partial<Omit<StorageOptions, "url">> = {},
): Promise<Storage & { readonly url: string }> {
  const database = await createTestDatabase();
  const storage = await openStorage({ ...defaultTestOptions, ...options, url: database.url });
  return {
    ...storage,
    url: database.url,
    close: async () => {
      await storage.close();
      await database.drop();
    },
  };
}

/** What tests open a storage with. */
export const defaultTestOptions: Omit<StorageOptions, "url"> = {
  poolSize: 20,
  statementTimeoutMs: 10_000,
  acquireTimeoutMs: 10_000,
  logger: silentLogger,
};
