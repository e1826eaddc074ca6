import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { type ContinueWith, RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import {
  type SubmitVerificationFlowRequestSchema,
  VerificationService,
} from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import type { JsonObject } from "../../src/domain/json.ts";
import { freshEmail, goodPassword, logIn } from "../support/accounts.ts";
import { type Protocol, protocols, startTestApp, type TestApp } from "../support/app.ts";
import { Browser } from "../support/browser.ts";
import { refusal } from "../support/errors.ts";
import { tokenOf } from "../support/links.ts";
import { personSchemas } from "../support/person.ts";
import { administer } from "../support/postgres.ts";
import { isLive } from "../support/sessions.ts";

/*
 * Accounts that somebody made for an address of somebody else.
 *
 * @see docs/security.md#who-an-account-belongs-to
 */

const attackersPassword = "attackers own pass 4711";
const ownersPassword = "owners own pass 0815";
const askForCode = { case: "sendCode", value: {} } as const;
const askForLink = { case: "sendLink", value: {} } as const;
const confirm = { case: "confirmLink", value: {} } as const;
const resume = { case: "resume", value: {} } as const;
const disown = { case: "disown", value: {} } as const;
const back = { case: "back", value: {} } as const;

type Kind = "verification" | "recovery";
type Step = Exclude<MessageInitShape<typeof SubmitVerificationFlowRequestSchema>["step"], undefined>;

let app: TestApp;

beforeAll(async () => {
  const page = (name: string) => ({ ui_url: `https://app.example.com/${name}` });
  const flows = {
    verification: page("verification"),
    recovery: page("recovery"),
    settings: { account_deletion: { enabled: true } },
  };
  app = await startTestApp({
    config: {
      tenant_defaults: { flows, link: { enabled: true }, identity: { schemas: personSchemas } },
    },
  });
});
afterAll(() => app.stop());

interface Account {
  readonly email: string;
  readonly id: string;
  readonly sessionToken: string;
  readonly verificationFlow: string;
}

/** Registers by a password; nothing is verified. */
async function register(traits: JsonObject = {}, password = attackersPassword): Promise<Account> {
  app.clock.advance(1);
  const email = typeof traits.email === "string" ? traits.email : freshEmail();
  const client = app.client(RegistrationService);
  const { flow } = await client.createRegistrationFlow({ client: ClientKind.NATIVE });
  const { outcome } = await client.submitRegistrationFlow({
    flowId: flow?.id ?? "",
    traits: { email, ...traits },
    step: { case: "password", value: { password } },
  });
  if (outcome.case !== "completed") throw new Error(`the registration was ${outcome.case}`);
  const action = outcome.value.continueWith[0]?.action;
  const verificationFlow = action?.case === "verification" ? (action.value.flow?.id ?? "") : "";
  const { identity, sessionToken = "" } = outcome.value.signedIn ?? {};
  return { email, id: identity?.id ?? "", sessionToken, verificationFlow };
}

interface Using {
  readonly protocol?: Protocol;
  readonly bearer?: string;
  readonly headers?: HeadersInit;
}

/** A native flow that begins with an address. */
class Proving {
  readonly kind: Kind;
  readonly flowId: string;
  readonly using: Using;

  constructor(kind: Kind, flowId: string, using: Using = {}) {
    this.kind = kind;
    this.flowId = flowId;
    this.using = using;
  }

  static async begin(kind: Kind, using: Using = {}, linkToken = ""): Promise<Proving> {
    app.clock.advance(1);
    const start = { client: ClientKind.NATIVE, linkToken };
    const { flow } =
      kind === "verification"
        ? await app.client(VerificationService, using).createVerificationFlow(start)
        : await app.client(RecoveryService, using).createRecoveryFlow(start);
    return new Proving(kind, flow?.id ?? "", using);
  }

  async submit(step: Step, address = "", using: Using = this.using) {
    app.clock.advance(1);
    const request = { flowId: this.flowId, address, step };
    const { outcome, flow } =
      this.kind === "verification"
        ? await app.client(VerificationService, using).submitVerificationFlow(request)
        : await app.client(RecoveryService, using).submitRecoveryFlow(request);
    return { ...outcome, flow };
  }

  /** The flow as it is when its page is loaded anew. */
  async get(): Promise<Flow | undefined> {
    return (await app.client(FlowService).getFlow({ flowId: this.flowId })).flow;
  }

  /** Proves an address by a code. */
  async prove(address: string) {
    await this.submit(askForCode, address);
    return this.submit({ case: "code", value: { code: await newestCode(address) } });
  }

  /** Whose account it is was asked. */
  async asked(address: string): Promise<this> {
    const outcome = await this.prove(address);
    expect(outcome.case).toBe("nextStep");
    expect((await this.get())?.stage.case).toBe("claimAccount");
    return this;
  }
}

async function newestCode(recipient: string): Promise<string> {
  const message = (await app.messages(recipient)).at(-1);
  if (message === undefined || message.suppressed) throw new Error(`no code was sent to ${recipient}`);
  return message.code;
}

async function newestLink(recipient: string): Promise<string> {
  const message = (await app.messages(recipient)).at(-1);
  return tokenOf(message?.url ?? "");
}

function rowsOf(statement: string): Promise<readonly object[]> {
  return administer(app.databaseUrl, (query) => query(statement));
}

async function verifiedOf(id: string): Promise<readonly string[]> {
  const { identity } = await app.client(IdentityService).getIdentity({ identityId: id });
  return (identity?.addresses ?? [])
    .filter(({ verifyTime }) => verifyTime !== undefined)
    .map(({ value }) => value);
}

function settingsOf({ continueWith }: { readonly continueWith: readonly ContinueWith[] }): string {
  const action = continueWith[0]?.action;
  if (action?.case !== "settings") throw new Error("no settings followed");
  expect(action.value.flow?.stage.case).toBe("setNewSecret");
  return action.value.flow?.id ?? "";
}

/** Says that it was somebody else, and gives the flow that sets a new secret. */
async function disowned(proving: Proving): Promise<string> {
  const outcome = await proving.submit(disown);
  if (outcome.case !== "completed") throw new Error(`it was ${outcome.case}`);
  return settingsOf(outcome.value);
}

async function setPassword(flowId: string, password = ownersPassword) {
  const step = { case: "password", value: { password } } as const;
  return (await app.client(SettingsService).submitSettingsFlow({ flowId, step })).outcome;
}

const kinds = ["verification", "recovery"] as const;
const everyWay = kinds.flatMap((kind) => protocols.map((protocol) => ({ kind, protocol })));

describe.each(everyWay)("an unverified address that is proven by a $kind over $protocol", (using) => {
  const { kind } = using;

  // Security rule (SR-OWNER-2): a proof of ownership ends access that was never backed by one, once its owner says so.
  test("asks first, and ends all that somebody else has set up", async () => {
    const attacker = await register();
    const { email, id } = attacker;
    const proving = await (await Proving.begin(kind, using)).asked(email);
    expect(await isLive(app, attacker.sessionToken)).toBe(true);
    expect(await verifiedOf(id)).toEqual([]);

    const settings = await disowned(proving);
    expect(await isLive(app, attacker.sessionToken)).toBe(false);
    expect((await logIn(app, email, attackersPassword)).case).toBe("rejected");
    expect(await verifiedOf(id)).toEqual([email]);
    const { credentials } = await app.client(IdentityService).listCredentials({ identityId: id });
    expect(credentials).toEqual([]);

    const set = await setPassword(settings);
    if (set.case !== "completed") throw new Error(`it was ${set.case}`);
    expect(await isLive(app, set.value.signedIn?.sessionToken ?? "")).toBe(true);
    expect((await logIn(app, email, ownersPassword)).case).toBe("completed");
    expect((await logIn(app, email, attackersPassword)).case).toBe("rejected");
  });

  test("keeps everything after a login with its own credential", async () => {
    const { email, id, sessionToken } = await register({}, goodPassword);
    const proving = await (await Proving.begin(kind, using)).asked(email);
    const outcome = await proving.submit(resume);
    if (outcome.case !== "loginRequired") throw new Error(`it was ${outcome.case}`);
    expect(outcome.value.waitingFlow?.stage.case).toBe("claimAccount");
    const loginFlow = outcome.flow;
    expect(loginFlow?.form?.nodes.map(({ name }) => name)).not.toContain("identifier");
    const login = await app.client(LoginService).submitLoginFlow({
      flowId: loginFlow?.id ?? "",
      step: { case: "password", value: { password: goodPassword } },
    });
    if (login.outcome.case !== "completed") throw new Error(`the login was ${login.outcome.case}`);
    expect(login.outcome.value.signedIn?.identity?.id).toBe(id);
    const bearer = login.outcome.value.signedIn?.sessionToken ?? "";
    const kept = await proving.submit(resume, "", { ...using, bearer });
    if (kept.case !== "completed") throw new Error(`it was ${kept.case}`);
    expect(kept.value.continueWith).toEqual([]);
    expect(await verifiedOf(id)).toEqual([email]);
    expect([await isLive(app, sessionToken), await isLive(app, bearer)]).toEqual([true, true]);
    expect((await logIn(app, email)).case).toBe("completed");
  });
});

describe.each(kinds)("the question of a %s", (kind) => {
  test("comes by link as well, after the click alone, and uses the link up", async () => {
    const { email, id } = await register();
    const asking = await Proving.begin(kind);
    await asking.submit(askForLink, email);
    const linkToken = await newestLink(email);
    // Programs that look into mail open links: that changes nothing.
    await Proving.begin(kind, {}, linkToken);
    const opened = await Proving.begin(kind, {}, linkToken);
    const outcome = await opened.submit(confirm);
    expect(outcome.case).toBe("nextStep");
    expect((await opened.get())?.stage.case).toBe("claimAccount");
    expect((await refusal(Proving.begin(kind, {}, linkToken))).reason).toBe("LINK_INVALID");
    await disowned(opened);
    expect(await verifiedOf(id)).toEqual([email]);
  });

  test("stays when the page is loaded anew or the answer is lost, and is answered once", async () => {
    const { email } = await register();
    const proving = await (await Proving.begin(kind)).asked(email);
    const code = { case: "code", value: { code: await newestCode(email) } } as const;
    expect((await refusal(proving.submit(code))).reason).toBe("STEP_NOT_OFFERED");
    expect((await proving.get())?.stage.case).toBe("claimAccount");
    await disowned(proving);
    expect((await refusal(proving.submit(disown))).reason).toBe("FLOW_COMPLETED");
    expect((await refusal(proving.submit(resume))).reason).toBe("FLOW_COMPLETED");
  });

  test("can be given up: nothing has changed, and the proof is gone", async () => {
    const attacker = await register();
    const proving = await (await Proving.begin(kind)).asked(attacker.email);
    expect((await proving.submit(back)).case).toBe("nextStep");
    expect((await proving.get())?.stage.case).toBe("chooseMethod");
    expect((await refusal(proving.submit(disown))).reason).toBe("STEP_NOT_OFFERED");
    expect(await verifiedOf(attacker.id)).toEqual([]);
    expect(await isLive(app, attacker.sessionToken)).toBe(true);
  });

  test("has buttons for both answers and the way back, and says what they do", async () => {
    const { email } = await register();
    const flow = await (await (await Proving.begin(kind)).asked(email)).get();
    const buttons = flow?.form?.nodes.flatMap((node) => (node.kind.case === "button" ? [node.name] : []));
    expect(buttons).toEqual(["resume", "disown", "back"]);
    expect(flow?.form?.messages.map(({ id }) => id)).toEqual([9000090]);
    expect(flow?.form?.nodes.map(({ label }) => label?.id)).toEqual([9000091, 9000092, expect.any(Number)]);
  });

  test("is not answered by a session of somebody else, nor by a login as somebody else", async () => {
    const { email, id } = await register();
    const other = await register({}, goodPassword);
    const proving = await (await Proving.begin(kind)).asked(email);
    const outcome = await proving.submit(resume, "", { bearer: other.sessionToken });
    if (outcome.case !== "loginRequired") throw new Error(`it was ${outcome.case}`);
    const login = await app.client(LoginService).submitLoginFlow({
      flowId: outcome.flow?.id ?? "",
      identifier: other.email,
      step: { case: "password", value: { password: goodPassword } },
    });
    expect(login.outcome.case).toBe("rejected");
    expect(await verifiedOf(id)).toEqual([]);
  });

  // Security rule (SR-OWNER-2): the person who waits in the account cannot keep its owner out by changing it.
  test("is not closed by what the person in the account does meanwhile", async () => {
    const attacker = await register();
    const proving = await (await Proving.begin(kind)).asked(attacker.email);
    const settings = app.client(SettingsService, { bearer: attacker.sessionToken });
    const { flow } = await settings.createSettingsFlow({ client: ClientKind.NATIVE });
    const changed = await settings.submitSettingsFlow({
      flowId: flow?.id ?? "",
      step: { case: "password", value: { password: "another pass of theirs" } },
    });
    expect(changed.outcome.case).toBe("saved");
    await disowned(proving);
    expect((await logIn(app, attacker.email, "another pass of theirs")).case).toBe("rejected");
    expect(await isLive(app, attacker.sessionToken)).toBe(false);
  });

  test("has no answer any more once another address is verified: nothing is done, and the form to begin again leads on", async () => {
    const email = freshEmail();
    const spare = `spare-${email}`;
    const attacker = await register({ email, spare });
    const proving = await (await Proving.begin(kind)).asked(email);
    const own = await Proving.begin("verification", { bearer: attacker.sessionToken });
    expect((await own.prove(spare)).case).toBe("completed");
    const outcome = await proving.submit(disown);
    if (outcome.case !== "rejected") throw new Error(`it was ${outcome.case}`);
    expect(RejectionReason[outcome.value.reason]).toBe("CLAIM_ENDED");
    expect(outcome.flow?.form?.messages.map(({ id }) => id)).toEqual([9000093]);
    expect(await isLive(app, attacker.sessionToken)).toBe(true);
    expect(await verifiedOf(attacker.id)).toEqual([spare]);
    // What was on offer is gone, and the form to begin again is there, filled in.
    expect(outcome.flow?.stage.case).toBe("chooseMethod");
    const nodes = outcome.flow?.form?.nodes ?? [];
    expect(nodes.map(({ name }) => name)).toEqual(expect.arrayContaining(["address", "sendCode"]));
    app.clock.advance(30_000);
    expect((await proving.submit(askForCode, email)).case).toBe("nextStep");
  });

  test("has no answer any more once the account is gone, or an operator has set its password", async () => {
    const [gone, managed] = [await register(), await register()];
    const asked = async (email: string) => (await Proving.begin(kind)).asked(email);
    const answers = [
      [await asked(gone.email), disown, "rejected"],
      [await asked(gone.email), resume, "rejected"],
      [await asked(managed.email), disown, "rejected"],
      [await asked(managed.email), resume, "loginRequired"],
    ] as const;
    const identities = app.client(IdentityService);
    await identities.deleteIdentity({ identityId: gone.id });
    await identities.setPassword({
      identityId: managed.id,
      password: { value: { case: "password", value: goodPassword } },
    });
    for (const [proving, step, expected] of answers) expect((await proving.submit(step)).case).toBe(expected);
    expect((await logIn(app, managed.email)).case).toBe("completed");
  });
});

describe("what was set up in an account that is disowned", () => {
  test("ends whole: open logins, settings, codes, links, devices and a scheduled deletion", async () => {
    const attacker = await register();
    const { email, id, sessionToken } = attacker;
    const settings = app.client(SettingsService, { bearer: sessionToken });
    const { flow: open } = await settings.createSettingsFlow({ client: ClientKind.NATIVE });
    const deleting = (await settings.createSettingsFlow({ client: ClientKind.NATIVE })).flow;
    const recovery = await Proving.begin("recovery");
    await recovery.submit(askForCode, email);
    const proving = await (await Proving.begin("verification")).asked(email);
    const { outcome } = await settings.submitSettingsFlow({
      flowId: deleting?.id ?? "",
      step: { case: "deleteAccount", value: {} },
    });
    // It is scheduled, so that something can be taken back.
    expect(outcome).toMatchObject({ case: "completed", value: { purgeTime: expect.anything() } });
    const again = await logIn(app, email, attackersPassword);
    expect(again.case).toBe("completed");

    await disowned(proving);
    const { identity } = await app.client(IdentityService).getIdentity({ identityId: id });
    expect(identity?.purgeTime).toBeUndefined();
    const token = again.case === "completed" ? (again.value.signedIn?.sessionToken ?? "") : "";
    expect(await isLive(app, token)).toBe(false);
    const late = app.client(SettingsService, { bearer: token }).submitSettingsFlow({
      flowId: open?.id ?? "",
      step: { case: "password", value: { password: "back again 12345" } },
    });
    expect((await refusal(late)).reason).toBe("SESSION_REVOKED");
    const rows =
      await rowsOf(`SELECT (SELECT count(*)::int FROM ostiary.device WHERE identity_id = '${id}') AS devices,
        (SELECT count(*)::int FROM ostiary.flow WHERE identity_id = '${id}' AND state = 'active') AS flows,
        (SELECT count(*)::int FROM ostiary.session WHERE identity_id = '${id}' AND revoked_at IS NULL) AS sessions`);
    // The one flow that is left sets the new secret.
    expect(rows).toEqual([{ devices: 0, flows: 1, sessions: 0 }]);
  });

  test("second factors end as well", async () => {
    const { email, id } = await register();
    await rowsOf(`INSERT INTO ostiary.identity_credential (tenant_id, identity_id, kind, id, secret, facts, created_at, updated_at)
        SELECT tenant_id, id, 'totp', gen_random_uuid(), 'seed', '{}', created_at, created_at FROM ostiary.identity WHERE id = '${id}'`);
    const proving = await (await Proving.begin("recovery")).asked(email);
    const set = await setPassword(await disowned(proving));
    expect(set.case).toBe("completed");
    const rows = await rowsOf(`SELECT kind FROM ostiary.identity_credential WHERE identity_id = '${id}'`);
    expect(rows).toEqual([{ kind: "password" }]);
  });

  // Security rule (SR-OWNER-4): a later address proves only itself, and what the other person chose leads nowhere.
  test("leaves no other address by which to come back", async () => {
    const email = freshEmail();
    const spare = `spare-${email}`;
    const traits = { email, spare, name: `name-${email.split("@")[0]}` };
    const { id } = await register(traits);
    await setPassword(await disowned(await (await Proving.begin("recovery")).asked(email)));
    const { identity } = await app.client(IdentityService).getIdentity({ identityId: id });
    expect(identity?.traits).toEqual({ email, name: traits.name });
    expect(identity?.addresses).toMatchObject([
      { value: email, path: "email", verifiable: true, recovers: true, primary: true },
    ]);
    for (const kind of kinds) {
      await (await Proving.begin(kind)).submit(askForCode, spare);
      expect((await app.messages(spare)).filter(({ suppressed }) => !suppressed)).toEqual([]);
    }
  });

  test("leaves the address alone to recover by, where its owner stops before the new secret", async () => {
    const { email } = await register();
    await disowned(await (await Proving.begin("verification")).asked(email));
    expect((await logIn(app, email, attackersPassword)).case).toBe("rejected");
    const outcome = await (await Proving.begin("recovery")).prove(email);
    if (outcome.case !== "completed") throw new Error(`it was ${outcome.case}`);
    expect((await setPassword(settingsOf(outcome.value))).case).toBe("completed");
    expect((await logIn(app, email, ownersPassword)).case).toBe("completed");
  });

  test("is recorded, and told to the address", async () => {
    const { email, id } = await register();
    await disowned(await (await Proving.begin("recovery")).asked(email));
    const rows = await rowsOf(`SELECT type, data ->> 'reason' AS reason FROM ostiary.event
        WHERE identity_id = '${id}' AND type IN ('identity.disowned', 'session.revoked') ORDER BY type`);
    expect(rows).toEqual([
      { type: "identity.disowned", reason: null },
      { type: "session.revoked", reason: "disowned" },
    ]);
    expect((await app.messages(email)).map(({ template }) => template)).toContain("recovery_completed");
  });
});

describe("nothing is asked", () => {
  test("in the session of the account, nor in the flow that its registration began", async () => {
    const [shown, begun] = [await register(), await register()];
    const proving = await Proving.begin("verification", { bearer: shown.sessionToken });
    expect((await proving.prove(shown.email)).case).toBe("completed");
    const own = new Proving("verification", begun.verificationFlow);
    const code = { case: "code", value: { code: await newestCode(begun.email) } } as const;
    expect((await own.submit(code)).case).toBe("completed");
    for (const { id, email } of [shown, begun]) expect(await verifiedOf(id)).toEqual([email]);
  });

  test("of an account that an operator made, imported or gave a password; and its address recovers nothing", async () => {
    const identities = app.client(IdentityService);
    const [made, bare] = [freshEmail(), freshEmail()];
    await identities.createIdentity({
      traits: { email: made },
      credentials: { password: { value: { case: "password", value: goodPassword } } },
    });
    await identities.createIdentity({ traits: { email: bare } });
    const given = await register();
    await identities.setPassword({
      identityId: given.id,
      password: { value: { case: "password", value: goodPassword } },
    });
    for (const email of [made, bare, given.email]) {
      const recovery = await Proving.begin("recovery");
      expect((await recovery.submit(askForCode, email)).case).toBe("nextStep");
      expect((await app.messages(email)).at(-1)?.suppressed).toBe(true);
      const verification = await Proving.begin("verification");
      expect((await verification.prove(email)).case).toBe("completed");
    }
    expect((await logIn(app, made)).case).toBe("completed");
  });

  test("of an account that has a verified address: a later one proves only itself", async () => {
    const email = freshEmail();
    const spare = `spare-${email}`;
    const { id, sessionToken } = await register({ email, spare });
    const own = await Proving.begin("verification", { bearer: sessionToken });
    expect((await own.prove(email)).case).toBe("completed");
    const recovery = await Proving.begin("recovery");
    await recovery.submit(askForCode, spare);
    expect((await app.messages(spare)).filter(({ suppressed }) => !suppressed)).toEqual([]);
    expect((await (await Proving.begin("verification")).prove(spare)).case).toBe("completed");
    expect(await verifiedOf(id)).toEqual(expect.arrayContaining([email, spare]));
    expect(await isLive(app, sessionToken)).toBe(true);
  });
});

describe("something is asked", () => {
  test("where the session of the registration has ended", async () => {
    const { email, sessionToken, verificationFlow } = await register();
    await app.client(SessionService, { bearer: sessionToken }).logout({});
    const own = new Proving("verification", verificationFlow);
    const code = { case: "code", value: { code: await newestCode(email) } } as const;
    expect((await own.submit(code)).case).toBe("nextStep");
    expect((await own.get())?.stage.case).toBe("claimAccount");
  });

  test("where a link that an operator has sent is opened: that says nothing of who set the account up", async () => {
    const { email, id } = await register();
    app.clock.advance(1);
    await app.client(IdentityService).sendVerificationMessage({ identityId: id });
    const opened = await Proving.begin("verification", {}, await newestLink(email));
    expect((await opened.submit(confirm)).case).toBe("nextStep");
    expect((await opened.get())?.stage.case).toBe("claimAccount");
  });
});

describe("in browsers", () => {
  const password = (secret: string) => ({ password: { password: secret } });

  interface DrawnFlow {
    readonly id: string;
    readonly csrfToken: string;
  }

  /** Begins a flow, or goes on with the one that is given, and submits a step. */
  async function send(browser: Browser, service: string, fields: object, given?: DrawnFlow) {
    app.clock.advance(1);
    const call = (method: string, message: object) =>
      browser.post(`/ostiary.flow.v1.${service}Service/${method}${service}Flow`, message);
    const created = given ?? (await call("Create", { client: "CLIENT_KIND_BROWSER" })).body.flow;
    const { id: flowId, csrfToken } = created;
    const { body } = await call("Submit", { flowId, csrfToken, ...fields });
    const outcome = Object.keys(body).find((name) => name !== "flow") ?? "";
    return { outcome, ...body[outcome], flow: body.flow ?? created };
  }

  /** Registers in a browser, which is signed in then. */
  async function registerIn(browser: Browser) {
    const email = freshEmail();
    const made = await send(browser, "Registration", { traits: { email }, ...password(goodPassword) });
    expect(made.outcome).toBe("completed");
    return email;
  }

  const prove = async (browser: Browser, service: string, email: string) => {
    const { flow } = await send(browser, service, { address: email, sendCode: {} });
    return send(browser, service, { code: { code: await newestCode(email) } }, flow);
  };
  const newBrowser = () => new Browser(app.publicUrl, app.localUrl);

  test("the session's own one verifies at once, any other one asks; a cookie does not move a native flow", async () => {
    const mine = newBrowser();
    const [email, other] = [await registerIn(mine), await registerIn(newBrowser())];
    const theirs = newBrowser();
    await registerIn(theirs);
    for (const browser of [theirs, newBrowser()]) {
      const asked = await prove(browser, "Verification", other);
      expect(asked.flow.claimAccount).toBeDefined();
    }
    const cookie = [...mine.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    await (await Proving.begin("verification", { headers: { cookie } })).asked(email);
    expect((await prove(mine, "Verification", email)).outcome).toBe("completed");
  });

  test.each(["Verification", "Recovery"])("a %s is answered by a login that comes back", async (service) => {
    const email = await registerIn(newBrowser());
    const browser = newBrowser();
    const { flow } = await prove(browser, service, email);
    const waiting = await send(browser, service, { resume: {} }, flow);
    expect(waiting.outcome).toBe("loginRequired");
    const wrong = await send(browser, "Login", password("not the password"), waiting.flow);
    expect(wrong.outcome).toBe("rejected");
    const login = await send(browser, "Login", password(goodPassword), waiting.flow);
    expect(login.outcome).toBe("completed");
    // The id alone, without the form's token, is worth nothing (V3.5.1).
    const bare = await send(browser, service, { resume: {} }, { ...waiting.waitingFlow, csrfToken: "" });
    expect(bare.outcome).toBe("code");
    expect((await send(browser, service, { resume: {} }, waiting.waitingFlow)).outcome).toBe("completed");
  });

  test.each(["Verification", "Recovery"])(
    "a %s that is answered by `disown` leads to a new secret",
    async (service) => {
      const attacker = newBrowser();
      const email = await registerIn(attacker);
      const browser = newBrowser();
      const { flow } = await prove(browser, service, email);
      const done = await send(browser, service, { disown: {} }, flow);
      expect(done.outcome).toBe("completed");
      const settings = done.continueWith[0].settings.flow;
      const set = await send(browser, "Settings", password(ownersPassword), settings);
      expect(set.outcome).toBe("completed");
      const current = (each: Browser) =>
        each.post("/ostiary.session.v1.SessionService/GetCurrentSession", {});
      expect((await current(browser)).status).toBe(200);
      expect((await current(attacker)).reason).toBe("SESSION_REVOKED");
    },
  );
});

describe("a recovery of an account without a verified address", () => {
  test("goes to the address that was typed, and to none for a user name", async () => {
    const email = freshEmail();
    const name = `name-${email.split("@")[0]}`;
    const spare = `spare-${email}`;
    await register({ email, spare, name });
    const sent = async (to: string) =>
      (await app.messages(to)).filter(
        ({ template, suppressed }) => template === "recovery_code" && !suppressed,
      ).length;
    await (await Proving.begin("recovery")).submit(askForCode, name);
    expect([await sent(email), await sent(spare), await sent(name)]).toEqual([0, 0, 0]);
    await (await Proving.begin("recovery")).submit(askForCode, spare);
    expect([await sent(email), await sent(spare)]).toEqual([0, 1]);
    await (await Proving.begin("recovery")).submit(askForCode, email);
    expect([await sent(email), await sent(spare)]).toEqual([1, 1]);
  });

  test("is answered like one of nobody's, after the same statements (V6.3.8)", async () => {
    const { email } = await register();
    const ask = async (address: string) => {
      const recovery = await Proving.begin("recovery");
      app.statements.length = 0;
      const outcome = await recovery.submit(askForCode, address);
      const flow = outcome.case === "nextStep" ? outcome.flow : undefined;
      const drawn = flow?.form?.nodes.map(({ name }) => name);
      return { said: [outcome.case, flow?.stage.case, drawn], statements: [...app.statements] };
    };
    expect(await ask(email)).toEqual(await ask(freshEmail()));
  });
});
