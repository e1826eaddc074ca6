import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TokenKind } from "../domain/ports.ts";
import { createTokens } from "./tokens.ts";

const tokens = createTokens();
const kinds: readonly TokenKind[] = [
  "session",
  "session_cookie",
  "api_key",
  "flow",
  "browser",
  "link",
  "known_device",
  "trusted_device",
  "invitation",
];
const tenantNames = fc.stringMatching(/^[a-z][a-z0-9-]{0,31}$/);

// Known answer: the secret is 43 zeros; the checksum was computed with Python's zlib.crc32 and written in base62.
const known = {
  token: "ost_ses_default_00000000000000000000000000000000000000000001dJpTO",
  digestHex: "76bcccd0fe0d29675a0a19f2ef9615f20f993cc344ad04ddb227b46159dca997",
};

describe("a known token", () => {
  test("is read with its tenant and its SHA-256", () => {
    expect(tokens.parse("session", known.token)).toEqual({
      kind: "valid",
      tenantName: "default",
      digest: Buffer.from(known.digestHex, "hex"),
    });
  });
});

describe("an issued token", () => {
  test.each([
    ["session", /^ost_ses_acme-1_[0-9A-Za-z]{49}$/],
    ["session_cookie", /^ost_cki_acme-1_[0-9A-Za-z]{49}$/],
    ["api_key", /^ost_key_acme-1_[0-9A-Za-z]{49}$/],
    ["flow", /^ost_flw_acme-1_[0-9A-Za-z]{49}$/],
    ["browser", /^ost_brw_acme-1_[0-9A-Za-z]{49}$/],
    ["link", /^ost_lnk_acme-1_[0-9A-Za-z]{49}$/],
    ["trusted_device", /^ost_tdv_acme-1_[0-9A-Za-z]{49}$/],
    ["known_device", /^ost_dev_acme-1_[0-9A-Za-z]{49}$/],
    ["invitation", /^ost_inv_acme-1_[0-9A-Za-z]{49}$/],
  ] as const)("of kind %s has its prefix, tenant and fixed length", (kind, form) => {
    expect(tokens.issue(kind, "acme-1").token.reveal()).toMatch(form);
  });

  test("is read back with the digest and the tenant that it was issued with", () => {
    fc.assert(
      fc.property(fc.constantFrom(...kinds), tenantNames, (kind, tenantName) => {
        const { token, digest } = tokens.issue(kind, tenantName);
        expect(digest).toEqual(createHash("sha256").update(token.reveal()).digest());
        expect(tokens.parse(kind, token.reveal())).toEqual({ kind: "valid", tenantName, digest });
      }),
    );
  });

  test("has one that follows it, the same each time, which nobody can tell from another token", () => {
    const [one, other] = [tokens.issue("flow", "acme-1").token.reveal(), tokens.issue("flow", "acme-1")];
    const { token, digest } = tokens.following("flow", one, "acme-1");
    expect(tokens.parse("flow", token.reveal())).toEqual({ kind: "valid", tenantName: "acme-1", digest });
    expect(tokens.following("flow", one, "acme-1").token.reveal()).toBe(token.reveal());
    expect(tokens.following("flow", other.token.reveal(), "acme-1").token.reveal()).not.toBe(token.reveal());
    expect([one, token.reveal()]).not.toContain(
      tokens.following("flow", token.reveal(), "acme-1").token.reveal(),
    );
  });

  // Security rule (SR-TOKEN-1): a token of one kind is never accepted as another.
  test("is never accepted as another kind, and the other kind is named", () => {
    for (const actual of kinds) {
      const token = tokens.issue(actual, "default").token.reveal();
      for (const expected of kinds.filter((kind) => kind !== actual)) {
        expect(tokens.parse(expected, token)).toEqual({ kind: "other_kind", actual });
      }
    }
  });

  // Security rule (SR-TOKEN-1): the token of a known device is never taken for the permission to skip a second factor, nor the other way
  // round.
  test("of a known device is refused as that of a trusted one, and the other way round", () => {
    const known = tokens.issue("known_device", "default").token.reveal();
    const trusted = tokens.issue("trusted_device", "default").token.reveal();
    expect(tokens.parse("trusted_device", known)).toEqual({ kind: "other_kind", actual: "known_device" });
    expect(tokens.parse("known_device", trusted)).toEqual({ kind: "other_kind", actual: "trusted_device" });
  });

  test("is malformed as soon as one character is another", () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(..."aZ09_- =é\0\n"), (position, character) => {
        const token = tokens.issue("session", "default").token.reveal();
        const index = position % token.length;
        fc.pre(token[index] !== character);
        const changed = token.slice(0, index) + character + token.slice(index + 1);
        expect(tokens.parse("session", changed)).toEqual({ kind: "malformed" });
      }),
      { numRuns: 1_000 },
    );
  });

  test("is malformed when cut short, extended, or written in another case", () => {
    const token = tokens.issue("session", "default").token.reveal();
    for (const changed of [
      token.slice(0, -1),
      token.slice(1),
      `${token}0`,
      ` ${token}`,
      token.toUpperCase(),
    ]) {
      expect(tokens.parse("session", changed)).toEqual({ kind: "malformed" });
    }
  });

  test("has a secret of its own each time, over the whole of the alphabet", () => {
    const secrets = Array.from({ length: 500 }, () => tokens.issue("flow", "t").token.reveal().slice(10, 53));
    expect(new Set(secrets).size).toBe(500);
    expect(new Set(secrets.join("")).size).toBe(62);
  });

  test("refuses a tenant name that could not be read back", () => {
    for (const name of ["", "Acme", "1acme", "a_b", "a".repeat(33), "a\n"]) {
      expect(() => tokens.issue("session", name)).toThrow(TypeError);
    }
  });
});

