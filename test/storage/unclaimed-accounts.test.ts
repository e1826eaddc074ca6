import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DisowningCompletion, VerificationCompletion } from "../../src/domain/flow/shared/store.ts";
import type { Identity } from "../../src/domain/identity/identity.ts";
import type { IdentityId } from "../../src/domain/ids.ts";
import { never } from "../../src/domain/instant.ts";
import type { TenantScope } from "../../src/domain/ports.ts";
import { UnclaimedAccounts } from "../../src/storage/migrations/20261128030000-unclaimed-accounts.ts";
import { administer } from "../support/postgres.ts";
import {
  aFlow,
  afterNoon,
  anEvent,
  anIdentity,
  aPassword,
  aSession,
  heldFlow,
  noon,
  randomDigest,
} from "../support/records.ts";
import { openTwoTenants, type TwoTenants } from "./two-tenants.ts";

let tenants: TwoTenants;
beforeAll(async () => {
  tenants = await openTwoTenants();
});
afterAll(() => tenants.storage.close());

const password = aPassword("$argon2id$test");

/** An account that was registered by itself; with its session. */
async function registered(
  change: Partial<Identity> = {},
  { scope = tenants.scope, hasPassword = true } = {},
): Promise<{ identity: Identity; session: ReturnType<typeof aSession> }> {
  const { storage } = tenants;
  const identity = anIdentity(change);
  const session = aSession(identity.id);
  const flow = aFlow("registration");
  await storage.flows.create(scope, flow);
  const result = await storage.flows.completeRegistration(scope, {
    held: [heldFlow(flow)],
    identity,
    credential: hasPassword ? password : undefined,
    session,
    at: noon,
    events: [],
  });
  expect(result).toBe("completed");
  return { identity, session };
}

function targetOf(identity: Identity) {
  return {
    kind: "email",
    value: identity.verifiableAddresses[0]?.value ?? "",
    identityId: identity.id,
  } as const;
}

async function verify(
  identity: Identity,
  change: Partial<VerificationCompletion> = {},
  scope: TenantScope = tenants.scope,
) {
  const flow = aFlow("verification");
  await tenants.storage.flows.create(scope, flow);
  return tenants.storage.flows.completeVerification(scope, {
    held: [heldFlow(flow)],
    target: targetOf(identity),
    within: undefined,
    onlyWithin: false,
    at: afterNoon(1),
    events: [],
    ...change,
  });
}

async function disown(
  identity: Identity,
  change: Partial<DisowningCompletion> = {},
  scope: TenantScope = tenants.scope,
) {
  const flow = aFlow("verification");
  await tenants.storage.flows.create(scope, flow);
  const [address] = identity.verifiableAddresses;
  return tenants.storage.flows.completeDisowning(scope, {
    held: [heldFlow(flow)],
    identity: {
      ...identity,
      revision: identity.revision + 1,
      verifiableAddresses: address === undefined ? [] : [{ ...address, verifiedAt: afterNoon(1) }],
    },
    expectedRevision: identity.revision,
    target: targetOf(identity),
    settingsFlow: aFlow("settings", { identityId: identity.id }),
    at: afterNoon(1),
    messages: [],
    events: [anEvent("identity.disowned", { identityId: identity.id })],
    revocationEvent: anEvent("session.revoked", { identityId: identity.id }),
    ...change,
  });
}

async function isVerified({ id }: Identity, scope: TenantScope = tenants.scope): Promise<boolean> {
  const identity = await tenants.storage.identities.find(scope, id);
  return identity?.verifiableAddresses.some(({ verifiedAt }) => verifiedAt !== undefined) ?? false;
}

