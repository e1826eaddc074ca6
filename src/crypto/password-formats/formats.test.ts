import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { passwordFormats, readPasswordHash } from "./index.ts";

const salt = "c29tZXNhbHQ";
const digest = "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
const argon2 = (parameters: string) => `$argon2id$v=19$${parameters}$${salt}$${digest}`;
const scrypt = (parameters: string) => `$scrypt$${parameters}$${salt}$${digest}`;
const pbkdf2 = (cost: string) => `$pbkdf2-sha256$${cost}$${salt}$${digest}`;
const bcrypt = (start: string) => `${start}CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW`;
const isImportable = (hash: string) => readPasswordHash(hash)?.importable ?? false;

// Security rule (SR-PASSWORD-4): a hash is data from outside, and its cost is bounded, so that importing one cannot stop the server.
describe("the most that an import may bring", () => {
  test.each([
    [argon2("m=1048576,t=10,p=16"), argon2("m=1048577,t=1,p=1")],
    [argon2("m=1048576,t=10,p=16"), argon2("m=19456,t=11,p=1")],
    [argon2("m=1048576,t=10,p=16"), argon2("m=19456,t=1,p=17")],
    [bcrypt("$2b$15$"), bcrypt("$2b$16$")],
    [bcrypt("$2b$15$"), bcrypt("$2b$31$")],
    [scrypt("ln=17,r=8,p=10"), scrypt("ln=18,r=8,p=1")],
    [scrypt("ln=17,r=8,p=10"), scrypt("ln=17,r=9,p=1")],
    [scrypt("ln=15,r=32,p=10"), scrypt("ln=15,r=33,p=1")],
    [scrypt("ln=17,r=8,p=10"), scrypt("ln=14,r=8,p=11")],
    [scrypt("ln=131072,r=8,p=1"), scrypt("ln=262144,r=8,p=1")],
    [pbkdf2("10000000"), pbkdf2("10000001")],
    [pbkdf2("i=10000000,l=32"), pbkdf2("i=10000001,l=32")],
  ])("is %s, and %s is too much", (most, tooMuch) => {
    expect(isImportable(most)).toBe(true);
    expect(isImportable(tooMuch)).toBe(false);
  });

  test("counts PBKDF2's iterations for each block of output", () => {
    const twoBlocks = Buffer.alloc(64).toString("base64").replaceAll("=", "");
    expect(isImportable(`$pbkdf2-sha256$5000000$${salt}$${twoBlocks}`)).toBe(true);
    expect(isImportable(`$pbkdf2-sha256$5000001$${salt}$${twoBlocks}`)).toBe(false);
    expect(isImportable(`$pbkdf2-sha512$10000000$${salt}$${twoBlocks}`)).toBe(true);
  });

  test("does not keep our own argon2id hashes from being verified, which the configuration may set higher", () => {
    expect(readPasswordHash(argon2("m=4194304,t=100,p=64"))).toMatchObject({ importable: false });
    expect(readPasswordHash(argon2("m=4194305,t=1,p=1"))).toBeUndefined();
  });
});

