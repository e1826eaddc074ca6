import { describe, expect, test } from "vitest";
import { DomainError } from "../errors.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { saveLabel } from "../user-message/user-messages.ts";
import { button, type InputKind, type ListKind, type Node, nodeName } from "./form.ts";
import { readForm } from "./form-submission.ts";

function field(name: string, input: Partial<InputKind> = {}, more: Partial<Node> = {}): Node {
  return { name, messages: [], element: { kind: "input", type: "text", ...input }, ...more };
}

/** A list of values; `of` is the field of an item. */
function list(
  name: string,
  values: readonly (JsonValue | undefined)[],
  of: Partial<InputKind> = {},
  more: Partial<ListKind> = {},
): Node {
  return {
    name,
    messages: [],
    element: {
      kind: "list",
      template: [field("", of)],
      items: values.map((value, index) => [field(`${name}.${index}`, { ...of, value })]),
      minItems: 0,
      maxItems: undefined,
      readOnly: false,
      unsaved: false,
      ...more,
    },
  };
}

/** A list of people: a name, and whether they are friends. */
function people(values: readonly JsonObject[], more: Partial<ListKind> = {}): Node {
  const nodes = (prefix: string, value: JsonObject = {}) => [
    field(`${prefix}.name`, { value: value.name }),
    field(`${prefix}.friend`, { type: "checkbox", value: value.friend }),
  ];
  const items = values.map((value, index) => nodes(`traits.people.${index}`, value));
  return list("traits.people", [], {}, { template: nodes(""), items, ...more });
}

const choices = (...values: JsonValue[]) => values.map((value) => ({ value, label: saveLabel() }));

const nodes: readonly Node[] = [
  field("identifier", { maxLength: 10 }),
  field("traits.email", { type: "email", value: "ada@example.com" }),
  field("traits.age", { type: "number", value: 36 }),
  field("traits.news", { type: "checkbox", value: true }),
  field("traits.born", { type: "date" }),
  field("traits.name.last", { value: undefined }),
  field("traits.size", { type: "text", choices: choices(1, 2, "3") }),
  field("traits.number", { value: "4711", readOnly: true }),
  field(nodeName("traits", "a.b\\c", "")),
  list("traits.phones", ["one", "two"]),
  list("traits.counts", [1], { type: "number" }),
  field("password.password", { type: "password", maxLength: 20 }, { step: "password" }),
  button("password", saveLabel()),
  field("code.code", { type: "code" }, { step: "code" }),
  button("code", saveLabel()),
  button("profile", saveLabel()),
];

function read(values: JsonObject, pressed = "profile", form: readonly Node[] = nodes) {
  return readForm(
    { flowId: "f", csrfToken: "c", traitsEtag: "", pressed, values: new Map(Object.entries(values)) },
    form,
  );
}

/** Field and reason of each violation, or the error's own reason. */
function refused(values: JsonObject, pressed?: string, form?: readonly Node[]): readonly string[] {
  try {
    read(values, pressed, form);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return error.reason === "REQUEST_INVALID"
      ? error.violations.map(({ field: name, reason }) => `${name} ${reason}`)
      : [error.reason];
  }
  return [];
}

const traitsOf = (values: JsonObject, form?: readonly Node[]) => read(values, "profile", form).traits;

