import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { createOstiary, submit } from "../../sdk/typescript/src/index.ts";
import { freshEmail, goodPassword, sessionTokenOf } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { fieldsOf, untouchedForm } from "../support/filled-form.ts";
import { administer } from "../support/postgres.ts";

// Not one object, of which YAML would make an alias.
const address = () => ({
  type: "string",
  format: "email",
  ostiary: { identifier: "email", verifiable: "email", recovery: "email" },
});
const person = {
  type: "object",
  required: ["email"],
  properties: {
    email: address(),
    spares: { type: "array", items: address() },
    name: {
      type: "object",
      required: ["first"],
      properties: { first: { type: "string" }, last: { type: "string" } },
    },
    note: { type: "string" },
    news: { type: "boolean" },
    tags: { type: "array", items: { type: "string" } },
    orders: { type: "array", items: { type: "object", properties: { number: { type: "integer" } } } },
    pair: { type: "array", prefixItems: [{ type: "string" }, { type: "integer" }] },
    customer: { type: "string", readOnly: true },
    parcels: {
      type: "array",
      items: {
        type: "object",
        properties: { note: { type: "string" }, status: { type: "string", readOnly: true } },
      },
    },
    either: { oneOf: [{ type: "string" }, { type: "object" }] },
    free: { type: "object", additionalProperties: true },
    answers: { type: "object", properties: { "1": { type: "string" }, "2": { type: "string" } } },
    名前: { type: "string" },
    "": { type: "string" },
  },
};

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({
    config: {
      tenant_defaults: { identity: { default_schema: "p", schemas: [{ id: "p", document: person }] } },
    },
  });
});
afterAll(() => app.stop());

const identities = () => app.client(IdentityService);

/** Somebody with a session, whose addresses are verified. */
async function somebody(traits: JsonObject = {}) {
  app.clock.advance(1);
  const email = freshEmail();
  const whole: JsonObject = { email, ...traits };
  const spares = Array.isArray(traits.spares) ? traits.spares.map(String) : [];
  const { identity } = await identities().createIdentity({
    traits: whole,
    verifiedAddresses: [email, ...spares].map((value) => ({ value })),
    credentials: { password: { value: { case: "password", value: goodPassword } } },
  });
  const id = identity?.id ?? "";
  const token = await sessionTokenOf(app, email);
  const settings = app.client(SettingsService, { bearer: token });
  const traitsNow = async () => (await identities().getIdentity({ identityId: id })).identity?.traits ?? {};
  return { id, email, token, whole, settings, traitsNow };
}
type Somebody = Awaited<ReturnType<typeof somebody>>;

/** A new settings flow, and what submits it. */
async function settingsOf({ settings }: Pick<Somebody, "settings">) {
  const { flow } = await settings.createSettingsFlow({ client: ClientKind.NATIVE });
  if (flow === undefined) throw new Error("no flow was made");
  const flowId = flow.id;
  return {
    flow,
    save: async (traits?: JsonObject) => {
      const step = { case: "profile", value: {} } as const;
      const answer = await settings.submitSettingsFlow({ flowId, step, ...(traits && { traits }) });
      return { ...answer.outcome, flow: answer.flow };
    },
    enterCode: async (code: string) =>
      (await settings.submitSettingsFlow({ flowId, step: { case: "code", value: { code } } })).outcome,
  };
}

async function codeFor(email: string): Promise<string> {
  return (await app.messages(email)).filter(({ code }) => code !== "").at(-1)?.code ?? "";
}

const everything = {
  spares: [] as string[],
  name: { first: "Ada", last: "Byron" },
  note: "a\nb",
  news: true,
  tags: ["one", "two"],
  orders: [{ number: 1 }, { number: 2 }],
  pair: ["x", 1],
  customer: "K-1",
  either: { street: "x" },
  free: { any: [1, { thing: true }] },
  answers: { "1": "one", "2": "two" },
  名前: "Ada",
  "": "empty",
};

