import type { ServerResponse } from "node:http";
import { inspect } from "node:util";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginPurpose, LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import {
  type SubmitVerificationFlowRequestSchema,
  VerificationService,
} from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import { RequiredActionKind, RequiredActionTiming } from "../../gen/ostiary/identity/v1/identity_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { verifiedAccount } from "../support/deletion.ts";
import { refusal } from "../support/errors.ts";
import { setUpTotp } from "../support/factors.ts";
import { tokenOf } from "../support/links.ts";
import { OAuth2TestServer } from "../support/oauth2-server.ts";
import { OAuth2Visitor, withPassword } from "../support/oauth2-visitor.ts";
import { TotpDevice } from "../support/totp-device.ts";

const terms = { id: "terms-of-service", version: "2026-11", title: "Terms of service", url: "/terms" };
const pages = { login: { ui_url: "http://localhost:4455/login" } };
const { ACCEPT_TERMS } = RequiredActionKind;
let oauth2: OAuth2TestServer;
let app: TestApp;

beforeAll(async () => {
  oauth2 = await OAuth2TestServer.start();
  app = await startTestApp({ config: configured(oauth2.config) });
});
afterEach(() => {
  oauth2.misbehaves = () => false;
});
afterAll(async () => {
  await app.stop();
  await oauth2.stop();
});

/** Where a completed flow leads. */
function returnTo({ outcome }: Awaited<ReturnType<OAuth2Visitor["submit"]>>): string {
  if (outcome.case !== "completed") throw new Error(`the outcome is ${outcome.case}`);
  return outcome.value.returnTo;
}

/** The flow of an answer. */
function flowIn({ flow }: { readonly flow?: Flow | undefined }): Flow {
  if (flow === undefined) throw new Error("there is no flow");
  return flow;
}

/** What a request was answered by, once. */
function answerOf(challenge: string) {
  const told = oauth2.toldOf(challenge);
  expect(told).toHaveLength(1);
  return told[0];
}

async function withTotp() {
  const account = await register(app);
  return { ...account, ...(await setUpTotp(app, account)) };
}

describe.each(["Connect JSON", "gRPC"] as const)("a login for an OAuth2 server, over %s", (protocol) => {
  const visitor = () => new OAuth2Visitor(app, protocol);

  test("tells it who signed in, how and for how long, and leads back there", async () => {
    const { email, identity } = await register(app);
    const browser = visitor();
    const challenge = oauth2.ask();
    const { flow } = await browser.login(challenge);
    expect(flow?.oauth2LoginRequest).toMatchObject({
      loginChallenge: challenge,
      clientId: "shop",
      clientName: "The Shop",
    });
    const answer = await browser.submit(flow, withPassword, email);
    expect(returnTo(answer)).toMatch(/^http:\/\/localhost:4444\/oauth2\/auth\?.*&login_verifier=/);
    const session = await browser.session();
    expect(answerOf(challenge)).toEqual({
      action: "accept",
      body: {
        subject: identity?.id,
        acr: "aal1",
        amr: ["pwd"],
        remember: true,
        remember_for: 86_400,
        identity_provider_session_id: session?.id,
      },
    });
  });

  test("needs no form where the browser is signed in", async () => {
    const { email, identity } = await register(app);
    const browser = visitor();
    await browser.signIn(email);
    const challenge = oauth2.ask();
    const { flow, redirect } = await browser.login(challenge);
    expect(flow).toBeUndefined();
    expect(redirect?.url).toMatch(/&login_verifier=/);
    expect(answerOf(challenge)?.body.subject).toBe(identity?.id);
  });

  test("goes on through the second factor", async () => {
    const { email, device } = await withTotp();
    const browser = visitor();
    const challenge = oauth2.ask({ acrValues: ["urn:other", "aal2", "aal1"] });
    const begun = await browser.login(challenge);
    const first = await browser.submit(begun.flow, withPassword, email);
    expect(first.outcome.case).toBe("nextStep");
    expect(oauth2.toldOf(challenge)).toEqual([]);
    app.clock.advance(30_000);
    const last = await browser.submit(first.flow, { case: "totp", value: { code: device.code() } });
    expect(returnTo(last)).toMatch(/login_verifier/);
    expect(answerOf(challenge)?.body).toMatchObject({ acr: "aal2", amr: ["pwd", "otp", "mfa"] });
  });

  test("goes on as a registration, and back as a login", async () => {
    const browser = visitor();
    const challenge = oauth2.ask();
    const login = await browser.login(challenge);
    const registration = await browser.registration(login.flow?.oauth2LoginRequest?.loginChallenge ?? "");
    const email = freshEmail();
    const again = await browser.login(registration.flow?.oauth2LoginRequest?.loginChallenge ?? "");
    expect(again.flow?.oauth2LoginRequest?.loginChallenge).toBe(challenge);
    const { outcome } = await browser.register(registration.flow, email);
    if (outcome.case !== "completed") throw new Error(`the registration was ${outcome.case}`);
    expect(outcome.value.returnTo).toMatch(/login_verifier/);
    expect(answerOf(challenge)?.body.subject).toBe(outcome.value.signedIn?.identity?.id);
    // What the registration leads on to leads to the OAuth2 server as well.
    const [verification] = outcome.value.continueWith.map(({ action }) => action);
    if (verification?.case !== "verification") throw new Error("no verification waits");
    expect(verification.value.flow?.returnTo).toBe(oauth2.requestUrlOf(challenge));
  });
});

