import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { LoginFlows, LoginOutcome } from "../../src/domain/flow/login/login-flows.ts";
import type { Identity } from "../../src/domain/identity/identity.ts";
import type { FlowKind } from "../../src/domain/kinds.ts";
import type { LoginMethod, SettingsMethod } from "../../src/domain/method/method.ts";
import type { AuthenticatedSession } from "../../src/domain/session/session.ts";
import { passwordTitle } from "../../src/domain/user-message/user-messages.ts";
import { FlowServer } from "../support/flow-server.ts";
import { Elsewhere, KnowsSecret, TwoQuestions } from "../support/methods.ts";
import {
  aFlow,
  anEvent,
  aPassword,
  aSession,
  aVouchedAccount,
  heldFlow,
  someSettings,
} from "../support/records.ts";

/*
 * Methods of the kinds that the server does not have yet, against the real flows and a real database: one that redirects,
 * one of several steps, one that is only shown second, and one that can be either.
 */

/** Sets a new secret, as it is given; once more, if that is asked for. */
const newSecret: SettingsMethod = {
  kind: "password",
  sectionTitle: passwordTitle,
  settingsSteps: {
    password: {
      setsNewSecret: () => true,
      nodes: () => [],
      take: async ({ step, memory }) => {
        if (step.fields.twice === true && memory === undefined) {
          return { kind: "continues", memory: { asked: 1 } };
        }
        return {
          kind: "changed",
          credential: { ...aPassword(String(step.fields.password)), isSecondFactor: true },
          notice: { template: "password_changed", data: {} },
          endsOtherSessions: true,
        };
      },
    },
  },
};

let server: FlowServer;
let identity: Identity;

beforeAll(async () => {
  server = await FlowServer.open({
    uiUrls: { ...someSettings().uiUrls, login: "http://127.0.0.1:4433/ui/login" },
    code: { ...someSettings().code, enabledFor: new Set(["login", "recovery"]) },
    link: { enabledFor: new Set(["login"]), lifetimeMs: 600_000 },
  });
});
afterAll(() => server.close());
beforeEach(async () => {
  identity = await server.createAccount("secret-1");
});

/** The real flows with these methods of logins. */
const flowsWith = (...login: readonly LoginMethod[]) => server.flows({ login, settings: [newSecret] });

/** The real login flows with these methods. */
async function loginsWith(...methods: readonly LoginMethod[]): Promise<LoginFlows> {
  return (await flowsWith(...methods)).login;
}

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
    server.clock.advance(1);
    const start = { client: "native", returnTo: "", purpose: "sign_in", linkToken } as const;
    const { flow } = await logins.create(server.caller(), start);
    return new Login(logins, flow.id.reveal());
  }

  submit(
    name: string,
    fields: Readonly<Record<string, unknown>> = {},
    identifier = "",
  ): Promise<LoginOutcome> {
    const step = { name, fields };
    const submission = { flowId: this.#id, csrfToken: "", identifier, deviceToken: "", step };
    return this.#logins.submit(server.caller(), submission);
  }

  /** What the flow says that is next. */
  async next(name: string, fields: Readonly<Record<string, unknown>> = {}, identifier = "") {
    const outcome = await this.submit(name, fields, identifier);
    if (outcome.kind !== "next_step") throw new Error(`the submit was ${outcome.kind}`);
    return outcome.flow;
  }
}

const clientData = { brand: "blue" };
/** The client's data in the last flow of a kind that is this account's. */
async function clientDataOf(kind: FlowKind): Promise<unknown> {
  const [row] = await server.database.rows<{ data: { clientData?: unknown } }>(
    "SELECT data FROM ostiary.flow WHERE kind = $1 AND identity_id = $2 ORDER BY created_at DESC LIMIT 1",
    [kind, identity.id],
  );
  return row?.data.clientData;
}

