import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Identity } from "../../src/domain/identity/identity.ts";
import type { IdentityFilter } from "../../src/domain/identity/store.ts";
import { type CredentialId, type IdentityId, newId } from "../../src/domain/ids.ts";
import { never } from "../../src/domain/instant.ts";
import {
  aFlow,
  afterNoon,
  anEvent,
  anIdentity,
  anIdentityNamed,
  aPassword,
  aSession,
  heldFlow,
  noon,
} from "../support/records.ts";
import { findByDigest } from "../support/sessions.ts";
import { openTwoTenants, type TwoTenants } from "./two-tenants.ts";

let tenants: TwoTenants;
beforeAll(async () => {
  tenants = await openTwoTenants();
});
afterAll(() => tenants.storage.close());

async function store(identity: Identity): Promise<Identity> {
  await tenants.storage.identities.create(tenants.scope, identity, [], []);
  return identity;
}

const unknown = newId<IdentityId>(noon);

/** Everything of a page. */
const everything = { documents: true };
const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const noCredential = "01890000-0000-7000-8000-000000000000" as CredentialId;

describe("create", () => {
  test("stores every field, and finds it by id, identifier and external id, within its tenant", async () => {
    const { storage, scope, other } = tenants;
    const identity = anIdentity({
      externalId: "customer-1",
      traits: { email: "ada@example.com", deep: { list: [1.5, "ü", null, { a: true }] }, __proto__x: 1 },
      publicMetadata: { plan: "free" },
      adminMetadata: { note: "n" },
      identifiers: [
        { kind: "username", value: "zoe", path: "username" },
        { kind: "email", value: "ada@example.com", path: "email" },
      ],
      verifiableAddresses: [
        { kind: "email", value: "ada@example.com", path: "email", verifiedAt: afterNoon(1) },
        { kind: "phone", value: "+4930123456", path: "email", verifiedAt: undefined },
      ],
      recoveryAddresses: [{ kind: "phone", value: "+4930123456", path: "email" }],
      lastLoginAt: afterNoon(2),
    });
    const event = anEvent("identity.created", { identityId: identity.id, data: { method: "admin" } });
    await storage.identities.create(scope, identity, [aPassword("$h")], [event]);
    expect(await storage.identities.find(scope, identity.id)).toEqual(identity);
    expect(await storage.identities.findByIdentifier(scope, "zoe")).toEqual(identity);
    expect(await storage.identities.findByExternalId(scope, "customer-1")).toEqual(identity);
    expect(await storage.identities.findSecret(scope, identity.id, "password")).toBe("$h");
    expect(await storage.identities.find(other, identity.id)).toBeUndefined();
    expect(await storage.identities.findByIdentifier(other, "zoe")).toBeUndefined();
    expect(await storage.identities.findByExternalId(other, "customer-1")).toBeUndefined();
    expect(await storage.identities.findSecret(other, identity.id, "password")).toBeUndefined();
    expect(await storage.identities.listCredentials(other, identity.id, { size: 10 })).toMatchObject({
      items: [],
    });
  });

  test("names the identifier that is taken, and stores nothing", async () => {
    const { storage, scope } = tenants;
    await store(anIdentityNamed("taken-name"));
    const identity = anIdentityNamed("free-name", "taken-name");
    const event = anEvent("credential.set", { identityId: identity.id });
    await expect(storage.identities.create(scope, identity, [], [event])).rejects.toMatchObject({
      reason: "IDENTIFIER_TAKEN",
      metadata: { field: "traits.names.1" },
    });
    expect(await storage.identities.find(scope, identity.id)).toBeUndefined();
    expect(await storage.identities.findByIdentifier(scope, "free-name")).toBeUndefined();
    expect(await tenants.countEvents("credential.set")).toBe(0);
  });

  test("names the external id that is taken", async () => {
    const { storage, scope, other } = tenants;
    await store(anIdentity({ externalId: "same" }));
    await expect(
      storage.identities.create(scope, anIdentity({ externalId: "same" }), [], []),
    ).rejects.toMatchObject({ reason: "EXTERNAL_ID_TAKEN", metadata: { field: "external_id" } });
    await storage.identities.create(other, anIdentity({ externalId: "same" }), [], []);
  });

  test("that fails leaves the transaction it is in usable", async () => {
    const { storage, scope } = tenants;
    await store(anIdentityNamed("first-come"));
    const before = anIdentity();
    const after = anIdentity();
    await storage.transaction(scope, async (tx) => {
      await storage.identities.create(tx, before, [], []);
      await expect(
        storage.identities.create(tx, anIdentityNamed("first-come"), [], []),
      ).rejects.toMatchObject({ reason: "IDENTIFIER_TAKEN" });
      await storage.identities.create(tx, after, [], []);
    });
    expect(await storage.identities.find(scope, before.id)).toBeDefined();
    expect(await storage.identities.find(scope, after.id)).toBeDefined();
  });

  test("of 16 at once with one identifier stores one", async () => {
    const { storage, scope } = tenants;
    const results = await Promise.allSettled(
      Array.from({ length: 16 }, (_, index) =>
        storage.identities.create(scope, anIdentityNamed(`own-${index}`, "contested"), [], []),
      ),
    );
    expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(1);
    for (const result of results) {
      if (result.status === "rejected") expect(result.reason).toMatchObject({ reason: "IDENTIFIER_TAKEN" });
    }
  });

  test("refuses what PostgreSQL cannot hold as an invalid request", async () => {
    const { storage, scope } = tenants;
    for (const text of ["a\0b", "\ud800"]) {
      await expect(
        storage.identities.create(scope, anIdentity({ traits: { text } }), [], []),
      ).rejects.toMatchObject({ reason: "REQUEST_INVALID" });
    }
  });
});

