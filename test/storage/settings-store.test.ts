import { Client as Postgres } from "pg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type {
  CredentialChange,
  DeletionSchedule,
  ProfileChange,
} from "../../src/domain/flow/settings/store.ts";
import type { RecoveryCompletion } from "../../src/domain/flow/shared/store.ts";
import type { Identity } from "../../src/domain/identity/identity.ts";
import { never } from "../../src/domain/instant.ts";
import { Database } from "../../src/storage/database.ts";
import { deleteDueAccounts } from "../../src/storage/due-deletions.ts";
import { defaultTestOptions } from "../support/database.ts";
import { aMessage, testOutbox } from "../support/messages.ts";
import { silentLogger } from "../support/postgres.ts";
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
  randomDigest,
} from "../support/records.ts";
import { openTwoTenants, type TwoTenants } from "./two-tenants.ts";

let tenants: TwoTenants;
let database: Database;
beforeAll(async () => {
  tenants = await openTwoTenants();
  database = new Database({ ...defaultTestOptions, logger: silentLogger, url: tenants.storage.url });
});
afterAll(async () => {
  await database.close();
  await tenants.storage.close();
});

async function storeIdentity(identity: Identity): Promise<Identity> {
  const password = aPassword("$h");
  await tenants.storage.identities.create(tenants.scope, identity, [password], []);
  return identity;
}

/** An open settings flow of an identity, and another flow of it. */
async function openFlows(identity: Identity) {
  const flow = aFlow("settings", { identityId: identity.id });
  const other = aFlow("login", { identityId: identity.id });
  for (const each of [flow, other]) await tenants.storage.flows.create(tenants.scope, each);
  return { flow, other };
}

async function storeSession(identity: Identity) {
  const session = aSession(identity.id);
  await database.query(undefined, { text: insertSession }, [
    tenants.scope.tenantId,
    session.id,
    identity.id,
    randomDigest(),
    noon,
    session.expiresAt,
  ]);
  return session;
}

const insertSession = `INSERT INTO ostiary.session (tenant_id, id, token_digest, identity_id, created_at, updated_at,
    assurance_level, authentication_methods, authenticated_at, expires_at, last_used_at)
  SELECT $1, $2, $4, $3, $5, $5, 'aal1', '[]', $5, $6, $5`;

async function isActive({ id }: { id: ReturnType<typeof aSession>["id"] }): Promise<boolean> {
  return (await tenants.storage.sessions.find(tenants.scope, id))?.revokedAt === never;
}

function common(identity: Identity, flow: ReturnType<typeof aFlow>) {
  return {
    held: heldFlow(flow),
    data: flow.data,
    identityId: identity.id,
    at: afterNoon(1),
    messages: [testOutbox.seal({ ...aMessage(), identityId: identity.id })],
    events: [anEvent("identity.updated", { identityId: identity.id })],
    revocationEvent: anEvent("session.revoked", { identityId: identity.id }),
  };
}

function profile(
  before: Identity,
  flow: ReturnType<typeof aFlow>,
  after: Partial<Identity>,
  change: Partial<ProfileChange> = {},
): ProfileChange {
  const { identityId: _id, ...rest } = common(before, flow);
  const identity = { ...before, revision: before.revision + 1, updatedAt: afterNoon(1), ...after };
  const expectedRevision = before.revision;
  return { ...rest, identity, expectedRevision, endsOthers: true, keep: undefined, ...change };
}

function password(identity: Identity, flow: ReturnType<typeof aFlow>): CredentialChange {
  const secret = aPassword("$new");
  return {
    ...common(identity, flow),
    completes: false,
    credential: secret,
    session: undefined,
    keep: undefined,
  };
}

function schedule(identity: Identity, flow: ReturnType<typeof aFlow>): DeletionSchedule {
  return { ...common(identity, flow), purgeAt: afterNoon(60) };
}

/** Everything of an identity that a change could have touched. */
async function snapshot(identity: Identity) {
  const [stored] = [await tenants.storage.identities.find(tenants.scope, identity.id)];
  const counts = await tenants.rows(
    `SELECT (SELECT count(*) FROM ostiary.event WHERE identity_id = $1) AS events,
      (SELECT count(*) FROM ostiary.message WHERE identity_id = $1) AS messages,
      (SELECT json_agg(json_build_array(encode(digest, 'hex'), state, revision) ORDER BY digest)
        FROM ostiary.flow WHERE identity_id = $1) AS flows,
      (SELECT json_agg(json_build_array(id, revoked_at) ORDER BY id)
        FROM ostiary.session WHERE identity_id = $1) AS sessions`,
    [identity.id],
  );
  return { stored, counts };
}