describe("what a login goes through keeps the request", () => {
  test("a reload, and the fresh flow in the place of an expired one", async () => {
    const { email } = await register(app);
    const browser = new OAuth2Visitor(app);
    const challenge = oauth2.ask();
    const { flow } = await browser.login(challenge);
    const reloaded = await browser.reload(flow);
    expect(reloaded.flow?.oauth2LoginRequest?.loginChallenge).toBe(challenge);
    app.clock.advance(3_700_000);
    const { flow: fresh, replaced } = await browser.reload(flow);
    expect({ replaced, id: fresh?.oauth2LoginRequest?.loginChallenge }).toEqual({
      replaced: true,
      id: challenge,
    });
    expect(returnTo(await browser.submit(fresh, withPassword, email))).toMatch(/login_verifier/);
    expect(answerOf(challenge)?.action).toBe("accept");
  });

  test("a registration that waits for a second factor", async () => {
    const strict = await startTestApp({ config: withPolicy("required") });
    try {
      const browser = new OAuth2Visitor(strict);
      const challenge = oauth2.ask({ acrValues: ["aal2"] });
      const { flow } = await browser.registration(challenge);
      const waits = await browser.register(flow, freshEmail());
      expect(waits.outcome.case).toBe("loginRequired");
      expect(waits.flow?.oauth2LoginRequest?.loginChallenge).toBe(challenge);
      expect(oauth2.toldOf(challenge)).toEqual([]);
      const shown = await browser.submit(waits.flow, { case: "totp", value: {} });
      const stage = shown.flow?.stage;
      const offers = stage?.case === "requiredAction" ? stage.value.offers : [];
      const key = offers.flatMap(({ part }) => (part.case === "totp" ? [part.value.key] : []))[0] ?? "";
      const device = TotpDevice.from(key, () => strict.clock.now());
      const last = await browser.submit(shown.flow, { case: "totp", value: { code: device.code() } });
      expect(returnTo(last)).toMatch(/login_verifier/);
      expect(answerOf(challenge)?.body).toMatchObject({ acr: "aal2", amr: ["pwd", "otp", "mfa"] });
    } finally {
      await strict.stop();
    }
  });

  test("the verification after a registration, whoever ends it", async () => {
    const browser = new OAuth2Visitor(app);
    const email = freshEmail();
    const { flow } = await browser.registration(oauth2.ask());
    const { outcome } = await browser.register(flow, email);
    const actions = outcome.case === "completed" ? outcome.value.continueWith : [];
    const waiting = actions.flatMap(({ action }) =>
      action.case === "verification" ? [action.value] : [],
    )[0];
    await browser.logout();
    const { id: flowId, csrfToken } = flowIn(waiting ?? {});
    const submit = (step: MessageInitShape<typeof SubmitVerificationFlowRequestSchema>["step"]) =>
      browser.client(VerificationService).submitVerificationFlow({ flowId, csrfToken, step });
    const { code = "" } = (await app.messages(email)).at(-1) ?? {};
    // Not within the session that made the account: then it is asked whose it is.
    const asked = await submit({ case: "code", value: { code } });
    expect(asked.flow?.stage.case).toBe("claimAccount");
    const disowned = await submit({ case: "disown", value: {} });
    expect(disowned.outcome).toMatchObject({ case: "completed", value: { continueWith: [{}] } });
  });

  test("an answer that was lost: the same submit leads to the same place, and nothing is told twice", async () => {
    const { email } = await register(app);
    const browser = new OAuth2Visitor(app);
    const challenge = oauth2.ask();
    const { flow } = await browser.login(challenge);
    const submit = () => browser.submit(flow, withPassword, email, { requestId: "a lost answer" });
    const first = returnTo(await submit());
    expect(returnTo(await submit())).toBe(first);
    expect(answerOf(challenge)?.action).toBe("accept");
  });

  test("what the account is asked to do first", async () => {
    const { email, identity } = await register(app);
    await app.client(IdentityService).setRequiredActions({
      identityId: identity?.id ?? "",
      requiredActions: [
        {
          action: { case: "acceptTerms", value: { document: terms.id } },
          timing: RequiredActionTiming.BEFORE_SESSION,
        },
      ],
    });
    const browser = new OAuth2Visitor(app);
    const challenge = oauth2.ask();
    const { flow } = await browser.login(challenge);
    const asked = await browser.submit(flow, withPassword, email);
    const { stage } = flowIn(asked);
    const action = stage.case === "requiredAction" ? stage.value.action : undefined;
    expect(action?.kind).toBe(ACCEPT_TERMS);
    expect(oauth2.toldOf(challenge)).toEqual([]);
    const accept = { case: "acceptTerms", value: { actionId: action?.id ?? "" } } as const;
    expect(returnTo(await browser.submit(asked.flow, accept))).toMatch(/login_verifier/);
    expect(answerOf(challenge)?.action).toBe("accept");
  });

  test("two tabs: the second one begins the request again, which finds the session", async () => {
    const { email } = await register(app);
    const browser = new OAuth2Visitor(app);
    const challenge = oauth2.ask();
    const [one, two] = [await browser.login(challenge), await browser.login(challenge)];
    expect(returnTo(await browser.submit(one.flow, withPassword, email))).toMatch(/login_verifier/);
    oauth2.use(challenge);
    const second = await browser.submit(two.flow, withPassword, email);
    expect(returnTo(second)).toBe(oauth2.requestUrlOf(challenge));
    expect((await browser.login(oauth2.ask())).redirect?.url).toMatch(/login_verifier/);
  });

  test("a link opened in the same browser, and not in another one (SR-OAUTH-2)", async () => {
    const { email } = await verifiedAccount(app);
    const browser = new OAuth2Visitor(app);
    const askForLink = async () => {
      const challenge = oauth2.ask();
      const { flow } = await browser.login(challenge);
      app.clock.advance(60_000);
      await browser.submit(flow, { case: "sendLink", value: {} }, email);
      return { challenge, token: tokenOf((await app.messages(email)).at(-1)?.url ?? "") };
    };
    const confirm = { case: "confirmLink", value: {} } as const;
    const elsewhere = await askForLink();
    const other = new OAuth2Visitor(app);
    const opened = await other.openLink(elsewhere.token);
    expect(opened.flow?.oauth2LoginRequest).toBeUndefined();
    expect(returnTo(await other.submit(opened.flow, confirm))).toBe("");
    expect(oauth2.toldOf(elsewhere.challenge)).toEqual([]);
    const here = await askForLink();
    const { flow } = await browser.openLink(here.token);
    expect(returnTo(await browser.submit(flow, confirm))).toMatch(/login_verifier/);
    expect(answerOf(here.challenge)?.body.amr).toEqual(["link"]);
  });
});

