import fc from "fast-check";
import { expect, test } from "vitest";
import { judgePassword } from "../../sdk/typescript/src/form/password-rules.ts";
import { topPasswords } from "../../sdk/typescript/src/form/weak-passwords.ts";
import { createCommonPasswords } from "../../src/crypto/common-passwords.ts";
import { checkPassword } from "../../src/domain/method/password/policy.ts";

const common = createCommonPasswords();
const lengths = { minLength: 8, maxLength: 64 };
/** What the server says to a new password of somebody with these texts. */
const byServer = (password: string, texts: readonly string[], isCommon = common.has) =>
  checkPassword(password, { identifiers: [], traits: { texts: [...texts] } }, lengths, isCommon)?.rule;
/** What a page says: the rule that is broken, or the length that is not reached. */
const byPage = (password: string, texts: readonly string[]) => {
  const states = judgePassword(password, texts, lengths);
  if (states.shortest === "open") return "too_short";
  if (states.longest === "broken") return "too_long";
  if (states.common === "broken") return "common";
  return states.own === "broken" ? "too_similar" : undefined;
};

const piece = fc.constantFrom(
  ...[
    "ada",
    "Ada",
    "lovelace",
    "Lovelace",
    "ecalevol",
    "lovelcae",
    "@",
    ".",
    "-",
    " ",
    "\u00a0",
    "1815",
    "1",
    "!",
    "é",
    "e\u0301",
  ],
  ...[
    "example",
    "com",
    "password",
    "Passw0rd",
    "minecraft",
    "aaaa",
    "b",
    "😀",
    "correct horse",
    "x".repeat(60),
  ],
);
const text = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(""));

test("a page judges a new password as the server does, by the common ones that it knows", () => {
  const seen = new Set<string | undefined>();
  fc.assert(
    fc.property(text, fc.array(text, { maxLength: 3 }), (password, texts) => {
      const said = byServer(password, texts, (word) => topPasswords.has(word));
      seen.add(said);
      expect(byPage(password, texts)).toBe(said);
    }),
    { numRuns: 3000 },
  );
  expect([...seen].sort()).toEqual(["common", "too_long", "too_short", "too_similar", undefined]);
});

test("what a page calls common the server refuses as common", () => {
  for (const password of topPasswords) {
    expect(password.length).toBeGreaterThanOrEqual(8);
    expect(byServer(password, [])).toBe("common");
  }
});
