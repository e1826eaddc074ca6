import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newMessage } from "../../src/domain/courier/message.ts";
import type { SealedMessage } from "../../src/domain/courier/outbox.ts";
import type { FlowRecord } from "../../src/domain/flow/shared/flow.ts";
import type { OperatorStart } from "../../src/domain/flow/shared/store.ts";
import type { Identity } from "../../src/domain/identity/identity.ts";
import { never } from "../../src/domain/instant.ts";
import {
  aFlow,
  afterNoon,
  anEvent,
  anIdentity,
  aSession,
  flowData,
  noon,
  randomDigest,
} from "../support/records.ts";
import { openTwoTenants, type TwoTenants } from "./two-tenants.ts";

let tenants: TwoTenants;
beforeAll(async () => {
  tenants = await openTwoTenants();
});
afterAll(() => tenants.storage.close());

async function storeIdentity(change: Partial<Identity> = {}): Promise<Identity> {
  const identity = anIdentity(change);
  await tenants.storage.identities.create(tenants.scope, identity, [], []);
  return identity;
}

function aMessage(identity: Identity): SealedMessage {
  const to = { channel: "email", recipient: "a@example.com", language: "", identityId: identity.id } as const;
  const { data: _secret, ...rest } = newMessage({ template: "password_changed", data: {} }, noon, to);
  return { ...rest, expiresAt: never, sealedData: "sealed" };
}

/** A recovery or verification whose link goes to an address. */
function aStart(
  identity: Identity,
  kind: "recovery" | "verification",
  value = "a@example.com",
): OperatorStart {
  const target = { kind: "email", value, identityId: identity.id } as const;
  const state = { at: "link_sent", sentTo: value, sentAt: noon.toISOString(), target } as const;
  const challenge = { kind: "link", digest: randomDigest(), expiresAt: afterNoon(10), attempts: 0 } as const;
  const data = flowData(state, { operator: "sends" });
  return {
    flow: aFlow(kind, { identityId: identity.id, challenge, data }),
    identityId: identity.id,
    address: kind === "verification" ? value : undefined,
    messages: [aMessage(identity)],
    events: [anEvent(`${kind}.started_by_operator`, { identityId: identity.id })],
  };
}

async function stateOf({ kind, digest }: FlowRecord): Promise<string | undefined> {
  return (await tenants.storage.flows.find(tenants.scope, kind, digest))?.state;
}

async function count(table: "event" | "message", identity: Identity): Promise<number> {
  const text = `SELECT id FROM ostiary.${table} WHERE identity_id = $1`;
  const rows = await tenants.rows(text, [identity.id]);
  return rows.length;
}

describe("beginByOperator", () => {
  test("stores the flow, what it sends and its event, within its tenant", async () => {
    const { storage, scope, other } = tenants;
    const identity = await storeIdentity();
    const start = aStart(identity, "recovery");
    expect(await storage.flows.beginByOperator(other, start)).toBe(false);
    expect(await count("event", identity)).toBe(0);
    expect(await storage.flows.beginByOperator(scope, start)).toBe(true);
    expect(await storage.flows.find(scope, "recovery", start.flow.digest)).toEqual(start.flow);
    expect([await count("event", identity), await count("message", identity)]).toEqual([1, 1]);
  });

  test("ends what an operator began before of its kind, and nothing else", async () => {
    const { storage, scope } = tenants;
    const [identity, somebody] = [await storeIdentity(), await storeIdentity()];
    const begin = async (start: OperatorStart) => {
      expect(await storage.flows.beginByOperator(scope, start)).toBe(true);
      return start.flow;
    };
    const older = await begin(aStart(identity, "recovery"));
    const verification = await begin(aStart(identity, "verification", "a@example.com"));
    const others = await begin(aStart(somebody, "recovery"));
    const { flow } = aStart(identity, "recovery");
    const own = { ...flow, data: { ...flow.data, purpose: {} } };
    await storage.flows.create(scope, own);
    const newer = await begin(aStart(identity, "recovery", "b@example.com"));
    const second = await begin(aStart(identity, "verification", "b@example.com"));
    const states = await Promise.all([older, newer, own, others, verification, second].map(stateOf));
    expect(states).toEqual(["completed", "active", "active", "active", "active", "active"]);
    await begin(aStart(identity, "verification", "a@example.com"));
    expect([await stateOf(verification), await stateOf(second)]).toEqual(["completed", "active"]);
  });

  test("writes nothing for an inactive identity", async () => {
    const { storage, scope } = tenants;
    const identity = await storeIdentity({ state: "inactive" });
    const start = aStart(identity, "recovery");
    expect(await storage.flows.beginByOperator(scope, start)).toBe(false);
    expect([await stateOf(start.flow), await count("message", identity)]).toEqual([undefined, 0]);
  });
});

