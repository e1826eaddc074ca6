import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { BreachCheckSettings, Tenant } from "../../tenant/tenant.ts";
import { checkPassword, createPasswordPolicy, type PasswordAccount } from "./policy.ts";

const rules = { minLength: 8, maxLength: 64 };
const nobody: PasswordAccount = { traits: {}, identifiers: [] };
const listed = new Set(["password", "password1", "monkey", "sunshine", "12345678"]);
const isCommon = (text: string) => listed.has(text);

const ada: PasswordAccount = {
  identifiers: ["ada.lovelace@example.com", "+14155552671"],
  traits: {
    email: "ada.lovelace@example.com",
    name: { first: "Ada", last: "Lovelace" },
    phones: ["+14155552671"],
    admin: true,
    age: 36,
    nickname: null,
  },
};
const check = (password: string, account = nobody) => checkPassword(password, account, rules, isCommon);

describe("the length", () => {
  test("is at least the minimum, and the answer has both numbers", () => {
    expect(check("kx7pq2w")).toEqual({ rule: "too_short", min: 8, actual: 7 });
    expect(check("kx7pq2wz")).toBeUndefined();
    expect(check("")).toEqual({ rule: "too_short", min: 8, actual: 0 });
  });

  test("is at most the maximum", () => {
    const longest = "kx7pq2wz".repeat(8);
    expect(check(longest)).toBeUndefined();
    expect(check(`${longest}!`)).toEqual({ rule: "too_long", max: 64, actual: 65 });
  });

  // NIST SP 800-63B-4, section 3.1.1.2: each Unicode code point counts as one character.
  test("counts code points, not bytes or UTF-16 units", () => {
    expect(check("🦊🦉🐢🐙🦋🐝🐳")).toEqual({ rule: "too_short", min: 8, actual: 7 });
    expect(check("🦊🦉🐢🐙🦋🐝🐳🦔")).toBeUndefined();
    expect(check("🦊🦉🐢🐙🦋🐝🐳🦔".repeat(8))).toBeUndefined();
  });

  test("is that of the NFC form, so that it does not depend on how an umlaut was typed", () => {
    expect(check("a\u0308o\u0308u\u0308e\u0308")).toEqual({
      rule: "too_short",
      min: 8,
      actual: 4,
    });
  });
});

describe("a common password", () => {
  test.each([
    ["on the list", "password"],
    ["in another case", "PassWord"],
    ["with a sign appended", "password1!"],
    ["with two digits appended", "sunshine42"],
    ["with one character over and over", "aaaaaaaaaaaa"],
    ["with two characters over and over", "abababab"],
  ])("is refused: %s", (_name, password) => {
    expect(check(password)).toEqual({ rule: "common" });
  });

  test.each([
    ["with three characters appended", "sunshine427"],
    ["with a letter appended", "sunshinex"],
    ["within a longer one", "sunshine over the harbour"],
    ["after something else", "xqsunshine"],
  ])("is fine as a part: %s", (_name, password) => {
    expect(check(password)).toBeUndefined();
  });

  test("is named before likeness, since that is what to tell first", () => {
    expect(check("sunshine", { traits: {}, identifiers: ["sunshine"] })?.rule).toBe("common");
  });
});

describe("a password like the account", () => {
  test.each([
    ["the identifier itself", "ada.lovelace@example.com"],
    ["the identifier in capitals", "ADA.LOVELACE@EXAMPLE.COM"],
    ["the local part", "ada.lovelace"],
    ["the local part without its dot", "adalovelace"],
    ["the local part and a year", "ada.lovelace1815"],
    ["the name and a year", "Lovelace1815"],
    ["two names around a sign", "Lovelace_Ada!"],
    ["the name backwards", "ecalevol1815"],
    ["the name with letters replaced", "l0velac3"],
    ["the mail's domain and a number", "example2024"],
    ["the telephone number", "14155552671"],
    ["a part of the telephone number", "4155552671"],
  ])("is refused: %s", (_name, password) => {
    expect(check(password, ada)).toEqual({ rule: "too_similar" });
    // The control: it is the account that makes the difference.
    expect(check(password)).toBeUndefined();
  });

  test.each([
    ["has nothing of it", "correct horse battery staple"],
    ["has the name in a long passphrase", "lovelace wrote the first program"],
    ["has a name of three letters only", "adaptable kiwis"],
    ["has two digits in common", "winter-26-harbour"],
  ])("is fine if it %s", (_name, password) => {
    expect(check(password, ada)).toBeUndefined();
  });

  test("may contain a name of four letters in a long passphrase, and not be half made of it", () => {
    const adam = { traits: { name: "Adam" }, identifiers: [] };
    expect(check("adam went down to the sea", adam)).toBeUndefined();
    expect(check("adam2024", adam)?.rule).toBe("too_similar");
    expect(check("adam20241", adam)).toBeUndefined();
  });

  test("is found in traits at any depth, and several words count together", () => {
    const account = { traits: { people: [{ names: ["Grace", "Hopper"] }] }, identifiers: [] };
    expect(check("grace+hopper", account)?.rule).toBe("too_similar");
    expect(check("gracehopper1234567", account)?.rule).toBe("too_similar");
    expect(check("hopper1234567", account)).toBeUndefined();
  });

  test("is not made of the words of prose, only of the whole of short values", () => {
    const traits = {
      about: "I like a correct answer, my horse, a fresh battery and the staple diet of my people.",
    };
    expect(check("correct horse battery staple", { traits, identifiers: [] })).toBeUndefined();
  });

  test("is found whichever way the account's own accents are written", () => {
    const account = { traits: { name: "Zoe\u0308lla" }, identifiers: [] };
    expect(check("zo\u00eblla12", account)?.rule).toBe("too_similar");
  });

  test("is not found by values that are not text", () => {
    expect(
      check("36363700", { traits: { age: 363637, flag: true, none: null }, identifiers: [] }),
    ).toBeUndefined();
  });
});

