import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Flow, FlowSchema } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { type FormNode, type InputNode, InputType } from "../../gen/ostiary/flow/v1/form_pb.js";
import { hasRoom, itemNodes } from "../../sdk/typescript/src/form-list.ts";
import { textOf } from "../../sdk/typescript/src/form-value.ts";
import { formDataToValues } from "../../sdk/typescript/src/index.ts";
import { splitFieldPath } from "../../src/domain/field-path.ts";
import { button } from "../../src/domain/form/form.ts";
import { readForm } from "../../src/domain/form/form-submission.ts";
import { traitNodes } from "../../src/domain/form/trait-nodes.ts";
import { type CompiledSchema, compileSchema } from "../../src/domain/identity/compiled-schema.ts";
import { checkChange } from "../../src/domain/identity/own-traits.ts";
import { type JsonObject, type JsonValue, valueAt } from "../../src/domain/json.ts";
import { Secret } from "../../src/domain/secret.ts";
import { saveLabel } from "../../src/domain/user-message/user-messages.ts";
import { toFlow } from "../../src/transport/rpc/convert/flow.ts";
import { fromValues } from "../../src/transport/rpc/convert/value.ts";
import { fieldsOf, untouchedForm } from "../support/filled-form.ts";

/*
 * The rule that saving a form changes what was changed in it and nothing else, over schemas and identities that are made up:
 * through the nodes of the server, the fields of the SDK, what a browser makes of them, what the SDK
 * sends, and what the server reads by the form of what is saved.
 */

/** A part of a schema, and values that follow it. */
interface Shape {
  readonly schema: JsonObject;
  readonly values: fc.Arbitrary<JsonValue>;
}

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }).map((value) => value.replaceAll("\0", "0")),
  fc.constantFrom("", " ", "a\nb", "a\r\nb", "0", "true", "null", "ä 名", "x".repeat(300)),
);
const scalars: readonly Shape[] = [
  { schema: { type: "string" }, values: text },
  { schema: { type: "string", format: "email" }, values: fc.constantFrom("a@b.example", "c@d.example") },
  { schema: { type: "string", format: "uri" }, values: fc.constantFrom("https://a.example/?b", "urn:x") },
  { schema: { type: "string", format: "date" }, values: fc.constantFrom("2026-01-31", "1999-12-01") },
  {
    schema: { type: "string", format: "date-time" },
    values: fc.constantFrom("2026-03-04T05:06:07.123Z", "2026-03-04T05:06:00+02:00", "2026-03-04T00:00:00Z"),
  },
  // As an older version of the schema may have left it.
  { schema: { type: "string", format: "no-such-format" }, values: fc.constantFrom("x", "2026-13-45") },
  { schema: { type: "integer" }, values: fc.maxSafeInteger() },
  { schema: { type: "number" }, values: fc.double({ noNaN: true, noDefaultInfinity: true }) },
  { schema: { enum: ["red", "", "blue"] }, values: fc.constantFrom("red", "", "blue") },
  { schema: { enum: [1, 2.5, -3] }, values: fc.constantFrom(1, 2.5, -3) },
  { schema: { type: "string", enum: ["1", "2"] }, values: fc.constantFrom("1", "2") },
];
const box: Shape = { schema: { type: "boolean" }, values: fc.boolean() };
const free: Shape = {
  schema: { type: "object", additionalProperties: true },
  values: fc.dictionary(fc.constantFrom("x", "1", "", "a.b"), fc.constantFrom<JsonValue>("y", 1, [], {})),
};
const either: Shape = {
  schema: {
    oneOf: [
      { type: "string" },
      { type: "object", properties: { street: { type: "string" } }, required: ["street"] },
    ],
  },
  values: fc.oneof(
    text,
    text.map((street) => ({ street })),
  ),
};
const variant: Shape = {
  schema: {
    type: "object",
    properties: { kind: { type: "string" } },
    anyOf: [{ properties: { size: { type: "integer" } } }, { properties: { size: { type: "string" } } }],
  },
  values: fc.record({ kind: text, size: fc.oneof(fc.integer(), text) }, { requiredKeys: [] }),
};