describe("what the OAuth2 server remembers (skip)", () => {
  test("is taken with an active session of that account (SR-OAUTH-3)", async () => {
    const { email, identity } = await register(app);
    const browser = new OAuth2Visitor(app);
    await browser.signIn(email);
    const challenge = oauth2.ask({ subject: identity?.id ?? "", parameters: { prompt: "none" } });
    expect((await browser.login(challenge)).redirect?.url).toMatch(/login_verifier/);
    expect(answerOf(challenge)?.action).toBe("accept");
  });

  test("is worth nothing without one, or once it has ended (SR-OAUTH-3)", async () => {
    const { email, identity } = await register(app);
    const browser = new OAuth2Visitor(app);
    await browser.signIn(email);
    const cookies = new Map(browser.cookies);
    await browser.logout();
    for (const visitor of [new OAuth2Visitor(app), withCookies(cookies)]) {
      const challenge = oauth2.ask({ subject: identity?.id ?? "" });
      const { flow } = await visitor.login(challenge);
      expect(flow?.stage.case).toBe("chooseMethod");
      expect(oauth2.toldOf(challenge)).toEqual([]);
      expect(returnTo(await visitor.submit(flow, withPassword, email))).toMatch(/login_verifier/);
      expect(answerOf(challenge)?.body.subject).toBe(identity?.id);
    }
  });

  test("leads another account through a request for any account", async () => {
    const [remembered, other] = [await register(app), await register(app)];
    const browser = new OAuth2Visitor(app);
    const challenge = oauth2.ask({ subject: remembered.identity?.id ?? "", parameters: { state: "a b" } });
    const { flow } = await browser.login(challenge);
    const goesOn = new URL(returnTo(await browser.submit(flow, withPassword, other.email)));
    expect(Object.fromEntries(goesOn.searchParams)).toMatchObject({ prompt: "login", state: "a b" });
    expect(goesOn.origin).toBe(oauth2.publicUrl);
    expect(oauth2.toldOf(challenge)).toEqual([]);
  });
});

