import { create, fromJson, type JsonValue, type MessageInitShape } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { ClientKind, type Flow, FlowKind, FlowSchema } from "../../../gen/ostiary/flow/v1/flow_pb.js";
import { type FormNodeSchema, InputType } from "../../../gen/ostiary/flow/v1/form_pb.js";
import { describeForm } from "./form/describe-form.ts";
import { keepTyped } from "./form/keep-typed.ts";
import { formDataToValues } from "./form-data.ts";
import { jsonOf } from "./form-value.ts";

type NodeInit = MessageInitShape<typeof FormNodeSchema>;

const protoValue = (value: JsonValue) => fromJson(ValueSchema, value);
const channels = ["mail", "sms", "post"].map((value) => ({ value: protoValue(value) }));

/** A list of boxes, of which some are ticked. */
function boxes(...ticked: readonly string[]): NodeInit {
  const node = (name: string, value?: string): NodeInit => ({
    name,
    kind: {
      case: "input",
      value: { type: InputType.TEXT, choices: channels, ...(value && { value: protoValue(value) }) },
    },
  });
  const items = ticked.map((value, at) => ({ nodes: [node(`traits.channels.${at}`, value)] }));
  return {
    name: "traits.channels",
    kind: { case: "list", value: { template: [node("")], items, choices: channels } },
  };
}

/** A list of people, one of whom only an operator names. */
function people(names: readonly string[], fixed?: number): NodeInit {
  const node = (name: string, value?: string, readOnly = false): NodeInit => ({
    name,
    kind: {
      case: "input",
      value: { type: InputType.TEXT, readOnly, ...(value && { value: protoValue(value) }) },
    },
  });
  const items = names.map((value, at) => ({
    nodes: [node(`traits.people.${at}.name`, value, at === fixed)],
  }));
  return { name: "traits.people", kind: { case: "list", value: { template: [node(".name")], items } } };
}

const agreed = (value?: boolean, required = true): NodeInit => ({
  name: "traits.terms",
  kind: {
    case: "input",
    value: {
      type: InputType.CHECKBOX,
      consent: true,
      required,
      ...(value !== undefined && { value: protoValue(value) }),
    },
  },
});

function flowWith(node: NodeInit, kind = FlowKind.SETTINGS): Flow {
  const button: NodeInit = { name: "profile", step: "profile", kind: { case: "button", value: {} } };
  return create(FlowSchema, { id: "f", kind, client: ClientKind.BROWSER, form: { nodes: [node, button] } });
}

function formOf(entries: readonly (readonly [string, string])[]): FormData {
  const data = new FormData();
  for (const [name, value] of entries) data.append(name, value);
  return data;
}

/** The values that a filled-in form sends. */
function sent(node: NodeInit, entries: readonly (readonly [string, string])[]) {
  const { values } = formDataToValues(flowWith(node), formOf(entries), "profile");
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, jsonOf(value)]));
}

const ticks = (...values: readonly string[]) =>
  ["", ...values].map((value) => ["traits.channels", value] as const);

describe("a list of boxes", () => {
  test("is sent as the values that are ticked; those that stay keep their places", () => {
    expect(sent(boxes("post", "mail"), ticks("mail", "sms", "post"))).toEqual({
      "traits.channels": ["post", "mail", "sms"],
    });
    expect(sent(boxes("mail"), ticks())).toEqual({ "traits.channels": [] });
  });

  test("is not sent if nobody changed it, or if its boxes were not drawn", () => {
    expect(sent(boxes("post", "mail"), ticks("mail", "post"))).toEqual({});
    expect(sent(boxes(), ticks())).toEqual({});
    expect(sent(boxes("mail"), [])).toEqual({});
  });

  test("takes nothing that is no choice", () => {
    expect(sent(boxes("mail"), ticks("mail", "fax", "__proto__"))).toEqual({});
  });

  test("can be drawn as a list of fields by a page that knows no boxes", () => {
    expect(sent(boxes("mail"), [["traits.channels.0", "sms"]])).toEqual({ "traits.channels": ["sms"] });
  });

  test("keeps its ticks in a fresh form", () => {
    const kept = keepTyped(flowWith(boxes("mail")), formOf(ticks("sms")), flowWith(boxes("mail")));
    const [list] = describeForm(kept).parts[0]?.elements ?? [];
    expect(list?.kind === "list" && list.boxes?.filter(({ checked }) => checked)).toMatchObject([
      { value: "sms" },
    ]);
    const untouched = keepTyped(flowWith(boxes("post")), formOf(ticks("mail")), flowWith(boxes("mail")));
    // What the account has in the meantime is newer than what nobody changed.
    expect(untouched.form?.nodes[0]).toEqual(flowWith(boxes("post")).form?.nodes[0]);
  });
});