describe("changeProfile", () => {
  test("writes identifiers and addresses that come, stay and go, and ends what rests on them", async () => {
    const { storage, scope } = tenants;
    const before = await storeIdentity(anIdentityNamed("goes", "stays first", "stays second"));
    const { flow, other } = await openFlows(before);
    const session = await storeSession(before);
    const after = anIdentityNamed("stays second", "stays first", "comes");
    const mail = { kind: "email", value: "comes@example.com", path: "email" } as const;
    const change = profile(before, flow, {
      traits: after.traits,
      identifiers: after.identifiers,
      verifiableAddresses: [{ ...mail, verifiedAt: afterNoon(1) }],
      recoveryAddresses: [mail],
      displayName: "Lady Lovelace",
    });
    expect(await storage.settings.changeProfile(scope, change)).toBe("completed");
    expect(await storage.identities.find(scope, before.id)).toEqual(change.identity);
    expect(await storage.flows.takenIdentifiers(scope, ["goes", "comes"])).toEqual(["comes"]);
    expect(await storage.flows.find(scope, "settings", flow.digest)).toMatchObject({
      state: "active",
      revision: 1,
    });
    expect((await storage.flows.find(scope, "login", other.digest))?.state).toBe("completed");
    expect(await isActive(session)).toBe(false);
  });

  test.each(["identifier_taken", "identity_changed", "flow_taken"] as const)(
    "changes nothing at all if it comes to %s",
    async (expected) => {
      const { storage, scope } = tenants;
      const [taken, free] = [`taken ${expected}`, `free ${expected}`];
      await storeIdentity(anIdentityNamed(taken));
      const before = await storeIdentity(anIdentity());
      const { flow } = await openFlows(before);
      await storeSession(before);
      if (expected === "flow_taken") {
        await storage.settings.changeCredential(scope, password(before, flow));
      }
      const { identifiers, traits } = anIdentityNamed(
        free,
        expected === "identifier_taken" ? taken : `${free} 2`,
      );
      const expectedRevision = expected === "identity_changed" ? 7 : before.revision;
      const change = profile(before, flow, { identifiers, traits }, { expectedRevision });
      const untouched = await snapshot(before);
      expect(await storage.settings.changeProfile(scope, change)).toBe(expected);
      expect(await snapshot(before)).toEqual(untouched);
      expect(await storage.flows.takenIdentifiers(scope, [free])).toEqual([]);
    },
  );

  test("does not reach another tenant", async () => {
    const before = await storeIdentity(anIdentity());
    const { flow } = await openFlows(before);
    const untouched = await snapshot(before);
    const { storage, other } = tenants;
    expect(await storage.settings.changeProfile(other, profile(before, flow, {}))).toBe("flow_taken");
    expect(await storage.settings.scheduleDeletion(other, schedule(before, flow))).toBe("flow_taken");
    expect(await storage.settings.deleteAccount(other, common(before, flow))).toBe("flow_taken");
    expect(await snapshot(before)).toEqual(untouched);
  });
});

