import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DomainError } from "../../src/domain/errors.ts";
import { etagOf } from "../../src/domain/identity/etag.ts";
import type { Identity } from "../../src/domain/identity/identity.ts";
import type { IdentityChange, NewIdentity } from "../../src/domain/identity/identity-input.ts";
import type { IdentityId } from "../../src/domain/ids.ts";
import type { JsonObject } from "../../src/domain/json.ts";
import { Secret } from "../../src/domain/secret.ts";
import { afterNoon, anAsker, noon, origin } from "../support/records.ts";
import { goodPassword, type IdentityRules, newIdentity, openIdentityRules, plain } from "./identity-rules.ts";

let rules: IdentityRules;
beforeAll(async () => {
  rules = await openIdentityRules();
});
afterAll(() => rules.storage.close());

/** Everything of a page. */
const everything = { documents: true };

function freshEmail(): string {
  return `${randomUUID()}@example.com`;
}

async function create(input: NewIdentity = newIdentity({ email: freshEmail() })): Promise<Identity> {
  return rules.identities.create(
    rules.scope,
    origin,
    await rules.identities.prepare(rules.tenant, input, anAsker()),
  );
}

function change(id: IdentityId, wanted: Partial<IdentityChange> = {}): IdentityChange {
  return {
    id,
    etag: "",
    schemaId: undefined,
    traits: undefined,
    externalId: undefined,
    publicMetadata: undefined,
    adminMetadata: undefined,
    keepSessions: false,
    allowUnverifiedAddressAsUserName: false,
    ...wanted,
  };
}

function update(id: IdentityId, wanted: Partial<IdentityChange>): Promise<Identity> {
  return rules.identities.update(rules.tenant, origin, change(id, wanted));
}

/** The error's reason, metadata and fields. */
async function failure(work: Promise<unknown>) {
  const error = await work.then(
    () => undefined,
    (thrown: DomainError) => thrown,
  );
  return {
    reason: error?.reason,
    metadata: error?.metadata,
    fields: error?.violations.map(({ field, reason }) => `${field} ${reason}`),
  };
}

async function eventsOf(id: IdentityId): Promise<readonly { type: string; data: JsonObject }[]> {
  return rules.rows("SELECT type, data FROM ostiary.event WHERE identity_id = $1 ORDER BY position", [id]);
}

const nobody = "01890000-0000-7000-8000-000000000000" as IdentityId;

