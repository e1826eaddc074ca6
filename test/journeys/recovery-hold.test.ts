import { timestampDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { RequiredActionKind, RequiredActionTiming } from "../../gen/ostiary/identity/v1/identity_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword, logIn, sessionTokenOf } from "../support/accounts.ts";
import { type Protocol, protocols, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { Settings, setUpTotp } from "../support/factors.ts";
import { registerPasskey, startPasskeyApp } from "../support/passkeys.ts";
import { createPerson, personSchemas } from "../support/person.ts";
import { administer } from "../support/postgres.ts";
import { SoftwareAuthenticator } from "../support/software-authenticator.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const holdMs = 72 * hourMs;
const recovery = { hold: "72h", ui_url: "https://id.example.com/recover" };

let app: TestApp;
beforeAll(async () => {
  app = await startPasskeyApp({
    flows: { recovery },
    code: { login: false },
    link: { enabled: true, login: false },
    identity: { schemas: personSchemas },
  });
});
afterAll(() => app.stop());
// Messages sort by their time, which stands still otherwise.
beforeEach(() => app.clock.advance(60_000));

const admin = () => app.client(IdentityService);

const password = { value: { case: "password", value: goodPassword } } as const;

/** An account with a password and a verified address. */
async function account() {
  const email = freshEmail();
  const { identity } = await admin().createIdentity({
    traits: { email },
    verifiedAddresses: [{ value: email }],
    credentials: { password },
  });
  return { email, id: identity?.id ?? "" };
}

async function begin(server = app, protocol?: Protocol): Promise<Flow> {
  const client = server.client(RecoveryService, protocol && { protocol });
  const { flow } = await client.createRecoveryFlow({ client: ClientKind.NATIVE });
  if (flow === undefined) throw new Error("there is no flow");
  return flow;
}

/** Proves an address by a code, in a flow of its own. */
async function prove(email: string, protocol: Protocol = "Connect JSON", server = app) {
  server.clock.advance(1000);
  const { id: flowId } = await begin(server, protocol);
  const client = server.client(RecoveryService, { protocol });
  await client.submitRecoveryFlow({ flowId, address: email, step: { case: "sendCode", value: {} } });
  const code = (await server.messages(email)).findLast(({ template }) => template === "recovery_code")?.code;
  return client.submitRecoveryFlow({ flowId, step: { case: "code", value: { code: code ?? "" } } });
}

const endOf = (flow: Flow | undefined) =>
  flow?.stage.case === "onHold" && flow.stage.value.endTime
    ? timestampDate(flow.stage.value.endTime).getTime()
    : undefined;

async function told(email: string, template: string) {
  return (await app.messages(email)).filter((message) => message.template === template);
}

const tokenOf = (url: string) => new URLSearchParams(new URL(url).hash.slice(1)).get("link") ?? "";

/** The link that stops the last recovery. */
async function stopLink(email: string): Promise<string> {
  return tokenOf((await told(email, "recovery_held")).at(-1)?.url ?? "");
}

async function openStop(linkToken: string, protocol: Protocol = "Connect JSON") {
  const client = app.client(RecoveryService, { protocol });
  const { flow } = await client.createRecoveryFlow({ client: ClientKind.NATIVE, linkToken });
  const stop = () =>
    client.submitRecoveryFlow({ flowId: flow?.id ?? "", step: { case: "stopRecovery", value: {} } });
  return { flow, stop };
}

const eventsOf = (identityId: string) =>
  administer(app.databaseUrl, async (query) => {
    const rows = await query<{ type: string; data: object }>(
      "SELECT type, data FROM ostiary.event WHERE identity_id = $1 AND type LIKE 'recovery.%' ORDER BY position",
      [identityId],
    );
    return rows.map(({ type, data }) => [type, data]);
  });

describe("a recovery by an address alone", () => {
  test.each(protocols)("waits, and goes on with another proof over %s", async (protocol) => {
    const { email, id } = await account();
    const before = app.clock.now().getTime();
    const first = await prove(email, protocol);
    expect(first.outcome.case).toBe("nextStep");
    const end = endOf(first.flow) ?? 0;
    expect(end - before).toBeGreaterThanOrEqual(holdMs);
    expect(end - before).toBeLessThan(holdMs + 10_000);
    expect(first.flow?.form?.messages.map(({ id }) => id)).toEqual([9000464]);
    // The address can be typed again.
    const back = await app.client(RecoveryService, { protocol }).submitRecoveryFlow({
      flowId: first.flow?.id ?? "",
      step: { case: "back", value: {} },
    });
    expect(back.flow?.stage.case).toBe("chooseMethod");

    app.clock.advance(holdMs - hourMs);
    expect(endOf((await prove(email, protocol)).flow)).toBe(end);
    app.clock.advance(hourMs);
    const done = await prove(email, protocol);
    expect(done.outcome.case).toBe("completed");
    const [settings] = done.outcome.case === "completed" ? done.outcome.value.continueWith : [];
    expect(settings?.action.case).toBe("settings");
    const flowId = settings?.action.case === "settings" ? settings.action.value.flow?.id : "";
    const changed = await app.client(SettingsService, { protocol }).submitSettingsFlow({
      flowId,
      step: { case: "password", value: { password: "another horse battery" } },
    });
    expect(changed.outcome.case).toBe("completed");
    expect((await logIn(app, email, "another horse battery")).case).toBe("completed");
    expect((await eventsOf(id)).map(([type]) => type)).toEqual(["recovery.held", "recovery.succeeded"]);
    expect(await told(email, "recovery_held")).toHaveLength(1);
    // What has waited is used up.
    app.clock.advance(1000);
    expect((await prove(email, protocol)).outcome.case).toBe("nextStep");
  });

  test("is drawn by the form, as the German pages can say it", async () => {
    const { email } = await account();
    const { flow } = await prove(email);
    const { flow: read } = await app.client(FlowService).getFlow({ flowId: flow?.id ?? "" });
    expect(read?.stage.case).toBe("onHold");
    expect(read?.form?.nodes.map(({ step }) => step)).toEqual(["back"]);
  });

  test("by a link waits as well", async () => {
    const { email } = await account();
    const { id: flowId } = await begin();
    const client = app.client(RecoveryService);
    await client.submitRecoveryFlow({ flowId, address: email, step: { case: "sendLink", value: {} } });
    const linkToken = tokenOf((await told(email, "recovery_link")).at(-1)?.url ?? "");
    const opened = await client.createRecoveryFlow({ client: ClientKind.NATIVE, linkToken });
    const proved = await client.submitRecoveryFlow({
      flowId: opened.flow?.id ?? "",
      step: { case: "confirmLink", value: {} },
    });
    expect(proved.flow?.stage.case).toBe("onHold");
    // It is used up.
    expect((await refusal(client.createRecoveryFlow({ client: ClientKind.NATIVE, linkToken }))).reason).toBe(
      "LINK_INVALID",
    );
  });

  // Security rule (SR-HOLD-1): the time counts from the first proof of the address.
  test("is made neither longer nor shorter by others, and its end is a week long", async () => {
    const { email } = await account();
    const end = endOf((await prove(email)).flow) ?? 0;
    for (const _ of [1, 2]) {
      app.clock.advance(dayMs);
      expect(endOf((await prove(email)).flow)).toBe(end);
    }
    app.clock.advance(end - app.clock.now().getTime() + 7 * dayMs - hourMs);
    expect((await prove(email)).outcome.case).toBe("completed");
    const late = await account();
    await prove(late.email);
    app.clock.advance(holdMs + 7 * dayMs);
    expect(endOf((await prove(late.email)).flow)).toBeGreaterThan(
      app.clock.now().getTime() + holdMs - hourMs,
    );
  });

  // Security rule (SR-HOLD-1): the proof of one address is none of another one.
  test("waits for each address by itself, and is told to all that are verified", async () => {
    const { email, spare, work } = await createPerson(app);
    const first = endOf((await prove(email)).flow) ?? 0;
    for (const address of [email, spare]) expect(await told(address, "recovery_held")).toHaveLength(1);
    expect(await told(work, "recovery_held")).toEqual([]);
    app.clock.advance(dayMs);
    const second = endOf((await prove(spare)).flow) ?? 0;
    expect(second - first).toBeGreaterThanOrEqual(dayMs);
    app.clock.advance(first - app.clock.now().getTime());
    expect(endOf((await prove(spare)).flow)).toBe(second);
    // A reader of one address stops those of all.
    await (await openStop(await stopLink(spare))).stop();
    app.clock.advance(dayMs);
    expect(endOf((await prove(email)).flow)).toBeGreaterThan(second);
  });

  test("tells strangers nothing: for an address that nobody has verified it is as without a hold", async () => {
    const { email, spare } = await createPerson(app, ["email"]);
    const answers = [];
    for (const address of [spare, freshEmail()]) {
      const { id: flowId } = await begin();
      const client = app.client(RecoveryService);
      const sent = await client.submitRecoveryFlow({
        flowId,
        address,
        step: { case: "sendCode", value: {} },
      });
      const tried = await client.submitRecoveryFlow({
        flowId,
        step: { case: "code", value: { code: "000000" } },
      });
      answers.push([sent.outcome.case, sent.flow?.stage.case, tried.outcome]);
    }
    expect(answers[0]).toEqual(answers[1]);
    for (const address of [email, spare]) expect(await told(address, "recovery_held")).toEqual([]);
  });

  test("completes once, of 16 proofs at the same moment after it waited", async () => {
    const { email, id } = await account();
    await prove(email);
    app.clock.advance(holdMs);
    const client = app.client(RecoveryService);
    const codes: { flowId: string; code: string }[] = [];
    for (let count = 0; count < 16; count++) {
      app.clock.advance(1000);
      const { id: flowId } = await begin();
      await client.submitRecoveryFlow({ flowId, address: email, step: { case: "sendCode", value: {} } });
      codes.push({ flowId, code: (await told(email, "recovery_code")).at(-1)?.code ?? "" });
    }
    const answers = await Promise.allSettled(
      codes.map(({ flowId, code }) =>
        client.submitRecoveryFlow({ flowId, step: { case: "code", value: { code } } }),
      ),
    );
    const completed = answers.filter(
      (answer) => answer.status === "fulfilled" && answer.value.outcome.case === "completed",
    );
    expect(completed).toHaveLength(1);
    expect((await eventsOf(id)).filter(([type]) => type === "recovery.succeeded")).toHaveLength(1);
  });

  test("waits for a passkey alone, too", async () => {
    const { email, identity } = await registerPasskey(app, { device: new SoftwareAuthenticator() });
    await admin().verifyAddress({ identityId: identity?.id ?? "", address: email });
    expect((await prove(email)).flow?.stage.case).toBe("onHold");
  });
});

// Security rule (SR-HOLD-2): what asks for more than the address, or was begun by an operator, does not wait.
describe("a recovery does not wait", () => {
  test("where it asks for a second factor", async () => {
    const { email } = await account();
    await setUpTotp(app, { sessionToken: await sessionTokenOf(app, email) });
    expect((await prove(email)).outcome.case).toBe("completed");
    expect(await told(email, "recovery_held")).toEqual([]);
  });

  test("where it asks for a second factor that logins do not ask for", async () => {
    const lenient = await startPasskeyApp({
      flows: { recovery },
      ...{ code: { login: false }, second_factor: { policy: "optional" } },
    });
    try {
      const email = freshEmail();
      await lenient.client(IdentityService).createIdentity({
        traits: { email },
        verifiedAddresses: [{ value: email }],
        credentials: { password },
      });
      const sessionToken = await sessionTokenOf(lenient, email);
      await setUpTotp(lenient, { sessionToken });
      expect((await prove(email, "Connect JSON", lenient)).outcome.case).toBe("completed");
    } finally {
      await lenient.stop();
    }
  });

  test("where the account has no credential", async () => {
    const email = freshEmail();
    await admin().createIdentity({ traits: { email }, verifiedAddresses: [{ value: email }] });
    expect((await prove(email)).outcome.case).toBe("completed");
  });

  test.each<[string, (person: { email: string; id: string }) => Promise<string>]>([
    [
      "handed over",
      async ({ id: identityId }) => (await admin().createRecoveryLink({ identityId })).linkToken,
    ],
    [
      "sent",
      async ({ email, id: identityId }) => {
        await admin().sendRecoveryMessage({ identityId });
        return tokenOf((await told(email, "recovery_link")).at(-1)?.url ?? "");
      },
    ],
  ])("where an operator has begun it, by a link that is %s", async (_name, begun) => {
    const person = await account();
    const linkToken = await begun(person);
    const client = app.client(RecoveryService);
    const { flow } = await client.createRecoveryFlow({ client: ClientKind.NATIVE, linkToken });
    const { outcome } = await client.submitRecoveryFlow({
      flowId: flow?.id ?? "",
      step: { case: "confirmLink", value: {} },
    });
    expect(outcome.case).toBe("completed");
    expect(await told(person.email, "recovery_held")).toEqual([]);
  });
});

describe("a recovery that waits", () => {
  test("is told to every verified address, with a link that stops it and does nothing else", async () => {
    const { email, id } = await account();
    await prove(email);
    const [notice] = await told(email, "recovery_held");
    expect(notice?.content).toMatchObject({
      data: { address_masked: expect.stringMatching(/^.\*+@example\.com$/), device: expect.any(String) },
    });
    expect(notice?.url).toMatch(/^https:\/\/id\.example\.com\/recover#link=ost_lnk_/);
    const { flow, stop } = await openStop(await stopLink(email));
    expect(flow?.stage).toMatchObject({
      case: "stopRecovery",
      value: { address: expect.stringMatching(/^.\*+@example\.com$/) },
    });
    expect(flow?.form?.nodes.map(({ name }) => name)).toEqual(["stopRecovery"]);
    // Security rule (SR-HOLD-4): it proves nothing.
    const client = app.client(RecoveryService);
    const misused = client.submitRecoveryFlow({
      flowId: flow?.id ?? "",
      step: { case: "confirmLink", value: {} },
    });
    expect((await refusal(misused)).reason).toBe("STEP_NOT_OFFERED");
    expect((await stop()).outcome.case).toBe("completed");
    expect(await told(email, "recovery_stopped")).toHaveLength(1);
    expect(await eventsOf(id)).toEqual([
      ["recovery.held", { until: expect.any(String) }],
      ["recovery.stopped", { by: "owner" }],
    ]);
    // Another proof begins to wait anew.
    app.clock.advance(holdMs);
    const again = await prove(email);
    expect(endOf(again.flow)).toBeGreaterThan(app.clock.now().getTime() + holdMs - hourMs);
    expect((await logIn(app, email)).case).toBe("completed");
  });

  test.each(protocols)("is stopped once, of several at the same moment, over %s", async (protocol) => {
    const { email, id } = await account();
    await prove(email);
    const token = await stopLink(email);
    const opened = await Promise.all(Array.from({ length: 16 }, () => openStop(token, protocol)));
    const answers = await Promise.allSettled(opened.map(({ stop }) => stop()));
    const cases = answers.map((answer) =>
      answer.status === "fulfilled" ? answer.value.outcome.case : "refused",
    );
    expect(cases.filter((each) => each === "completed")).toHaveLength(1);
    expect(await told(email, "recovery_stopped")).toHaveLength(1);
    expect((await eventsOf(id)).filter(([type]) => type === "recovery.stopped")).toHaveLength(1);
    expect((await refusal(openStop(token, protocol))).reason).toBe("LINK_INVALID");
  });

  test("is stopped together with codes on their way, and answers as before to their holder", async () => {
    const { email } = await account();
    await prove(email);
    const client = app.client(RecoveryService);
    const { id: flowId } = await begin();
    await client.submitRecoveryFlow({ flowId, address: email, step: { case: "sendCode", value: {} } });
    const code = (await told(email, "recovery_code")).at(-1)?.code ?? "";
    await (await openStop(await stopLink(email))).stop();
    const tried = await client.submitRecoveryFlow({ flowId, step: { case: "code", value: { code } } });
    expect(tried.outcome).toMatchObject({
      case: "rejected",
      value: { reason: RejectionReason.CODE_INVALID },
    });
  });

  test("is over already where it was completed before it is stopped", async () => {
    const { email } = await account();
    await prove(email);
    const { stop } = await openStop(await stopLink(email));
    app.clock.advance(holdMs);
    expect((await prove(email)).outcome.case).toBe("completed");
    expect((await refusal(stop())).reason).toBe("FLOW_COMPLETED");
    expect(await told(email, "recovery_stopped")).toEqual([]);
  });

  // Security rule (SR-HOLD-3): a person who can sign in needs no recovery; whatever changes the account ends it.
  test.each<[string, (person: { email: string; id: string }) => Promise<unknown>]>([
    ["a login", ({ email }) => logIn(app, email)],
    [
      "a new password of its owner",
      async ({ email }) => {
        const settings = new Settings(app, await sessionTokenOf(app, email));
        return settings.submit("password", { password: "another horse battery" });
      },
    ],
    ["an operator", ({ id: identityId }) => admin().cancelRecoveries({ identityId })],
    ["a new password by an operator", ({ id: identityId }) => admin().setPassword({ identityId, password })],
    [
      "a deactivation",
      async ({ id: identityId }) => {
        await admin().deactivateIdentity({ identityId });
        return admin().activateIdentity({ identityId });
      },
    ],
    [
      "an address that is verified no more",
      async ({ email, id: identityId }) => {
        await admin().unverifyAddress({ identityId, address: email });
        return admin().verifyAddress({ identityId, address: email });
      },
    ],
    [
      "a change of the addresses",
      async ({ email, id: identityId }) => {
        await admin().updateIdentity({
          identityId,
          traitsChange: { case: "traits", value: { email: freshEmail() } },
        });
        await admin().updateIdentity({ identityId, traitsChange: { case: "traits", value: { email } } });
        return admin().verifyAddress({ identityId, address: email });
      },
    ],
  ])("is ended by %s", async (_name, change) => {
    const person = await account();
    const { flow } = await prove(person.email);
    const token = await stopLink(person.email);
    await change(person);
    app.clock.advance(holdMs);
    const again = await prove(person.email);
    expect(endOf(again.flow)).toBeGreaterThan(endOf(flow) ?? Number.POSITIVE_INFINITY);
    expect((await refusal(openStop(token))).reason).toBe("LINK_INVALID");
  });

  test("is not ended by a login that fails, or by a change of what the account does not sign in with", async () => {
    const { email, id: identityId } = await account();
    await prove(email);
    await logIn(app, email, "wrong horse battery");
    await admin().updateIdentity({
      identityId,
      adminMetadataChange: { case: "adminMetadata", value: { synced: true } },
    });
    app.clock.advance(holdMs);
    expect((await prove(email)).outcome.case).toBe("completed");
  });

  test("is told by an operator's stop only where one waited, and needs an identity", async () => {
    const { email, id: identityId } = await account();
    const cancel = async () => (await admin().cancelRecoveries({ identityId })).stopped;
    expect(await cancel()).toBe(false);
    expect(await told(email, "recovery_stopped")).toEqual([]);
    await prove(email);
    expect([await cancel(), await cancel()]).toEqual([true, false]);
    expect(await told(email, "recovery_stopped")).toHaveLength(1);
    expect((await eventsOf(identityId)).at(-1)).toEqual(["recovery.stopped", { by: "operator" }]);
    const unknown = admin().cancelRecoveries({ identityId: "01890000-0000-7000-8000-000000000000" });
    expect((await refusal(unknown)).reason).toBe("IDENTITY_NOT_FOUND");
  });

  /** The settings that a proved recovery goes on with. */
  const settingsOf = ({ outcome }: Awaited<ReturnType<typeof prove>>) => {
    const [next] = outcome.case === "completed" ? outcome.value.continueWith : [];
    return (next?.action.case === "settings" && next.action.value.flow?.id) || "";
  };
  const setPassword = (flowId: string, bearer?: string) =>
    app.client(SettingsService, bearer === undefined ? {} : { bearer }).submitSettingsFlow({
      flowId,
      step: { case: "password", value: { password: "another horse battery" } },
    });

  // Security rule (SR-HOLD-3): a recovery that was proved is one as well, until its new secret is set.
  test.each<[string, (person: { email: string; id: string }) => Promise<unknown>]>([
    ["an operator", ({ id: identityId }) => admin().cancelRecoveries({ identityId })],
    [
      "the link of another one",
      async ({ email }) => {
        expect((await prove(email)).flow?.stage.case).toBe("onHold");
        return (await openStop(await stopLink(email))).stop();
      },
    ],
  ])("is stopped after it was proved, by %s", async (_name, stop) => {
    const person = await account();
    await prove(person.email);
    app.clock.advance(holdMs);
    const flowId = settingsOf(await prove(person.email));
    expect(flowId).not.toBe("");
    await stop(person);
    expect((await refusal(setPassword(flowId))).reason).toBe("FLOW_COMPLETED");
    expect((await logIn(app, person.email)).case).toBe("completed");
    expect(await told(person.email, "recovery_stopped")).toHaveLength(1);
  });

  test("is stopped where its second factor is still to be shown", async () => {
    const { email, id: identityId } = await account();
    const { device } = await setUpTotp(app, { sessionToken: await sessionTokenOf(app, email) });
    const flowId = settingsOf(await prove(email));
    const asked = await setPassword(flowId);
    expect(asked.outcome.case).toBe("loginRequired");
    const login = asked.flow;
    expect(login?.stage.case).toBe("chooseMethod");
    expect((await admin().cancelRecoveries({ identityId })).stopped).toBe(true);
    const shown = app.client(LoginService).submitLoginFlow({
      flowId: login?.id ?? "",
      step: { case: "totp", value: { code: device.code() } },
    });
    expect((await refusal(shown)).reason).toBe("FLOW_COMPLETED");
    // A login of the owner's own goes on.
    const own = await logIn(app, email);
    expect(own.case).toBe("nextStep");
    expect((await admin().cancelRecoveries({ identityId })).stopped).toBe(false);
    // A code is good once, also the one that set the app up.
    app.clock.advance(60_000);
    const done = await app.client(LoginService).submitLoginFlow({
      flowId: own.flow?.id ?? "",
      step: { case: "totp", value: { code: device.code() } },
    });
    expect(done.outcome.case).toBe("completed");
  });

  test("is stopped where something is to be done before its session", async () => {
    const { email, id: identityId } = await account();
    await prove(email);
    app.clock.advance(holdMs);
    const flowId = settingsOf(await prove(email));
    const kind = RequiredActionKind.ENROL_FACTOR;
    const timing = RequiredActionTiming.BEFORE_SESSION;
    await admin().setRequiredActions({
      identityId,
      requiredActions: [{ action: { case: "kind", value: kind }, timing }],
    });
    const asked = await setPassword(flowId);
    expect(asked.outcome.case).toBe("loginRequired");
    expect(asked.flow?.stage.case).toBe("requiredAction");
    expect((await admin().cancelRecoveries({ identityId })).stopped).toBe(true);
    const done = app.client(LoginService).submitLoginFlow({
      flowId: asked.flow?.id ?? "",
      step: { case: "totp", value: {} },
    });
    expect((await refusal(done)).reason).toBe("FLOW_COMPLETED");
  });

  test("goes with its account", async () => {
    const { email, id: identityId } = await account();
    await prove(email);
    const token = await stopLink(email);
    await admin().deleteIdentity({ identityId });
    expect((await refusal(openStop(token))).reason).toBe("LINK_INVALID");
    expect((await prove(email)).outcome.case).toBe("rejected");
  });
});

describe("where nothing is said of a hold", () => {
  let usual: TestApp;
  beforeAll(async () => {
    usual = await startPasskeyApp();
  });
  afterAll(() => usual.stop());

  test("a recovery completes at once", async () => {
    const email = freshEmail();
    await usual.client(IdentityService).createIdentity({
      traits: { email },
      verifiedAddresses: [{ value: email }],
      credentials: { password },
    });
    expect((await prove(email, "gRPC", usual)).outcome.case).toBe("completed");
  });
});
