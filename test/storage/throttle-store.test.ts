import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { IdentityId } from "../../src/domain/ids.ts";
import type { TenantScope } from "../../src/domain/ports.ts";
import type {
  CountedAttempt,
  CountRequest,
  CountResult,
  ThrottleCompletion,
} from "../../src/domain/throttle/store.ts";
import { removeExpired } from "../../src/storage/clean-up.ts";
import { Database } from "../../src/storage/database.ts";
import { defaultTestOptions } from "../support/database.ts";
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
import { deletePassword, openTwoTenants, type TwoTenants } from "./two-tenants.ts";

let tenants: TwoTenants;
beforeAll(async () => {
  tenants = await openTwoTenants();
});
afterAll(() => tenants.storage.close());

const minuteUs = 60_000_000;
const noonUs = noon.getTime() * 1000;

/** A limit of so many attempts, one of which is given back each minute. */
function anAttempt(count: number, change: Partial<CountedAttempt> = {}): CountedAttempt {
  return {
    key: randomDigest().subarray(0, 16),
    costUs: minuteUs,
    periodUs: count * minuteUs,
    stage: 1,
    own: undefined,
    unlessOwn: false,
    ...change,
  };
}

function take(
  attempts: readonly CountedAttempt[],
  options: Partial<Omit<CountRequest, "attempts">> & { scope?: TenantScope } = {},
): Promise<CountResult> {
  const { scope = tenants.scope, ...given } = options;
  const nobody = { identityId: undefined, devices: [], session: undefined, idleSince: undefined };
  return tenants.storage.throttle.take(scope, { atUs: noonUs, ...nobody, ...given, attempts });
}

/** How many attempts a counter has counted that are not given back yet. */
async function used(
  attempt: CountedAttempt,
  atUs = noonUs,
  scope: TenantScope = tenants.scope,
): Promise<number> {
  const [counter] = await tenants.storage.throttle.read(scope, [attempt.key], atUs);
  return counter === undefined ? 0 : (counter.spentUntilUs - atUs) / attempt.costUs;
}

async function refusals(attempts: readonly CountedAttempt[], atUs = noonUs): Promise<readonly number[]> {
  return (await take(attempts, { atUs })).refused.map(({ place }) => place);
}

describe("counting", () => {
  test("lets as many through as the limit allows, and says how long to wait", async () => {
    const attempt = anAttempt(3);
    for (let index = 0; index < 3; index++) expect((await take([attempt])).refused).toEqual([]);
    expect((await take([attempt])).refused).toEqual([{ place: 0, waitUs: minuteUs }]);
    // What was refused is not counted: the wait does not grow for those who try too soon.
    expect((await take([attempt], { atUs: noonUs + minuteUs / 2 })).refused).toEqual([
      { place: 0, waitUs: minuteUs / 2 },
    ]);
    expect(await refusals([attempt], noonUs + minuteUs)).toEqual([]);
    expect(await refusals([attempt], noonUs + minuteUs)).toEqual([0]);
  });

  test("gives everything back after the period, and no more", async () => {
    const attempt = anAttempt(2);
    for (let index = 0; index < 2; index++) await take([attempt]);
    const later = noonUs + 1000 * minuteUs;
    expect(await refusals([attempt], later)).toEqual([]);
    expect(await refusals([attempt], later)).toEqual([]);
    expect(await refusals([attempt], later)).toEqual([0]);
  });

  test("by one tenant is not seen by another", async () => {
    const attempt = anAttempt(1);
    await take([attempt]);
    expect((await take([attempt], { scope: tenants.other })).refused).toEqual([]);
    expect(await used(attempt, noonUs, tenants.other)).toBe(1);
    expect(await refusals([attempt])).toEqual([0]);
  });

  // SR-LIMIT-4 (ASVS V2.3.4, GHSA-7h8m-vrxx-vr4m): attempts in parallel are not one attempt.
  test("of 100 at once counts 100", async () => {
    const attempt = anAttempt(1000);
    await Promise.all(Array.from({ length: 100 }, () => take([attempt])));
    expect(await used(attempt)).toBe(100);
  });

  test("of 100 at once, also where nothing was counted before, lets exactly the limit through", async () => {
    const attempts = [anAttempt(50), anAttempt(10, { stage: 2 }), anAttempt(1000, { stage: 3 })] as const;
    const results = await Promise.all(Array.from({ length: 100 }, () => take(attempts)));
    const places = results.map(({ refused }) => refused[0]?.place);
    expect(places.filter((place) => place === undefined)).toHaveLength(10);
    expect(places.filter((place) => place === 0)).toHaveLength(50);
    expect(places.filter((place) => place === 1)).toHaveLength(40);
    expect(await Promise.all(attempts.map((attempt) => used(attempt)))).toEqual([50, 10, 10]);
  });

  test("in different orders at once does not block", async () => {
    const shared = Array.from({ length: 6 }, () => anAttempt(10_000));
    const ordered = [...shared].sort((left, right) => Buffer.compare(left.key, right.key));
    const pairs = Array.from({ length: 60 }, (_, index) =>
      ordered.filter((_each, at) => (index >> (at % 6)) % 2 === 0),
    );
    await Promise.all(pairs.map((attempts) => take(attempts)));
    const counts = await Promise.all(ordered.map((attempt) => used(attempt)));
    const expected = ordered.map((attempt) => pairs.filter((attempts) => attempts.includes(attempt)).length);
    expect(counts).toEqual(expected);
  });
});

