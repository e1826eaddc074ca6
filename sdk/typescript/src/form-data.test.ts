// SPDX-License-Identifier: Apache-2.0
import { create, fromJson, type JsonValue, type MessageInitShape } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { ClientKind, FlowKind, FlowSchema } from "../../../gen/ostiary/flow/v1/flow_pb.js";
import { type FormNode, FormNodeSchema, InputType } from "../../../gen/ostiary/flow/v1/form_pb.js";
import { type SentForm, sentForm } from "../../../test/support/sent-form.ts";
import { formDataToValues } from "./form-data.ts";
import { textOf } from "./form-value.ts";

type NodeInit = MessageInitShape<typeof FormNodeSchema>;

const choices = ["red", "blue"].map((choice) => ({ value: fromJson(ValueSchema, choice) }));

describe("formDataToValues", () => {
  test("fills the common fields and those of the pressed button's step", () => {
    const request = sentForm(
      loginFlow(),
      form({ identifier: "ada@example.com", "password.password": " secret " }),
      "password",
    );
    expect(request.identifier).toBe("ada@example.com");
    // A password is taken exactly as typed.
    expect(request.step).toMatchObject({ case: "password", value: { password: " secret " } });
  });

  test("takes the button's node as well as the name of its step", () => {
    const flow = loginFlow();
    const pressed = flow.form?.nodes.find((node) => node.kind.case === "button");
    const data = form({ identifier: "ada", "password.password": "x" });
    expect(pressed && sentForm(flow, data, pressed)).toEqual(sentForm(flow, data, "password"));
  });

  test("names the step even if none of its fields were filled in", () => {
    const { step } = sentForm(loginFlow(), form({}), "password");
    expect(step).toEqual({ case: "password", value: {} });
  });

  test("refuses a button that the form does not have, and a node that is none", () => {
    const flow = loginFlow();
    const field = flow.form?.nodes[0];
    expect(() => sentForm(flow, form({}), "code")).toThrow(TypeError);
    expect(() => field && sentForm(flow, form({}), field)).toThrow(TypeError);
  });

  test("takes a step and a kind of flow that are newer than the package", () => {
    const flow = loginFlow([{ ...input("telepathy.thought"), step: "telepathy" }, button("telepathy")]);
    flow.kind = 99 as FlowKind;
    const { step } = sentForm(flow, form({ "telepathy.thought": "x" }), "telepathy");
    expect(step).toEqual({ case: "telepathy", value: { thought: "x" } });
  });

  test("does not send the fields of another step", () => {
    const nodes = [
      input("password.password", InputType.PASSWORD),
      input("telepathy.thought"),
      button("password"),
    ];
    const request = sentForm(
      loginFlow(nodes),
      form({ "password.password": "x", "telepathy.thought": "y" }),
      "password",
    );
    expect(JSON.stringify(request)).not.toContain("thought");
  });

  // Security rule (SR-FLOW-10): the page decides nothing but the values of the fields that the form offers.
  test("drops names that the form does not offer, also flowId and csrfToken", () => {
    const request = submitted([], {
      flowId: "other",
      csrfToken: "other",
      "traits.role": "admin",
      extra: "1",
    });
    expect(request).toEqual({ step: { case: "password", value: {} } });
  });

  // Security rule (SR-FLOW-10): no name of a field can reach a prototype.
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
    const nodes = [
      ...["traits.name.first", "traits.a\\.b\\\\c"].map((name) => input(name)),
      ...["traits.phones", "traits.tags"].map((name) => list(name, [])),
    ];
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
    const both = [{ value: valueInit("other") }, { value: valueInit(value) }];
    const node = input("traits.x", InputType.TEXT, { choices: both });
    expect(submitted([node], { "traits.x": textOf(valueInit(value)) }).traits).toEqual({ x: value });
  });

  test("passes on what is none of the options, so that the server says so beside the field", () => {
    const node = input("traits.x", InputType.TEXT, { choices: [{ value: valueInit("red") }] });
    expect(submitted([node], { "traits.x": "blue" }).traits).toEqual({ x: "blue" });
  });

  test("sends a hidden value that the page has not drawn, and gives one that it has its type back", () => {
    const node = input("traits.x", InputType.HIDDEN, { value: valueInit(7) });
    expect(submitted([node], {}).traits).toEqual({ x: 7 });
    expect(submitted([node], { "traits.x": "7" }).traits).toEqual({ x: 7 });
  });

  // A list of objects whose names are numbers would be no object any more, and nobody could register.
  test("takes numbers in names for names, unless they are of the items of a list", () => {
    const names = ["traits.answers.1", "traits.answers.2"];
    const data = form({ "traits.answers.1": "one", "traits.answers.2": "two" });
    const asNames = names.map((name) => input(name));
    expect(registration(asNames, data).traits).toEqual({ answers: { "1": "one", "2": "two" } });
    expect(registration([list("traits.answers", [])], data).traits).toEqual({ answers: ["one", "two"] });
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
    ["nothing for a time of day that is none", of(InputType.TIME, "noon"), "", undefined],
    [
      "nothing for a time of day without the seconds that it has not",
      of(InputType.TIME, "noon"),
      "noon",
      undefined,
    ],
    ["a time of day that was emptied as null", of(InputType.TIME, "18:30:00Z"), "", null],
    ["what can be no time of day as it is", of(InputType.TIME, undefined), "25:00", "25:00"],
    ["nothing for a moment that is none", of(InputType.DATE_TIME, "noon"), "", undefined],
    ["a number that was emptied as null", of(InputType.NUMBER, 5), " ", null],
    ["nothing for a number of an earlier schema", of(InputType.NUMBER, "five"), "five", undefined],
    ["nothing for a value that is no choice", text("old", { choices }), "", undefined],
    ["a choice that was taken back as null", text("red", { choices }), "", null],
    ["what was not saved, as it stands", text("ada", { unsaved: true }), "ada", "ada"],
    ["null for what was emptied and not saved", text(undefined, { unsaved: true }), "", null],
    ["no for a box that was not saved", box(false, { unsaved: true }), undefined, false],
  ])("sends %s", (_, node, sent, expected) => {
    expect(submitted([node], sent === undefined ? {} : { "traits.x": sent }).traits?.x).toEqual(expected);
  });

  test.each<[string, readonly string[], readonly string[], JsonValue | undefined]>([
    ["nothing where no item changed", ["a", "b"], ["a", "b", ""], undefined],
    ["the whole where one changed", ["a", "b"], ["a", "c", ""], ["a", "c"]],
    ["the rest where one was emptied", ["a", "b"], ["", "b", ""], ["b"]],
    ["[] where the last one was", ["a"], ["", ""], []],
    ["what was added", ["a"], ["a", "b"], ["a", "b"]],
    ["nothing where there was none and is none", [], [""], undefined],
    ["an empty text that is an item", ["", "a"], ["", "b", ""], ["", "b"]],
  ])("sends of a list %s", (_, drawn, sent, expected) => {
    const values = Object.fromEntries(sent.map((value, index) => [`traits.x.${index}`, value]));
    expect(submitted([list("traits.x", drawn)], values).traits?.x).toEqual(expected);
  });

  test.each<[string, Record<string, string>, JsonValue | undefined]>([
    ["nothing where nobody touched it", { "traits.x.0.name": "Ada", "traits.x.0.age": "36" }, undefined],
    [
      "an item that was added, with the types of its members",
      { "traits.x.0.name": "Ada", "traits.x.0.age": "36", "traits.x.1.name": "Eve", "traits.x.1.age": "7" },
      [
        { name: "Ada", age: 36 },
        { name: "Eve", age: 7 },
      ],
    ],
    [
      "an item without the member that was emptied",
      { "traits.x.0.name": "", "traits.x.0.age": "36" },
      [{ age: 36 }],
    ],
    ["[] where all members of the only one were", { "traits.x.0.name": "", "traits.x.0.age": "" }, []],
    [
      "no item of an index that no list has",
      { "traits.x.99999.name": "Eve", "traits.x.-1.name": "Eve" },
      undefined,
    ],
  ])("sends of a list of objects %s", (_, values, expected) => {
    const members = (prefix: string, name?: JsonValue, age?: JsonValue): FormNode[] =>
      [
        { ...of(InputType.TEXT, name), name: `${prefix}.name` },
        { ...of(InputType.NUMBER, age), name: `${prefix}.age` },
      ].map((node) => create(FormNodeSchema, node));
    const items = [{ nodes: members("traits.x.0", "Ada", 36) }];
    const node: NodeInit = {
      name: "traits.x",
      kind: { case: "list", value: { template: members(""), items } },
    };
    expect(submitted([node], values).traits?.x).toEqual(expected);
  });

  test("sends no read-only trait, also if a page has a field for it", () => {
    const nodes = [text("a", { readOnly: true }), list("traits.y", ["a"], { readOnly: true })];
    expect(
      submitted(nodes, { "traits.x": "b", "traits.y.0": "b", "traits.y.1": "c" }).traits,
    ).toBeUndefined();
  });

  test("sends again a list that was not saved", () => {
    expect(submitted([list("traits.x", ["a"], { unsaved: true })], { "traits.x.0": "a" }).traits).toEqual({
      x: ["a"],
    });
  });

  describe("of variants", () => {
    const chooser = (value: JsonValue) => ({ ...text(value, { choices: both }), name: "traits.kind" });
    const both = ["card", "bank"].map((each) => ({ value: valueInit(each) }));
    const member = (variant: string, name: string, value?: JsonValue, clears = name): NodeInit => ({
      name,
      kind: text(value).kind,
      condition: { name: "traits.kind", values: [valueInit(variant)], clears },
    });
    const nodes = (kind: string): NodeInit[] => [
      chooser(kind),
      member("card", "traits.number", kind === "card" ? "42" : undefined),
      member("card", "traits.holder.name", kind === "card" ? "Ada" : undefined, "traits.holder"),
      member("bank", "traits.iban", "DE1", ""),
    ];

    test("sends nothing of the one that was left: the server empties it", () => {
      const values = { "traits.kind": "bank", "traits.number": "43", "traits.iban": "DE2" };
      expect(submitted(nodes("card"), values).traits).toEqual({
        kind: "bank",
        iban: "DE2",
      });
    });

    test("sends nothing of those that are not chosen", () => {
      expect(
        submitted(nodes("card"), { "traits.kind": "card", "traits.iban": "DE2" }).traits,
      ).toBeUndefined();
      expect(submitted(nodes("card"), { "traits.kind": "card", "traits.number": "43" }).traits).toEqual({
        number: "43",
      });
    });
  });

  describe("of variants in an item of a list", () => {
    const both = ["card", "bank"].map((each) => ({ value: valueInit(each) }));
    const members = (item: string, kind?: string, more: InputMore = {}): FormNode[] => {
      const of = (variant: string, name: string, { kind: element }: NodeInit) =>
        create(FormNodeSchema, {
          name: `${item}.${name}`,
          kind: element,
          condition: { name: `${item}.kind`, values: [valueInit(variant)] },
        });
      const chooser = { name: `${item}.kind`, kind: text(kind, { choices: both }).kind };
      return [
        create(FormNodeSchema, chooser),
        of("card", "number", text(undefined)),
        of("bank", "iban", text(undefined, more)),
        of("bank", "agreed", box(undefined, { required: true })),
        of("bank", "branch", text(undefined, { required: true, choices: [{ value: valueInit("") }] })),
      ];
    };
    const listOf = (...items: FormNode[][]): NodeInit => ({
      name: "traits.x",
      kind: {
        case: "list",
        value: { template: members(""), items: items.map((nodes) => ({ nodes })) },
      },
    });

    test("gives an item that is added nothing of the variant that was not chosen", () => {
      const values = { "traits.x.0.kind": "card", "traits.x.0.number": "42", "traits.x.0.iban": "" };
      expect(submitted([listOf()], values).traits).toEqual({ x: [{ kind: "card", number: "42" }] });
    });

    test("takes what was typed into a variant for nothing once another one is chosen", () => {
      const values = { "traits.x.0.kind": "card", "traits.x.0.number": "42", "traits.x.0.iban": "DE1" };
      expect(submitted([listOf()], values).traits).toEqual({ x: [{ kind: "card", number: "42" }] });
    });

    test("leaves what an item holds of a variant that was never drawn", () => {
      const held = members("traits.x.0", "card", { value: valueInit("DE1") });
      const values = { "traits.x.0.kind": "card", "traits.x.0.number": "42", "traits.x.0.iban": "DE1" };
      expect(submitted([listOf(held)], values).traits).toEqual({
        x: [{ kind: "card", number: "42", iban: "DE1" }],
      });
    });

    test("takes out what an item holds of the variant that was left", () => {
      const held = members("traits.x.0", "bank", { value: valueInit("DE1") });
      const values = { "traits.x.0.kind": "card", "traits.x.0.number": "42", "traits.x.0.iban": "DE1" };
      expect(submitted([listOf(held)], values).traits).toEqual({ x: [{ kind: "card", number: "42" }] });
    });
  });

  test("gives the value of the button that was pressed to the field that it names", () => {
    const ways: NodeInit[] = ["1", "2"].map((id) => ({
      name: "sendCode.addressId",
      step: "sendCode",
      kind: { case: "button", value: { value: valueInit(id) } },
    }));
    const flow = flowOf(FlowKind.RECOVERY, ways);
    const pressed = sentForm(flow, form({ "sendCode.addressId": "2" }), "sendCode");
    expect(pressed.step).toMatchObject({ case: "sendCode", value: { addressId: "2" } });
    const other = sentForm(flow, form({ "sendCode.addressId": "3" }), "sendCode");
    expect(other.step).toEqual({ case: "sendCode", value: {} });
    // The node alone says it; the data do not count.
    for (const data of [form({}), form({ "sendCode.addressId": "1" })]) {
      expect(sentForm(flow, data, flow.form?.nodes[1] ?? "").step).toMatchObject({
        value: { addressId: "2" },
      });
    }
  });

  test("sends fields of a newer server that the contract does not know", () => {
    const flow = flowOf(FlowKind.REGISTRATION, [input("shoeSize", InputType.NUMBER), button("password")]);
    const { values } = formDataToValues(flow, form({ shoeSize: "42" }), "password");
    expect(values).toEqual({ shoeSize: valueInit(42) });
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

function submitted(nodes: readonly NodeInit[], values: Record<string, string>): SentForm {
  return registration(nodes, form(values));
}

function registration(nodes: readonly NodeInit[], data: FormData): SentForm {
  const flow = flowOf(FlowKind.REGISTRATION, [...nodes, button("password")]);
  return sentForm(flow, data, "password");
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
  return { name, step: stepOf(name), kind: { case: "input", value: { ...more, type } } };
}

/** The step that the server gives to a node of this name. */
function stepOf(name: string): string {
  return /^(password|code|telepathy)\./.exec(name)?.[1] ?? "";
}

/** A list of texts. */
function list(
  name: string,
  values: readonly string[],
  more: { readOnly?: boolean; unsaved?: boolean } = {},
): NodeInit {
  const items = values.map((value, index) => ({ nodes: [{ ...text(value), name: `${name}.${index}` }] }));
  const template = [{ ...text(undefined), name: "" }];
  return { name, kind: { case: "list", value: { ...more, template, items } } };
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
  return { name: step, step, kind: { case: "button", value: {} } };
}

function valueInit(json: JsonValue) {
  return fromJson(ValueSchema, json);
}
