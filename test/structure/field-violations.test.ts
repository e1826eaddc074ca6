import { readdirSync, readFileSync } from "node:fs";
import { type DescField, type DescMessage, getOption, hasOption, type Message } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import {
  FieldRulesSchema,
  field as fieldRules,
  message as messageRules,
  oneof as oneofRules,
  predefined,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import {
  FieldViolationReason,
  FieldViolationReasonSchema,
} from "../../gen/ostiary/error/v1/field_violation_pb.js";
import { contracts } from "../../src/app-services.ts";
import { fieldViolationReasons, knownViolationReason } from "../../src/domain/field-violation.ts";

test("the reasons of the domain equal those of the contract", () => {
  const contract = FieldViolationReasonSchema.values
    .filter(({ number }) => number !== FieldViolationReason.UNSPECIFIED)
    .map(({ name }) => name.replace(/^FIELD_VIOLATION_REASON_/, ""));
  expect(contract).toEqual(fieldViolationReasons);
});

describe("a reason stands for", () => {
  const rules = [
    ...new Set(contracts.flatMap(({ methods }) => methods).flatMap(({ input }) => rulesOf(input))),
  ];

  test.each(rules.sort())("the rule %s of the contract", (rule) => {
    expect(knownViolationReason(rule)).toBeDefined();
  });

  test("each rule that protovalidate can name, of which these are found", () => {
    expect(rules).toEqual(
      expect.arrayContaining([
        ...["required", "message.oneof", "string.uuid", "string.uuid_empty", "string.max_len"],
        ...["enum.defined_only", "enum.not_in", "repeated.max_items", "duration.gte_lte"],
        ...["batch.request_id"],
      ]),
    );
  });

  // What only applies, describes or collects is never what a value breaks.
  test.each(keywordsOf(new Ajv(), new Ajv2020()))("the keyword %s of JSON Schema", (keyword) => {
    expect(knownViolationReason(keyword)).toBeDefined();
  });

  test("the keywords that are broken are those of the validator", () => {
    expect(keywordsOf(new Ajv(), new Ajv2020())).toEqual(
      expect.arrayContaining([
        "type",
        "required",
        "format",
        "unevaluatedProperties",
        "dependentRequired",
        "not",
      ]),
    );
  });

  const domain = readdirSync("src/domain", { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .flatMap((path) => [...readFileSync(`src/domain/${path}`, "utf8").matchAll(/\brule: "([^"]+)"/g)])
    .map(([, rule = ""]) => rule);

  test("the limits of our own are found", () => {
    expect(new Set(domain).size).toBeGreaterThan(10);
  });

  test.each([...new Set(domain)].sort())("the limit %s that holds for all traits or passwords", (rule) => {
    expect(knownViolationReason(rule)).toBeDefined();
  });
});

/** The ids of all rules that a request can break. */
function rulesOf(message: DescMessage, seen = new Set<DescMessage>()): string[] {
  if (seen.has(message) || !message.typeName.startsWith("ostiary.")) return [];
  seen.add(message);
  const own = hasOption(message, messageRules) ? getOption(message, messageRules) : undefined;
  return [
    ...(own?.cel ?? []).map(({ id }) => id),
    ...((own?.oneof ?? []).length > 0 ? ["message.oneof"] : []),
    ...message.oneofs.filter((oneof) => getOption(oneof, oneofRules).required).map(() => "required"),
    ...message.fields.flatMap((field) => [
      ...(hasOption(field, fieldRules) ? idsOf(FieldRulesSchema, getOption(field, fieldRules)) : []),
      ...(field.message === undefined ? [] : rulesOf(field.message, seen)),
    ]),
  ];
}

/** The ids of the rules that are set, as the annotations of protovalidate's own messages name them. */
function idsOf(schema: DescMessage, rules: Message): string[] {
  const set = reflect(schema, rules);
  return schema.fields
    .filter((field) => set.isSet(field))
    .flatMap((field) => idsOfField(field, set.get(field)));
}

function idsOfField(field: DescField, value: unknown): string[] {
  if (field.name === "required" && value === true) return ["required"];
  if (field.name === "defined_only") return ["enum.defined_only"];
  const named = hasOption(field, predefined) ? getOption(field, predefined).cel.map(({ id }) => id) : [];
  if (field.name === "cel" && field.fieldKind === "list") {
    return [...(value as Iterable<{ message: { id: string } }>)].map(({ message }) => message.id);
  }
  if (field.fieldKind !== "message" || !field.message.typeName.startsWith("buf.validate.")) return named;
  return [...named, ...idsOf(field.message, (value as { message: Message }).message)];
}

/** The keywords of JSON Schema that a validator can say are broken. */
function keywordsOf(...validators: readonly Pick<Ajv, "RULES">[]): string[] {
  const keywords = validators.flatMap(({ RULES }) =>
    Object.entries(RULES.all).flatMap(([keyword, rule]) =>
      typeof rule === "object" && rule.definition.error !== undefined ? [keyword] : [],
    ),
  );
  // Checked where the validator begins, not by a rule of its own.
  return [...new Set([...keywords, "type", "false schema"])].sort();
}
