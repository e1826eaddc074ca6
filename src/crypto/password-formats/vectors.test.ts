import { pbkdf2Sync, scryptSync } from "node:crypto";
import argon2 from "argon2";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { importableHash, readPasswordHash } from "./index.ts";
import { encodeBase64 } from "./phc.ts";

// Old hashes must verify forever: nothing in this file may be removed or changed, only added to.

const verify = (password: string, hash: string) => readPasswordHash(hash)?.verify(Buffer.from(password));

describe("the argon2 of RFC 9106", () => {
  // Sections 5.1 to 5.3: password 32 times 01, salt 16 times 02, secret 8 times 03, associated data 12 times 04.
  test.each([
    ["argon2d", "512b391b6f1162975371d30919734294f868e3be3984f3c1a13a4db9fabe4acb"],
    ["argon2i", "c814d9d1dc7f37aa13f0d77f2494bda1c8de6b016dd388d29952a4c4672b6ce8"],
    ["argon2id", "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"],
  ] as const)("gives the tag of the RFC for %s", async (type, tag) => {
    const actual = await argon2.hash(Buffer.alloc(32, 1), {
      raw: true,
      type: argon2[type],
      version: 0x13,
      memoryCost: 32,
      timeCost: 3,
      parallelism: 4,
      hashLength: 32,
      salt: Buffer.alloc(16, 2),
      secret: Buffer.alloc(8, 3),
      associatedData: Buffer.alloc(12, 4),
    });
    expect(actual.toString("hex")).toBe(tag);
  });
});

describe("scrypt and PBKDF2 of the RFCs", () => {
  // RFC 7914, section 12.
  test.each([
    [
      "",
      "",
      16,
      1,
      1,
      "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906",
    ],
    [
      "password",
      "NaCl",
      1024,
      8,
      16,
      "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640",
    ],
    [
      "pleaseletmein",
      "SodiumChloride",
      16384,
      8,
      1,
      "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887",
    ],
  ])("scrypt of %j with salt %j", (password, salt, N, r, p, expected) => {
    expect(scryptSync(password, salt, 64, { N, r, p, maxmem: 2 ** 26 }).toString("hex")).toBe(expected);
  });

  // RFC 7914, section 11 (SHA-256), and RFC 6070, section 2 (SHA-1).
  test.each([
    [
      "sha256",
      "passwd",
      "salt",
      1,
      64,
      "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
    ],
    [
      "sha256",
      "Password",
      "NaCl",
      80000,
      64,
      "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d",
    ],
    ["sha1", "password", "salt", 1, 20, "0c60c80f961f0e71f3a9b524af6012062fe037a6"],
    ["sha1", "password", "salt", 4096, 20, "4b007901b765489abead49d926f721d065a429c1"],
    [
      "sha1",
      "passwordPASSWORDpassword",
      "saltSALTsaltSALTsaltSALTsaltSALTsalt",
      4096,
      25,
      "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038",
    ],
  ])(
    "PBKDF2 with %s of %j, salt %j, %d iterations",
    async (digest, password, salt, iterations, length, hex) => {
      expect(pbkdf2Sync(password, salt, iterations, length, digest).toString("hex")).toBe(hex);
      const encoded = `${encodeBase64(Buffer.from(salt))}$${encodeBase64(Buffer.from(hex, "hex"))}`;
      expect(await verify(password, `$pbkdf2-${digest}$i=${iterations},l=${length}$${encoded}`)).toBe(true);
      expect(await verify(`${password} `, `$pbkdf2-${digest}$i=${iterations},l=${length}$${encoded}`)).toBe(
        false,
      );
    },
  );
});

