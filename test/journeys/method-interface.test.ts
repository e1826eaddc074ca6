import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createFormTokens } from "../../src/crypto/form-tokens.ts";
import { createKeyedDigests } from "../../src/crypto/keyed-digests.ts";
import { createOneTimeCodes } from "../../src/crypto/one-time-codes.ts";
import { createSealer } from "../../src/crypto/sealer.ts";
import { createTokens } from "../../src/crypto/tokens.ts";
import { Outbox } from "../../src/domain/courier/outbox.ts";
import { domainError } from "../../src/domain/errors.ts";
import { createFlows } from "../../src/domain/flow/create-flows.ts";
import type { LoginFlows, LoginOutcome } from "../../src/domain/flow/login/login-flows.ts";
import type { FlowCaller } from "../../src/domain/flow/shared/flow.ts";
import { defaultSchemaDocument } from "../../src/domain/identity/default-schema.ts";
import type { Identity } from "../../src/domain/identity/identity.ts";
import { IdentitySchemas } from "../../src/domain/identity/schemas.ts";
import { TraitsEtags } from "../../src/domain/identity/traits-etags.ts";
import { passwordTitle } from "../../src/domain/message/message.ts";
import { CodeMethod } from "../../src/domain/method/code/code-method.ts";
import { LinkMethod } from "../../src/domain/method/link/link-method.ts";
import type { LoginMethod, SettingsMethod } from "../../src/domain/method/method.ts";
import { PageTokens } from "../../src/domain/paging/page-tokens.ts";
import { Secret } from "../../src/domain/secret.ts";
import type { AuthenticatedSession } from "../../src/domain/session/session.ts";
import type { Tenant } from "../../src/domain/tenant/tenant.ts";
import { Devices } from "../../src/domain/throttle/devices.ts";
import { Throttle } from "../../src/domain/throttle/throttle.ts";
import { openTwoTenants, type TwoTenants } from "../storage/two-tenants.ts";
import { readMessages } from "../support/app.ts";
import { TestClock } from "../support/clock.ts";
import { Elsewhere, KnowsSecret, TwoQuestions } from "../support/methods.ts";
import {
  aFlow,
  anEvent,
  anIdentity,
  aPassword,
  aSession,
  heldFlow,
  noon,
  origin,
  someSettings,
} from "../support/records.ts";

/*
 * Methods of the kinds that the server does not have yet, against the real flows and a real database: one that redirects,
 * one of several steps, one that is only shown second, and one that can be either.
 */

/** Sets a new secret, as it is given. */
const newSecret: SettingsMethod = {
  kind: "password",
  sectionTitle: passwordTitle,
  settingsSteps: {
    password: {
      setsNewSecret: true,
      nodes: () => [],
      take: async ({ step }) => ({
        kind: "changed",
        credential: aPassword(String(step.fields.password)),
        notice: { template: "password_changed", data: {} },
      }),
    },
  },
};

let database: TwoTenants;
let tenant: Tenant;
let identity: Identity;
const clock = new TestClock();
const sealingSecret = randomBytes(32).toString("hex");

beforeAll(async () => {
  database = await openTwoTenants();
  const settings = someSettings({
    uiUrls: { ...someSettings().uiUrls, login: "http://127.0.0.1:4433/ui/login" },
    code: { ...someSettings().code, enabledFor: new Set(["login", "recovery"]) },
    link: { enabledFor: new Set(["login"]), lifetimeMs: 600_000 },
  });
  tenant = { tenantId: database.scope.tenantId, name: "default", settings };
});
afterAll(() => database.storage.close());
beforeEach(async () => {
  identity = await create("secret-1");
});

async function create(secret: string | undefined): Promise<Identity> {
  const email = `${randomUUID()}@example.com`;
  const made = anIdentity({
    traits: { email },
    identifiers: [{ kind: "email", value: email, path: "email" }],
    verifiableAddresses: [{ kind: "email", value: email, path: "email", verifiedAt: noon }],
    recoveryAddresses: [{ kind: "email", value: email, path: "email" }],
  });
  const { storage, scope } = database;
  const password = secret === undefined ? undefined : aPassword(secret);
  await storage.identities.create(scope, made, password, [anEvent("identity.created")]);
  return made;
}