describe("what the application asks for", () => {
  test("prompt=login and a max_age that has passed ask the holder of the session again", async () => {
    const { email, identity } = await register(app);
    const other = await register(app);
    const browser = new OAuth2Visitor(app);
    await browser.signIn(email);
    const before = await browser.session();
    app.clock.advance(61_000);
    for (const [name, value] of [
      ["prompt", "login"],
      ["max_age", "60"],
      ["max_age", "0"],
    ] as const) {
      const challenge = oauth2.ask({ parameters: { [name]: value } });
      const { flow } = await browser.login(challenge);
      expect((await browser.submit(flow, withPassword, other.email)).outcome.case).toBe("rejected");
      expect(returnTo(await browser.submit(flow, withPassword))).toMatch(/login_verifier/);
      expect(answerOf(challenge)?.body.subject).toBe(identity?.id);
      app.clock.advance(61_000);
    }
    expect((await browser.session())?.id).not.toBe(before?.id);
  });

  test("a max_age that has not passed, or that is no number, asks for nothing", async () => {
    const { email } = await register(app);
    const browser = new OAuth2Visitor(app);
    await browser.signIn(email);
    app.clock.advance(59_000);
    for (const max_age of ["60", "-1", "soon", "99999999999999999999"]) {
      expect((await browser.login(oauth2.ask({ parameters: { max_age } }))).redirect?.url).toMatch(
        /verifier/,
      );
    }
  });

  test("prompt=none shows no form: the server is told what is missing", async () => {
    const { email } = await register(app);
    const browser = new OAuth2Visitor(app);
    const none = { prompt: "none" };
    const denied = async (visitor: OAuth2Visitor, asked: Parameters<OAuth2TestServer["ask"]>[0]) => {
      const challenge = oauth2.ask(asked);
      const { flow, redirect } = await visitor.login(challenge);
      expect(flow).toBeUndefined();
      expect(redirect?.url).toMatch(/login_verifier/);
      return answerOf(challenge);
    };
    const loginRequired = { action: "reject", body: { error: "login_required" } };
    expect(await denied(browser, { parameters: none })).toEqual(loginRequired);
    await browser.signIn(email);
    expect((await denied(browser, { parameters: none }))?.action).toBe("accept");
    app.clock.advance(10_000);
    expect(await denied(browser, { parameters: { ...none, max_age: "5" } })).toEqual(loginRequired);
    expect(await denied(browser, { parameters: none, subject: "somebody else" })).toEqual(loginRequired);
    const interaction = { action: "reject", body: { error: "interaction_required" } };
    expect(await denied(browser, { parameters: none, acrValues: ["aal2"] })).toEqual(interaction);
    const registration = await browser.registration(oauth2.ask({ parameters: none }));
    expect(registration.redirect?.url).toMatch(/login_verifier/);
  });

  test("prompt=select_account lets any account sign in", async () => {
    const [own, other] = [await register(app), await register(app)];
    const browser = new OAuth2Visitor(app);
    await browser.signIn(own.email);
    const challenge = oauth2.ask({ parameters: { prompt: "select_account" } });
    const { flow } = await browser.login(challenge);
    expect(returnTo(await browser.submit(flow, withPassword, other.email))).toMatch(/login_verifier/);
    expect(answerOf(challenge)?.body.subject).toBe(other.identity?.id);
  });

  test("acr_values=aal2 asks a session of one factor for the second one alone", async () => {
    const account = await register(app);
    const browser = new OAuth2Visitor(app);
    await browser.signIn(account.email);
    const { device } = await setUpTotp(app, account);
    const challenge = oauth2.ask({ acrValues: ["aal2"] });
    const { flow } = await browser.login(challenge);
    expect(flow?.stage).toMatchObject({ case: "chooseMethod", value: { secondFactor: true } });
    app.clock.advance(30_000);
    const last = await browser.submit(flow, { case: "totp", value: { code: device.code() } });
    expect(returnTo(last)).toMatch(/login_verifier/);
    expect(answerOf(challenge)?.body).toMatchObject({ acr: "aal2", amr: ["pwd", "otp", "mfa"] });
  });

  test("acr_values=aal2 asks for a second factor where logins ask for none", async () => {
    const lenient = await startTestApp({ config: withPolicy("optional") });
    try {
      const account = await register(lenient);
      const { device } = await setUpTotp(lenient, account);
      const browser = new OAuth2Visitor(lenient);
      const plain = await browser.login(oauth2.ask());
      expect((await browser.submit(plain.flow, withPassword, account.email)).outcome.case).toBe("completed");
      await browser.logout();
      const challenge = oauth2.ask({ acrValues: ["aal2"] });
      const { flow } = await browser.login(challenge);
      const first = await browser.submit(flow, withPassword, account.email);
      expect(first.flow?.stage).toMatchObject({ case: "chooseMethod", value: { secondFactor: true } });
      lenient.clock.advance(30_000);
      const last = await browser.submit(first.flow, { case: "totp", value: { code: device.code() } });
      expect(returnTo(last)).toMatch(/login_verifier/);
      expect(answerOf(challenge)?.body.acr).toBe("aal2");
    } finally {
      await lenient.stop();
    }
  });

  test("acr_values=aal2 with prompt=login asks for both factors", async () => {
    const account = await register(app);
    const browser = new OAuth2Visitor(app);
    await browser.signIn(account.email);
    const { device } = await setUpTotp(app, account);
    const challenge = oauth2.ask({ acrValues: ["aal2"], parameters: { prompt: "login" } });
    const { flow } = await browser.login(challenge);
    // From the start: an older first factor is not taken.
    expect(flow?.stage).toMatchObject({ case: "chooseMethod", value: { secondFactor: false } });
    const first = await browser.submit(flow, withPassword);
    expect(first.outcome.case).toBe("nextStep");
    app.clock.advance(30_000);
    const last = await browser.submit(first.flow, { case: "totp", value: { code: device.code() } });
    expect(returnTo(last)).toMatch(/login_verifier/);
    expect(answerOf(challenge)?.body.acr).toBe("aal2");
    // A session that shows it already is enough.
    expect((await browser.login(oauth2.ask({ acrValues: ["aal2"] }))).redirect?.url).toMatch(/verifier/);
  });

  test("acr_values=aal2 of an account without a second factor is refused to the application (SR-OAUTH-4)", async () => {
    const { email } = await register(app);
    const unmet = { action: "reject", body: { error: "unmet_authentication_requirements" } };
    const browser = new OAuth2Visitor(app);
    const [signingIn, signedIn] = [oauth2.ask({ acrValues: ["aal2"] }), oauth2.ask({ acrValues: ["aal2"] })];
    const { flow } = await browser.login(signingIn);
    expect(returnTo(await browser.submit(flow, withPassword, email))).toMatch(/login_verifier/);
    expect(answerOf(signingIn)).toEqual(unmet);
    expect((await browser.login(signedIn)).redirect?.url).toMatch(/login_verifier/);
    expect(answerOf(signedIn)).toEqual(unmet);
    expect((await browser.session())?.id).toBeDefined();
  });

  test("login_hint fills in the form", async () => {
    const { flow } = await new OAuth2Visitor(app).login(oauth2.ask({ loginHint: "ada@example.com" }));
    const identifier = flow?.form?.nodes.find(({ name }) => name === "identifier")?.kind;
    expect(identifier?.case === "input" && identifier.value.value?.kind).toEqual({
      case: "stringValue",
      value: "ada@example.com",
    });
  });
});