describe("a form's names", () => {
  test("become the fields of the typed submit", () => {
    expect(read({ identifier: "ada", "password.password": "secret", "traits.age": 37 }, "password")).toEqual({
      flowId: "f",
      csrfToken: "c",
      step: { name: "password", fields: { password: "secret" } },
      identifier: "ada",
      address: "",
      traits: { age: 37 },
      traitsEtag: "",
    });
  });

  test("are read with their escapes", () => {
    expect(traitsOf({ "traits.a\\.b\\\\c.": "x" })).toEqual({ "a.b\\c": { "": "x" } });
    // Written in another way it is another name.
    expect(refused({ "traits.\\age": 1 })).toEqual(["traits.\\age UNKNOWN_FIELD"]);
  });

  test.each([
    "traits.nothing",
    "traits",
    "traits.email.x",
    "traits.name",
    "",
    "password",
    "code",
    "flowId",
    "step",
    "__proto__",
    "constructor",
    "traits.__proto__.admin",
    "traits.constructor",
    "traits.phones.__proto__",
    "traits.phones.-1",
    "traits.phones.01",
    "traits.phones.1e1",
    "traits.phones.x",
    "traits.phones.0.",
    "traits.phones.99999999999",
    "traits.phones.0.x",
    // A read-only node is not filled in.
    "traits.number",
  ])("that the form does not have are refused: %s", (name) => {
    expect(refused({ [name]: "x" })).toEqual([`${name} UNKNOWN_FIELD`]);
  });

  test("that JavaScript gives a meaning to are refused even if a schema has them", () => {
    for (const name of ["traits.__proto__.admin", "traits.constructor", "traits.prototype"]) {
      expect(refused({ [name]: "x" }, "profile", [...nodes, field(name)])).toEqual([`${name} UNKNOWN_FIELD`]);
    }
  });

  test("all that are wrong are named at once", () => {
    expect(refused({ nope: 1, "traits.age": 1, "traits.nope": 2 })).toEqual([
      "nope UNKNOWN_FIELD",
      "traits.nope UNKNOWN_FIELD",
    ]);
  });

  test("may not lie within each other", () => {
    expect(refused({ "traits.phones": ["x"], "traits.phones.0": "y" })).toEqual(["traits.phones CONFLICT"]);
    const both = [...nodes, field("traits.name")];
    expect(refused({ "traits.name": "x", "traits.name.last": "y" }, "profile", both)).toEqual([
      "traits.name.last CONFLICT",
    ]);
  });

  test("of a step that was not pressed are ignored, also if they are wrong", () => {
    const values = { "password.password": "secret", "code.code": "x".repeat(100) };
    expect(read(values, "profile").step).toEqual({ name: "profile", fields: {} });
    expect(read({ ...values, "code.code": "1" }, "code").step).toEqual({
      name: "code",
      fields: { code: "1" },
    });
  });
});

describe("a step", () => {
  test("is one that the form has a button for", () => {
    for (const step of ["deleteAccount", "", "identifier", "traits", "__proto__"]) {
      expect(refused({}, step)).toEqual(["STEP_NOT_OFFERED"]);
    }
  });

  test("is judged before any name", () => {
    expect(refused({ nope: 1 }, "deleteAccount")).toEqual(["STEP_NOT_OFFERED"]);
  });
});

describe("texts", () => {
  test.each<[string, string, JsonValue | undefined]>([
    ["traits.age", "37", 37],
    ["traits.age", " -1.5e2 ", -150],
    // Kept as it was typed; the schema then refuses it beside the field.
    ["traits.age", "9007199254740993", "9007199254740993"],
    ["traits.age", "1e-999", "1e-999"],
    ["traits.age", "1e999", "1e999"],
    ["traits.age", "0x10", "0x10"],
    ["traits.age", "Infinity", "Infinity"],
    ["traits.age", "", null],
    ["traits.news", "on", true],
    ["traits.news", "true", true],
    ["traits.news", "0", false],
    ["traits.news", "", false],
    ["traits.born", "2001-02-03", "2001-02-03"],
    ["traits.born", "", undefined],
    ["traits.email", "", null],
    ["traits.email", " ", " "],
    ["traits.size", "2", 2],
    ["traits.size", "3", "3"],
    ["traits.size", "4", "4"],
  ])("%s = %j is %j", (name, text, value) => {
    const [, trait = ""] = name.split(".");
    expect(traitsOf({ [name]: text })).toEqual(value === undefined ? {} : { [trait]: value });
  });

  test("that are no value for a field are refused by it", () => {
    expect(refused({ "traits.news": "maybe", "traits.age": [1], "traits.email": {} })).toEqual([
      "traits.news TYPE",
      "traits.age TYPE",
      "traits.email TYPE",
    ]);
    expect(refused({ identifier: 7 }, "password")).toEqual(["identifier TYPE"]);
  });

  test("are no longer than in a typed submit", () => {
    expect(refused({ identifier: "x".repeat(11) }, "password")).toEqual(["identifier TOO_LONG"]);
    expect(refused({ identifier: "😀".repeat(10) }, "password")).toEqual([]);
    // The method decides on the length of a password or a code.
    expect(refused({ "password.password": "x".repeat(4096) }, "password")).toEqual([]);
    expect(refused({ "password.password": "x".repeat(4097) }, "password")).toEqual([
      "password.password TOO_LONG",
    ]);
    expect(refused({ "code.code": "x".repeat(64) }, "code")).toEqual([]);
    expect(refused({ "code.code": "x".repeat(65) }, "code")).toEqual(["code.code TOO_LONG"]);
  });
});

