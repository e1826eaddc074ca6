import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { ConfigSchema } from "../../gen/ostiary/config/v1/config_pb.js";
import {
  ChooseMethodStageSchema,
  EnterIdentifierStageSchema,
  FillProfileStageSchema,
  FlowSchema,
  SetNewSecretStageSchema,
} from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { contracts } from "../../src/app-services.ts";

const submits = contracts
  .flatMap((service) => service.methods)
  .filter(({ name }) => name.startsWith("Submit"))
  .map((method) => [method.name, method] as const);
const fieldsOf = (message: DescMessage) =>
  Object.fromEntries(message.fields.map((field) => [field.name, `${field.number} ${typeOf(field)}`]));

// A client that knows one kind of flow knows all of them, and an outcome that is newer than the client leaves it a flow to draw.
describe("every submit", () => {
  const all = fieldsOf(FlowService.method.submitForm.output);

  test("is found", () => {
    expect(submits.map(([name]) => name).toSorted()).toEqual([
      ...["SubmitForm", "SubmitLoginFlow", "SubmitRecoveryFlow", "SubmitRegistrationFlow"],
      ...["SubmitSettingsFlow", "SubmitVerificationFlow"],
    ]);
  });

  test.each(submits)("%s answers with the flow beside the outcome, as all others do", (_name, { output }) => {
    const fields = fieldsOf(output);
    expect(fields).toMatchObject({ flow: "1 ostiary.flow.v1.Flow" });
    expect(all).toMatchObject(fields);
    expect(output.fields.filter(({ oneof }) => oneof === undefined).map(({ name }) => name)).toEqual([
      "flow",
    ]);
    expect(Object.keys(fields)).toEqual(
      expect.arrayContaining([
        ...["completed", "rejected", "expired", "next_step", "redirect", "login_required"],
      ]),
    );
  });

  test.each(submits)(
    "%s takes an address where the code or link is asked for, and nowhere else",
    (_name, { input }) => {
      expect(input.fields.map(({ name }) => name)).not.toContain("address_id");
    },
  );
});

// A list of values of an enum has no room for a provider, a challenge or an address.
test.each([
  ChooseMethodStageSchema,
  EnterIdentifierStageSchema,
  FillProfileStageSchema,
  SetNewSecretStageSchema,
])("$name offers methods as messages", (stage) => {
  expect(fieldsOf(stage).offers).toMatch(/ ostiary\.flow\.v1\.MethodOffer\[\]$/);
});

describe("every message", () => {
  const messages = [...reachable()];

  test("is found", () => {
    expect(messages).toContain(FlowSchema);
    expect(messages.length).toBeGreaterThan(150);
  });

  // Java and JavaScript have none. Those of the configuration file are in no client.
  test("of the wire has no unsigned numbers", () => {
    const onWire = messages.filter(({ file }) => file.proto.package !== "ostiary.config.v1");
    const unsigned = [ScalarType.UINT32, ScalarType.UINT64, ScalarType.FIXED32, ScalarType.FIXED64];
    const found = fields(onWire).filter(({ scalar }) => scalar !== undefined && unsigned.includes(scalar));
    expect(found.map(String)).toEqual([]);
  });

  // It says nothing: a message is there or not by itself.
  test("has `optional` at values alone", () => {
    const found = fields(messages).filter(
      ({ proto, message }) => proto.proto3Optional && message !== undefined,
    );
    expect(found.map(String)).toEqual([]);
  });

  // Everybody imports the options, so what they import nobody else can.
  test("of the options is made of nothing of the other packages", () => {
    const options = messages.filter(({ file }) => file.proto.package === "ostiary.option.v1");
    expect(options.length).toBeGreaterThan(0);
    const imports = new Set(
      options.flatMap(({ file }) => file.dependencies.map(({ proto }) => proto.package)),
    );
    expect(
      [...imports].filter((name) => name.startsWith("ostiary.") && name !== "ostiary.option.v1"),
    ).toEqual([]);
  });
});

function fields(messages: readonly DescMessage[]): readonly DescField[] {
  return messages
    .filter(({ typeName }) => typeName.startsWith("ostiary."))
    .flatMap((message) => message.fields);
}

/** The messages of all requests and answers and of the configuration file, with what is in them. */
function reachable(): ReadonlySet<DescMessage> {
  const found = new Set<DescMessage>();
  const methods = contracts.flatMap((service) => service.methods);
  const toVisit = [ConfigSchema, ...methods.flatMap(({ input, output }) => [input, output])];
  for (let message = toVisit.pop(); message !== undefined; message = toVisit.pop()) {
    if (found.has(message)) continue;
    found.add(message);
    toVisit.push(...message.fields.flatMap((field) => field.message ?? []));
  }
  return found;
}

function typeOf(field: DescField): string {
  const type = field.message?.typeName ?? field.enum?.typeName ?? ScalarType[field.scalar ?? 0];
  return field.fieldKind === "list" ? `${type}[]` : String(type);
}