describe("a server that cannot be told of a login", () => {
  const failing = (request: { readonly method?: string | undefined }, response: ServerResponse) => {
    if (request.method !== "PUT") return false;
    response.writeHead(503).end();
    return true;
  };

  async function signedInUntold(parameters: Record<string, string> = { prompt: "login" }) {
    const { email } = await register(app);
    const browser = new OAuth2Visitor(app);
    const challenge = oauth2.ask({ parameters });
    const { flow } = await browser.login(challenge);
    oauth2.misbehaves = failing;
    const { outcome } = await browser.submit(flow, withPassword, email);
    if (outcome.case !== "completed") throw new Error(`the login was ${outcome.case}`);
    const actions = outcome.value.continueWith.map(({ action }) => action);
    const login = actions.find((action) => action.case === "login");
    return { email, browser, challenge, outcome, handOver: flowIn(login?.value ?? {}) };
  }

  test("is told again by a step of the flow, however often it takes", async () => {
    const { browser, challenge, outcome, handOver } = await signedInUntold();
    expect(outcome.value.signedIn?.session?.id).toBe((await browser.session())?.id);
    expect(outcome.value.returnTo).toBe(oauth2.requestUrlOf(challenge));
    expect(handOver.stage.case).toBe("handOver");
    const again = await browser.submit(handOver, { case: "resume", value: {} });
    expect(again.outcome).toMatchObject({
      case: "rejected",
      value: { reason: RejectionReason.OAUTH2_SERVER_UNAVAILABLE },
    });
    oauth2.misbehaves = () => false;
    const { flow } = await browser.reload(handOver);
    const told = await browser.submit(flow, { case: "resume", value: {} });
    expect(told.outcome.case === "redirect" && told.outcome.value.url).toMatch(/login_verifier/);
    expect(answerOf(challenge)?.body.identity_provider_session_id).toBe((await browser.session())?.id);
  });

  test("is told of no session but the one of that login (SR-OAUTH-4)", async () => {
    const { email, browser, challenge, handOver } = await signedInUntold();
    oauth2.misbehaves = () => false;
    await browser.signIn(email);
    const again = await browser.submit(handOver, { case: "resume", value: {} });
    expect(again.outcome.case).toBe("nextStep");
    expect(again.flow?.stage.case).toBe("chooseMethod");
    expect(oauth2.toldOf(challenge)).toEqual([]);
    await browser.logout();
    const { handOver: other } = await signedInUntold();
    expect((await refusal(browser.submit(other, { case: "resume", value: {} }))).reason).toBe(
      "FLOW_CLIENT_MISMATCH",
    );
  });

  test("is told of no login that has become too old meanwhile (SR-OAUTH-4)", async () => {
    const { browser, challenge, email, handOver } = await signedInUntold({ max_age: "60" });
    oauth2.misbehaves = () => false;
    app.clock.advance(61_000);
    const again = await browser.submit(handOver, { case: "resume", value: {} });
    expect(again.flow?.stage.case).toBe("chooseMethod");
    expect(oauth2.toldOf(challenge)).toEqual([]);
    expect(returnTo(await browser.submit(again.flow, withPassword, email))).toMatch(/login_verifier/);
    expect(answerOf(challenge)?.action).toBe("accept");
  });

  test("is asked in vain at the creation: nothing is done, and the caller can try again", async () => {
    const { email } = await register(app);
    const browser = new OAuth2Visitor(app);
    await browser.signIn(email);
    const challenge = oauth2.ask();
    oauth2.misbehaves = failing;
    const refused = await refusal(browser.login(challenge));
    expect(refused).toMatchObject({
      code: "Unavailable",
      reason: "OAUTH2_SERVER_UNAVAILABLE",
      retryAfterSeconds: 3,
    });
    oauth2.misbehaves = () => false;
    expect((await browser.login(challenge)).redirect?.url).toMatch(/login_verifier/);
  });

  test("sends nobody elsewhere: an address of another origin counts as no answer (SR-OAUTH-1)", async () => {
    const { email } = await register(app);
    const browser = new OAuth2Visitor(app);
    const challenge = oauth2.ask();
    const { flow } = await browser.login(challenge);
    oauth2.misbehaves = (request, response) => {
      if (request.method !== "PUT") return false;
      response.end(JSON.stringify({ redirect_to: "https://evil.example/oauth2/auth" }));
      return true;
    };
    const { outcome } = await browser.submit(flow, withPassword, email);
    if (outcome.case !== "completed") throw new Error(`the login was ${outcome.case}`);
    expect(outcome.value.returnTo).toBe(oauth2.requestUrlOf(challenge));
    expect(outcome.value.continueWith.map(({ action }) => action.case)).toContain("login");
    expect((await refusal(browser.login(oauth2.ask()))).reason).toBe("OAUTH2_SERVER_UNAVAILABLE");
  });
});