describe("update", () => {
  test("replaces fields, identifiers and addresses", async () => {
    const { storage, scope } = tenants;
    const identity = await store(anIdentityNamed("old-1", "old-2"));
    const updated: Identity = {
      ...identity,
      revision: 2,
      updatedAt: afterNoon(5),
      traits: { changed: true },
      displayName: "Changed",
      externalId: "external-updated",
      identifiers: [
        { kind: "email", value: "new-1", path: "a" },
        { kind: "username", value: "old-1", path: "b" },
      ],
      verifiableAddresses: [{ kind: "email", value: "new-1", path: "email", verifiedAt: afterNoon(3) }],
      recoveryAddresses: [{ kind: "email", value: "new-1", path: "email" }],
    };
    expect(await storage.identities.update(scope, updated, 1, [anEvent("identity.updated")])).toBe(true);
    expect(await storage.identities.find(scope, identity.id)).toEqual(updated);
    expect(await storage.identities.findByIdentifier(scope, "old-2")).toBeUndefined();
    const bare = { ...updated, revision: 3, identifiers: [], verifiableAddresses: [], recoveryAddresses: [] };
    expect(await storage.identities.update(scope, bare, 2, [])).toBe(true);
    expect(await storage.identities.find(scope, identity.id)).toEqual(bare);
  });

  test("changes nothing and writes no event if the revision is another one", async () => {
    const { storage, scope, other } = tenants;
    const identity = await store(anIdentity());
    const changed = { ...identity, revision: 2, displayName: "Changed" };
    const event = anEvent("identity.activated");
    expect(await storage.identities.update(scope, changed, 7, [event])).toBe(false);
    expect(await storage.identities.update(other, changed, 1, [event])).toBe(false);
    expect(await storage.identities.find(scope, identity.id)).toEqual(identity);
    expect(await tenants.countEvents("identity.activated")).toBe(0);
  });

  test("of 16 at once one wins", async () => {
    const { storage, scope } = tenants;
    const identity = await store(anIdentity());
    const results = await Promise.all(
      Array.from({ length: 16 }, () => storage.identities.update(scope, { ...identity, revision: 2 }, 1, [])),
    );
    expect(results.filter(Boolean)).toHaveLength(1);
  });

  test("names the identifier or external id of another identity, and changes nothing", async () => {
    const { storage, scope } = tenants;
    await store({ ...anIdentityNamed("theirs"), externalId: "their-external" });
    const identity = await store(anIdentityNamed("mine"));
    const greedy = { ...anIdentityNamed("mine", "theirs"), id: identity.id, revision: 2 };
    await expect(storage.identities.update(scope, greedy, 1, [])).rejects.toMatchObject({
      reason: "IDENTIFIER_TAKEN",
      metadata: { field: "traits.names.1" },
    });
    await expect(
      storage.identities.update(scope, { ...identity, revision: 2, externalId: "their-external" }, 1, []),
    ).rejects.toMatchObject({ reason: "EXTERNAL_ID_TAKEN" });
    expect(await storage.identities.find(scope, identity.id)).toEqual(identity);
  });
});

