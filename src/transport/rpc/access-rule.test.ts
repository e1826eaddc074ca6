import { create, type DescMethod, type MessageInitShape, setExtension } from "@bufbuild/protobuf";
import { MethodOptionsSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { Health } from "../../../gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../../../gen/grpc/reflection/v1/reflection_pb.js";
import { AssuranceLevel, type DemandSchema } from "../../../gen/ostiary/option/v1/demand_pb.js";
import {
  type AccessSchema,
  MethodOptionSchema,
  method as methodOption,
  RateClass,
} from "../../../gen/ostiary/option/v1/option_pb.js";
import { SessionService } from "../../../gen/ostiary/session/v1/session_service_pb.js";
import { accessRuleOf, isQuiet, rateClassOf } from "./access-rule.ts";

/** A method of ours with another option; undefined: with none. */
function methodWith(access: MessageInitShape<typeof AccessSchema> | undefined): DescMethod {
  const method = SessionService.method.checkSession;
  const options = create(MethodOptionsSchema);
  if (access !== undefined) setExtension(options, methodOption, create(MethodOptionSchema, { access }));
  return { ...method, proto: { ...method.proto, options } };
}

describe("who may call a method", () => {
  test.each<[string, MessageInitShape<typeof AccessSchema>, object]>([
    ["anyone", { caller: { case: "anyone", value: {} } }, { kind: "anyone", withSession: false }],
    [
      "anyone",
      { caller: { case: "anyone", value: { withSession: true } } },
      { kind: "anyone", withSession: true },
    ],
    ["the holder of a flow", { caller: { case: "flow", value: {} } }, { kind: "flow", withSession: false }],
    [
      "the holder of a flow",
      { caller: { case: "flow", value: { withSession: true } } },
      { kind: "flow", withSession: true },
    ],
    ["a session", { caller: { case: "session", value: {} } }, { kind: "session", demands: [] }],
    [
      "an API key",
      { caller: { case: "apiKey", value: { scope: "a:b" } } },
      { kind: "api_key", scope: "a:b" },
    ],
  ])("is %s, as its option says", (_, access, rule) => {
    expect(accessRuleOf(methodWith(access))).toEqual(rule);
  });

  // Security rule (SR-ACCESS-1): default deny.
  test.each<[string, MessageInitShape<typeof AccessSchema> | undefined]>([
    ["no option", undefined],
    ["an empty option", {}],
    ["an API key without a scope", { caller: { case: "apiKey", value: { scope: "" } } }],
  ])("is nobody with %s (SR-ACCESS-1)", (_, access) => {
    expect(accessRuleOf(methodWith(access))).toEqual({ kind: "undeclared" });
  });

  // Security rule (SR-SESSION-4): a demand that the server does not know is never ignored.
  test("is nobody with a demand that this server does not know (SR-SESSION-4)", () => {
    const known = { demand: { case: "assuranceLevel", value: AssuranceLevel.AAL2 } } as const;
    const demands = [{ kind: "assurance_level", level: "aal2" }];
    const sessions = (list: readonly MessageInitShape<typeof DemandSchema>[]) =>
      accessRuleOf(methodWith({ caller: { case: "session", value: { demands: [...list] } } }));
    expect(sessions([known])).toEqual({ kind: "session", demands });
    expect(sessions([known, {}])).toEqual({ kind: "undeclared" });
    expect(sessions([{}])).toEqual({ kind: "undeclared" });
  });

  test("is anyone for health and reflection, whose protos are not ours", () => {
    for (const method of [Health.method.check, ServerReflection.method.serverReflectionInfo]) {
      expect(accessRuleOf(method)).toEqual({ kind: "anyone", withSession: false });
      expect(rateClassOf(method)).toBe(RateClass.CHECK);
      expect(isQuiet(method)).toBe(true);
    }
  });
});

test("the class of limits of a method is that of its option", () => {
  const of = (rateClass: RateClass) => methodWith({ rateClass });
  expect(rateClassOf(of(RateClass.FLOW_SUBMIT))).toBe(RateClass.FLOW_SUBMIT);
  expect(rateClassOf(methodWith(undefined))).toBe(RateClass.UNSPECIFIED);
  expect(isQuiet(of(RateClass.FLOW_SUBMIT))).toBe(false);
  expect(isQuiet(of(RateClass.CHECK))).toBe(true);
});