// Whole hashes as other systems write them: password, hash, algorithm.
const publicHashes: readonly (readonly [
  origin: string,
  password: string,
  hash: string,
  algorithm: string,
])[] = [
  // The test suite of the reference implementation (P-H-C/phc-winner-argon2, src/test.c).
  [
    "argon2 reference, 1.3",
    "password",
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    "argon2id",
  ],
  [
    "argon2 reference, 1.3",
    "password",
    "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
    "argon2i",
  ],
  [
    "argon2 reference, 1.0",
    "password",
    "$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
    "argon2i",
  ],
  // The test suite of crypt_blowfish (Openwall, wrapper.c).
  ["crypt_blowfish", "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "bcrypt"],
  ["crypt_blowfish", "U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", "bcrypt"],
  ["crypt_blowfish", "U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a", "bcrypt"],
  ["crypt_blowfish", "", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy", "bcrypt"],
  [
    "crypt_blowfish, cut at 72",
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored",
    "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
    "bcrypt",
  ],
  // The test suite of jBCrypt (TestBCrypt.java).
  ["jBCrypt", "a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe", "bcrypt"],
  [
    "jBCrypt",
    "abcdefghijklmnopqrstuvwxyz",
    "$2a$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC",
    "bcrypt",
  ],
  // Named again: $2b$ and $2y$ are the same algorithm below 72 bytes.
  ["crypt_blowfish as $2b$", "U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "bcrypt"],
  ["crypt_blowfish as $2y$", "U*U", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "bcrypt"],
  // The same salt with other unread bits in its last character.
  [
    "crypt_blowfish, stray bits",
    "U*U",
    "$2y$05$CCCCCCCCCCCCCCCCCCCCC/E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    "bcrypt",
  ],
  // RFC 7914, section 12, written in the PHC form and in that of Kratos (ln is N, padded).
  [
    "RFC 7914 in PHC form",
    "pleaseletmein",
    "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw",
    "scrypt",
  ],
  [
    "RFC 7914 in Kratos form",
    "pleaseletmein",
    "$scrypt$ln=16384,r=8,p=1$U29kaXVtQ2hsb3JpZGU=$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw==",
    "scrypt",
  ],
  // The documentation of passlib (its front page, and passlib.hash.pbkdf2_digest, passlib.hash.scrypt).
  [
    "passlib",
    "toomanysecrets",
    "$pbkdf2-sha256$29000$N2YMIWQsBWBMae09x1jrPQ$1t8iyB2A.WF/Z5JZv.lfCIhXXN33N23OSgQYThBYRfk",
    "pbkdf2-sha256",
  ],
  [
    "passlib",
    "password",
    "$pbkdf2-sha256$6400$0ZrzXitFSGltTQnBWOsdAw$Y11AchqV4b0sUisdZd0Xr97KWoymNE0LNNrnEgY4H9M",
    "pbkdf2-sha256",
  ],
  [
    "passlib",
    "password",
    "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
    "scrypt",
  ],
  // The import tests of Ory Kratos (identity/handler_test.go).
  [
    "Kratos",
    "123456",
    "$pbkdf2-sha256$i=1000,l=128$e8/arsEf4cvQihdNgqj0Nw$5xQQKNTyeTHx2Ld5/JDE7A",
    "pbkdf2-sha256",
  ],
  ["Kratos", "123456", "$2a$10$ZsCsoVQ3xfBG/K2z2XpBf.tm90GZmtOqtqWcB5.pYd5Eq8y7RlDyq", "bcrypt"],
  [
    "Kratos",
    "123456",
    "$argon2i$v=19$m=65536,t=3,p=4$STVE4CQ9qQ1dK/j224VMbA$o8b+k5wdHgBqf7ES+aWG2K7Y9diQ6ahEhbW8zcstXGo",
    "argon2i",
  ],
  [
    "Kratos",
    "123456",
    "$argon2id$v=19$m=16,t=2,p=1$bVI1aE1SaTV6SGQ3bzdXdw$fnjCcZYmEPOUOjYXsT92Cg",
    "argon2id",
  ],
  [
    "Kratos",
    "123456",
    "$scrypt$ln=16384,r=8,p=1$ZtQva9xCHzlSELH/mA7Kj5KjH2tCrkbwYzdxknkL0QQ=$pnTcXKaWVT+FwFDdk3vO1K0J7ZgOxdSU1tCJNYmn8zI=",
    "scrypt",
  ],
];

describe.each(publicHashes)("the hash of %s of %j", (_origin, password, hash, algorithm) => {
  test("verifies, and not with another password", async () => {
    expect(readPasswordHash(hash)).toMatchObject({ algorithm, importable: true });
    expect(await verify(password, hash)).toBe(true);
    expect(await verify(`x${password}`, hash)).toBe(false);
  });
});

// Made by the software itself of "correct horse battery": Django 5.2.19 (its hashers' encode, with cheap costs) and
// better-auth 1.7.25 (its hashPassword).
describe("hashes as other software exports them", () => {
  const password = "correct horse battery";

  test.each([
    ["pbkdf2-sha256", "pbkdf2_sha256$1000$q1W2e3R4t5Y6$P8+v2Ew6OiJknpOqwkNkpXZNpmXqzhhJv8OK0He0dwU="],
    ["pbkdf2-sha1", "pbkdf2_sha1$1000$q1W2e3R4t5Y6$BrLBoA5tWREk2ZIKebKMtY6euqo="],
    [
      "argon2id",
      "argon2$argon2id$v=19$m=64,t=1,p=1$cTFXMmUzUjR0NVk2$Xbkfg3e40K6zZdqpobxahJksD4zXuBc4AElbd7w78Uc",
    ],
    ["bcrypt", "bcrypt$$2b$04$pFLpPQPOUc2semIOy6LUIe2yoiB9PMkU3aU3shGbY7crlPK6GGytS"],
    ["bcrypt-sha256", "bcrypt_sha256$$2b$04$.f2JwbjDVMFbpg2pWJ02heNV7P0uP29TMqXODot2t/fHd3MD4vvTe"],
    [
      "scrypt",
      "scrypt$16384$q1W2e3R4t5Y6$8$5$ANXRUdm2iJEDuv496T3k6k7nk0pig2d1UsMwxtG6rGFidiP6ez+CuU5UrLQWWPUj0VsVzi9iK+XRAJ2nxoihMw==",
    ],
    [
      "scrypt",
      "2616a754efe33319fa308530ec72cb3e:bba283fdf8cd628448b22577d39b01b58c88d2d4b1c060e07edd8abc855192655063d52bc061ee6ce417638b6d67ddc1544d170e18fa77823949aa26bf972895",
    ],
  ])("are taken and verify: %s %j", async (algorithm, text) => {
    const imported = importableHash(text);
    expect(imported?.algorithm).toBe(algorithm);
    expect(await verify(password, imported?.hash ?? "")).toBe(true);
    expect(await verify(`${password}!`, imported?.hash ?? "")).toBe(false);
  });

  test("of a password beyond bcrypt's 72 bytes are of all of it where Django hashes it first", async () => {
    const text = "bcrypt_sha256$$2b$04$TgtGkdhIJzLiQ8yYXphqpuCJNjFTfcIAMILvSKxoYBbDwpvMoEH/q";
    const { hash = "" } = importableHash(text) ?? {};
    expect(await verify(`${"x".repeat(80)}é`, hash)).toBe(true);
    expect(await verify(`${"x".repeat(80)}e`, hash)).toBe(false);
  });

  test.each([
    "pbkdf2_sha256$0$q1W2e3R4t5Y6$P8+v2Ew6OiJknpOqwkNkpXZNpmXqzhhJv8OK0He0dwU=",
    "pbkdf2_sha256$99999999$q1W2e3R4t5Y6$P8+v2Ew6OiJknpOqwkNkpXZNpmXqzhhJv8OK0He0dwU=",
    "pbkdf2_md5$1000$q1W2e3R4t5Y6$P8+v2Ew6OiJknpOqwkNkpXZNpmXqzhhJv8OK0He0dwU=",
    "pbkdf2_sha256$1000$$P8+v2Ew6OiJknpOqwkNkpXZNpmXqzhhJv8OK0He0dwU=",
    "bcrypt_sha256$bcrypt_sha256$$2b$04$.f2JwbjDVMFbpg2pWJ02heNV7P0uP29TMqXODot2t/fHd3MD4vvTe",
    "bcrypt_sha256$$2b$31$.f2JwbjDVMFbpg2pWJ02heNV7P0uP29TMqXODot2t/fHd3MD4vvTe",
    "scrypt$16384$q1W2e3R4t5Y6$8$5000$ANXRUdm2iJEDuv496T3k6k7nk0pig2d1UsMwxtG6rGFidiP6ez+CuU5UrLQWWPUj0VsVzi9iK+XRAJ2nxoihMw==",
    "2616a754efe33319fa308530ec72cb3e:bba283fd",
    "argon2$2b$04$pFLpPQPOUc2semIOy6LUIe2yoiB9PMkU3aU3shGbY7crlPK6GGytS",
  ])("are refused where they are malformed or too expensive: %j", (text) => {
    expect(importableHash(text)).toBeUndefined();
  });
});

// Two implementations that have nothing in common: the reference one in C, and the one in Rust that the server uses.
test("argon2 of any kind, version, cost and lengths is what the reference implementation computes", async () => {
  const numbers = { argon2d: argon2.argon2d, argon2i: argon2.argon2i, argon2id: argon2.argon2id } as const;
  const hashes = fc.record({
    type: fc.constantFrom("argon2d", "argon2i", "argon2id"),
    version: fc.constantFrom(0x10, 0x13),
    lanes: fc.integer({ min: 1, max: 4 }),
    memoryPerLane: fc.integer({ min: 8, max: 40 }),
    timeCost: fc.integer({ min: 1, max: 4 }),
    salt: fc.uint8Array({ minLength: 8, maxLength: 64 }),
    hashLength: fc.integer({ min: 16, max: 64 }),
    password: fc.uint8Array({ maxLength: 200 }),
  });
  await fc.assert(
    fc.asyncProperty(hashes, async (hash) => {
      const { type, version, lanes, memoryPerLane, timeCost, hashLength, password } = hash;
      const memoryCost = memoryPerLane * lanes;
      const [salt, bytes] = [Buffer.from(hash.salt), Buffer.from(password)];
      const options = { type: numbers[type], version, memoryCost, timeCost, parallelism: lanes, hashLength };
      const raw = await argon2.hash(bytes, { ...options, salt, raw: true });
      const cost = `$v=${version}$m=${memoryCost},t=${timeCost},p=${lanes}`;
      const text = `$${type}${cost}$${encodeBase64(salt)}$${encodeBase64(raw)}`;
      expect(readPasswordHash(text)?.verify(bytes)).toBe(true);
      expect(readPasswordHash(text)?.verify(Buffer.concat([bytes, Buffer.from("x")]))).toBe(false);
    }),
  );
});
