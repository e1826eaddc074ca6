import { createDecipheriv, hkdfSync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Secret } from "../domain/secret.ts";
import { createSealer } from "./sealer.ts";

const first = new Secret("the first secret of this deployment");
const second = new Secret("the second secret of this deployment");
const plain = Buffer.from("what is sealed");

// RFC 5869, appendix A.1 and A.3; McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, test case 14.
describe("the primitives", () => {
  test("HKDF-SHA256 gives the answers of RFC 5869", () => {
    const one = hkdfSync(
      "sha256",
      Buffer.alloc(22, 0x0b),
      Buffer.from("000102030405060708090a0b0c", "hex"),
      Buffer.from("f0f1f2f3f4f5f6f7f8f9", "hex"),
      42,
    );
    expect(Buffer.from(one).toString("hex")).toBe(
      "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    );
    const three = hkdfSync("sha256", Buffer.alloc(22, 0x0b), "", "", 42);
    expect(Buffer.from(three).toString("hex")).toBe(
      "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    );
  });

  test("AES-256-GCM gives the answer of the GCM paper", () => {
    const decipher = createDecipheriv("aes-256-gcm", Buffer.alloc(32), Buffer.alloc(12));
    decipher.setAuthTag(Buffer.from("d0d1c8a799996bf0265b98b5d48ab919", "hex"));
    const opened = Buffer.concat([
      decipher.update(Buffer.from("cea7403d4d606b6e074ec5d3baf39d18", "hex")),
      decipher.final(),
    ]);
    expect(opened).toEqual(Buffer.alloc(16));
  });
});

describe("a sealed text", () => {
  const sealer = createSealer(() => [first]);

  // Made with the first release of this format; it must open forever.
  test("of an earlier release still opens", () => {
    const sealed = "Afr5R8lGMiTyCcTmSYOeRbVdzC0S1QJ_fDfDTjTlSiddT2HazU7XGPl20WNTeWA";
    expect(sealer.open("test", sealed)).toEqual(plain);
  });

  test("opens to what was sealed, whatever it is", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (bytes, purpose) => {
        const sealed = sealer.seal(purpose, bytes);
        expect(sealed).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(sealer.open(purpose, sealed)).toEqual(Buffer.from(bytes));
      }),
    );
  });

  test("is different each time, and does not show what it holds", () => {
    const texts = Array.from({ length: 50 }, () => sealer.seal("test", plain));
    expect(new Set(texts).size).toBe(50);
    expect(Buffer.from(texts[0] ?? "", "base64url").includes(plain)).toBe(false);
  });

  // Security rule (SR-TOKEN-1): the purpose is bound in, so one kind of sealed text is never taken for another.
  test("does not open for another purpose", () => {
    const sealed = sealer.seal("page token", plain);
    expect(sealer.open("page token", sealed)).toEqual(plain);
    expect(sealer.open("page token ", sealed)).toBeUndefined();
    expect(sealer.open("", sealed)).toBeUndefined();
  });

  // Security rule (SR-TOKEN-1): whatever is changed, from the version to the tag, it does not open.
  test("does not open when any one of its bits is changed", () => {
    const bytes = Buffer.from(sealer.seal("test", plain), "base64url");
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(sealer.open("test", changed.toString("base64url"))).toBeUndefined();
    }
  });

  test("does not open when cut, extended or written in another way", () => {
    const sealed = sealer.seal("test", plain);
    for (const changed of [
      sealed.slice(0, -1),
      `${sealed}A`,
      `${sealed}=`,
      ` ${sealed}`,
      `${sealed}\n`,
      `${sealed}!`,
    ]) {
      expect(sealer.open("test", changed)).toBeUndefined();
    }
  });

  test("is not found in arbitrary text, and none throws", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String({ maxLength: 200 })), (text) => {
        expect(sealer.open("test", text)).toBeUndefined();
      }),
    );
  });
});

describe("rotation of secrets", () => {
  test("seals with the first and opens with all", () => {
    let secrets = [first];
    const sealer = createSealer(() => secrets);
    const old = sealer.seal("test", plain);

    secrets = [second, first];
    const fresh = sealer.seal("test", plain);
    expect(sealer.open("test", old)).toEqual(plain);
    expect(sealer.open("test", fresh)).toEqual(plain);

    secrets = [second];
    expect(sealer.open("test", old)).toBeUndefined();
    expect(sealer.open("test", fresh)).toEqual(plain);
  });

  test("knows a secret by its value, so one that was read again from its file still opens", () => {
    const sealed = createSealer(() => [first]).seal("test", plain);
    const reread = createSealer(() => [new Secret(first.reveal())]);
    expect(reread.open("test", sealed)).toEqual(plain);
  });

  test("refuses to seal without a secret, and opens nothing", () => {
    const sealed = createSealer(() => [first]).seal("test", plain);
    const empty = createSealer(() => []);
    expect(() => empty.seal("test", plain)).toThrow("no secret");
    expect(empty.open("test", sealed)).toBeUndefined();
  });
});
