import type { Migration } from "@mikro-orm/migrations";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CredentialId } from "../../src/domain/ids.ts";
import { CredentialIds } from "../../src/storage/migrations/20261129020000-credential-ids.ts";
import { AddressPaths } from "../../src/storage/migrations/20261129020100-address-paths.ts";
import { GenericCredentials } from "../../src/storage/migrations/20261129100000-generic-credentials.ts";
import { SeveralCredentials } from "../../src/storage/migrations/20261129120000-several-credentials.ts";
import { administer } from "../support/postgres.ts";
import { aFlow, anIdentity, aPassword } from "../support/records.ts";
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
    await storage.identities.create(scope, identity, [password], []);
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

const target = { kind: "email", value: "ada@example.com" };
const sent = { sentTo: "ada@example.com", sentAt: "2026-11-24T12:00:00.000Z", target };
const password = { hash: "$h", algorithm: "argon2id" };
const credential = { kind: "password", secret: "$h", facts: { algorithm: "argon2id" } };
const authentication = { kind: "password", assuranceLevel: "aal1" };
const link = { parent: "p", opened: "o", sentTo: "a***", target };
const recovery = {
  kind: "code",
  purpose: "recovery",
  assuranceLevel: "aal1",
  completedAt: sent.sentAt,
  methods: [],
};

// What flows of before remembered, and the same as it is remembered now.
test.each([
  ["login", {}, { purpose: { kind: "sign_in" }, state: { at: "choose_method" } }],
  [
    "login",
    { identifier: { typed: "a", value: "a" }, pending: { kind: "code", ...sent } },
    {
      purpose: { kind: "sign_in" },
      state: { at: "enter_code", ...sent, identifier: { typed: "a", value: "a" } },
    },
  ],
  [
    "login",
    { refreshes: "s", stepsUpTo: "aal1" },
    { purpose: { kind: "refresh", session: "s", stepsUpTo: "aal1" }, state: { at: "choose_method" } },
  ],
  [
    "registration",
    {
      schemaId: "person",
      traits: { nick: null },
      pending: { kind: "code", ...sent },
      account: { password, authentication },
    },
    {
      purpose: { schemaId: "person" },
      state: {
        ...{ at: "enter_code", ...sent, traits: { nick: null }, from: "fill_form" },
        account: { credential, authentication },
      },
    },
  ],
  [
    "registration",
    { schemaId: "person", traits: {}, profileGiven: true },
    { purpose: { schemaId: "person" }, state: { at: "choose_method", traits: {} } },
  ],
  [
    "verification",
    { operator: "sends", pending: { kind: "confirm", ...link } },
    { purpose: { operator: "sends" }, state: { at: "confirm_link", ...link } },
  ],
  [
    "recovery",
    { choice: { typed: "a", addresses: [target], preferred: "1" } },
    {
      purpose: {},
      state: { at: "choose_address", choice: { typed: "a", addresses: [target], preferred: "1" } },
    },
  ],
  [
    "recovery",
    { pending: { kind: "claim", sentTo: "a", target, by: "code" } },
    { purpose: {}, state: { at: "claim_account", sentTo: "a", target, by: "code" } },
  ],
  [
    "settings",
    { recovery, interrupted: { kind: "password", password, keepOtherSessions: false } },
    {
      purpose: { kind: "recovery", recovery },
      state: {
        at: "set_new_secret",
        interrupted: {
          ...{ kind: "credential", credential, keepOtherSessions: false },
          notice: { template: "password_changed", data: {} },
        },
      },
    },
  ],
  [
    "settings",
    { pending: { kind: "code", ...sent }, profile: { patch: { email: "ada@example.com" } } },
    {
      purpose: { kind: "settings" },
      state: { at: "enter_code", ...sent, change: { patch: { email: "ada@example.com" } } },
    },
  ],
] as const)("a flow of before goes on: %s %j", async (kind, data, expected) => {
  const { storage, scope } = tenants;
  const flow = aFlow(kind);
  await storage.flows.create(scope, flow);
  const common = { language: "de", clientData: { from: null } };
  await administer(storage.url, async (query) => {
    for (const statement of statementsOf(GenericCredentials, "down")) await query(statement);
    await query("UPDATE ostiary.flow SET data = $2 WHERE digest = $1", [flow.digest, { ...common, ...data }]);
    for (const statement of statementsOf(GenericCredentials, "up")) await query(statement);
  });
  expect((await storage.flows.find(scope, kind, flow.digest))?.data).toEqual({ ...common, ...expected });
});

test("a password that a release without ids wrote goes by the id of its identity", async () => {
  const { storage, scope } = tenants;
  const { identities } = storage;
  const identity = anIdentity();
  await identities.create(scope, identity, [aPassword("$h")], []);
  await administer(storage.url, async (query) => {
    for (const statement of statementsOf(SeveralCredentials, "down")) await query(statement);
    await query("UPDATE ostiary.identity_credential SET id = NULL WHERE identity_id = $1", [identity.id]);
    for (const statement of statementsOf(SeveralCredentials, "up")) await query(statement);
  });
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
