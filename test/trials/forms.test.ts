// Names and patterns with which strangers broke forms: sdk/a10-forms, sdk/a13-odd-names (with odd-names.yaml) and
// schemas/two-patterns. How the pages draw such names is asked in test/ui/odd-names.test.ts.
import { fromJson, type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FlowSchema } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { describeForm } from "../../sdk/typescript/src/form.ts";
import { formDataToValues } from "../../sdk/typescript/src/index.ts";
import { compileSchema } from "../../src/domain/identity/compiled-schema.ts";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { bearer, Caller, native, outcomeOf, tokenIn } from "../support/caller.ts";

const draft = "https://json-schema.org/draft/2020-12/schema";
const email = {
  type: "string",
  format: "email",
  ostiary: { identifier: "email", verifiable: "email", recovery: "email" },
};
const caller = (app: TestApp) => new Caller(app);
const admin = (app: TestApp, method: string, message: object) =>
  new Caller({ publicUrl: app.adminUrl, localUrl: app.adminUrl }).post(
    `/ostiary.identity.v1.IdentityService/${method}`,
    message,
    bearer(app.apiKey),
  );

describe("names of traits", () => {
  /** In other letters, alike but for little, and such as mean something to JavaScript, HTML, JSON paths or SQL. */
  const names = [
    ...["名前", "住所", "имя", "اسم", "ａ", "a", "A", "e\u0301", "\u00e9", "👩‍👧", "ß", "ss"],
    ...[
      "a.b",
      "a-b",
      "a_b",
      "a b",
      "a/b",
      "a\\b",
      "a\\.b",
      "..",
      "x[0]",
      "a[]",
      "'",
      '"',
      "<img src=x>",
      "%41",
      "",
    ],
    ...[
      "toString",
      "length",
      "nodeName",
      "submit",
      "action",
      "getAttribute",
      "append",
      "hasOwnProperty",
      "valueOf",
    ],
    ...[
      "0",
      "1",
      "-1",
      "1e3",
      "01",
      "$ref",
      "$1",
      "null",
      "true",
      "traits",
      "password",
      "csrfToken",
      "flowId",
    ],
    ...["' OR 1=1 --", "{{7*7}}", "a,b", "a=b", "a;b", "a&b", "#", "@", "*"],
  ];
  const numbered = { "1": "First", "2": "Second", "10": "Tenth" };
  const document = {
    type: "object",
    properties: {
      email,
      ...Object.fromEntries(names.map((name, index) => [name, { type: "string", title: `Title ${index}` }])),
      answers: {
        type: "object",
        properties: Object.fromEntries(
          Object.entries(numbered).map(([name, title]) => [name, { type: "string", title }]),
        ),
      },
      nested: {
        type: "object",
        properties: { "0": { type: "object", properties: { "0": { type: "string" } } } },
      },
    },
    required: ["email"],
    additionalProperties: false,
  };
  let app: TestApp;
  beforeAll(async () => {
    const schemas = [{ id: "person", document }];
    app = await startTestApp({
      config: { tenant_defaults: { identity: { default_schema: "person", schemas } } },
    });
  });
  afterAll(() => app.stop());

  const begin = async () => (await caller(app).create("Registration")).body.flow;
  const traitsOf = async (token: string) =>
    (await caller(app).session("GetCurrentSession", { view: "SESSION_VIEW_FULL" }, bearer(token))).body
      .identity.traits;
  /** A trait with a value of its own for each name. */
  const filled = (address: string) => ({
    email: address,
    ...Object.fromEntries(names.map((name, index) => [name, `value ${index}`])),
    answers: { "1": "one", "2": "two", "10": "ten" },
    nested: { "0": { "0": "deep" } },
  });

  interface Node {
    readonly name: string;
    readonly label?: { readonly context?: { readonly title?: string } };
    readonly input?: object;
  }

  test("come back as they were sent, whole", async () => {
    const traits = filled(freshEmail());
    const registered = await caller(app).submit("Registration", await begin(), {
      traits,
      password: { password: goodPassword },
    });
    expect(outcomeOf(registered)).toBe("completed");
    expect(await traitsOf(tokenIn(registered))).toEqual(traits);
    const made = await admin(app, "CreateIdentity", { traits: { ...traits, email: freshEmail() } });
    expect(made.status).toBe(200);
  });

  test("have each a node of its own, with its own title and id, and each value gets where it belongs", async () => {
    const address = freshEmail();
    const flow = await begin();
    const nodes: readonly Node[] = flow.form.nodes.filter(
      ({ name, input }: Node) => input && name.startsWith("traits."),
    );
    expect(new Set(nodes.map(({ name }) => name)).size).toBe(nodes.length);
    expect(nodes).toHaveLength(names.length + 1 + 3 + 1);
    const drawn = fromJson(FlowSchema, flow as JsonValue);
    const { parts } = describeForm(drawn, { client: drawn.client });
    const fields = parts.flatMap((part) => part.fields);
    const ids = fields.flatMap((field) => Object.values(field.ids));
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[a-z][a-z0-9_-]*$/);

    // As a page sends it: all that was drawn, by the names of the controls.
    const data = new FormData();
    const titled = new Map(names.map((_, index) => [`Title ${index}`, `value ${index}`]));
    const others = { "1": "one", "2": "two", "10": "ten" };
    for (const { name, label } of nodes) {
      const title = label?.context?.title ?? "";
      const [last = ""] = name.split(".").slice(-1);
      const value =
        name === "traits.email"
          ? address
          : name.startsWith("traits.nested")
            ? "deep"
            : (titled.get(title) ?? others[last as keyof typeof others]);
      data.append(name, value ?? "");
    }
    data.append("password.password", goodPassword);
    const { values: typed } = formDataToValues(drawn, data, "password");
    const entries = Object.entries(typed).map(([name, value]) => [name, toJson(ValueSchema, value)]);
    const values = Object.fromEntries(entries);
    const pressed = await caller(app).press(flow, "password", values);
    expect(outcomeOf(pressed)).toBe("completed");
    expect(await traitsOf(tokenIn(pressed))).toEqual(filled(address));
  });

  test("made of numbers alone stay an object when settings are saved", async () => {
    const traits = filled(freshEmail());
    const fields = { traits, password: { password: goodPassword } };
    const token = tokenIn(await caller(app).submit("Registration", await begin(), fields));
    const { flow } = (await caller(app).create("Settings", native, bearer(token))).body;
    const values = { "traits.answers.2": "second", "traits.nested.0.0": "deeper" };
    const saved = await caller(app).press(flow, "profile", values, bearer(token));
    expect(outcomeOf(saved)).toBe("saved");
    expect(await traitsOf(token)).toEqual({
      ...traits,
      answers: { ...traits.answers, "2": "second" },
      nested: { "0": { "0": "deeper" } },
    });
  });

  test.each([
    "traits.__proto__",
    "traits.__proto__.polluted",
    "__proto__.polluted",
    "traits.constructor.prototype.polluted",
    "traits.answers.__proto__.polluted",
    "traits.answers.3",
    "traits.answers",
    "traits.answers.1.x",
    "traits.nobody",
    "traits.email.0",
    "traits.email.",
    ".traits.email",
    "traits..email",
    "traits[email]",
    "TRAITS.email",
    "traits",
    "flowId",
    "csrfToken",
    `traits${".a".repeat(400)}`,
  ])("that the form does not have are refused, and make nothing: %s", async (name) => {
    const address = freshEmail();
    const values = { "traits.email": address, "password.password": goodPassword, [name]: "x" };
    const answer = await caller(app).press(await begin(), "password", JSON.parse(JSON.stringify(values)));
    expect(outcomeOf(answer)).toBe("REQUEST_INVALID");
    expect(JSON.stringify(answer.body)).toContain("UNKNOWN_FIELD");
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    const found = await admin(app, "LookUpIdentity", { identifier: address });
    expect(found.status).toBe(404);
  });
});

