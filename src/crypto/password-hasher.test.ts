import argon2 from "argon2";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Secret } from "../domain/secret.ts";
import { minimumArgon2Parameters } from "./calibrate-argon2.ts";
import {
  availableHashingConcurrency,
  createPasswordHasher,
  recommendedThreadPoolSize,
} from "./password-hasher.ts";

const cheap = { memoryKib: 64, iterations: 1, parallelism: 1 };
const hasher = createPasswordHasher({ concurrency: 2, queueLimit: 10 });
const password = new Secret("correct horse battery staple");

// "pässwörd" with one code point for each umlaut, and with two.
const composed = new Secret("p\u00e4ssw\u00f6rd");
const decomposed = new Secret("pa\u0308sswo\u0308rd");

describe("hash", () => {
  test("makes an argon2id hash in PHC form, in the order that every library reads", async () => {
    expect(await hasher.hash(password, cheap)).toMatch(
      /^\$argon2id\$v=19\$m=64,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/,
    );
  });

  test("makes what another implementation's reader verifies", async () => {
    const hash = await hasher.hash(password, cheap);
    expect(await argon2.verify(hash, password.reveal())).toBe(true);
    expect(await argon2.verify(hash, "something else")).toBe(false);
  });

  test("takes a new salt each time", async () => {
    expect(await hasher.hash(password, cheap)).not.toBe(await hasher.hash(password, cheap));
  });

  test("and verify work with the default parameters and with several lanes", async () => {
    for (const parameters of [minimumArgon2Parameters, { ...cheap, parallelism: 4, iterations: 3 }]) {
      const hash = await hasher.hash(password, parameters);
      expect(await hasher.verify(password, hash)).toBe(true);
      expect(await hasher.verify(new Secret("correct horse battery stapl"), hash)).toBe(false);
    }
  });
});

describe("verify", () => {
  test("is false for hashes that are none, without an error", async () => {
    for (const hash of [
      "",
      "$argon2id$",
      "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
      "\0",
    ]) {
      expect(await hasher.verify(password, hash)).toBe(false);
    }
  });

  test("reads a password of up to the contract's 4096 bytes to its end", async () => {
    const long = "x".repeat(4096);
    const hash = await hasher.hash(new Secret(long), cheap);
    expect(await hasher.verify(new Secret(long), hash)).toBe(true);
    expect(await hasher.verify(new Secret(`${long.slice(1)}y`), hash)).toBe(false);
  });

  test("tells passwords apart that differ behind a NUL", async () => {
    const hash = await hasher.hash(new Secret("before\0after"), cheap);
    expect(await hasher.verify(new Secret("before\0after"), hash)).toBe(true);
    expect(await hasher.verify(new Secret("before\0other"), hash)).toBe(false);
  });
});

describe("Unicode", () => {
  test("gives one hash to both ways of writing the same password", async () => {
    for (const [stored, typed] of [
      [composed, decomposed],
      [decomposed, composed],
    ] as const) {
      const hash = await hasher.hash(stored, cheap);
      expect(await hasher.verify(stored, hash)).toBe(true);
      expect(await hasher.verify(typed, hash)).toBe(true);
    }
  });

  test("is not folded further: compatibility forms and case stay different", async () => {
    const hash = await hasher.hash(new Secret("\ufb01sh and chips"), cheap);
    expect(await hasher.verify(new Secret("fish and chips"), hash)).toBe(false);
  });

  test("lets an imported hash of a password that was never normalised verify as it was typed", async () => {
    const imported = await argon2.hash(decomposed.reveal(), { memoryCost: 64, timeCost: 1, parallelism: 1 });
    expect(await hasher.verify(decomposed, imported)).toBe(true);
    // Typed the other way it cannot be known: the control that the hash really is of the decomposed form.
    expect(await hasher.verify(composed, imported)).toBe(false);
  });
});

