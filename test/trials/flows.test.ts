// What strangers learned and moved by the flows of others: security/f04_expired_settings_flow_leaks_profile,
// security/f05_flow_closed_tells_account_exists and security/f12_cookie_moves_native_flow.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import type { Answer } from "../support/browser.ts";
import {
  bearer,
  browser,
  Caller,
  type HeldFlow,
  type Kind,
  kinds,
  native,
  outcomeOf,
  tokenIn,
} from "../support/caller.ts";

const hour = 3_600_000;
const newPassword = "another harbour lantern";
const allowedOrigin = "https://app.example.com";
let app: TestApp;

beforeAll(async () => {
  const deletion = { enabled: true, grace_period: "720h" };
  app = await startTestApp({
    config: {
      tenant_defaults: {
        allowed_origins: [allowedOrigin],
        flows: {
          registration: { address_proof: "before_session" },
          settings: { account_deletion: deletion },
        },
      },
    },
  });
});

afterAll(() => app.stop());

/** Somebody with an account whose address is verified. */
interface Owner {
  readonly email: string;
  readonly name: string;
  readonly id: string;
  readonly token: string;
}

let owners = 0;

async function anOwner(): Promise<Owner> {
  const email = freshEmail();
  const name = `Ada Number ${++owners}`;
  const { identity } = await app.client(IdentityService).createIdentity({
    traits: { email, name },
    verifiedAddresses: [{ value: email }],
    credentials: { password: { value: { case: "password", value: goodPassword } } },
  });
  return { email, name, id: identity?.id ?? "", token: await signIn(email) };
}

async function signIn(identifier: string, password = goodPassword): Promise<string> {
  app.clock.advance(1);
  const { answer } = await new Caller(app).walk("Login", { identifier, password: { password } });
  return tokenIn(answer);
}

/** A browser in which somebody has signed in. */
async function browserOf(identifier: string): Promise<Caller> {
  const visitor = new Caller(app);
  const { outcome } = await visitor.walk(
    "Login",
    { identifier, password: { password: goodPassword } },
    browser,
  );
  expect(outcome).toBe("completed");
  return visitor;
}

/** The newest code that was really sent to an address. */
async function codeFor(address: string): Promise<string> {
  const sent = (await app.messages(address)).filter(({ code, suppressed }) => code !== "" && !suppressed);
  return sent.at(-1)?.code ?? "";
}

const caller = () => new Caller(app);