describe("an unclaimed account", () => {
  test("is verified within a session of it, and by nothing else", async () => {
    const { identity, session } = await registered();
    const { session: foreign } = await registered();
    const ended = aSession(identity.id, { tokenDigest: randomDigest() });
    await tenants.rows(
      `INSERT INTO ostiary.session SELECT (jsonb_populate_record(s, jsonb_build_object(
          'id', $2::text, 'token_digest', '\\x' || encode($3, 'hex'), 'revoked_at', s.created_at))).*
        FROM ostiary.session s WHERE s.id = $1`,
      [session.id, ended.id, Buffer.from(ended.tokenDigest)],
    );
    for (const within of [undefined, foreign.id, ended.id]) {
      expect(await verify(identity, { within })).toBe("unclaimed");
    }
    // Past the end of the session.
    const late = { within: session.id, at: afterNoon(25 * 60) };
    expect(await verify(identity, late)).toBe("unclaimed");
    expect(await isVerified(identity)).toBe(false);
    expect(await verify(identity, { within: session.id })).toBe("completed");
    expect(await isVerified(identity)).toBe(true);
  });

  test("is one only with credentials, all of its own, and without a verified address", async () => {
    const { storage, scope } = tenants;
    const [managed, bare] = [anIdentity(), anIdentity()];
    await storage.identities.create(scope, managed, [password], []);
    await storage.identities.create(scope, bare, [], []);
    const { identity: none } = await registered({}, { hasPassword: false });
    const { identity: given } = await registered();
    await storage.identities.setCredential(scope, given.id, password, noon, []);
    const { identity: mixed } = await registered();
    await tenants.rows(
      `INSERT INTO ostiary.identity_credential
          (tenant_id, identity_id, kind, id, secret, facts, set_by_operator, created_at, updated_at)
        VALUES ($1, $2, 'totp', gen_random_uuid(), 'seed', '{}', true, $3, $3)`,
      [scope.tenantId, mixed.id, noon],
    );
    for (const identity of [managed, bare, none, given, mixed]) {
      expect(await disown(identity)).toBe("identity_changed");
      expect(await verify(identity)).toBe("completed");
    }
  });

  test("is one again once the account has set the password itself", async () => {
    const { storage, scope } = tenants;
    const { identity } = await registered();
    await storage.identities.setCredential(scope, identity.id, password, noon, []);
    const flow = aFlow("settings", { identityId: identity.id });
    await storage.flows.create(scope, flow);
    const changed = await storage.settings.changeCredential(scope, {
      held: heldFlow(flow),
      data: flow.data,
      identityId: identity.id,
      completes: false,
      credential: password,
      session: undefined,
      keep: "all",
      at: noon,
      messages: [],
      events: [],
      revocationEvent: anEvent("session.revoked"),
    });
    expect(changed).toBe("completed");
    expect(await verify(identity)).toBe("unclaimed");
  });
});

describe("completeDisowning", () => {
  test("ends all that is the account's, and nothing of anybody else, in no other tenant", async () => {
    const { storage, scope, other } = tenants;
    const mine = await registered();
    const theirs = await registered();
    const elsewhere = await registered({ id: mine.identity.id }, { scope: other });
    expect(await disown(mine.identity, {}, other)).toBe("identity_changed");
    expect(await disown(mine.identity)).toBe("completed");
    expect(await isVerified(mine.identity)).toBe(true);
    expect(await credentialsOf(mine.identity.id)).toEqual([]);
    expect((await storage.sessions.find(scope, mine.session.id))?.revokedAt).toEqual(afterNoon(1));
    for (const [{ identity, session }, where] of [
      [theirs, scope],
      [elsewhere, other],
    ] as const) {
      expect(await isVerified(identity, where)).toBe(false);
      expect(await credentialsOf(identity.id, where)).toHaveLength(1);
      expect((await storage.sessions.find(where, session.id))?.revokedAt).toBe(never);
    }
  });

  test("changes nothing once the flow, the address or the account is another one", async () => {
    const { storage, scope } = tenants;
    const { identity, session } = await registered();
    const taken = aFlow("verification", { state: "completed" });
    await storage.flows.create(scope, taken);
    expect(await disown(identity, { held: [heldFlow(taken)] })).toBe("flow_taken");
    const target = { ...targetOf(identity), value: "another@example.com" };
    expect(await disown(identity, { target })).toBe("identity_changed");
    expect(await disown(identity, { expectedRevision: 7 })).toBe("identity_changed");
    await storage.identities.setState(scope, identity.id, "inactive", noon, []);
    expect(await disown({ ...identity, revision: 2 })).toBe("identity_changed");
    expect(await isVerified(identity)).toBe(false);
    expect(await credentialsOf(identity.id)).toHaveLength(1);
    expect((await storage.sessions.find(scope, session.id))?.revokedAt).toEqual(noon);
  });
});