describe("a malformed hash", () => {
  test.each([
    "",
    "$",
    "password",
    "$argon2id$",
    "$argon2x$v=19$m=16,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    "$argon2id$v=18$m=16,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    argon2("m=7,t=1,p=1"),
    argon2("m=15,t=1,p=2"),
    argon2("m=16,t=0,p=1"),
    argon2("m=16,t=1,p=0"),
    argon2("m=16,t=1"),
    argon2("m=16,m=16,t=1,p=1"),
    argon2("m=16,t=1,p=1,x=1"),
    argon2("m=016,t=1,p=1"),
    argon2("m=+16,t=1,p=1"),
    argon2("m=1e3,t=1,p=1"),
    argon2("m=16,t=1,p=1,"),
    argon2("m=99999999999999999999,t=1,p=1"),
    `${argon2("m=16,t=1,p=1")}$`,
    `${argon2("m=16,t=1,p=1")}\n`,
    ` ${argon2("m=16,t=1,p=1")}`,
    "$argon2id$v=19$m=16,t=1,p=1$c29tZXNhbHQ$",
    "$argon2id$v=19$m=16,t=1,p=1$$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    "$argon2id$v=19$m=16,t=1,p=1$c29tZXN$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    "$argon2id$v=19$m=16,t=1,p=1$c29t*XNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    "$argon2id$v=19$m=16,t=1,p=1$c29tZXNhbHQ$c2hvcnQ",
    // The last character has bits that no byte takes: another text for the same hash.
    "$argon2id$v=19$m=16,t=1,p=1$c29tZXNhbHR$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    bcrypt("$2b$03$"),
    bcrypt("$2b$00$"),
    bcrypt("$2b$5$"),
    bcrypt("$2b$99$"),
    bcrypt("$2x$05$"),
    bcrypt("$2z$05$"),
    bcrypt("$2$05$"),
    bcrypt("$2b$05$").slice(0, -1),
    `${bcrypt("$2b$05$")}a`,
    bcrypt("$2b$05$").replace("C", "*"),
    scrypt("ln=0,r=8,p=1"),
    scrypt("ln=14,r=0,p=1"),
    scrypt("ln=14,r=8,p=0"),
    scrypt("ln=16,r=1,p=1"),
    scrypt("ln=1000,r=8,p=1"),
    scrypt("ln=14,r=8"),
    scrypt("r=8,p=1"),
    pbkdf2("0"),
    pbkdf2("01"),
    pbkdf2("-1"),
    pbkdf2("i=0,l=32"),
    pbkdf2("l=32"),
    pbkdf2("i=1,l=32,x=1"),
    "$pbkdf2-md5$1000$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    "$pbkdf2-sha384$i=1000,l=32$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    "$pbkdf2-sha256$1000$$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    "$1$c29tZXNh$abcdefghijklmnopqrstuv",
  ])("is not read: %j", (hash) => {
    expect(readPasswordHash(hash)).toBeUndefined();
  });

  test("is not read if it is longer than the contract lets a hash be", () => {
    expect(readPasswordHash(`${argon2("m=16,t=1,p=1")}${"A".repeat(2 ** 24)}`)).toBeUndefined();
  });

  test("never makes a format throw, nor is it of two formats", () => {
    const starts = fc.constantFrom(
      "",
      "$argon2id$v=19$m=16,t=1,p=1$",
      "$2b$04$",
      "$scrypt$ln=2,r=1,p=1$",
      "$pbkdf2-sha256$1$",
    );
    const unit = fc.constantFrom(..."$=,.+/0123456789abmlnrtpiAé\0");
    fc.assert(
      fc.property(starts, fc.string({ unit, maxLength: 120 }), (start, rest) => {
        const found = passwordFormats.filter((format) => format.read(start + rest) !== undefined);
        expect(found.length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 3_000 },
    );
  });

  // What is read can be verified: no parameters that get through make the primitive throw.
  test("of random parameters is either not read or verified without an error", async () => {
    const number = (max: number) => fc.integer({ min: 0, max });
    const base64 = (max: number) =>
      fc
        .uint8Array({ maxLength: max })
        .map((bytes) => Buffer.from(bytes).toString("base64").replaceAll("=", ""));
    const hashes = fc.oneof(
      fc
        .tuple(number(64), number(3), number(3), base64(70), base64(70))
        .map(([m, t, p, a, b]) => `$argon2id$v=19$m=${m},t=${t},p=${p}$${a}$${b}`),
      fc
        .tuple(number(9), number(3), number(3), base64(140), base64(140))
        .map(([ln, r, p, a, b]) => `$scrypt$ln=${ln},r=${r},p=${p}$${a}$${b}`),
      fc
        .tuple(number(9), base64(140), base64(140), fc.constantFrom("", "-sha1", "-sha256", "-sha512"))
        .map(([i, a, b, name]) => `$pbkdf2${name}$${i}$${a}$${b}`),
      fc.stringMatching(/^\$2[aby]\$04\$[./A-Za-z0-9]{53}$/),
    );
    let read = 0;
    await fc.assert(
      fc.asyncProperty(hashes, async (hash) => {
        const readable = readPasswordHash(hash);
        if (readable === undefined) return;
        read++;
        expect(await readable.verify(Buffer.from("password"))).toBe(false);
      }),
      { numRuns: 1_000 },
    );
    expect(read).toBeGreaterThan(100);
  });
});

describe("a hash that another library wrote differently", () => {
  test.each([
    [
      "with the parameters in another order",
      "$argon2id$v=19$t=2,p=1,m=65536$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    ],
    [
      "with padded base64",
      "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ=$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc=",
    ],
  ])("verifies %s", async (_name, hash) => {
    expect(await readPasswordHash(hash)?.verify(Buffer.from("password"))).toBe(true);
  });
});
