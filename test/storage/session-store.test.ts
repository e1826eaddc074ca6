import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type IdentityId, newId, type SessionId } from "../../src/domain/ids.ts";
import { never } from "../../src/domain/instant.ts";
import type { TenantScope } from "../../src/domain/ports.ts";
import type { NewSession, Session } from "../../src/domain/session/session.ts";
import type { SessionFilter } from "../../src/domain/session/store.ts";
import {
  aFlow,
  afterNoon,
  anEvent,
  anIdentity,
  aPassword,
  aSession,
  heldFlow,
  noon,
  passwordProof,
  randomDigest,
} from "../support/records.ts";
import { findByDigest } from "../support/sessions.ts";
import { openTwoTenants, type TwoTenants } from "./two-tenants.ts";

let tenants: TwoTenants;
beforeAll(async () => {
  tenants = await openTwoTenants();
});
afterAll(() => tenants.storage.close());

async function newIdentity(scope: TenantScope = tenants.scope): Promise<IdentityId> {
  const identity = anIdentity();
  await tenants.storage.identities.create(scope, identity, [aPassword("$h")], []);
  return identity.id;
}

/** Sessions come into being by login only. */
async function store(identityId: IdentityId, change: Partial<NewSession> = {}): Promise<NewSession> {
  const { storage, scope } = tenants;
  const session = aSession(identityId, change);
  const flow = aFlow("login");
  await storage.flows.create(scope, flow);
  const identity = await storage.identities.find(scope, identityId);
  const value = identity?.identifiers[0]?.value ?? "";
  const { candidate } = await storage.flows.findForLogin(scope, flow.digest, value, { kind: "password" });
  if (candidate === undefined) throw new Error("the identity was not found");
  await storage.flows.completeLogin(scope, {
    held: [heldFlow(flow)],
    candidate,
    proof: passwordProof,
    replaces: undefined,
    session,
    replacement: undefined,
    messages: [],
    maxSessions: 1000,
    idleSince: undefined,
    at: noon,
    events: [],
    evictionEvent: anEvent("session.revoked"),
  });
  return session;
}

function withoutDigest({ tokenDigest: _, ...session }: NewSession): Session {
  return session;
}

describe("a session", () => {
  test("is found by its token's digest and by its id, within its tenant", async () => {
    const { storage, scope, other } = tenants;
    const session = await store(await newIdentity(), {
      device: { ipAddress: "2001:db8::1", userAgent: undefined },
    });
    const found = await findByDigest(storage.sessions, scope, session.tokenDigest);
    expect(found?.session).toEqual(withoutDigest(session));
    expect(found?.identity.id).toBe(session.identityId);
    expect(await storage.sessions.find(scope, session.id)).toEqual(withoutDigest(session));
    expect(await findByDigest(storage.sessions, other, session.tokenDigest)).toBeUndefined();
    expect(await storage.sessions.find(other, session.id)).toBeUndefined();
    expect(await findByDigest(storage.sessions, scope, randomDigest())).toBeUndefined();
  });

  test("is found among several digests, in one statement and within its tenant", async () => {
    const { storage, scope, other } = tenants;
    const sessions = [await store(await newIdentity()), await store(await newIdentity())];
    const digests = [...sessions.map(({ tokenDigest }) => tokenDigest), randomDigest()];
    const { sessions: found } = await storage.sessions.findByTokenDigests(scope, digests);
    expect(found).toHaveLength(2);
    for (const session of sessions) {
      const of = found.find(({ digest }) => Buffer.from(digest).equals(session.tokenDigest));
      expect(of?.session).toEqual(withoutDigest(session));
      expect(of?.identity.id).toBe(session.identityId);
    }
    expect((await storage.sessions.findByTokenDigests(other, digests)).sessions).toEqual([]);
  });

  test("keeps what a client says of itself even if it cannot be stored as it is", async () => {
    const session = await store(await newIdentity(), {
      device: { ipAddress: undefined, userAgent: "a\0b\ud800" },
    });
    const found = await tenants.storage.sessions.find(tenants.scope, session.id);
    expect(found?.device.userAgent).toBe("a\ufffdb\ufffd");
  });
});

