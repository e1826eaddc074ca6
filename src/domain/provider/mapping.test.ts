import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkJsonLimits, metadataLimits, traitLimits } from "../identity/json-limits.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { compileExpression } from "./expression.ts";
import { wholeAllowance } from "./expression-functions.ts";
import { limitClaims } from "./limited-claims.ts";
import { type ClaimsMapping, compileMapping, type MappingExpressions } from "./mapping.ts";

const claims: JsonObject = {
  sub: "4711",
  email: "Ada@Example.com",
  email_verified: true,
  name: "Ada Lovelace",
  id: 583_231,
  groups: ["staff", "admins"],
  address: { locality: "London" },
  emails: [
    { email: "ada@example.com", primary: true, verified: true },
    { email: "old@example.com", primary: false, verified: false },
  ],
  nothing: null,
  empty: "",
};

describe("a mapping", () => {
  test("makes traits, addresses, metadata and the account's name of claims", () => {
    const { mapped, leftOut, ignoredClaims } = mappingOf({
      traits: {
        email: "claims.email.lowerAscii()",
        name: { first: "claims.name.split(' ')[0]", last: "claims.name.split(' ')[1]" },
      },
      verifiedAddresses: "claims.emails.filter(e, e.verified).map(e, e.email)",
      publicMetadata: { city: "claims.address.locality" },
      adminMetadata: { admin: "'admins' in claims.groups", groups: "claims.groups", number: "claims.id" },
      account: "claims.email",
    }).explain(claims);
    expect(mapped).toEqual({
      traits: { email: "ada@example.com", name: { first: "Ada", last: "Lovelace" } },
      verifiedAddresses: ["ada@example.com"],
      publicMetadata: { city: "London" },
      adminMetadata: { admin: true, groups: ["staff", "admins"], number: 583_231 },
      account: "Ada@Example.com",
    });
    expect(leftOut).toEqual([]);
    expect(ignoredClaims).toEqual([]);
  });

  test.each([
    ["claims.phone", "there is no `phone`"],
    ["claims.email.domain", "there is no `domain`"],
    ["claims.groups[7]", "the list is shorter than that"],
    ["claims.nothing", "it is empty"],
    ["claims.empty", "it is empty"],
    ["claims.id + 1", "`_+_` cannot be used on (double, int)"],
    ["claims.id.startsWith('5')", "`startsWith` cannot be used on double.(string)"],
    ["claims.phone == ''", "there is no `phone`"],
    ["9007199254740993", "it is a number beyond ±(2^53 - 1), which cannot be kept exactly"],
    ["{'__proto__': 1}", "it has a member named __proto__"],
    ["[{'constructor': 1}]", "it has a member named constructor"],
    ["{1: 2}", "it has a member whose name is not a text"],
    ["claims.name + '\\u0000'", "it has null characters or lone surrogates"],
    ["1 / 0", "it cannot be computed"],
  ])("leaves out %s, and says why: %s", (source, reason) => {
    const { mapped, leftOut } = mappingOf({ traits: { a: source, b: "claims.sub" } }).explain(claims);
    expect(mapped.traits).toEqual({ b: "4711" });
    expect(leftOut).toEqual([{ path: "traits.a", reason }]);
  });

  test("takes for verified what an expression says, and nothing that is only like it (SR-MAP-4)", () => {
    const mapping = mappingOf({ verifiedAddresses: "claims.email_verified == true ? [claims.email] : []" });
    const verified = (change: JsonObject) => mapping.apply({ ...claims, ...change }).verifiedAddresses;
    expect(verified({})).toEqual(["Ada@Example.com"]);
    for (const value of ["true", "True", 1, "1", null, [true], { true: true }, false]) {
      expect(verified({ email_verified: value })).toEqual([]);
    }
    for (const email of [null, 1, "", ["ada@example.com"], { a: "ada@example.com" }, "a".repeat(321)]) {
      expect(verified({ email })).toEqual([]);
    }
    const { email: _, ...without } = claims;
    expect(mapping.apply(without).verifiedAddresses).toEqual([]);
  });

  test.each([
    ["no list", "claims.email"],
    ["a list with something else", "[claims.email, claims.id]"],
    ["too many", "claims.many"],
  ])("has no verified address where there is %s (SR-MAP-4)", (_, verifiedAddresses) => {
    const many = Array.from({ length: 33 }, (_, index) => `a${index}@example.com`);
    const { mapped, leftOut } = mappingOf({ verifiedAddresses }).explain({ ...claims, many });
    expect(mapped.verifiedAddresses).toEqual([]);
    expect(leftOut).toMatchObject([{ path: "verified_addresses" }]);
  });

  test("makes nothing of no claims, and names no value of a claim in what it says", () => {
    const secret = "s3cr3t-value";
    const mapping = mappingOf({
      traits: {
        a: "claims.a.b",
        b: "claims.a + 1",
        c: "int(claims.a)",
        d: "claims.l[9]",
        e: "claims[claims.a]",
      },
    });
    expect(mapping.apply({})).toEqual({
      traits: {},
      verifiedAddresses: [],
      publicMetadata: {},
      adminMetadata: {},
      account: "",
    });
    const { leftOut } = mapping.explain({ a: secret, l: [secret] });
    expect(leftOut).toHaveLength(5);
    expect(JSON.stringify(leftOut)).not.toContain(secret);
  });

  test("never throws, and makes only what an account can hold, whatever the claims are", () => {
    const mapping = mappingOf({
      traits: { a: "claims.a", b: { c: "claims.b" }, d: "[claims.a, claims.b]", e: "{'x': claims.c}" },
      publicMetadata: { a: "claims.a", all: "claims" },
      adminMetadata: { all: "claims", b: "claims.b.map(x, x)" },
      verifiedAddresses: "claims.b",
      account: "claims.c",
    });
    const value = fc.jsonValue({ depthSize: "medium" });
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom("a", "b", "c", "__proto__", "constructor"), value),
        (made) => {
          const { traits, publicMetadata, adminMetadata } = mapping.apply(made as JsonObject);
          expect(checkJsonLimits(traits, traitLimits)).toBeUndefined();
          expect(checkJsonLimits(publicMetadata, metadataLimits)).toBeUndefined();
          expect(checkJsonLimits(adminMetadata, metadataLimits)).toBeUndefined();
        },
      ),
      { numRuns: 300 },
    );
  });

  test("keeps to the limits of traits and metadata with claims as large as they can be", () => {
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`t${index}`, "claims.long"]));
    const { mapped, leftOut } = mappingOf({
      traits: many,
      adminMetadata: many.t0 ? { a: "claims.list" } : {},
    }).explain({
      long: "x".repeat(4096),
      list: Array.from({ length: 256 }, () => "y".repeat(100)),
    });
    expect(checkJsonLimits(mapped.traits, traitLimits)).toBeUndefined();
    expect(Object.keys(mapped.traits)).toHaveLength(7);
    expect(mapped.adminMetadata).toEqual({});
    expect(leftOut.at(-1)?.reason).toBe("all of it together would be too large");
    const lists = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`l${index}`, "claims.list"]));
    const numbers = { list: Array.from({ length: 256 }, () => 1) };
    const made = mappingOf({ publicMetadata: lists }).apply(numbers).publicMetadata;
    expect(checkJsonLimits(made, metadataLimits)).toBeUndefined();
    expect(Object.keys(made)).toHaveLength(5);
  });

  test("has no name of the account that is no text, or a long one", () => {
    const mapping = mappingOf({ account: "claims.a" });
    expect(mapping.apply({ a: "a".repeat(320) }).account).toHaveLength(320);
    for (const value of ["a".repeat(321), 4711, ["a"], { a: "a" }, true, null]) {
      expect(mapping.explain({ a: value })).toMatchObject({
        mapped: { account: "" },
        leftOut: [{ path: "account" }],
      });
    }
  });
});

