// SPDX-License-Identifier: Apache-2.0
import { create, fromJson, type JsonValue, type MessageInitShape } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ClientKind,
  type Flow,
  FlowAccountSchema,
  FlowKind,
  FlowSchema,
} from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import {
  ButtonImportance,
  FormMessageSchema,
  FormMessageType,
  type FormNodeSchema,
  FormSchema,
  FormSectionSchema,
  InputType,
} from "../../../../gen/ostiary/flow/v1/form_pb.js";
import { sentForm } from "../../../../test/support/sent-form.ts";
import type { Ostiary } from "../client.ts";
import { FlowClientError } from "../client-kind.ts";
import { getFlow } from "../flows.ts";
import { describeForm } from "./describe-form.ts";
import type { FormField } from "./field.ts";
import { keepTyped } from "./keep-typed.ts";
import { translator } from "./texts.ts";

type NodeInit = MessageInitShape<typeof FormNodeSchema>;
type ButtonInit = Extract<NonNullable<NodeInit["kind"]>, { case: "button" }>["value"];
type InputInit = Extract<NonNullable<NodeInit["kind"]>, { case: "input" }>["value"];

describe("the parts of a form", () => {
  test("are the common fields and then the steps, each with its own fields and button", () => {
    const { parts, hidden } = describeForm(
      flowOf([
        input("csrfToken", InputType.HIDDEN, { value: protoValue("token") }),
        input("identifier"),
        input("password.password", InputType.PASSWORD),
        button("password", "Sign in", { importance: ButtonImportance.PRIMARY }),
        input("code.code"),
        button("code", "Use the code"),
        button("resend", "Send again"),
      ]),
    );
    expect(hidden).toEqual([{ name: "csrfToken", value: "token" }]);
    expect(
      parts.map(({ step, fields, alternative }) => [step, fields.map(({ name }) => name), alternative]),
    ).toEqual([
      [undefined, ["identifier"], false],
      ["password", ["password.password"], false],
      ["code", ["code.code"], true],
      ["resend", [], false],
    ]);
    expect(parts.flatMap(({ buttons }) => buttons)).toMatchObject([
      { step: "password", label: "Sign in", primary: true, danger: false },
      { step: "code", label: "Use the code", primary: false, danger: false },
      { step: "resend", label: "Send again", primary: false, danger: false },
    ]);
  });

  test("say what a button does, and what to ask before, where that needs saying", () => {
    const keep = button("keepAccount", "Keep");
    const remove = {
      ...button("deleteAccount", "Delete", { danger: true, confirmation: message(9000207, "Really?") }),
      help: message(9000054, "It is gone at once."),
    };
    const { parts } = describeForm(flowOf([keep, input("traits.name"), button("profile", "Save"), remove]));
    expect(parts.flatMap(({ buttons }) => buttons)).toMatchObject([
      { step: "keepAccount", label: "Keep", primary: false, danger: false },
      { step: "profile", label: "Save", primary: false, danger: false },
      {
        step: "deleteAccount",
        label: "Delete",
        primary: false,
        danger: true,
        confirmation: "Really?",
        hint: { id: "ostiary-delete_41_ccount_hint", text: "It is gone at once." },
      },
    ]);
    // What the form begins with is drawn first, before the fields.
    expect(parts.map(({ step }) => step)).toEqual(["keepAccount", undefined, "profile", "deleteAccount"]);
  });

  test("keep whose password is asked for out of sight, where programs that keep passwords find it", () => {
    const chosen = { value: protoValue("ada"), autocomplete: "username" };
    const nodes = [
      input("csrfToken", InputType.HIDDEN, { value: protoValue("token") }),
      input("identifier", InputType.HIDDEN, chosen),
      input("password.password", InputType.PASSWORD),
      button("password", "Sign in"),
    ];
    const flow = { ...flowOf(nodes), kind: FlowKind.LOGIN };
    const { hidden, parts } = describeForm(flow);
    expect(hidden).toEqual([
      { name: "csrfToken", value: "token", autocomplete: undefined },
      { name: "identifier", value: "ada", autocomplete: "username" },
    ]);
    expect(parts.flatMap(({ fields }) => fields.map(({ name }) => name))).toEqual(["password.password"]);
    expect(sentForm(flow, new FormData(), "password")).toMatchObject({ identifier: "ada" });
  });

  test("begin with the heading of their section, and are then no alternatives", () => {
    const flow = flowOf([
      { ...input("traits.name"), step: "profile", section: "profile" },
      { ...button("profile", "Save"), section: "profile" },
      { ...input("password.password", InputType.PASSWORD), section: "password" },
      { ...button("password", "Save"), section: "password" },
    ]);
    const sections = [
      create(FormSectionSchema, { id: "profile", title: message(9000204, "Profile") }),
      create(FormSectionSchema, { id: "password", title: message(9000205, "Password") }),
    ];
    const drawn = describeForm(
      create(FlowSchema, { ...flow, form: create(FormSchema, { nodes: flow.form?.nodes ?? [], sections }) }),
    );
    expect(drawn.parts.map(({ heading, alternative }) => [heading, alternative])).toEqual([
      ["Profile", false],
      ["Password", false],
    ]);
  });

  test("say what their heading says once, where they are about one thing alone", () => {
    const said = (name: string, label: string, section: string): NodeInit => ({
      ...{ name, section, label: message(1, label) },
      kind: { case: "text", value: { text: message(1, "Added today.") } },
    });
    const nodes = [
      ...[said("a", "App", "totp"), { ...button("manage", "Manage"), section: "totp" }],
      ...[said("b", "Keys", "passkey"), said("c", "Laptop", "passkey")],
      said("d", "Acme", "oidc"),
    ];
    const sections = Object.entries({ totp: "App", passkey: "Keys", oidc: "Linked" }).map(([id, title]) =>
      create(FormSectionSchema, { id, title: message(2, title) }),
    );
    const flow = flowOf(nodes);
    const { parts } = describeForm(
      create(FlowSchema, { ...flow, form: create(FormSchema, { nodes: flow.form?.nodes ?? [], sections }) }),
    );
    const labels = parts.flatMap(({ elements }) =>
      elements.flatMap((each) => (each.kind === "text" ? [each.label] : [])),
    );
    expect(labels).toEqual([undefined, "Keys", "Laptop", "Acme"]);
  });

  test("hold what is said of one of several things together with its button", () => {
    const said = (name: string, section: string): NodeInit => ({
      ...{ name, section },
      kind: { case: "text", value: { text: message(1, `Added: ${name}`) } },
    });
    const manage = (value: string, section: string): NodeInit => ({
      ...button("manage", "Manage", { value: protoValue(value), skipsRequired: true }),
      section,
    });
    const flow = flowOf([
      { ...input("traits.name"), step: "profile", section: "profile" },
      { ...button("profile", "Save"), section: "profile" },
      ...[said("a", "passkey"), manage("a", "passkey"), said("b", "passkey"), manage("b", "passkey")],
      ...[said("c", "oidc"), manage("c", "oidc")],
      { ...button("oidc", "Link Acme", { value: protoValue("acme"), skipsRequired: true }), section: "oidc" },
    ]);
    const sections = ["profile", "passkey", "oidc"].map((id) =>
      create(FormSectionSchema, { id, title: message(9000204, id) }),
    );
    const { parts } = describeForm(
      create(FlowSchema, { ...flow, form: create(FormSchema, { nodes: flow.form?.nodes ?? [], sections }) }),
    );
    const drawn = parts.map(({ heading, elements, buttons, alternative }) => [
      heading,
      elements.map(({ name }) => name),
      buttons.map(({ step, sent }) => sent?.value ?? step),
      alternative,
    ]);
    expect(drawn).toEqual([
      ["profile", ["traits.name"], ["profile"], false],
      ["passkey", ["a"], ["a"], false],
      [undefined, ["b"], ["b"], false],
      ["oidc", ["c"], ["c"], false],
      [undefined, [], ["acme"], false],
    ]);
  });

  test("are alternatives with buttons each of which is a choice by itself, below others", () => {
    const provider = (value: string, icon: string): NodeInit => ({
      ...button("oidc", `Continue with ${value}`, { value: protoValue(value), skipsRequired: true, icon }),
      name: "oidc.provider",
      help: message(9000712, `Of ${value}`),
    });
    const flow = flowOf([
      input("identifier"),
      button("identify", "Go on"),
      provider("google", "google"),
      provider("company", ""),
    ]);
    const { parts } = describeForm(flow);
    expect(parts.map(({ step, alternative }) => [step, alternative])).toEqual([
      [undefined, false],
      ["identify", false],
      ["oidc", true],
    ]);
    expect(parts.at(-1)?.buttons).toMatchObject([
      {
        icon: "google",
        sent: { name: "oidc.provider", value: "google" },
        hint: { id: "ostiary-oidc-provider-google_hint", text: "Of google" },
      },
      { icon: undefined, hint: { id: "ostiary-oidc-provider-company_hint" } },
    ]);
    expect(describeForm(flowOf([provider("google", "")])).parts.map((part) => part.alternative)).toEqual([
      false,
    ]);
  });

  test("have texts, images and links among their elements, but none that is a script", () => {
    const anchor = (url: string): NodeInit => ({
      name: "a",
      label: message(1, "Go"),
      kind: { case: "anchor", value: { url } },
    });
    const image = (data: string): NodeInit => ({
      name: "i",
      kind: {
        case: "image",
        value: { source: { case: "data", value: Buffer.from(data) }, mediaType: "image/png" },
      },
    });
    const said: NodeInit = {
      name: "t",
      kind: { case: "text", value: { text: message(1, "Hello"), copyable: true, keepable: true } },
    };
    const nodes = [said, anchor("https://a.example/"), anchor("javascript:alert(1)"), image("x")];
    const [part] = describeForm(flowOf(nodes)).parts;
    expect(part?.elements).toEqual([
      { kind: "text", name: "t", label: undefined, text: "Hello", copyable: true, keepable: true },
      { kind: "anchor", name: "a", label: "Go", url: "https://a.example/" },
      { kind: "image", name: "i", source: "data:image/png;base64,eA==", alternativeText: "" },
    ]);
  });

  test("have lists, to which items are added by the template until there are enough", () => {
    const phone = (name: string, value?: string) =>
      input(name, InputType.PHONE, value === undefined ? {} : { value: protoValue(value) });
    const items = [{ nodes: [phone("traits.phones.0", "+41")] }];
    const value = { template: [phone("")], items, maxItems: 2 };
    const [part] = describeForm(flowOf([{ name: "traits.phones", kind: { case: "list", value } }])).parts;
    const [list] = part?.elements ?? [];
    if (list?.kind !== "list") throw new Error("there is no list");
    expect(part?.fields.map(({ name, value: held }) => [name, held])).toEqual([["traits.phones.0", "+41"]]);
    expect(list.item(1)).toMatchObject({
      name: "traits.phones.1",
      label: "traits.phones 2",
      canTakeOut: true,
      elements: [{ name: "traits.phones.1", value: "", optional: false, attributes: { type: "tel" } }],
    });
    expect([list.canAdd(1), list.canAdd(2)]).toEqual([true, false]);
  });

  test("leave out nodes of a kind that is newer than this package", () => {
    const { parts } = describeForm(flowOf([{ name: "passkey.challenge" }, input("identifier")]));
    expect(parts.flatMap(({ fields }) => fields.map(({ name }) => name))).toEqual(["identifier"]);
  });

  test("of a flow that has no form are none", () => {
    expect(describeForm(create(FlowSchema, { client: ClientKind.BROWSER }))).toEqual({
      title: undefined,
      subtitle: undefined,
      account: undefined,
      messages: [],
      hidden: [],
      parts: [],
      passkeys: [],
    });
  });
});