describe("verifyDecoy", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** The computations that some work asked the library for: what each cost, without what it was for. */
  async function computationsOf(work: () => Promise<unknown>) {
    const hash = vi.spyOn(argon2, "hash");
    await work();
    const costs = hash.mock.calls.map(([bytes, options]) => ({
      passwordLength: bytes.length,
      type: options?.type,
      version: options?.version,
      memoryCost: options?.memoryCost,
      timeCost: options?.timeCost,
      parallelism: options?.parallelism,
      hashLength: options?.hashLength,
      saltLength: options?.salt?.length,
    }));
    hash.mockRestore();
    return costs;
  }

  // Security rule: an unknown account does the same work as a wrong password (ASVS V6.3.8), from the first call on.
  test.each([
    ["a password that is NFC", new Secret("something else"), 1],
    ["a password that is not", decomposed, 2],
  ])("computes exactly what a failed verify computes, for %s", async (_name, tried, count) => {
    const stored = await hasher.hash(password, cheap);
    const fresh = createPasswordHasher({ concurrency: 1, queueLimit: 0 });
    const decoy = await computationsOf(() => fresh.verifyDecoy(tried, cheap));
    const failed = await computationsOf(() => fresh.verify(tried, stored));
    expect(failed).toHaveLength(count);
    expect(decoy).toEqual(failed);
  });

  test("follows the parameters that it is given", async () => {
    const [computation] = await computationsOf(() =>
      hasher.verifyDecoy(password, { ...cheap, memoryKib: 128 }),
    );
    expect(computation).toMatchObject({ memoryCost: 128, timeCost: 1, parallelism: 1 });
  });
});

describe("a full queue", () => {
  test("refuses hash, verify and verifyDecoy at once, and says when to come again", async () => {
    const small = createPasswordHasher({ concurrency: 1, queueLimit: 1 });
    const hash = await small.hash(password, cheap);
    const taken = [small.hash(password, minimumArgon2Parameters), small.verify(password, hash)];
    const refused = await Promise.allSettled([
      small.hash(password, cheap),
      small.verify(password, hash),
      small.verifyDecoy(password, cheap),
    ]);
    for (const result of refused) {
      expect(result).toMatchObject({
        status: "rejected",
        reason: { reason: "SERVER_OVERLOADED", retryAfterMs: expect.any(Number) },
      });
    }
    await Promise.all(taken);
    expect(await small.verify(password, hash)).toBe(true);
  });

  test("does not keep the event loop from turning while hashes are computed", async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await Promise.all(Array.from({ length: 4 }, () => hasher.hash(password, minimumArgon2Parameters)));
    clearInterval(timer);
    expect(turns).toBeGreaterThan(3);
  });
});

describe("needsRehash", () => {
  const current = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

  test("is false for a hash that was just made with the parameters, in any order", async () => {
    expect(hasher.needsRehash(await hasher.hash(password, cheap), cheap)).toBe(false);
    expect(hasher.needsRehash(current.replace("m=64,t=1,p=1", "t=1,p=1,m=64"), cheap)).toBe(false);
  });

  test.each([
    ["more memory is wanted", current, { ...cheap, memoryKib: 65 }],
    ["less memory is wanted", current, { ...cheap, memoryKib: 32 }],
    ["more passes are wanted", current, { ...cheap, iterations: 2 }],
    ["more lanes are wanted", current, { ...cheap, parallelism: 2 }],
    ["it is argon2i", current.replace("argon2id", "argon2i"), cheap],
    ["it is of version 1.0", current.replace("v=19", "v=16"), cheap],
    ["it names no version", current.replace("$v=19", ""), cheap],
    ["it is bcrypt", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", cheap],
    ["it is none", "", cheap],
  ])("is true when %s", (_name, hash, parameters) => {
    expect(hasher.needsRehash(hash, parameters)).toBe(true);
  });
});

describe("importableAlgorithm", () => {
  test.each([
    ["$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "argon2id"],
    ["$2y$10$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "bcrypt"],
    ["$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", undefined],
    ["$2y$16$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", undefined],
    ["5f4dcc3b5aa765d61d8327deb882cf99", undefined],
    ["", undefined],
  ])("of %j is %j", (hash, algorithm) => {
    expect(hasher.importableAlgorithm(hash)).toBe(algorithm);
  });
});

test("the thread pool has room for every hash and four more, within libuv's limit", () => {
  expect(availableHashingConcurrency()).toBeGreaterThanOrEqual(1);
  expect(recommendedThreadPoolSize(2)).toBe(6);
  expect(recommendedThreadPoolSize(5_000)).toBe(1_024);
});
