import { describe, expect, test } from "vitest";
import { compileSchema } from "../identity/compiled-schema.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import type { Node } from "./form.ts";
import { type TraitFormOptions, traitNodes } from "./trait-nodes.ts";

const list = (more: JsonObject = {}): JsonObject => ({ type: "array", items: { type: "string" }, ...more });

function drawn(property: JsonObject, traits: JsonObject, options: TraitFormOptions = {}) {
  const document = { properties: { x: property }, required: ["x"] };
  const { fields } = compileSchema({ id: "test", version: 1, createdAt: new Date(0), document });
  return traitNodes(fields, traits, options).map(({ name, element, ...more }) => ({
    name,
    ...more,
    ...element,
  }));
}

/** The names of the fields of each item, and whether the list can be changed. */
function listDrawn(property: JsonObject, traits: JsonObject) {
  const [node] = drawn(property, traits);
  if (node?.kind !== "list") return undefined;
  const names = (nodes: readonly Node[]) => nodes.map(({ name }) => name);
  return { items: node.items.map(names), template: names(node.template), readOnly: node.readOnly };
}

describe("a list", () => {
  test.each<[string, JsonObject, JsonObject, number]>([
    ["all items", list(), { x: ["a", "b"] }, 2],
    ["none where there is none", list(), {}, 0],
    ["all items, also if there are too many", list({ maxItems: 1 }), { x: ["a", "b"] }, 2],
    ["items of another type, as they are", list(), { x: ["a", 5, true] }, 3],
    ["200 items", list(), { x: Array.from({ length: 200 }, String) }, 200],
  ])("is drawn with %s", (_, property, traits, count) => {
    expect(listDrawn(property, traits)).toEqual({
      items: Array.from({ length: count }, (__, at) => [`traits.x.${at}`]),
      template: [""],
      readOnly: false,
    });
  });

  test.each<[string, JsonValue]>([
    ["is none", "a"],
    ["has more items than fit", Array.from({ length: 201 }, String)],
  ])("is not drawn if it %s", (_, x) => {
    expect(drawn(list(), { x })).toEqual([]);
  });

  const people = {
    type: "array",
    items: {
      required: ["name"],
      properties: { name: { type: "string" }, home: { properties: { town: { type: "string" } } } },
    },
  };

  test("of objects has the fields of each, and a template of them", () => {
    expect(listDrawn(people, { x: [{ name: "Ada", home: { town: "London" } }, { name: "Eve" }] })).toEqual({
      items: [
        ["traits.x.0.name", "traits.x.0.home.town"],
        ["traits.x.1.name", "traits.x.1.home.town"],
      ],
      template: [".name", ".home.town"],
      readOnly: false,
    });
  });

  // Rule: a list is replaced whole, so it is shown read-only if it holds something that the form does not have.
  test.each<[string, JsonObject, JsonValue]>([
    ["an object among values", list(), ["a", {}]],
    ["a list among values", list(), [["a"]]],
    ["null", list(), ["a", null]],
    ["a member that has no field", people, [{ name: "Ada" }, { name: "Eve", age: 7 }]],
    ["a member that is null", people, [{ name: null }]],
    ["a member that is an empty object", people, [{ name: "Ada", home: {} }]],
  ])("is read-only if it holds %s", (_, property, x) => {
    const shown = listDrawn(property, { x });
    expect(shown).toMatchObject({ readOnly: true, template: [] });
    const [node] = drawn(property, { x });
    const items = node?.kind === "list" ? node.items.flat() : [];
    const isReadOnly = items.map(({ element }) => element.kind === "input" && element.readOnly);
    expect(new Set(isReadOnly)).toEqual(new Set([true]));
  });

  test("takes no more items where a member that they need has no field", () => {
    const items = { required: ["name", "more"], properties: { name: { type: "string" }, more: {} } };
    expect(listDrawn({ type: "array", items }, { x: [{ name: "Ada" }] })).toMatchObject({
      readOnly: false,
      template: [],
    });
  });

  test("asks for its least number of items", () => {
    const [node] = drawn(list({ minItems: 2, maxItems: 5 }), { x: ["a", "b", "c"] });
    expect(node).toMatchObject({ minItems: 2, maxItems: 5 });
    const items = node?.kind === "list" ? node.items.flat() : [];
    expect(items.map(({ element }) => element.kind === "input" && element.required)).toEqual([
      true,
      true,
      false,
    ]);
  });
});