describe("creating an identity", () => {
  test("stores what was given and what follows from it, and the events", async () => {
    const email = freshEmail();
    const identity = await create(
      newIdentity(
        { email: email.toUpperCase(), name: "Ada Lovelace" },
        {
          password: plain(goodPassword),
          externalId: `x-${email}`,
          publicMetadata: { plan: "free" },
          adminMetadata: { note: [1, null, true] },
          verifiedAddresses: [{ value: ` ${email.toUpperCase()}` }],
        },
      ),
    );
    expect(identity).toMatchObject({
      revision: 1,
      state: "active",
      schemaId: "default",
      schemaVersion: 1,
      createdAt: noon,
      externalId: `x-${email}`,
      traits: { email: email.toUpperCase(), name: "Ada Lovelace" },
      identifiers: [{ kind: "email", value: email, path: "email" }],
      verifiableAddresses: [{ kind: "email", value: email, path: "email", verifiedAt: noon }],
      recoveryAddresses: [{ kind: "email", value: email, path: "email" }],
      displayName: "Ada Lovelace",
    });
    expect(await rules.identities.get(rules.tenant, identity.id)).toEqual(identity);
    expect(await eventsOf(identity.id)).toEqual([
      expect.objectContaining({ type: "identity.created", data: {} }),
      expect.objectContaining({ type: "credential.set", data: { kind: "password", imported: false } }),
    ]);
    expect(await credentialsOf(identity.id)).toMatchObject([
      { kind: "password", facts: { algorithm: "argon2id" } },
    ]);
  });

  async function credentialsOf(id: IdentityId) {
    return (await rules.credentials.list(rules.tenant, id, { size: 0, token: "" })).items;
  }

  test("takes a password as a hash of another system", async () => {
    const hash = "$2b$04$abcdefghijklmnopqrstuuK4QjUkJgtgb0oBEPsuhzCJPCmuz8dI6";
    const password = { kind: "hash", hash: new Secret(hash) } as const;
    const identity = await create(newIdentity({ email: freshEmail() }, { password }));
    expect(await credentialsOf(identity.id)).toMatchObject([{ facts: { algorithm: "bcrypt" } }]);
  });

  test.each<[string, NewIdentity, string, JsonObject, readonly string[]]>([
    [
      "traits that break the schema",
      newIdentity({ email: "ada", x: 1 }),
      "TRAITS_INVALID",
      {},
      ["traits.x UNKNOWN_FIELD", "traits.email FORMAT"],
    ],
    ["no traits", newIdentity({}), "TRAITS_INVALID", {}, ["traits.email REQUIRED"]],
    [
      "an unknown schema",
      newIdentity({}, { schemaId: "none" }),
      "SCHEMA_NOT_FOUND",
      { schemaId: "none" },
      [],
    ],
    [
      "a short password",
      newIdentity({ email: "short@example.com" }, { password: plain("short") }),
      "PASSWORD_REJECTED",
      { rule: "too_short" },
      ["credentials.password.password TOO_SHORT"],
    ],
    [
      "a common password",
      newIdentity({ email: "a@example.com" }, { password: plain("password1") }),
      "PASSWORD_REJECTED",
      { rule: "common" },
      ["credentials.password.password VALUE"],
    ],
    [
      "a password like the identifier",
      newIdentity({ email: "lovelace@example.com" }, { password: plain("lovelace@example") }),
      "PASSWORD_REJECTED",
      { rule: "too_similar" },
      ["credentials.password.password VALUE"],
    ],
    [
      "a hash of no known kind",
      newIdentity({ email: "a@example.com" }, { password: { kind: "hash", hash: new Secret("$9$x") } }),
      "PASSWORD_HASH_UNSUPPORTED",
      {},
      ["credentials.password.hash FORMAT"],
    ],
    [
      "an address that is not among the traits",
      newIdentity(
        { email: "a@example.com" },
        { verifiedAddresses: [{ value: "A@example.com" }, { value: "b@example.com" }] },
      ),
      "REQUEST_INVALID",
      {},
      ["verifiedAddresses.1.value VALUE"],
    ],
    [
      "too much metadata",
      newIdentity(
        { email: "a@example.com" },
        { publicMetadata: { x: "y".repeat(9000), z: "y".repeat(9000) } },
      ),
      "REQUEST_INVALID",
      {},
      ["publicMetadata TOO_LONG"],
    ],
    [
      "a null character in metadata",
      newIdentity({ email: "a@example.com" }, { adminMetadata: { x: ["\0"] } }),
      "REQUEST_INVALID",
      {},
      ["adminMetadata.x.0 FORMAT"],
    ],
    [
      "a null character in the external id",
      newIdentity({ email: "a@example.com" }, { externalId: "\0" }),
      "REQUEST_INVALID",
      {},
      ["externalId FORMAT"],
    ],
  ])("refuses %s before anything is stored", async (_name, input, reason, metadata, fields) => {
    const error = await failure(rules.identities.prepare(rules.tenant, input, anAsker()));
    expect(error).toMatchObject({ reason, metadata });
    expect([...(error.fields ?? [])].sort()).toEqual([...fields].sort());
  });

  test("refuses an identifier that somebody has in another spelling, and names the field", async () => {
    const email = freshEmail();
    await create(newIdentity({ email }));
    expect(await failure(create(newIdentity({ email: email.toUpperCase() })))).toMatchObject({
      reason: "IDENTIFIER_TAKEN",
      metadata: { field: "traits.email" },
    });
    const externalId = randomUUID();
    await create(newIdentity({ email: freshEmail() }, { externalId }));
    expect(await failure(create(newIdentity({ email: freshEmail() }, { externalId })))).toMatchObject({
      reason: "EXTERNAL_ID_TAKEN",
    });
  });

  test("of 16 with the same identifier at once one wins", async () => {
    const email = freshEmail();
    const results = await Promise.allSettled(
      Array.from({ length: 16 }, () => create(newIdentity({ email }))),
    );
    expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(1);
    for (const result of results) {
      if (result.status === "rejected") expect(result.reason).toMatchObject({ reason: "IDENTIFIER_TAKEN" });
    }
  });

  test("leaves the same identifier free in another tenant", async () => {
    const email = freshEmail();
    await create(newIdentity({ email }));
    const prepared = await rules.identities.prepare(rules.otherTenant, newIdentity({ email }), anAsker());
    const other = await rules.identities.create(rules.other, origin, prepared);
    expect(await failure(rules.identities.get(rules.tenant, other.id))).toMatchObject({
      reason: "IDENTITY_NOT_FOUND",
    });
  });
});

