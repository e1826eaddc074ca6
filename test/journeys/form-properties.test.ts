import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Flow, FlowSchema } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { type InputNode, InputType } from "../../gen/ostiary/flow/v1/form_pb.js";
import { SubmitSettingsFlowRequestSchema } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { formDataToRequest } from "../../sdk/typescript/src/index.ts";
import { splitFieldPath } from "../../src/domain/field-path.ts";
import { button } from "../../src/domain/flow/form.ts";
import { traitNodes } from "../../src/domain/flow/trait-nodes.ts";
import { type CompiledSchema, compileSchema } from "../../src/domain/identity/compiled-schema.ts";
import { checkChange } from "../../src/domain/identity/own-traits.ts";
import type { JsonObject, JsonValue } from "../../src/domain/json.ts";
import { saveLabel } from "../../src/domain/message/message.ts";
import { Secret } from "../../src/domain/secret.ts";
import { toFlow } from "../../src/transport/rpc/convert/flow.ts";
import { fieldsOf, untouchedForm } from "../support/filled-form.ts";

/*
 * The rule that saving a form changes what was changed in it and nothing else, over schemas and identities that are made up:
 * through the nodes of the server, the fields of the SDK, what a browser makes of them, and the SDK's request.
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
    fc.constantFrom(...scalars, box, free, either, variant, reference, readOnly, pair),
    fc.constantFrom(...scalars, reference).chain(listOf),
    fc.constantFrom(box, free, pair).chain(listOf),
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
  const nodes = traitNodes(schema.fields, submitted ?? traits, traits);
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
      step: undefined,
      account: undefined,
      form: { nodes: [...nodes, button("profile", saveLabel())], messages: [] },
      csrfToken: undefined,
      traitsEtag: undefined,
    }),
  );
}

/** The traits after a form was sent. */
function afterSending(schema: CompiledSchema, traits: JsonObject, flow: Flow, data: FormData): JsonObject {
  return checkChange(schema, traits, sent(flow, data)).merged;
}

function sent(flow: Flow, data: FormData): JsonObject {
  return formDataToRequest(flow, data, "profile", SubmitSettingsFlowRequestSchema).traits ?? {};
}

// Most of the time goes into compiling the schemas.
const timeout = 120_000;

test("a form that nobody touched changes nothing", { timeout }, () => {
  let fields = 0;
  fc.assert(
    fc.property(accounts, ({ schema, traits }) => {
      fc.pre(schema.validate(traits).valid);
      const flow = settingsFlow(schema, traits);
      expect(sent(flow, untouchedForm(flow))).toEqual({});
      // Neither does a page change anything that hands the values on as they are in the nodes.
      expect(afterSending(schema, traits, flow, nodeValues(flow))).toEqual(traits);
      fields += fieldsOf(flow).length;
    }),
    { numRuns: 150 },
  );
  // Otherwise the property would hold for nothing.
  expect(fields).toBeGreaterThan(150);
});

test("every single change that a form can make arrives, and no other", { timeout }, () => {
  let made = 0;
  fc.assert(
    fc.property(accounts, fc.nat(), ({ schema, traits }, choice) => {
      fc.pre(schema.validate(traits).valid);
      const flow = settingsFlow(schema, traits);
      for (const { name } of fieldsOf(flow)) {
        const change = changeOf(flow, traits, name, choice);
        if (change === undefined) continue;
        const data = untouchedForm(flow);
        data.delete(name);
        if (change.text !== undefined) data.append(name, change.text);
        expect(afterSending(schema, traits, flow, data), name).toEqual(change.expected);
        made += 1;

        // A form that was refused is drawn with what was sent; it arrives when it is sent again as it stands.
        const again = settingsFlow(schema, traits, change.expected);
        expect(afterSending(schema, traits, again, untouchedForm(again)), name).toEqual(change.expected);
      }
    }),
    { numRuns: 150 },
  );
  expect(made).toBeGreaterThan(150);
});

/** A change of one field, as somebody makes it: what the control then sends, and what the traits are to be. */
function changeOf(
  flow: Flow,
  traits: JsonObject,
  name: string,
  choice: number,
): { readonly text: string | undefined; readonly expected: JsonObject } | undefined {
  const input = inputOf(flow, name);
  const [, ...path] = splitFieldPath(name);
  const drawn = untouchedForm(flow).get(name);
  const isBox = input.options.length === 0 && input.type === InputType.CHECKBOX;
  if (isBox) {
    const isTicked = drawn !== null;
    return { text: isTicked ? undefined : "true", expected: changed(traits, path, !isTicked, false) };
  }
  const [text, value] = typed(flow, name, choice);
  if (text === drawn) return undefined;
  // A list to choose from cannot say that nothing is chosen where that is a choice.
  if (text === "" && input.value === undefined) return undefined;
  return { text, expected: changed(traits, path, value, input.listItem) };
}

/** What is typed or chosen, as text and as the value that it means; undefined: none. */
function typed(flow: Flow, name: string, choice: number): readonly [string, JsonValue | undefined] {
  const { options } = fieldsOf(flow).find((field) => field.name === name) ?? { options: [] };
  const input = inputOf(flow, name);
  if (options.length > 0) {
    const chosen = choice % (options.length + 1);
    const option = options[chosen]?.value ?? "";
    const value = input.options[chosen]?.value?.kind.value;
    const empty = options.some((each) => each.value === "") ? "" : undefined;
    return [option, typeof value === "object" ? undefined : (value ?? empty)];
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

/** Traits with another value at a path, or without one; of a list the item is put there, added or taken out. */
function changed(
  traits: JsonObject,
  [name = "", ...rest]: readonly string[],
  value: JsonValue | undefined,
  isItem: boolean,
): JsonObject {
  const before = Object.hasOwn(traits, name) ? traits[name] : undefined;
  const others = Object.entries(traits).filter(([key]) => key !== name);
  const [index = ""] = rest;
  if (isItem && rest.length === 1) {
    const list = Array.isArray(before) ? [...before] : [];
    list.splice(Number(index), 1, ...(value === undefined ? [] : [value]));
    return Object.fromEntries([...others, [name, list]]);
  }
  if (rest.length === 0) return Object.fromEntries(value === undefined ? others : [...others, [name, value]]);
  const inner = typeof before === "object" && before !== null && !Array.isArray(before) ? before : {};
  return Object.fromEntries([...others, [name, changed(inner, rest, value, isItem)]]);
}

function inputOf(flow: Flow, name: string): InputNode {
  const kind = flow.form?.nodes.find((node) => node.name === name)?.kind;
  if (kind?.case !== "input") throw new Error(`${name} is no field`);
  return kind.value;
}

/** A form put together from the values of the nodes, without a browser. */
function nodeValues(flow: Flow): FormData {
  const data = new FormData();
  for (const { name, kind } of flow.form?.nodes ?? []) {
    if (kind.case !== "input") continue;
    const { value } = kind.value;
    data.append(name, value === undefined ? "" : String(value.kind.value));
  }
  return data;
}