describe("null", () => {
  test("empties what has a value, and makes nothing", () => {
    expect(traitsOf({ "traits.email": null, "traits.name.last": null })).toEqual({ email: null });
    expect(read({ identifier: null, "password.password": null }, "password")).toMatchObject({
      identifier: "",
      step: { fields: {} },
    });
  });

  test("empties what was typed and not saved", () => {
    const form = [field("traits.name.last", { unsaved: true }), button("profile", saveLabel())];
    expect(traitsOf({ "traits.name.last": null }, form)).toEqual({ name: { last: null } });
  });
});

describe("lists", () => {
  test("keep the items that are left out", () => {
    expect(traitsOf({ "traits.phones.1": "2" })).toEqual({ phones: ["one", "2"] });
    expect(traitsOf({ "traits.phones.0": null })).toEqual({ phones: ["two"] });
    expect(traitsOf({ "traits.phones.0": "", "traits.phones.1": null })).toEqual({ phones: [] });
  });

  test("that are sent as they were drawn are not sent", () => {
    expect(traitsOf({ "traits.phones.0": "one", "traits.phones.1": "two", "traits.phones.2": "" })).toEqual(
      {},
    );
    expect(
      traitsOf({ "traits.phones": null }, [list("traits.phones", []), button("profile", saveLabel())]),
    ).toEqual({});
    expect(
      traitsOf({ "traits.phones.0": "" }, [list("traits.phones", []), button("profile", saveLabel())]),
    ).toEqual({});
  });

  test("take further items, each with the next index", () => {
    expect(traitsOf({ "traits.phones.2": "3", "traits.phones.4": "5", "traits.phones.3": "4" })).toEqual({
      phones: ["one", "two", "3", "4", "5"],
    });
    expect(traitsOf({ "traits.counts.1": "2", "traits.counts.2": "3" })).toEqual({ counts: [1, 2, 3] });
    expect(refused({ "traits.phones.2": "3", "traits.phones.5": "4" })).toEqual([
      "traits.phones.5 UNKNOWN_FIELD",
    ]);
  });

  test("may be sent as a whole", () => {
    expect(traitsOf({ "traits.counts": ["5", 6, "", null] })).toEqual({ counts: [5, 6] });
    expect(traitsOf({ "traits.counts": [] })).toEqual({ counts: [] });
    // An empty text is an item if a program sends the whole list, and no item if it comes from a field.
    expect(traitsOf({ "traits.phones": ["", "two"] })).toEqual({ phones: ["", "two"] });
    expect(traitsOf({ "traits.counts": null })).toEqual({ counts: null });
    expect(refused({ "traits.counts": "5" })).toEqual(["traits.counts TYPE"]);
    expect(refused({ "traits.counts": [1, [2]] })).toEqual(["traits.counts.1 TYPE"]);
  });

  test("that can only be read take nothing", () => {
    const form = [list("traits.phones", ["one"], {}, { readOnly: true }), button("profile", saveLabel())];
    for (const name of ["traits.phones", "traits.phones.0", "traits.phones.1"]) {
      expect(refused({ [name]: ["x"] }, "profile", form)).toEqual([`${name} UNKNOWN_FIELD`]);
    }
  });

  test("without a template take no further item", () => {
    const form = [list("traits.phones", ["one"], {}, { template: [] }), button("profile", saveLabel())];
    expect(refused({ "traits.phones.1": "x" }, "profile", form)).toEqual(["traits.phones.1 UNKNOWN_FIELD"]);
    expect(refused({ "traits.phones": ["one", "x"] }, "profile", form)).toEqual([
      "traits.phones.1 UNKNOWN_FIELD",
    ]);
    expect(traitsOf({ "traits.phones.0": "x" }, form)).toEqual({ phones: ["x"] });
  });

  test("of objects are changed, added to and taken from by the fields of their items", () => {
    const form = [
      people([{ name: "Ada", friend: true }, { name: "Bob" }, { friend: false }]),
      button("profile", saveLabel()),
    ];
    expect(traitsOf({ "traits.people.1.friend": "on" }, form)).toEqual({
      people: [{ name: "Ada", friend: true }, { name: "Bob", friend: true }, { friend: false }],
    });
    expect(traitsOf({ "traits.people.3.name": "Eve", "traits.people.3.friend": "" }, form)).toEqual({
      people: [
        { name: "Ada", friend: true },
        { name: "Bob" },
        { friend: false },
        { name: "Eve", friend: false },
      ],
    });
    // A checkbox without a tick is not enough to make an item, nor to keep one that was emptied.
    expect(traitsOf({ "traits.people.0.name": "", "traits.people.0.friend": false }, form)).toEqual({
      people: [{ name: "Bob" }, { friend: false }],
    });
    expect(traitsOf({ "traits.people.3.name": "", "traits.people.3.friend": false }, form)).toEqual({});
    const untouched = {
      "traits.people.0.name": "Ada",
      "traits.people.0.friend": "on",
      "traits.people.2.friend": "",
    };
    expect(traitsOf(untouched, form)).toEqual({});
    expect(refused({ "traits.people.0.age": 1, "traits.people.0": {} }, "profile", form)).toEqual([
      "traits.people.0.age UNKNOWN_FIELD",
      "traits.people.0 UNKNOWN_FIELD",
    ]);
  });

  test("of objects may be sent as a whole, with the members that the form has", () => {
    const form = [people([{ name: "Ada", friend: true }]), button("profile", saveLabel())];
    const whole: JsonValue = [{ name: "Ada", friend: "on" }, { friend: false }, {}, { name: "" }];
    expect(traitsOf({ "traits.people": whole }, form)).toEqual({
      people: [{ name: "Ada", friend: true }, { friend: false }, {}, { name: "" }],
    });
    const wrong: JsonValue = [
      { name: "Ada", admin: true, deep: { er: 1 } },
      "x",
      JSON.parse('{"__proto__":1}'),
    ];
    expect(refused({ "traits.people": wrong }, "profile", form)).toEqual([
      "traits.people.0.admin UNKNOWN_FIELD",
      "traits.people.0.deep.er UNKNOWN_FIELD",
      "traits.people.1 TYPE",
      "traits.people.2.__proto__ UNKNOWN_FIELD",
    ]);
  });
});