describe("setState", () => {
  test("inactive ends the sessions and the open flows of the identity, and of nobody else", async () => {
    const { storage, scope } = tenants;
    const { identity, digest } = await loggedIn();
    const bystander = await loggedIn();
    const bound = aFlow("login", { identityId: identity.id });
    await storage.flows.create(scope, bound);
    const event = anEvent("identity.deactivated", { identityId: identity.id });
    const changed = await storage.identities.setState(scope, identity.id, "inactive", afterNoon(5), [event]);
    expect(changed).toMatchObject({ state: "inactive", stateChangedAt: afterNoon(5), revision: 2 });
    const found = await findByDigest(storage.sessions, scope, digest);
    expect(found?.session.revokedAt).toEqual(afterNoon(5));
    expect(found?.identity.state).toBe("inactive");
    expect((await storage.flows.find(scope, "login", bound.digest))?.state).toBe("completed");
    const other = await findByDigest(storage.sessions, scope, bystander.digest);
    expect(other?.session.revokedAt).toBe(never);
  });

  test("writes its events only if the state was another one", async () => {
    const { storage, scope } = tenants;
    const identity = await store(anIdentity());
    const event = anEvent("password.checked");
    const unchanged = await storage.identities.setState(scope, identity.id, "active", afterNoon(5), [event]);
    expect(unchanged).toEqual(identity);
    expect(await tenants.countEvents("password.checked")).toBe(0);
  });

  test("finds neither an unknown identity nor another tenant's", async () => {
    const { storage, scope, other } = tenants;
    const identity = await store(anIdentity());
    expect(await storage.identities.setState(scope, unknown, "inactive", noon, [])).toBeUndefined();
    expect(await storage.identities.setState(other, identity.id, "inactive", noon, [])).toBeUndefined();
    expect((await storage.identities.find(scope, identity.id))?.state).toBe("active");
  });
});

describe("delete", () => {
  test("removes everything of the identity but its events", async () => {
    const { storage, scope } = tenants;
    const { identity, digest } = await loggedIn();
    const event = anEvent("identity.deleted", { identityId: identity.id });
    expect(await storage.identities.delete(scope, identity.id, [event])).toBe(true);
    expect(await storage.identities.find(scope, identity.id)).toBeUndefined();
    expect(await findByDigest(storage.sessions, scope, digest)).toBeUndefined();
    expect(await storage.identities.findSecret(scope, identity.id, "password")).toBeUndefined();
    expect(await tenants.countEvents("identity.deleted")).toBe(1);
    expect(await storage.identities.delete(scope, identity.id, [event])).toBe(false);
    expect(await tenants.countEvents("identity.deleted")).toBe(1);
    // The identifier is free again.
    await store(anIdentity({ identifiers: identity.identifiers }));
  });

  test("does not touch another tenant's identity", async () => {
    const identity = await store(anIdentity());
    expect(await tenants.storage.identities.delete(tenants.other, identity.id, [])).toBe(false);
  });
});

