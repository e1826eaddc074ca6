// SPDX-License-Identifier: Apache-2.0
import { create, fromJson } from "@bufbuild/protobuf";
import { DurationSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { MethodKind } from "../../../../gen/ostiary/common/v1/method_kind_pb.js";
import { ClientKind, FlowKind, FlowSchema } from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import {
  ButtonImportance,
  FormMessageSchema,
  FormMessageType,
  type FormNode,
  FormNodeSchema,
  InputType,
} from "../../../../gen/ostiary/flow/v1/form_pb.js";
import { describeForm } from "./describe-form.ts";
import { layoutOf } from "./layout.ts";
import type { FormOptions } from "./message-view.ts";

const { PASSWORD, CODE, LINK, PASSKEY, OIDC } = MethodKind;
const { PRIMARY, SECONDARY } = ButtonImportance;

function button(step: string, method: MethodKind, importance = SECONDARY, more: object = {}): FormNode {
  const kind = { case: "button", value: { method, importance, ...more } } as const;
  return create(FormNodeSchema, { name: step, step, label: { text: step }, kind });
}
function field(name: string, step = "", more: object = {}): FormNode {
  const kind = { case: "input", value: { type: InputType.TEXT, ...more } } as const;
  return create(FormNodeSchema, { name, step, label: { text: name }, kind });
}
const provider = (id: string, help?: object): FormNode =>
  create(FormNodeSchema, {
    ...{ name: "oidc.provider", step: "oidc", label: { text: id }, ...(help && { help }) },
    kind: {
      case: "button",
      value: { ...{ method: OIDC, skipsRequired: true }, value: fromJson(ValueSchema, id) },
    },
  });
const signIn = [
  field("identifier"),
  field("password.password", "password", { type: InputType.PASSWORD }),
  button("password", PASSWORD, PRIMARY),
];

function partsOf(nodes: readonly FormNode[], options: FormOptions = {}) {
  const flow = create(FlowSchema, {
    ...{ kind: FlowKind.LOGIN, client: ClientKind.BROWSER, form: { nodes: [...nodes] } },
  });
  return describeForm(flow, options).parts;
}
const inShort = (nodes: readonly FormNode[], options?: FormOptions) =>
  layoutOf(partsOf(nodes, options)).map(({ kind, parts }) => [
    kind,
    parts.map(({ step, alternative }) => `${alternative ? "or " : ""}${step ?? "all"}`),
  ]);

describe("the ways to go on", () => {
  test("are set apart by an or between groups, not between two of one group", () => {
    const ways = [button("passkey", PASSKEY), button("sendCode", CODE), provider("a"), provider("b")];
    expect(inShort([...signIn, ...ways, button("back", 0)])).toEqual([
      ["plain", ["all", "password", "or passkey", "sendCode", "or oidc", "back"]],
    ]);
  });

  test("are put away where there are more than two beside the first; other providers never are", () => {
    const ways = [button("passkey", PASSKEY), button("sendCode", CODE), button("sendLink", LINK)];
    expect(inShort([...signIn, ...ways, provider("a")])).toEqual([
      ["plain", ["all", "password"]],
      ["more", ["passkey", "sendCode", "sendLink"]],
      ["plain", ["or oidc"]],
    ]);
  });

  test("show the one that was used last, marked, and put away the others", () => {
    const ways = [button("passkey", PASSKEY), button("sendCode", CODE), button("sendLink", LINK)];
    const options = { lastUsedMethod: CODE, texts: { lastUsed: "Zuletzt" } };
    const parts = partsOf([...signIn, ...ways], options);
    expect(parts.flatMap(({ step, putAway }) => (putAway ? [step] : []))).toEqual(["passkey", "sendLink"]);
    const marked = parts.flatMap(({ buttons }) => buttons).filter(({ lastUsed }) => lastUsed);
    expect(marked).toMatchObject([{ step: "sendCode", hint: { text: "Zuletzt" } }]);
  });

  test("have one mark: a method that the page remembers is newer than the provider that the server marks", () => {
    const help = { id: 9000712, type: FormMessageType.INFO, text: "Last used" };
    const nodes = [...signIn, provider("a", help)];
    const marks = (options: FormOptions) =>
      partsOf(nodes, options)
        .flatMap(({ buttons }) => buttons)
        .flatMap(({ step, lastUsed, hint }) => (lastUsed ? [`${step}: ${hint?.text}`] : []));
    expect(marks({})).toEqual(["oidc: Last used"]);
    expect(marks({ lastUsedMethod: PASSWORD })).toEqual(["password: Last used"]);
    const away = { ...help, id: 9000711, text: "Away" };
    const [shown] = partsOf([provider("a", away)], { lastUsedMethod: PASSWORD }).flatMap(
      (part) => part.buttons,
    );
    expect(shown?.hint?.text).toBe("Away");
  });

  test("of a server that does not say which method a button tries are drawn as before", () => {
    const ways = ["passkey", "sendCode", "sendLink"].map((step) => button(step, 0));
    expect(inShort([...signIn, ...ways])).toEqual([
      ["plain", ["all", "password", "passkey", "sendCode", "sendLink"]],
    ]);
  });
});

describe("a field for a code", () => {
  const code = (more: object = {}) =>
    field("code.code", "code", {
      type: InputType.CODE,
      autocomplete: "one-time-code",
      codeLength: 6,
      ...more,
    });
  const attributes = (nodes: readonly FormNode[]) =>
    partsOf(nodes).flatMap(({ fields }) => fields.filter(({ name }) => name === "code.code"))[0];

  test("is sent by itself where the step asks for nothing else, and says so before", () => {
    const sending = attributes([code(), button("code", CODE, PRIMARY), button("resend", 0)]);
    expect(sending?.attributes).toMatchObject({ "data-code-length": "6", "data-sends-itself": true });
    expect(sending?.hint).toBe("The code is sent as soon as all 6 digits are there.");
    expect(sending?.attributes["aria-describedby"]).toBe(sending?.ids.hint);
  });

  test("is not sent by itself after an error, beside other fields, or where its length is not known", () => {
    const submit = button("code", CODE, PRIMARY);
    const wrong = create(FormNodeSchema, code());
    wrong.messages = [create(FormMessageSchema, { id: 1, type: FormMessageType.ERROR, text: "Wrong" })];
    for (const nodes of [
      [wrong, submit],
      [code(), field("code.trust", "code", { type: InputType.CHECKBOX }), submit],
      [field("identifier"), code(), submit],
      [code({ codeLength: 0 }), submit],
    ]) {
      const field = attributes(nodes);
      expect(field?.attributes).not.toHaveProperty("data-sends-itself");
      expect(field?.hint).toBeUndefined();
    }
  });
});

test("the key Enter goes to the next field, and on from the last", () => {
  const fields = partsOf([...signIn, field("code.code", "code"), button("code", CODE)]).flatMap(
    (part) => part.fields,
  );
  expect(fields.map(({ name, attributes }) => [name, attributes.enterkeyhint])).toEqual([
    ["identifier", "next"],
    ["password.password", "go"],
    ["code.code", "go"],
  ]);
});

test("a button says how long it waits", () => {
  const wait = create(DurationSchema, { seconds: 29n });
  const [part] = partsOf([button("resend", 0, SECONDARY, { wait })]);
  expect(part?.buttons).toMatchObject([{ waitMs: 29_000 }]);
});