describe("a field", () => {
  test("says what its schema says of it", () => {
    const property = {
      type: "string",
      title: "Profile",
      description: "In a few words.",
      examples: ["I fly kites."],
      default: "Nothing.",
      minLength: 2,
      maxLength: 500,
      ostiary: {
        multi_line: true,
        titles: { de: "Über Sie" },
        descriptions: { de: "In wenigen Worten." },
        ui: { rows: 3 },
      },
    };
    expect(drawn(property, {})).toMatchObject([
      {
        type: "multi_line_text",
        label: {
          id: 1070002,
          text: "Profile",
          context: { name: "traits.x" },
          translations: { de: "Über Sie" },
        },
        help: { id: 9000202, text: "In a few words.", translations: { de: "In wenigen Worten." } },
        placeholder: { id: 9000203, text: "I fly kites." },
        default: "Nothing.",
        minLength: 2,
        maxLength: 500,
        ui: { rows: 3 },
        required: true,
      },
    ]);
  });

  test("begins with the default of a new account, and with nothing of an account that has none", () => {
    const property = { type: "string", default: "red" };
    expect(drawn(property, {}, { isNew: true })).toMatchObject([{ value: "red", unsaved: true }]);
    expect(drawn(property, {})).toMatchObject([{ value: undefined, unsaved: false }]);
    expect(drawn(property, { x: "blue" }, { isNew: true })).toMatchObject([
      { value: "blue", unsaved: false },
    ]);
  });

  test("that only an operator sets is shown and not filled in, if there is something to show", () => {
    const property = { type: "string", readOnly: true };
    expect(drawn(property, { x: "C-1" })).toMatchObject([{ value: "C-1", readOnly: true }]);
    expect(drawn(property, {})).toEqual([]);
  });

  test("has choices with labels, which the schema may give", () => {
    const oneOf: JsonObject[] = [
      { const: "r", title: "Red", ostiary: { titles: { de: "Rot" } } },
      { const: "b" },
    ];
    const [node] = drawn({ type: "string", oneOf }, {});
    expect(node?.kind === "input" && node.choices).toMatchObject([
      {
        value: "r",
        label: {
          id: 9000201,
          text: "Red",
          context: { name: "traits.x", value: "r" },
          translations: { de: "Rot" },
        },
      },
      { value: "b", label: { id: 9000201, text: "b", context: { name: "traits.x", value: "b" } } },
    ]);
  });
});

describe("variants", () => {
  const card = {
    title: "Card",
    required: ["number"],
    properties: { kind: { const: "card" }, number: { type: "string" } },
  };
  const bank = {
    properties: { kind: { const: "bank" }, owner: { properties: { name: { type: "string" } } } },
  };

  test("are tied to the property that tells them apart", () => {
    const nodes = drawn(
      { type: "object", required: ["kind"], oneOf: [card, bank] },
      { x: { kind: "card", number: "4" } },
    );
    const of = (value: string, clears?: string) => ({ name: "traits.x.kind", values: [value], clears });
    expect(nodes).toMatchObject([
      {
        name: "traits.x.kind",
        condition: undefined,
        required: true,
        choices: [{ label: { text: "Card" } }, {}],
      },
      { name: "traits.x.number", condition: of("card", "traits.x.number"), required: true },
      { name: "traits.x.owner.name", condition: of("bank"), required: false },
    ]);
  });

  test.each<[string, JsonObject]>([
    ["nothing tells them apart", { oneOf: [{ properties: { a: {} } }, { properties: { b: {} } }] }],
    [
      "one property is different things",
      {
        oneOf: [card, { properties: { kind: { const: "x" }, number: { type: "integer" } } }],
      },
    ],
    ["they may hold together", { anyOf: [card, bank] }],
  ])("are not drawn if %s, and somebody is told", (_, property) => {
    expect(drawn(property, {})).toEqual([]);
    const document = {
      properties: { x: property, email: { type: "string", ostiary: { identifier: "email" } } },
      required: ["email"],
    };
    const { warnings } = compileSchema({ id: "test", version: 1, createdAt: new Date(0), document });
    expect(warnings).toContainEqual(expect.stringMatching(/^no form can draw x, because of (one|any)Of$/));
  });
});