describe("a breached password", () => {
  /** The policy over a service that found the password so often, and what it was asked. */
  function policyOver(count: number | undefined) {
    const asked: string[] = [];
    const policy = createPasswordPolicy({
      commonPasswords: { has: isCommon },
      breachedPasswords: {
        countOf: async (password) => {
          asked.push(password);
          return count;
        },
      },
    });
    const judge = (password: string, settings: Partial<BreachCheckSettings> = {}) => {
      const breachCheck = { enabled: true, minCount: 1, whenUnavailable: "accept", ...settings } as const;
      const tenant = { settings: { password: { ...rules, breachCheck } } } as unknown as Tenant;
      return policy.check(password, nobody, tenant);
    };
    return { asked, judge };
  }

  test("is refused with the number of times that it was found", async () => {
    const { judge } = policyOver(3);
    expect(await judge("kx7pq2wz")).toEqual({ rule: "breached", count: 3 });
  });

  test("is one that was found at least as often as configured", async () => {
    const { judge } = policyOver(3);
    expect(await judge("kx7pq2wz", { minCount: 3 })).toMatchObject({ rule: "breached" });
    expect(await judge("kx7pq2wz", { minCount: 4 })).toBeUndefined();
    // Padding of the answers has the count 0.
    expect(await policyOver(0).judge("kx7pq2wz")).toBeUndefined();
  });

  test("is only asked for if no other rule decides, and if the check is on", async () => {
    const { asked, judge } = policyOver(3);
    expect(await judge("short")).toMatchObject({ rule: "too_short" });
    expect(await judge("password1!")).toMatchObject({ rule: "common" });
    expect(await judge("kx7pq2wz", { enabled: false })).toBeUndefined();
    expect(asked).toEqual([]);
    await judge("kx7pq2wz");
    expect(asked).toEqual(["kx7pq2wz"]);
  });

  test("passes or stops the call, as configured, while nobody can tell", async () => {
    const { judge } = policyOver(undefined);
    expect(await judge("kx7pq2wz", { whenUnavailable: "accept" })).toBeUndefined();
    await expect(judge("kx7pq2wz", { whenUnavailable: "refuse" })).rejects.toMatchObject({
      reason: "BREACH_CHECK_UNAVAILABLE",
    });
  });
});

describe("the cost", () => {
  test("stays small for huge traits and the longest password", () => {
    const longest = { minLength: 8, maxLength: 1024 };
    const values = Array.from({ length: 20_000 }, (_, index) => "a".repeat(index % 200));
    const account = { traits: { values, text: "ab".repeat(1_000_000) }, identifiers: ["aaab@example.com"] };
    const startedAt = performance.now();
    for (let round = 0; round < 10; round++)
      checkPassword(`${"a".repeat(1023)}bcd`, account, longest, isCommon);
    for (let round = 0; round < 10; round++)
      checkPassword(`${"a".repeat(123)}bcd`, account, longest, isCommon);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test("is bounded for deep traits, which do not overflow the stack", () => {
    let traits = {};
    for (let depth = 0; depth < 50_000; depth++) traits = { child: traits };
    expect(check("kx7pq2wz", { traits, identifiers: [] })).toBeUndefined();
  });
});

test("never throws, and never refuses for likeness what shares no character with the account", () => {
  const json = fc.dictionary(
    fc.string({ maxLength: 5 }),
    fc.string({ unit: fc.constantFrom(..."abc@.- \u0308"), maxLength: 30 }),
  );
  const password = fc.string({ unit: fc.constantFrom(..."xyz🦊é"), minLength: 0, maxLength: 80 });
  fc.assert(
    fc.property(
      json,
      fc.array(fc.string({ unit: fc.constantFrom(..."abc@.") })),
      password,
      (traits, identifiers, text) => {
        const violation = checkPassword(text, { traits, identifiers }, rules, () => false);
        expect(violation?.rule).not.toBe("too_similar");
      },
    ),
  );
});
