import { execFileSync } from "node:child_process";
import ownArgon2, { type Options } from "@node-rs/argon2";
import argon2 from "argon2";
import { afterEach, describe, expect, test, vi } from "vitest";
import { anAsker } from "../../test/support/records.ts";
import type { Argon2Parameters } from "../domain/ports.ts";
import { Secret } from "../domain/secret.ts";
import { minimumArgon2Parameters } from "./calibrate-argon2.ts";
import { HashThreads } from "./hash-threads.ts";
import { doHashWork } from "./hash-work.ts";
import { availableHashingConcurrency, createPasswordHasher } from "./password-hasher.ts";

/** A hasher for somebody who asks for all of it. */
function aHasher(limits: Parameters<typeof createPasswordHasher>[0]) {
  const hasher = createPasswordHasher(limits);
  return {
    importable: hasher.importable,
    hash: (password: Secret, parameters: Argon2Parameters) => hasher.hash(password, parameters, anAsker()),
    compare: (password: Secret, hash: string, parameters: Argon2Parameters) =>
      hasher.compare(password, hash, parameters, anAsker()),
    verifyDecoy: (password: Secret, parameters: Argon2Parameters) =>
      hasher.verifyDecoy(password, parameters, anAsker()),
  };
}

const cheap = { memoryKib: 64, iterations: 1, parallelism: 1 };
const hasher = aHasher({ concurrency: 2, queueLimit: 100 });
const password = new Secret("correct horse battery staple");

async function verify(tried: Secret, hash: string): Promise<boolean> {
  return (await hasher.compare(tried, hash, cheap)).matches;
}

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
      expect(await verify(password, hash)).toBe(true);
      expect(await verify(new Secret("correct horse battery stapl"), hash)).toBe(false);
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
      expect(await verify(password, hash)).toBe(false);
    }
  });

  test("reads a password of up to the contract's 4096 bytes to its end", async () => {
    const long = "x".repeat(4096);
    const hash = await hasher.hash(new Secret(long), cheap);
    expect(await verify(new Secret(long), hash)).toBe(true);
    expect(await verify(new Secret(`${long.slice(1)}y`), hash)).toBe(false);
  });

  test("tells passwords apart that differ behind a NUL", async () => {
    const hash = await hasher.hash(new Secret("before\0after"), cheap);
    expect(await verify(new Secret("before\0after"), hash)).toBe(true);
    expect(await verify(new Secret("before\0other"), hash)).toBe(false);
  });
});

describe("Unicode", () => {
  test("gives one hash to both ways of writing the same password", async () => {
    for (const [stored, typed] of [
      [composed, decomposed],
      [decomposed, composed],
    ] as const) {
      const hash = await hasher.hash(stored, cheap);
      expect(await verify(stored, hash)).toBe(true);
      expect(await verify(typed, hash)).toBe(true);
    }
  });

  test("is not folded further: compatibility forms and case stay different", async () => {
    const hash = await hasher.hash(new Secret("\ufb01sh and chips"), cheap);
    expect(await verify(new Secret("fish and chips"), hash)).toBe(false);
  });

  test("lets an imported hash of a password that was never normalised verify as it was typed", async () => {
    const imported = await argon2.hash(decomposed.reveal(), { memoryCost: 64, timeCost: 1, parallelism: 1 });
    expect(await verify(decomposed, imported)).toBe(true);
    // Typed the other way it cannot be known: the control that the hash really is of the decomposed form.
    expect(await verify(composed, imported)).toBe(false);
  });
});

