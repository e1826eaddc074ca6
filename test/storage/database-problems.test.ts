import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import type { Logger } from "../../src/domain/ports.ts";
import { openStorage, type Storage } from "../../src/storage/storage.ts";
import { startTestApp } from "../support/app.ts";
import { createTestDatabase, defaultTestOptions, type TestDatabase } from "../support/database.ts";
import { runProgram } from "../support/foreign.ts";
import { administer } from "../support/postgres.ts";
import { noon } from "../support/records.ts";

interface Line {
  readonly fields: { readonly sqlState?: string; readonly error?: string; readonly times?: number };
  readonly message: string;
}

let database: TestDatabase;
let storage: Storage;
let warnings: Line[];

beforeEach(async () => {
  database = await createTestDatabase();
  warnings = [];
  const ignore = () => {};
  const warn = (fields: object, message: string) => void warnings.push({ fields, message });
  const logger: Logger = { debug: ignore, info: ignore, error: ignore, warn };
  storage = await openStorage({ ...defaultTestOptions, url: database.url, poolSize: 2, logger });
});

afterEach(async () => {
  await storage.close();
  await database.drop();
});

const write = () => storage.ensureTenant(`t${Math.random()}`, noon);
const nameOf = ({ url }: TestDatabase) => new URL(url).pathname.slice(1);

/** Makes each write fail as PostgreSQL does in that state. */
async function refuseWritesWith(state: string, text: string): Promise<void> {
  await administer(database.url, async (query) => {
    await query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION USING ERRCODE = '${state}', MESSAGE = '${text}'; END $$`);
    await query(
      "CREATE TRIGGER refuse BEFORE INSERT ON ostiary.tenant FOR EACH STATEMENT EXECUTE FUNCTION refuse()",
    );
  });
}

describe("why the database refuses is in the log", () => {
  test.each([
    ["53100", "could not extend file: No space left on device", "the database's disk is full"],
    ["53200", "out of memory", "the database is out of memory"],
    ["57014", "canceling statement due to statement timeout", "a statement took too long or was cancelled"],
    ["55P03", "canceling statement due to lock timeout", "a lock was not to be had in time"],
    ["08006", "connection failure", "the database cannot be reached"],
  ])("%s", async (state, text, message) => {
    await refuseWritesWith(state, text);
    await expect(write()).rejects.toMatchObject({ reason: "DATABASE_UNAVAILABLE" });
    expect(warnings).toEqual([{ fields: { sqlState: state, error: text }, message }]);
    expect(storage.problems().get(state)).toBe(1);
  });

  test("a database that became read-only", async () => {
    await administer(database.url, (query) =>
      query(`ALTER DATABASE ${nameOf(database)} SET default_transaction_read_only = on`),
    );
    // Those that are open have the former setting.
    await storage.close();
    await expect(openAgain().then(write)).rejects.toMatchObject({ reason: "DATABASE_UNAVAILABLE" });
    expect(warnings).toMatchObject([
      {
        fields: { sqlState: "25006" },
        message: "the database is read-only: a standby, or default_transaction_read_only",
      },
    ]);
  });

  test("a database without a free connection", async () => {
    const role = `limited_${process.pid}`;
    await administer(database.url, async (query) => {
      await query(`CREATE ROLE ${role} LOGIN PASSWORD 'x' CONNECTION LIMIT 1`);
      await query(`GRANT CREATE ON DATABASE ${nameOf(database)} TO ${role}`);
      await query(`GRANT USAGE ON SCHEMA ostiary TO ${role}`);
    });
    try {
      const url = new URL(database.url);
      url.username = role;
      url.password = "x";
      await storage.close();
      storage = await openAgain(url.href);
      await Promise.allSettled([storage.ping(), storage.ping(), storage.ping()]);
      expect(warnings).toMatchObject([
        { fields: { sqlState: "53300" }, message: "the database has no free connection" },
      ]);
    } finally {
      await storage.close();
      // Closed at the end of each test.
      storage = await openAgain();
      await administer(database.url, async (query) => {
        await query(`DROP OWNED BY ${role}`);
        await query(`DROP ROLE ${role}`);
      });
    }
  });

  test("and so is one that is gone, without a SQLSTATE", async () => {
    storage.useUrl("postgresql://nobody@127.0.0.1:1/none");
    await administer(database.url, (query) =>
      query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ostiary' AND datname = $1",
        [nameOf(database)],
      ),
    );
    for (let attempt = 0; attempt < 5; attempt++) await storage.ping().catch(() => {});
    const refused = warnings.filter(({ fields }) => fields.error?.includes("ECONNREFUSED"));
    expect(refused).toMatchObject([{ message: "the database cannot be reached" }]);
  });

  test("each once, however often it comes, and counted each time", async () => {
    await refuseWritesWith("53100", "could not extend file");
    const results = await Promise.allSettled(Array.from({ length: 50 }, write));
    expect(results.filter(({ status }) => status === "rejected")).toHaveLength(50);
    expect(warnings).toHaveLength(1);
    expect(storage.problems().get("53100")).toBe(50);
  });

  test("but nothing that a statement wanted and could not have", async () => {
    await refuseWritesWith("23505", "Key (email)=(ada@example.com) already exists");
    await expect(write()).rejects.toThrow("SQLSTATE 23505");
    expect(warnings).toEqual([]);
    expect([...storage.problems()]).toEqual([]);
  });

  async function openAgain(url = database.url): Promise<Storage> {
    const ignore = () => {};
    const warn = (fields: object, message: string) => void warnings.push({ fields, message });
    storage = await openStorage({
      ...defaultTestOptions,
      url,
      poolSize: 3,
      logger: { debug: ignore, info: ignore, error: ignore, warn },
    });
    return storage;
  }
});

test("a caller is told that the database cannot be used, and not that it cannot be reached", async () => {
  const app = await startTestApp();
  try {
    await administer(app.databaseUrl, async (query) => {
      await query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION USING ERRCODE = '53100', MESSAGE = 'could not extend file'; END $$`);
      await query(
        "CREATE TRIGGER refuse BEFORE INSERT ON ostiary.flow FOR EACH STATEMENT EXECUTE FUNCTION refuse()",
      );
    });
    const begin = app.client(RegistrationService).createRegistrationFlow({ client: ClientKind.NATIVE });
    await expect(begin).rejects.toThrow("The database cannot be used at the moment");
    await expect(begin).rejects.not.toThrow(/extend|53100|reached/);
    expect(app.log).toContainEqual({
      level: "warn",
      fields: { sqlState: "53100", error: "could not extend file" },
      message: "the database's disk is full",
    });
    const page = await (await fetch(`${app.adminUrl}/metrics`)).text();
    expect(page).toContain('\nostiary_database_errors_total{db_response_status_code="53100"} 1\n');
  } finally {
    await app.stop();
  }
});

test("a start on a read-only database is refused with what it is and what to do, without a stack", async () => {
  await administer(database.url, (query) =>
    query(`ALTER DATABASE ${nameOf(database)} SET default_transaction_read_only = on`),
  );
  const env = { OSTIARY_DATABASE_URL: database.url, OSTIARY_SECRETS_SEALING: "s".repeat(32) };
  const { failed, stderr } = await runProgram(
    "bin/ostiary",
    ["serve", "--public-port", "0", "--admin-port", "0"],
    { env },
  );
  expect(failed).toBe(true);
  const [said = ""] = stderr.split("\n").filter((line) => line.startsWith("ostiary: "));
  expect(said).toBe("ostiary: the database is read-only: is it a standby? Point database.url at the primary");
  expect(stderr).not.toMatch(/^\s+at /m);
});