describe("a challenge", () => {
  test.each([
    ["unknown", () => "nobody-has-this"],
    ["used", () => changed((challenge) => oauth2.use(challenge))],
    ["expired", () => changed((challenge) => oauth2.expire(challenge))],
  ])("that is %s is refused with that word", async (problem, challengeOf) => {
    const browser = new OAuth2Visitor(app);
    for (const call of [browser.login(challengeOf()), browser.registration(challengeOf())]) {
      expect(await refusal(call)).toMatchObject({
        code: "FailedPrecondition",
        reason: "OAUTH2_CHALLENGE_INVALID",
        metadata: { problem },
      });
    }
  });

  test("that expires during a login begins the request again", async () => {
    const { email } = await register(app);
    const browser = new OAuth2Visitor(app);
    const challenge = oauth2.ask();
    const { flow } = await browser.login(challenge);
    oauth2.expire(challenge);
    expect(returnTo(await browser.submit(flow, withPassword, email))).toBe(oauth2.requestUrlOf(challenge));
  });

  test("is for browsers that sign in, and for nothing else", async () => {
    const client = app.client(LoginService);
    const loginChallenge = oauth2.ask();
    const wrong = [
      { client: ClientKind.NATIVE },
      { client: ClientKind.BROWSER, purpose: LoginPurpose.REFRESH },
      { client: ClientKind.BROWSER, linkToken: "ost_lnk_x" },
      { client: ClientKind.BROWSER, returnTo: "https://app.example.com/" },
    ];
    for (const start of wrong) {
      const refused = await refusal(client.createLoginFlow({ ...start, loginChallenge }));
      expect(refused.reason).toBe("REQUEST_INVALID");
    }
    for (const malformed of ["a b", "a\r\nb", "a&b", "x".repeat(8193)]) {
      const start = { client: ClientKind.BROWSER, loginChallenge: malformed };
      expect((await refusal(client.createLoginFlow(start))).reason).toBe("REQUEST_INVALID");
    }
  });

  test("is in no log, and neither is where the browser goes", async () => {
    const challenge = oauth2.ask();
    const browser = new OAuth2Visitor(app);
    const { email } = await register(app);
    const { flow } = await browser.login(challenge);
    await browser.submit(flow, withPassword, email);
    oauth2.misbehaves = (_request, response) => {
      response.writeHead(500).end(challenge);
      return true;
    };
    await refusal(browser.login(challenge));
    const log = inspect(app.log, { depth: 20, maxArrayLength: null });
    expect(log).toContain("the OAuth2 server cannot be asked: it answered with status 500");
    expect(log).not.toContain(challenge);
    expect(log).not.toContain("login_verifier");
  });
});