describe("stages", () => {
  // An address that is refused must not use up the accounts that it tries (SR-LIMIT-3).
  test("count nothing after one that refused", async () => {
    const [address, account, daily] = [anAttempt(1), anAttempt(5, { stage: 2 }), anAttempt(9, { stage: 3 })];
    await take([address, account, daily]);
    expect(await refusals([address, account, daily])).toEqual([0]);
    expect([await used(account), await used(daily)]).toEqual([1, 1]);
  });

  test("count what came before one that refused", async () => {
    const [address, account, daily] = [anAttempt(9), anAttempt(1, { stage: 2 }), anAttempt(9, { stage: 3 })];
    await take([address, account, daily]);
    expect(await refusals([address, account, daily])).toEqual([1]);
    expect([await used(address), await used(daily)]).toEqual([2, 1]);
  });

  test("name everything that refused in the first of them that did", async () => {
    const [first, second] = [anAttempt(1), anAttempt(1, { costUs: 2 * minuteUs, periodUs: 2 * minuteUs })];
    const later = anAttempt(1, { stage: 2 });
    await take([first, second, later]);
    const { refused } = await take([first, second, later]);
    expect([...refused].sort((left, right) => left.place - right.place)).toEqual([
      { place: 0, waitUs: minuteUs },
      { place: 1, waitUs: 2 * minuteUs },
    ]);
  });
});

describe("a clock that moves", () => {
  test("a little, as between two servers, gives nothing back too early", async () => {
    const attempt = anAttempt(2);
    for (let index = 0; index < 2; index++) await take([attempt]);
    for (const seconds of [1, 30, 60]) {
      expect(await refusals([attempt], noonUs - seconds * 1_000_000)).toEqual([0]);
    }
  });

  test("back by a day shuts nobody out for a day", async () => {
    const attempt = anAttempt(2);
    for (let index = 0; index < 2; index++) await take([attempt]);
    const dayBefore = noonUs - 24 * 60 * minuteUs;
    expect(await refusals([attempt], dayBefore)).toEqual([]);
    expect(await refusals([attempt], dayBefore)).toEqual([]);
    expect(await refusals([attempt], dayBefore)).toEqual([0]);
  });

  test("and a limit that was made narrower, shut nobody out for longer than the former one", async () => {
    const attempt = anAttempt(1000);
    await Promise.all(Array.from({ length: 1000 }, () => take([attempt])));
    expect(await refusals([{ ...attempt, periodUs: minuteUs }])).toEqual([]);
    expect(await refusals([{ ...attempt, periodUs: minuteUs }])).toEqual([0]);
  });
});

