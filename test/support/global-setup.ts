import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startEmbeddedPostgres } from "../../src/storage/embedded-postgres.ts";
import { migrateDatabase } from "../../src/storage/migrator.ts";
import { administer, cloneDatabase, databaseUrl, dropDatabase, silentLogger } from "./postgres.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where tests make databases: the server's superuser, in its own database. */
    postgresUrl: string;
    /** The name of the migrated database that tests clone. */
    templateDatabase: string;
  }
}

/**
 * One PostgreSQL for the whole run, and one migrated database in it that each test file clones. The server is
 * OSTIARY_TEST_DATABASE_URL (a role that may make databases) if that is set, else an embedded one without fsync. The
 * self-service pages are built as well, if something of them has changed.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  execFileSync(process.execPath, ["scripts/build-ui.ts"], { stdio: "inherit" });
  const external = process.env.OSTIARY_TEST_DATABASE_URL;
  const server = external ? { url: external, stop: async () => {} } : await startServer();
  const templateDatabase = `ostiary_test_template_${process.pid}`;
  try {
    await cloneDatabase(server.url, "template1", templateDatabase);
    await migrateDatabase(databaseUrl(server.url, templateDatabase));
  } catch (error) {
    await server.stop();
    throw error;
  }
  project.provide("postgresUrl", server.url);
  project.provide("templateDatabase", templateDatabase);
  return async () => {
    if (external) {
      await administer(external, async (query) => {
        for (const { datname } of await query<{ datname: string }>(
          `SELECT datname FROM pg_database WHERE datname LIKE 'ostiary\\_test\\_%\\_${process.pid}%'`,
        )) {
          await dropDatabase(external, datname);
        }
      });
    }
    await server.stop();
  };
}

async function startServer(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const dataDirectory = await mkdtemp(join(tmpdir(), "ostiary-test-"));
  const postgres = await startEmbeddedPostgres({
    dataDirectory,
    logger: silentLogger,
    durable: false,
    maxConnections: 400,
  });
  return {
    url: postgres.superuserUrl,
    stop: async () => {
      await postgres.stop();
      await rm(dataDirectory, { recursive: true, force: true });
    },
  };
}
