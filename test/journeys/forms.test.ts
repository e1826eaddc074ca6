import { toJson } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow, FlowSchema } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { ButtonImportance, InputType } from "../../gen/ostiary/flow/v1/form_pb.js";
import { LoginPurpose, LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { VerificationService } from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import { toValue } from "../../src/transport/rpc/convert/value.ts";
import { freshEmail, goodPassword, register } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";

const native = { client: ClientKind.NATIVE } as const;
const person = {
  required: ["email"],
  properties: {
    email: {
      type: "string",
      format: "email",
      title: "E-mail",
      ostiary: {
        identifier: "email",
        verifiable: "email",
        recovery: "email",
        titles: { de: "E-Mail-Adresse" },
      },
    },
    nick: { type: "string", title: "Nickname", ostiary: { identifier: "username" } },
    phones: { type: "array", items: { type: "string", format: "tel" }, maxItems: 3 },
  },
};

let app: TestApp;
beforeAll(async () => {
  const tenant = {
    identity: { default_schema: "person", schemas: [{ id: "person", document: person }] },
    flows: { settings: { account_deletion: { enabled: true } } },
  };
  app = await startTestApp({ config: { tenant_defaults: tenant } });
});
afterAll(() => app.stop());

/** What the form says of itself, by number. */
function saidBy(flow: Flow | undefined): readonly (number | undefined)[] {
  return [flow?.form?.title?.id, flow?.form?.subtitle?.id, flow?.form?.account?.id];
}

function nodeOf(flow: Flow | undefined, name: string) {
  const node = flow?.form?.nodes.find((each) => each.name === name);
  if (node === undefined) throw new Error(`the form has no ${name}`);
  return node;
}

describe.each(protocols)("the form of each stage, over %s", (protocol) => {
  test("has a title and a subtitle with numbers of their own", async () => {
    const email = freshEmail();
    const { sessionToken } = await register(app, { email });
    const client = { protocol };
    const login = app.client(LoginService, client);
    const begun = (await login.createLoginFlow(native)).flow;
    expect(saidBy(begun)).toEqual([9000210, 9000212, undefined]);
    const flowId = begun?.id ?? "";
    const asked = await login.submitLoginFlow({
      flowId,
      identifier: email,
      step: { case: "sendCode", value: {} },
    });
    expect(saidBy(asked.flow)).toEqual([9000216, 9000217, undefined]);
    const registration = app.client(RegistrationService, client);
    expect(saidBy((await registration.createRegistrationFlow(native)).flow)).toEqual([
      9000221,
      9000223,
      undefined,
    ]);
    const verification = app.client(VerificationService, client);
    expect(saidBy((await verification.createVerificationFlow(native)).flow)).toEqual([
      9000225,
      9000226,
      undefined,
    ]);
    const recovery = app.client(RecoveryService, client);
    expect(saidBy((await recovery.createRecoveryFlow(native)).flow)).toEqual([9000227, 9000228, undefined]);
    const settings = app.client(SettingsService, { protocol, bearer: sessionToken });
    const { flow } = await settings.createSettingsFlow(native);
    expect(saidBy(flow)).toEqual([9000233, 9000234, 9000208]);
    expect(flow?.form?.account?.text).toBe(`Account of ${email}`);
    const refresh = app.client(LoginService, { protocol, bearer: sessionToken });
    expect(
      saidBy((await refresh.createLoginFlow({ ...native, purpose: LoginPurpose.REFRESH })).flow),
    ).toEqual([9000213, 9000215, undefined]);
  });
});

test("settings have a section with a heading for each part, and ask before an account is deleted", async () => {
  const { sessionToken } = await register(app);
  const settings = app.client(SettingsService, { bearer: sessionToken });
  const { flow } = await settings.createSettingsFlow(native);
  expect(flow?.form?.sections.map(({ id, title }) => [id, title?.id])).toEqual([
    ["profile", 9000204],
    ["addresses", 9000752],
    ["password", 9000205],
    ["totp", 9000305],
    ["backup_code", 9000306],
    ["deletion", 9000206],
  ]);
  const drawn = flow?.form?.nodes.map(({ name, step, section, kind }) => {
    const importance = kind.case === "button" ? ButtonImportance[kind.value.importance] : kind.case;
    return `${name} ${step} ${section} ${importance}`;
  });
  expect(drawn).toEqual([
    "traits.email profile profile input",
    "traits.nick profile profile input",
    "traits.phones profile profile list",
    "profile profile profile PRIMARY",
    "addresses.0  addresses text",
    "addresses.0.verify  addresses anchor",
    "username password password input",
    "password.password password password input",
    "password password password PRIMARY",
    "totp totp totp PRIMARY",
    "backupCodes backupCodes backup_code PRIMARY",
    "deleteAccount deleteAccount deletion SECONDARY",
  ]);
  const { kind, help } = nodeOf(flow, "deleteAccount");
  expect(kind.case === "button" && kind.value).toMatchObject({ danger: true, confirmation: { id: 9000207 } });
  expect(help?.id).toBe(9000053);
});

test("the first field of a login says what people sign in with, as the schema calls it", async () => {
  const { flow } = await app.client(LoginService).createLoginFlow(native);
  const { label } = nodeOf(flow, "identifier");
  expect(label).toMatchObject({
    id: 9000200,
    text: "E-mail or nickname",
    context: { title: "E-mail or nickname" },
  });
});

test("the label of a trait names it and brings its title in other languages", async () => {
  const { flow } = await app.client(RegistrationService).createRegistrationFlow(native);
  expect(nodeOf(flow, "traits.email").label).toMatchObject({
    id: 1070002,
    text: "E-mail",
    context: { title: "E-mail", name: "traits.email" },
    translations: { de: "E-Mail-Adresse" },
  });
  const sent = {
    flowId: flow?.id ?? "",
    traits: { nick: "" },
    step: { case: "password", value: { password: "" } },
  } as const;
  const refused = await app.client(RegistrationService).submitRegistrationFlow(sent);
  expect(nodeOf(refused.flow, "traits.email").messages).toMatchObject([
    { id: 4000002, context: { property: "email", name: "traits.email" } },
  ]);
});

test("a list has the template of an item and its bounds, and takes one that was added", async () => {
  const { flow } = await app.client(RegistrationService).createRegistrationFlow(native);
  const { kind } = nodeOf(flow, "traits.phones");
  if (kind.case !== "list") throw new Error("phones are no list");
  const { template, items, minItems, maxItems, readOnly } = kind.value;
  expect({ items, minItems, maxItems, readOnly }).toEqual({
    items: [],
    minItems: 0,
    maxItems: 3,
    readOnly: false,
  });
  expect(template.map(({ name, kind: of }) => [name, of.case === "input" && of.value.type])).toEqual([
    ["", InputType.PHONE],
  ]);
  const values = {
    "traits.email": toValue(freshEmail()),
    "traits.phones.0": toValue("+49 170 1234567"),
    "password.password": toValue(goodPassword),
  };
  const { outcome } = await app
    .client(FlowService)
    .submitForm({ flowId: flow?.id ?? "", step: "password", values });
  if (outcome.case !== "completed") throw new Error(`the registration was ${outcome.case}`);
  expect(outcome.value.signedIn?.identity?.traits?.phones).toEqual(["+49 170 1234567"]);
});

// A renderer that believes the node would cut a pasted "123 456".
test("the node of a code limits nothing that is pasted", async () => {
  const email = freshEmail();
  await register(app, { email });
  const login = app.client(LoginService);
  const flowId = (await login.createLoginFlow(native)).flow?.id ?? "";
  const { flow } = await login.submitLoginFlow({
    flowId,
    identifier: email,
    step: { case: "sendCode", value: {} },
  });
  const { kind } = nodeOf(flow, "code.code");
  expect(kind.case === "input" && kind.value).toMatchObject({
    type: InputType.CODE,
    minLength: 0,
    maxLength: 0,
    pattern: "",
  });
});

test("an empty code is told at its field, and asks for none; nor does `send_code` where one is awaited", async () => {
  const login = app.client(LoginService);
  const flowId = (await login.createLoginFlow(native)).flow?.id ?? "";
  const identifier = freshEmail();
  await login.submitLoginFlow({ flowId, identifier, step: { case: "sendCode", value: {} } });
  const { flow, outcome } = await login.submitLoginFlow({ flowId, step: { case: "code", value: {} } });
  expect(outcome).toMatchObject({ case: "rejected", value: { reason: 1 } });
  expect(nodeOf(flow, "code.code").messages).toMatchObject([{ id: 4000002 }]);
  const again = login.submitLoginFlow({ flowId, identifier, step: { case: "sendCode", value: {} } });
  expect(await refusal(again)).toMatchObject({ reason: "STEP_NOT_OFFERED" });
});

test("a code cannot be entered before one was asked for", async () => {
  const login = app.client(LoginService);
  const flowId = (await login.createLoginFlow(native)).flow?.id ?? "";
  const early = login.submitLoginFlow({
    flowId,
    identifier: "ada",
    step: { case: "code", value: { code: "123456" } },
  });
  expect(await refusal(early)).toMatchObject({ reason: "STEP_NOT_OFFERED", metadata: { step: "code" } });
});

test.each<
  [
    string,
    (step: { readonly case: "sendCode"; readonly value: { readonly addressId: string } }) => Promise<unknown>,
  ]
>([
  [
    "login",
    async (step) => {
      const { flow } = await app.client(LoginService).createLoginFlow(native);
      return app.client(LoginService).submitLoginFlow({ flowId: flow?.id ?? "", identifier: "ada", step });
    },
  ],
  [
    "registration",
    async (step) => {
      const { flow } = await app.client(RegistrationService).createRegistrationFlow(native);
      const traits = { email: freshEmail() };
      return app.client(RegistrationService).submitRegistrationFlow({ flowId: flow?.id ?? "", traits, step });
    },
  ],
  [
    "verification",
    async (step) => {
      const { flow } = await app.client(VerificationService).createVerificationFlow(native);
      const address = freshEmail();
      return app
        .client(VerificationService)
        .submitVerificationFlow({ flowId: flow?.id ?? "", address, step });
    },
  ],
])("the choice of an address is refused where there is none: a %s", async (_, submit) => {
  const refused = await refusal(submit({ case: "sendCode", value: { addressId: "1" } }));
  expect(refused).toMatchObject({ reason: "FEATURE_OFF", metadata: { field: "sendCode.addressId" } });
});

// Security rule (SR-ORIGIN-1): the token that binds a form to its browser stands in one place, which loggers redact.
test("the token of a browser flow is no node of its form", async () => {
  const { flow } = await app.client(LoginService).createLoginFlow({ client: ClientKind.BROWSER });
  expect(flow?.csrfToken).toMatch(/./);
  const { form } = toJson(FlowSchema, flow as Flow) as { form: object };
  expect(JSON.stringify(form)).not.toContain(flow?.csrfToken);
});