describe("credentials", () => {
  test("a password is set, replaced, listed and removed", async () => {
    const { storage, scope, other } = tenants;
    const identity = await store(anIdentity());
    const events = [anEvent("credential.deleted", { identityId: identity.id })];
    const first = aPassword("$1", "bcrypt");
    expect(await storage.identities.setCredential(scope, identity.id, first, noon, [])).toEqual({
      id: expect.stringMatching(uuidV7),
      kind: "password",
      lookupKey: "",
      createdAt: noon,
      updatedAt: noon,
      label: "",
      isSecondFactor: false,
      facts: { algorithm: "bcrypt" },
      lastUsedAt: undefined,
    });
    const second = aPassword("$2");
    const replaced = await storage.identities.setCredential(scope, identity.id, second, afterNoon(1), []);
    expect(replaced).toMatchObject({
      createdAt: noon,
      updatedAt: afterNoon(1),
      facts: { algorithm: "argon2id" },
    });
    const { items } = await storage.identities.listCredentials(scope, identity.id, { size: 10 });
    expect(items).toEqual([replaced]);
    const id = items[0]?.id ?? noCredential;
    expect(await storage.identities.findCredential(scope, identity.id, id)).toEqual(replaced);
    expect(await storage.identities.findCredential(scope, identity.id, noCredential)).toBeUndefined();
    expect(await storage.identities.findCredential(other, identity.id, id)).toBeUndefined();
    expect(await storage.identities.deleteCredential(scope, identity.id, noCredential, events)).toBe(false);
    expect(await storage.identities.deleteCredential(other, identity.id, id, events)).toBe(false);
    expect(await storage.identities.deleteCredential(scope, identity.id, id, events)).toBe(true);
    expect(await storage.identities.deleteCredential(scope, identity.id, id, events)).toBe(false);
    expect(await tenants.countEvents("credential.deleted")).toBe(1);
    expect(await storage.identities.findSecret(scope, identity.id, "password")).toBeUndefined();
  });

  test("a password is set for nobody unknown, and nobody of another tenant", async () => {
    const { storage, scope, other } = tenants;
    const identity = await store(anIdentity());
    const password = aPassword("$1", "bcrypt");
    expect(await storage.identities.setCredential(scope, unknown, password, noon, [])).toBeUndefined();
    expect(await storage.identities.setCredential(other, identity.id, password, noon, [])).toBeUndefined();
  });

  test("a rehash is dropped if the password changed meanwhile", async () => {
    const { storage, scope } = tenants;
    const identity = await store(anIdentity());
    await storage.identities.setCredential(scope, identity.id, aPassword("$new"), noon, []);
    const rehash = aPassword("$rehash");
    await storage.identities.replaceSecret(scope, identity.id, aPassword("$old"), rehash, noon);
    expect(await storage.identities.findSecret(scope, identity.id, "password")).toBe("$new");
    await storage.identities.replaceSecret(scope, identity.id, aPassword("$new"), rehash, noon);
    expect(await storage.identities.findSecret(scope, identity.id, "password")).toBe("$rehash");
  });
});