describe("the check of a mapping", () => {
  test.each<[string, string, { message: string; line?: number; column?: number }]>([
    [
      "an unknown name",
      "claim.email",
      { message: "there is no `claim`; did you mean `claims`?", line: 1, column: 1 },
    ],
    [
      "a claim without `claims`",
      "claims.a == true ?\n  email : ''",
      {
        message: "there is no `email`; a claim is written `claims.email`, a text in quotation marks",
        line: 2,
        column: 3,
      },
    ],
    [
      "a misspelt function",
      "claims.email.lowerAsci()",
      { message: "there is no function `lowerAsci`; did you mean `lowerAscii`?", line: 1, column: 13 },
    ],
    [
      "a misspelt macro",
      "claims.l.filtr(x, x.a)",
      { message: "there is no function `filtr`; did you mean `filter`?", line: 1, column: 9 },
    ],
    [
      "a function that the library has and mappings have not",
      "claims.a.replace('a', 'b')",
      {
        message: expect.stringMatching(/^there is no function `replace`; there is size, string, /),
        line: 1,
        column: 9,
      },
    ],
    [
      "a wrong call",
      "lowerAscii(claims.a)",
      { message: "`lowerAscii` is called as `x.lowerAscii(…)`", line: 1, column: 1 },
    ],
    [
      "wrong arguments",
      "claims.a.contains()",
      { message: "`contains` takes 1 argument here", line: 1, column: 9 },
    ],
    ["no expression", "claims.a ==", { message: "is not CEL: `=` cannot stand here", line: 1, column: 10 }],
    ["no more text", "(claims.a", { message: "is not CEL: the end cannot stand here", line: 1, column: 10 }],
    ["a wrong macro", "has(claims)", { message: "`has` is written `has(claims.x)`", line: 1, column: 1 }],
    [
      "a loop within a loop",
      "claims.a.map(x, claims.b.map(y, x + y))",
      {
        message: "a loop (`map`, `filter`, `exists`, `all`) cannot stand within another one",
        line: 1,
        column: 25,
      },
    ],
    [
      "a pattern of a claim",
      "claims.a.matches(claims.b)",
      { message: "the pattern of `matches` has to be written out, as a text", line: 1, column: 24 },
    ],
    [
      "a pattern that is not RE2",
      "claims.a.matches('(?=a)')",
      { message: expect.stringMatching(/RE2 syntax applies/), line: 1, column: 18 },
    ],
    [
      "a pattern that is too large",
      "claims.a.matches('(a|b)*a(a|b){900}')",
      {
        message: "the pattern is too large: at most 128 characters, and few repetitions",
        line: 1,
        column: 18,
      },
    ],
    ["bytes", "b'abc'", { message: "bytes cannot be used; write a text", line: 1, column: 1 }],
    [
      "time",
      "timestamp('2020-01-01T00:00:00Z')",
      { message: expect.stringMatching(/^there is no function `timestamp`/) },
    ],
    ["a message", "google.protobuf.Value{}", { message: expect.stringMatching(/^there are no messages/) }],
    [
      "a type",
      "claims.a == int",
      { message: expect.stringMatching(/^there is no `int`/), line: 1, column: 13 },
    ],
    [
      "the name of a loop's own variable",
      "[1].map(x, x) == x",
      { message: expect.stringMatching(/^there is no `x`/) },
    ],
    ["too much text", `'${"a".repeat(1023)}'`, { message: "is longer than 1024 characters" }],
    [
      "too many brackets",
      `${"(".repeat(33)}1${")".repeat(33)}`,
      { message: "has more than 32 brackets within each other" },
    ],
    ["too many parts", `1${"+1".repeat(200)}`, { message: "has more than 256 parts" }],
    ["no text", " ", { message: "is empty" }],
  ])("refuses %s: %s", (_, source, problem) => {
    const compiled = compileMapping({ ...none, traits: { name: { first: source } } });
    expect(compiled).toEqual({ problems: [{ path: "traits.name.first", ...allowingPlace(problem) }] });
  });

  test("says of every problem where it is", () => {
    const compiled = compileMapping({
      traits: { a: 1, b: ["claims.b"], c: "nope", "d.e": { f: "claims.ok", g: null } },
      verifiedAddresses: "claim.v",
      publicMetadata: { ["__proto__"]: "claims.x", constructor: "claims.y" },
      adminMetadata: { "": "claims.z" },
      account: "1 +",
    });
    const paths = "problems" in compiled ? compiled.problems.map(({ path }) => path) : [];
    expect(paths).toEqual([
      "traits.a",
      "traits.b",
      "traits.c",
      "traits.d\\.e.g",
      "verified_addresses",
      "public_metadata",
      "public_metadata",
      "admin_metadata",
      "account",
    ]);
  });

  test("refuses maps that are too deep", () => {
    let traits: JsonObject = { a: "claims.a" };
    for (let level = 0; level < 8; level += 1) traits = { a: traits };
    expect(compileMapping({ ...none, traits })).toMatchObject({
      problems: [{ path: "traits.a.a.a.a.a.a.a.a", message: "is more than 7 levels deep" }],
    });
  });

  test("refuses more than 64 expressions, and more loops than a login has time for", () => {
    const traits = (count: number, source: string) => ({
      ...none,
      traits: Object.fromEntries(Array.from({ length: count }, (_, index) => [`t${index}`, source])),
    });
    expect(compileMapping(traits(64, "claims.a"))).toHaveProperty("mapping");
    expect(compileMapping(traits(65, "claims.a"))).toEqual({
      problems: [{ path: "", message: "a mapping has at most 64 expressions" }],
    });
    expect(compileMapping(traits(9, "claims.a.exists(x, x == 'a')"))).toHaveProperty("mapping");
    expect(compileMapping(traits(10, "claims.a.exists(x, x == 'a')"))).toMatchObject({
      problems: [{ path: "", message: expect.stringMatching(/^the expressions have \d+ steps together/) }],
    });
  });

  test("never throws, whatever an expression is", () => {
    const word = fc.constantFrom(
      "claims",
      ".a",
      "(",
      ")",
      "[",
      "]",
      "{",
      "}",
      "?",
      ":",
      "map(x,",
      "'",
      "!",
      "-",
      "1",
      "in",
      "\\",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(word, { maxLength: 400 }).map((words) => words.join("")),
        ),
        (source) => {
          expect(compileExpression(source)).toBeDefined();
        },
      ),
      { numRuns: 500 },
    );
    for (const source of [
      "!".repeat(1023),
      `${"-".repeat(1000)}1`,
      `1${"?1:1".repeat(250)}`,
      `claims${".a".repeat(500)}`,
    ]) {
      expect(compileExpression(source)).toBeDefined();
    }
  });
});

