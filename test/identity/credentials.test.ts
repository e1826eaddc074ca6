import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Credential, Identity } from "../../src/domain/identity/identity.ts";
import type { NewPassword } from "../../src/domain/identity/new-password.ts";
import type { IdentityId } from "../../src/domain/ids.ts";
import { Secret } from "../../src/domain/secret.ts";
import { anAsker, anEvent, aSession, noon, origin } from "../support/records.ts";
import { goodPassword, type IdentityRules, newIdentity, openIdentityRules, plain } from "./identity-rules.ts";

let rules: IdentityRules;
beforeAll(async () => {
  rules = await openIdentityRules();
});
afterAll(() => rules.storage.close());

async function create(password?: NewPassword): Promise<Identity> {
  const input = newIdentity({ email: `${randomUUID()}@example.com` }, { password });
  return rules.identities.create(
    rules.scope,
    origin,
    await rules.identities.prepare(rules.tenant, input, anAsker()),
  );
}

function check(id: IdentityId, password: string): Promise<boolean> {
  return rules.passwordChecks.check(rules.tenant, origin, { id, password: new Secret(password) }, anAsker());
}

function setPassword(id: IdentityId, password: NewPassword, keepSessions = false) {
  return rules.credentials.setPassword(rules.tenant, origin, { id, password, keepSessions }, anAsker());
}

/** Puts a session into the database, as a login leaves it. */
async function startSession(identityId: IdentityId): Promise<void> {
  const session = aSession(identityId);
  await rules.rows(
    `INSERT INTO ostiary.session (tenant_id, id, identity_id, created_at, updated_at, assurance_level,
       authentication_methods, authenticated_at, expires_at, last_used_at, token_digest)
     VALUES ($1, $2, $3, $4, $4, 'aal1', '[]', $4, $5, $4, $6)`,
    [rules.scope.tenantId, session.id, identityId, noon, session.expiresAt, session.tokenDigest],
  );
}

async function activeSessions(identityId: IdentityId): Promise<number> {
  const { items } = await rules.storage.sessions.list(
    rules.scope,
    { identityId, active: true, now: noon },
    { size: 10 },
  );
  return items.length;
}

async function events(id: IdentityId, type: string): Promise<readonly unknown[]> {
  const rows = await rules.rows<{ data: unknown }>(
    "SELECT data FROM ostiary.event WHERE identity_id = $1 AND type = $2 ORDER BY position",
    [id, type],
  );
  return rows.map(({ data }) => data);
}

const nobody = "01890000-0000-7000-8000-000000000000" as IdentityId;

describe("checking a password", () => {
  test("says whether it is the identity's, and records each outcome", async () => {
    const { id } = await create(plain(goodPassword));
    expect(await check(id, goodPassword)).toBe(true);
    expect(await check(id, "wrong horse battery")).toBe(false);
    expect(await events(id, "password.checked")).toEqual([
      { outcome: "matched" },
      { outcome: "not_matched" },
    ]);
    await expect(check(nobody, goodPassword)).rejects.toMatchObject({ reason: "IDENTITY_NOT_FOUND" });
  });

  // Security rule (SR-ENUM-3): the time of the answer does not tell why it is no (ASVS V6.3.8).
  test("is no, after the same work, for an identity without a password or that is inactive", async () => {
    const without = await create();
    const inactive = await create(plain(goodPassword));
    await rules.identities.deactivate(rules.tenant, origin, inactive.id);
    rules.hashCalls.length = 0;
    expect(await check(without.id, goodPassword)).toBe(false);
    expect(await check(inactive.id, goodPassword)).toBe(false);
    expect(rules.hashCalls).toEqual(["decoy", "decoy"]);
    expect(await events(inactive.id, "password.checked")).toEqual([{ outcome: "not_matched" }]);
  });

  test("hashes nothing that is longer than a password can be", async () => {
    const { id } = await create(plain(goodPassword));
    rules.hashCalls.length = 0;
    expect(await check(id, "x".repeat(1025))).toBe(false);
    expect(rules.hashCalls).toEqual([]);
  });

  test("replaces an imported hash by one of today's parameters when the password is right", async () => {
    // bcrypt of "correct horse battery", cost 4.
    const { default: bcrypt } = await import("bcrypt");
    const hash = await bcrypt.hash(goodPassword, 4);
    const { id } = await create({ kind: "hash", hash: new Secret(hash) });
    expect(await check(id, "wrong horse battery")).toBe(false);
    expect(await credentialsOf(id)).toMatchObject([{ facts: { algorithm: "bcrypt" } }]);
    expect(await check(id, goodPassword)).toBe(true);
    expect(await credentialsOf(id)).toMatchObject([{ facts: { algorithm: "argon2id" } }]);
    rules.hashCalls.length = 0;
    expect(await check(id, goodPassword)).toBe(true);
    expect(rules.hashCalls).toEqual(["compare"]);
  });
});