function variantOf(kind: string): JsonObject {
  const person = { type: "object", properties: { name: { type: "string" }, born: { type: "integer" } } };
  const properties: JsonObject = {
    kind: { const: kind },
    [`${kind}.no`]: { type: "string" },
    [`${kind} of`]: person,
    note: { type: "string" },
    marks: { type: "array", items: { type: "string" } },
  };
  return { required: [`${kind}.no`], additionalProperties: false, properties };
}

/** Variants that one property tells apart; of each, one member is its own and one both have. */
const told: Shape = {
  schema: { type: "object", required: ["kind"], oneOf: ["card", "bank"].map(variantOf) },
  values: fc.constantFrom("card", "bank").chain((kind) =>
    fc
      .record(
        {
          kind: fc.constant(kind),
          [`${kind}.no`]: text,
          [`${kind} of`]: fc.record({ name: text, born: fc.maxSafeInteger() }, { requiredKeys: [] }),
          note: text,
          marks: fc.array(text, { maxLength: 3 }),
        },
        { requiredKeys: ["kind", `${kind}.no`] },
      )
      .map((value): JsonValue => JSON.parse(JSON.stringify(value))),
  ),
};
const titled: Shape = {
  schema: { oneOf: [{ const: "s", title: "Small" }, { const: "l" }], type: "string" },
  values: fc.constantFrom("s", "l"),
};
const several: Shape = {
  schema: { type: "string", ostiary: { multi_line: true } },
  values: fc.constantFrom("a\nb", "a\r\n\r\nb", "", " x ", "a\rb"),
};
const reference: Shape = { schema: { $ref: "#/$defs/word" }, values: text };
const readOnly: Shape = { schema: { type: "string", readOnly: true }, values: text };
const pair: Shape = {
  schema: { type: "array", prefixItems: [{ type: "string" }, { type: "integer" }], items: false },
  values: fc.tuple(text, fc.integer()),
};

function listOf({ schema, values }: Shape): fc.Arbitrary<Shape> {
  return fc.constantFrom(0, 1, 2).map((minItems) => ({
    schema: { type: "array", items: schema, minItems },
    values: fc.array(values, { minLength: minItems, maxLength: 5 }),
  }));
}

const names = fc.constantFrom(
  ...["a", "b", "a.b", "a-b", "A", "名前", "住所", "1", "2", "0", "", "x[0]", "a\\b", "toString", "length"],
);

function objectOf(shapes: fc.Arbitrary<Shape>): fc.Arbitrary<Shape> {
  return fc.dictionary(names, fc.tuple(shapes, fc.boolean()), { maxKeys: 5 }).map((members) => {
    const entries = Object.entries(members);
    const properties = Object.fromEntries(entries.map(([name, [{ schema }]]) => [name, schema]));
    const required = entries.flatMap(([name, [, isRequired]]) => (isRequired ? [name] : []));
    const values = Object.fromEntries(entries.map(([name, [shape]]) => [name, shape.values]));
    return {
      schema: { type: "object", properties, required },
      values: fc.record(values, { requiredKeys: required }).map((value) => ({ ...value })),
    };
  });
}

const { member } = fc.letrec<{ member: Shape }>((tie) => ({
  member: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    fc.constantFrom(
      ...scalars,
      box,
      free,
      either,
      variant,
      told,
      told,
      told,
      titled,
      several,
      reference,
      readOnly,
      pair,
    ),
    fc.constantFrom(...scalars, titled, several, reference).chain(listOf),
    fc.constantFrom(box, free, pair, told).chain(listOf),
    objectOf(tie("member")),
    objectOf(tie("member")).chain(listOf),
  ),
}));

/** A schema, and an identity that follows it. */
const accounts = objectOf(member).chain(({ schema, values }) =>
  values.map((traits) => ({
    schema: compileSchema({
      id: "made-up",
      version: 1,
      createdAt: new Date(0),
      document: { ...schema, $defs: { word: { type: "string", title: "Word" } } },
    }),
    traits: JSON.parse(JSON.stringify(traits)) as JsonObject,
  })),
);

/** The settings flow of somebody, as a client gets it. */
function settingsFlow(schema: CompiledSchema, traits: JsonObject, submitted?: JsonObject): Flow {
  const nodes = traitNodes(schema.fields, submitted ?? traits, { saved: traits, step: "profile" });
  const at = new Date(0);
  return create(
    FlowSchema,
    toFlow({
      id: new Secret("ost_flw_1"),
      kind: "settings",
      client: "native",
      state: "active",
      createdAt: at,
      expiresAt: at,
      returnTo: undefined,
      stage: undefined,
      account: undefined,
      oauth2: undefined,
      form: { nodes: [...nodes, button("profile", saveLabel())], messages: [] },
      csrfToken: undefined,
      traitsEtag: undefined,
    }),
  );
}