describe("taking back", () => {
  test("empties what is reset, and gives one attempt back of what is refunded", async () => {
    const [reset, refunded, other] = [anAttempt(5), anAttempt(5), anAttempt(5)];
    for (let index = 0; index < 3; index++) await take([reset, refunded, other]);
    await tenants.storage.throttle.release(tenants.other, [{ key: reset.key, refundUs: undefined }]);
    expect(await used(reset)).toBe(3);
    await tenants.storage.throttle.release(tenants.scope, [
      { key: reset.key, refundUs: undefined },
      { key: refunded.key, refundUs: refunded.costUs },
    ]);
    expect([await used(reset), await used(refunded), await used(other)]).toEqual([0, 2, 3]);
  });

  test("by an operator removes the counters, and records it once", async () => {
    const [one, two] = [anAttempt(5), anAttempt(5)];
    await take([one]);
    const keys = [one.key, two.key];
    expect(await tenants.storage.throttle.clear(tenants.other, keys, noonUs, anEvent("throttle.reset"))).toBe(
      0,
    );
    expect(await tenants.storage.throttle.clear(tenants.scope, keys, noonUs, anEvent("throttle.reset"))).toBe(
      1,
    );
    expect(await used(one)).toBe(0);
    expect(await tenants.countEvents("throttle.reset")).toBe(2);
  });
});

/** Completes a login of an identity, so that it knows the device. */
async function logIn(
  identityId: IdentityId,
  throttle: ThrottleCompletion,
  scope = tenants.scope,
  tokenDigest = randomDigest(),
) {
  const { storage } = tenants;
  const identity = await storage.identities.find(scope, identityId);
  const flow = aFlow("login");
  await storage.flows.create(scope, flow);
  const value = identity?.identifiers[0]?.value ?? "";
  const { candidate } = await storage.flows.findForLogin(scope, flow.digest, value, { kind: "password" });
  if (candidate === undefined) throw new Error("the identity was not found");
  return storage.flows.completeLogin(scope, {
    held: [heldFlow(flow)],
    candidate,
    proof: passwordProof,
    session: { ...aSession(identityId), tokenDigest },
    replacement: undefined,
    messages: [],
    replaces: undefined,
    maxSessions: 1000,
    idleSince: undefined,
    at: noon,
    events: [],
    evictionEvent: anEvent("session.revoked"),
    throttle,
  });
}

async function newIdentity(scope = tenants.scope): Promise<IdentityId> {
  const identity = anIdentity();
  await tenants.storage.identities.create(scope, identity, [aPassword("$h")], []);
  return identity.id;
}

const keepingNone: ThrottleCompletion = { releases: [], device: undefined, maxDevices: 50 };

function keeping(digest: Uint8Array, expiresAt = afterNoon(60), maxDevices = 50): ThrottleCompletion {
  return { releases: [], device: { digest, expiresAt }, maxDevices };
}

/** Whether a device counts in its own bucket, and not in the account's. */
async function isKnown(
  identityId: IdentityId | undefined,
  digest: Uint8Array,
  scope = tenants.scope,
  atUs = noonUs,
) {
  const account = anAttempt(5, { unlessOwn: true });
  const device = anAttempt(5, { own: digest });
  const options = { atUs, scope, devices: [digest] };
  const { own } = await take([account, device], identityId ? { ...options, identityId } : options);
  const counts = [await used(account, atUs, scope), await used(device, atUs, scope)];
  expect(counts).toEqual(own === undefined ? [1, 0] : [0, 1]);
  return own !== undefined;
}