describe("the settings flow of somebody else, of which the id is known", () => {
  /** The steps of a settings flow, at any stage. */
  const steps: Readonly<Record<string, object>> = {
    password: { password: { password: "x" } },
    profile: { profile: {}, traits: { name: "Changed" } },
    resume: { resume: {} },
    deleteAccount: { deleteAccount: {} },
    keepAccount: { keepAccount: {} },
    code: { code: { code: "000000" } },
    resend: { resend: {} },
    back: { back: {} },
  };

  async function begin({ token }: Owner): Promise<HeldFlow> {
    return (await caller().create("Settings", native, bearer(token))).body.flow;
  }

  /** The flow that takes the place of one that has expired, as its owner gets it. */
  async function replacement(flow: HeldFlow, { token }: Owner): Promise<HeldFlow> {
    app.clock.advance(hour + 1);
    const answer = await caller().submit("Settings", flow, { password: { password: "x" } }, bearer(token));
    expect(outcomeOf(answer)).toBe("expired");
    return answer.body.flow;
  }

  /** What can have become of it. */
  const states: Readonly<Record<string, (owner: Owner) => Promise<HeldFlow>>> = {
    live: begin,
    "waiting for the code of a new address": async (owner) => {
      const flow = await begin(owner);
      const change = { profile: {}, traits: { email: `new-${owner.email}` } };
      expect(outcomeOf(await caller().submit("Settings", flow, change, bearer(owner.token)))).toBe(
        "nextStep",
      );
      return flow;
    },
    expired: async (owner) => {
      const flow = await begin(owner);
      app.clock.advance(hour + 1);
      return flow;
    },
    "in the place of one that expired": async (owner) => replacement(await begin(owner), owner),
    "in the place of one that expired, and expired": async (owner) => {
      const flow = await replacement(await begin(owner), owner);
      app.clock.advance(hour + 1);
      return flow;
    },
    "of before the password was changed": async (owner) => {
      const flow = await begin(owner);
      const own = await begin(owner);
      const change = { password: { password: newPassword, keepOtherSessions: true } };
      expect(outcomeOf(await caller().submit("Settings", own, change, bearer(owner.token)))).toBe("saved");
      app.clock.advance(hour + 1);
      return flow;
    },
  };

  test.each(Object.entries(states))("%s, shows and does nothing", async (_, become) => {
    const owner = await anOwner();
    const stranger = await anOwner();
    const loggedOut = await signIn(owner.email);
    await caller().session("Logout", {}, bearer(loggedOut));
    const visitor = await browserOf(owner.email);
    const strangers = await browserOf(stranger.email);
    const flow = await become(owner);
    const callers: Readonly<Record<string, Readonly<Record<string, string>>>> = {
      nobody: {},
      "a stranger": bearer(stranger.token),
      "who logged out": bearer(loggedOut),
      "a made-up token": bearer("ost_ses_default_made_up"),
      "an API key": bearer(app.apiKey),
      "the owner's cookies": { cookie: visitor.cookie },
      "a stranger's cookies": { cookie: strangers.cookie },
    };
    const answers: [string, Answer][] = [];
    for (const [name, sent] of Object.entries(callers)) {
      for (const [step, fields] of Object.entries(steps)) {
        answers.push([`${name}, ${step}`, await caller().submit("Settings", flow, fields, sent)]);
        const pressed = await caller().press(flow, Object.keys(fields)[0] ?? "", {}, sent);
        answers.push([`${name}, ${step} by the form`, pressed]);
      }
      answers.push([`${name}, get`, await caller().get(flow, sent)]);
    }
    const shown = answers.filter(([, { status, body }]) => {
      const text = JSON.stringify(body);
      return (
        status === 200 ||
        body.flow !== undefined ||
        [owner.email, owner.name].some((each) => text.includes(each))
      );
    });
    expect(shown).toEqual([]);
    // Control: it is there for its owner, who is as before.
    const own = bearer(owner.token);
    const got = await caller().get(flow, own);
    expect(got.status).toBe(200);
    const current = await caller().session("GetCurrentSession", { view: "SESSION_VIEW_FULL" }, own);
    expect(current.body.identity.traits).toEqual({ email: owner.email, name: owner.name });
  });

  test("in a browser, expired, says nothing to other browsers, nor without the form's token", async () => {
    const owner = await anOwner();
    const visitor = await browserOf(owner.email);
    const { flow } = (await visitor.create("Settings", browser)).body;
    expect(JSON.stringify(flow)).toContain(owner.email);
    const elsewhere = await browserOf(owner.email);
    const stranger = await browserOf((await anOwner()).email);
    for (const wait of [0, hour + 1]) {
      app.clock.advance(wait);
      const bare = { id: flow.id };
      for (const other of [caller(), elsewhere, stranger]) {
        for (const answer of [
          await other.submit("Settings", flow, { profile: {} }),
          await other.press(flow, "profile"),
          await other.get(flow),
        ]) {
          expect(answer.status).not.toBe(200);
          expect(JSON.stringify(answer.body)).not.toContain(owner.email);
        }
      }
      for (const answer of [
        await visitor.submit("Settings", bare, { profile: {} }),
        await visitor.press(bare, "profile"),
      ]) {
        expect(answer.reason).toBe("CSRF_TOKEN_MISSING");
      }
    }
  });

  /** Flows that their id alone moves: they show nothing of the account whose they are. */
  const open: Readonly<Record<string, (owner: Owner) => Promise<HeldFlow>>> = {
    "a login that confirms who is signed in": async ({ token }) => {
      const fields = { ...native, purpose: "LOGIN_PURPOSE_REFRESH" };
      return (await caller().create("Login", fields, bearer(token))).body.flow;
    },
    "a verification in a session": async ({ token }) =>
      (await caller().create("Verification", native, bearer(token))).body.flow,
    "the settings after a recovery": async ({ email }) => {
      app.clock.advance(1);
      const asked = await caller().walk("Recovery", { address: email, sendCode: {} });
      const done = await caller().submit("Recovery", asked.flow, { code: { code: await codeFor(email) } });
      return done.body.completed.continueWith[0].settings.flow;
    },
  };

  test.each(Object.entries(open))(
    "%s, shows nothing of the account by its id, nor once it has expired",
    async (_, start) => {
      const owner = await anOwner();
      let flow = await start(owner);
      for (let generation = 0; generation < 3; generation++) {
        const got = await caller().get(flow);
        const submitted = [];
        for (const kind of kinds) submitted.push(await caller().submit(kind, flow, firstStep(kind)));
        const pressed = await caller().press(flow, "password", { "password.password": "x" });
        for (const { body } of [got, pressed, ...submitted]) {
          const text = JSON.stringify(body);
          expect(text).not.toContain(owner.email);
          expect(text).not.toContain(owner.name);
        }
        app.clock.advance(hour + 1);
        flow = (await caller().get(flow)).body.flow;
      }
    },
  );
});