describe("the traits of a settings submit", () => {
  test("are a merge patch: what is left out stays, null removes, a list is replaced whole", async () => {
    const who = await somebody(everything);
    const { save } = await settingsOf(who);
    expect((await save()).case).toBe("saved");
    expect((await save({})).case).toBe("saved");
    expect(await who.traitsNow()).toEqual(who.whole);
    expect((await save({ name: { last: null }, tags: ["three"], note: null })).case).toBe("saved");
    const { note: _gone, ...rest } = everything;
    expect(await who.traitsNow()).toEqual({
      ...rest,
      email: who.email,
      name: { first: "Ada" },
      tags: ["three"],
    });
  });

  test("are validated as a whole after they were merged, with the limits of traits", async () => {
    const who = await somebody({ free: { text: "x".repeat(4000) } });
    const { save } = await settingsOf(who);
    const reason = async (traits: JsonObject) => {
      const outcome = await save(traits);
      return outcome.case === "rejected" ? RejectionReason[outcome.value.reason] : outcome.case;
    };
    expect(await reason({ name: { last: "Byron" } })).toBe("TRAITS_INVALID");
    expect(await reason({ email: null })).toBe("TRAITS_INVALID");
    // Each is within the limit, both together are not.
    const texts = (count: number, name: string) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`${name}${index}`, "y".repeat(4000)]));
    expect(await reason({ free: texts(10, "a") })).toBe("saved");
    expect(await reason({ free: texts(10, "b") })).toBe("TRAITS_INVALID");
    let deep: JsonObject = {};
    for (let level = 0; level < 40; level++) deep = { deep };
    expect(await reason({ free: deep })).toBe("TRAITS_INVALID");
    expect(Object.keys(await who.traitsNow()).sort()).toEqual(["email", "free"]);
  });

  // Security rule (SR-FLOW-10): no name of a trait reaches a prototype.
  test.each([
    '{"__proto__":{"polluted":1}}',
    '{"free":{"__proto__":{"polluted":1}}}',
    '{"free":{"constructor":1}}',
  ])("pollute nothing: %s", async (traits) => {
    const who = await somebody();
    const { flow } = await settingsOf(who);
    const response = await fetch(`${app.localUrl}/ostiary.flow.v1.SettingsService/SubmitSettingsFlow`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${who.token}` },
      body: `{"flowId":"${flow.id}","traits":${traits},"profile":{}}`,
    });
    expect(response.status).toBeLessThan(500);
    expect(Reflect.get({}, "polluted")).toBeUndefined();
    expect(await who.traitsNow()).toEqual({ email: who.email });
  });

  // Security rule (SR-TRAIT-1): what a schema calls read-only is the operator's to set.
  test("do not change what is read-only", async () => {
    const who = await somebody({ customer: "K-1" });
    const { flow, save } = await settingsOf(who);
    const shown = fieldsOf(flow).find(({ name }) => name === "traits.customer");
    expect(shown).toMatchObject({ value: "K-1", readOnly: true });
    for (const customer of ["K-2", null]) {
      const outcome = await save({ customer });
      if (outcome.case !== "rejected") throw new Error(`it was ${outcome.case}`);
      const node = outcome.flow?.form?.nodes.find(({ name }) => name === "traits.customer");
      expect(node?.messages.map(({ id }) => id)).toEqual([9000070]);
      expect(node?.kind.case === "input" && node.kind.value.value?.kind.value).toBe("K-1");
    }
    expect((await save({ customer: "K-1", note: "x" })).case).toBe("saved");
    expect(await who.traitsNow()).toEqual({ email: who.email, customer: "K-1", note: "x" });
  });

  // Security rule (SR-TRAIT-1): what a schema calls read-only is the operator's to set, also within the items of a list.
  const parcels: JsonObject[] = [{ note: "a", status: "open" }, { note: "b" }];
  const attempts: readonly (readonly [string, JsonObject[], string])[] = [
    ["changed", [{ note: "a", status: "paid" }, { note: "b" }], "traits.parcels.0.status"],
    ["removed", [{ note: "b" }], "traits.parcels.0.status"],
    ["set where there is none", [parcels[0] ?? {}, { status: "paid" }], "traits.parcels.1.status"],
  ];
  test.each(attempts)(
    "what is read-only in an item of a list is not %s, typed or by a form",
    async (_, sent, name) => {
      const who = await somebody({ parcels });
      const { flow, save } = await settingsOf(who);
      const outcome = await save({ parcels: sent });
      expect(outcome).toMatchObject({ case: "rejected", value: { reason: RejectionReason.TRAITS_INVALID } });
      const value = fromJson(ValueSchema, sent);
      const request = { flowId: flow.id, step: "profile", values: { "traits.parcels": value } };
      const answer = await app.client(FlowService, { bearer: who.token }).submitForm(request);
      expect(answer.outcome).toMatchObject({
        case: "rejected",
        value: { reason: RejectionReason.TRAITS_INVALID },
      });
      // The form shows the list as it is saved, with the message at what was to be changed.
      const drawn = [outcome.flow, answer.flow].flatMap((each) => each ?? []);
      expect(drawn).toHaveLength(2);
      for (const { form } of drawn) {
        const list = form?.nodes.find((node) => node.name === "traits.parcels")?.kind;
        const nodes = list?.case === "list" ? list.value.items.flatMap((item) => item.nodes) : [];
        expect(nodes.flatMap((node) => node.messages.map(({ id }) => [node.name, id]))).toEqual([
          [name, 9000070],
        ]);
      }
      expect(await who.traitsNow()).toEqual(who.whole);
    },
  );

  test("an item without what is read-only is changed, added and removed", async () => {
    const who = await somebody({ parcels });
    const { flow, save } = await settingsOf(who);
    const list = flow.form?.nodes.find((node) => node.name === "traits.parcels")?.kind;
    expect(list?.case === "list" && list.value.template.map((node) => node.name)).toEqual([".note"]);
    const sent: JsonObject[] = [{ note: "x", status: "open" }, { note: "y" }, { note: "new" }];
    expect((await save({ parcels: sent })).case).toBe("saved");
    expect((await who.traitsNow()).parcels).toEqual(sent);
    expect((await save({ parcels: sent.slice(0, 1) })).case).toBe("saved");
    const values = { "traits.parcels.0.note": fromJson(ValueSchema, "z") };
    const form = { flowId: flow.id, step: "profile", values };
    const answer = await app.client(FlowService, { bearer: who.token }).submitForm(form);
    expect(answer.outcome.case).toBe("saved");
    expect((await who.traitsNow()).parcels).toEqual([{ note: "z", status: "open" }]);
  });

  test("nobody registers with what is read-only in an item of a list", async () => {
    const registrations = app.client(RegistrationService);
    const { flow } = await registrations.createRegistrationFlow({ client: ClientKind.NATIVE });
    const { outcome } = await registrations.submitRegistrationFlow({
      flowId: flow?.id ?? "",
      traits: { email: freshEmail(), parcels: [{ note: "a", status: "paid" }] },
      step: { case: "password", value: { password: goodPassword } },
    });
    expect(outcome).toMatchObject({ case: "rejected", value: { reason: RejectionReason.TRAITS_INVALID } });
  });
});

describe("a settings form that the SDK submits", () => {
  async function formOf(who: Somebody) {
    const ostiary = createOstiary({ baseUrl: app.localUrl, token: () => who.token });
    const { flow } = await ostiary.settings.createSettingsFlow({ client: ClientKind.NATIVE });
    if (flow === undefined) throw new Error("no flow was made");
    return { flow, send: (drawn: Flow, data: FormData) => submit(ostiary, drawn, data, "profile") };
  }

  test("changes nothing if nobody touched it, and sends what was changed", async () => {
    const spares = [freshEmail(), freshEmail()];
    const who = await somebody({ ...everything, spares });
    const { flow, send } = await formOf(who);
    expect((await send(flow, untouchedForm(flow))).kind).toBe("saved");
    expect(await who.traitsNow()).toEqual(who.whole);

    const data = untouchedForm(flow);
    data.set("traits.name.last", "");
    data.delete("traits.news");
    data.set("traits.tags.0", "");
    data.set("traits.tags.1", "");
    data.set("traits.answers.1", "uno");
    data.set("traits.名前", "アダ");
    data.set("traits.", "");
    expect((await send(flow, data)).kind).toBe("saved");
    const { "": _emptied, ...rest } = { ...everything, spares };
    expect(await who.traitsNow()).toEqual({
      ...rest,
      email: who.email,
      name: { first: "Ada" },
      news: false,
      tags: [],
      answers: { "1": "uno", "2": "two" },
      名前: "アダ",
    });
  });

  test("keeps what was typed when it is refused, also what was emptied, and sends it again", async () => {
    const who = await somebody({ note: "x", tags: ["one"], news: true });
    const { flow, send } = await formOf(who);
    const data = untouchedForm(flow);
    for (const name of ["traits.note", "traits.tags.0"]) data.set(name, "");
    data.delete("traits.news");
    data.set("traits.名前", "Ada");
    data.set("traits.email", "no address");
    const refused = await send(flow, data);
    if (refused.kind !== "rejected") throw new Error(refused.kind);
    const again = untouchedForm(refused.flow);
    expect(again.get("traits.名前")).toBe("Ada");
    again.set("traits.email", who.email);
    expect((await send(refused.flow, again)).kind).toBe("saved");
    expect(await who.traitsNow()).toEqual({ email: who.email, tags: [], news: false, 名前: "Ada" });
  });

  test("puts back nothing that was changed since it was drawn", async () => {
    const who = await somebody({ note: "old", tags: ["old"] });
    const { flow, send } = await formOf(who);
    await identities().updateIdentity({
      identityId: who.id,
      traitsChange: {
        case: "traits",
        value: { email: who.email, note: "of the operator", tags: ["old", "new"] },
      },
    });
    const data = untouchedForm(flow);
    data.set("traits.名前", "Ada");
    expect((await send(flow, data)).kind).toBe("saved");
    const expected = { email: who.email, note: "of the operator", tags: ["old", "new"], 名前: "Ada" };
    expect(await who.traitsNow()).toEqual(expected);
  });

  test("says that something is missing at the field that is to be filled in", async () => {
    const who = await somebody();
    const { flow, send } = await formOf(who);
    const data = untouchedForm(flow);
    data.set("traits.name.last", "Byron");
    const refused = await send(flow, data);
    if (refused.kind !== "rejected") throw new Error(refused.kind);
    const wrong = fieldsOf(refused.flow).filter(({ errors }) => errors.length > 0);
    expect(wrong.map(({ name }) => name)).toEqual(["traits.name.first"]);
  });
});

// Security rule (SR-SETTINGS-3): a change that waited puts back nothing that somebody else has changed meanwhile.
describe("a change of the address that waits for its code", () => {
  test("leaves alone what an operator has changed since, and makes the rest", async () => {
    const who = await somebody({ note: "old", tags: ["a"], name: { first: "Ada" } });
    const { save, enterCode } = await settingsOf(who);
    const next = freshEmail();
    const wanted = { email: next, note: "of the owner", name: { first: "Ada", last: "Byron" } };
    expect((await save(wanted)).case).toBe("nextStep");
    await identities().updateIdentity({
      identityId: who.id,
      traitsChange: {
        case: "traits",
        value: { email: who.email, note: "of the operator", tags: ["b"], name: { first: "Augusta" } },
      },
    });
    expect((await enterCode(await codeFor(next))).case).toBe("saved");
    expect(await who.traitsNow()).toEqual({
      email: next,
      note: "of the operator",
      tags: ["b"],
      name: { first: "Augusta", last: "Byron" },
    });
  });

  test("leaves alone what its owner has saved in another tab", async () => {
    const who = await somebody({ note: "old" });
    const [first, second] = [await settingsOf(who), await settingsOf(who)];
    const next = freshEmail();
    expect((await first.save({ email: next, note: "old" })).case).toBe("nextStep");
    expect((await second.save({ note: "of the second tab", tags: ["a"] })).case).toBe("saved");
    expect((await first.enterCode(await codeFor(next))).case).toBe("saved");
    expect(await who.traitsNow()).toEqual({ email: next, note: "of the second tab", tags: ["a"] });
  });

  test("of two that wait takes the one that is proven first", async () => {
    const who = await somebody();
    const [first, second] = [await settingsOf(who), await settingsOf(who)];
    const [one, two] = [freshEmail(), freshEmail()];
    await first.save({ email: one, note: "one" });
    await second.save({ email: two, note: "two" });
    expect((await second.enterCode(await codeFor(two))).case).toBe("saved");
    const late = await refusal(first.enterCode(await codeFor(one)));
    expect(late.reason).toBe("FLOW_COMPLETED");
    expect(await who.traitsNow()).toEqual({ email: two, note: "two" });
  });

  test("is not made where the list that it is in has changed since", async () => {
    const [kept, next] = [freshEmail(), freshEmail()];
    const who = await somebody({ spares: [kept], tags: [] });
    const { save, enterCode } = await settingsOf(who);
    expect((await save({ spares: [kept, next] })).case).toBe("nextStep");
    // The same addresses in other words: nothing that ends what is on its way.
    await identities().updateIdentity({
      identityId: who.id,
      traitsChange: { case: "traits", value: { email: who.email, spares: [kept.toUpperCase()], tags: [] } },
    });
    const refused = await refusal(enterCode(await codeFor(next)));
    expect(refused.reason).toBe("FLOW_CHANGED");
    expect(await who.traitsNow()).toMatchObject({ spares: [kept.toUpperCase()] });
  });
});

test("a change that waits for a fresh login leaves alone what was changed since", async () => {
  const who = await somebody({ note: "old", 名前: "Ada" });
  app.clock.advance(16 * 60_000);
  const { flow, save } = await settingsOf(who);
  const spare = freshEmail();
  const asked = await save({ email: who.email, spares: [spare], note: "of the owner", 名前: "Ada" });
  if (asked.case !== "loginRequired") throw new Error(`it was ${asked.case}`);
  // The form still shows what was wanted.
  const shown = asked.value.waitingFlow === undefined ? undefined : untouchedForm(asked.value.waitingFlow);
  expect(shown?.get("traits.note")).toBe("of the owner");
  await identities().updateIdentity({
    identityId: who.id,
    traitsChange: { case: "traits", value: { email: who.email, note: "of the operator", 名前: "Augusta" } },
  });
  const login = await app.client(LoginService).submitLoginFlow({
    flowId: asked.flow?.id ?? "",
    step: { case: "password", value: { password: goodPassword } },
  });
  if (login.outcome.case !== "completed") throw new Error(`it was ${login.outcome.case}`);
  const settings = app.client(SettingsService, { bearer: login.outcome.value.signedIn?.sessionToken });
  const resumed = await settings.submitSettingsFlow({
    flowId: flow.id,
    step: { case: "resume", value: {} },
  });
  expect(resumed.outcome.case).toBe("nextStep");
  const saved = await settings.submitSettingsFlow({
    flowId: flow.id,
    step: { case: "code", value: { code: await codeFor(spare) } },
  });
  expect(saved.outcome.case).toBe("saved");
  const expected = { email: who.email, spares: [spare], note: "of the operator", 名前: "Augusta" };
  expect(await who.traitsNow()).toEqual(expected);
});

// Security rule (SR-OWNER-9): an address that had a say in the account is told when it is taken away, whatever takes it away.
describe("a verified address", () => {
  const told = async (email: string) =>
    (await app.messages(email)).map(({ template }) => template).filter((name) => name.startsWith("address_"));

  test("is told when its owner removes it, and so are those that stay", async () => {
    const spares = [freshEmail(), freshEmail()];
    const who = await somebody({ spares });
    const { save } = await settingsOf(who);
    const [gone = "", kept = ""] = spares;
    expect((await save({ spares: [kept] })).case).toBe("saved");
    for (const email of [who.email, gone, kept])
      expect(await told(email), email).toEqual(["address_removed"]);
  });

  test("is told when an operator removes it", async () => {
    const spares = [freshEmail()];
    const who = await somebody({ spares });
    await identities().updateIdentity({
      identityId: who.id,
      traitsChange: { case: "traits", value: { email: who.email } },
    });
    for (const email of [who.email, ...spares]) expect(await told(email), email).toEqual(["address_removed"]);
  });

  test("is told what takes its place, and those that stay what came and went", async () => {
    const spares = [freshEmail()];
    const who = await somebody({ spares });
    const next = freshEmail();
    await identities().updateIdentity({
      identityId: who.id,
      traitsChange: { case: "traits", value: { email: next, spares } },
    });
    expect(await told(who.email)).toEqual(["address_changed"]);
    expect((await told(spares[0] ?? "")).sort()).toEqual(["address_added", "address_removed"]);
    // Nobody has shown that the new one is theirs.
    expect(await told(next)).toEqual([]);
  });

  test("is not told when it only moves to another trait", async () => {
    const spares = [freshEmail()];
    const who = await somebody({ spares });
    const { save } = await settingsOf(who);
    const [spare = ""] = spares;
    expect((await save({ email: spare, spares: [who.email] })).case).toBe("saved");
    for (const email of [who.email, spare]) expect(await told(email), email).toEqual([]);
  });
});

test("a verified address that moves to a trait that does not sign in is told", async () => {
  const app = await startTestApp({
    config: {
      tenant_defaults: {
        identity: {
          default_schema: "p",
          schemas: [
            {
              id: "p",
              document: {
                type: "object",
                properties: {
                  main: address(),
                  spare: { type: "string", format: "email", ostiary: { verifiable: "email" } },
                },
              },
            },
          ],
        },
      },
    },
  });
  const [main, spare] = [freshEmail(), freshEmail()];
  await app.client(IdentityService).createIdentity({
    traits: { main, spare },
    verifiedAddresses: [{ value: main }, { value: spare }],
    credentials: { password: { value: { case: "password", value: goodPassword } } },
  });
  const token = await sessionTokenOf(app, main);
  const { save } = await settingsOf({ settings: app.client(SettingsService, { bearer: token }) });
  expect((await save({ main: spare, spare: main })).case).toBe("saved");
  expect(await toldOfRemoval(app)).toEqual([main, spare].sort());
  await app.stop();
});

test("an address that a new version of the schema takes away is told at the next change", async () => {
  const identity = (spare: object) => ({
    identity: {
      default_schema: "p",
      schemas: [
        {
          id: "p",
          document: {
            type: "object",
            properties: { email: address(), spare, note: { type: "string" } },
          },
        },
      ],
    },
  });
  const first = await startTestApp({ config: { tenant_defaults: identity(address()) } });
  const [email, spare] = [freshEmail(), freshEmail()];
  await first.client(IdentityService).createIdentity({
    traits: { email, spare },
    verifiedAddresses: [{ value: email }, { value: spare }],
    credentials: { password: { value: { case: "password", value: goodPassword } } },
  });
  const { databaseUrl, clock } = first;
  const second = await startTestApp({
    databaseUrl,
    clock,
    config: { tenant_defaults: identity({ type: "string" }) },
  });
  const token = await sessionTokenOf(second, email);
  const { save } = await settingsOf({ settings: second.client(SettingsService, { bearer: token }) });
  expect((await save({ note: "x" })).case).toBe("saved");
  expect(await toldOfRemoval(second)).toEqual([email, spare].sort());
  await second.stop();
  await first.stop();
});

/** To whom the removal of an address was told. */
async function toldOfRemoval(server: TestApp): Promise<readonly string[]> {
  const rows = await administer(server.databaseUrl, (query) =>
    query<{ recipient: string }>(
      "SELECT recipient FROM ostiary.message WHERE template = 'address_removed' ORDER BY recipient",
    ),
  );
  return rows.map(({ recipient }) => recipient);
}
