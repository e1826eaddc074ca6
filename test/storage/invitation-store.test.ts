import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newId } from "../../src/domain/ids.ts";
import type { Invitation, InvitationState, NewInvitation } from "../../src/domain/invitation/invitation.ts";
import type { TenantScope } from "../../src/domain/ports.ts";
import { aMessage, testOutbox } from "../support/messages.ts";
import {
  aFlow,
  afterNoon,
  anEvent,
  anIdentity,
  anInvitation,
  aPassword,
  aSession,
  heldFlow,
  noon,
} from "../support/records.ts";
import { openTwoTenants, type TwoTenants } from "./two-tenants.ts";

let tenants: TwoTenants;
beforeAll(async () => {
  tenants = await openTwoTenants();
});
afterAll(() => tenants.storage.close());

function withoutDigest({ tokenDigest: _, ...invitation }: NewInvitation): Invitation {
  return invitation;
}

async function stored(change: Partial<NewInvitation> = {}, scope = tenants.scope): Promise<NewInvitation> {
  const invitation = anInvitation(change);
  await tenants.storage.invitations.create(scope, invitation, anEvent("invitation.created"), []);
  return invitation;
}

function revoke(scope: TenantScope, { id }: Pick<Invitation, "id">, at = afterNoon(1)) {
  return tenants.storage.invitations.revoke(scope, id, at, anEvent("invitation.revoked"));
}

/** Registers somebody with an invitation, by a flow of their own. */
async function register({ id }: Pick<Invitation, "id">, scope = tenants.scope, at = afterNoon(1)) {
  const { storage } = tenants;
  const flow = aFlow("registration");
  await storage.flows.create(scope, flow);
  const identity = anIdentity();
  const result = await storage.flows.completeRegistration(scope, {
    held: [heldFlow(flow)],
    identity,
    credential: aPassword("$argon2id$test"),
    invitationId: id,
    session: aSession(identity.id),
    at,
    events: [anEvent("invitation.used", { identityId: identity.id })],
  });
  return { result, identity, flow };
}

describe("an invitation", () => {
  test("is found by its id and its token's digest, within its tenant, and stored with event and message", async () => {
    const { storage, scope, other } = tenants;
    const invitation = anInvitation({
      address: { kind: "email", value: "ada@example.com" },
      traits: { email: "ada@example.com", nested: { list: [1, null] } },
      publicMetadata: { plan: "gold" },
      adminMetadata: { note: "vip" },
    });
    const message = testOutbox.seal(aMessage());
    await storage.invitations.create(scope, invitation, anEvent("invitation.created"), [message]);
    expect(await storage.invitations.find(scope, invitation.id)).toEqual(withoutDigest(invitation));
    expect(await storage.invitations.findByTokenDigest(scope, invitation.tokenDigest)).toEqual(
      withoutDigest(invitation),
    );
    expect(await storage.invitations.find(other, invitation.id)).toBeUndefined();
    expect(await storage.invitations.findByTokenDigest(other, invitation.tokenDigest)).toBeUndefined();
    expect(await storage.invitations.find(scope, newId(noon))).toBeUndefined();
    expect(await tenants.countEvents("invitation.created")).toBe(1);
    expect(await tenants.rows("SELECT id FROM ostiary.message WHERE id = $1", [message.id])).toHaveLength(1);
  });

  test("is revoked once, by its own tenant, while it is pending", async () => {
    const { scope, other, storage } = tenants;
    const invitation = await stored();
    expect(await revoke(other, invitation)).toBeUndefined();
    const before = await tenants.countEvents("invitation.revoked");
    const ended = { ...withoutDigest(invitation), revokedAt: afterNoon(1) };
    expect(await revoke(scope, invitation)).toEqual(ended);
    expect(await revoke(scope, invitation, afterNoon(2))).toBeUndefined();
    expect(await tenants.countEvents("invitation.revoked")).toBe(before + 1);
    expect(await storage.invitations.find(scope, invitation.id)).toEqual(ended);
    expect(await revoke(scope, await stored(), afterNoon(60))).toBeUndefined();
  });

  test("is listed newest first, by state and address, in pages, without those of the other tenant", async () => {
    const { storage, other } = tenants;
    await stored();
    const address = { kind: "email", value: "grace@example.com" } as const;
    const pending = await stored({ createdAt: afterNoon(5), expiresAt: afterNoon(90), address }, other);
    const expired = await stored({ createdAt: afterNoon(4), expiresAt: afterNoon(60) }, other);
    const revoked = await stored({ createdAt: afterNoon(3), expiresAt: afterNoon(60), address }, other);
    const used = await stored({ createdAt: afterNoon(2), expiresAt: afterNoon(60) }, other);
    await revoke(other, revoked);
    await register(used, other);
    const list = (state?: InvitationState, value?: string, size = 10, after?: readonly string[]) =>
      storage.invitations.list(other, { state, now: afterNoon(60), address: value }, { size, after });
    const idsOf = ({ items }: { items: readonly Invitation[] }) => items.map(({ id }) => id);
    expect(idsOf(await list("pending"))).toEqual([pending.id]);
    expect(idsOf(await list("expired"))).toEqual([expired.id]);
    expect(idsOf(await list("revoked"))).toEqual([revoked.id]);
    expect(idsOf(await list("used"))).toEqual([used.id]);
    expect(idsOf(await list(undefined, address.value))).toEqual([pending.id, revoked.id]);
    expect(idsOf(await list("revoked", address.value))).toEqual([revoked.id]);
    const first = await list(undefined, undefined, 3);
    expect(idsOf(first)).toEqual([pending.id, expired.id, revoked.id]);
    expect(await list(undefined, undefined, 3, first.next)).toMatchObject({ items: [{ id: used.id }] });
  });
});