describe("a number", () => {
  const node = input("x", InputType.NUMBER, { value: protoValue(1.5) });

  test("is shown as the language has it only in a form that reads it so", () => {
    const [field] = describeForm(flowOf([node]), { language: "de" }).parts[0]?.fields ?? [];
    expect(field).toMatchObject({ value: "1.5" });
    expect(field?.attributes).not.toHaveProperty("data-number");
    const [local] =
      describeForm(flowOf([node]), { language: "de", localNumbers: true }).parts[0]?.fields ?? [];
    expect(local).toMatchObject({ value: "1,5", attributes: { "data-number": "de" } });
  });

  test.each([
    [{ step: 1, minimum: 0 }, "numeric"],
    [{ step: 1 }, "decimal"],
    [{ step: 0.5, minimum: 0 }, "decimal"],
  ])("has a keyboard of digits alone where no sign is needed: %j", (more, inputmode) => {
    const [field] = describeForm(flowOf([input("x", InputType.NUMBER, more)])).parts[0]?.fields ?? [];
    expect(field?.attributes).toMatchObject({ inputmode });
  });
});

describe("the attributes of a field", () => {
  test.each<[string, NodeInit, Record<string, string | true>]>([
    ["text", input("x"), { type: "text" }],
    ["e-mail", input("x", InputType.EMAIL), { type: "email", inputmode: "email", autocapitalize: "none" }],
    ["phone", input("x", InputType.PHONE), { type: "tel", inputmode: "tel" }],
    ["url", input("x", InputType.URL), { type: "url", inputmode: "url" }],
    ["number", input("x", InputType.NUMBER), { type: "text", inputmode: "decimal" }],
    ["checkbox", input("x", InputType.CHECKBOX), { type: "checkbox", value: "true" }],
    ["date", input("x", InputType.DATE), { type: "date" }],
    ["date and time", input("x", InputType.DATE_TIME), { type: "datetime-local" }],
    ["time of day", input("x", InputType.TIME), { type: "time" }],
    ["password", input("x", InputType.PASSWORD), { type: "password", spellcheck: "false" }],
    ["a type of a newer server", input("x", 99 as InputType), { type: "text" }],
    ["user name", input("x", InputType.TEXT, { autocomplete: "username" }), { autocapitalize: "none" }],
    [
      "one-time code",
      input("x", InputType.TEXT, { autocomplete: "one-time-code" }),
      { inputmode: "numeric", autocomplete: "one-time-code" },
    ],
    ["required", input("x", InputType.TEXT, { required: true }), { required: true }],
  ])("of type %s", (_, node, expected) => {
    expect(fieldOfNode(node).attributes).toMatchObject({ name: "x", id: "ostiary-x", ...expected });
  });

  // Security rule (SR-PASSWORD-1): a password that is pasted is never cut in silence.
  test("have neither a greatest length nor a pattern", () => {
    const limits = { maxLength: 10, pattern: "^a" };
    expect(Object.keys(fieldOfNode(input("x", InputType.PASSWORD, limits)).attributes).sort()).toEqual(
      ["autocapitalize", "enterkeyhint", "id", "name", "spellcheck", "type"].sort(),
    );
  });

  test("of a new password tell the programs that make passwords how long one is", () => {
    const lengths = { minLength: 12, maxLength: 64, autocomplete: "new-password" };
    expect(fieldOfNode(input("x", InputType.PASSWORD, lengths)).attributes).toMatchObject({
      ...{ minlength: "12", passwordrules: "minlength: 12; maxlength: 64;" },
    });
    const current = { ...lengths, autocomplete: "current-password" };
    expect(fieldOfNode(input("x", InputType.PASSWORD, current)).attributes).not.toHaveProperty("minlength");
  });

  test("of a new password name its rules, by the lengths that it has", () => {
    const rulesOf = (limits: object) =>
      fieldOfNode(input("x", InputType.PASSWORD, { autocomplete: "new-password", ...limits })).rules.map(
        ({ text }) => text,
      );
    const always = ["Different from your name and email", "Not a common password"];
    expect(rulesOf({})).toEqual(always);
    expect(rulesOf({ minLength: 12, maxLength: 64 })).toEqual([
      ...["At least 12 characters", "At most 64 characters"],
      ...always,
    ]);
    expect(fieldOfNode(input("x", InputType.PASSWORD, { minLength: 12 })).rules).toEqual([]);
  });

  test("name the hint, the rules and the error, and say that the value is wrong", () => {
    const node = input("traits.a\\.b", InputType.PASSWORD, { autocomplete: "new-password", minLength: 8 });
    node.help = message(1, "As you like.");
    node.messages = [message(4000002, "Property is missing.", FormMessageType.ERROR)];
    const field = fieldOfNode(node);
    expect(field.hint).toBe("As you like.");
    expect(field.errors).toEqual([{ id: 4000002, kind: "error", text: "Property is missing." }]);
    expect(field.attributes["aria-describedby"]).toBe(
      `${field.ids.hint} ${field.ids.rules} ${field.ids.errors}`,
    );
    expect(field.attributes["aria-invalid"]).toBe("true");
    expect(field.ids.control).toMatch(/^ostiary-[\w-]+$/);
  });

  test("say nothing of the kind without a hint or an error", () => {
    const { attributes } = fieldOfNode(input("x"));
    expect(Object.keys(attributes).filter((name) => name.startsWith("aria-"))).toEqual([]);
  });
});