describe("deletion", () => {
  test("is scheduled once, cancelled once, and written by nothing else", async () => {
    const { storage, scope } = tenants;
    const identity = await storeIdentity(anIdentity({ purgeAt: afterNoon(1) }));
    expect((await storage.identities.find(scope, identity.id))?.purgeAt).toBe(never);
    const { flow } = await openFlows(identity);
    const session = await storeSession(identity);
    expect(await storage.settings.cancelDeletion(scope, common(identity, flow))).toBe("identity_changed");
    expect(await storage.settings.scheduleDeletion(scope, schedule(identity, flow))).toBe("completed");
    expect(await isActive(session)).toBe(false);
    const second = (await openFlows(identity)).flow;
    expect(await storage.settings.scheduleDeletion(scope, schedule(identity, second))).toBe(
      "identity_changed",
    );
    expect(await storage.settings.deleteAccount(scope, common(identity, second))).toBe("identity_changed");
    const scheduled = await storage.identities.find(scope, identity.id);
    expect(scheduled).toMatchObject({ purgeAt: afterNoon(60), revision: 2 });
    const update = { ...identity, revision: 3 };
    expect(await storage.identities.update(scope, update, 2, [])).toBe(true);
    expect((await storage.identities.find(scope, identity.id))?.purgeAt).toEqual(afterNoon(60));
    expect(await storage.settings.cancelDeletion(scope, common(identity, second))).toBe("completed");
    expect((await storage.identities.find(scope, identity.id))?.purgeAt).toBe(never);
  });

  test("due is carried out in all tenants, once, though four servers do it at once", async () => {
    const { storage, scope, other } = tenants;
    const due: Identity[] = [];
    for (let index = 0; index < 120; index++) {
      const identity = anIdentity();
      await storage.identities.create(index % 2 === 0 ? scope : other, identity, [], []);
      due.push(identity);
    }
    const ids = due.map(({ id }) => id);
    await tenants.rows("UPDATE ostiary.identity SET purge_at = $2 WHERE id = ANY ($1)", [ids, noon]);
    const counts = await Promise.all([1, 2, 3, 4].map(() => deleteDueAccounts(database, noon)));
    expect(counts.reduce((sum, count) => sum + count)).toBe(120);
    const events = await tenants.rows<{ id: string }>(
      "SELECT id FROM ostiary.event WHERE identity_id = ANY ($1) AND type = 'identity.deleted'",
      [ids],
    );
    expect(new Set(events.map(({ id }) => id)).size).toBe(120);
    expect(await tenants.rows("SELECT FROM ostiary.identity WHERE id = ANY ($1)", [ids])).toEqual([]);
  });

  // Security rule (SR-ENUM-6): a person who has asked for a code learns nothing of the deletion (ASVS V6.3.8).
  test("leaves the flows that wait for a code as nobody's, and takes all others with it", async () => {
    const { storage, scope } = tenants;
    const identity = await storeIdentity(anIdentity());
    const challenge = {
      kind: "code",
      digest: randomDigest(),
      expiresAt: afterNoon(10),
      attempts: 0,
    } as const;
    const target = { kind: "email", value: "ada@example.com", identityId: identity.id } as const;
    const state = { at: "enter_code", sentTo: target.value, sentAt: noon.toISOString(), target } as const;
    const waiting = (["login", "recovery", "verification"] as const).map((kind) =>
      aFlow(kind, {
        identityId: identity.id,
        challenge: { ...challenge, digest: randomDigest() },
        data: flowData(state),
      }),
    );
    const { flow, other } = await openFlows(identity);
    for (const each of waiting) await storage.flows.create(scope, each);
    await tenants.rows("UPDATE ostiary.identity SET purge_at = $2 WHERE id = $1", [identity.id, noon]);
    expect(await deleteDueAccounts(database, noon)).toBe(1);
    for (const { kind, digest, challenge: former } of waiting) {
      const left = await storage.flows.find(scope, kind, digest);
      const { target: _forgotten, ...rest } = state;
      expect(left).toMatchObject({ state: "active", identityId: undefined, revision: 1 });
      expect(left?.data.state).toEqual(rest);
      expect(left?.challenge).toMatchObject({ kind: "code", expiresAt: afterNoon(10), attempts: 0 });
      expect(left?.challenge?.digest).toBeInstanceOf(Uint8Array);
      expect(left?.challenge?.digest).not.toEqual(former?.digest);
    }
    for (const { kind, digest } of [flow, other]) {
      expect(await storage.flows.find(scope, kind, digest)).toBeUndefined();
    }
  });
});

test("a login for what comes before the session begins with the new secret, or not at all", async () => {
  const { storage, scope } = tenants;
  const identity = await storeIdentity(anIdentity());
  const { flow } = await openFlows(identity);
  const begins = aFlow("login", { identityId: identity.id });
  const change = { ...password(identity, flow), completes: true, begins };
  const found = () => storage.flows.find(scope, "login", begins.digest);
  const expectedRevision = identity.revision + 1;
  expect(await storage.settings.changeCredential(scope, { ...change, expectedRevision })).toBe(
    "identity_changed",
  );
  expect(await found()).toBeUndefined();
  expect(await storage.settings.changeCredential(scope, change)).toBe("completed");
  // It is none of those that end with the change.
  expect(await found()).toMatchObject({ state: "active", identityId: identity.id });
});

/** A recovery whose session comes at once, which ends the others. */
function recovery(identity: Identity, flow: ReturnType<typeof aFlow>): RecoveryCompletion {
  return {
    held: [heldFlow(flow)],
    identityId: identity.id,
    settingsFlow: aFlow("settings", { identityId: identity.id }),
    session: aSession(identity.id),
    at: noon,
    messages: [],
    events: [],
  };
}