describe("a registration with an invitation", () => {
  test("uses it, and says whose it was", async () => {
    const { storage, scope } = tenants;
    const invitation = await stored();
    const { result, identity } = await register(invitation);
    expect(result).toBe("completed");
    expect(await storage.invitations.find(scope, invitation.id)).toEqual({
      ...withoutDigest(invitation),
      usedAt: afterNoon(1),
      identityId: identity.id,
    });
    expect(await revoke(scope, invitation)).toBeUndefined();
    // What was said of a person goes with them.
    await storage.identities.delete(scope, identity.id, []);
    expect(await storage.invitations.find(scope, invitation.id)).toBeUndefined();
  });

  // Security rule (SR-INVITE-2): an invitation that was used or revoked, has expired, or is another tenant's makes no account.
  test("changes nothing if it was used or revoked, has expired, is another tenant's or is none", async () => {
    const { scope, other, storage } = tenants;
    const used = await stored();
    await register(used);
    const revoked = await stored();
    await revoke(scope, revoked);
    const gone = [
      ...[await register(used), await register(revoked)],
      await register(await stored(), scope, afterNoon(60)),
      ...[await register(await stored({}, other)), await register({ id: newId(noon) })],
    ];
    for (const { result, identity, flow } of gone) {
      expect(result).toBe("invitation_gone");
      expect(await storage.identities.find(scope, identity.id)).toBeUndefined();
      expect((await storage.flows.find(scope, "registration", flow.digest))?.state).toBe("active");
    }
  });

  test("leaves it as it is if the identifier is taken", async () => {
    const { storage, scope } = tenants;
    const invitation = await stored();
    const { identity: taken } = await register(await stored());
    const flow = aFlow("registration");
    await storage.flows.create(scope, flow);
    const identity = anIdentity({ identifiers: taken.identifiers });
    const result = await storage.flows.completeRegistration(scope, {
      ...{ held: [heldFlow(flow)], identity, credential: undefined, invitationId: invitation.id },
      ...{ session: aSession(identity.id), at: noon, events: [] },
    });
    expect(result).toBe("identifier_taken");
    expect(await storage.invitations.find(scope, invitation.id)).toEqual(withoutDigest(invitation));
  });

  test("of 16 at once completes once, and of a registration and a revocation one wins", async () => {
    const invitation = await stored();
    const results = await Promise.all(Array.from({ length: 16 }, () => register(invitation)));
    expect(results.filter(({ result }) => result === "completed")).toHaveLength(1);
    expect(results.filter(({ result }) => result === "invitation_gone")).toHaveLength(15);
    for (let round = 0; round < 8; round++) {
      const contested = await stored();
      const [{ result }, revoked] = await Promise.all([
        register(contested),
        revoke(tenants.scope, contested),
      ]);
      expect(result === "completed").toBe(revoked === undefined);
    }
  });
});
