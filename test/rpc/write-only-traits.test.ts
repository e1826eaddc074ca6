import { inspect } from "node:util";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionService, SessionView } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, goodPassword, sessionTokenOf } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { openSettings } from "../support/deletion.ts";
import { administer } from "../support/postgres.ts";

const secret = () => ({ type: "string", writeOnly: true });
const schema = {
  type: "object",
  required: ["email", "pin"],
  properties: {
    email: { type: "string", format: "email", ostiary: { identifier: "email" } },
    nickname: { type: "string", minLength: 3 },
    pin: secret(),
    inner: { type: "object", properties: { answer: secret(), question: { type: "string" } } },
    devices: {
      type: "array",
      items: { type: "object", properties: { name: { type: "string" }, key: secret() } },
    },
    words: { type: "array", items: secret() },
  },
};
const marked = (text: string) => `${text} is written only`;
const traits = {
  nickname: "Ada",
  pin: marked("pin"),
  inner: { answer: marked("answer"), question: "What?" },
  devices: [{ name: "telephone", key: marked("key") }],
  words: [marked("word")],
};
const shownTraits = { nickname: "Ada", inner: { question: "What?" }, devices: [{ name: "telephone" }] };

let app: TestApp;
beforeAll(async () => {
  const identity = { default_schema: "p", schemas: [{ id: "p", document: schema }] };
  app = await startTestApp({ config: { tenant_defaults: { identity } } });
});
afterAll(() => app.stop());

const nodeOf = (flow: Flow | undefined, name: string) => flow?.form?.nodes.find((node) => node.name === name);
/** The whole of a message as text. */
const textOf = (message: unknown) =>
  JSON.stringify(message, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value));
const secrets = [marked("pin"), marked("answer"), marked("key"), marked("word")];

// Security rule (SR-TRAIT-2): what the schema calls write-only is shown to its owner no more once it was sent, wherever it stands.
describe.each(protocols)("traits that are only written, over %s", (protocol) => {
  async function account() {
    const email = freshEmail();
    const { identity } = await app.client(IdentityService, { protocol }).createIdentity({
      traits: { email, ...traits },
      credentials: { password: { value: { case: "password", value: goodPassword } } },
    });
    return { email, id: identity?.id ?? "", bearer: await sessionTokenOf(app, email) };
  }

  test("are in no profile, and in what operators read", async () => {
    const { email, id, bearer } = await account();
    const sessions = app.client(SessionService, { protocol, bearer });
    const view = SessionView.FULL;
    const shown = { email, ...shownTraits };
    expect((await sessions.getCurrentSession({ view })).identity?.traits).toEqual(shown);
    expect((await sessions.checkSession({ token: bearer, view })).identity?.traits).toEqual(shown);
    const { identity } = await app.client(IdentityService, { protocol }).getIdentity({ identityId: id });
    expect(identity?.traits).toEqual({ email, ...traits });
  });

  test("are in no settings, whose form asks for none of them again and loses none", async () => {
    const { email, id, bearer } = await account();
    const { client, flow } = await openSettings(app, bearer, protocol);
    for (const text of secrets) expect(textOf(flow)).not.toContain(text);
    expect(nodeOf(flow, "traits.pin")?.kind.value).toMatchObject({ required: false, unsaved: false });
    // A list is replaced whole, so one that is not shown whole cannot be changed in a form.
    expect(nodeOf(flow, "traits.devices")?.kind.value).toMatchObject({ readOnly: true, unsaved: false });
    expect(nodeOf(flow, "traits.words")).toBeUndefined();
    const submit = (patch: JsonObject) =>
      client.submitSettingsFlow({
        flowId: flow.id,
        traits: patch,
        step: { case: "profile", value: {} },
      });
    const rejected = await submit({ nickname: "x", pin: marked("another pin") });
    expect(rejected.outcome.case).toBe("rejected");
    const saved = await submit({ nickname: "Augusta", pin: marked("another pin") });
    expect(saved.outcome).toMatchObject({
      case: "saved",
      value: { identity: { traits: { email, ...shownTraits, nickname: "Augusta" } } },
    });
    for (const text of [...secrets, marked("another pin")]) {
      expect(textOf([rejected, saved])).not.toContain(text);
    }
    const { identity } = await app.client(IdentityService, { protocol }).getIdentity({ identityId: id });
    expect(identity?.traits).toEqual({
      ...{ email, ...traits },
      ...{ nickname: "Augusta", pin: marked("another pin") },
    });
  });

  test("of items are in no conflict", async () => {
    const { id, bearer } = await account();
    const { client, flow } = await openSettings(app, bearer, protocol);
    const elsewhere = [{ name: "computer", key: marked("key") }];
    await app.client(IdentityService, { protocol }).updateIdentity({
      identityId: id,
      traitsChange: { case: "traitsPatch", value: { devices: elsewhere } },
      keepSessions: true,
    });
    const answer = await client.submitSettingsFlow({
      flowId: flow.id,
      traitsEtag: flow.traitsEtag,
      traits: { devices: [{ name: "watch", key: marked("new key") }] },
      step: { case: "profile", value: {} },
    });
    expect(answer.outcome.case).toBe("rejected");
    expect(nodeOf(answer.flow, "traits.devices")?.messages).toMatchObject([
      { id: 9000400, context: { typed: [{ name: "watch" }] } },
    ]);
    for (const text of [...secrets, marked("new key")]) expect(textOf(answer)).not.toContain(text);
  });

  test("are in no answer to a registration", async () => {
    const client = app.client(RegistrationService, { protocol });
    const { flow } = await client.createRegistrationFlow({ client: ClientKind.NATIVE });
    expect(nodeOf(flow, "traits.pin")?.kind.value).toMatchObject({ required: true });
    const email = freshEmail();
    const submit = (nickname: string) =>
      client.submitRegistrationFlow({
        flowId: flow?.id ?? "",
        traits: { email, ...traits, nickname },
        step: { case: "password", value: { password: goodPassword } },
      });
    const rejected = await submit("x");
    expect(rejected.outcome.case).toBe("rejected");
    // What was typed is lost with the answer, so it is asked for again.
    expect(nodeOf(rejected.flow, "traits.pin")?.kind.value).toMatchObject({ required: true });
    expect(nodeOf(rejected.flow, "traits.devices")?.kind.value).toMatchObject({ readOnly: false });
    const completed = await submit("Ada");
    expect(completed.outcome).toMatchObject({
      case: "completed",
      value: { signedIn: { identity: { traits: { email, ...shownTraits } } } },
    });
    for (const text of secrets) expect(textOf([rejected, completed])).not.toContain(text);
  });
});

test("nothing of them is in a log, an event or a flow", async () => {
  const log = app.log.map((line) => inspect(line, { depth: null })).join("\n");
  expect(log).toContain("SubmitRegistrationFlow");
  const stored = await administer(app.databaseUrl, async (query) => {
    const [row] = await query<{ text: string }>(
      `SELECT concat((SELECT string_agg(f::text, ' ') FROM ostiary.flow f),
        (SELECT string_agg(e::text, ' ') FROM ostiary.event e)) AS text`,
    );
    return row?.text ?? "";
  });
  expect(stored).toContain("registration.succeeded");
  expect(log + stored).not.toContain("is written only");
});
