import { readFileSync } from "node:fs";
import type { DescMethod } from "@bufbuild/protobuf";
import { getOption, hasOption } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Level } from "@bufbuild/protobuf/wkt";
import { field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { describe, expect, test } from "vitest";
import { services } from "../../src/app-services.ts";
import { casesWith } from "../support/cases.ts";

const methods = services
  .flatMap((service) => service.methods)
  .map((method) => [`${method.parent.name}.${method.name}`, method] as const);

/** What a method does, by the verb of its name. */
const verbs = {
  reads: /^(Get|List|LookUp|Explain|Watch|CheckSession)/,
  makesFlow: /^Create\w+Flow$/,
  makes: /^(Create|BatchCreate|Send|BatchSend|Submit)/,
};

/** Changes of which a repetition is refused, counted or told to somebody again. */
const notRepeated = [
  "CourierService.ReaddressMessage",
  "IdentityService.CheckPassword",
  "IdentityService.DeleteCredential",
  "IdentityService.DeleteIdentity",
  "IdentityService.ImportCredentials",
  "IdentityService.SetPassword",
  "IdentityService.UpdateIdentity",
];

/** The rule of docs/releasing.md: the levels that a method may have, and whether it takes a request id. */
function ruleOf(name: string, { name: verb }: DescMethod): { levels: readonly Level[]; takesId: boolean } {
  if (verbs.reads.test(verb)) return { levels: [Level.NO_SIDE_EFFECTS, Level.IDEMPOTENT], takesId: false };
  if (verbs.makesFlow.test(verb)) return { levels: [Level.IDEMPOTENCY_UNKNOWN], takesId: false };
  if (verbs.makes.test(verb)) return { levels: [Level.IDEMPOTENCY_UNKNOWN], takesId: true };
  const isRepeated = !notRepeated.includes(name);
  return { levels: [isRepeated ? Level.IDEMPOTENT : Level.IDEMPOTENCY_UNKNOWN], takesId: false };
}

describe("every method", () => {
  test.each(methods)(
    "%s has the level of what it does, and takes a request id if it makes something",
    (name, method) => {
      const { levels, takesId } = ruleOf(name, method);
      expect(levels).toContain(method.idempotency);
      expect(method.input.fields.some((field) => field.name === "request_id")).toBe(takesId);
    },
  );

  const usualLevel = ({ name }: DescMethod) =>
    verbs.reads.test(name) ? Level.NO_SIDE_EFFECTS : Level.IDEMPOTENT;
  test.each(casesWith(methods, ([, method]) => method.idempotency !== usualLevel(method)))(
    "%s says why its level is less than is usual",
    (_name, method) => {
      const usual = Level[usualLevel(method)];
      expect(commentOfLevel(method)).toMatch(new RegExp(`^// Not ${usual}: .+\\.$`));
    },
  );

  test("that is named here is there", () => {
    const names: readonly string[] = methods.map(([name]) => name);
    expect(notRepeated.filter((name) => !names.includes(name))).toEqual([]);
  });
});

describe("every request id", () => {
  const ids = methods.flatMap(([name, { input }]) =>
    input.fields.filter((field) => field.name === "request_id").map((field) => [name, field] as const),
  );

  // A client that leaves it out gets what it always got.
  test.each(ids)("%s: has a limit and may be left out", (_name, field) => {
    expect(hasOption(field, fieldRules)).toBe(true);
    const rules = getOption(field, fieldRules);
    expect(rules.required).toBe(false);
    expect(rules.type).toMatchObject({ case: "string", value: { maxLen: 128n, minLen: 0n } });
  });
});

/** The comment above the level of a method, on one line. */
function commentOfLevel({ name, parent }: DescMethod): string {
  const source = readFileSync(`proto/${parent.file.proto.name}`, "utf8");
  const body = source.slice(source.indexOf(`  rpc ${name}(`));
  const [, comment = ""] = /^[^\n]*\n((?: *\/\/[^\n]*\n)*) *option idempotency_level/.exec(body) ?? [];
  return comment.trim().replaceAll(/\n\s*\/\//g, "");
}