describe("verifyDecoy", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** The computations that some work asked the library for: what each cost, without what it was for. */
  async function computationsOf(work: () => Promise<unknown>) {
    vi.spyOn(HashThreads.prototype, "run").mockImplementation(async (given) => doHashWork(given));
    const hash = vi.spyOn(ownArgon2, "hashRawSync");
    hash.mockClear();
    await work();
    return hash.mock.calls.map(([bytes, options]) => {
      const { salt, ...costs }: Options = options ?? {};
      return { ...costs, passwordLength: bytes.length, saltLength: salt?.length };
    });
  }

  // Security rule (SR-ENUM-3): an unknown account does the same work as a wrong password (ASVS V6.3.8), from the first call on.
  test.each([
    ["a password that is NFC", new Secret("something else"), 1],
    ["a password that is not", decomposed, 2],
    ["a password with another blank", new Secret("something\u00a0else"), 2],
    ["a password that NFKC folds", new Secret("ｓomething else"), 2],
    ["a password that is all of it", new Secret("ｓomething\u00a0e\u0301lse"), 3],
  ])("computes exactly what a failed verify computes, for %s", async (_name, tried, count) => {
    const stored = await hasher.hash(password, cheap);
    const fresh = aHasher({ concurrency: 1, queueLimit: 0 });
    const decoy = await computationsOf(() => fresh.verifyDecoy(tried, cheap));
    const failed = await computationsOf(() => fresh.compare(tried, stored, cheap));
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
  test("refuses hash, compare and verifyDecoy at once, and says when to come again", async () => {
    const small = aHasher({ concurrency: 1, queueLimit: 1 });
    const hash = await small.hash(password, cheap);
    const taken = [small.hash(password, minimumArgon2Parameters), small.compare(password, hash, cheap)];
    const refused = await Promise.allSettled([
      small.hash(password, cheap),
      small.compare(password, hash, cheap),
      small.verifyDecoy(password, cheap),
    ]);
    for (const result of refused) {
      expect(result).toMatchObject({
        status: "rejected",
        reason: { reason: "SERVER_OVERLOADED", retryAfterMs: expect.any(Number) },
      });
    }
    await Promise.all(taken);
    expect((await small.compare(password, hash, cheap)).matches).toBe(true);
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
  const ofPassword = (options: object = {}) =>
    argon2.hash(password.reveal(), { memoryCost: 64, timeCost: 1, parallelism: 1, ...options });
  const needsRehash = async (hash: string, parameters = cheap) => hasher.compare(password, hash, parameters);

  test("is false for a hash that was just made with the parameters, in any order", async () => {
    const hash = await hasher.hash(password, cheap);
    expect(await needsRehash(hash)).toEqual({ matches: true, needsRehash: false });
    const reordered = hash.replace("m=64,t=1,p=1", "t=1,p=1,m=64");
    expect(await needsRehash(reordered)).toEqual({ matches: true, needsRehash: false });
  });

  test("is false for a wrong password, whatever the hash", async () => {
    const wrong = await hasher.compare(new Secret("wrong"), await ofPassword({ timeCost: 2 }), cheap);
    expect(wrong).toEqual({ matches: false, needsRehash: false });
  });

  test.each([
    ["more memory is wanted", {}, { ...cheap, memoryKib: 65 }],
    ["less memory is wanted", {}, { ...cheap, memoryKib: 32 }],
    ["more passes are wanted", {}, { ...cheap, iterations: 2 }],
    ["more lanes are wanted", {}, { ...cheap, parallelism: 2 }],
    ["it is argon2i", { type: argon2.argon2i }, cheap],
    ["it is of version 1.0", { version: 0x10 }, cheap],
  ])("is true when %s", async (_name, options, parameters) => {
    expect(await needsRehash(await ofPassword(options), parameters)).toEqual({
      matches: true,
      needsRehash: true,
    });
  });

  test("is true for an imported hash, also with the same parameters", async () => {
    const imported = hasher.importable(await ofPassword());
    expect(imported?.algorithm).toBe("argon2id");
    expect(await needsRehash(imported?.hash ?? "")).toEqual({ matches: true, needsRehash: true });
  });
});

// RFC 8265, section 4.2.2: every blank of Unicode is a plain space.
describe("blanks in a password", () => {
  const blanks = "\u00a0\u1680\u2000\u2009\u202f\u205f\u3000";
  const plain = new Secret(`grüne${" ".repeat(blanks.length)}Wiesen`);
  const typed = new Secret(`grüne${blanks}Wiesen`);

  test("are the same, whichever was typed when it was set", async () => {
    for (const stored of [plain, typed]) {
      const hash = await hasher.hash(stored, cheap);
      expect(await verify(plain, hash)).toBe(true);
      expect(await verify(typed, hash)).toBe(true);
    }
  });

  test("of an older hash, which was made of them as they were, still verify, and are replaced", async () => {
    const old = await argon2.hash(typed.reveal().normalize("NFC"), {
      memoryCost: 64,
      timeCost: 1,
      parallelism: 1,
    });
    expect(await hasher.compare(typed, old, cheap)).toEqual({ matches: true, needsRehash: true });
    // The control: it is of those blanks indeed.
    expect(await verify(plain, old)).toBe(false);
  });
});

describe("an imported hash of a password that its system folded by NFKC", () => {
  const typed = new Secret("Ｐａｓｓ①ｗord-lighthouse");
  const folded = new Secret("Pass1word-lighthouse");
  // Made by bcrypt of the folded form (cost 10), and by better-auth 1.7 (its own function).
  const bcrypt = "$2b$10$YxWUX..OFpLzAI2nl37TLeXuEmus4HFLw9otO151/6WU1PcIjpDOG";
  const betterAuth =
    "5503c5f2cb96bcd1ab947a6d5e8c2b32:954b54d5f79691fdcd8f819f212a21d57af51dd9902a9898ac64b196f674639dd93d5b7a7645ab34c24c535efcc6537a770898ecb73f2ea61294d5e8dea12805";

  test.each([
    ["bcrypt", bcrypt],
    ["better-auth's scrypt", betterAuth],
  ])("verifies as it is typed and as it was folded, and is replaced: %s", async (_name, text) => {
    const hash = hasher.importable(text)?.hash ?? "";
    for (const tried of [typed, folded]) {
      expect(await hasher.compare(tried, hash, cheap)).toEqual({ matches: true, needsRehash: true });
    }
    expect(await verify(new Secret("Pass2word-lighthouse"), hash)).toBe(false);
  });

  // The one thing that tells it from ours is that it was imported.
  test("verifies as well where it is argon2id with our own parameters", async () => {
    const text = await argon2.hash(folded.reveal(), { memoryCost: 64, timeCost: 1, parallelism: 1 });
    expect(await verify(typed, hasher.importable(text)?.hash ?? "")).toBe(true);
    expect(await verify(typed, await hasher.hash(folded, cheap))).toBe(false);
  });

  test("does not verify if it was of another system's raw text", async () => {
    const text = await argon2.hash(typed.reveal(), { memoryCost: 64, timeCost: 1, parallelism: 1 });
    const hash = hasher.importable(text)?.hash ?? "";
    expect(await verify(typed, hash)).toBe(true);
    expect(await verify(folded, hash)).toBe(false);
  });
});

describe("importable", () => {
  const argon2id = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

  test.each([
    [argon2id, "argon2id"],
    ["$2y$10$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "bcrypt"],
    ["$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", undefined],
    ["$2y$16$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", undefined],
    ["5f4dcc3b5aa765d61d8327deb882cf99", undefined],
    // What we mark is nothing that another system writes.
    [`$imported${argon2id}`, undefined],
    [`argon2argon2${argon2id}`, undefined],
    ["", undefined],
  ])("%j is %j", (hash, algorithm) => {
    expect(hasher.importable(hash)?.algorithm).toBe(algorithm);
  });
});

test.each([
  [64, 63],
  [2, 1],
  [1, 1],
])("of %i cores %i hash: one is left to all else", (cores, hashing) => {
  expect(availableHashingConcurrency(cores)).toBe(hashing);
});

// What a container may use of the machine is not what the machine has. The CPU limit of a cgroup counts in the same way (libuv 1.49).
test.runIf(process.platform === "linux")("the cores are those that the process may use", () => {
  const module = new URL("./password-hasher.ts", import.meta.url).href;
  const script = `import { availableHashingConcurrency } from ${JSON.stringify(module)}; console.log(availableHashingConcurrency())`;
  const node = [process.execPath, "--input-type=module", "--eval", script];
  expect(execFileSync("taskset", ["--cpu-list", "0", ...node], { encoding: "utf8" }).trim()).toBe("1");
});