describe("a logout that the OAuth2 server asks for", () => {
  test("ends the session here, and leads back to end it there", async () => {
    const { email } = await register(app);
    const browser = new OAuth2Visitor(app);
    await browser.signIn(email);
    const challenge = oauth2.ask();
    const { redirectUrl } = await browser.logout(challenge);
    expect(redirectUrl).toMatch(/^http:\/\/localhost:4444\/oauth2\/sessions\/logout\?logout_verifier=/);
    expect(oauth2.toldOf(challenge)).toEqual([{ action: "accept", body: undefined }]);
    expect((await refusal(browser.session())).reason).toBe("SESSION_CREDENTIAL_MISSING");
    // Also where nobody is signed in here.
    expect((await browser.logout(oauth2.ask())).redirectUrl).toMatch(/logout_verifier/);
  });

  test("with a challenge that is gone, or while it cannot be asked, signs nobody out", async () => {
    const { email } = await register(app);
    const browser = new OAuth2Visitor(app);
    await browser.signIn(email);
    expect(await refusal(browser.logout("nobody-has-this"))).toMatchObject({
      ...{ reason: "OAUTH2_CHALLENGE_INVALID", metadata: { problem: "unknown" } },
    });
    oauth2.misbehaves = (_request, response) => {
      response.writeHead(502).end("<html>");
      return true;
    };
    expect((await refusal(browser.logout(oauth2.ask()))).reason).toBe("OAUTH2_SERVER_UNAVAILABLE");
    expect((await browser.session())?.id).toBeDefined();
  });

  test("that is interrupted can be asked for again", async () => {
    const { email } = await register(app);
    const browser = new OAuth2Visitor(app);
    await browser.signIn(email);
    const challenge = oauth2.ask();
    oauth2.misbehaves = (request, response) => {
      if (request.method !== "PUT") return false;
      response.destroy();
      return true;
    };
    expect((await refusal(browser.logout(challenge))).reason).toBe("OAUTH2_SERVER_UNAVAILABLE");
    oauth2.misbehaves = () => false;
    expect((await browser.logout(challenge)).redirectUrl).toMatch(/logout_verifier/);
  });
});