/** The traits after a form was sent. */
function afterSending(schema: CompiledSchema, traits: JsonObject, flow: Flow, data: FormData): JsonObject {
  return checkChange(schema, traits, sent(schema, traits, flow, data)).merged;
}

/** The merge patch that the server makes of a form. */
function sent(schema: CompiledSchema, traits: JsonObject, flow: Flow, data: FormData): JsonObject {
  const { step: pressed, values } = formDataToValues(flow, data, "profile");
  const nodes = [...traitNodes(schema.fields, traits, { step: pressed }), button(pressed, saveLabel())];
  return readForm({ flowId: "", csrfToken: "", traitsEtag: "", pressed, values: fromValues(values) }, nodes)
    .traits;
}

// Most of the time goes into compiling the schemas.
const timeout = 120_000;
/** Of the accounts that are counted: with it they have many of each kind of field. */
const seed = 7;

test("a form that nobody touched changes nothing", { timeout }, () => {
  let fields = 0;
  const property = fc.property(accounts, ({ schema, traits }) => {
    fc.pre(schema.validate(traits).valid);
    const flow = settingsFlow(schema, traits);
    expect(sent(schema, traits, flow, untouchedForm(flow))).toEqual({});
    // Neither does a page change anything that hands the values on as they are in the nodes.
    expect(afterSending(schema, traits, flow, nodeValues(flow))).toEqual(traits);
    fields += fieldsOf(flow).length;
  });
  fc.assert(property, { numRuns: 100 });
  // Otherwise the property would hold for nothing. Counted with accounts that are always the same, not by chance.
  fields = 0;
  fc.assert(property, { numRuns: 50, seed });
  expect(fields).toBeGreaterThan(50);
});

test("every single change that a form can make arrives, and no other", { timeout }, () => {
  const made = { fields: 0, items: 0, added: 0, variants: 0 };
  const property = fc.property(accounts, fc.nat(), ({ schema, traits }, choice) => {
    fc.pre(schema.validate(traits).valid);
    const flow = settingsFlow(schema, traits);
    for (const { node, added, list } of changeable(flow)) {
      const change = changeOf(node, list, traits, flow, choice);
      if (change === undefined) continue;
      const data = untouchedForm(flow);
      for (const { name, text } of added) if (text !== undefined) data.append(name, text);
      data.delete(node.name);
      if (change.text !== undefined) data.append(node.name, change.text);
      expect(afterSending(schema, traits, flow, data), node.name).toEqual(change.expected);
      made[change.variant ? "variants" : added.length > 0 ? "added" : list ? "items" : "fields"] += 1;

      // A form that was refused is drawn with what was sent; it arrives when it is sent again as it stands.
      const again = settingsFlow(schema, traits, change.expected);
      expect(afterSending(schema, traits, again, untouchedForm(again)), node.name).toEqual(change.expected);
    }
  });
  fc.assert(property, { numRuns: 100 });
  // As above.
  for (const kind of Object.keys(made) as (keyof typeof made)[]) made[kind] = 0;
  fc.assert(property, { numRuns: 100, seed });
  for (const [kind, count] of Object.entries(made)) expect(count, kind).toBeGreaterThan(5);
});

/** A field that can be changed, the list that it is an item of, and what else is sent where the item is added for it. */
interface Changeable {
  readonly node: FormNode;
  readonly list: FormNode | undefined;
  readonly added: readonly { readonly name: string; readonly text: string | undefined }[];
}