describe("endPending", () => {
  const end = (identity: Identity, endsSessions: boolean) => ({
    at: afterNoon(1),
    endsSessions,
    messages: [aMessage(identity)],
    revocationEvent: anEvent("session.revoked", { identityId: identity.id }),
  });

  async function withEverything() {
    const { storage, scope } = tenants;
    const identity = await storeIdentity();
    const session = aSession(identity.id);
    await tenants.rows(
      `INSERT INTO ostiary.session (tenant_id, id, identity_id, created_at, updated_at, assurance_level,
         authentication_methods, authenticated_at, expires_at, last_used_at, token_digest)
       VALUES ($1, $2, $3, $4, $4, 'aal1', '[]', $4, $5, $4, $6)`,
      [scope.tenantId, session.id, identity.id, noon, session.expiresAt, session.tokenDigest],
    );
    const flow = aFlow("settings", { identityId: identity.id });
    await storage.flows.create(scope, flow);
    const revokedAt = async () => (await storage.sessions.find(scope, session.id))?.revokedAt;
    return { identity, flow, revokedAt };
  }

  test("closes flows, ends sessions and tells the owner, within its tenant", async () => {
    const { storage, scope, other } = tenants;
    const { identity, flow, revokedAt } = await withEverything();
    const stranger = await withEverything();
    await storage.identities.endPending(other, identity.id, { ...end(identity, true), messages: [] });
    expect([await stateOf(flow), await revokedAt()]).toEqual(["active", never]);
    await storage.identities.endPending(scope, identity.id, end(identity, true));
    expect([await stateOf(flow), await revokedAt()]).toEqual(["completed", afterNoon(1)]);
    expect([await count("message", identity), await count("event", identity)]).toEqual([1, 1]);
    // No session is left to end, so no event tells of one.
    await storage.identities.endPending(scope, identity.id, end(identity, true));
    expect(await count("event", identity)).toBe(1);
    expect([await stateOf(stranger.flow), await stranger.revokedAt()]).toEqual(["active", never]);
  });

  test("leaves sessions alone if they are to stay", async () => {
    const { identity, flow, revokedAt } = await withEverything();
    await tenants.storage.identities.endPending(tenants.scope, identity.id, end(identity, false));
    expect([await stateOf(flow), await revokedAt()]).toEqual(["completed", never]);
    expect(await count("event", identity)).toBe(0);
  });

  test("is taken back with the update that it belongs to", async () => {
    const { storage, scope } = tenants;
    const { identity, flow, revokedAt } = await withEverything();
    const changed = { ...identity, revision: 2 };
    expect(await storage.identities.update(scope, changed, 7, [], end(identity, true))).toBe(false);
    expect([await stateOf(flow), await revokedAt()]).toEqual(["active", never]);
    expect(await storage.identities.update(scope, changed, 1, [], end(identity, true))).toBe(true);
    expect([await stateOf(flow), await revokedAt()]).toEqual(["completed", afterNoon(1)]);
  });
});
