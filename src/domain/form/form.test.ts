import { describe, expect, test } from "vitest";
import { invalidValue, required } from "../user-message/user-messages.ts";
import {
  button,
  type Form,
  type FormProblems,
  type Node,
  nodeName,
  withImportance,
  withProblems,
} from "./form.ts";

const email: Node = {
  name: "traits.email",
  messages: [],
  element: { kind: "input", type: "email" },
};

const of = (nodes: readonly Node[]): Form => ({ nodes, messages: [] });

describe("messages about a form", () => {
  test("about a field stand at its node", () => {
    const message = required("email");
    const form = withProblems(of([email]), { fields: [{ name: "traits.email", message }], form: [] });
    expect(form).toEqual({ nodes: [{ ...email, messages: [message] }], messages: [] });
  });

  test("about a field without a node stand at the form, so that none is lost", () => {
    const message = required("phone");
    const form = withProblems(of([email]), { fields: [{ name: "traits.phone", message }], form: [] });
    expect(form).toEqual({ nodes: [email], messages: [message] });
  });

  test("about a field that is not drawn stand at the form as well", () => {
    const message = required("identifier");
    const hidden: Node = { ...email, name: "identifier", element: { kind: "input", type: "hidden" } };
    const form = withProblems(of([hidden]), { fields: [{ name: "identifier", message }], form: [] });
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
    messages: [],
    element: { kind: "input", type: "text", ...more },
  });
  const list = (name: string, items: readonly (readonly Node[])[]): Node => ({
    name,
    messages: [],
    element: {
      kind: "list",
      template: [],
      items,
      minItems: 0,
      maxItems: undefined,
      readOnly: false,
      unsaved: false,
    },
  });
  const missing = (name: string) => ({ form: [], fields: [{ name, message: required("x") }] });
  const placed = (nodes: readonly Node[], problems: FormProblems) => {
    const form = withProblems(of(nodes), problems);
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
    const [first] = withProblems(of(nodes), missing("traits.name")).nodes;
    expect(first?.messages).toEqual([required("traits.name.first")]);
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

  test("is told at the item of a list that it is about, and at the list where that is not drawn", () => {
    const nodes = [list("traits.people", [[field("traits.people.0.name")]])];
    const wrong = (name: string) => ({ form: [], fields: [{ name, message: invalidValue("is wrong") }] });
    const said = (name: string) => {
      const { element, messages } = withProblems(of(nodes), wrong(name)).nodes[0] ?? {};
      const items = element?.kind === "list" ? element.items.flat() : [];
      return { list: messages?.length, item: items[0]?.messages.length };
    };
    expect(said("traits.people.0.name")).toEqual({ list: 0, item: 1 });
    expect(said("traits.people.1.name")).toEqual({ list: 1, item: 0 });
    expect(said("traits.people")).toEqual({ list: 1, item: 0 });
  });

  test("makes what was left as it was drawn an answer: a box says no, a list has no items", () => {
    const box = field("traits.news", { type: "checkbox" });
    const tags = list("traits.tags", []);
    const drawn = (node: Node, name: string) => withProblems(of([node]), missing(name)).nodes[0]?.element;
    expect(drawn(box, "traits.news")).toMatchObject({ value: false, unsaved: true });
    expect(drawn(tags, "traits.tags")).toMatchObject({ unsaved: true });
    expect(drawn(field("traits.note"), "traits.note")).not.toMatchObject({ unsaved: true });
  });
});

describe("one button is the primary one", () => {
  const ranks = (nodes: readonly Node[]) =>
    withImportance(nodes).map(({ element }) => element.kind === "button" && element.importance);
  const plain = (step: string, section?: string): Node => ({ ...button(step, invalidValue("")), section });
  const back = button("back", invalidValue(""), true);

  test("of a form the first that needs its fields, or else the first", () => {
    expect(ranks([back, plain("password"), plain("sendCode")])).toEqual([
      "secondary",
      "primary",
      "secondary",
    ]);
    expect(ranks([back])).toEqual(["primary"]);
  });

  test("of each section, unless a button has an importance of its own", () => {
    const danger = {
      ...plain("deleteAccount", "end"),
      element: { kind: "button", importance: "secondary" },
    } as const;
    expect(ranks([plain("profile", "one"), plain("password", "two"), danger])).toEqual([
      "primary",
      "primary",
      "secondary",
    ]);
  });
});