describe("Security rule (SR-MAP-1): the work that a mapping does is limited, whatever the claims are", () => {
  const items = Array.from({ length: 256 }, (_, index) => `item${index}`);
  const hostile: JsonObject = {
    list: items,
    same: items.map(() => "a".repeat(100)),
    lists: items.map((_, index) => Array.from({ length: 3 }, () => index)),
    long: "aB".repeat(2048),
    blanks: " ".repeat(4096),
    map: Object.fromEntries(items.map((item) => [item, item])),
  };

  test.each([
    "claims.list.filter(x, x in claims.list)",
    "claims.list.map(x, claims.same) == claims.list.map(x, claims.same)",
    "claims.lists.filter(x, x in claims.lists)",
    "claims.list.map(x, claims.long.lowerAscii().upperAscii().lowerAscii())",
    "claims.list.map(x, claims.long + x)",
    "claims.list.map(x, claims.blanks.trim())",
    "claims.list.map(x, claims.same.join(claims.long))",
    "claims.list.map(x, claims.long.split('a'))",
    "claims.list.map(x, x).map(x, x).map(x, x).map(x, x).map(x, x).map(x, x).map(x, x)",
    "claims.same.exists(x, x.matches('(ab|a)*(ba|a)*(a|b)*(ab|a)*c$'))",
    "claims.long.substring(0, 900).matches('(a|B)*a(a|B){12}$')",
    "claims.map.exists(k, claims.map == claims.map && k == '')",
    `claims.list.exists(x, ${"x == claims.long || ".repeat(10)}x == '')`,
    `claims.list.map(x, [${"claims.list, ".repeat(30)}x])`,
    "[claims.list, claims.list].map(x, x + x)",
  ])("%s", (source) => {
    const compiled = compileExpression(source);
    if ("problems" in compiled) throw new Error(JSON.stringify(compiled.problems));
    expect(compiled.expression.steps).toBeLessThan(20_000);
    const { claims: limited } = limitClaims(hostile);
    const allowance = { left: wholeAllowance };
    compiled.expression.evaluate({ claims: limited }, allowance);
    expect(allowance.left).toBeGreaterThanOrEqual(0);
    // Far above the few milliseconds that it takes, and far below the seconds that it takes without the limits.
    const before = process.cpuUsage();
    mappingOf({ traits: { a: source } }).apply(hostile);
    const { user } = process.cpuUsage(before);
    expect(user / 1000).toBeLessThan(1000);
  });

  test("one allowance is for all expressions together, and each login has a new one", () => {
    const mapping = mappingOf({
      traits: { a: "claims.list.filter(x, x in claims.list)", b: "size('abc')" },
    });
    const { leftOut } = mapping.explain(hostile);
    expect(leftOut.map(({ reason }) => reason)).toEqual([
      "the claims are too much work for the expressions",
      "the claims are too much work for the expressions",
    ]);
    expect(mapping.apply({ list: [], long: "aB" }).traits).toEqual({ a: [], b: 3 });
  });

  test.each([
    ["fields that are not there", "claims.list.exists(x, x.none)"],
    ["values of another kind", "claims.lists.exists(x, x > 'a')"],
    ["texts that are no numbers", "claims.list.all(x, int(x) > 1)"],
  ])("as many errors as there can be cost little: %s", (_, source) => {
    const traits = Object.fromEntries(Array.from({ length: 9 }, (_each, index) => [`t${index}`, source]));
    const mapping = mappingOf({ traits });
    const before = process.cpuUsage();
    const { stackTraceLimit } = Error;
    expect(mapping.explain(hostile)).toMatchObject({ mapped: { traits: {} } });
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(1000);
    expect(Error.stackTraceLimit).toBe(stackTraceLimit);
  });

  test("an expression that has used it up gives nothing, also where `||` goes over the error", () => {
    const { mapped, leftOut } = mappingOf({
      verifiedAddresses: "claims.list.exists(x, x in claims.same) || true ? ['ada@example.com'] : []",
    }).explain(hostile);
    expect(mapped.verifiedAddresses).toEqual([]);
    expect(leftOut).toEqual([
      { path: "verified_addresses", reason: "the claims are too much work for the expressions" },
    ]);
  });

  test.each([
    ["claims.long + claims.long", "a text has more than 4096 characters"],
    ["claims.list + claims.list", "a list has more than 256 items"],
    ["claims.long.split('')", "a list has more than 256 items"],
    ["claims.list.join(claims.long)", "a text has more than 4096 characters"],
    ["claims.long.matches('(a|B)*a(a|B){5}$')", "the claims are too much work for the expressions"],
  ])("%s makes nothing that is too large: %s", (source, reason) => {
    const { leftOut } = mappingOf({ traits: { a: source } }).explain(hostile);
    expect(leftOut).toEqual([{ path: "traits.a", reason }]);
  });
});

