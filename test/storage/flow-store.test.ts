import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AskedCredential, LoginEnded } from "../../src/domain/flow/shared/store.ts";
import type { Identity, NewCredential } from "../../src/domain/identity/identity.ts";
import { never } from "../../src/domain/instant.ts";
import {
  aFlow,
  afterNoon,
  anEvent,
  anIdentity,
  anIdentityNamed,
  aPassword,
  aSession,
  flowData,
  heldFlow,
  noon,
  passwordProof,
  randomDigest,
} from "../support/records.ts";
import { findByDigest } from "../support/sessions.ts";
import { deletePassword, openTwoTenants, type TwoTenants } from "./two-tenants.ts";

let tenants: TwoTenants;
beforeAll(async () => {
  tenants = await openTwoTenants();
});
afterAll(() => tenants.storage.close());

const hash = "$argon2id$test";

async function storeIdentity(change: Partial<Identity> = {}): Promise<Identity> {
  const identity = anIdentity(change);
  const { storage, scope } = tenants;
  await storage.identities.create(scope, identity, [aPassword(hash)], []);
  return identity;
}

async function openLogin(identity: Identity, change: Partial<LoginEnded> = {}): Promise<LoginEnded> {
  const { storage, scope } = tenants;
  const flow = aFlow("login");
  await storage.flows.create(scope, flow);
  const identifier = identity.identifiers[0]?.value ?? "";
  const { candidate } = await storage.flows.findForLogin(scope, flow.digest, identifier, {
    kind: "password",
  });
  if (candidate === undefined) throw new Error("the identity was not found");
  return {
    held: [heldFlow(flow)],
    candidate,
    proof: passwordProof,
    replaces: undefined,
    session: aSession(identity.id),
    replacement: undefined,
    messages: [],
    maxSessions: 50,
    idleSince: undefined,
    at: afterNoon(1),
    events: [anEvent("login.succeeded", { identityId: identity.id })],
    evictionEvent: anEvent("session.revoked", { identityId: identity.id }),
    ...change,
  };
}

describe("a flow", () => {
  test("is read back as it was stored", async () => {
    const { storage, scope } = tenants;
    const flow = aFlow("login", {
      client: "browser",
      returnTo: "https://example.com/a?b=c",
      browserDigest: randomDigest(),
      data: flowData({ at: "choose_method" }, { traits: { a: [1, "two", null, { deep: true }] } }),
    });
    await storage.flows.create(scope, flow);
    const found = await storage.flows.find(scope, "login", flow.digest);
    expect(found).toEqual({
      ...flow,
      digest: Buffer.from(flow.digest),
      browserDigest: Buffer.from(flow.browserDigest ?? []),
    });
  });

  test("is not found by another kind, another digest or another tenant", async () => {
    const { storage, scope, other } = tenants;
    const flow = aFlow("login");
    await storage.flows.create(scope, flow);
    expect(await storage.flows.find(scope, "registration", flow.digest)).toBeUndefined();
    expect(await storage.flows.find(scope, "login", randomDigest())).toBeUndefined();
    expect(await storage.flows.find(other, "login", flow.digest)).toBeUndefined();
  });
});

