import {
  create,
  createFileRegistry,
  type DescMethod,
  type MessageInitShape,
  setExtension,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, MethodOptionsSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { DemandSchema, FreshnessSchema } from "../../../../gen/ostiary/option/v1/demand_pb.js";
import {
  AccessSchema,
  AnyoneAccessSchema,
  type MethodOption,
  MethodOptionSchema,
  method as methodOption,
  SessionAccessSchema,
} from "../../../../gen/ostiary/option/v1/option_pb.js";
import { accessRuleOf } from "./access-rule.ts";

/** A method with an option. */
function methodWith(option: MethodOption | undefined): DescMethod {
  const options = create(MethodOptionsSchema);
  if (option !== undefined) setExtension(options, methodOption, option);
  const file = create(FileDescriptorProtoSchema, {
    name: "acme.proto",
    package: "acme",
    syntax: "proto3",
    messageType: [{ name: "Note" }],
    service: [
      {
        name: "Notes",
        method: [{ name: "Get", inputType: ".acme.Note", outputType: ".acme.Note", options }],
      },
    ],
  });
  const method = createFileRegistry(file, () => undefined).getService("acme.Notes")?.methods[0];
  if (method === undefined) throw new Error("the registry has no such method");
  return method;
}

function ruleOf(caller: MessageInitShape<typeof AccessSchema>["caller"]) {
  return accessRuleOf(methodWith(create(MethodOptionSchema, { access: caller && { caller } })));
}

/** A field that this package does not know: number 99, the varint 1. */
const newer = { $unknown: [{ no: 99, wireType: 0, data: new Uint8Array([1]) }] };

test("admits anyone, and holders of sessions with the demands of the option", () => {
  expect(ruleOf({ case: "anyone", value: {} })).toEqual({ kind: "anyone" });
  expect(ruleOf({ case: "session", value: {} })).toEqual({ kind: "session", demands: [] });
  const demands = [{ demand: { case: "noPendingActions" as const, value: {} } }];
  expect(ruleOf({ case: "session", value: { demands } })).toMatchObject({ kind: "session", demands });
});

test("hands a value on that is newer than this package: Ostiary knows it, or refuses", () => {
  const demands = [{ demand: { case: "assuranceLevel" as const, value: 3 } }];
  expect(ruleOf({ case: "session", value: { demands } })).toMatchObject({ kind: "session", demands });
});

// Security rule (SR-ACCESS-1): default deny.
test("is undeclared without the option, and for callers whom the guard cannot recognise", () => {
  const undeclared = { kind: "undeclared" };
  expect(accessRuleOf(methodWith(undefined))).toEqual(undeclared);
  expect(accessRuleOf(methodWith(create(MethodOptionSchema)))).toEqual(undeclared);
  expect(accessRuleOf(methodWith(create(MethodOptionSchema, { access: {} })))).toEqual(undeclared);
  expect(ruleOf({ case: "flow", value: {} })).toEqual(undeclared);
  expect(ruleOf({ case: "apiKey", value: { scope: "notes:write" } })).toEqual(undeclared);
});

// Security rule (SR-SDK-3): an addition of a newer contract may let fewer people in, so it is never ignored.
test.each([
  ["an empty demand", [{}]],
  ["a demand beside an empty one", [{ demand: { case: "noPendingActions", value: {} } }, {}]],
  ["no level", [{ demand: { case: "assuranceLevel", value: 0 } }]],
  ["no property", [{ demand: { case: "methodProperty", value: 0 } }]],
  ["freshness within nothing", [{ demand: { case: "freshness", value: {} } }]],
  [
    "freshness of no class",
    [{ demand: { case: "freshness", value: { within: { case: "freshnessClass", value: 0 } } } }],
  ],
  ["a demand of a newer kind", [Object.assign(create(DemandSchema), newer)]],
  [
    "something newer beside a demand",
    [Object.assign(create(DemandSchema, { demand: { case: "noPendingActions", value: {} } }), newer)],
  ],
  [
    "freshness of a newer kind",
    [{ demand: { case: "freshness", value: Object.assign(create(FreshnessSchema), newer) } }],
  ],
])("is undeclared with %s", (_, demands) => {
  const value = { demands } as MessageInitShape<typeof SessionAccessSchema>;
  expect(ruleOf({ case: "session", value })).toEqual({ kind: "undeclared" });
});

// Security rule (SR-SDK-3): the same where it stands beside the demands, beside the caller, or in what is said of anyone.
test("is undeclared with something newer beside what it declares", () => {
  const undeclared = { kind: "undeclared" };
  const session = { case: "session", value: Object.assign(create(SessionAccessSchema), newer) } as const;
  expect(ruleOf(session)).toEqual(undeclared);
  const anyone = { case: "anyone", value: Object.assign(create(AnyoneAccessSchema), newer) } as const;
  expect(ruleOf(anyone)).toEqual(undeclared);
  for (const caller of [{ case: "anyone", value: {} } as const, { case: "session", value: {} } as const]) {
    const access = Object.assign(create(AccessSchema, { caller }), newer);
    expect(accessRuleOf(methodWith(create(MethodOptionSchema, { access })))).toEqual(undeclared);
  }
});