/** The fields that are drawn and can be filled in, and those of an item that is added to each list. */
function changeable(flow: Flow): readonly Changeable[] {
  const nodes = flow.form?.nodes ?? [];
  const drawn = new Map(fieldsOf(flow).map((field) => [field.name, field]));
  const isOpen = (node: FormNode, all: readonly FormNode[]) => {
    const held = node.condition === undefined || shownAsDrawn(node, all);
    return (
      node.kind.case === "input" &&
      !node.kind.value.readOnly &&
      held &&
      node.step === flow.form?.nodes.at(-1)?.step
    );
  };
  return nodes.flatMap((node): Changeable[] => {
    if (!shownAsDrawn(node, nodes)) return [];
    if (node.kind.case !== "list")
      return isOpen(node, nodes) && drawn.has(node.name) ? [{ node, list: undefined, added: [] }] : [];
    const { items, readOnly } = node.kind.value;
    if (readOnly) return [];
    const own = items.flatMap((item) =>
      item.nodes
        .filter((each) => shownAsDrawn(each, item.nodes) && !isReadOnly(each))
        .map((each) => ({ node: each, list: node, added: [] })),
    );
    if (!hasRoom(node, items.length)) return own;
    const copies = itemNodes(node, items.length);
    const added = copies.map(({ name, kind }) => ({
      name,
      text: kind.case === "input" && isBox(kind.value) ? undefined : "",
    }));
    return [
      ...own,
      ...copies
        .filter((each) => shownAsDrawn(each, copies))
        .map((each) => ({ node: each, list: node, added })),
    ];
  });
}

function isReadOnly({ kind }: FormNode): boolean {
  return kind.case === "input" && kind.value.readOnly;
}

function shownAsDrawn({ condition }: FormNode, all: readonly FormNode[]): boolean {
  if (condition === undefined) return true;
  const chooser = all.find(({ name }) => name === condition.name);
  const value = chooser?.kind.case === "input" ? chooser.kind.value.value?.kind.value : undefined;
  return condition.values.some(({ kind }) => kind.value === value);
}

function isBox(input: InputNode): boolean {
  return input.choices.length === 0 && input.type === InputType.CHECKBOX;
}

/** A change of one field, as somebody makes it: what the control then sends, and what the traits are to be. */
function changeOf(
  node: FormNode,
  list: FormNode | undefined,
  traits: JsonObject,
  flow: Flow,
  choice: number,
):
  | { readonly text: string | undefined; readonly expected: JsonObject; readonly variant: boolean }
  | undefined {
  if (node.kind.case !== "input") return undefined;
  const input = node.kind.value;
  const drawn = untouchedForm(flow).get(node.name);
  let text: string | undefined;
  let value: JsonValue | undefined;
  if (isBox(input)) {
    const isTicked = drawn !== null;
    [text, value] = [isTicked ? undefined : "true", !isTicked];
  } else {
    [text, value] = typed(input, choice);
    if (text === (drawn ?? "")) return undefined;
    // A list to choose from cannot say that nothing is chosen where that is a choice.
    if (text === "" && input.value === undefined) return undefined;
  }
  const [, ...path] = splitFieldPath(node.name);
  const siblings = list === undefined ? (flow.form?.nodes ?? []) : itemNodes(list, indexOf(list, node));
  const left = siblings.filter(
    (each) => each.condition?.name === node.name && shownAsDrawn(each, siblings) && !isShownWith(each, value),
  );
  // The members of the object that the chooser is in.
  const gone = left.map(({ name }) => splitFieldPath(name).slice(1, path.length + 1));
  const variant = siblings.some((each) => each.condition?.name === node.name);
  if (list === undefined) {
    const without = gone.reduce((before, place) => changed(before, place, undefined), traits);
    return { text, expected: changed(without, path, value), variant };
  }
  const [, ...place] = splitFieldPath(list.name);
  const index = indexOf(list, node);
  const depth = place.length + 1;
  const before = valueAt(traits, place);
  const items = Array.isArray(before) ? [...before] : [];
  const within = path.slice(depth);
  const item =
    within.length === 0
      ? value
      : filled(
          gone.reduce<JsonObject>(
            (inner, each) => changed(inner, each.slice(depth), undefined),
            changed(
              objectOr(items[index], () => answeredIn(siblings, depth)),
              within,
              value,
            ),
          ),
        );
  items.splice(index, 1, ...(item === undefined ? [] : [item]));
  return { text, expected: changed(traits, place, items), variant };
}

function indexOf(list: FormNode, { name }: FormNode): number {
  return Number(splitFieldPath(name)[splitFieldPath(list.name).length]);
}

function isShownWith({ condition }: FormNode, value: JsonValue | undefined): boolean {
  return condition?.values.some(({ kind }) => kind.value === value) ?? true;
}

