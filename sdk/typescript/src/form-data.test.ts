// SPDX-License-Identifier: Apache-2.0
import { create, fromJson, type JsonValue, type MessageInitShape } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { ClientKind, FlowKind, FlowSchema } from "../../../gen/ostiary/flow/v1/flow_pb.js";
import { type FormNodeSchema, InputType } from "../../../gen/ostiary/flow/v1/form_pb.js";
import { SubmitLoginFlowRequestSchema } from "../../../gen/ostiary/flow/v1/login_service_pb.js";
import {
  type SubmitRegistrationFlowRequest,
  SubmitRegistrationFlowRequestSchema,
} from "../../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SubmitSettingsFlowRequestSchema } from "../../../gen/ostiary/flow/v1/settings_service_pb.js";
import { formDataToRequest } from "./form-data.ts";
import { textOf } from "./form-value.ts";

type NodeInit = MessageInitShape<typeof FormNodeSchema>;

const choices = ["red", "blue"].map((choice) => ({ value: fromJson(ValueSchema, choice) }));

describe("formDataToRequest", () => {
  test("fills the common fields and those of the pressed button's step", () => {
    const request = formDataToRequest(
      loginFlow(),
      form({ identifier: "ada@example.com", "password.password": " secret " }),
      "password",
      SubmitLoginFlowRequestSchema,
    );
    expect(request.$typeName).toBe("ostiary.flow.v1.SubmitLoginFlowRequest");
    expect(request.flowId).toBe("ost_flw_1");
    expect(request.csrfToken).toBe("token");
    expect(request.identifier).toBe("ada@example.com");
    // A password is taken exactly as typed.
    expect(request.step).toMatchObject({ case: "password", value: { password: " secret " } });
  });

  test("takes the button's node as well as the name of its step", () => {
    const flow = loginFlow();
    const pressed = flow.form?.nodes.find((node) => node.kind.case === "button");
    const data = form({ identifier: "ada", "password.password": "x" });
    expect(pressed && formDataToRequest(flow, data, pressed)).toEqual(
      formDataToRequest(flow, data, "password"),
    );
  });

  test("names the step even if none of its fields were filled in", () => {
    const { step } = formDataToRequest(loginFlow(), form({}), "password");
    expect(step).toMatchObject({ case: "password", value: { password: "" } });
  });

  test("refuses a button that the form does not have, a node that is none, and another kind's request", () => {
    const flow = loginFlow();
    const field = flow.form?.nodes[0];
    expect(() => formDataToRequest(flow, form({}), "code")).toThrow(TypeError);
    expect(() => field && formDataToRequest(flow, form({}), field)).toThrow(TypeError);
    expect(() => formDataToRequest(flow, form({}), "password", SubmitRegistrationFlowRequestSchema)).toThrow(
      TypeError,
    );
    flow.kind = FlowKind.UNSPECIFIED;
    expect(() => formDataToRequest(flow, form({}), "password")).toThrow(TypeError);
  });

  test("says that the package is too old for a step of a newer server", () => {
    const flow = loginFlow([button("telepathy")]);
    expect(() => formDataToRequest(flow, form({}), "telepathy")).toThrow(/newer/);
  });

  test("does not send the fields of another step", () => {
    const nodes = [
      input("password.password", InputType.PASSWORD),
      input("telepathy.thought"),
      button("password"),
    ];
    const request = formDataToRequest(
      loginFlow(nodes),
      form({ "password.password": "x", "telepathy.thought": "y" }),
      "password",
    );
    expect(JSON.stringify(request)).not.toContain("thought");
  });

  // Security rule: the page decides nothing but the values of the fields that the form offers.
  test("drops names that the form does not offer, also flowId and csrfToken", () => {
    const request = submitted([], {
      flowId: "other",
      csrfToken: "other",
      "traits.role": "admin",
      extra: "1",
    });
    expect(request).toMatchObject({ flowId: "ost_flw_1", csrfToken: "token" });
    expect(request.traits).toBeUndefined();
  });

  // Security rule: no name of a field can reach a prototype.
  test.each(["traits.__proto__.polluted", "__proto__.polluted", "traits.constructor.prototype.polluted"])(
    "is not polluted by %s",
    (name) => {
      const request = submitted([input(name)], { [name]: "yes" });
      expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
      expect(Reflect.get({}, "polluted")).toBeUndefined();
      expect(Reflect.get(Object(request.traits), "polluted")).toBeUndefined();
    },
  );

  test("follows dots, list indexes and backslashes in names", () => {
    const names = [
      "traits.name.first",
      "traits.phones.1",
      "traits.phones.0",
      "traits.a\\.b\\\\c",
      "traits.tags.7",
    ];
    const nodes = names.map((name) => input(name, InputType.TEXT, { listItem: /\.\d$/.test(name) }));
    const data = Object.fromEntries(names.map((name, index) => [name, String(index)]));
    expect(submitted(nodes, data).traits).toEqual({
      name: { first: "0" },
      phones: ["2", "1"],
      "a.b\\c": "3",
      tags: ["4"],
    });
  });

  test.each<[string, InputType, string | undefined, JsonValue | undefined]>([
    ["a text", InputType.TEXT, "a", "a"],
    ["an empty text", InputType.TEXT, "", undefined],
    ["a text that looks like a number", InputType.TEXT, "1", "1"],
    ["a number", InputType.NUMBER, " -1.5e2 ", -150],
    ["zero", InputType.NUMBER, "0", 0],
    ["an empty number", InputType.NUMBER, " ", undefined],
    ["a number that is none", InputType.NUMBER, "1,5", "1,5"],
    ["a hexadecimal number", InputType.NUMBER, "0x10", "0x10"],
    ["an infinite number", InputType.NUMBER, "1e999", "1e999"],
    ["a whole number beyond what a double holds", InputType.NUMBER, "9007199254740993", "9007199254740993"],
    ["a ticked checkbox", InputType.CHECKBOX, "on", true],
    ["an empty checkbox", InputType.CHECKBOX, undefined, undefined],
    ["a checkbox that says false", InputType.CHECKBOX, "false", undefined],
    ["a date", InputType.DATE, "2026-01-31", "2026-01-31"],
    ["a field that was not drawn", InputType.TEXT, undefined, undefined],
  ])("reads %s", (_, type, text, expected) => {
    const { traits } = submitted([input("traits.x", type)], text === undefined ? {} : { "traits.x": text });
    expect(traits?.x).toEqual(expected);
  });

  test("takes the last of several values, as a hidden field before a checkbox means it", () => {
    const data = new FormData();
    data.append("traits.x", "false");
    data.append("traits.x", "true");
    expect(registration([input("traits.x", InputType.CHECKBOX)], data).traits).toEqual({ x: true });
  });

  test("ignores files", () => {
    const data = new FormData();
    data.append("traits.x", new Blob(["x"]), "x.txt");
    expect(registration([input("traits.x")], data).traits).toBeUndefined();
  });

  test.each<[JsonValue]>([["red"], [7], [true]])("gives the option %j back with its type", (value) => {
    const options = [{ value: valueInit("other") }, { value: valueInit(value) }];
    const node = input("traits.x", InputType.TEXT, { options });
    expect(submitted([node], { "traits.x": textOf(valueInit(value)) }).traits).toEqual({ x: value });
  });

  test("passes on what is none of the options, so that the server says so beside the field", () => {
    const node = input("traits.x", InputType.TEXT, { options: [{ value: valueInit("red") }] });
    expect(submitted([node], { "traits.x": "blue" }).traits).toEqual({ x: "blue" });
  });

  test("sends a hidden value that the page has not drawn, and gives one that it has its type back", () => {
    const node = input("traits.x", InputType.HIDDEN, { value: valueInit(7) });
    expect(submitted([node], {}).traits).toEqual({ x: 7 });
    expect(submitted([node], { "traits.x": "7" }).traits).toEqual({ x: 7 });
  });

  // A list of objects whose names are numbers would be no object any more, and nobody could register.
  test("takes numbers in names for names, unless the node says that it is an item of a list", () => {
    const names = ["traits.answers.1", "traits.answers.2"];
    const data = form({ "traits.answers.1": "one", "traits.answers.2": "two" });
    const asNames = names.map((name) => input(name));
    expect(registration(asNames, data).traits).toEqual({ answers: { "1": "one", "2": "two" } });
    const asItems = names.map((name) => input(name, InputType.TEXT, { listItem: true }));
    expect(registration(asItems, data).traits).toEqual({ answers: ["one", "two"] });
  });

  test.each(["traits.", "traits..", "traits.a.", "traits.x[0]", "traits.名前", "traits.toString"])(
    "sends the field %s under its own name",
    (name) => {
      const { traits } = submitted([input(name)], { [name]: "x" });
      const parts = name.split(".").slice(1);
      const value = parts.reduce<unknown>((inner, part) => Reflect.get(Object(inner), part), traits);
      expect(value).toBe("x");
    },
  );

  test.each([`traits${".a".repeat(20_000)}`, "a.".repeat(1_000_000), "", ".", ".traits"])(
    "passes over a name that no field can have, in no time (%#)",
    (name) => {
      const before = performance.now();
      expect(submitted([input(name)], { [name]: "x" }).traits).toBeUndefined();
      expect(performance.now() - before).toBeLessThan(2000);
    },
  );

  test.each<[string, NodeInit, string | undefined, JsonValue | undefined]>([
    ["a text that was emptied as null", text("ada"), "", null],
    ["a text that is empty, and was", text(""), "", undefined],
    ["nothing for a text that is as it was", text("ada"), "ada", undefined],
    ["nothing for a text whose line breaks a browser took out", text("a\r\nb"), "ab", undefined],
    ["a text that was changed", text("ada"), "eve", "eve"],
    ["a box whose tick was taken away as false", box(true), undefined, false],
    ["nothing for a box that is ticked still", box(true), "true", undefined],
    ["nothing for a box that never had a tick", box(undefined), undefined, undefined],
    ["nothing for a box that said no", box(false), undefined, undefined],
    ["no for a box that must say something", box(undefined, { required: true }), undefined, false],
    ["nothing for a date that is none", of(InputType.DATE, "13 May"), "", undefined],
    ["nothing for a moment that is none", of(InputType.DATE_TIME, "noon"), "", undefined],
    ["a number that was emptied as null", of(InputType.NUMBER, 5), " ", null],
    ["nothing for a number of an earlier schema", of(InputType.NUMBER, "five"), "five", undefined],
    ["nothing for a value that is no choice", text("old", { options: choices }), "", undefined],
    ["a choice that was taken back as null", text("red", { options: choices }), "", null],
    ["what was not saved, as it stands", text("ada", { unsaved: true }), "ada", "ada"],
    ["null for what was emptied and not saved", text(undefined, { unsaved: true }), "", null],
    ["no for a box that was not saved", box(false, { unsaved: true }), undefined, false],
  ])("sends %s", (_, node, sent, expected) => {
    expect(submitted([node], sent === undefined ? {} : { "traits.x": sent }).traits?.x).toEqual(expected);
  });

  test.each<[string, readonly (string | undefined)[], readonly string[], JsonValue | undefined]>([
    ["nothing where no item changed", ["a", "b", undefined], ["a", "b", ""], undefined],
    ["the whole where one changed", ["a", "b", undefined], ["a", "c", ""], ["a", "c"]],
    ["the rest where one was emptied", ["a", "b", undefined], ["", "b", ""], ["b"]],
    ["[] where the last one was", ["a", undefined], ["", ""], []],
    ["what was added", ["a", undefined], ["a", "b"], ["a", "b"]],
    ["nothing where there was none and is none", [undefined], [""], undefined],
    ["an empty text that is an item", ["", "a", undefined], ["", "b", ""], ["", "b"]],
  ])("sends of a list %s", (_, drawn, sent, expected) => {
    const nodes = drawn.map((value, index) => ({
      ...text(value, { listItem: true }),
      name: `traits.x.${index}`,
    }));
    const values = Object.fromEntries(sent.map((value, index) => [`traits.x.${index}`, value]));
    expect(submitted(nodes, values).traits?.x).toEqual(expected);
  });

  test("says which traits the form was drawn from", () => {
    const flow = flowOf(FlowKind.SETTINGS, [text("Ada"), button("profile")]);
    flow.traitsEtag = "etag-1";
    const request = formDataToRequest(
      flow,
      form({ "traits.x": "Augusta" }),
      "profile",
      SubmitSettingsFlowRequestSchema,
    );
    expect(request).toMatchObject({ traitsEtag: "etag-1", traits: { x: "Augusta" } });
  });

  test("leaves out fields of a newer server that the contract does not know", () => {
    const request = submitted([input("shoeSize", InputType.NUMBER)], { shoeSize: "42" });
    expect(request.step.case).toBe("password");
  });
});