const email = () => identity.identifiers[0]?.value ?? "";
const code = async () => ({ code: await server.codeSentTo(email()) });
const first = () => new KnowsSecret("first", "first");
const second = () => new KnowsSecret("second", "second");
const secret = { secret: "secret-1" };

describe("a method that redirects", () => {
  test("sends the browser away, and goes on with what it remembers when it comes back", async () => {
    const elsewhere = new Elsewhere();
    const login = await Login.begin(await loginsWith(elsewhere));
    const away = await login.submit("elsewhere");
    const url = "https://elsewhere.example/?state=s1";
    // A client that does not know the outcome draws the link.
    const [anchor] = away.kind === "redirect" ? away.flow.form.nodes : [];
    expect(away).toMatchObject({ kind: "redirect", url });
    expect(anchor).toMatchObject({ label: { id: 9000209 }, element: { kind: "anchor", url } });
    const key = crypto.randomUUID();
    const { scope, storage } = server.database;
    const { credential } = aVouchedAccount(key);
    await storage.identities.importCredentials(scope, identity.id, [credential], new Date(), []);
    elsewhere.key = key;
    expect(await login.submit("elsewhere", { state: "forged" })).toMatchObject({ kind: "rejected" });
    const back = await login.submit("elsewhere", { state: "s1" });
    expect(back).toMatchObject({ kind: "completed", completed: { identity: { id: identity.id } } });
  });
});