/** The real login flows with these methods. */
function flowsWith(...methods: readonly LoginMethod[]): LoginFlows {
  return serverWith(...methods).login;
}

/** The real flows with these methods. */
function serverWith(...methods: readonly LoginMethod[]) {
  const { storage } = database;
  const secrets = () => [new Secret(sealingSecret)];
  const tokens = createTokens();
  const sealer = createSealer(secrets);
  const digests = createKeyedDigests(secrets);
  const devices = new Devices({ tokens, clock });
  const throttle = new Throttle({ store: storage.throttle, digests, devices, events: storage.events, clock });
  const schemas = new IdentitySchemas({
    store: storage.schemas,
    pageTokens: new PageTokens({ sealer }),
    clock,
  });
  const flows = createFlows({
    methods: {
      login: methods,
      registration: [],
      settings: [newSecret],
      challenges: [new CodeMethod({ codes: createOneTimeCodes(secrets) }), new LinkMethod({ tokens })],
    },
    stores: storage,
    schemas,
    etags: new TraitsEtags({ digests }),
    invitations: { open: () => Promise.reject(new Error("nobody is invited here")) },
    throttle,
    outbox: new Outbox({ sealer }),
    sealer,
    digests,
    tokens,
    formTokens: createFormTokens(),
    clock,
  });
  return { ...flows, schemas };
}

const caller = (shown?: AuthenticatedSession): FlowCaller => ({
  tenant,
  origin,
  languages: undefined,
  session: async () => {
    if (shown === undefined) throw domainError("SESSION_CREDENTIAL_MISSING", {});
    return shown;
  },
  browserSessions: async () => [],
  limitedClientIp: undefined,
  browserToken: undefined,
  shownDevice: () => undefined,
  shownSession: () => undefined,
  assertOriginAllowed: () => {},
  assertNotFromPage: () => {},
});

/** A native login, step by step. */
class Login {
  readonly #logins: LoginFlows;
  readonly #id: string;

  private constructor(logins: LoginFlows, id: string) {
    this.#logins = logins;
    this.#id = id;
  }

  static of(logins: LoginFlows, id: string): Login {
    return new Login(logins, id);
  }

  static async begin(logins: LoginFlows, linkToken = ""): Promise<Login> {
    // What is sent at the same moment has no order.
    clock.advance(1);
    const start = { client: "native", returnTo: "", purpose: "sign_in", linkToken } as const;
    const { flow } = await logins.create(caller(), start);
    return new Login(logins, flow.id.reveal());
  }