describe("Security rule (SR-MAP-2): claims that are too large are left out as a whole", () => {
  const long = "ada@example.com".padEnd(4097, ".example.org");

  test.each<[string, JsonValue, string]>([
    ["a long text", long, "it has more than 4096 characters"],
    ["a long list", Array.from({ length: 257 }, () => "a"), "it has more than 256 items"],
    [
      "many members",
      Object.fromEntries(Array.from({ length: 257 }, (_, index) => [`m${index}`, 1])),
      "it has more than 256 members",
    ],
    ["a list with a long text", ["a", long], "an item of it was left out"],
  ])("%s", (_, value, reason) => {
    const mapping = mappingOf({ traits: { a: "claims.a", b: "claims.b" } });
    const { mapped, ignoredClaims } = mapping.explain({ a: value, b: "b" });
    expect(mapped.traits).toEqual({ b: "b" });
    expect(ignoredClaims).toContainEqual({ path: "a", reason });
  });

  test("what is too deep, and more values than 2000", () => {
    let deep: JsonValue = "end";
    for (let level = 0; level < 5000; level += 1) deep = { a: deep };
    const many = Array.from({ length: 200 }, () => Array.from({ length: 20 }, () => 1));
    const { ignoredClaims, mapped } = mappingOf({ traits: { b: "claims.b", c: "claims.c" } }).explain({
      deep,
      b: "b",
      many,
      c: "c",
    });
    expect(ignoredClaims.map(({ reason }) => reason)).toContain("it is more than 16 levels deep");
    expect(ignoredClaims.map(({ reason }) => reason)).toContain("there are more than 2000 values");
    expect(mapped.traits).toEqual({ b: "b" });
  });

  test("SR-MAP-3: names that mean something to JavaScript are names of claims as others, and never of traits", () => {
    const made: JsonObject = JSON.parse(
      '{"__proto__": {"polluted": true}, "constructor": {"name": "x"}, "a": 1}',
    );
    const mapping = mappingOf({
      traits: {
        a: "claims.a",
        b: "claims.polluted",
        c: "claims.constructor.name",
        d: "claims",
        e: "claims.toString",
      },
    });
    expect(mapping.apply(made).traits).toEqual({ a: 1, c: "x" });
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

const none: MappingExpressions = {
  traits: {},
  verifiedAddresses: "",
  publicMetadata: {},
  adminMetadata: {},
  account: "",
};

function mappingOf(change: Partial<MappingExpressions>): ClaimsMapping {
  const compiled = compileMapping({ ...none, ...change });
  if ("problems" in compiled) throw new Error(JSON.stringify(compiled.problems));
  return compiled.mapping;
}

function allowingPlace(problem: { message: string; line?: number; column?: number }) {
  const isElsewhere = problem.line === undefined && typeof problem.message !== "string";
  return isElsewhere ? { ...problem, line: expect.any(Number), column: expect.any(Number) } : problem;
}