describe("list", () => {
  test("filters by identity and by what is active", async () => {
    const identityId = await newIdentity();
    const active = await store(identityId, { createdAt: afterNoon(3) });
    const idle = await store(identityId, { createdAt: afterNoon(2), lastUsedAt: afterNoon(-90) });
    const expired = await store(identityId, { createdAt: afterNoon(1), expiresAt: afterNoon(1) });
    const revoked = await store(identityId, { revokedAt: afterNoon(1) });
    await store(await newIdentity());
    const now = afterNoon(10);
    const cases: [Omit<SessionFilter, "now" | "identityId">, NewSession[]][] = [
      [{}, [active, idle, expired, revoked]],
      [{ active: true }, [active, idle]],
      [{ active: false }, [expired, revoked]],
      [{ active: true, idleSince: { aal1: afterNoon(-60) } }, [active]],
      [{ active: false, idleSince: { aal1: afterNoon(-60) } }, [idle, expired, revoked]],
    ];
    for (const [filter, expected] of cases) {
      const page = await tenants.storage.sessions.list(
        tenants.scope,
        { identityId, now, ...filter },
        { size: 10 },
      );
      expect(page.items.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
      expect(page.next).toBeUndefined();
    }
    const foreign = await tenants.storage.sessions.list(tenants.other, { now }, { size: 10 });
    expect(foreign.items).toEqual([]);
  });

  test("pages through sessions of the same moment without losing one", async () => {
    const identityId = await newIdentity();
    for (let index = 0; index < 5; index++) await store(identityId);
    const seen: string[] = [];
    let after: readonly string[] | undefined;
    do {
      const filter = { identityId, now: noon };
      const page = await tenants.storage.sessions.list(tenants.scope, filter, { size: 2, after });
      seen.push(...page.items.map(({ id }) => id));
      after = page.next;
    } while (after !== undefined);
    expect(new Set(seen).size).toBe(5);
    expect(seen).toHaveLength(5);
  });
});

describe("revoke", () => {
  const revocation = () => ({ at: afterNoon(1), event: anEvent("session.revoked") });

  test("ends a session once, with one event that says whose it was", async () => {
    const { storage, scope } = tenants;
    const session = await store(await newIdentity());
    const revoked = await storage.sessions.revoke(scope, session.id, revocation());
    expect(revoked).toMatchObject({ id: session.id, revokedAt: afterNoon(1) });
    const again = { ...revocation(), at: afterNoon(2) };
    expect(await storage.sessions.revoke(scope, session.id, again)).toEqual(revoked);
    expect(await storage.sessions.find(scope, session.id)).toEqual(revoked);
    const events = await tenants.rows("SELECT identity_id FROM ostiary.event WHERE session_id = $1", [
      session.id,
    ]);
    expect(events).toEqual([{ identity_id: session.identityId }]);
  });

  test("of 16 at once writes one event", async () => {
    const { storage, scope } = tenants;
    const session = await store(await newIdentity());
    const results = await Promise.all(
      Array.from({ length: 16 }, () => storage.sessions.revoke(scope, session.id, revocation())),
    );
    // Nobody is told that it goes on.
    expect(results.map((result) => result?.revokedAt)).toEqual(Array(16).fill(afterNoon(1)));
    const events = await tenants.rows("SELECT FROM ostiary.event WHERE session_id = $1", [session.id]);
    expect(events).toHaveLength(1);
  });

  // Somebody else's session answers as one that does not exist.
  test("does not touch a session of another owner or tenant", async () => {
    const { storage, scope, other } = tenants;
    const session = await store(await newIdentity());
    const owner = await newIdentity();
    expect(await storage.sessions.revoke(scope, session.id, { ...revocation(), owner })).toBeUndefined();
    expect(await storage.sessions.revoke(other, session.id, revocation())).toBeUndefined();
    expect(await storage.sessions.revoke(scope, newId<SessionId>(noon), revocation())).toBeUndefined();
    expect((await storage.sessions.find(scope, session.id))?.revokedAt).toBe(never);
    const own = { ...revocation(), owner: session.identityId };
    expect(await storage.sessions.revoke(scope, session.id, own)).toMatchObject({ id: session.id });
  });

  test("of all but one leaves that one, and writes one event if any ended", async () => {
    const { storage, scope, other } = tenants;
    const identityId = await newIdentity();
    const kept = await store(identityId);
    await store(identityId);
    await store(identityId);
    await store(identityId, { expiresAt: noon });
    const bystander = await store(await newIdentity());
    expect(await storage.sessions.revokeAll(other, identityId, revocation())).toBe(0);
    expect(await storage.sessions.revokeAll(scope, identityId, { ...revocation(), except: kept.id })).toBe(2);
    expect(await storage.sessions.revokeAll(scope, identityId, { ...revocation(), except: kept.id })).toBe(0);
    const filter = { identityId, active: true, now: afterNoon(2) };
    const left = await storage.sessions.list(scope, filter, { size: 10 });
    expect(left.items.map(({ id }) => id)).toEqual([kept.id]);
    expect((await storage.sessions.find(scope, bystander.id))?.revokedAt).toBe(never);
    const events = await tenants.rows("SELECT FROM ostiary.event WHERE identity_id = $1", [identityId]);
    expect(events).toHaveLength(1);
  });
});

describe("extend", () => {
  const extension = (minutes: number) => ({
    at: afterNoon(1),
    expiresAt: afterNoon(minutes),
    event: anEvent("session.extended"),
  });

  test("moves the end further, never nearer", async () => {
    const { storage, scope, other } = tenants;
    const session = await store(await newIdentity(), { expiresAt: afterNoon(10) });
    const extended = await storage.sessions.extend(scope, session.id, extension(20));
    expect(extended).toEqual({
      ...withoutDigest(session),
      expiresAt: afterNoon(20),
      updatedAt: afterNoon(1),
    });
    expect((await storage.sessions.extend(scope, session.id, extension(5)))?.expiresAt).toEqual(
      afterNoon(20),
    );
    expect(await storage.sessions.extend(other, session.id, extension(30))).toBeUndefined();
    const events = await tenants.rows("SELECT FROM ostiary.event WHERE session_id = $1", [session.id]);
    expect(events).toHaveLength(1);
  });

  test("does not revive a session that has ended", async () => {
    const { storage, scope } = tenants;
    const expired = await store(await newIdentity(), { expiresAt: afterNoon(1) });
    const revoked = await store(await newIdentity(), { revokedAt: noon });
    expect(await storage.sessions.extend(scope, expired.id, extension(20))).toBeUndefined();
    expect(await storage.sessions.extend(scope, revoked.id, extension(20))).toBeUndefined();
  });
});

test("recordUse notes the latest use of each session, and never moves a time back", async () => {
  const { storage, scope, other } = tenants;
  const first = await store(await newIdentity());
  const second = await store(await newIdentity());
  await storage.sessions.recordUse([]);
  await storage.sessions.recordUse([
    { tenantId: scope.tenantId, id: first.id, usedAt: afterNoon(2) },
    { tenantId: scope.tenantId, id: first.id, usedAt: afterNoon(3) },
    { tenantId: scope.tenantId, id: first.id, usedAt: afterNoon(1) },
    { tenantId: scope.tenantId, id: second.id, usedAt: afterNoon(-5) },
    { tenantId: other.tenantId, id: second.id, usedAt: afterNoon(9) },
    { tenantId: scope.tenantId, id: newId<SessionId>(noon), usedAt: afterNoon(9) },
  ]);
  expect((await storage.sessions.find(scope, first.id))?.lastUsedAt).toEqual(afterNoon(3));
  expect((await storage.sessions.find(scope, second.id))?.lastUsedAt).toEqual(noon);
});
