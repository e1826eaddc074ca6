import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { type FormNode, InputType } from "../../gen/ostiary/flow/v1/form_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { toValue } from "../../src/transport/rpc/convert/value.ts";
import { freshEmail, goodPassword, logIn } from "../support/accounts.ts";
import { type Protocol, protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { type RangeServer, startRangeServer } from "../support/range-server.ts";
import { richSchemas } from "../support/rich-schema.ts";

const native = { client: ClientKind.NATIVE } as const;
const member = {
  id: "member",
  document: {
    type: "object",
    properties: {
      phone: {
        type: "string",
        format: "tel",
        title: "Phone",
        ostiary: { identifier: "phone", verifiable: "phone", recovery: "phone", titles: { de: "Telefon" } },
      },
      nick: {
        type: "string",
        title: "Nickname",
        ostiary: { identifier: "username", titles: { de: "Spitzname" } },
      },
      others: { type: "array", items: { type: "string", format: "tel" } },
    },
  },
};

let app: TestApp;
/** Where numbers of Germany need no country code. */
let german: TestApp;
let ranges: RangeServer;

beforeAll(async () => {
  ranges = await startRangeServer({});
  app = await startTestApp({
    config: {
      server: {
        outbound: {
          allowed_private_hosts: [`127.0.0.1:${ranges.port}`],
          breached_passwords: { url: ranges.url, timeout: "5s" },
        },
      },
      tenant_defaults: { identity: { schemas: richSchemas }, password: { breach_check: { enabled: true } } },
    },
  });
  german = await startTestApp({
    config: {
      tenant_defaults: { identity: { schemas: [member], default_country: "DE" } },
    },
  });
});
afterAll(async () => {
  await app.stop();
  await german.stop();
  await ranges.stop();
});

function nodeOf(flow: Flow | undefined, name: string): FormNode {
  const node = flow?.form?.nodes.find((each) => each.name === name);
  if (node === undefined) throw new Error(`the form has no ${name}`);
  return node;
}

/** What is said at each node, by the numbers. */
function saidAt(flow: Flow | undefined): Record<string, readonly number[]> {
  const nodes = flow?.form?.nodes ?? [];
  return Object.fromEntries(
    nodes.flatMap(({ name, messages }) =>
      messages.length > 0 ? [[name, messages.map(({ id }) => id)] as const] : [],
    ),
  );
}

async function begin(server: TestApp, protocol: Protocol = "Connect JSON") {
  server.clock.advance(1);
  const { flow } = await server.client(RegistrationService, { protocol }).createRegistrationFlow(native);
  if (flow === undefined) throw new Error("no flow was made");
  return flow;
}

async function register(server: TestApp, traits: JsonObject, protocol?: Protocol) {
  const { id: flowId } = await begin(server, protocol);
  const step = { case: "password", value: { password: goodPassword } } as const;
  return server.client(RegistrationService, { protocol }).submitRegistrationFlow({ flowId, traits, step });
}

/** Fills in the form of a registration, and sends it with a password. */
async function fillIn(
  server: TestApp,
  values: Readonly<Record<string, JsonObject[string]>>,
  protocol: Protocol = "Connect JSON",
) {
  const { id: flowId } = await begin(server, protocol);
  const sent = Object.entries(values).map(([name, value]) => [name, toValue(value)] as const);
  return server
    .client(FlowService, { protocol })
    .submitForm({ flowId, step: "password", values: Object.fromEntries(sent) });
}

const whole = () => ({
  "traits.email": freshEmail(),
  "traits.name.first": "Ada",
  "traits.name.last": "Lovelace",
  "traits.terms": true,
  "password.password": goodPassword,
});

describe.each(protocols)("a form of any schema, over %s", (protocol) => {
  test("says what belongs together, what must be ticked and where it is read, and what can be chosen", async () => {
    const flow = await begin(app, protocol);
    const first = nodeOf(flow, "traits.name.first");
    expect(first.groups).toMatchObject([
      { name: "traits.name", label: { id: 1070002, text: "Name" }, help: { id: 9000202 } },
    ]);
    expect(first.kind.value).toMatchObject({ autocomplete: "given-name", required: true });
    const terms = nodeOf(flow, "traits.terms");
    expect(terms.kind.value).toMatchObject({ type: InputType.CHECKBOX, consent: true, choices: [] });
    expect(terms.link).toMatchObject({
      url: "https://example.com/terms",
      urls: { de: "https://example.com/agb" },
      label: { id: 9000124, text: "Terms of use", translations: { de: "Nutzungsbedingungen" } },
    });
    expect(nodeOf(flow, "traits.employees").kind.value).toMatchObject({ step: 1, minimum: 0 });
    expect(nodeOf(flow, "traits.height").kind.value).not.toHaveProperty("step");
    expect(nodeOf(flow, "traits.about").kind.value).toMatchObject({ type: InputType.MULTI_LINE_TEXT });
    const channels = nodeOf(flow, "traits.channels").kind;
    const labels = channels.case === "list" ? channels.value.choices.map(({ label }) => label?.text) : [];
    expect(labels).toEqual(["By email", "By text message", "By post"]);
  });

  test("marks everything that is wrong at once, nested and password too", async () => {
    const { outcome, flow } = await fillIn(
      app,
      {
        ...{ "traits.email": "nothing", "traits.handle": "9", "traits.height": "1,234" },
        ...{ "traits.employees": "1.5", "traits.website": "example", "traits.birthday": "31.12.2000" },
        ...{ "traits.channels": ["mail", "sms", "post"], "traits.payment.kind": "debit" },
        "password.password": "short",
      },
      protocol,
    );
    expect(outcome.case === "rejected" && outcome.value.reason).toBe(RejectionReason.TRAITS_INVALID);
    expect(saidAt(flow)).toEqual({
      "traits.email": [4000040],
      "traits.handle": [9000122],
      "traits.name.first": [4000002],
      "traits.name.last": [4000002],
      "traits.birthday": [9000100],
      "traits.height": [9000112],
      "traits.employees": [9000111],
      "traits.website": [9000104],
      "traits.channels": [9000119],
      "traits.payment.account": [4000002],
      "traits.terms": [9000117],
      "password.password": [4000032],
    });
    expect(flow?.form?.messages).toEqual([]);
    const [said] = nodeOf(flow, "traits.handle").messages;
    expect(said).toMatchObject({
      text: "Use 3 to 20 small letters and digits, and begin with a letter.",
      translations: { de: "Nehmen Sie 3 bis 20 Kleinbuchstaben und Ziffern, zuerst einen Buchstaben." },
    });
  });

  test("is saved as it was filled in", async () => {
    const given = {
      ...whole(),
      ...{ "traits.height": "1.72", "traits.employees": "42", "traits.channels": ["post", "mail"] },
      ...{ "traits.addresses.0.city": "Bern", "traits.tags.0": "chess", "traits.news": false },
      ...{ "traits.payment.kind": "invoice", "traits.payment.reference": "A1" },
    };
    const { outcome } = await fillIn(app, given, protocol);
    if (outcome.case !== "completed") throw new Error(`it was ${outcome.case}`);
    expect(outcome.value.signedIn?.identity?.traits).toEqual({
      email: given["traits.email"],
      name: { first: "Ada", last: "Lovelace" },
      ...{ height: 1.72, employees: 42, channels: ["post", "mail"], tags: ["chess"], news: false },
      addresses: [{ city: "Bern" }],
      payment: { kind: "invoice", reference: "A1" },
      terms: true,
    });
  });

  test.each([
    ["not given", undefined],
    ["no", false],
    ["empty", ""],
  ])("asks for a tick in a box that must have one, if it is %s", async (_, terms) => {
    const { "traits.terms": _agreed, ...others } = whole();
    const given = terms === undefined ? others : { ...others, "traits.terms": terms };
    const { flow } = await fillIn(app, given, protocol);
    expect(saidAt(flow)).toEqual({ "traits.terms": [9000117] });
  });
});

// Security rule (SR-TRAIT-8): a form with mistakes costs no hash and no question to another server, and nobody is looked up for it.
test("with mistakes asks no other server and tells nothing of who has an account", async () => {
  const { "traits.email": taken } = whole();
  expect((await fillIn(app, { ...whole(), "traits.email": taken })).outcome.case).toBe("completed");
  const before = ranges.prefixes().length;
  expect(before).toBeGreaterThan(0);
  const wrong = { "traits.handle": "9", "password.password": "short" };
  const answers = await Promise.all(
    [taken, freshEmail()].map((email) => fillIn(app, { ...whole(), ...wrong, "traits.email": email })),
  );
  const said = { "traits.handle": [9000122], "password.password": [4000032] };
  expect(answers.map(({ flow }) => saidAt(flow))).toEqual([said, said]);
  expect(ranges.prefixes()).toHaveLength(before);
});

describe.each(protocols)("a telephone number of the tenant's country, over %s", (protocol) => {
  test("needs no country code to register and to sign in, in any spelling", async () => {
    const digits = String(app.clock.now().getTime()).slice(-7);
    const last = protocols.indexOf(protocol);
    const national = `0171 ${digits}${last}`.slice(0, 13);
    const { outcome } = await register(
      german,
      { phone: national, others: ["(030) 901820", "+41 44 668 18 00"] },
      protocol,
    );
    if (outcome.case !== "completed") throw new Error(`it was ${outcome.case}`);
    const e164 = `+49${national.replace(" ", "").slice(1)}`;
    expect(outcome.value.signedIn?.identity?.traits).toEqual({
      phone: e164,
      others: ["+4930901820", "+41 44 668 18 00"],
    });
    const spellings = [
      national,
      national.replace(" ", "/"),
      `0049${e164.slice(3)}`,
      e164,
      national.replace(" ", "\u2011"),
    ];
    for (const spelling of spellings) {
      expect((await logIn(german, spelling, goodPassword, protocol)).case, spelling).toBe("completed");
    }
  });
});

describe("a telephone number of the tenant's country", () => {
  test("is asked for without the country code, and a foreign one with it", async () => {
    const wrong = await register(german, { nick: "ada", phone: "0171 1" });
    expect(saidAt(wrong.flow)).toEqual({ "traits.phone": [9000125] });
    const { outcome } = await register(german, { phone: "0041 44 668 18 01" });
    expect(outcome.case).toBe("completed");
    expect((await logIn(german, "+41446681801")).case).toBe("completed");
  });

  test("recovers an account, and is shown as the number that the message goes to", async () => {
    await register(german, { phone: "0171 5550001" });
    const recovery = german.client(RecoveryService);
    const { flow } = await recovery.createRecoveryFlow(native);
    const sent = await recovery.submitRecoveryFlow({
      flowId: flow?.id ?? "",
      address: "0171/5550001",
      step: { case: "sendCode", value: {} },
    });
    expect(sent.flow?.stage.case === "enterCode" && sent.flow.stage.value.sentTo).toBe("+491715550001");
  });

  // Security rule (SR-OWNER-7): nobody takes the number of another person as user name.
  test("is no user name, in any spelling; one that was there before stays", async () => {
    for (const nick of ["0171 2345679", "01712345679", "0049 171 2345679", "+491712345679"]) {
      const { flow } = await register(german, { nick });
      expect(saidAt(flow), nick).toEqual({ "traits.nick": [9000107] });
    }
    // Numbers that no plan has are names like others.
    expect((await register(german, { nick: "007" })).outcome.case).toBe("completed");
    const { identity } = await german.client(IdentityService).createIdentity({
      traits: { nick: "01712345680", phone: "+491715550009" },
      credentials: { password: { value: { case: "password", value: goodPassword } } },
    });
    const { value } = await logIn(german, "+491715550009");
    const bearer = value !== undefined && "signedIn" in value ? (value.signedIn?.sessionToken ?? "") : "";
    const settings = german.client(SettingsService, { bearer });
    const { flow } = await settings.createSettingsFlow(native);
    const saved = await settings.submitSettingsFlow({
      flowId: flow?.id ?? "",
      traitsEtag: flow?.traitsEtag ?? "",
      traits: { others: ["0171 5550010"] },
      step: { case: "profile", value: {} },
    });
    expect(saved.outcome.case).not.toBe("rejected");
    expect(identity?.id).toBeDefined();
    const { identity: now } = await german
      .client(IdentityService)
      .getIdentity({ identityId: identity?.id ?? "" });
    expect(now?.traits).toMatchObject({ nick: "01712345680", others: ["+491715550010"] });
  });

  test("needs its country code from an operator, whose program reads it everywhere alike", async () => {
    const made = german.client(IdentityService).createIdentity({ traits: { phone: "0171 2345678" } });
    expect(await refusal(made)).toMatchObject({ reason: "TRAITS_INVALID", fields: ["traits.phone"] });
  });

  test("is told to pages, and the label of the login in their language", async () => {
    const { profile } = await german.client(FlowService).getTenantProfile({});
    expect(profile?.defaultCountry).toBe("DE");
    const { flow } = await german.client(LoginService).createLoginFlow(native);
    expect(nodeOf(flow, "identifier").label).toMatchObject({
      id: 9000200,
      text: "Phone or nickname",
      translations: { de: "Telefon oder Spitzname" },
    });
  });

  test("needs its country code where no country is configured", async () => {
    const { flow } = await fillIn(app, { ...whole(), "traits.phone": "0171 2345678" });
    expect(saidAt(flow)).toEqual({ "traits.phone": [4000041] });
    expect((await logIn(app, "0171 2345678")).case).toBe("rejected");
  });
});
