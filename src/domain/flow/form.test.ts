import { describe, expect, test } from "vitest";
import { invalidValue, required } from "../message/message.ts";
import { type FormProblems, type Node, nodeName, withProblems } from "./form.ts";

const email: Node = {
  name: "traits.email",
  group: "profile",
  messages: [],
  element: { kind: "input", type: "email" },
};

describe("messages about a form", () => {
  test("about a field stand at its node", () => {
    const message = required("email");
    const form = withProblems([email], { fields: [{ name: "traits.email", message }], form: [] });
    expect(form).toEqual({ nodes: [{ ...email, messages: [message] }], messages: [] });
  });

  test("about a field without a node stand at the form, so that none is lost", () => {
    const message = required("phone");
    const form = withProblems([email], { fields: [{ name: "traits.phone", message }], form: [] });
    expect(form).toEqual({ nodes: [email], messages: [message] });
  });

  test("about a field that is not drawn stand at the form as well", () => {
    const message = required("identifier");
    const hidden: Node = { ...email, name: "identifier", element: { kind: "input", type: "hidden" } };
    const form = withProblems([hidden], { fields: [{ name: "identifier", message }], form: [] });
    expect(form).toEqual({ nodes: [hidden], messages: [message] });
  });
});

describe("node names", () => {
  test("separate parts by dots, and escape dots within a part", () => {
    expect(nodeName("traits", "name", "first")).toBe("traits.name.first");
    expect(nodeName("traits", "a.b", "c\\d")).toBe("traits.a\\.b.c\\\\d");
  });
});

describe("a problem of something that has no node of its own", () => {
  const field = (name: string, more: object = {}): Node => ({
    name,
    group: "profile",
    messages: [],
    element: { kind: "input", type: "text", ...more },
  });
  const missing = (name: string) => ({ form: [], fields: [{ name, message: required("x") }] });
  const placed = (nodes: readonly Node[], problems: FormProblems) => {
    const form = withProblems(nodes, problems);
    const at = form.nodes.filter(({ messages }) => messages.length > 0).map(({ name }) => name);
    return { at, form: form.messages.length };
  };

  test("is told at the fields within that must be filled in, by their names", () => {
    const nodes = [
      field("traits.name.first", { required: true }),
      field("traits.name.middle"),
      field("traits.name.last", { required: true }),
      field("traits.names.first", { required: true }),
    ];
    expect(placed(nodes, missing("traits.name"))).toEqual({
      at: ["traits.name.first", "traits.name.last"],
      form: 0,
    });
    const [first] = withProblems(nodes, missing("traits.name")).nodes;
    expect(first?.messages).toEqual([required("first")]);
  });

  test("is told at the first field within, where none must be filled in or it is no lack", () => {
    const nodes = [field("traits.name.first"), field("traits.name.last")];
    expect(placed(nodes, missing("traits.name"))).toEqual({ at: ["traits.name.first"], form: 0 });
    const other = { form: [], fields: [{ name: "traits.name", message: invalidValue("is wrong") }] };
    expect(placed(nodes, other)).toEqual({ at: ["traits.name.first"], form: 0 });
  });

  test("is told above the form where there is no field within", () => {
    expect(placed([field("traits.email")], missing("traits.name"))).toEqual({ at: [], form: 1 });
    expect(placed([field("traits.a\\.b.c")], missing("traits.a"))).toEqual({ at: [], form: 1 });
  });

  test("makes what was left as it was drawn an answer: a box says no, a list has no items", () => {
    const box = field("traits.news", { type: "checkbox" });
    const item = field("traits.tags.0", { listItem: true });
    const drawn = (node: Node, name: string) => withProblems([node], missing(name)).nodes[0]?.element;
    expect(drawn(box, "traits.news")).toMatchObject({ value: false, unsaved: true });
    expect(drawn(item, "traits.tags")).toMatchObject({ unsaved: true });
    expect(drawn(field("traits.note"), "traits.note")).not.toMatchObject({ unsaved: true });
  });
});