describe("the ids of a field", () => {
  const idsOf = (name: string) => Object.values(fieldOfNode(input(name)).ids);

  test("are those of its name, without anything that a selector must escape", () => {
    expect(idsOf("traits.email")).toEqual([
      "ostiary-traits-email",
      "ostiary-traits-email_hint",
      "ostiary-traits-email_errors",
      "ostiary-traits-email_rules",
    ]);
    expect(idsOf("traits.名前")[0]).toBe("ostiary-traits-_540d__524d_");
  });

  // Otherwise a label names, and an error describes, another field.
  test("are different for different names", () => {
    const names = [
      ...["名前", "住所", "имя", "имё", "a.b", "a-b", "a_b", "a b", "a\\.b", "a..b", "a", "A", "", "-", "_"],
      ...[
        "a_2d_b",
        "a.hint",
        "a_hint",
        "a-hint",
        "a.errors",
        "a_errors",
        "😀",
        "\ud83d",
        "\ude00",
        "é",
        "e\u0301",
      ],
    ];
    const ids = names.flatMap((name) => idsOf(`traits.${name}`));
    expect(new Set(ids.map((id) => id.toLowerCase())).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z][\w-]*$/);
    const part = fc.oneof(fc.string({ maxLength: 4 }), fc.constantFrom(...names));
    fc.assert(
      fc.property(part, part, (one, other) => {
        const both = [...idsOf(one), ...(one === other ? [] : idsOf(other))];
        expect(new Set(both).size).toBe(both.length);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("the value to begin with", () => {
  test("is that of the node, and never a secret", () => {
    expect(fieldOfNode(input("x", InputType.TEXT, { value: protoValue("Ada") })).value).toBe("Ada");
    expect(fieldOfNode(input("x", InputType.CHECKBOX, { value: protoValue(true) })).checked).toBe(true);
    expect(fieldOfNode(input("x", InputType.PASSWORD, { value: protoValue("secret") })).value).toBe("");
  });

  test("of a moment is the local time, which counts as the same moment when it is sent back", () => {
    const node = input("traits.x", InputType.DATE_TIME, { value: protoValue("2026-03-04T05:06:07Z") });
    const flow = flowOf([node, button("password", "OK")]);
    const { value } = fieldOfNode(node);
    expect(value).toMatch(/^2026-03-0\dT\d\d:\d\d:07$/);
    const data = new FormData();
    data.set("traits.x", value);
    expect(sentForm(flow, data, "password")).not.toHaveProperty("traits");
    data.set("traits.x", value.replace(/:07$/, ":08"));
    expect(sentForm(flow, data, "password")).toMatchObject({
      traits: { x: "2026-03-04T05:06:08.000Z" },
    });
  });

  test("of a time of day is the local one of today, which is sent back with its offset where it was changed", () => {
    const node = input("traits.x", InputType.TIME, { value: protoValue("18:30:07Z") });
    const flow = flowOf([node, button("password", "OK")]);
    const { value } = fieldOfNode(node);
    expect(value).toMatch(/^\d\d:\d\d:07$/);
    const data = new FormData();
    data.set("traits.x", value);
    expect(sentForm(flow, data, "password")).not.toHaveProperty("traits");
    data.set("traits.x", value.replace(/:07$/, ":08"));
    const sent = String(sentForm(flow, data, "password").traits?.x);
    expect(sent).toMatch(/^\d\d:\d\d:08[+-]\d\d:\d\d$/);
    const day = new Date().toISOString().slice(0, 10);
    expect(new Date(`${day}T${sent}`).toISOString()).toContain("T18:30:08");
  });

  test("of a choice is one of its options", () => {
    const choices = [{ value: protoValue("red"), label: message(9000201, "Red") }];
    const field = fieldOfNode(input("x", InputType.TEXT, { choices, value: protoValue("red") }));
    expect(field).toMatchObject({
      control: "select",
      value: "red",
      options: [{ value: "red", label: "Red" }],
    });
  });
});

// Security rule (SR-FLOW-3): a page goes on with browser flows alone.
describe("a flow of another kind of client", () => {
  const flow = flowOf([button("password", "OK")]);

  test.each([ClientKind.NATIVE, ClientKind.UNSPECIFIED])("(%s) is not drawn", (client) => {
    expect(() => describeForm({ ...flow, client })).toThrow(FlowClientError);
    expect(() => describeForm({ ...flow, client }, { client: ClientKind.BROWSER })).toThrow(FlowClientError);
  });

  test("is drawn where a native app asks for its own, which then takes no browser's", () => {
    const own = { client: ClientKind.NATIVE };
    expect(describeForm({ ...flow, client: ClientKind.NATIVE }, own).parts).toHaveLength(1);
    expect(() => describeForm(flow, own)).toThrow(/CLIENT_KIND_BROWSER.*CLIENT_KIND_NATIVE/);
  });

  test("is not found again", async () => {
    const native = { ...flow, client: ClientKind.NATIVE };
    const ostiary = { flows: { getFlow: async () => ({ flow: native }) } } as unknown as Ostiary;
    await expect(getFlow(ostiary, "ost_flw_1")).rejects.toThrow(FlowClientError);
    expect((await getFlow(ostiary, "ost_flw_1", ClientKind.NATIVE)).flow).toBe(native);
  });
});

describe("keepTyped", () => {
  const nodes = [
    input("csrfToken", InputType.HIDDEN, { value: protoValue("new token") }),
    input("traits.email", InputType.EMAIL),
    input("traits.age", InputType.NUMBER),
    input("traits.news", InputType.CHECKBOX),
    input("code.code", InputType.TEXT, { autocomplete: "one-time-code" }),
    input("password.password", InputType.PASSWORD),
    button("password", "OK"),
  ];
  const typed = new FormData();
  typed.set("csrfToken", "old token");
  typed.set("traits.email", "ada@example.com");
  typed.set("traits.age", "36");
  typed.set("traits.news", "true");
  typed.set("code.code", "123456");
  typed.set("password.password", "correct horse");

  test("takes over what was typed, with its type", () => {
    const kept = keepTyped(flowOf(nodes), typed, flowOf([]));
    const request = sentForm(kept, valuesOf(kept), "password");
    expect(request).toMatchObject({ traits: { email: "ada@example.com", age: 36, news: true } });
  });

  // Security rule (SR-FLOW-3): what was typed as a secret is typed again.
  test("takes over no password, no code and no hidden value", () => {
    const kept = JSON.stringify(keepTyped(flowOf(nodes), typed, flowOf([])));
    expect(kept).not.toContain("correct horse");
    expect(kept).not.toContain("123456");
    expect(kept).not.toContain("old token");
    expect(kept).toContain("new token");
  });

  test("leaves what the old form did not ask for as the server kept it, but no box ticked", () => {
    const value = protoValue("ada@example.com");
    const flow = flowOf([
      input("traits.email", InputType.EMAIL, { value }),
      input("traits.news", InputType.CHECKBOX, { value: protoValue(true) }),
      button("profile", "OK"),
    ]);
    const kept = keepTyped(flow, new FormData(), flow);
    const request = sentForm(kept, valuesOf(kept), "profile");
    expect(request).toMatchObject({ traits: { news: false } });
    // What was emptied is a field as well.
    const emptied = new FormData();
    emptied.set("traits.email", "");
    const [email] = keepTyped(flow, emptied, flow).form?.nodes ?? [];
    expect(email?.kind.case === "input" && email.kind.value.value).toBeUndefined();
  });

  test("takes over only what was changed of settings, since the rest may be newer in the account", () => {
    const text = (value: string) => input("traits.name", InputType.TEXT, { value: protoValue(value) });
    const nick = (value: string) => input("traits.nick", InputType.TEXT, { value: protoValue(value) });
    const settings = (...fields: NodeInit[]) => ({
      ...flowOf([...fields, button("profile", "Save")]),
      kind: FlowKind.SETTINGS,
    });
    const data = new FormData();
    data.set("traits.name", "old name");
    data.set("traits.nick", "");
    const [old, fresh] = [settings(text("old name"), nick("ada")), settings(text("new name"), nick("ada"))];
    const kept = keepTyped(fresh, data, old);
    expect(valuesOf(kept).get("traits.name")).toBe("new name");
    // What was emptied is emptied when the form is sent as it is drawn now.
    expect(sentForm(kept, valuesOf(kept), "profile")).toMatchObject({ traits: { nick: null } });
  });

  // Security rule (SR-FLOW-3): what was typed for one account is not filled in for another one.
  test("takes over nothing into the form of another account or of another kind", () => {
    const of = (identityId: string, kind = FlowKind.SETTINGS): Flow => ({
      ...flowOf(nodes),
      kind,
      account: create(FlowAccountSchema, { identityId }),
    });
    const fresh = of("2");
    expect(keepTyped(fresh, typed, of("1"))).toBe(fresh);
    expect(keepTyped(fresh, typed, { ...flowOf(nodes), kind: FlowKind.SETTINGS })).toBe(fresh);
    expect(keepTyped(fresh, typed, of("2", FlowKind.LOGIN))).toBe(fresh);
    expect(keepTyped(flowOf(nodes), typed, of("1", FlowKind.REGISTRATION))).toEqual(flowOf(nodes));
    expect(JSON.stringify(keepTyped(fresh, typed, of("2")).form)).toContain("ada@example.com");
  });

  describe("of a list", () => {
    const settings = (...items: string[]): Flow => ({
      ...flowOf([list("traits.phones", items), button("profile", "Save")]),
      kind: FlowKind.SETTINGS,
    });
    const filledIn = (...texts: string[]) => {
      const data = new FormData();
      for (const [index, value] of texts.entries()) data.append(`traits.phones.${index}`, value);
      return data;
    };
    /** The names and values of the items that are drawn, and the list that is sent if nobody touches them. */
    const outcomeOf = (fresh: Flow, data: FormData, former: Flow) => {
      const kept = keepTyped(fresh, data, former);
      const drawn = [...valuesOf(kept)].map(([name, value]) => [name.replace("traits.phones.", ""), value]);
      return { drawn, ...sentForm(kept, valuesOf(kept), "profile").traits };
    };

    test("takes an item out that was emptied", () => {
      expect(outcomeOf(settings("a", "b"), filledIn("a", ""), settings("a", "b"))).toEqual({
        drawn: [
          ["0", "a"],
          ["1", ""],
        ],
        phones: ["a"],
      });
    });

    test("names items that were added by their places, so that the next one gets a name of its own", () => {
      expect(outcomeOf(settings("a", "b"), filledIn("a", "b", "", "new"), settings("a", "b"))).toEqual({
        drawn: [
          ["0", "a"],
          ["1", "b"],
          ["2", "new"],
        ],
        phones: ["a", "b", "new"],
      });
    });

    test("leaves items that were added elsewhere, and puts those that were added here after them", () => {
      const fresh = settings("a", "b", "c");
      expect(outcomeOf(fresh, filledIn("a", "b", "x"), settings("a", "b"))).toMatchObject({
        phones: ["a", "b", "c", "x"],
      });
      expect(outcomeOf(fresh, filledIn("a", "B"), settings("a", "b"))).toMatchObject({
        phones: ["a", "B", "c"],
      });
      // Nothing of what is newer in the account is put back.
      expect(keepTyped(fresh, filledIn("a", "b", ""), settings("a", "b"))).toEqual(fresh);
    });

    test("finds an item again that has another place by now, and overwrites no other one", () => {
      const [fresh, former] = [settings("b"), settings("a", "b")];
      expect(outcomeOf(fresh, filledIn("a", "B"), former)).toMatchObject({ phones: ["B"] });
      expect(outcomeOf(fresh, filledIn("A", "b"), former)).toMatchObject({ phones: ["b", "A"] });
      expect(outcomeOf(fresh, filledIn("b", "c"), former)).toMatchObject({ phones: ["c", "b"] });
    });

    test("keeps all of an item that is gone, and not only what was changed of it", () => {
      const people = (...names: string[]): Flow => {
        const nodesOf = (item: string, name?: string) => [
          input(`${item}.name`, InputType.TEXT, name === undefined ? {} : { value: protoValue(name) }),
          input(`${item}.age`, InputType.NUMBER),
        ];
        const items = names.map((name, index) => ({ nodes: nodesOf(`traits.people.${index}`, name) }));
        const value = { template: nodesOf(""), items };
        const node: NodeInit = { name: "traits.people", kind: { case: "list", value } };
        return { ...flowOf([node, button("profile", "Save")]), kind: FlowKind.SETTINGS };
      };
      const data = new FormData();
      for (const [name, value] of [
        ["0.name", "Ada"],
        ["0.age", "36"],
        ["1.name", "Eve"],
        ["1.age", ""],
      ] as const) {
        data.append(`traits.people.${name}`, value);
      }
      expect(outcomeOf(people("Eve"), data, people("Ada", "Eve"))).toMatchObject({
        people: [{ name: "Eve" }, { name: "Ada", age: 36 }],
      });
    });

    test("keeps what the server had not accepted yet, and what was typed into an item that is gone", () => {
      const rejected: Flow = {
        ...flowOf([list("traits.phones", ["a", "x"], true), button("profile", "Save")]),
        kind: FlowKind.SETTINGS,
      };
      expect(outcomeOf(settings("a"), filledIn("a", "x"), rejected)).toMatchObject({ phones: ["a", "x"] });
      expect(outcomeOf(settings("a"), filledIn("a", "B"), settings("a", "b"))).toMatchObject({
        phones: ["a", "B"],
      });
    });
  });

  test("changes nothing of the flow that it is given", () => {
    const flow = flowOf(nodes);
    const before = JSON.stringify(flow);
    keepTyped(flow, typed, flow);
    expect(JSON.stringify(flow)).toBe(before);
  });
});

describe("the language of a page", () => {
  const titled = (translations: Record<string, string>) =>
    describeForm(
      flowOf([
        { ...input("x"), label: create(FormMessageSchema, { id: 1070002, text: "Name", translations }) },
      ]),
      { language: "de-CH", translate: () => "by number" },
    ).parts[0]?.fields[0]?.label;

  test("picks the title that the server has in it, or in the same language elsewhere", () => {
    expect(titled({ de: "Vorname", "de-CH": "Vorname (CH)" })).toBe("Vorname (CH)");
    expect(titled({ DE: "Vorname" })).toBe("Vorname");
    expect(titled({ fr: "Prénom" })).toBe("by number");
  });
});

describe("translator", () => {
  const translate = translator({
    4000032: "Mindestens {min_length} Zeichen.",
    1070002: ({ title }) => (title === "Name" ? "Vorname" : undefined),
  });

  test("fills in the values of the context", () => {
    expect(translate(message(4000032, "server", FormMessageType.ERROR, { min_length: 8 }))).toBe(
      "Mindestens 8 Zeichen.",
    );
    expect(translate(message(1070002, "Name", FormMessageType.INFO, { title: "Name" }))).toBe("Vorname");
  });

  test.each([
    ["an unknown number", 4999999, {}],
    ["a value that is missing", 4000032, {}],
    ["a function that does not know either", 1070002, { title: "Town" }],
    ["a number that every object has", Number.NaN, {}],
  ])("falls back to the server's sentence for %s", (_, id, context) => {
    expect(translate({ ...message(0, "server", FormMessageType.INFO, context), id })).toBe("server");
  });
});

function flowOf(nodes: readonly NodeInit[]): Flow {
  return create(FlowSchema, {
    id: "ost_flw_1",
    kind: FlowKind.REGISTRATION,
    client: ClientKind.BROWSER,
    form: { nodes: [...nodes] },
  });
}

/** What a page would send if nothing were changed. */
function valuesOf(flow: Flow): FormData {
  const data = new FormData();
  for (const { fields } of describeForm(flow).parts) {
    for (const { name, control, value, checked } of fields) {
      if (control !== "checkbox") data.set(name, value);
      else if (checked) data.set(name, "true");
    }
  }
  return data;
}

function fieldOfNode(node: NodeInit): FormField {
  const [field] = describeForm(flowOf([node])).parts.flatMap(({ fields }) => fields);
  if (field === undefined) throw new Error("the node is no field");
  return field;
}

function input(name: string, type: InputType = InputType.TEXT, more: InputInit = {}): NodeInit {
  const step = /^(password|code)\./.exec(name)?.[1] ?? "";
  return { name, step, kind: { case: "input", value: { ...more, type } } };
}

/** A list of texts. */
function list(name: string, values: readonly string[], unsaved = false): NodeInit {
  const items = values.map((value, index) => ({
    nodes: [input(`${name}.${index}`, InputType.TEXT, { value: protoValue(value) })],
  }));
  return { name, kind: { case: "list", value: { template: [input("")], items, unsaved } } };
}

function button(step: string, text: string, value: ButtonInit = {}): NodeInit {
  return { name: step, step, label: message(1, text), kind: { case: "button", value } };
}

function message(
  id: number,
  text: string,
  type: FormMessageType = FormMessageType.INFO,
  context: Record<string, JsonValue> = {},
) {
  return create(FormMessageSchema, { id, text, type, context });
}

function protoValue(json: JsonValue) {
  return fromJson(ValueSchema, json);
}