describe("an item of a list", () => {
  test("is taken out by an empty text under its name", () => {
    const filled = [
      ["traits.people.0", ""],
      ["traits.people.1.name", "Bob"],
    ] as const;
    expect(sent(people(["Ada", "Bob"]), filled)).toEqual({ "traits.people": [{ name: "Bob" }] });
    expect(sent(people(["Ada"]), [["traits.people.0", ""]])).toEqual({ "traits.people": [] });
  });

  test("that was added and taken out again leaves a gap that does not count", () => {
    const filled = [
      ["traits.people.0.name", "Ada"],
      ["traits.people.2.name", "Eve"],
    ] as const;
    expect(sent(people(["Ada"]), filled)).toEqual({ "traits.people": [{ name: "Ada" }, { name: "Eve" }] });
  });

  test("stays taken out in a fresh form", () => {
    const filled = formOf([
      ["traits.people.0", ""],
      ["traits.people.1.name", "Bob"],
    ]);
    const kept = keepTyped(flowWith(people(["Ada", "Bob"])), filled, flowWith(people(["Ada", "Bob"])));
    const [list] = describeForm(kept).parts[0]?.elements ?? [];
    expect(list?.kind === "list" && list.items.flat()).toMatchObject([
      { name: "traits.people.0.name", value: "Bob" },
    ]);
  });

  test("cannot be taken out before one that only an operator changes", () => {
    const [list] = describeForm(flowWith(people(["Ada", "Bob", "Eve"], 1))).parts[0]?.elements ?? [];
    const can = list?.kind === "list" && [0, 1, 2, 3].map((index) => list.item(index).canTakeOut);
    expect(can).toEqual([false, false, true, true]);
  });
});

describe("a box that says yes", () => {
  test("says nothing without a tick, and null when the tick was taken away", () => {
    expect(sent(agreed(), [])).toEqual({});
    expect(sent(agreed(), [["traits.terms", "true"]])).toEqual({ "traits.terms": true });
    expect(sent(agreed(true, false), [])).toEqual({ "traits.terms": null });
    expect(sent(agreed(true), [["traits.terms", "true"]])).toEqual({});
  });
});

describe("a group", () => {
  const input = (name: string, ...groups: readonly string[]): NodeInit => ({
    name,
    groups: groups.map((each) => ({ name: each, label: { text: each.toUpperCase() } })),
    kind: { case: "input", value: { type: InputType.TEXT } },
  });
  const namesIn = (nodes: readonly NodeInit[]) => {
    const flow = create(FlowSchema, { client: ClientKind.BROWSER, form: { nodes: [...nodes] } });
    type Elements = NonNullable<ReturnType<typeof describeForm>["parts"][number]>["elements"];
    const shown = (elements: Elements): unknown[] =>
      elements.map((each) => (each.kind === "group" ? [each.label, ...shown(each.elements)] : each.name));
    const [part] = describeForm(flow).parts;
    return { drawn: shown(part?.elements ?? []), fields: part?.fields.map(({ name }) => name) };
  };

  test("holds the nodes that follow each other in it, and groups within it", () => {
    const { drawn, fields } = namesIn([
      input("a"),
      input("b", "x"),
      input("c", "x", "y"),
      input("d", "x", "y"),
      input("e", "x"),
      input("f", "z"),
      input("g", "x"),
    ]);
    expect(drawn).toEqual(["a", ["X", "b", ["Y", "c", "d"], "e"], ["Z", "f"], ["X", "g"]]);
    expect(fields).toEqual(["a", "b", "c", "d", "e", "f", "g"]);
  });
});

describe("a link", () => {
  const fieldWith = (link: NonNullable<NodeInit["link"]>, language?: string) => {
    const node: NodeInit = { name: "a", link, kind: { case: "input", value: { type: InputType.TEXT } } };
    const flow = create(FlowSchema, { client: ClientKind.BROWSER, form: { nodes: [node] } });
    return describeForm(flow, { language }).parts[0]?.fields[0]?.link;
  };

  test("leads to the page in the language of the person", () => {
    const link = { url: "https://a.example/", urls: { de: "https://a.example/de" }, label: { text: "A" } };
    expect(fieldWith(link, "de-AT")).toEqual({ url: "https://a.example/de", label: "A" });
    expect(fieldWith(link, "fr")).toEqual({ url: "https://a.example/", label: "A" });
  });

  test("that leads to no web page is left out", () => {
    for (const url of [
      "javascript:alert(1)",
      " javascript:alert(1)",
      "data:text/html,x",
      "//a.example",
      "",
    ]) {
      expect(fieldWith({ url, label: { text: "A" } })).toBeUndefined();
    }
  });
});