describe("findForLogin", () => {
  test("returns flow and candidate, each by itself", async () => {
    const { storage, scope, other } = tenants;
    const identity = await storeIdentity();
    const identifier = identity.identifiers[0]?.value ?? "";
    const flow = aFlow("login");
    await storage.flows.create(scope, flow);
    const both = await storage.flows.findForLogin(scope, flow.digest, identifier, { kind: "password" });
    expect(both.flow?.kind).toBe("login");
    const own = both.candidate?.credentials ?? [];
    expect(own).toMatchObject([{ kind: "password", lookupKey: "", isSecondFactor: false }]);
    const credential = { ...own[0], secret: hash };
    expect(both.candidate).toEqual({ identity, credential, credentials: own, loginSequence: 0 });
    const flowOnly = await storage.flows.findForLogin(scope, flow.digest, "nobody", { kind: "password" });
    expect(flowOnly.flow).toBeDefined();
    expect(flowOnly.candidate).toBeUndefined();
    const candidateOnly = await storage.flows.findForLogin(scope, randomDigest(), identifier, {
      kind: "password",
    });
    expect(candidateOnly.flow).toBeUndefined();
    expect(candidateOnly.candidate).toBeDefined();
    const neither = await storage.flows.findForLogin(other, flow.digest, identifier, { kind: "password" });
    expect(neither).toEqual({ flow: undefined, candidate: undefined });
  });

  test("takes the identifier that the flow remembers before any other", async () => {
    const { storage, scope } = tenants;
    const [chosen, another] = [await storeIdentity(), await storeIdentity()];
    const [{ value = "" } = {}, { value: typed = "" } = {}] = [chosen.identifiers[0], another.identifiers[0]];
    const chose = (identifier: object) =>
      aFlow("login", { data: flowData({ at: "choose_method", ...{ identifier } }) });
    const flow = chose({ typed: value, value });
    const forNobody = chose({ typed: "@", value: "" });
    for (const each of [flow, forNobody]) await storage.flows.create(scope, each);
    const found = async ({ digest }: typeof flow, identifier: string | undefined) =>
      (await storage.flows.findForLogin(scope, digest, identifier, { kind: "password" })).candidate?.identity
        .id;
    for (const identifier of [undefined, typed, value]) {
      expect(await found(flow, identifier)).toBe(chosen.id);
      expect(await found(forNobody, identifier)).toBeUndefined();
    }
    // What only fills a form in says nothing of whose it is.
    const before = aFlow("login", { data: flowData({ at: "enter_identifier", ...{ typed: value } }) });
    await storage.flows.create(scope, before);
    expect([await found(before, undefined), await found(before, typed)]).toEqual([undefined, another.id]);
  });

  test("returns the credentials that there are, whichever is asked for", async () => {
    const { storage, scope } = tenants;
    const [strong, weak] = [await storeIdentity(), anIdentity()];
    await storage.identities.create(scope, weak, [], []);
    const kinds = async ({ identifiers }: Identity, asked?: AskedCredential) => {
      const value = identifiers[0]?.value;
      const { candidate } = await storage.flows.findForLogin(scope, randomDigest(), value, asked);
      return candidate?.credentials.map(({ kind }) => kind);
    };
    expect([await kinds(strong), await kinds(weak)]).toEqual([["password"], []]);
    expect(await kinds(strong, { kind: "password" })).toEqual(["password"]);
  });

  // Security rule (SR-PASSKEY-7): a credential belongs to one account of a tenant.
  test("a credential that is asked for by its key is found in its own tenant alone (SR-PASSKEY-7)", async () => {
    const { storage, scope, other } = tenants;
    const [own, foreign, beside] = [anIdentity(), anIdentity(), anIdentity()];
    const passkey = (secret: string): NewCredential => ({
      ...{ kind: "passkey", lookupKey: "key", secret, facts: { user: "u" } },
    });
    await storage.identities.create(scope, own, [passkey("one")], []);
    // The same id at another tenant is another credential.
    await storage.identities.create(other, foreign, [passkey("two")], []);
    await storage.identities.create(scope, beside, [{ ...passkey("three"), lookupKey: "beside" }], []);
    const [flow, owned, named] = [
      aFlow("login"),
      aFlow("login", { identityId: beside.id }),
      aFlow("login", {
        data: flowData({
          at: "choose_method",
          ...{ identifier: { typed: "x", value: beside.identifiers[0]?.value ?? "" } },
        }),
      }),
    ];
    for (const each of [flow, owned, named]) await storage.flows.create(scope, each);
    const found = async ({ digest }: typeof flow, lookupKey: string, of = scope, typed?: string) => {
      const asked = { kind: "passkey", lookupKey } as const;
      const { candidate } = await storage.flows.findForLogin(of, digest, typed, asked);
      return candidate && [candidate.identity.id, candidate.credential?.secret];
    };
    expect(await found(flow, "key")).toEqual([own.id, "one"]);
    expect(await found(flow, "key", other)).toEqual([foreign.id, "two"]);
    expect([await found(flow, "kez"), await found(flow, "")]).toEqual([undefined, undefined]);
    // What is typed beside it names nobody; what the flow knows does, and then the credential is somebody else's.
    expect(await found(flow, "key", scope, beside.identifiers[0]?.value)).toEqual([own.id, "one"]);
    expect(await found(owned, "key")).toEqual([beside.id, undefined]);
    expect(await found(named, "key")).toEqual([beside.id, undefined]);
    const again = storage.identities.create(scope, anIdentity(), [passkey("four")], []);
    await expect(again).rejects.toThrow();
  });

  test("returns a candidate without credential if the identity has none", async () => {
    const { storage, scope } = tenants;
    const identity = anIdentity();
    await storage.identities.create(scope, identity, [], []);
    const value = identity.identifiers[0]?.value ?? "";
    const { candidate } = await storage.flows.findForLogin(scope, randomDigest(), value, {
      kind: "password",
    });
    expect(candidate?.credential).toBeUndefined();
  });
});