/** A step that each flow of a kind takes. */
function firstStep(kind: Kind): object {
  const password = { password: { password: "x" } };
  if (kind === "Login") return password;
  if (kind === "Registration") return { ...password, traits: {} };
  if (kind === "Settings") return password;
  return { address: "nobody@example.com", sendCode: {} };
}

describe("an open flow of a stranger, for the address of somebody", () => {
  /** Has something sent to an address, as somebody whose account is another one. */
  const asks: Readonly<Record<Kind, (address: string, token: string) => Promise<HeldFlow>>> = {
    Login: async (identifier) => (await caller().walk("Login", { identifier, sendCode: {} })).flow,
    Recovery: async (address) => (await caller().walk("Recovery", { address, sendCode: {} })).flow,
    Verification: async (address) => (await caller().walk("Verification", { address, sendCode: {} })).flow,
    Registration: async (email) =>
      (await caller().walk("Registration", { traits: { email }, password: { password: newPassword } })).flow,
    Settings: async (email, token) =>
      (await caller().walk("Settings", { traits: { email }, profile: {} }, native, bearer(token))).flow,
  };

  const identities = () => app.client(IdentityService);
  const acts: Readonly<Record<string, (owner: Owner) => Promise<unknown>>> = {
    "signs in": ({ email }) => signIn(email),
    "signs out": ({ token }) => caller().session("Logout", {}, bearer(token)),
    "ends all other sessions": ({ token }) => caller().session("RevokeOtherSessions", {}, bearer(token)),
    "changes the password": async ({ token }) => {
      const change = { password: { password: newPassword } };
      const { outcome } = await caller().walk("Settings", change, native, bearer(token));
      expect(outcome).toBe("saved");
    },
    "changes the address": async ({ email, token }) => {
      const change = { profile: {}, traits: { email: `new-${email}` } };
      const { flow } = await caller().walk("Settings", change, native, bearer(token));
      const code = { code: { code: await codeFor(`new-${email}`) } };
      expect(outcomeOf(await caller().submit("Settings", flow, code, bearer(token)))).toBe("saved");
    },
    recovers: async ({ email }) => {
      app.clock.advance(1);
      const { flow } = await caller().walk("Recovery", { address: email, sendCode: {} });
      const done = await caller().submit("Recovery", flow, { code: { code: await codeFor(email) } });
      const settings = done.body.completed.continueWith[0].settings.flow;
      const set = await caller().submit("Settings", settings, { password: { password: newPassword } });
      expect(outcomeOf(set)).toBe("completed");
    },
    "wants it deleted": async ({ token }) => {
      const { outcome } = await caller().walk("Settings", { deleteAccount: {} }, native, bearer(token));
      expect(["saved", "completed"]).toContain(outcome);
    },
    "is deactivated": ({ id }) => identities().deactivateIdentity({ identityId: id }),
    "is deleted": ({ id }) => identities().deleteIdentity({ identityId: id }),
  };

  /** What an answer says, without what is random in it. */
  function plain({ status, body }: Answer, flow: HeldFlow, address: string): string {
    const text = JSON.stringify({ status, body }, (key, value) =>
      ["createTime", "expireTime", "traitsEtag", "requestId", "details"].includes(key) ? undefined : value,
    );
    return text.replaceAll(address, "ADDRESS").replaceAll(flow.id, "ID");
  }

  test.each(kinds.flatMap((kind) => Object.keys(acts).map((act) => [kind, act] as const)))(
    "%s: tells nothing when its owner %s",
    async (kind, act) => {
      const owner = await anOwner();
      const { token } = await anOwner();
      app.clock.advance(1);
      const addresses = [owner.email, freshEmail()];
      const flows: HeldFlow[] = [];
      for (const address of addresses) flows.push(await asks[kind](address, token));
      const sent = kind === "Settings" ? bearer(token) : {};
      const both = async (ask: (flow: HeldFlow) => Promise<Answer>) => {
        const said: string[] = [];
        let outcome = "";
        for (const [index, flow] of flows.entries()) {
          const answer = await ask(flow);
          outcome = outcomeOf(answer);
          said.push(plain(answer, flow, addresses[index] ?? ""));
        }
        expect(said[0]).toBe(said[1]);
        return outcome;
      };
      const look = () => both((flow) => caller().get(flow, sent));
      const enter = (code: string) => both((flow) => caller().submit(kind, flow, { code: { code } }, sent));
      await look();
      await acts[act]?.(owner);
      expect(await look()).toBe("shown");
      expect(await enter("000001")).toMatch(/CODE_INVALID$/);
      expect(await both((flow) => caller().press(flow, "code", { "code.code": "000002" }, sent))).toMatch(
        /CODE_INVALID$/,
      );
      app.clock.advance(31_000);
      expect(await both((flow) => caller().submit(kind, flow, { resend: {} }, sent))).toBe("nextStep");
      await look();
    },
  );
});

