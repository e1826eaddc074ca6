import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { NewApiKey } from "../../src/domain/access/api-key.ts";
import type { ApiKeyId } from "../../src/domain/ids.ts";
import { newId } from "../../src/domain/ids.ts";
import { afterNoon, anApiKey, anEvent, anIdentity, noon } from "../support/records.ts";
import { openTwoTenants, type TwoTenants } from "./two-tenants.ts";

let tenants: TwoTenants;
beforeAll(async () => {
  tenants = await openTwoTenants();
});
afterAll(() => tenants.storage.close());

describe("API keys", () => {
  function withoutDigest({ tokenDigest: _, ...key }: NewApiKey) {
    return key;
  }

  test("are found by their token's digest, within their tenant", async () => {
    const { storage, scope, other } = tenants;
    const key = anApiKey({ scopes: ["a", 'b"{,}'], expiresAt: afterNoon(1) });
    await storage.apiKeys.create(scope, key, anEvent("api_key.created"));
    expect(await storage.apiKeys.findByTokenDigest(scope, key.tokenDigest)).toEqual(withoutDigest(key));
    expect(await storage.apiKeys.findByTokenDigest(other, key.tokenDigest)).toBeUndefined();
    expect(await tenants.countEvents("api_key.created")).toBe(1);
  });

  test("of 16 servers that start at once one makes the first key", async () => {
    const { storage, scope, other } = tenants;
    expect(await storage.apiKeys.bootstrapped(scope)).toBe(false);
    const keys = Array.from({ length: 16 }, () => anApiKey({ bootstrap: true }));
    const results = await Promise.all(
      keys.map((key) => storage.apiKeys.createBootstrap(scope, key, anEvent("api_key.created"))),
    );
    expect(results.filter(Boolean)).toHaveLength(1);
    const winner = keys[results.indexOf(true)];
    const found = await Promise.all(
      keys.map((key) => storage.apiKeys.findByTokenDigest(scope, key.tokenDigest)),
    );
    expect(found.filter((key) => key !== undefined).map(({ id }) => id)).toEqual([winner?.id]);
    expect(await storage.apiKeys.bootstrapped(scope)).toBe(true);
    expect(await storage.apiKeys.bootstrapped(other)).toBe(false);
  });

  test("are listed newest first, ended ones only if asked for", async () => {
    const { storage, other } = tenants;
    const keys = [
      anApiKey({ createdAt: afterNoon(4) }),
      anApiKey({ createdAt: afterNoon(3), expiresAt: afterNoon(10) }),
      anApiKey({ createdAt: afterNoon(2), expiresAt: afterNoon(5) }),
      anApiKey({ createdAt: afterNoon(1), revokedAt: afterNoon(2) }),
    ];
    for (const key of keys) await storage.apiKeys.create(other, key, anEvent("api_key.created"));
    const now = afterNoon(5);
    const active = await storage.apiKeys.list(other, { includeEnded: false, now }, { size: 10 });
    expect(active.items).toEqual(keys.slice(0, 2).map(withoutDigest));
    const first = await storage.apiKeys.list(other, { includeEnded: true, now }, { size: 3 });
    const rest = await storage.apiKeys.list(
      other,
      { includeEnded: true, now },
      { size: 3, after: first.next },
    );
    expect([...first.items, ...rest.items]).toEqual(keys.map(withoutDigest));
    expect(rest.next).toBeUndefined();
  });

  test("are revoked once", async () => {
    const { storage, scope, other } = tenants;
    const key = anApiKey();
    await storage.apiKeys.create(scope, key, anEvent("api_key.created"));
    const event = anEvent("api_key.revoked");
    expect(await storage.apiKeys.revoke(other, key.id, afterNoon(1), event)).toBeUndefined();
    expect((await storage.apiKeys.revoke(scope, key.id, afterNoon(1), event))?.revokedAt).toEqual(
      afterNoon(1),
    );
    expect((await storage.apiKeys.revoke(scope, key.id, afterNoon(2), event))?.revokedAt).toEqual(
      afterNoon(1),
    );
    expect(await storage.apiKeys.revoke(scope, newId<ApiKeyId>(noon), noon, event)).toBeUndefined();
    expect(await tenants.countEvents("api_key.revoked")).toBe(1);
  });

  test("remember when they were last used", async () => {
    const { storage, scope } = tenants;
    const key = anApiKey();
    await storage.apiKeys.create(scope, key, anEvent("api_key.created"));
    await storage.apiKeys.recordUse([{ tenantId: scope.tenantId, id: key.id, usedAt: afterNoon(1) }]);
    await storage.apiKeys.recordUse([{ tenantId: scope.tenantId, id: key.id, usedAt: noon }]);
    const found = await storage.apiKeys.findByTokenDigest(scope, key.tokenDigest);
    expect(found?.lastUsedAt).toEqual(afterNoon(1));
  });
});