describe("findForRecovery", () => {
  const at = (value: string) => ({ kind: "email", value, path: "email" }) as const;
  const verified = (value: string) => ({ ...at(value), verifiedAt: noon });
  let count = 0;
  const fresh = () => `recovered-${++count}@example.com`;
  const found = async (value: string, scope = tenants.scope) =>
    (await tenants.storage.flows.findForRecovery(scope, at(value)))?.id;

  /** Somebody for whom an address is one that recovers, verified or not, and who may sign in with it. */
  const holder = (value: string, { signsIn = false, isVerified = true } = {}) =>
    storeIdentity({
      identifiers: signsIn ? [at(value)] : [],
      verifiableAddresses: [isVerified ? verified(value) : { ...at(value), verifiedAt: undefined }],
      recoveryAddresses: [at(value)],
    });

  /** Somebody who only signs in with it. */
  const named = (value: string) =>
    storeIdentity({
      identifiers: [{ ...at(value), path: "email" }],
      verifiableAddresses: [],
      recoveryAddresses: [],
    });

  test("finds by a verified recovery address before it finds by a name", async () => {
    const address = fresh();
    const owner = await holder(address);
    await named(address);
    expect(await found(address)).toBe(owner.id);
    expect(await found(address, tenants.other)).toBeUndefined();
  });

  test("finds by a name, of any kind", async () => {
    const address = fresh();
    const owner = await named(address);
    expect(await found(address)).toBe(owner.id);
    const { storage, scope } = tenants;
    const ada = anIdentityNamed(`ada-${address.slice(0, 12)}`);
    await storage.identities.create(scope, ada, [], []);
    const name = { kind: "username", value: ada.identifiers[0]?.value ?? "" } as const;
    expect((await storage.flows.findForRecovery(scope, name))?.id).toBe(ada.id);
  });

  test("is not led astray by addresses that were not verified, or do not recover (SR-OWNER-1)", async () => {
    const address = fresh();
    await holder(address, { isVerified: false });
    expect(await found(address)).toBeUndefined();
    await storeIdentity({
      identifiers: [],
      verifiableAddresses: [verified(address)],
      recoveryAddresses: [],
    });
    expect(await found(address)).toBeUndefined();
    const owner = await named(address);
    expect(await found(address)).toBe(owner.id);
  });

  test("of several with the address finds the one that signs in with it, and otherwise none of them", async () => {
    const [shared, address] = [fresh(), fresh()];
    await holder(shared);
    await holder(shared);
    expect(await found(shared)).toBeUndefined();
    const name = await named(shared);
    expect(await found(shared)).toBe(name.id);
    await holder(address);
    await holder(address);
    const owner = await holder(address, { signsIn: true });
    expect(await found(address)).toBe(owner.id);
  });
});