describe("a value that is not saved", () => {
  test.each<[string, JsonObject, JsonObject, JsonObject, boolean]>([
    ["that was changed", { type: "string" }, { x: "new" }, { x: "old" }, true],
    ["that was emptied", { type: "string" }, {}, { x: "old" }, true],
    ["that is as it was", { type: "string" }, { x: "old" }, { x: "old" }, false],
    ["of a list that lost its items", list(), { x: [] }, { x: ["a"] }, true],
    ["of a list that is as it was", list(), { x: ["a"] }, { x: ["a"] }, false],
  ])("is told from one that is: %s", (_, property, traits, saved, unsaved) => {
    for (const node of drawn(property, traits, { saved })) expect(node).toMatchObject({ unsaved });
  });
});

test("a value that is no choice any more is still one of its field", () => {
  const choice = { enum: ["red", "blue"] };
  const choices = (traits: JsonObject) =>
    drawn(choice, traits).map((node) => node.kind === "input" && node.choices?.map(({ value }) => value));
  expect(choices({ x: "green" })).toEqual([["red", "blue", "green"]]);
  expect(choices({ x: "red" })).toEqual([["red", "blue"]]);
  expect(choices({})).toEqual([["red", "blue"]]);
});

describe("a list of values to choose from", () => {
  const choice = (...values: readonly JsonValue[]): JsonObject => ({
    type: "array",
    items: { enum: [...values] },
  });
  const boxesOf = (property: JsonObject, x?: JsonValue) => {
    const [node] = drawn(property, x === undefined ? {} : { x });
    return node?.kind === "list" ? node.choices?.map(({ value }) => value) : undefined;
  };

  test("has a box for each, also for a value that is no choice any more", () => {
    expect(boxesOf(choice("a", "b"))).toEqual(["a", "b"]);
    expect(boxesOf(choice("a", "b"), ["b", "c"])).toEqual(["a", "b", "c"]);
  });

  test("has none where boxes could not say what it holds", () => {
    expect(boxesOf(choice("a", "b"), ["a", "a"])).toEqual([]);
    expect(boxesOf(choice("", "b"))).toEqual([]);
    expect(boxesOf(list())).toEqual([]);
    expect(boxesOf({ type: "array", items: { properties: { a: { enum: ["a"] } } } })).toEqual([]);
  });

  test("is still drawn with its items and a template, for clients that know no boxes", () => {
    expect(listDrawn(choice("a", "b"), { x: ["b"] })).toEqual({
      items: [["traits.x.0"]],
      template: [""],
      readOnly: false,
    });
  });
});

test("a list begins with its default in the form of a new account, and in no other", () => {
  const property = list({ default: ["a", "b"] });
  const itemsOf = (traits: JsonObject, options: TraitFormOptions) => {
    const [node] = drawn(property, traits, options);
    const nodes = node?.kind === "list" ? node.items.flat() : [];
    const unsaved = node?.kind === "list" && node.unsaved;
    return [nodes.map(({ element }) => element.kind === "input" && element.value), unsaved];
  };
  expect(itemsOf({}, { isNew: true })).toEqual([["a", "b"], true]);
  expect(itemsOf({}, {})).toEqual([[], false]);
  expect(itemsOf({ x: ["c"] }, { isNew: true })).toEqual([["c"], false]);
  expect(itemsOf({ x: [] }, { isNew: true })).toEqual([[], false]);
});

test("groups of an item have the names of their place, and labels without indices", () => {
  const home = { type: "object", title: "Home", properties: { town: { type: "string" } } };
  const [node] = drawn(
    { type: "array", items: { properties: { home } } },
    { x: [{ home: { town: "Bern" } }] },
  );
  if (node?.kind !== "list") throw new Error("there is no list");
  const groupsIn = (nodes: readonly Node[]) => nodes.map(({ groups }) => groups?.map(({ name }) => name));
  expect(groupsIn(node.items.flat())).toEqual([["traits.x.0.home"]]);
  expect(groupsIn(node.template)).toEqual([[".home"]]);
  expect(node.items.flat()[0]?.groups?.[0]?.label.context).toMatchObject({ name: "traits.x.home" });
});