test("without an OAuth2 server in the configuration no challenge is taken", async () => {
  const plain = await startTestApp();
  try {
    const browser = new OAuth2Visitor(plain);
    for (const [call, field] of [
      [browser.login("any"), "login_challenge"],
      [browser.registration("any"), "login_challenge"],
      [browser.logout("any"), "logout_challenge"],
    ] as const) {
      expect(await refusal(call)).toMatchObject({ reason: "FEATURE_OFF", metadata: { field } });
    }
  } finally {
    await plain.stop();
  }
});

/** A browser that still has the cookies of an ended session. */
function withCookies(cookies: ReadonlyMap<string, string>): OAuth2Visitor {
  const visitor = new OAuth2Visitor(app);
  for (const [name, value] of cookies) visitor.cookies.set(name, value);
  return visitor;
}

/** A challenge of which something has become. */
function changed(change: (challenge: string) => void): string {
  const challenge = oauth2.ask();
  change(challenge);
  return challenge;
}

/** A server with another policy for second factors. */
function withPolicy(policy: "optional" | "required") {
  const { server, tenant_defaults } = oauth2.config;
  return { server, tenant_defaults: { ...tenant_defaults, second_factor: { policy } } };
}

function configured({ server, tenant_defaults }: OAuth2TestServer["config"]) {
  return {
    server,
    tenant_defaults: {
      ...tenant_defaults,
      terms: [terms],
      link: { enabled: true, login: true },
      flows: pages,
    },
  };
}