describe("completeLogin", () => {
  test("completes the flow, stores the session and the event, and notes the login", async () => {
    const { storage, scope } = tenants;
    const identity = await storeIdentity();
    const login = await openLogin(identity);
    expect(await storage.flows.completeLogin(scope, login)).toBe("completed");
    const flow = await storage.flows.find(scope, "login", digestOf(login));
    expect(flow).toMatchObject({ state: "completed", identityId: identity.id });
    const found = await findByDigest(storage.sessions, scope, login.session.tokenDigest);
    const { tokenDigest: _, ...session } = login.session;
    expect(found?.session).toEqual(session);
    expect(found?.identity).toEqual({ ...identity, lastLoginAt: login.at });
    const events = await tenants.rows("SELECT type FROM ostiary.event WHERE identity_id = $1", [identity.id]);
    expect(events).toEqual([{ type: "login.succeeded" }]);
  });

  test("changes nothing if the flow is completed", async () => {
    const { storage, scope } = tenants;
    const identity = await storeIdentity();
    const first = await openLogin(identity);
    await storage.flows.completeLogin(scope, first);
    const second = { ...(await openLogin(identity)), held: first.held, at: afterNoon(2) };
    expect(await storage.flows.completeLogin(scope, second)).toBe("flow_taken");
    expect(await storage.sessions.find(scope, second.session.id)).toBeUndefined();
    expect((await storage.identities.find(scope, identity.id))?.lastLoginAt).toEqual(first.at);
  });

  const changes: Record<string, (identity: Identity) => Promise<unknown>> = {
    "was deactivated": ({ id }) =>
      tenants.storage.identities.setState(tenants.scope, id, "inactive", afterNoon(1), []),
    "has a new password": ({ id }) =>
      tenants.storage.identities.setCredential(tenants.scope, id, aPassword("$other"), noon, []),
    "lost its password": ({ id }) => deletePassword(tenants, id),
    "was updated": (identity) =>
      tenants.storage.identities.update(tenants.scope, { ...identity, revision: 2 }, 1, []),
    "was deleted": ({ id }) => tenants.storage.identities.delete(tenants.scope, id, []),
    "had another login": async (identity) =>
      tenants.storage.flows.completeLogin(tenants.scope, await openLogin(identity)),
  };
  test.each(Object.keys(changes))("changes nothing if the identity %s meanwhile", async (name) => {
    const { storage, scope } = tenants;
    const identity = await storeIdentity();
    const login = await openLogin(identity);
    await changes[name]?.(identity);
    expect(await storage.flows.completeLogin(scope, login)).toBe("candidate_changed");
    expect(await storage.sessions.find(scope, login.session.id)).toBeUndefined();
    expect((await storage.flows.find(scope, "login", digestOf(login)))?.state).toBe("active");
  });

  test("does not see another tenant's flow", async () => {
    const login = await openLogin(await storeIdentity());
    expect(await tenants.storage.flows.completeLogin(tenants.other, login)).toBe("flow_taken");
  });

  test("replaces the hash if one is given", async () => {
    const { storage, scope } = tenants;
    const identity = await storeIdentity();
    const login = await openLogin(identity, { replacement: aPassword("$new") });
    await storage.flows.completeLogin(scope, login);
    expect(await storage.identities.findSecret(scope, identity.id, "password")).toBe("$new");
  });

  test("ends the least recently used sessions beyond the limit, each with an event of its own", async () => {
    const { storage, scope } = tenants;
    const identity = await storeIdentity();
    const sessions = [];
    for (let index = 0; index < 5; index++) {
      const login = await openLogin(identity, {
        session: aSession(identity.id, { lastUsedAt: afterNoon(-index) }),
      });
      await storage.flows.completeLogin(scope, login);
      sessions.push(login.session);
    }
    const login = await openLogin(identity, { maxSessions: 3 });
    expect(await storage.flows.completeLogin(scope, login)).toBe("completed");
    const left = await activeSessions(identity);
    expect(new Set(left)).toEqual(new Set([login.session.id, sessions[0]?.id, sessions[1]?.id]));
    const evictions = await tenants.rows<{ id: string; session_id: string }>(
      "SELECT id, session_id FROM ostiary.event WHERE type = 'session.revoked' AND identity_id = $1",
      [identity.id],
    );
    expect(new Set(evictions.map((event) => event.session_id))).toEqual(
      new Set(sessions.slice(2).map((session) => session.id)),
    );
    expect(new Set(evictions.map((event) => event.id)).size).toBe(3);
    for (const { id } of evictions)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-/);
  });

  test("does not count sessions that were idle for too long", async () => {
    const { storage, scope } = tenants;
    const identity = await storeIdentity();
    const idle = await openLogin(identity, {
      session: aSession(identity.id, { lastUsedAt: afterNoon(-120) }),
    });
    await storage.flows.completeLogin(scope, idle);
    const used = await openLogin(identity);
    await storage.flows.completeLogin(scope, used);
    const login = await openLogin(identity, { maxSessions: 2, idleSince: { aal1: afterNoon(-60) } });
    await storage.flows.completeLogin(scope, login);
    expect((await storage.sessions.find(scope, used.session.id))?.revokedAt).toBe(never);
    expect((await storage.sessions.find(scope, idle.session.id))?.revokedAt).toBe(never);
  });
});