describe("variants", () => {
  const when = (value: string, clears?: string) => ({
    condition: { name: "traits.pay.by", values: [value], clears },
  });
  const form = [
    field("traits.pay.by", { value: "card", choices: choices("card", "bank") }),
    field("traits.pay.card", { value: "4111" }, when("card", "traits.pay.card")),
    field("traits.pay.iban", {}, when("bank")),
    // The name has another type in each variant.
    field("traits.pay.note", { type: "number", value: 1 }, when("card", "traits.pay.note")),
    field("traits.pay.note", { type: "text" }, when("bank")),
    button("profile", saveLabel()),
  ];

  test("that were left are emptied", () => {
    expect(
      traitsOf({ "traits.pay.by": "bank", "traits.pay.iban": "DE1", "traits.pay.note": "2" }, form),
    ).toEqual({
      pay: { by: "bank", iban: "DE1", card: null, note: "2" },
    });
    expect(traitsOf({ "traits.pay.by": "bank" }, form)).toEqual({
      pay: { by: "bank", card: null, note: null },
    });
  });

  test("that are not chosen take nothing, also if a page sends values for them", () => {
    const all = {
      "traits.pay.by": "card",
      "traits.pay.card": "4222",
      "traits.pay.iban": "DE1",
      "traits.pay.note": "2",
    };
    expect(traitsOf(all, form)).toEqual({ pay: { by: "card", card: "4222", note: 2 } });
    expect(traitsOf({ "traits.pay.iban": "DE1" }, form)).toEqual({});
  });
});

describe("a button's value", () => {
  const provider = (value: string): Node => ({
    ...button("oidc", saveLabel()),
    name: "oidc.provider",
    element: { kind: "button", value },
  });
  const form = [provider("google"), provider("github"), button("password", saveLabel())];

  test("is one that a button of that name has", () => {
    expect(read({ "oidc.provider": "github" }, "oidc", form).step.fields).toEqual({ provider: "github" });
    expect(refused({ "oidc.provider": "evil" }, "oidc", form)).toEqual(["oidc.provider VALUE"]);
    expect(read({ "oidc.provider": "github" }, "password", form).step.fields).toEqual({});
  });
});