function loginFlow(nodes?: readonly NodeInit[]) {
  const standard = [
    input("identifier"),
    input("csrfToken", InputType.HIDDEN, { value: valueInit("token") }),
    input("password.password", InputType.PASSWORD),
    button("password"),
  ];
  return flowOf(FlowKind.LOGIN, nodes ?? standard);
}

function flowOf(kind: FlowKind, nodes: readonly NodeInit[]) {
  const common = { id: "ost_flw_1", csrfToken: "token", client: ClientKind.BROWSER };
  return create(FlowSchema, { ...common, kind, form: { nodes: [...nodes] } });
}

function submitted(
  nodes: readonly NodeInit[],
  values: Record<string, string>,
): SubmitRegistrationFlowRequest {
  return registration(nodes, form(values));
}

function registration(nodes: readonly NodeInit[], data: FormData): SubmitRegistrationFlowRequest {
  const flow = flowOf(FlowKind.REGISTRATION, [...nodes, button("password")]);
  return formDataToRequest(flow, data, "password", SubmitRegistrationFlowRequestSchema);
}

function form(values: Record<string, string>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(values)) data.append(name, value);
  return data;
}

function input(
  name: string,
  type: InputType = InputType.TEXT,
  more: Omit<Extract<NonNullable<NodeInit["kind"]>, { case: "input" }>["value"], "$typeName"> = {},
): NodeInit {
  return { name, kind: { case: "input", value: { ...more, type } } };
}

type InputMore = NonNullable<Parameters<typeof input>[2]>;

/** A node for the trait `x`, with a value. */
function of(type: InputType, value: JsonValue | undefined, more: InputMore = {}): NodeInit {
  return input("traits.x", type, value === undefined ? more : { ...more, value: valueInit(value) });
}

function text(value: JsonValue | undefined, more?: InputMore): NodeInit {
  return of(InputType.TEXT, value, more);
}

function box(value: JsonValue | undefined, more?: InputMore): NodeInit {
  return of(InputType.CHECKBOX, value, more);
}

function button(step: string): NodeInit {
  return { name: step, kind: { case: "button", value: { step } } };
}

function valueInit(json: JsonValue) {
  return fromJson(ValueSchema, json);
}