describe("races", () => {
  test("of 16 submits of one login flow at once one completes", async () => {
    const { storage, scope } = tenants;
    const identity = await storeIdentity();
    const login = await openLogin(identity);
    const results = await Promise.all(
      Array.from({ length: 16 }, () =>
        storage.flows.completeLogin(scope, { ...login, session: aSession(identity.id) }),
      ),
    );
    expect(results.filter((result) => result === "completed")).toHaveLength(1);
    expect(await activeSessions(identity)).toHaveLength(1);
  });

  test("of 16 identities that submit one login flow at once one completes, and the others are not touched", async () => {
    const { storage, scope } = tenants;
    const identities = await Promise.all(Array.from({ length: 16 }, () => storeIdentity()));
    const logins = await Promise.all(identities.map((identity) => openLogin(identity)));
    const held = logins[0]?.held ?? [];
    const results = await Promise.all(
      logins.map((login) => storage.flows.completeLogin(scope, { ...login, held })),
    );
    expect(results.filter((result) => result === "completed")).toHaveLength(1);
    expect(results.filter((result) => result === "flow_taken")).toHaveLength(15);
    const after = await Promise.all(identities.map(({ id }) => storage.identities.find(scope, id)));
    expect(after.filter((identity) => identity?.lastLoginAt !== undefined)).toHaveLength(1);
  });

  test("16 logins at once at a full identity leave exactly 50 sessions", async () => {
    const { storage, scope } = tenants;
    const identity = await storeIdentity();
    for (let index = 0; index < 50; index++) {
      await storage.flows.completeLogin(scope, await openLogin(identity));
    }
    expect(await activeSessions(identity)).toHaveLength(50);
    await Promise.all(Array.from({ length: 16 }, () => loginUntilCompleted(identity)));
    expect(await activeSessions(identity)).toHaveLength(50);
    const [row] = await tenants.rows("SELECT login_sequence AS n FROM ostiary.identity WHERE id = $1", [
      identity.id,
    ]);
    expect(row).toEqual({ n: 66 });
  });

  test("a login that meets a deactivation leaves no active session", async () => {
    const { storage, scope } = tenants;
    for (let round = 0; round < 20; round++) {
      const identity = await storeIdentity();
      const login = await openLogin(identity);
      await Promise.all([
        storage.flows.completeLogin(scope, login),
        storage.identities.setState(scope, identity.id, "inactive", afterNoon(2), []),
      ]);
      expect(await activeSessions(identity)).toEqual([]);
    }
  });

  test("of 16 registrations of one identifier at once one completes", async () => {
    const { storage, scope } = tenants;
    const results = await Promise.all(
      Array.from({ length: 16 }, async () => {
        const flow = aFlow("registration");
        await storage.flows.create(scope, flow);
        return register(anIdentityNamed("wanted", "wanted too"), flow.digest);
      }),
    );
    expect(results.filter((result) => result === "completed")).toHaveLength(1);
    expect(results.filter((result) => result === "identifier_taken")).toHaveLength(15);
    const rows = await tenants.rows("SELECT FROM ostiary.identity_identifier WHERE value LIKE 'wanted%'");
    expect(rows).toHaveLength(2);
  });

  test("of 16 submits of one registration flow at once one completes", async () => {
    const { storage, scope } = tenants;
    const flow = aFlow("registration");
    await storage.flows.create(scope, flow);
    const results = await Promise.all(Array.from({ length: 16 }, () => register(anIdentity(), flow.digest)));
    expect(results.filter((result) => result === "completed")).toHaveLength(1);
    expect(results.filter((result) => result === "flow_taken")).toHaveLength(15);
  });
});