describe("list", () => {
  const people: Record<string, Identity> = {};
  beforeAll(async () => {
    const list = [
      ["li-ada", { city: "Rom", tags: ["a", "b"], deep: { a: 1 } }],
      ["li-bob", { city: "Rom", tags: ["b"] }],
      ["li-%", { city: null, deep: { a: 2 } }],
      ["li-%x", { city: "Oslo", 7: "seven", deep: {} }],
      ["lj", { city: "Oslo" }],
    ] as const;
    for (const [index, [name, traits]] of list.entries()) {
      people[name] = await store({
        ...anIdentityNamed(name, `${name}-second`),
        traits: structuredClone(traits) as unknown as Identity["traits"],
        schemaId: "listed",
        publicMetadata: { plan: "gold" },
        adminMetadata: { note: "a" },
        createdAt: afterNoon(index % 2),
      });
    }
  });

  async function names(filter: IdentityFilter, size = 100): Promise<string[]> {
    const page = await tenants.storage.identities.list(
      tenants.scope,
      { schemaId: "listed", ...filter },
      { size },
      everything,
    );
    return page.items.map((identity) => identity.identifiers[0]?.value ?? "").sort();
  }

  test.each<[string, IdentityFilter, string[]]>([
    ["nothing else", {}, ["li-%", "li-%x", "li-ada", "li-bob", "lj"]],
    ["a prefix", { identifierPrefix: "li-" }, ["li-%", "li-%x", "li-ada", "li-bob"]],
    ["a prefix with a character that LIKE knows", { identifierPrefix: "li-%" }, ["li-%", "li-%x"]],
    ["a trait", { traits: [{ path: ["city"], value: "Rom" }] }, ["li-ada", "li-bob"]],
    ["a trait that is null", { traits: [{ path: ["city"], value: null }] }, ["li-%"]],
    ["a nested trait", { traits: [{ path: ["deep", "a"], value: 1 }] }, ["li-ada"]],
    ["a trait that is equal, not contained", { traits: [{ path: ["tags"], value: ["b"] }] }, ["li-bob"]],
    ["an empty object, not any object", { traits: [{ path: ["deep"], value: {} }] }, ["li-%x"]],
    ["a place in a list", { traits: [{ path: ["tags", "1"], value: "b" }] }, ["li-ada"]],
    ["a key that looks like a place", { traits: [{ path: ["7"], value: "seven" }] }, ["li-%x"]],
    ["a state", { state: "inactive" }, []],
    [
      "all at once",
      { identifierPrefix: "li-a", traits: [{ path: ["city"], value: "Rom" }], state: "active" },
      ["li-ada"],
    ],
  ])("filters by %s", async (_, filter, expected) => {
    expect(await names(filter)).toEqual(expected);
  });

  test("pages through everything once, newest first", async () => {
    const { storage, scope } = tenants;
    const seen: Identity[] = [];
    let after: readonly string[] | undefined;
    do {
      const page = await storage.identities.list(
        scope,
        { schemaId: "listed" },
        { size: 2, after },
        everything,
      );
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items);
      after = page.next;
    } while (after !== undefined);
    expect(seen).toHaveLength(5);
    expect(new Set(seen.map(({ id }) => id)).size).toBe(5);
    const times = seen.map(({ createdAt }) => createdAt.getTime());
    expect(times).toEqual(times.toSorted((a, b) => b - a));
  });

  test("leaves out traits and metadata where they are not asked for", async () => {
    const { storage, scope } = tenants;
    const { items } = await storage.identities.list(
      scope,
      { schemaId: "listed" },
      { size: 10 },
      { documents: false },
    );
    const documents = items.map(({ traits, publicMetadata, adminMetadata }) => ({
      ...{ traits, publicMetadata, adminMetadata },
    }));
    expect(documents).toEqual(Array(5).fill({ traits: {}, publicMetadata: {}, adminMetadata: {} }));
  });

  test("shows nothing of another tenant, and refuses a position that is none", async () => {
    const { storage, scope, other } = tenants;
    const elsewhere = await storage.identities.list(other, { schemaId: "listed" }, { size: 10 }, everything);
    expect(elsewhere.items).toEqual([]);
    const wrong = storage.identities.list(scope, {}, { size: 1, after: ["x"] }, everything);
    await expect(wrong).rejects.toMatchObject({
      reason: "PAGE_TOKEN_INVALID",
    });
  });
});

async function loggedIn(): Promise<{ identity: Identity; digest: Uint8Array }> {
  const { storage, scope } = tenants;
  const flow = aFlow("registration");
  await storage.flows.create(scope, flow);
  const identity = anIdentity();
  const session = aSession(identity.id);
  await storage.flows.completeRegistration(scope, {
    held: [heldFlow(flow)],
    identity,
    credential: aPassword("$h"),
    session,
    at: noon,
    events: [],
  });
  return { identity, digest: session.tokenDigest };
}