async function credentialsOf(id: IdentityId, scope = tenants.scope) {
  return (await tenants.storage.identities.listCredentials(scope, id, { size: 10 })).items;
}

describe("findForRecovery", () => {
  const found = async (value: string, scope = tenants.scope) => {
    const owner = await tenants.storage.flows.findForRecovery(scope, { kind: "email", value });
    return owner && { id: owner.id, unclaimed: owner.unclaimed };
  };
  /** An account that has the address to recover by alone. */
  const nameless = (value: string) => ({
    identifiers: [],
    verifiableAddresses: [{ kind: "email" as const, value, path: "email", verifiedAt: undefined }],
    recoveryAddresses: [{ kind: "email" as const, value, path: "email" }],
  });

  test("says whether an account is unclaimed", async () => {
    const { storage, scope, other } = tenants;
    const { identity } = await registered();
    const address = targetOf(identity).value;
    expect(await found(address)).toEqual({ id: identity.id, unclaimed: true });
    expect(await found(address, other)).toBeUndefined();
    const managed = anIdentity();
    await storage.identities.create(scope, managed, [password], []);
    expect(await found(targetOf(managed).value)).toEqual({ id: managed.id, unclaimed: false });
  });

  test("finds by an unverified recovery address only one unclaimed account, after everybody else", async () => {
    const value = `${randomBytes(6).toString("hex")}@example.com`;
    const { identity } = await registered(nameless(value));
    expect(await found(value)).toEqual({ id: identity.id, unclaimed: true });
    await registered(nameless(value));
    expect(await found(value)).toBeUndefined();
    const named = anIdentity({ identifiers: [{ kind: "email", value, path: "email" }] });
    await tenants.storage.identities.create(tenants.scope, named, [password], []);
    expect(await found(value)).toEqual({ id: named.id, unclaimed: false });
  });
});

// Security rule (SR-OWNER-1): no unverified address recovers an account after an upgrade that it did not recover before, unless the
// events tell that the account was set up by itself.
test("the migration takes who set a password from the events", async () => {
  const { storage, scope } = tenants;
  const set = (identity: Identity, kind: "identity" | "api_key") =>
    storage.events.append(scope, [
      {
        ...anEvent("credential.set", { identityId: identity.id, data: { kind: "password" } }),
        origin: {
          ...anEvent("credential.set").origin,
          actor: (kind === "identity"
            ? { kind, identityId: identity.id }
            : { kind, apiKeyId: identity.id }) as never,
        },
      },
    ]);
  const [own, managed, both, unknown] = await Promise.all(
    Array.from({ length: 4 }, async () => (await registered()).identity),
  );
  if (!own || !managed || !both || !unknown) throw new Error("four are made");
  await set(own, "identity");
  await set(managed, "api_key");
  await set(both, "identity");
  await set(both, "api_key");

  const rows = await administer(storage.url, async (query) => {
    await query("BEGIN");
    for (const direction of ["down", "up"] as const) {
      for (const statement of statementsOf(direction)) await query(statement);
    }
    const found = await query<{ id: string; by_operator: boolean | null }>(
      "SELECT identity_id AS id, set_by_operator AS by_operator FROM ostiary.identity_credential",
    );
    await query("ROLLBACK");
    return found;
  });
  const byOperator = new Map(rows.map(({ id, by_operator }) => [id, by_operator]));
  const migrated = [own, managed, both, unknown].map(({ id }) => byOperator.get(id));
  expect(migrated).toEqual([false, true, true, null]);
});

function statementsOf(direction: "up" | "down"): readonly string[] {
  const found: string[] = [];
  const migration: { up(): void; down(): void; addSql(statement: string): void } = Object.create(
    UnclaimedAccounts.prototype,
  );
  migration.addSql = (statement) => found.push(statement);
  migration[direction]();
  return found;
}