/** Does something while another transaction holds what it wrote, and lets it go once the other waits for it. */
async function during<T>(text: string, values: readonly unknown[], work: () => Promise<T>): Promise<T> {
  const client = new Postgres({ connectionString: tenants.storage.url });
  await client.connect();
  try {
    await client.query("BEGIN");
    await client.query(text, [...values]);
    const result = work();
    const waiting = `SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
      WHERE NOT granted AND locktype = 'transactionid' AND datname = current_database()`;
    await vi.waitFor(async () => expect(await tenants.rows(waiting)).toHaveLength(1), { timeout: 10_000 });
    await client.query("COMMIT");
    return await result;
  } finally {
    await client.end();
  }
}

describe("at the same moment", () => {
  // Security rule (SR-ACTION-1): what comes before the session was looked for in an account that did not have it yet.
  test.each(["changeCredential", "completeRecovery"] as const)(
    "what an operator asks for keeps the session of a %s from being written (SR-ACTION-1)",
    async (kind) => {
      const { storage, scope } = tenants;
      const identity = await storeIdentity(anIdentity());
      const { flow, other } = await openFlows(identity);
      const session = aSession(identity.id);
      const write = (given: { readonly expectedRevision?: number; readonly session?: typeof session }) =>
        kind === "completeRecovery"
          ? storage.flows.completeRecovery(scope, {
              ...recovery(identity, flow),
              session: undefined,
              ...given,
            })
          : storage.settings.changeCredential(scope, {
              ...password(identity, flow),
              completes: true,
              ...given,
            });
      const ask = `UPDATE ostiary.identity SET revision = revision + 1, required_actions = '[{"id": "an-action"}]'
        WHERE tenant_id = $1 AND id = $2`;
      const given = { session, expectedRevision: identity.revision };
      expect(await during(ask, [scope.tenantId, identity.id], () => write(given))).toBe("identity_changed");
      expect(await storage.sessions.find(scope, session.id)).toBeUndefined();
      expect(await storage.flows.find(scope, "settings", flow.digest)).toMatchObject({ state: "active" });
      expect(await storage.flows.find(scope, "login", other.digest)).toMatchObject({ state: "active" });
      // Without a session it is written.
      expect(await write({})).toBe("completed");
    },
  );

  // Security rule (SR-OWNER-10): a login with the former secret just as it is replaced is signed out like all others.
  test.each(["changePassword", "changeProfile", "scheduleDeletion", "completeRecovery"] as const)(
    "a login is ended by the %s that it got ahead of",
    async (kind) => {
      const { storage, scope } = tenants;
      const identity = await storeIdentity(anIdentity());
      const { flow } = await openFlows(identity);
      const session = aSession(identity.id);
      const login = `WITH counted AS (
          UPDATE ostiary.identity SET login_sequence = login_sequence + 1 WHERE tenant_id = $1 AND id = $3
        ) ${insertSession}`;
      const values = [scope.tenantId, session.id, identity.id, randomDigest(), noon, session.expiresAt];
      const result = await during(login, values, () => {
        if (kind === "changePassword")
          return storage.settings.changeCredential(scope, password(identity, flow));
        if (kind === "changeProfile")
          return storage.settings.changeProfile(scope, profile(identity, flow, {}));
        if (kind === "completeRecovery")
          return storage.flows.completeRecovery(scope, recovery(identity, flow));
        return storage.settings.scheduleDeletion(scope, schedule(identity, flow));
      });
      expect(result).toBe("completed");
      expect(await storage.sessions.find(scope, session.id)).toBeDefined();
      expect(await isActive(session)).toBe(false);
    },
  );

  // Security rule (SR-SETTINGS-2): an account that is kept at the moment of its deletion stays.
  test("an account is kept and due: it stays", async () => {
    const { storage, scope } = tenants;
    const identity = await storeIdentity(anIdentity());
    await tenants.rows("UPDATE ostiary.identity SET purge_at = $2 WHERE id = $1", [identity.id, noon]);
    const keep = "UPDATE ostiary.identity SET purge_at = NULL WHERE id = $1";
    expect(await during(keep, [identity.id], () => deleteDueAccounts(database, noon))).toBe(0);
    expect(await storage.identities.find(scope, identity.id)).toBeDefined();
  });

  test("16 identities that want one identifier: one gets it, the others change nothing", async () => {
    const { storage, scope } = tenants;
    const wanted = anIdentityNamed("wanted by all");
    const results = await Promise.all(
      Array.from({ length: 16 }, async () => {
        const identity = await storeIdentity(anIdentity());
        const { flow } = await openFlows(identity);
        const { identifiers, traits } = wanted;
        return storage.settings.changeProfile(scope, profile(identity, flow, { identifiers, traits }));
      }),
    );
    expect(results.filter((result) => result === "completed")).toHaveLength(1);
    expect(results.filter((result) => result === "identifier_taken")).toHaveLength(15);
  });
});