describe("creating a batch", () => {
  test("gives each its own result, in order, also within a transaction", async () => {
    const taken = await create();
    for (const within of ["by itself", "in a transaction"]) {
      const email = freshEmail();
      const inputs = [
        newIdentity({ email }, { password: plain(goodPassword) }),
        newIdentity({ email: "no address" }),
        newIdentity(taken.traits),
        newIdentity({ email }),
        newIdentity({ email: freshEmail() }, { password: plain("short") }),
        newIdentity({ email: freshEmail() }),
      ];
      const items = await rules.identities.prepareBatch(rules.tenant, inputs, anAsker());
      const results =
        within === "by itself"
          ? await rules.identities.createBatch(rules.scope, origin, items)
          : await rules.storage.transaction(rules.scope, (tx) =>
              rules.identities.createBatch(tx, origin, items),
            );
      expect(results.map((item) => (item.kind === "created" ? item.kind : item.error.reason))).toEqual([
        "created",
        "TRAITS_INVALID",
        "IDENTIFIER_TAKEN",
        "IDENTIFIER_TAKEN",
        "PASSWORD_REJECTED",
        "created",
      ]);
      for (const item of results) {
        if (item.kind === "created") {
          expect(await rules.identities.get(rules.tenant, item.identity.id)).toEqual(item.identity);
        }
      }
    }
  });

  test("of 40 passwords does not overload the queue of hashes by itself", async () => {
    const inputs = Array.from({ length: 40 }, () =>
      newIdentity({ email: freshEmail() }, { password: plain(goodPassword) }),
    );
    const items = await rules.identities.prepareBatch(rules.tenant, inputs, anAsker());
    expect(items.filter((item) => item.kind === "prepared")).toHaveLength(40);
  });
});

