import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runMigrations } from "graphile-worker";
import type { TestProject } from "vitest/node";
import { bootstrapAdminKey } from "../../src/app.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { startEmbeddedPostgres } from "../../src/storage/embedded-postgres.ts";
import { migrateDatabase } from "../../src/storage/migrator.ts";
import { TestClock } from "./clock.ts";
import { administer, cloneDatabase, databaseUrl, dropDatabase, silentLogger } from "./postgres.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where tests make databases: the server's superuser, in its own database. */
    postgresUrl: string;
    /** The name of the migrated database that tests clone. */
    templateDatabase: string;
    /** A clone of it for servers, with all that the first one makes in it, and the first admin key. */
    serverTemplate: { readonly database: string; readonly adminKey: string };
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
  const serverDatabase = `${templateDatabase}_server`;
  let adminKey: string;
  try {
    await cloneDatabase(server.url, "template1", templateDatabase);
    await migrateDatabase(databaseUrl(server.url, templateDatabase));
    await cloneDatabase(server.url, templateDatabase, serverDatabase);
    adminKey = await makeAdminKey(databaseUrl(server.url, serverDatabase));
    // Each server would make the job worker's schema: 20 migrations, the most work of its start.
    await runMigrations({ connectionString: databaseUrl(server.url, serverDatabase) });
  } catch (error) {
    await server.stop();
    throw error;
  }
  project.provide("postgresUrl", server.url);
  project.provide("templateDatabase", templateDatabase);
  project.provide("serverTemplate", { database: serverDatabase, adminKey });
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

async function makeAdminKey(url: string): Promise<string> {
  const environment = { OSTIARY_DATABASE_URL: url, OSTIARY_SECRETS_SEALING: randomBytes(32).toString("hex") };
  const config = loadConfig({ file: undefined, environment, flags: {} });
  const clock = new TestClock();
  const key = await bootstrapAdminKey({ config, logger: silentLogger, version: "0.0.0-test", clock });
  if (key === undefined) throw new Error("the template has an admin key already");
  return key.reveal();
}

async function startServer(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const dataDirectory = await mkdtemp(join(tmpdir(), "ostiary-test-"));
  const postgres = await startEmbeddedPostgres({
    dataDirectory,
    logger: silentLogger,
    durable: false,
    maxConnections: 400,
  });
  // A login by password is several hashes on both sides, and a run has thousands of logins. Others cannot reach the socket.
  const accessFile = join(dataDirectory, "postgres/pg_hba.conf");
  const { username } = new URL(postgres.superuserUrl);
  await writeFile(accessFile, `local all ${username} trust\n${await readFile(accessFile, "utf8")}`);
  await administer(postgres.superuserUrl, (query) => query("SELECT pg_reload_conf()"));
  return {
    url: postgres.superuserUrl,
    stop: async () => {
      await postgres.stop();
      await rm(dataDirectory, { recursive: true, force: true });
    },
  };
}