  submit(
    name: string,
    fields: Readonly<Record<string, unknown>> = {},
    identifier = "",
  ): Promise<LoginOutcome> {
    const step = { name, fields };
    const submission = { flowId: this.#id, csrfToken: "", identifier, deviceToken: "", step };
    return this.#logins.submit(caller(), submission);
  }

  /** What the flow says that is next. */
  async next(name: string, fields: Readonly<Record<string, unknown>> = {}, identifier = "") {
    const outcome = await this.submit(name, fields, identifier);
    if (outcome.kind !== "next_step") throw new Error(`the submit was ${outcome.kind}`);
    return outcome.flow;
  }
}

const email = () => identity.identifiers[0]?.value ?? "";
const sent = async () => {
  const messages = await readMessages(database.storage.url, sealingSecret, email());
  const last = messages.filter(({ code, url }) => code !== "" || url !== "").at(-1);
  if (last === undefined) throw new Error("nothing was sent");
  return last;
};
const code = async () => ({ code: (await sent()).code });
const linkToken = async () => (await sent()).url.split("#link=")[1] ?? "";
const first = () => new KnowsSecret("first", "first");
const second = () => new KnowsSecret("second", "second");
const secret = { secret: "secret-1" };

describe("a method that redirects", () => {
  test("sends the browser away, and goes on with what it remembers when it comes back", async () => {
    const elsewhere = new Elsewhere();
    const login = await Login.begin(flowsWith(elsewhere));
    const away = await login.submit("elsewhere");
    const url = "https://elsewhere.example/?state=s1";
    // A client that does not know the outcome draws the link.
    const [anchor] = away.kind === "redirect" ? away.flow.form.nodes : [];
    expect(away).toMatchObject({ kind: "redirect", url });
    expect(anchor).toMatchObject({ label: { id: 9000209 }, element: { kind: "anchor", url } });
    elsewhere.found = { identity, credential: undefined, credentialKinds: [], loginSequence: 0 };
    expect(await login.submit("elsewhere", { state: "forged" })).toMatchObject({ kind: "rejected" });
    const back = await login.submit("elsewhere", { state: "s1" });
    expect(back).toMatchObject({ kind: "completed", completed: { identity: { id: identity.id } } });
  });
});

describe("a method of several steps", () => {
  test("draws the nodes of its next step, and nothing else is tried meanwhile", async () => {
    const login = await Login.begin(flowsWith(new TwoQuestions(), first()));
    const asked = await login.next("questions", {}, email());
    expect(asked.form.nodes.map(({ name }) => name)).toEqual(["questions.second", "back"]);
    expect(asked.stage).toMatchObject({ kind: "choose_method", offers: [{ kind: "questions" }] });
    await expect(login.submit("first", secret, email())).rejects.toMatchObject({
      reason: "STEP_NOT_OFFERED",
    });
    expect((await login.submit("questions", { answer: "secret-1" }, email())).kind).toBe("completed");
  });

  test("can be given up, and begins anew then", async () => {
    const login = await Login.begin(flowsWith(new TwoQuestions(), first()));
    await login.next("questions", {}, email());
    const begun = await login.next("back");
    expect(begun.stage).toMatchObject({
      offers: [{ kind: "questions" }, { kind: "first" }, { kind: "code" }, { kind: "link" }],
    });
    expect((await login.submit("questions", { answer: "secret-1" }, email())).kind).toBe("next_step");
  });
});

describe("a method that is only shown second", () => {
  test.each([
    [
      "a code",
      async (login: Login) => {
        await login.next("sendCode", {}, email());
        return login.next("code", await code());
      },
    ],
    ["a method", async (login: Login) => login.next("first", secret, email())],
  ])("is wanted after %s, and the session says both", async (_name, showFirst) => {
    const login = await Login.begin(flowsWith(first(), second()));
    const waiting = await showFirst(login);
    expect(waiting.stage).toEqual({
      kind: "choose_method",
      offers: [{ kind: "second" }],
      secondFactor: true,
    });
    const done = await login.submit("second", secret);
    expect(done).toMatchObject({ kind: "completed", completed: { session: { assuranceLevel: "aal2" } } });
    const methods = done.kind === "completed" ? done.completed.session.authenticationMethods : [];
    expect(methods.map(({ assuranceLevel }) => assuranceLevel)).toEqual(["aal1", "aal2"]);
  });

  test("is wanted after a link, which is used up by then", async () => {
    const logins = flowsWith(second());
    await (await Login.begin(logins)).next("sendLink", {}, email());
    const token = await linkToken();
    const [one, other] = await Promise.all([Login.begin(logins, token), Login.begin(logins, token)]);
    const outcomes = await Promise.allSettled([one.next("confirmLink"), other.next("confirmLink")]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    await expect(Login.begin(logins, token)).rejects.toMatchObject({ reason: "LINK_INVALID" });
    const winner = outcomes[0]?.status === "fulfilled" ? one : other;
    expect((await winner.submit("second", secret)).kind).toBe("completed");
  });

  test("is not offered first, nor can it be tried first", async () => {
    const login = await Login.begin(flowsWith(first(), second()));
    await expect(login.submit("second", secret, email())).rejects.toMatchObject({
      reason: "STEP_NOT_OFFERED",
    });
  });

  // Security rule (SR-FACTOR-1): the first proof is one account's, whatever is typed beside the second.
  test("is tried against the account of the first proof alone", async () => {
    const other = await create("secret-2");
    const login = await Login.begin(flowsWith(first(), second()));
    await login.next("first", secret, email());
    const tried = await login.submit("second", { secret: "secret-2" }, other.identifiers[0]?.value);
    expect(tried).toMatchObject({ kind: "rejected", rejection: { reason: "CREDENTIALS_INVALID" } });
    // The control: it is the account that was wrong, not the form.
    expect((await login.submit("second", secret)).kind).toBe("completed");
  });

  test("is not wanted of an account that has not set it up", async () => {
    identity = await create(undefined);
    const login = await Login.begin(flowsWith(second()));
    await login.next("sendCode", {}, email());
    expect((await login.submit("code", await code())).kind).toBe("completed");
  });

  test("is what a login to step up to two factors ends with, or it does not end", async () => {
    const stepUp = async (logins: LoginFlows) => {
      const session = aSession(identity.id);
      const { flow } = await logins.create(caller({ session, identity }), {
        ...{ client: "native", returnTo: "", purpose: "step_up", linkToken: "" },
        demands: [{ kind: "assurance_level", level: "aal2" }],
      });
      return Login.of(logins, flow.id.reveal());
    };
    const login = await stepUp(flowsWith(first(), second()));
    expect((await login.next("first", secret)).stage).toMatchObject({ secondFactor: true });
    expect((await login.submit("second", secret)).kind).toBe("completed");
    // An account without one is told before it is signed in with less.
    await expect(stepUp(flowsWith(first()))).rejects.toMatchObject({ reason: "STEP_UP_IMPOSSIBLE" });
    identity = await create(undefined);
    const none = await stepUp(flowsWith(second()));
    await none.next("sendCode");
    await expect(none.submit("code", await code())).rejects.toMatchObject({ reason: "STEP_UP_IMPOSSIBLE" });
  });

  test("gives way to the first stage again by `back`, and the first proof is forgotten", async () => {
    const login = await Login.begin(flowsWith(first(), second()));
    await login.next("first", secret, email());
    expect((await login.next("back")).stage).toMatchObject({
      offers: [{ kind: "first" }, { kind: "code" }, { kind: "link" }],
    });
    await expect(login.submit("second", secret)).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
  });

  test("of 16 submits at the same moment one signs in", async () => {
    const login = await Login.begin(flowsWith(first(), second()));
    await login.next("first", secret, email());
    const outcomes = await Promise.allSettled(
      Array.from({ length: 16 }, () => login.submit("second", secret)),
    );
    const signedIn = outcomes.filter(
      (each) => each.status === "fulfilled" && each.value.kind === "completed",
    );
    expect(signedIn).toHaveLength(1);
  });

  // Security rule (SR-CODE-10): what was shown first is worth nothing once the account has changed what signs in.
  test("comes too late once the account has another password", async () => {
    const login = await Login.begin(flowsWith(first(), second()));
    await login.next("first", secret, email());
    await newPassword("secret-3");
    const late = login.submit("second", { secret: "secret-3" });
    await expect(late).rejects.toMatchObject({ reason: "FLOW_COMPLETED" });
  });
});

describe("a method that the tenant has switched off", () => {
  test("is neither offered nor accepted, and is not wanted second", async () => {
    const isEnabled = () => false;
    const key = new KnowsSecret("key", "first");
    const methods = [Object.assign(first(), { isEnabled }), Object.assign(second(), { isEnabled }), key];
    const { flow } = await flowsWith(...methods).create(caller(), {
      ...{ client: "native", returnTo: "", purpose: "sign_in", linkToken: "" },
    });
    expect(flow.stage).toMatchObject({ offers: [{ kind: "key" }, { kind: "code" }, { kind: "link" }] });
    const login = Login.of(flowsWith(...methods), flow.id.reveal());
    await expect(login.submit("first", secret, email())).rejects.toMatchObject({
      reason: "STEP_NOT_OFFERED",
    });
    expect((await login.submit("key", secret, email())).kind).toBe("completed");
    // The control: switched on, it would be wanted.
    const again = await Login.begin(flowsWith(second(), key));
    expect((await again.next("key", secret, email())).stage).toMatchObject({ secondFactor: true });
  });
});

describe("a method that is either", () => {
  test("signs in by itself, and is wanted beside another proof", async () => {
    const logins = flowsWith(new KnowsSecret("key", "either"), first());
    expect((await (await Login.begin(logins)).submit("key", secret, email())).kind).toBe("completed");
    const waiting = await (await Login.begin(logins)).next("first", secret, email());
    expect(waiting.stage).toMatchObject({ offers: [{ kind: "key" }], secondFactor: true });
  });
});

describe("a recovery of an account with a second factor", () => {
  /** Recovers the account by a code. */
  async function recover({ recovery: recoveries, schemas }: ReturnType<typeof serverWith>) {
    await schemas.load(database.scope, [{ id: "person", document: defaultSchemaDocument }]);
    const { flow } = await recoveries.create(caller(), { client: "native", returnTo: "", linkToken: "" });
    const flowId = flow.id.reveal();
    const submit = (fields: Readonly<Record<string, unknown>>) =>
      recoveries.submit(caller(), {
        ...{ flowId, csrfToken: "", address: email() },
        step: { name: "code" in fields ? "code" : "sendCode", fields },
      });
    await submit({});
    const outcome = await submit(await code());
    if (outcome.kind !== "completed") throw new Error(`the recovery was ${outcome.kind}`);
    const { settings, session } = outcome.completed;
    if (settings === undefined) throw new Error("no settings followed the recovery");
    return { settings, session };
  }

  // Security rule (SR-FACTOR-2): a mailbox alone neither opens nor changes an account that has a second factor.
  test("changes nothing and gives no session before it was shown", async () => {
    const server = serverWith(second());
    const recovered = await recover(server);
    expect(recovered.session).toBeUndefined();
    const flowId = recovered.settings.id.reveal();
    const submit = (name: string, fields = {}, shown?: AuthenticatedSession) =>
      server.settings.submit(caller(shown), {
        ...{ flowId, csrfToken: "", traits: {}, traitsEtag: "" },
        step: { name, fields },
      });
    const waiting = await submit("password", { password: "secret-9" });
    if (waiting.kind !== "login_required") throw new Error(`the submit was ${waiting.kind}`);
    const { flow } = waiting.loginFlow;
    expect(flow.stage).toEqual({ kind: "choose_method", offers: [{ kind: "second" }], secondFactor: true });
    // Nor by going on as if it had been.
    expect((await submit("resume")).kind).toBe("login_required");

    const login = Login.of(server.login, flow.id.reveal());
    expect((await login.submit("second", { secret: "secret-9" })).kind).toBe("rejected");
    const signedIn = await login.submit("second", secret);
    if (signedIn.kind !== "completed") throw new Error(`the login was ${signedIn.kind}`);
    const shown = { session: signedIn.completed.session, identity };
    // A session of somebody else is no help.
    const other = await create("secret-2");
    const foreign = { session: { ...shown.session, identityId: other.id }, identity: other };
    expect((await submit("resume", {}, foreign)).kind).toBe("login_required");
    const done = await submit("resume", {}, shown);
    expect(done).toMatchObject({
      kind: "completed",
      completed: { session: { session: { assuranceLevel: "aal2" } } },
    });
    const again = await Login.begin(server.login);
    await again.next("sendCode", {}, email());
    await again.next("code", await code());
    expect((await again.submit("second", { secret: "secret-9" })).kind).toBe("completed");
  });

  test("needs nothing more without one", async () => {
    identity = await create(undefined);
    const server = serverWith(second());
    const { settings } = await recover(server);
    const step = { name: "password", fields: { password: "secret-9" } };
    const done = await server.settings.submit(caller(), {
      ...{ flowId: settings.id.reveal(), csrfToken: "", traits: {}, traitsEtag: "" },
      step,
    });
    expect(done.kind).toBe("completed");
  });
});

describe("an account with a second factor that nobody has claimed", () => {
  /** Proves the address of the account, which then asks whose it is. */
  async function asked({ recovery: recoveries, schemas }: ReturnType<typeof serverWith>) {
    const { rows, scope } = database;
    await schemas.load(scope, [{ id: "person", document: defaultSchemaDocument }]);
    await rows("UPDATE ostiary.identity_verifiable_address SET verified_at = NULL WHERE identity_id = $1", [
      identity.id,
    ]);
    await rows("UPDATE ostiary.identity_credential SET set_by_operator = false WHERE identity_id = $1", [
      identity.id,
    ]);
    clock.advance(1);
    const { flow } = await recoveries.create(caller(), { client: "native", returnTo: "", linkToken: "" });
    const flowId = flow.id.reveal();
    const submit = (name: string, fields: Readonly<Record<string, unknown>> = {}, as = caller()) =>
      recoveries.submit(as, {
        ...{ flowId, csrfToken: "", address: email() },
        step: { name, fields },
      });
    await submit("sendCode");
    const outcome = await submit("code", await code());
    expect(outcome).toMatchObject({ kind: "next_step", flow: { stage: { kind: "claim_account" } } });
    return submit;
  }

  // Security rule (SR-FACTOR-2): signing in with what was set up takes all of it.
  test("is kept by a login that asks for it", async () => {
    const server = serverWith(first(), second());
    const submit = await asked(server);
    const waiting = await submit("resume");
    if (waiting.kind !== "login_required") throw new Error(`it was ${waiting.kind}`);
    const { flow } = waiting.loginFlow;
    expect(flow.stage).toMatchObject({ kind: "choose_method", offers: [{ kind: "first" }] });
    const login = Login.of(server.login, flow.id.reveal());
    const next = await login.next("first", secret);
    expect(next.stage).toMatchObject({ offers: [{ kind: "second" }], secondFactor: true });
    // What was given up leaves the flow its owner's.
    expect((await login.next("back")).stage).toMatchObject({ offers: [{ kind: "first" }] });
    await login.next("first", secret);
    expect((await submit("resume")).kind).toBe("login_required");
    const signedIn = await login.submit("second", secret);
    if (signedIn.kind !== "completed") throw new Error(`the login was ${signedIn.kind}`);
    const shown = caller({ session: signedIn.completed.session, identity });
    const kept = await submit("resume", {}, shown);
    expect(kept).toMatchObject({ kind: "completed", completed: { settings: undefined } });
  });

  test("is disowned without it: it is the other person's, and ends", async () => {
    const server = serverWith(first(), second());
    const outcome = await (await asked(server))("disown");
    const settings = outcome.kind === "completed" ? outcome.completed.settings : undefined;
    if (settings === undefined) throw new Error(`it was ${outcome.kind}`);
    const { storage, scope } = database;
    const left = await storage.identities.listCredentials(scope, identity.id, { size: 10 });
    expect(left.items).toEqual([]);
    const done = await server.settings.submit(caller(), {
      ...{ flowId: settings.id.reveal(), csrfToken: "", traits: {}, traitsEtag: "" },
      step: { name: "password", fields: { password: "secret-9" } },
    });
    expect(done.kind).toBe("completed");
  });
});

async function newPassword(hash: string): Promise<void> {
  const { storage, scope } = database;
  const settings = aFlow("settings", { identityId: identity.id });
  await storage.flows.create(scope, settings);
  await storage.settings.changeCredential(scope, {
    held: heldFlow(settings),
    data: settings.data,
    completes: true,
    identityId: identity.id,
    credential: aPassword(hash),
    session: undefined,
    keep: undefined,
    at: clock.now(),
    messages: [],
    events: [],
    revocationEvent: anEvent("session.revoked"),
  });
}
