import { afterAll, beforeAll, expect, test } from "vitest";
import type { Identity } from "../../src/domain/identity/identity.ts";
import type { TenantScope } from "../../src/domain/ports.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { openTestStorage } from "../support/database.ts";
import { aFlow, anIdentity, aPassword, aSession, heldFlow, noon, randomDigest } from "../support/records.ts";
import { findByDigest } from "../support/sessions.ts";

const statements: string[] = [];
let storage: Storage;
let scope: TenantScope;
beforeAll(async () => {
  storage = await openTestStorage({ onStatement: (text) => statements.push(text) });
  scope = { tenantId: await storage.ensureTenant("default", noon) };
});
afterAll(() => storage.close());

async function exists(identity: Identity): Promise<boolean> {
  return (await storage.identities.find(scope, identity.id)) !== undefined;
}

test("a transaction commits what it did, and returns what the work returned", async () => {
  const identity = anIdentity();
  const result = await storage.transaction(scope, async (tx) => {
    expect(tx.tenantId).toBe(scope.tenantId);
    await storage.identities.create(tx, identity, [], []);
    expect(await exists(identity)).toBe(false);
    return 7;
  });
  expect(result).toBe(7);
  expect(await exists(identity)).toBe(true);
});

test("a transaction takes everything back if its work throws", async () => {
  const identity = anIdentity();
  const work = storage.transaction(scope, async (tx) => {
    await storage.identities.create(tx, identity, [], []);
    throw new Error("no");
  });
  await expect(work).rejects.toThrow("no");
  expect(await exists(identity)).toBe(false);
});

// PostgreSQL answers the COMMIT of a failed transaction with a rollback, and no error.
test("a transaction in which a statement failed does not pass for committed, even if its work hides that", async () => {
  const identity = anIdentity();
  const work = storage.transaction(scope, async (tx) => {
    await storage.identities.create(tx, identity, [], []);
    await storage.identities.find(tx, "no uuid" as Identity["id"]).catch(() => {});
  });
  await expect(work).rejects.toThrow("rolled back");
  expect(await exists(identity)).toBe(false);
});

test("a transaction within a transaction is a savepoint", async () => {
  const [outer, inner, later] = [anIdentity(), anIdentity(), anIdentity()];
  await storage.transaction(scope, async (tx) => {
    await storage.identities.create(tx, outer, [], []);
    await expect(
      storage.transaction(tx, async (nested) => {
        await storage.identities.create(nested, inner, [], []);
        throw new Error("only this");
      }),
    ).rejects.toThrow("only this");
    await storage.transaction(tx, (nested) => storage.identities.create(nested, later, [], []));
  });
  expect(await Promise.all([outer, inner, later].map(exists))).toEqual([true, false, true]);
});

test("two transactions that block each other both succeed: the one that is chosen starts again", async () => {
  const [first, second] = [anIdentity(), anIdentity()];
  for (const identity of [first, second]) await storage.identities.create(scope, identity, [], []);
  const holding = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let runs = 0;
  const touch = (tx: TenantScope, identity: Identity) =>
    storage.identities.setState(tx, identity.id, "inactive", noon, []);
  const cross = (own: number, mine: Identity, theirs: Identity) =>
    storage.transaction(scope, async (tx) => {
      runs++;
      await touch(tx, mine);
      holding[own]?.resolve();
      await holding[1 - own]?.promise;
      await touch(tx, theirs);
    });
  await Promise.all([cross(0, first, second), cross(1, second, first)]);
  // At least one of them had to start again; on a busy machine it can meet the other one once more.
  expect(runs).toBeGreaterThanOrEqual(3);
  const states = await Promise.all(
    [first, second].map(async ({ id }) => (await storage.identities.find(scope, id))?.state),
  );
  expect(states).toEqual(["inactive", "inactive"]);
});

test("the round trips to the database keep to the budget of the design", async () => {
  const count = async (work: () => Promise<unknown>) => {
    const before = statements.length;
    await work();
    return statements.length - before;
  };
  const identity = anIdentity();
  const session = aSession(identity.id);
  const registration = aFlow("registration");
  const login = aFlow("login");
  const digest = randomDigest();
  expect(await count(() => storage.flows.create(scope, registration))).toBe(1);
  await storage.flows.create(scope, login);
  const completion = {
    held: [heldFlow(registration)],
    identity,
    credential: aPassword("$h"),
    session,
    at: noon,
    events: [],
  };
  expect(await count(() => storage.flows.completeRegistration(scope, completion))).toBe(1);
  expect(await count(() => findByDigest(storage.sessions, scope, session.tokenDigest))).toBe(1);
  const value = identity.identifiers[0]?.value ?? "";
  expect(
    await count(() => storage.flows.findForLogin(scope, login.digest, value, { kind: "password" })),
  ).toBe(1);
  expect(await count(() => storage.flows.find(scope, "login", digest))).toBe(1);
  expect(await count(() => storage.identities.create(scope, anIdentity(), [], []))).toBe(1);
  // BEGIN and COMMIT count.
  expect(
    await count(() => storage.transaction(scope, (tx) => storage.identities.find(tx, identity.id))),
  ).toBe(3);
});
