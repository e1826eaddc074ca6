import { afterAll, beforeAll, expect, test } from "vitest";
import { instantOf, never } from "../../src/domain/instant.ts";
import type { StoredSigningKey } from "../../src/domain/signed-token/store.ts";
import { afterNoon } from "../support/records.ts";
import { openTwoTenants, type TwoTenants } from "./two-tenants.ts";

let tenants: TwoTenants;
beforeAll(async () => {
  tenants = await openTwoTenants();
});
afterAll(() => tenants.storage.close());

function aKey(ordinal: number, keyId = `key ${ordinal}`): StoredSigningKey {
  const signsAt = instantOf(afterNoon(ordinal));
  return { ordinal, keyId, sealedKey: `sealed ${keyId}`, createdAt: signsAt, signsAt, endsAt: never };
}

test("keys are those of their tenant, newest first, and a new one ends the others", async () => {
  const { storage, scope, other } = tenants;
  const end = instantOf(afterNoon(10));
  expect(await storage.signingKeys.add(scope, aKey(1), end)).toBe(true);
  expect(await storage.signingKeys.add(other, aKey(1), end)).toBe(true);
  expect(await storage.signingKeys.add(scope, aKey(2), end)).toBe(true);
  expect(await storage.signingKeys.list(scope)).toEqual([aKey(2), { ...aKey(1), endsAt: end }]);
  expect(await storage.signingKeys.list(other)).toEqual([aKey(1)]);
  // An end is never moved back, but may come earlier.
  expect(await storage.signingKeys.add(scope, aKey(3), instantOf(afterNoon(20)))).toBe(true);
  expect((await storage.signingKeys.list(scope)).map(({ endsAt }) => endsAt)).toEqual([
    never,
    afterNoon(20),
    end,
  ]);
  expect(await storage.signingKeys.add(scope, aKey(4), instantOf(afterNoon(5)))).toBe(true);
  expect((await storage.signingKeys.list(scope)).map(({ endsAt }) => endsAt)).toEqual([
    never,
    afterNoon(5),
    afterNoon(5),
    afterNoon(5),
  ]);
});

test("of 16 processes that add the same key at once one does, and it alone ends the others", async () => {
  const { storage, other } = tenants;
  const candidates = Array.from({ length: 16 }, (_, index) => aKey(2, `candidate ${index}`));
  const added = await Promise.all(
    candidates.map((key, index) => storage.signingKeys.add(other, key, instantOf(afterNoon(30 + index)))),
  );
  expect(added.filter(Boolean)).toHaveLength(1);
  const winner = added.indexOf(true);
  const [newest, former, ...rest] = await storage.signingKeys.list(other);
  expect(newest).toEqual(candidates[winner]);
  expect(former?.endsAt).toEqual(afterNoon(30 + winner));
  expect(rest).toEqual([]);
});