describe("a token with a right checksum", () => {
  const sealed = (body: string) => {
    let rest = crc32(body);
    let checksum = "";
    for (let index = 0; index < 6; index++) {
      checksum = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[rest % 62] + checksum;
      rest = Math.floor(rest / 62);
    }
    return body + checksum;
  };
  const secret = "A".repeat(43);

  test("is valid if its form is right (the control)", () => {
    expect(tokens.parse("session", sealed(`ost_ses_default_${secret}`)).kind).toBe("valid");
  });

  test.each([
    ["an unknown prefix", `ost_xxx_default_${secret}`],
    ["a prefix of the prototype", `__proto_default_${secret}`],
    ["no tenant", `ost_ses__${secret}`],
    ["a tenant in capitals", `ost_ses_Default_${secret}`],
    ["a tenant of 33 characters", `ost_ses_${"a".repeat(33)}_${secret}`],
    ["a separator too many", `ost_ses_a_b_${secret}`],
    ["a short secret", `ost_ses_default_${secret.slice(1)}`],
    ["a secret that is not base62", `ost_ses_default_${secret.slice(1)}-`],
    ["a secret with a letter of another alphabet", `ost_ses_default_${secret.slice(1)}é`],
    ["no separator before the secret", `ost_ses_defaultx${secret}`],
  ])("is malformed with %s", (_name, body) => {
    expect(tokens.parse("session", sealed(body))).toEqual({ kind: "malformed" });
  });
});

describe("parse", () => {
  test("never throws and answers malformed for arbitrary text", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.string({ unit: "binary" })),
        fc.constantFrom(...kinds),
        (text, kind) => {
          expect(tokens.parse(kind, text)).toEqual({ kind: "malformed" });
          expect(tokens.parse(kind, `ost_ses_${text}`)).toEqual({ kind: "malformed" });
        },
      ),
    );
  });

  // The bound: a thousand parses of 16 million characters would take a minute if any of them were read.
  test("does not read what is longer than a token can be", () => {
    const huge = `ost_ses_default_${"0".repeat(2 ** 24)}`;
    const startedAt = performance.now();
    for (let round = 0; round < 1_000; round++) {
      expect(tokens.parse("session", huge).kind).toBe("malformed");
    }
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});
