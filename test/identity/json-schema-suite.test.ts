import { describe, expect, test } from "vitest";
import { hasSuite, runSuite } from "./json-schema-suite.ts";

/** Why answers differ from those of the suite. */
const reasons = {
  "PostgreSQL's jsonb has no U+0000, so no trait has it": [
    "const.json: nul characters in strings 1",
    "enum.json: nul characters in strings 1",
  ],
  "names that JavaScript gives a meaning to are refused in every trait": [
    "required.json: required properties whose names are Javascript object property names 2",
  ],
  "patterns are RE2, whose \\s is ASCII, as in Kratos": [
    "optional/ecmascript-regex.json: ECMA 262 \\s matches whitespace 5",
    "optional/ecmascript-regex.json: ECMA 262 \\S matches everything but whitespace 5",
  ],
  "a whole number beyond 2^53 is refused in every trait: no double keeps it": [
    "optional/bignum.json: integer 2",
    "optional/bignum.json: maximum integer comparison 1",
    "optional/bignum.json: minimum integer comparison 1",
    "optional/bignum.json: number 2",
    "optional/float-overflow.json: all integers are multiples of 0.5, if overflow is handled 1",
  ],
  "nothing checks these formats, as the start warns": [
    "optional/format/idn-hostname.json: validation of internationalized host names 30",
    "optional/format/idn-hostname.json: validation of separators in internationalized host names 4",
    "optional/format/iri-reference.json: validation of IRI References 2",
    "optional/format/iri.json: validation of IRIs 4",
  ],
} as const;

const draft7Reasons = {
  "what stands beside $ref counts, as in 2020-12; the draft ignores it": [
    "ref.json: ref overrides any sibling keywords 2",
  ],
  "the content keywords are annotations": [
    "optional/content.json: validation of string-encoded content based on media type 1",
    "optional/content.json: validation of binary string-encoding 1",
    "optional/content.json: validation of binary-encoded media type documents 2",
  ],
} as const;

const formats = ["date", "date-time", "duration", "email", "hostname", "idn-email", "ipv4", "ipv6"].concat([
  "json-pointer",
  "regex",
  "relative-json-pointer",
  "time",
  "uri",
  "uri-reference",
  "uri-template",
  "uuid",
]);

const draft2020Reasons = {
  "a format is an assertion, as in draft-07 and in Kratos": formats.map(
    (format) => `format.json: ${format} format 1`,
  ),
  "the format regex is JavaScript's without the flag u": [
    "optional/format/ecmascript-regex.json: \\a is not an ECMA 262 control escape 1",
  ],
  "addresses with quoted local parts or without a domain name are none that anybody has": [
    "optional/format/email.json: validation of e-mail addresses 5",
  ],
  "ajv misjudges the unevaluated keywords in these places; the start warns": [
    "unevaluatedItems.json: unevaluatedItems with nested items 2",
    "unevaluatedItems.json: unevaluatedItems depends on adjacent contains 1",
    "unevaluatedItems.json: unevaluatedItems depends on multiple nested contains 1",
    "unevaluatedItems.json: unevaluatedItems and contains interact to control item dependency relationship 4",
    "unevaluatedItems.json: unevaluatedItems can see annotations from if without then and else 1",
    "unevaluatedProperties.json: unevaluatedProperties with if/then/else, then not defined 2",
    "unevaluatedProperties.json: unevaluatedProperties can see annotations from if without then and else 2",
  ],
} as const;

/** Why documents are refused, by what their sentence says, and how many in draft-07 and in 2020-12. */
const refusals: readonly { why: string; says: RegExp; draft7: number; "draft2020-12": number }[] = [
  {
    why: "Security rule (SR-TRAIT-5): no schema makes the server fetch anything",
    says: /: only references within the document \(#…\) are followed/,
    draft7: 28,
    "draft2020-12": 66,
  },
  {
    why: "with one base, a reference within the document means one place",
    says: /: only the root may have an identifier$/,
    draft7: 35,
    "draft2020-12": 54,
  },
  {
    why: "Security rule (SR-TRAIT-3): a pattern is matched in linear time (RE2)",
    says: /cannot be matched in linear time/,
    draft7: 12,
    "draft2020-12": 12,
  },
  {
    why: "a name that changes what an object is",
    says: /^nothing may be named __proto__$/,
    draft7: 2,
    "draft2020-12": 2,
  },
  {
    why: "a value beyond 2^53 that no trait can have",
    says: /\/const: a whole number beyond/,
    draft7: 2,
    "draft2020-12": 2,
  },
  { why: "a meta-schema of its own", says: /^\/\$schema must name draft-07/, draft7: 0, "draft2020-12": 8 },
  {
    why: "the target is within a keyword that is not known, so it is no schema",
    says: /leads nowhere$/,
    draft7: 0,
    "draft2020-12": 5,
  },
];

// Security rule (SR-TRAIT-4): a schema decides what gets in, so how it is read is held against the standard's own tests, below a
// property and as the traits themselves. A known difference that disappears fails as one that appears does.
describe.skipIf(!hasSuite())("the official JSON Schema Test Suite", () => {
  test.each([
    ["draft7", { ...reasons, ...draft7Reasons }, 1_580],
    ["draft2020-12", { ...reasons, ...draft2020Reasons }, 2_082],
  ] as const)("answers of %s differ only where they are known to", (draft, known, right) => {
    const result = runSuite(draft);
    const found = [...result.differences].map(([name, count]) => `${name} ${count}`);
    expect(found.sort()).toEqual(Object.values(known).flat().sort());
    expect(result.right).toBe(right);

    const unexplained = result.refusals.filter(
      (sentence) => !refusals.some(({ says }) => says.test(sentence)),
    );
    expect(unexplained).toEqual([]);
    expect(
      refusals.map(({ why, says }) => [
        why,
        result.refusals.filter((sentence) => says.test(sentence)).length,
      ]),
    ).toEqual(refusals.map((refusal) => [refusal.why, refusal[draft]]));
  });
});