describe("identity schemas", () => {
  test("get a new version when the document changes, not when its keys are in another order", async () => {
    const { storage, scope } = tenants;
    const first = await storage.schemas.save(scope, "person", { z: 1, a: { c: [1, 2], b: 2 } }, noon);
    const same = await storage.schemas.save(scope, "person", { a: { b: 2, c: [1, 2] }, z: 1 }, afterNoon(1));
    const second = await storage.schemas.save(
      scope,
      "person",
      { a: { b: 2, c: [2, 1] }, z: 1 },
      afterNoon(2),
    );
    const back = await storage.schemas.save(scope, "person", { z: 1, a: { c: [1, 2], b: 2 } }, afterNoon(3));
    expect([first.version, same.version, second.version, back.version]).toEqual([1, 1, 2, 3]);
    expect(same.createdAt).toEqual(noon);
    expect(await storage.schemas.find(scope, "person", 2)).toEqual(second);
    expect(await storage.schemas.find(scope, "person", 9)).toBeUndefined();
  });

  // The order of properties is the order of a form's fields.
  test("keep the order of the document's keys", async () => {
    const { storage, scope } = tenants;
    await storage.schemas.save(scope, "ordered", { zebra: 1, a: 2, middle: 3 }, noon);
    const found = await storage.schemas.find(scope, "ordered", 1);
    expect(Object.keys(found?.document ?? {})).toEqual(["zebra", "a", "middle"]);
  });

  test("get one version from 16 servers that start at once", async () => {
    const { storage, scope } = tenants;
    const saved = await Promise.all(
      Array.from({ length: 16 }, () => storage.schemas.save(scope, "contested", { a: 1 }, noon)),
    );
    expect(new Set(saved.map(({ version }) => version))).toEqual(new Set([1]));
    const different = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        storage.schemas.save(scope, "contested", { a: index + 2 }, noon),
      ),
    );
    expect(new Set(different.map(({ version }) => version)).size).toBe(8);
  });

  test("are listed by id, newest version first, in pages, within their tenant", async () => {
    const { storage, other } = tenants;
    for (const [id, value] of [
      ["b", 1],
      ["a", 1],
      ["a", 2],
      ["C", 1],
    ] as const) {
      await storage.schemas.save(other, id, { value }, noon);
    }
    const first = await storage.schemas.list(other, { size: 2 });
    const rest = await storage.schemas.list(other, { size: 2, after: first.next });
    expect([...first.items, ...rest.items].map(({ id, version }) => [id, version])).toEqual([
      ["C", 1],
      ["a", 2],
      ["a", 1],
      ["b", 1],
    ]);
    expect(rest.next).toBeUndefined();
  });
});

describe("request ids", () => {
  const key = { caller: "key-1", method: "Create", requestId: "r" };
  const end = afterNoon(60);

  test("are claimed once; later calls get what the first one left", async () => {
    const { storage, scope, other } = tenants;
    await storage.transaction(scope, async (tx) => {
      expect(await storage.idempotency.claim(tx, key, noon, end)).toBeUndefined();
      await storage.idempotency.complete(tx, key, "sealed");
    });
    await storage.transaction(scope, async (tx) => {
      const earlier = await storage.idempotency.claim(tx, key, afterNoon(1), end);
      expect(earlier).toBe("sealed");
    });
    for (const change of [{ caller: "key-2" }, { method: "Update" }, { requestId: "s" }]) {
      await storage.transaction(scope, async (tx) => {
        const claimed = await storage.idempotency.claim(tx, { ...key, ...change }, noon, end);
        expect(claimed).toBeUndefined();
      });
    }
    await storage.transaction(other, async (tx) => {
      expect(await storage.idempotency.claim(tx, key, noon, end)).toBeUndefined();
    });
  });

  test("wait for the call that holds them: of 16 at once one does the work", async () => {
    const { storage, scope } = tenants;
    const contested = { ...key, requestId: "contested" };
    let works = 0;
    const outcomes = await Promise.all(
      Array.from({ length: 16 }, () =>
        storage.transaction(scope, async (tx) => {
          const earlier = await storage.idempotency.claim(tx, contested, noon, end);
          if (earlier !== undefined) return earlier;
          works++;
          await storage.identities.create(tx, anIdentity(), [], []);
          await storage.idempotency.complete(tx, contested, "done");
          return "done";
        }),
      ),
    );
    expect(works).toBe(1);
    expect(outcomes).toEqual(Array(16).fill("done"));
  });

  test("are free again if the call failed, and after their end", async () => {
    const { storage, scope } = tenants;
    const failing = { ...key, requestId: "failing" };
    const claim = (at: Date) =>
      storage.transaction(scope, async (tx) => {
        const earlier = await storage.idempotency.claim(tx, failing, at, afterNoon(60));
        if (earlier === undefined) await storage.idempotency.complete(tx, failing, "done");
        return earlier;
      });
    await expect(
      storage.transaction(scope, async (tx) => {
        await storage.idempotency.claim(tx, failing, noon, end);
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    expect(await claim(noon)).toBeUndefined();
    expect(await claim(afterNoon(59))).toBeDefined();
    expect(await claim(afterNoon(60))).toBeUndefined();
  });

  test("are claimed within a transaction only", async () => {
    const { storage, scope } = tenants;
    await expect(storage.idempotency.claim(scope, key, noon, end)).rejects.toThrow("transaction");
  });
});