async function credentialsOf(id: IdentityId): Promise<readonly Credential[]> {
  return (await rules.credentials.list(rules.tenant, id, { size: 0, token: "" })).items;
}

describe("setting a password", () => {
  // Security rule (SR-OWNER-10): sessions of the old secret end with it (ASVS V7.4.3).
  test("replaces the old one and ends the sessions, unless they are to be kept", async () => {
    const { id } = await create(plain(goodPassword));
    await startSession(id);
    const credential = await setPassword(id, plain("another long password"), true);
    expect(credential).toMatchObject({ kind: "password", facts: { algorithm: "argon2id" } });
    expect(await activeSessions(id)).toBe(1);
    await setPassword(id, plain("yet another password"));
    expect(await activeSessions(id)).toBe(0);
    expect(await check(id, goodPassword)).toBe(false);
    expect(await check(id, "yet another password")).toBe(true);
    expect(await events(id, "session.revoked")).toEqual([{ reason: "credential_changed", all: true }]);
    expect(await events(id, "credential.set")).toHaveLength(3);
  });

  test("keeps to the policy, which knows the identity's traits", async () => {
    const { id, identifiers } = await create();
    const similar = plain(identifiers[0]?.value ?? "");
    await expect(setPassword(id, similar)).rejects.toMatchObject({
      reason: "PASSWORD_REJECTED",
      metadata: { rule: "too_similar" },
      violations: [{ field: "password.password", reason: "VALUE" }],
    });
    await expect(setPassword(id, { kind: "hash", hash: new Secret("$x$") })).rejects.toMatchObject({
      reason: "PASSWORD_HASH_UNSUPPORTED",
      violations: [{ field: "password.hash" }],
    });
    await expect(setPassword(nobody, plain(goodPassword))).rejects.toMatchObject({
      reason: "IDENTITY_NOT_FOUND",
    });
    expect(await events(id, "credential.set")).toEqual([]);
  });
});

describe("deleting a credential", () => {
  test("ends the sessions, and is refused where there is none", async () => {
    const { id } = await create(plain(goodPassword));
    await startSession(id);
    const [{ id: credentialId }] = (await credentialsOf(id)) as [Credential];
    await rules.credentials.delete(rules.tenant, origin, { id, credentialId });
    expect(await activeSessions(id)).toBe(0);
    expect(await credentialsOf(id)).toEqual([]);
    expect(await events(id, "credential.deleted")).toEqual([{ kind: "password", credentialId }]);
    await expect(rules.credentials.delete(rules.tenant, origin, { id, credentialId })).rejects.toMatchObject({
      reason: "CREDENTIAL_NOT_FOUND",
      metadata: { credentialId },
    });
    await expect(
      rules.credentials.delete(rules.tenant, origin, { id: nobody, credentialId }),
    ).rejects.toMatchObject({
      reason: "IDENTITY_NOT_FOUND",
    });
    await expect(credentialsOf(nobody)).rejects.toMatchObject({
      reason: "IDENTITY_NOT_FOUND",
    });
  });

  test("of another tenant's identity is refused", async () => {
    const { id } = await create(plain(goodPassword));
    const [{ id: credentialId }] = (await credentialsOf(id)) as [Credential];
    const deletion = rules.credentials.delete(rules.otherTenant, origin, { id, credentialId });
    await expect(deletion).rejects.toMatchObject({
      reason: "IDENTITY_NOT_FOUND",
    });
    expect(await check(id, goodPassword)).toBe(true);
  });
});

test("events hold neither secrets nor traits", async () => {
  const identity = await create(plain(goodPassword));
  await check(identity.id, goodPassword);
  await rules.storage.events.append(rules.scope, [anEvent("identity.updated")]);
  const rows = await rules.rows<{ text: string }>("SELECT e::text AS text FROM ostiary.event e");
  expect(rows.length).toBeGreaterThan(3);
  for (const { text } of rows) {
    expect(text).not.toContain(goodPassword);
    expect(text).not.toContain("@example.com");
  }
});