describe("a live session", () => {
  test("shows the owner of its identity, in its tenant, until it ends or was not used for too long", async () => {
    const [identityId, stranger] = [await newIdentity(), await newIdentity()];
    const digest = randomDigest();
    expect(await logIn(identityId, keepingNone, tenants.scope, digest)).toBe("completed");
    const shows = async (change: Partial<Parameters<typeof take>[1]> = {}) => {
      const options = { identityId, session: digest, ...change };
      const [strangers, own] = [anAttempt(5, { unlessOwn: true }), anAttempt(5, { own: digest })];
      const result = await take([strangers, own], options);
      return result.own !== undefined && Buffer.compare(result.own, digest) === 0;
    };
    expect(await shows()).toBe(true);
    expect(await shows({ identityId: stranger })).toBe(false);
    expect(await shows({ identityId: undefined })).toBe(false);
    expect(await shows({ session: randomDigest() })).toBe(false);
    expect(await shows({ scope: tenants.other })).toBe(false);
    expect(await shows({ atUs: noonUs + 400 * 24 * 60 * minuteUs })).toBe(false);
    expect(await shows({ idleSince: { aal1: afterNoon(1) } })).toBe(false);
    // A device of the same identity comes first.
    const device = randomDigest();
    await logIn(identityId, keeping(device));
    const both = await take([anAttempt(5)], { identityId, session: digest, devices: [device] });
    expect(Buffer.from(both.own ?? []).equals(device)).toBe(true);
    await tenants.storage.sessions.revokeAll(tenants.scope, identityId, {
      ...{ at: noon, event: anEvent("session.revoked") },
    });
    expect(await shows()).toBe(false);
  });
});

test("what is only read is not counted, and is as it was before", async () => {
  const counted = anAttempt(3, { stage: 4 });
  const watched = { ...counted, stage: 0 } as const;
  for (const before of [0, 1, 2, 3, 3]) {
    const { watched: read, refused } = await take([watched, counted]);
    const [only] = read;
    expect(Math.max(0, (only?.spentUntilUs ?? 0) - noonUs) / minuteUs).toBe(before);
    expect(refused.map(({ place }) => place)).toEqual(before === 3 ? [1] : []);
  }
});

describe("a device", () => {
  test("is known to the identity that signed in on it, until its end, and to nobody else", async () => {
    const [identityId, stranger] = [await newIdentity(), await newIdentity()];
    const digest = randomDigest();
    expect(await isKnown(identityId, digest)).toBe(false);
    expect(await logIn(identityId, keeping(digest))).toBe("completed");
    expect(await isKnown(identityId, digest)).toBe(true);
    expect(await isKnown(identityId, randomDigest())).toBe(false);
    expect(await isKnown(stranger, digest)).toBe(false);
    expect(await isKnown(undefined, digest)).toBe(false);
    expect(await isKnown(identityId, digest, tenants.other)).toBe(false);
    expect(await isKnown(identityId, digest, tenants.scope, afterNoon(60).getTime() * 1000)).toBe(false);
  });

  test("is known for longer after another login, and never becomes somebody else's", async () => {
    const [identityId, stranger] = [await newIdentity(), await newIdentity()];
    const digest = randomDigest();
    await logIn(identityId, keeping(digest, afterNoon(10)));
    await logIn(identityId, keeping(digest, afterNoon(90)));
    expect(await logIn(stranger, keeping(digest, afterNoon(90)))).toBe("completed");
    const late = afterNoon(60).getTime() * 1000;
    expect(await isKnown(identityId, digest, tenants.scope, late)).toBe(true);
    expect(await isKnown(stranger, digest, tenants.scope, late)).toBe(false);
  });

  test("beyond the limit pushes out the one that would be forgotten first", async () => {
    const identityId = await newIdentity();
    const digests = [randomDigest(), randomDigest(), randomDigest()] as const;
    await logIn(identityId, keeping(digests[0], afterNoon(30), 2));
    await logIn(identityId, keeping(digests[1], afterNoon(20), 2));
    await logIn(identityId, keeping(digests[2], afterNoon(10), 2));
    const known = [];
    for (const digest of digests) known.push(await isKnown(identityId, digest));
    expect(known).toEqual([true, false, true]);
  });

  test.each([
    ["its password is set", (id: IdentityId) => setPassword(id)],
    ["its password is deleted", (id: IdentityId) => removePassword(id)],
    ["it is deleted", (id: IdentityId) => tenants.storage.identities.delete(tenants.scope, id, [])],
  ])("is forgotten when the identity is told that %s", async (_what, change) => {
    const [identityId, bystander] = [await newIdentity(), await newIdentity()];
    const [digest, other] = [randomDigest(), randomDigest()];
    await logIn(identityId, keeping(digest));
    await logIn(bystander, keeping(other));
    await change(identityId);
    expect(await isKnown(identityId, digest)).toBe(false);
    expect(await isKnown(bystander, other)).toBe(true);
  });

  const setPassword = (id: IdentityId) =>
    tenants.storage.identities.setCredential(tenants.scope, id, aPassword("$n"), noon, []);
  const removePassword = (id: IdentityId) => deletePassword(tenants, id);
});