describe("completeRegistration", () => {
  test("stores identity, password, session and events, and completes the flow", async () => {
    const { storage, scope, other } = tenants;
    const flow = aFlow("registration");
    await storage.flows.create(scope, flow);
    const identity = anIdentity({
      traits: { email: "x", nested: { list: [1, null] } },
      displayName: "Ada L",
    });
    const session = aSession(identity.id);
    expect(await register(identity, flow.digest, session)).toBe("completed");
    const found = await findByDigest(storage.sessions, scope, session.tokenDigest);
    expect(found?.identity).toEqual(identity);
    expect(await storage.identities.findSecret(scope, identity.id, "password")).toBe(hash);
    expect((await storage.flows.find(scope, "registration", flow.digest))?.identityId).toBe(identity.id);
    expect(await storage.identities.find(other, identity.id)).toBeUndefined();
  });

  test("stores nothing if an identifier is taken", async () => {
    const { storage, scope } = tenants;
    const taken = await storeIdentity();
    const flow = aFlow("registration");
    await storage.flows.create(scope, flow);
    const identity = { ...anIdentity(), identifiers: taken.identifiers };
    expect(await register(identity, flow.digest)).toBe("identifier_taken");
    expect(await storage.identities.find(scope, identity.id)).toBeUndefined();
    expect((await storage.flows.find(scope, "registration", flow.digest))?.state).toBe("active");
  });

  test("does not meet another tenant's identifiers", async () => {
    const { storage, scope, other } = tenants;
    const identity = await storeIdentity();
    const flow = aFlow("registration");
    await storage.flows.create(other, flow);
    const twin = anIdentity({ identifiers: identity.identifiers });
    const result = await storage.flows.completeRegistration(other, registration(twin, flow.digest));
    expect(result).toBe("completed");
    const value = identity.identifiers[0]?.value ?? "";
    expect((await storage.identities.findByIdentifier(scope, value))?.id).toBe(identity.id);
    expect((await storage.identities.findByIdentifier(other, value))?.id).toBe(twin.id);
  });

  test("takenIdentifiers names those that are taken", async () => {
    const { storage, scope, other } = tenants;
    const identity = await storeIdentity();
    const value = identity.identifiers[0]?.value ?? "";
    expect(await storage.flows.takenIdentifiers(scope, ["free", value])).toEqual([value]);
    expect(await storage.flows.takenIdentifiers(other, ["free", value])).toEqual([]);
    expect(await storage.flows.takenIdentifiers(scope, [])).toEqual([]);
  });
});

function digestOf({ held }: LoginEnded): Uint8Array {
  return held[0]?.digest ?? new Uint8Array();
}

function registration(identity: Identity, flowDigest: Uint8Array, session = aSession(identity.id)) {
  return {
    held: [{ digest: flowDigest, revision: 0 }],
    identity,
    credential: aPassword(hash),
    session,
    at: noon,
    events: [anEvent("registration.succeeded", { identityId: identity.id })],
  };
}

function register(identity: Identity, flowDigest: Uint8Array, session = aSession(identity.id)) {
  return tenants.storage.flows.completeRegistration(
    tenants.scope,
    registration(identity, flowDigest, session),
  );
}

async function loginUntilCompleted(identity: Identity): Promise<void> {
  for (;;) {
    const login = await openLogin(identity);
    if ((await tenants.storage.flows.completeLogin(tenants.scope, login)) === "completed") return;
  }
}

async function activeSessions(identity: Identity): Promise<string[]> {
  const { storage, scope } = tenants;
  const filter = { identityId: identity.id, active: true, now: afterNoon(1) };
  const page = await storage.sessions.list(scope, filter, { size: 1000 });
  return page.items.map((session) => session.id);
}