function objectOr(value: JsonValue | undefined, otherwise: () => JsonObject): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : otherwise();
}

/** What the fields of an added item say although nobody touches them: a box that must be answered says no. */
function answeredIn(nodes: readonly FormNode[], depth: number): JsonObject {
  return nodes.reduce<JsonObject>((item, { name, kind, condition }) => {
    if (kind.case !== "input" || !kind.value.required || condition !== undefined) return item;
    const isChoice = kind.value.choices.some(({ value }) => value?.kind.value === "");
    if (!isBox(kind.value) && !isChoice) return item;
    return changed(item, splitFieldPath(name).slice(depth + 1), isBox(kind.value) ? false : "");
  }, {});
}

/** An item without objects that are empty; undefined if nothing is left of it but boxes without a tick. */
function filled(item: JsonObject): JsonObject | undefined {
  const leaves: JsonValue[] = [];
  const pruned = (value: JsonObject): JsonObject =>
    Object.fromEntries(
      Object.entries(value).flatMap(([name, inner]): [string, JsonValue][] => {
        if (typeof inner !== "object" || inner === null || Array.isArray(inner)) {
          leaves.push(inner);
          return [[name, inner]];
        }
        const rest = pruned(inner);
        return Object.keys(rest).length === 0 ? [] : [[name, rest]];
      }),
    );
  const result = pruned(item);
  return leaves.some((leaf) => leaf !== false) ? result : undefined;
}

/** What is typed or chosen, as text and as the value that it means; undefined: none. */
function typed(input: InputNode, choice: number): readonly [string, JsonValue | undefined] {
  const { choices } = input;
  if (choices.length > 0) {
    const chosen = choices[choice % (choices.length + 1)]?.value;
    const value = chosen?.kind.value;
    const empty = choices.some((each) => textOf(each.value) === "") ? "" : undefined;
    return [textOf(chosen), typeof value === "object" ? undefined : (value ?? empty)];
  }
  const moment = "2031-02-03T04:05";
  const examples: Record<number, readonly (readonly [string, JsonValue | undefined])[]> = {
    [InputType.NUMBER]: [
      ["42", 42],
      ["-1.5", -1.5],
      ["", undefined],
      ["no number", "no number"],
    ],
    [InputType.DATE]: [
      ["2031-02-03", "2031-02-03"],
      ["", undefined],
    ],
    [InputType.DATE_TIME]: [
      [moment, new Date(moment).toISOString()],
      ["", undefined],
    ],
    [InputType.TIME]: [
      ["04:05", `04:05:00${offsetNow()}`],
      ["", undefined],
    ],
  };
  const texts = [
    ["new", "new"],
    ["", undefined],
    ["0", "0"],
    [" ", " "],
  ] as const;
  const possible = examples[input.type] ?? texts;
  return possible[choice % possible.length] ?? ["new", "new"];
}

/** The offset of local times of today, as RFC 3339 writes it. */
function offsetNow(): string {
  const day = new Date();
  day.setHours(4, 5, 0, 0);
  const minutes = -day.getTimezoneOffset();
  const two = (value: number) => String(value).padStart(2, "0");
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.trunc(size / 60))}:${two(size % 60)}`;
}

/** Traits with another value at a path, or without one. */
function changed(
  traits: JsonObject,
  [name = "", ...rest]: readonly string[],
  value: JsonValue | undefined,
): JsonObject {
  const before = Object.hasOwn(traits, name) ? traits[name] : undefined;
  const others = Object.entries(traits).filter(([key]) => key !== name);
  if (rest.length === 0) return Object.fromEntries(value === undefined ? others : [...others, [name, value]]);
  return Object.fromEntries([
    ...others,
    [
      name,
      changed(
        objectOr(before, () => ({})),
        rest,
        value,
      ),
    ],
  ]);
}

/** A form put together from the values of the nodes, without a browser. */
function nodeValues(flow: Flow): FormData {
  const data = new FormData();
  const nodes = flow.form?.nodes ?? [];
  const items = nodes.flatMap(({ kind }) => (kind.case === "list" ? kind.value.items : []));
  for (const { name, kind } of [...nodes, ...items.flatMap((item) => item.nodes)]) {
    if (kind.case !== "input") continue;
    const { value } = kind.value;
    data.append(name, value === undefined ? "" : String(value.kind.value));
  }
  return data;
}
