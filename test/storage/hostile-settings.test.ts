import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { revertMigrations } from "../../src/storage/migrator.ts";
import { openStorage } from "../../src/storage/storage.ts";
import { logIn, register, sessionTokenOf } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { createTestDatabase, defaultTestOptions, type TestDatabase } from "../support/database.ts";
import { refusal } from "../support/errors.ts";
import { administer } from "../support/postgres.ts";

/*
 * What a role or a database sets is in force on each connection, unless the connection sets it itself. With a date style
 * that is not ISO the driver read each time as null, so nobody could sign in, and keys that were revoked or had expired
 * worked again.
 * @see https://github.com/brianc/node-postgres/issues/2640
 */
const hostile: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  ["German dates, and everything else as well", everything("German, DMY", "serializable")],
  ["dates of SQL", { datestyle: "SQL, DMY" }],
  ["dates of POSTGRES", everything("Postgres, MDY", "repeatable read")],
];

function everything(datestyle: string, isolation: string): Record<string, string> {
  return {
    datestyle,
    intervalstyle: "sql_standard",
    timezone: "Asia/Kathmandu",
    bytea_output: "escape",
    client_encoding: "LATIN1",
    search_path: "nowhere, public",
    default_transaction_isolation: isolation,
    standard_conforming_strings: "off",
    escape_string_warning: "on",
    extra_float_digits: "-5",
    array_nulls: "off",
    quote_all_identifiers: "on",
    transform_null_equals: "on",
  };
}

function assignments(database: string, settings: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(settings).map(([key, value]) => {
    // A list of schemas is not one name.
    const written = key === "search_path" ? value : `'${value}'`;
    return `ALTER DATABASE ${database} SET ${key} = ${written}`;
  });
}

describe.each(hostile)("on a database with %s", (_name, settings) => {
  let database: TestDatabase;
  let app: TestApp;
  beforeAll(async () => {
    database = await createTestDatabase();
    const name = new URL(database.url).pathname.slice(1);
    await administer(database.url, async (query) => {
      for (const statement of assignments(name, settings)) await query(statement);
    });
    app = await startTestApp({ databaseUrl: database.url });
  });
  afterAll(async () => {
    await app?.stop();
    await database?.drop();
  });

  test("people register, log in, are checked and log out", async () => {
    const { email } = await register(app);
    const token = await sessionTokenOf(app, email);
    const service = app.client(SessionService);
    const { session } = await service.checkSession({ token });
    expect(session?.authenticateTime).toEqual(timestampFromDate(app.clock.now()));
    await app.client(SessionService, { bearer: token }).logout({});
    expect(await refusal(service.checkSession({ token }))).toMatchObject({ reason: "SESSION_REVOKED" });
  });

  test("wrong passwords of the same moment are each counted", async () => {
    const { email } = await register(app);
    const outcomes = await Promise.all(
      Array.from({ length: 16 }, () => logIn(app, email, "not the password")),
    );
    expect(outcomes.map(({ case: outcome }) => outcome)).toEqual(Array(16).fill("rejected"));
  });

  test("texts and bytes come back whole", async () => {
    const { identity } = await app.client(IdentityService).createIdentity({
      schemaId: "default",
      traits: { email: "ueberall@example.com" },
      publicMetadata: { text: "ü 日本 \\ ' 😀", number: 0.1 },
    });
    const read = await app.client(IdentityService).getIdentity({ identityId: identity?.id ?? "" });
    expect(read.identity?.publicMetadata).toEqual({ text: "ü 日本 \\ ' 😀", number: 0.1 });
    const { identities } = await app.client(IdentityService).listIdentities({});
    expect(identities.map(({ createTime }) => createTime)).toContainEqual(timestampFromDate(app.clock.now()));
  });

  test("Security rule (SR-STORE-1): a key that was revoked or has expired opens nothing", async () => {
    const keys = app.client(ApiKeyService);
    const scopes = ["identity:read"];
    const revoked = await keys.createApiKey({ name: "revoked", scopes });
    await keys.revokeApiKey({ apiKeyId: revoked.apiKey?.id ?? "" });
    const value = timestampFromDate(new Date(app.clock.now().getTime() + 1_000));
    const expiration = { case: "expireTime", value } as const;
    const expired = await keys.createApiKey({ name: "expired", scopes, expiration });
    app.clock.advance(2_000);
    const list = (bearer: string) => app.client(IdentityService, { bearer }).listIdentities({});
    expect(await refusal(list(revoked.secret))).toMatchObject({ reason: "API_KEY_REVOKED" });
    expect(await refusal(list(expired.secret))).toMatchObject({ reason: "API_KEY_EXPIRED" });
  });
});

test("an empty database with hostile settings is migrated", async () => {
  const { url, drop } = await createTestDatabase();
  await revertMigrations(url);
  const name = new URL(url).pathname.slice(1);
  await administer(url, async (query) => {
    for (const statement of assignments(name, everything("German, DMY", "serializable")))
      await query(statement);
  });
  const storage = await openStorage({ ...defaultTestOptions, url });
  expect(await storage.pendingMigrations()).not.toEqual([]);
  await storage.migrate();
  expect(await storage.pendingMigrations()).toEqual([]);
  await storage.close();
  await drop();
});

test("a database whose encoding cannot hold every text is refused at the start, with what to do", async () => {
  const { url } = await createTestDatabase();
  const name = `${new URL(url).pathname.slice(1)}_latin`;
  const other = new URL(url);
  other.pathname = `/${name}`;
  await administer(url, (query) =>
    query(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'`),
  );
  await expect(openStorage({ ...defaultTestOptions, url: other.href })).rejects.toThrow(
    /encoding is LATIN1.*ENCODING 'UTF8'/,
  );
  await administer(url, (query) => query(`DROP DATABASE ${name} WITH (FORCE)`));
});