describe("a method of several steps", () => {
  test("draws the nodes of its next step, and nothing else is tried meanwhile", async () => {
    const login = await Login.begin(await loginsWith(new TwoQuestions(), first()));
    const asked = await login.next("questions", {}, email());
    // Who signs in was said before: the form alone is enough.
    const [who, ...nodes] = asked.form.nodes;
    expect(who).toMatchObject({ name: "identifier", element: { type: "hidden", value: email() } });
    expect(nodes.map(({ name }) => name)).toEqual(["questions.second", "back"]);
    expect(asked.stage).toMatchObject({ kind: "choose_method", offers: [{ kind: "questions" }] });
    await expect(login.submit("first", secret, email())).rejects.toMatchObject({
      reason: "STEP_NOT_OFFERED",
    });
    const other = await server.createAccount("secret-2");
    expect(
      await login.submit("questions", { answer: "secret-2" }, other.identifiers[0]?.value),
    ).toMatchObject({
      kind: "rejected",
      rejection: { reason: "FORM_INCOMPLETE" },
    });
    expect((await login.submit("questions", { answer: "secret-1" })).kind).toBe("completed");
  });

  test("can be given up, and begins anew then", async () => {
    const login = await Login.begin(await loginsWith(new TwoQuestions(), first()));
    await login.next("questions", {}, email());
    const begun = await login.next("back");
    expect(begun.form.nodes[0]).toMatchObject({
      name: "identifier",
      element: { type: "text", value: email() },
    });
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
    const login = await Login.begin(await loginsWith(first(), second()));
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
    const logins = await loginsWith(second());
    await (await Login.begin(logins)).next("sendLink", {}, email());
    const token = await server.linkTokenSentTo(email());
    const [one, other] = await Promise.all([Login.begin(logins, token), Login.begin(logins, token)]);
    const outcomes = await Promise.allSettled([one.next("confirmLink"), other.next("confirmLink")]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    await expect(Login.begin(logins, token)).rejects.toMatchObject({ reason: "LINK_INVALID" });
    const winner = outcomes[0]?.status === "fulfilled" ? one : other;
    expect((await winner.submit("second", secret)).kind).toBe("completed");
  });

  test("is not offered first, nor can it be tried first", async () => {
    const login = await Login.begin(await loginsWith(first(), second()));
    await expect(login.submit("second", secret, email())).rejects.toMatchObject({
      reason: "STEP_NOT_OFFERED",
    });
  });

  // Security rule (SR-FACTOR-1): the first proof is one account's, whatever is typed beside the second.
  test("is tried against the account of the first proof alone", async () => {
    const other = await server.createAccount("secret-2");
    const login = await Login.begin(await loginsWith(first(), second()));
    await login.next("first", secret, email());
    const tried = await login.submit("second", { secret: "secret-2" }, other.identifiers[0]?.value);
    expect(tried).toMatchObject({ kind: "rejected", rejection: { reason: "CREDENTIALS_INVALID" } });
    // The control: it is the account that was wrong, not the form.
    expect((await login.submit("second", secret)).kind).toBe("completed");
  });

  test("is not wanted of an account that has not set it up", async () => {
    identity = await server.createAccount(undefined);
    const login = await Login.begin(await loginsWith(second()));
    await login.next("sendCode", {}, email());
    expect((await login.submit("code", await code())).kind).toBe("completed");
  });

  test("is what a login to step up to two factors ends with, or it does not end", async () => {
    const stepUp = async (logins: LoginFlows) => {
      const session = aSession(identity.id);
      const { flow } = await logins.create(server.caller({ session, identity }), {
        ...{ client: "native", returnTo: "", purpose: "step_up", linkToken: "" },
        demands: [{ kind: "assurance_level", level: "aal2" }],
      });
      return Login.of(logins, flow.id.reveal());
    };
    // The session has the first one.
    const login = await stepUp(await loginsWith(first(), second()));
    expect((await login.submit("second", secret)).kind).toBe("completed");
    // Who gives that up shows both.
    const both = await stepUp(await loginsWith(first(), second()));
    await both.next("back");
    expect((await both.next("first", secret)).stage).toMatchObject({ secondFactor: true });
    expect((await both.submit("second", secret)).kind).toBe("completed");
    // Nobody who has none is led through it, nor ends with less who has lost it meanwhile.
    await expect(stepUp(await loginsWith(first()))).rejects.toMatchObject({ reason: "STEP_UP_IMPOSSIBLE" });
    const lost = await stepUp(await loginsWith(second()));
    await lost.next("back");
    const { scope, storage } = server.database;
    const [own] = await storage.identities.credentialsOf(scope, identity.id);
    if (own === undefined) throw new Error("there is no credential");
    await storage.identities.deleteCredential(scope, identity.id, own.id, []);
    await lost.next("sendCode");
    await expect(lost.submit("code", await code())).rejects.toMatchObject({ reason: "STEP_UP_IMPOSSIBLE" });
    identity = await server.createAccount(undefined);
    await expect(stepUp(await loginsWith(second()))).rejects.toMatchObject({ reason: "STEP_UP_IMPOSSIBLE" });
  });

  test("gives way to the first stage again by `back`, and the first proof is forgotten", async () => {
    const login = await Login.begin(await loginsWith(first(), second()));
    await login.next("first", secret, email());
    expect((await login.next("back")).stage).toMatchObject({
      offers: [{ kind: "first" }, { kind: "code" }, { kind: "link" }],
    });
    await expect(login.submit("second", secret)).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
  });

  test("of 16 submits at the same moment one signs in", async () => {
    const login = await Login.begin(await loginsWith(first(), second()));
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
    const login = await Login.begin(await loginsWith(first(), second()));
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
    const { flow } = await (await loginsWith(...methods)).create(server.caller(), {
      ...{ client: "native", returnTo: "", purpose: "sign_in", linkToken: "" },
    });
    expect(flow.stage).toMatchObject({ offers: [{ kind: "key" }, { kind: "code" }, { kind: "link" }] });
    const login = Login.of(await loginsWith(...methods), flow.id.reveal());
    await expect(login.submit("first", secret, email())).rejects.toMatchObject({
      reason: "STEP_NOT_OFFERED",
    });
    expect((await login.submit("key", secret, email())).kind).toBe("completed");
    // The control: switched on, it would be wanted.
    const again = await Login.begin(await loginsWith(second(), key));
    expect((await again.next("key", secret, email())).stage).toMatchObject({ secondFactor: true });
  });
});

test("a second factor that is switched off while it is wanted is no longer offered", async () => {
  let isOn = true;
  const flows = await flowsWith(first(), Object.assign(second(), { isEnabled: () => isOn }));
  const login = await Login.begin(flows.login);
  const { id } = await login.next("first", secret, email());
  isOn = false;
  const found = await flows.any.get(server.caller(), id.reveal());
  expect(found).toMatchObject({ flow: { stage: { offers: [], secondFactor: true } } });
  await expect(login.submit("second", secret)).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
  await login.next("back");
  expect((await login.submit("first", secret, email())).kind).toBe("completed");
});

describe("a method that is either", () => {
  test("signs in by itself, and is wanted beside another proof", async () => {
    const logins = await loginsWith(new KnowsSecret("key", "either", "aal2"), first());
    expect((await (await Login.begin(logins)).submit("key", secret, email())).kind).toBe("completed");
    const waiting = await (await Login.begin(logins)).next("first", secret, email());
    expect(waiting.stage).toMatchObject({ offers: [{ kind: "key" }], secondFactor: true });
  });

  test("comes second where its proof is one factor and it is asked for", async () => {
    const logins = await loginsWith(new KnowsSecret("key", "either"), first());
    const alone = await (await Login.begin(logins)).submit("key", secret, email());
    expect(alone).toMatchObject({ kind: "rejected", rejection: { reason: "PASSKEY_INVALID" } });
  });
});

describe("a recovery of an account with a second factor", () => {
  /** Recovers the account by a code. */
  async function recover({ recovery: recoveries }: Awaited<ReturnType<typeof flowsWith>>) {
    const start = { client: "native", returnTo: "", linkToken: "", clientData } as const;
    const { flow } = await recoveries.create(server.caller(), start);
    const flowId = flow.id.reveal();
    const submit = (fields: Readonly<Record<string, unknown>>) =>
      recoveries.submit(server.caller(), {
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
  test.each([
    ["at once", false],
    ["in two steps", true],
  ])("changes nothing and gives no session before it was shown: a secret set %s", async (_name, twice) => {
    const flows = await flowsWith(second());
    const recovered = await recover(flows);
    expect(recovered.session).toBeUndefined();
    const flowId = recovered.settings.id.reveal();
    const submit = (name: string, fields = {}, shown?: AuthenticatedSession) =>
      flows.settings.submit(server.caller(shown), {
        ...{ flowId, csrfToken: "", traits: {}, traitsEtag: "" },
        step: { name, fields },
      });
    const waiting = await submit("password", twice ? { twice } : { password: "secret-9" });
    if (waiting.kind !== "login_required") throw new Error(`the submit was ${waiting.kind}`);
    const { flow } = waiting.loginFlow;
    expect(flow.stage).toEqual({ kind: "choose_method", offers: [{ kind: "second" }], secondFactor: true });
    expect([await clientDataOf("settings"), await clientDataOf("login")]).toEqual([clientData, clientData]);
    // Nor by going on as if it had been.
    expect((await submit("resume")).kind).toBe("login_required");

    const login = Login.of(flows.login, flow.id.reveal());
    expect((await login.submit("second", { secret: "secret-9" })).kind).toBe("rejected");
    const signedIn = await login.submit("second", secret);
    if (signedIn.kind !== "completed") throw new Error(`the login was ${signedIn.kind}`);
    const shown = { session: signedIn.completed.session, identity };
    // A session of somebody else is no help.
    const other = await server.createAccount("secret-2");
    const foreign = { session: { ...shown.session, identityId: other.id }, identity: other };
    expect((await submit("resume", {}, foreign)).kind).toBe("login_required");
    const resumed = await submit("resume", {}, shown);
    // What is asked next may be a secret to show, so it comes after the second factor.
    if (twice) expect(resumed.kind).toBe("next_step");
    const done = twice ? await submit("password", { password: "secret-9" }, shown) : resumed;
    expect(done).toMatchObject({
      kind: "completed",
      completed: { session: { session: { assuranceLevel: "aal2" } } },
    });
    const again = await Login.begin(flows.login);
    await again.next("sendCode", {}, email());
    await again.next("code", await code());
    expect((await again.submit("second", { secret: "secret-9" })).kind).toBe("completed");
  });

  test("needs nothing more without one", async () => {
    identity = await server.createAccount(undefined);
    const flows = await flowsWith(second());
    const { settings } = await recover(flows);
    const step = { name: "password", fields: { password: "secret-9" } };
    const done = await flows.settings.submit(server.caller(), {
      ...{ flowId: settings.id.reveal(), csrfToken: "", traits: {}, traitsEtag: "" },
      step,
    });
    expect(done.kind).toBe("completed");
  });
});

describe("an account with a second factor that nobody has claimed", () => {
  /** Proves the address of the account, which then asks whose it is. */
  async function asked({ recovery: recoveries }: Awaited<ReturnType<typeof flowsWith>>) {
    const { rows } = server.database;
    await rows("UPDATE ostiary.identity_verifiable_address SET verified_at = NULL WHERE identity_id = $1", [
      identity.id,
    ]);
    await rows("UPDATE ostiary.identity_credential SET set_by_operator = false WHERE identity_id = $1", [
      identity.id,
    ]);
    server.clock.advance(1);
    const start = { client: "native", returnTo: "", linkToken: "", clientData } as const;
    const { flow } = await recoveries.create(server.caller(), start);
    const flowId = flow.id.reveal();
    const submit = (name: string, fields: Readonly<Record<string, unknown>> = {}, as = server.caller()) =>
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
    const flows = await flowsWith(first(), second());
    const submit = await asked(flows);
    const waiting = await submit("resume");
    if (waiting.kind !== "login_required") throw new Error(`it was ${waiting.kind}`);
    const { flow } = waiting.loginFlow;
    expect(flow.stage).toMatchObject({ kind: "choose_method", offers: [{ kind: "first" }] });
    expect(await clientDataOf("login")).toEqual(clientData);
    const login = Login.of(flows.login, flow.id.reveal());
    const next = await login.next("first", secret);
    expect(next.stage).toMatchObject({ offers: [{ kind: "second" }], secondFactor: true });
    // What was given up leaves the flow its owner's.
    expect((await login.next("back")).stage).toMatchObject({ offers: [{ kind: "first" }] });
    await login.next("first", secret);
    expect((await submit("resume")).kind).toBe("login_required");
    const signedIn = await login.submit("second", secret);
    if (signedIn.kind !== "completed") throw new Error(`the login was ${signedIn.kind}`);
    const shown = server.caller({ session: signedIn.completed.session, identity });
    const kept = await submit("resume", {}, shown);
    expect(kept).toMatchObject({ kind: "completed", completed: { settings: undefined } });
  });

  test("is disowned without it: it is the other person's, and ends", async () => {
    const flows = await flowsWith(first(), second());
    const outcome = await (await asked(flows))("disown");
    const settings = outcome.kind === "completed" ? outcome.completed.settings : undefined;
    if (settings === undefined) throw new Error(`it was ${outcome.kind}`);
    expect(await clientDataOf("settings")).toEqual(clientData);
    const { storage, scope } = server.database;
    const left = await storage.identities.listCredentials(scope, identity.id, { size: 10 });
    expect(left.items).toEqual([]);
    const done = await flows.settings.submit(server.caller(), {
      ...{ flowId: settings.id.reveal(), csrfToken: "", traits: {}, traitsEtag: "" },
      step: { name: "password", fields: { password: "secret-9" } },
    });
    expect(done.kind).toBe("completed");
  });
});

async function newPassword(hash: string): Promise<void> {
  const { storage, scope } = server.database;
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
    at: server.clock.now(),
    messages: [],
    events: [],
    revocationEvent: anEvent("session.revoked"),
  });
}