test("a login that does not complete takes nothing back and knows no device", async () => {
  const { storage, scope } = tenants;
  const identityId = await newIdentity();
  const attempt = anAttempt(5);
  await take([attempt]);
  const digest = randomDigest();
  const identity = await storage.identities.find(scope, identityId);
  const value = identity?.identifiers[0]?.value ?? "";
  const { candidate } = await storage.flows.findForLogin(scope, randomDigest(), value, { kind: "password" });
  if (candidate === undefined) throw new Error("the identity was not found");
  const result = await storage.flows.completeLogin(scope, {
    held: [{ digest: randomDigest(), revision: 0 }],
    candidate,
    proof: passwordProof,
    session: aSession(identityId),
    replacement: undefined,
    messages: [],
    replaces: undefined,
    maxSessions: 1000,
    idleSince: undefined,
    at: noon,
    events: [],
    evictionEvent: anEvent("session.revoked"),
    throttle: { ...keeping(digest), releases: [{ key: attempt.key, refundUs: undefined }] },
  });
  expect(result).toBe("flow_taken");
  expect(await used(attempt)).toBe(1);
  expect(await isKnown(identityId, digest)).toBe(false);
});

test("logins that succeed and attempts that are counted meanwhile do not block each other", async () => {
  const address = anAttempt(10_000);
  const identities = await Promise.all(Array.from({ length: 8 }, () => newIdentity()));
  const work = identities.flatMap((identityId) => {
    const account = anAttempt(10_000, { stage: 2 });
    const releases = [
      { key: address.key, refundUs: address.costUs },
      { key: account.key, refundUs: undefined },
    ];
    return Array.from({ length: 6 }, async () => {
      await take([address, account]);
      return logIn(identityId, { ...keeping(randomDigest()), releases });
    });
  });
  const results = await Promise.all(work);
  const completed = results.filter((result) => result === "completed").length;
  expect(completed).toBeGreaterThanOrEqual(identities.length);
  // Of one identity's logins at once some come too late; each of the others gave its attempt back.
  expect(await used(address)).toBe(results.length - completed);
});

// A flood of made-up names: what nobody tries any more does not stay.
test("the clean-up removes counters that are empty, and devices that are forgotten", async () => {
  const [ended, running] = [anAttempt(1), anAttempt(2)];
  const [identityId, digest] = [await newIdentity(), randomDigest()];
  await logIn(identityId, keeping(digest, afterNoon(1)));
  await take([ended], { atUs: noonUs - 2 * minuteUs });
  await take([running]);
  const database = new Database({ ...defaultTestOptions, url: tenants.storage.url });
  try {
    const count = async (table: string) =>
      (await tenants.rows<{ key: Buffer }>(`SELECT 1 AS key FROM ostiary.${table}`)).length;
    const before = [await count("throttle_counter"), await count("device")];
    const early = await removeExpired(database, { now: noon, retentionMs: 0, messageRetentionMs: 0 });
    expect(await used(running)).toBe(1);
    expect(early.throttleCounters).toBeGreaterThanOrEqual(1);
    const late = await removeExpired(database, {
      now: afterNoon(10_000_000),
      retentionMs: 0,
      messageRetentionMs: 0,
    });
    expect(early.throttleCounters + late.throttleCounters).toBe(before[0]);
    expect(early.devices + late.devices).toBe(before[1]);
    expect([await count("throttle_counter"), await count("device")]).toEqual([0, 0]);
  } finally {
    await database.close();
  }
});