describe("finding identities", () => {
  test("looks up by identifier as a person types it, and by external id", async () => {
    const email = freshEmail();
    const identity = await create(newIdentity({ email }, { externalId: `ext-${email}` }));
    const found = (by: { identifier: string } | { externalId: string }) =>
      rules.identities.lookUp(rules.tenant, by);
    expect((await found({ identifier: ` ${email.toUpperCase()} ` })).id).toBe(identity.id);
    expect((await found({ externalId: `ext-${email}` })).id).toBe(identity.id);
    for (const by of [
      { identifier: "nobody" },
      { identifier: "a\0" },
      { identifier: " " },
      { externalId: "\0" },
      { externalId: "x" },
    ]) {
      expect(await failure(found(by))).toMatchObject({ reason: "IDENTITY_NOT_FOUND" });
    }
    expect(await failure(rules.identities.get(rules.tenant, nobody))).toMatchObject({
      reason: "IDENTITY_NOT_FOUND",
    });
  });

  test("lists newest first, page by page, with filters that the token is bound to", async () => {
    const made: Identity[] = [];
    for (let minute = 1; minute <= 5; minute++) {
      rules.clock.at = afterNoon(minute);
      made.push(await create(newIdentity({ username: `lister${minute}` }, { schemaId: "names" })));
    }
    rules.clock.at = noon;
    const query = { identifierPrefix: " LISTER", state: undefined, schemaId: "names", traits: [] };
    const list = (changed: Partial<typeof query>, size: number, token: string) =>
      rules.identities.list(rules.tenant, { ...query, ...changed }, { size, token }, everything);

    const first = await list({}, 3, "");
    const second = await list({}, 3, first.nextToken);
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(made.map(({ id }) => id).reverse());
    expect(second.nextToken).toBe("");
    expect((await list({}, 0, "")).items).toHaveLength(5);
    for (const wrong of [
      list({ schemaId: "" }, 3, first.nextToken),
      list({}, 3, "nonsense"),
      list({}, 3, `${first.nextToken}A`),
    ]) {
      expect(await failure(wrong)).toMatchObject({ reason: "PAGE_TOKEN_INVALID" });
    }
    const other = rules.identities.list(
      rules.otherTenant,
      query,
      { size: 3, token: first.nextToken },
      everything,
    );
    expect(await failure(other)).toMatchObject({ reason: "PAGE_TOKEN_INVALID" });
  });

  test("filters by trait and state, and finds nothing for what cannot be", async () => {
    const name = randomUUID();
    const identity = await create(newIdentity({ email: freshEmail(), name }));
    await rules.identities.deactivate(rules.tenant, origin, identity.id);
    const none = { identifierPrefix: "", state: undefined, schemaId: "", traits: [] };
    const ids = async (query: Partial<Parameters<typeof rules.identities.list>[1]>) => {
      const { items } = await rules.identities.list(
        rules.tenant,
        { ...none, ...query },
        { size: 500, token: "" },
        everything,
      );
      return items.map(({ id }) => id);
    };
    expect(await ids({ traits: [{ path: "name", value: name }] })).toEqual([identity.id]);
    expect(await ids({ traits: [{ path: "name", value: name }], state: "active" })).toEqual([]);
    expect(await ids({ traits: [{ path: "name.first", value: name }] })).toEqual([]);
    // As in the names of form nodes.
    const dotted = await create(
      newIdentity({ username: `dotted-${name}`, "favourite.colour": name }, { schemaId: "names" }),
    );
    expect(await ids({ traits: [{ path: "favourite\\.colour", value: name }] })).toEqual([dotted.id]);
    expect(await ids({ traits: [{ path: "favourite.colour", value: name }] })).toEqual([]);
    expect(await ids({ identifierPrefix: "a\u200b" })).toEqual([]);
    expect(await ids({ schemaId: "\0" })).toEqual([]);
    expect(await ids({ traits: [{ path: "\0", value: 1 }] })).toEqual([]);
    expect(await failure(ids({ traits: [{ path: "name", value: "\0" }] }))).toMatchObject({
      reason: "REQUEST_INVALID",
    });
  });
});