describe("a session cookie and a native flow", () => {
  /** What a page adds to a call, and what a program does not. */
  const senders: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    "a program": {},
    "an allowed page": { origin: allowedOrigin },
    "a foreign page": { origin: "http://evil.test" },
    "a page without an origin": { origin: "null" },
    "another site": { "sec-fetch-site": "cross-site" },
    "a sibling host": { "sec-fetch-site": "same-site" },
    "the server's own page": { "sec-fetch-site": "same-origin" },
  };
  const beginnings: readonly (readonly [Kind, object])[] = [
    ...kinds.map((kind) => [kind, {}] as const),
    ["Login", { purpose: "LOGIN_PURPOSE_REFRESH" }],
    ["Login", { purpose: "LOGIN_PURPOSE_STEP_UP", demands: [{ freshness: { maxAge: "60s" } }] }],
  ];

  test.each(beginnings)("%s %j: is neither begun nor moved by it", async (kind, more) => {
    const owner = await anOwner();
    const visitor = await browserOf(owner.email);
    const needsSession = kind === "Settings" || "purpose" in more;
    const begin = { ...native, ...more };
    for (const [name, sent] of Object.entries(senders)) {
      const isPage = name !== "a program";
      const jar = { ...sent, cookie: visitor.cookie };
      const outcome = await caller().create(kind, begin, jar);
      const expected = isPage
        ? /^(FLOW_CLIENT_MISMATCH|ORIGIN_NOT_ALLOWED)$/
        : needsSession
          ? /^SESSION_CREDENTIAL_MISSING$/
          : /^shown$/;
      expect([name, outcomeOf(outcome)]).toEqual([name, expect.stringMatching(expected)]);

      // One that was begun as it should be.
      const held = (await caller().create(kind, begin, bearer(owner.token))).body.flow ?? outcome.body.flow;
      if (held === undefined) continue;
      const answers = [
        await caller().submit(kind, held, firstStep(kind), jar),
        await caller().press(held, "password", { "password.password": newPassword }, jar),
        await caller().get(held, jar),
      ];
      if (kind === "Settings") {
        answers.push(await caller().submit(kind, held, { profile: {}, traits: { name: "Changed" } }, jar));
      }
      for (const answer of answers) {
        expect(answer.setCookies).toEqual([]);
        if (isPage) {
          expect([name, outcomeOf(answer)]).toEqual([
            name,
            expect.stringMatching(/^(FLOW_CLIENT_MISMATCH|ORIGIN_NOT_ALLOWED|SESSION_CREDENTIAL_MISSING)$/),
          ]);
        } else if (kind === "Settings") expect(outcomeOf(answer)).toBe("SESSION_CREDENTIAL_MISSING");
      }
    }
    const current = await visitor.session("GetCurrentSession", { view: "SESSION_VIEW_FULL" });
    expect(current.body.identity.traits).toEqual({ email: owner.email, name: owner.name });
    expect(await signIn(owner.email)).not.toBe("");
  });

  test("a native login with a browser's cookies gives a token of its own, and leaves the browser signed in", async () => {
    const owner = await anOwner();
    const visitor = await browserOf(owner.email);
    const before = visitor.cookie;
    const fields = { identifier: owner.email, password: { password: goodPassword } };
    const { answer } = await caller().walk("Login", fields, native, { cookie: before });
    expect(answer.setCookies).toEqual([]);
    expect(tokenIn(answer)).toMatch(/^ost_ses_/);
    expect((await visitor.session("GetCurrentSession")).status).toBe(200);
    expect(visitor.cookie).toBe(before);
  });

  // A form of a foreign page can send these, with the cookies, and no browser asks first.
  test.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain;application/json",
    "text/json",
    "",
  ])("a body of the type %j carries nothing out", async (type) => {
    const owner = await anOwner();
    const visitor = await browserOf(owner.email);
    const paths = [
      "session.v1.SessionService/Logout",
      "session.v1.SessionService/RevokeOtherSessions",
      "flow.v1.SettingsService/CreateSettingsFlow",
      "flow.v1.FlowService/SubmitForm",
    ];
    for (const path of paths) {
      const headers = { cookie: visitor.cookie, "content-type": type };
      const body = new TextEncoder().encode("{}");
      const answer = await fetch(`${app.localUrl}/ostiary.${path}`, { method: "POST", headers, body });
      expect([path, answer.status]).toEqual([path, 415]);
    }
    expect((await visitor.session("GetCurrentSession")).status).toBe(200);
    expect((await caller().session("GetCurrentSession", {}, bearer(owner.token))).status).toBe(200);
  });
});