describe("the form helpers of the SDK, with names of a hostile server", () => {
  test.each(
    [
      "__proto__.polluted",
      "traits.__proto__.polluted",
      "traits.constructor.prototype.polluted",
      "constructor.prototype.polluted",
      "a[__proto__][polluted]",
      "toString",
      "hasOwnProperty.call",
      `${"a.".repeat(20_000)}a`,
      `traits.${"a.".repeat(20_000)}a`,
      "traits.".repeat(5_000),
      "0".repeat(30_000),
      "traits.4294967295",
      "traits.1e9",
      "\\".repeat(20_000),
      "[".repeat(20_000),
    ].map((name) => [name.length > 60 ? `${name.slice(0, 20)}… of ${name.length} letters` : name, name]),
  )("pollute nothing and take no time: %s", (_, name = "") => {
    const data = new FormData();
    for (let count = 0; count < 3; count++) data.append(name, "x");
    const label = { id: 1, text: "L" };
    const nodes: JsonObject[] = [
      { name, step: "password", label, input: { type: "INPUT_TYPE_TEXT" } },
      { name: "password", step: "password", label, button: {} },
    ];
    const flow = fromJson(FlowSchema, {
      ...{ id: "f", kind: "FLOW_KIND_LOGIN", client: "CLIENT_KIND_BROWSER" },
      form: { nodes },
    });
    const before = process.threadCpuUsage();
    try {
      const { values } = formDataToValues(flow, data, "password");
      expect(Object.keys(values).filter((each) => each.split(".").includes("__proto__"))).toEqual([]);
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError);
    }
    const described = describeForm(flow, {});
    const { user } = process.threadCpuUsage(before);
    expect(described.parts.length).toBeGreaterThan(0);
    expect(user / 1_000).toBeLessThan(500);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});

describe("several patterns in one schema", () => {
  const text = (pattern: string) => ({ type: "string", pattern });
  const zip = text("^[0-9]{5}$");
  const country = text("^[A-Z]{2}$");
  type Case = readonly [
    name: string,
    schema: JsonObject,
    valid: readonly JsonObject[],
    invalid: readonly JsonObject[],
  ];

  const cases: readonly Case[] = [
    [
      "of two properties",
      { properties: { zip, country } },
      [{ zip: "12345", country: "DE" }, {}, { zip: "12345" }],
      [{ zip: "12345", country: "12345" }, { zip: "DE", country: "DE" }, { country: "12345" }],
    ],
    [
      "of two properties, in the other order",
      { properties: { country, zip } },
      [{ zip: "12345", country: "DE" }],
      [
        { zip: "12345", country: "12345" },
        { zip: "DE", country: "DE" },
      ],
    ],
    [
      "for names",
      {
        patternProperties: { "^a_": { type: "integer" }, "^b_": { type: "string" } },
        additionalProperties: false,
      },
      [{ a_x: 1, b_x: "t" }, { b_x: "t" }],
      [{ a_x: 1, c: 3 }, { b_x: 5 }, { a_x: "t" }],
    ],
    [
      "for names and for a value",
      {
        properties: { k: country },
        patternProperties: { "^x-": { type: "string" } },
        additionalProperties: false,
      },
      [{ k: "DE", "x-a": "t" }],
      [{ k: "x-" }, { k: "DE", AB: 1 }, { k: "DE", "x-a": 1 }],
    ],
    [
      "for names that overlap",
      { patternProperties: { "^a": { type: "string" }, b$: { maxLength: 2 } } },
      [{ ab: "xx" }, { a: "xxx" }],
      [{ ab: "xxx" }, { ab: 1 }],
    ],
    [
      "for all names, and for a value",
      { propertyNames: { pattern: "^[a-z]+$" }, properties: { zip } },
      [{ zip: "12345" }],
      [{ zip: "abc" }, { ZIP: "12345" }],
    ],
    [
      "of items",
      { properties: { zips: { type: "array", items: zip }, countries: { type: "array", items: country } } },
      [{ zips: ["12345"], countries: ["DE", "FR"] }],
      [{ countries: ["12345"] }, { zips: ["12345", "DE"] }],
    ],
    [
      "of items by their places",
      { properties: { pair: { type: "array", prefixItems: [zip, country] } } },
      [{ pair: ["12345", "DE"] }],
      [{ pair: ["12345", "12345"] }, { pair: ["DE", "DE"] }],
    ],
    [
      "of branches",
      { properties: { place: { anyOf: [zip, country] } } },
      [{ place: "12345" }, { place: "DE" }],
      [{ place: "de" }],
    ],
    [
      "of which one must not be",
      { properties: { place: { ...text("^[A-Z0-9]+$"), not: { pattern: "^[0-9]+$" } } } },
      [{ place: "A1" }],
      [{ place: "11" }, { place: "a" }],
    ],
    [
      "within each other",
      {
        properties: {
          zip,
          in: {
            type: "object",
            properties: { country, more: { type: "object", properties: { c: text("^c$") } } },
          },
        },
      },
      [{ zip: "12345", in: { country: "DE", more: { c: "c" } } }],
      [{ in: { country: "12345" } }, { in: { more: { c: "DE" } } }],
    ],
    [
      "of definitions",
      {
        $defs: { zip, country },
        properties: {
          zip: { $ref: "#/$defs/zip" },
          country: { $ref: "#/$defs/country" },
          other: { $ref: "#/$defs/zip" },
        },
      },
      [{ zip: "12345", country: "DE", other: "54321" }],
      [{ country: "12345" }, { other: "DE" }],
    ],
    [
      "of which one comes again",
      { properties: { a: zip, b: country, c: zip } },
      [{ a: "12345", b: "DE", c: "54321" }],
      [{ c: "DE" }, { b: "12345" }],
    ],
    [
      "that differ in their case alone",
      { properties: { a: text("^a$"), b: text("^A$") } },
      [{ a: "a", b: "A" }],
      [{ a: "A" }, { b: "a" }],
    ],
  ];

  test.each(cases)("%s hold each where it stands", (_, more, valid, invalid) => {
    const document = { $schema: draft, type: "object", ...more } as JsonObject;
    const { validate } = compileSchema({ id: "x", version: 1, createdAt: new Date(0), document });
    expect(valid.filter((traits) => !validate(traits).valid)).toEqual([]);
    expect(invalid.filter((traits) => validate(traits).valid)).toEqual([]);
    // In another order of checks as well: nothing is kept of the former.
    expect(invalid.toReversed().filter((traits) => validate(traits).valid)).toEqual([]);
  });

  describe("of a server", () => {
    let app: TestApp;
    beforeAll(async () => {
      const document = {
        $schema: draft,
        type: "object",
        properties: { email, zip, country },
        required: ["email"],
        additionalProperties: false,
      };
      const other = {
        $schema: draft,
        type: "object",
        properties: { email, zip: { ...country }, country: { ...zip } },
      };
      // A copy: what comes twice would be an alias in YAML.
      const schemas = structuredClone([{ id: "two", document }]).concat(
        structuredClone([{ id: "other", document: other }]) as never,
      );
      app = await startTestApp({
        config: { tenant_defaults: { identity: { default_schema: "two", schemas } } },
      });
    });
    afterAll(() => app.stop());

    const right = { zip: "12345", country: "DE" };
    const wrong: readonly (readonly [string, object])[] = [
      ["country", { zip: "12345", country: "12345" }],
      ["zip", { zip: "DE", country: "DE" }],
      ["zip", { zip: "DE", country: "12345" }],
    ];

    test("are kept by operators, registrations and settings alike", async () => {
      const made = await admin(app, "CreateIdentity", { traits: { email: freshEmail(), ...right } });
      expect(made.status).toBe(200);
      const password = { password: goodPassword };
      const registered = await caller(app).walk("Registration", {
        traits: { email: freshEmail(), ...right },
        password,
      });
      expect(registered.outcome).toBe("completed");
      const own = bearer(tokenIn(registered.answer));
      for (const [field, traits] of wrong) {
        const refused = await admin(app, "CreateIdentity", { traits: { email: freshEmail(), ...traits } });
        expect([refused.status, refused.reason]).toEqual([400, "TRAITS_INVALID"]);
        expect(JSON.stringify(refused.body)).toContain(`traits.${field}`);
        const swapped = await admin(app, "CreateIdentity", {
          schemaId: "other",
          traits: { email: freshEmail(), ...right },
        });
        expect(swapped.reason).toBe("TRAITS_INVALID");
        const tried = await caller(app).walk("Registration", {
          traits: { email: freshEmail(), ...traits },
          password,
        });
        expect(tried.outcome).toMatch(/TRAITS_INVALID$/);
        const changed = await caller(app).walk("Settings", { traits, profile: {} }, native, own);
        expect(changed.outcome).toMatch(/TRAITS_INVALID$/);
      }
      const current = await caller(app).session("GetCurrentSession", { view: "SESSION_VIEW_FULL" }, own);
      expect(current.body.identity.traits).toMatchObject(right);
    });
  });
});