describe("updating an identity", () => {
  test("changes the given fields only, and says which in the event", async () => {
    const before = await create(
      newIdentity({ email: freshEmail(), name: "Ada" }, { adminMetadata: { a: 1 } }),
    );
    rules.clock.at = afterNoon(1);
    const after = await update(before.id, {
      publicMetadata: { kind: "whole", document: { plan: "paid" } },
      externalId: `y-${before.id}`,
    });
    rules.clock.at = noon;
    expect(after).toEqual({
      ...before,
      revision: 2,
      updatedAt: afterNoon(1),
      publicMetadata: { plan: "paid" },
      externalId: `y-${before.id}`,
    });
    expect(await rules.identities.get(rules.tenant, before.id)).toEqual(after);
    expect((await eventsOf(before.id)).at(-1)).toMatchObject({
      type: "identity.updated",
      data: { fields: ["externalId", "publicMetadata"] },
    });
    expect((await update(before.id, { externalId: "" })).externalId).toBeUndefined();
  });

  test("that gives nothing changes nothing", async () => {
    const before = await create();
    expect(await update(before.id, {})).toEqual(before);
    expect(await eventsOf(before.id)).toHaveLength(1);
  });

  test("keeps the verification of an address that stays, in any spelling, and of no other", async () => {
    const [kept, gone, fresh] = [freshEmail(), freshEmail(), freshEmail()];
    const input = newIdentity(
      { emails: [kept, gone] },
      { schemaId: "names", verifiedAddresses: [{ value: kept }, { value: gone }] },
    );
    const before = await create(input);
    const after = await update(before.id, {
      traits: { kind: "whole", document: { emails: [fresh, kept.toUpperCase()] } },
    });
    expect(after.verifiableAddresses).toEqual([
      { kind: "email", value: fresh, path: "emails.0", verifiedAt: undefined },
      { kind: "email", value: kept, path: "emails.1", verifiedAt: noon },
    ]);
    const back = await update(before.id, { traits: { kind: "whole", document: { emails: [gone] } } });
    expect(back.verifiableAddresses).toEqual([
      { kind: "email", value: gone, path: "emails.0", verifiedAt: undefined },
    ]);
  });

  test("refuses a stale etag and takes the current one", async () => {
    const before = await create();
    const etag = etagOf(before);
    await update(before.id, { etag, publicMetadata: { kind: "whole", document: { a: 1 } } });
    expect(
      await failure(update(before.id, { etag, publicMetadata: { kind: "whole", document: { a: 2 } } })),
    ).toMatchObject({
      reason: "ETAG_MISMATCH",
    });
    expect((await rules.identities.get(rules.tenant, before.id)).publicMetadata).toEqual({ a: 1 });
  });

  test("16 times at once makes all 16 changes without an etag, and one with it", async () => {
    const before = await create();
    await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        update(before.id, { publicMetadata: { kind: "whole", document: { index } } }),
      ),
    );
    const between = await rules.identities.get(rules.tenant, before.id);
    expect(between.revision).toBe(17);
    const etag = etagOf(between);
    const results = await Promise.allSettled(
      Array.from({ length: 16 }, (_, index) =>
        update(before.id, { etag, adminMetadata: { kind: "whole", document: { index } } }),
      ),
    );
    expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(1);
  });

  test("moves to another schema together with traits only", async () => {
    const before = await create();
    expect(await failure(update(before.id, { schemaId: "names" }))).toMatchObject({
      reason: "REQUEST_INVALID",
      fields: ["schemaId NOT_ALLOWED"],
    });
    const username = `mover-${before.id}`;
    const after = await update(before.id, {
      schemaId: "names",
      traits: { kind: "whole", document: { username } },
    });
    expect(after).toMatchObject({ schemaId: "names", identifiers: [{ kind: "username", value: username }] });
  });

  test("refuses broken traits, taken identifiers and unknown identities", async () => {
    const [one, two] = [await create(), await create()];
    expect(await failure(update(one.id, { traits: { kind: "whole", document: {} } }))).toMatchObject({
      reason: "TRAITS_INVALID",
    });
    expect(await failure(update(one.id, { traits: { kind: "whole", document: two.traits } }))).toMatchObject({
      reason: "IDENTIFIER_TAKEN",
    });
    expect(await failure(update(nobody, { publicMetadata: { kind: "whole", document: {} } }))).toMatchObject({
      reason: "IDENTITY_NOT_FOUND",
    });
  });
});

describe("state and deletion", () => {
  test("deactivating and activating are recorded once each", async () => {
    const { id } = await create();
    for (let times = 0; times < 2; times++) {
      expect((await rules.identities.deactivate(rules.tenant, origin, id)).state).toBe("inactive");
    }
    for (let times = 0; times < 2; times++) {
      expect((await rules.identities.activate(rules.tenant, origin, id)).state).toBe("active");
    }
    expect((await eventsOf(id)).map(({ type }) => type)).toEqual([
      "identity.created",
      "identity.deactivated",
      "identity.activated",
    ]);
    expect(await failure(rules.identities.activate(rules.tenant, origin, nobody))).toMatchObject({
      reason: "IDENTITY_NOT_FOUND",
    });
  });

  test("deleting frees the identifier, and the event stays", async () => {
    const { id, traits } = await create();
    await rules.identities.delete(rules.tenant, origin, id);
    expect(await failure(rules.identities.get(rules.tenant, id))).toMatchObject({
      reason: "IDENTITY_NOT_FOUND",
    });
    expect(await failure(rules.identities.delete(rules.tenant, origin, id))).toMatchObject({
      reason: "IDENTITY_NOT_FOUND",
    });
    expect((await eventsOf(id)).at(-1)?.type).toBe("identity.deleted");
    await create(newIdentity(traits));
  });
});
