import { describe, expect, test } from "vitest";
import { inShort, rejected, TestFlows } from "../../../../test/support/flows.ts";
import { Elsewhere, KnowsSecret, TwoQuestions } from "../../../../test/support/methods.ts";
import { aCredential } from "../../../../test/support/records.ts";
import type { Credential, Identity } from "../../identity/identity.ts";
import type { LoginMethod, LoginStage } from "../../method/method.ts";
import type { Tenant, TenantSettings } from "../../tenant/tenant.ts";

const email = "ada@example.com";
const password = "correct horse battery";
const byName = {
  login: { lifetimeMs: 3_600_000, style: "identifier_first", newDeviceNotice: true },
} as const;
const signIn = { kind: "sign_in" } as const;
const typed = { identifier: email };

/** A login of Ada, who has a password, from its first form on. */
async function login(settings: Partial<TenantSettings> = {}, methods?: readonly LoginMethod[]) {
  const flows = await TestFlows.make(settings, methods && { login: methods });
  await flows.person({}, password);
  const start = { client: "native", returnTo: "", purpose: "sign_in", linkToken: "" } as const;
  flows.id = (await flows.flows.login.create(flows.caller(), start)).flow.id.reveal();
  return flows;
}

/** A login of Ada that stands at a state, for the holder of her session. */
async function refresh(state: { readonly at: string } = { at: "choose_method" }, purpose: object = {}) {
  const flows = await TestFlows.make();
  const { id } = await flows.person({}, password);
  flows.put("login", state, { identityId: id }, { kind: "refresh", session: "s", ...purpose });
  return flows;
}

async function formOf(flows: TestFlows) {
  return inShort(await flows.show());
}

const methodNodes = [
  "password.password: password!",
  "password: [Sign in]",
  "sendCode: [Send sign-in code]",
  "sendLink: [Send sign-in link]",
];

describe("a login in one form", () => {
  test("asks who signs in beside all methods", async () => {
    const flows = await login();
    expect(await formOf(flows)).toEqual({
      stage: "choose_method",
      texts: ["Sign in", "Welcome back."],
      messages: [],
      nodes: ['identifier: text! = ""', ...methodNodes],
    });
    const { stage, form } = await flows.show();
    expect(stage).toEqual({
      kind: "choose_method",
      offers: [{ kind: "password" }, { kind: "code" }, { kind: "link" }],
      secondFactor: false,
    });
    expect(form.nodes[0]).toMatchObject({
      name: "identifier",
      label: { text: "email or username" },
      messages: [],
      element: { kind: "input", autocomplete: "username", maxLength: 320 },
    });
    await expect(flows.submit("back")).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
  });

  test("signs in by the password of the identifier that was typed", async () => {
    const flows = await login();
    expect(await flows.submit("password", { password }, typed)).toMatchObject({
      kind: "completed",
      completed: { identity: { id: flows.identity?.id } },
    });
  });

  test("refuses a wrong password, records it, and keeps what was typed as the identifier", async () => {
    const flows = await login();
    const outcome = await flows.submit("password", { password: "wrong" }, typed);
    expect(outcome).toMatchObject({ kind: "rejected", rejection: { reason: "CREDENTIALS_INVALID" } });
    expect(outcome.kind === "rejected" && inShort(outcome.flow).nodes[0]).toBe(
      `identifier: text! = "${email}"`,
    );
    expect(flows.last("failedAttempts")).toMatchObject([
      { type: "login.failed", data: { reason: "CREDENTIALS_INVALID", method: "password" } },
    ]);
  });

  test.each(["password", "sendCode", "sendLink"])("wants an identifier for the step %s", async (step) => {
    const flows = await login();
    expect(await rejected(flows.submit(step, { password }))).toEqual({
      reason: "FORM_INCOMPLETE",
      messages: [],
      nodes: ['identifier: text! = "" <- Please fill in this field.'],
    });
    expect(flows.written.map(({ name }) => name)).toEqual(["create"]);
  });

  test("offers what the tenant has switched on", async () => {
    const none = { code: { ...(await login()).tenant.settings.code, enabledFor: new Set<never>() } };
    const flows = await login(none);
    expect((await flows.show()).stage).toMatchObject({ offers: [{ kind: "password" }, { kind: "link" }] });
    await expect(flows.submit("sendCode", {}, typed)).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
    const off = new KnowsSecret("off", "first");
    const without = await login({}, [Object.assign(off, { isEnabled: () => false })]);
    expect((await without.show()).stage).toMatchObject({ offers: [{ kind: "code" }, { kind: "link" }] });
    await expect(without.submit("off", {}, typed)).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
  });
});

describe("a login that asks first who signs in", () => {
  test("asks nothing else, and tries no method before", async () => {
    const flows = await login(byName);
    expect(await formOf(flows)).toEqual({
      stage: "enter_identifier",
      texts: ["Sign in", "Start by telling us who you are."],
      messages: [],
      nodes: ['identifier: text! = ""', "identify: [Continue]"],
    });
    await expect(flows.submit("password", { password }, typed)).rejects.toMatchObject({
      reason: "STEP_NOT_OFFERED",
    });
    expect(await rejected(flows.submit("identify", {}, { identifier: " " }))).toEqual({
      reason: "FORM_INCOMPLETE",
      messages: [],
      nodes: ['identifier: text! = " " <- Please fill in this field.'],
    });
  });

  // Security rule (SR-ENUM-1): the answer and the offers are the same for each name.
  test.each(["ada@example.com", "nobody@example.com"])("offers the same to %s (SR-ENUM-1)", async (name) => {
    const flows = await login(byName);
    await flows.submit("identify", {}, { identifier: ` ${name} ` });
    expect(flows.flow).toMatchObject({
      identityId: undefined,
      data: { state: { at: "choose_method", identifier: { typed: name, value: name } } },
    });
    expect(await formOf(flows)).toEqual({
      stage: "choose_method",
      texts: ["Sign in", "Welcome back.", `Signing in as ${name}.`],
      messages: [],
      nodes: [`identifier: hidden = "${name}"`, ...methodNodes, "back: [Back] alone"],
    });
    expect((await flows.show()).stage).toMatchObject({
      offers: [{ kind: "password" }, { kind: "code" }, { kind: "link" }],
    });
  });

  test("signs in who was named, and nobody else", async () => {
    const flows = await login(byName);
    await flows.submit("identify", {}, typed);
    const other = { identifier: "eve@example.com" };
    for (const step of ["password", "sendCode"]) {
      expect(await rejected(flows.submit(step, { password }, other))).toEqual({
        reason: "FORM_INCOMPLETE",
        messages: [`You're signing in as ${email}. Go back to use another account.`],
        nodes: [],
      });
    }
    const same = { identifier: "ADA@example.com" };
    expect(await flows.submit("password", { password }, same)).toMatchObject({ kind: "completed" });
    expect(await flows.submit("password", { password })).toMatchObject({ kind: "completed" });
  });

  test("goes back to the question, filled in", async () => {
    const flows = await login(byName);
    await flows.submit("identify", {}, typed);
    await flows.submit("back");
    expect(flows.flow?.identityId).toBeUndefined();
    expect(flows.flow?.data.state).toEqual({ at: "enter_identifier", typed: email });
    expect((await formOf(flows)).nodes[0]).toBe(`identifier: text! = "${email}"`);
  });

  describe("where answers may tell", () => {
    const friendly = { ...byName, enumerationSafe: false };
    const unverified = [{ kind: "email", value: email, path: "email", verifiedAt: undefined }] as const;

    test.each<[string, Partial<Identity>, readonly Credential[], readonly string[]]>([
      ["a password and a verified address", {}, [aCredential()], ["password", "code", "link"]],
      ["a verified address alone", {}, [], ["code", "link"]],
      ["a password alone", { verifiableAddresses: unverified }, [aCredential()], ["password"]],
    ])("offers an account with %s what it signs in with", async (_, person, credentials, offers) => {
      const flows = await login(friendly);
      await flows.person(person);
      flows.credentials = credentials;
      await flows.submit("identify", {}, typed);
      expect((await flows.show()).stage).toMatchObject({ offers: offers.map((kind) => ({ kind })) });
      const isOffered = offers.includes("code");
      const sent = flows.submit("sendCode", {}, typed);
      if (isOffered) expect(await sent).toMatchObject({ kind: "next_step" });
      else await expect(sent).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
    });

    test.each<[string, Partial<Identity> | undefined]>([
      ["nobody has", undefined],
      ["somebody has who is inactive", { state: "inactive" }],
    ])("says so of a name that %s", async (_, person) => {
      const flows = await login(friendly);
      await flows.person(person);
      if (person === undefined) flows.identity = undefined;
      expect(await rejected(flows.submit("identify", {}, typed))).toEqual({
        reason: "IDENTITY_NOT_FOUND",
        messages: [],
        nodes: [expect.stringContaining("<- This account doesn't exist")],
      });
    });
  });
});

describe("a code to sign in with", () => {
  test("goes to the address that was typed, and signs in", async () => {
    const flows = await login();
    expect(await flows.submit("sendCode", {}, typed)).toMatchObject({ kind: "next_step" });
    expect(flows.sent()).toMatchObject({ template: "login_code", recipient: email, suppressed: false });
    expect(flows.flow?.data.state).toMatchObject({ at: "enter_code", sentTo: email });
    expect(flows.flow?.data.state).not.toMatchObject({ identifier: expect.anything() });
    expect(await flows.submit("code", { code: flows.sent().code })).toMatchObject({ kind: "completed" });
  });

  test("is refused if it is wrong, and the failure is recorded", async () => {
    const flows = await login();
    await flows.submit("sendCode", {}, typed);
    const wrong = flows.sent().code === "000000" ? "111111" : "000000";
    expect(await rejected(flows.submit("code", { code: wrong }))).toMatchObject({ reason: "CODE_INVALID" });
    expect(flows.last("failedAttempts")).toMatchObject([
      { type: "login.failed", data: { reason: "CODE_INVALID", method: "code" } },
    ]);
  });

  test("is sent to nobody, without a difference, where nobody has the name", async () => {
    const flows = await login();
    flows.identity = undefined;
    expect(await flows.submit("sendCode", {}, typed)).toMatchObject({ kind: "next_step" });
    expect(flows.sent()).toMatchObject({ template: "login_code", recipient: email, suppressed: true });
    expect(flows.flow?.data.state).toMatchObject({ at: "enter_code", sentTo: email });
  });

  test("is refused for a name that nobody has where answers may tell", async () => {
    const flows = await login({ enumerationSafe: false });
    await flows.submit("sendCode", {}, typed);
    expect(flows.sent()).toMatchObject({ suppressed: false });
    const nobody = await login({ enumerationSafe: false });
    nobody.identity = undefined;
    expect(await rejected(nobody.submit("sendCode", {}, typed))).toMatchObject({
      reason: "IDENTITY_NOT_FOUND",
      nodes: [expect.stringContaining("identifier")],
    });
  });

  test("remembers who signs in, and `back` leads there", async () => {
    const flows = await login(byName);
    await flows.submit("identify", {}, typed);
    await flows.submit("sendLink");
    const identifier = { typed: email, value: email };
    expect(flows.flow?.data.state).toMatchObject({ at: "link_sent", identifier, sentTo: email });
    await flows.submit("back");
    expect(flows.flow?.data.state).toEqual({ at: "choose_method", identifier });
    expect(flows.flow?.identityId).toBeUndefined();
  });

  test("leads back to the first form where nobody was named before", async () => {
    const flows = await login();
    await flows.submit("sendCode", {}, typed);
    await flows.submit("back");
    expect(flows.flow?.data.state).toEqual({ at: "choose_method", typed: email });
  });

  test("leads back to the question where that comes first by now", async () => {
    const flows = await login();
    await flows.submit("sendCode", {}, typed);
    const now = { ...flows.tenant, settings: { ...flows.tenant.settings, ...byName } };
    await flows.submit("back", {}, {}, flows.caller({ tenant: now }));
    expect(flows.flow?.data.state).toEqual({ at: "enter_identifier", typed: email });
  });

  test("of a name that is typed is counted for it, and makes the flow nobody else's", async () => {
    const flows = await login();
    flows.put("login", { at: "choose_method" }, { identityId: flows.identity?.id }, signIn);
    await flows.submit("sendCode", {}, { identifier: "nobody@example.com" });
    expect(flows.isCountedBy("recipient_total", "nobody@example.com")).toBe(true);
    expect(flows.isCountedBy("mailbox", "nobody@example.com")).toBe(true);
    expect(flows.flow?.identityId).toBeUndefined();
  });

  test("is sent again to where the name leads by then", async () => {
    const flows = await login();
    await flows.submit("sendCode", {}, typed);
    const { state, ...rest } = flows.flow?.data ?? { state: { at: "" } };
    expect(state).toHaveProperty("target");
    // As it is once the account has changed: the flow is nobody's.
    const { target: _forgotten, ...nobodys } = state as { target?: object; at: string };
    if (flows.flow)
      flows.flow = { ...flows.flow, identityId: undefined, data: { purpose: {}, ...rest, state: nobodys } };
    flows.clock.advance(30_000);
    expect(await flows.submit("resend")).toMatchObject({ kind: "next_step" });
    expect(flows.sent()).toMatchObject({ recipient: email, suppressed: false });
    expect(flows.flow?.identityId).toBe(flows.identity?.id);
    expect(await flows.submit("code", { code: flows.sent().code })).toMatchObject({ kind: "completed" });
  });

  test("is sent again for nobody as well", async () => {
    const flows = await login();
    flows.identity = undefined;
    await flows.submit("sendCode", {}, { identifier: "?" });
    flows.clock.advance(30_000);
    expect(await flows.submit("resend")).toMatchObject({ kind: "next_step" });
    expect(flows.sent()).toMatchObject({ suppressed: true });
    expect(flows.flow?.identityId).toBeUndefined();
  });
});

describe("a link to sign in with", () => {
  test("signs in by one click in the flow that it opens", async () => {
    const flows = await login();
    await flows.submit("sendLink", {}, typed);
    const linkToken = new URLSearchParams(new URL(flows.sent().url).hash.slice(1)).get("link") ?? "";
    const start = { client: "native", returnTo: "", purpose: "sign_in", linkToken } as const;
    const opened = await flows.flows.login.create(flows.caller(), start);
    expect(inShort(opened.flow)).toEqual({
      stage: "confirm_link",
      texts: [
        "Sign in",
        "One more click, so that we know it was you who opened the link and not a program that scans your mail.",
      ],
      messages: ["Continue to sign in as a****@example.com."],
      nodes: ["confirmLink: [Continue]"],
    });
  });
});

describe("a login of the holder of a session", () => {
  test("asks for no identifier, and says what it is for", async () => {
    const flows = await refresh();
    expect(await formOf(flows)).toEqual({
      stage: "choose_method",
      texts: ["Confirm it's you", "For your security, sign in again before you continue."],
      messages: ["To continue, confirm it's you."],
      nodes: methodNodes,
    });
    expect(await flows.submit("password", { password })).toMatchObject({ kind: "completed" });
  });

  test.each([
    ["password", "To set the new password, sign in again first."],
    ["deletion", "To delete your account, sign in again first."],
  ])("says that it is for the %s, which waits for it", async (isFor, said) => {
    const flows = await refresh(undefined, { isFor });
    expect((await formOf(flows)).texts).toEqual(["Confirm it's you", said]);
  });

  // Security rule (SR-FLOW-13).
  test("says so too where its link is opened", async () => {
    const flows = await refresh(undefined, { isFor: "password" });
    await flows.submit("sendLink");
    const linkToken = new URLSearchParams(new URL(flows.sent().url).hash.slice(1)).get("link") ?? "";
    const start = { client: "native", returnTo: "", purpose: "sign_in", linkToken } as const;
    const { flow } = await flows.flows.login.create(flows.caller(), start);
    expect(inShort(flow).messages).toEqual([
      "Continue to sign in as a****@example.com.",
      "To set the new password, sign in again first.",
    ]);
  });

  test("is asked first for nothing", async () => {
    const flows = await TestFlows.make(byName);
    await flows.person({}, password);
    const start = { client: "native", returnTo: "", purpose: "refresh", linkToken: "" } as const;
    const begun = await flows.flows.login.create(flows.signedIn(), start);
    expect(begun.flow.stage?.kind).toBe("choose_method");
  });

  test("sends a code to the account's own address, of which it shows a mask, and stays the account's", async () => {
    const flows = await refresh();
    await flows.submit("sendCode");
    expect(flows.sent()).toMatchObject({ recipient: email, suppressed: false });
    expect(flows.isCountedBy("recipient_total", email)).toBe(true);
    expect(flows.isCountedBy("mailbox", email)).toBe(false);
    expect(flows.flow?.data.state).toMatchObject({ at: "enter_code", sentTo: "a****@example.com" });
    flows.clock.advance(30_000);
    await flows.submit("resend");
    expect(flows.sent()).toMatchObject({ recipient: email, suppressed: false });
    await flows.submit("back");
    expect(flows.flow?.data.state).toEqual({ at: "choose_method" });
    expect(flows.flow?.identityId).toBe(flows.identity?.id);
  });

  test("sends a code to nobody where the account has no verified address, and says nothing of it", async () => {
    const flows = await refresh();
    flows.identity = flows.identity && { ...flows.identity, verifiableAddresses: [] };
    expect(await flows.submit("sendCode")).toMatchObject({ kind: "next_step" });
    expect(flows.sent()).toMatchObject({ recipient: "", suppressed: true });
    expect(flows.flow?.data.state).toMatchObject({ sentTo: "" });
    expect(flows.flow?.identityId).toBe(flows.identity?.id);
  });

  test("of an account that nobody has claimed offers its own credentials alone", async () => {
    const flows = await refresh({ at: "choose_method" }, { kind: "owner", methods: ["password"] });
    expect((await flows.show()).stage).toMatchObject({ offers: [{ kind: "password" }] });
    expect((await formOf(flows)).nodes).toEqual(methodNodes.slice(0, 2));
    await expect(flows.submit("sendCode")).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
    expect(await flows.submit("password", { password })).toMatchObject({ kind: "completed" });
  });
});

test("a method that is switched off by now is not accepted, also if it was offered before", async () => {
  const off = Object.assign(new KnowsSecret("off", "first"), { isEnabled: () => false });
  const flows = await login({}, [off]);
  const identityId = flows.identity?.id;
  flows.put("login", { at: "choose_method" }, { identityId }, { kind: "owner", methods: ["off"] });
  expect((await formOf(flows)).nodes).toEqual([]);
  await expect(flows.submit("off")).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
});

test("a method for which somebody vouches is offered before anybody says who they are", async () => {
  const flows = await login({ ...byName, enumerationSafe: false }, [new Elsewhere()]);
  expect((await flows.show()).stage).toMatchObject({ offers: [{ kind: "elsewhere" }] });
  // Whoever is known not to have linked it is not sent there in vain.
  await flows.submit("identify", {}, typed);
  expect((await flows.show()).stage).toMatchObject({ offers: [{ kind: "code" }, { kind: "link" }] });
});

/** Whose credential says who signs in. */
class SaysWho extends KnowsSecret {
  readonly properties = ["phishing_resistant"] as const;

  lookupKey(field: (name: string) => unknown) {
    return String(field("key"));
  }

  loginOffer(_tenant: Tenant, { factor, demanded, noted, binding }: LoginStage) {
    return { factor, demanded: [...demanded], noted: noted ?? null, revision: binding.revision };
  }

  noteOf(credentials: readonly Credential[]) {
    return { has: credentials.length };
  }
}

describe("a method whose credential says who signs in", () => {
  const method = new SaysWho("who", "either");
  const key = { key: "k", secret: "the stored secret" };

  /** A login in which the account is found by the credential, and by nothing else. */
  async function loginByKey(
    settings: Partial<TenantSettings> = {},
    methods: readonly LoginMethod[] = [method],
  ) {
    const flows = await login(settings, methods);
    flows.credential = key.secret;
    const asked: unknown[] = [];
    flows.answers = {
      findForLogin: async (_scope: unknown, _digest: unknown, identifier: unknown, credential: unknown) => {
        asked.push([identifier, credential]);
        return { flow: flows.flow, candidate: flows.candidate };
      },
    };
    return { flows, asked };
  }

  test("is offered beside the question who signs in, and needs no answer to it", async () => {
    const { flows, asked } = await loginByKey(byName);
    const facts = { factor: "first", demanded: [], noted: null, revision: flows.flow?.revision };
    const { stage, form } = await flows.show();
    expect(stage).toEqual({ kind: "enter_identifier", offers: [{ kind: "who", facts }] });
    expect(form.nodes[0]).toMatchObject({ element: { autocomplete: "username webauthn" } });
    expect(await flows.submit("who", key)).toMatchObject({
      ...{ kind: "completed", completed: { identity: { id: flows.identity?.id } } },
    });
    expect(asked).toEqual([[undefined, { kind: "password", lookupKey: "k" }]]);
  });

  test("is not offered there where it is switched off, nor is one that needs a name", async () => {
    const off = Object.assign(new SaysWho("who", "either"), { isEnabled: () => false });
    const { flows } = await loginByKey(byName, [off, new KnowsSecret("first", "first")]);
    const { stage, form } = await flows.show();
    expect(stage).toEqual({ kind: "enter_identifier", offers: [] });
    expect(form.nodes[0]).toMatchObject({ element: { autocomplete: "username" } });
    for (const name of ["who", "first"]) {
      await expect(flows.submit(name, key)).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
    }
  });

  test("is counted for the account that it finds, whatever is typed beside it", async () => {
    const { flows } = await loginByKey();
    await flows.submit("who", key, { identifier: "eve@example.com" });
    expect(flows.isCountedBy("account", email)).toBe(true);
    expect(flows.isCountedBy("account", "eve@example.com")).toBe(false);
    const chosen = await loginByKey(byName);
    await chosen.flows.submit("identify", {}, { identifier: "eve@example.com" });
    await chosen.flows.submit("who", key);
    expect(chosen.flows.isCountedBy("account", "eve@example.com")).toBe(true);
  });

  test("notes what the account has when it is wanted second", async () => {
    const { flows } = await loginByKey({}, [new KnowsSecret("first", "first"), method]);
    flows.credentials = [aCredential()];
    await flows.submit("first", { secret: key.secret }, typed);
    const facts = { factor: "second", demanded: [], noted: { has: 1 }, revision: flows.flow?.revision };
    expect((await flows.show()).stage).toEqual({
      ...{ kind: "choose_method", offers: [{ kind: "who", facts }], secondFactor: true },
    });
  });

  test("alone is offered where its property is demanded", async () => {
    const { flows } = await loginByKey({}, [new KnowsSecret("first", "first"), method]);
    const identityId = flows.identity?.id;
    const purpose = { kind: "refresh", session: "s", demanded: ["phishing_resistant"] };
    flows.put("login", { at: "choose_method" }, { identityId }, purpose);
    expect((await flows.show()).stage).toMatchObject({
      offers: [{ kind: "who", facts: { demanded: ["phishing_resistant"] } }],
    });
    for (const name of ["first", "sendCode", "sendLink"]) {
      await expect(flows.submit(name, key)).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
    }
    // What it shows counts, not what it can show.
    await expect(flows.submit("who", key)).rejects.toMatchObject({
      ...{ reason: "STEP_UP_IMPOSSIBLE", metadata: { demand: "methodProperty" } },
    });
    flows.put("login", { at: "choose_method" }, { identityId }, { ...purpose, demanded: ["user_verified"] });
    expect((await flows.show()).stage).toMatchObject({ offers: [] });
  });
});

/** Draws which part it plays. */
class Factor extends KnowsSecret {
  override loginNodes(_tenant?: Tenant, stage?: LoginStage) {
    const name = `${this.kind}.${stage?.factor}`;
    return [{ name, messages: [], element: { kind: "input", type: "text" } } as const] as never;
  }
}

const questions = new TwoQuestions();
const second = new Factor("second", "second");
const either = new Factor("either", "either");
const secret = "the stored secret";

async function loginWith(methods: readonly LoginMethod[], settings: Partial<TenantSettings> = {}) {
  const flows = await login(settings, methods);
  flows.credential = secret;
  flows.credentials = [aCredential()];
  return flows;
}

describe("a second factor", () => {
  const texts = ["Confirm it's you", "Your account is protected by a second factor."];

  test("is never offered first, and is asked for after the first proof", async () => {
    const flows = await loginWith([new Factor("first", "first"), second, either]);
    expect((await formOf(flows)).nodes.slice(0, 3)).toEqual([
      'identifier: text! = ""',
      "first.first: text",
      "either.first: text",
    ]);
    await expect(flows.submit("second", { secret }, typed)).rejects.toMatchObject({
      reason: "STEP_NOT_OFFERED",
    });
    await flows.submit("first", { secret }, typed);
    expect(await formOf(flows)).toEqual({
      stage: "choose_method",
      texts,
      messages: ["Confirm with your second factor to continue."],
      nodes: ["second.second: text", "either.second: text", "back: [Back] alone"],
    });
    expect((await flows.show()).stage).toEqual({
      kind: "choose_method",
      offers: [{ kind: "second" }, { kind: "either" }],
      secondFactor: true,
    });
    await expect(flows.submit("first", { secret })).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
    // Whatever is typed beside it, it is tried against the account of the first proof, and counted for that.
    flows.answers = {
      findForLogin: async () => ({ flow: flows.flow, candidate: flows.candidate }),
    };
    const other = { identifier: "eve@example.com" };
    expect(await flows.submit("second", { secret: "wrong" }, other)).toMatchObject({ kind: "rejected" });
    // The last thing that is counted is the message to the owner.
    flows.counted.pop();
    expect(flows.isCountedBy("account", email)).toBe(true);
    expect(flows.isCountedBy("account", "eve@example.com")).toBe(false);
    expect(await flows.submit("second", { secret })).toMatchObject({ kind: "completed" });
  });

  test("that nobody asked for is not accepted", async () => {
    const flows = await loginWith([new Factor("first", "first"), second, either]);
    const { id } = flows.identity ?? {};
    const firstFactor = {
      kind: "password",
      assuranceLevel: "aal1",
      purpose: "sign_in",
      completedAt: flows.clock.now().toISOString(),
      methods: ["either"],
    };
    flows.put("login", { at: "choose_second_factor", firstFactor } as never, { identityId: id }, signIn);
    await expect(flows.submit("second", { secret })).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
    expect(await flows.submit("either", { secret })).toMatchObject({ kind: "completed" });
  });

  test("that is switched off by now is not accepted", async () => {
    const off = Object.assign(new Factor("off", "second"), { isEnabled: () => false });
    const flows = await loginWith([new Factor("first", "first"), off]);
    const firstFactor = {
      kind: "password",
      assuranceLevel: "aal1",
      purpose: "sign_in",
      completedAt: "",
      methods: ["off"],
    };
    flows.put(
      "login",
      { at: "choose_second_factor", firstFactor } as never,
      { identityId: flows.identity?.id },
      signIn,
    );
    expect((await formOf(flows)).nodes).toEqual(["back: [Back] alone"]);
    await expect(flows.submit("off", { secret })).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
  });

  test("is given up by `back`, which forgets the first proof", async () => {
    const flows = await loginWith([new Factor("first", "first"), second], byName);
    await flows.submit("identify", {}, typed);
    await flows.submit("first", { secret });
    expect(flows.flow?.identityId).toBe(flows.identity?.id);
    await flows.submit("back");
    expect(flows.flow?.data.state).toEqual({ at: "enter_identifier", typed: email });
    expect(flows.flow?.identityId).toBeUndefined();
  });

  test("leaves a flow that is the account's with it", async () => {
    const flows = await loginWith([new Factor("first", "first"), second]);
    const identityId = flows.identity?.id;
    flows.put("login", { at: "choose_method" }, { identityId }, { kind: "refresh", session: "s" });
    await flows.submit("first", { secret });
    await flows.submit("back");
    expect(flows.flow?.data.state).toEqual({ at: "choose_method" });
    expect(flows.flow?.identityId).toBe(identityId);
  });
});

describe("a method of several steps", () => {
  test("goes on alone, with what it remembers", async () => {
    const flows = await loginWith([questions, new Factor("first", "first")], byName);
    await flows.submit("identify", {}, typed);
    await flows.submit("questions");
    const identifier = { typed: email, value: email };
    const method = { kind: "questions", memory: { asked: 1 } };
    expect(flows.flow?.data.state).toEqual({ at: "continue_method", method, identifier });
    expect(await formOf(flows)).toEqual({
      stage: "choose_method",
      texts: ["Sign in", "Welcome back.", `Signing in as ${email}.`],
      messages: [],
      nodes: [`identifier: hidden = "${email}"`, "questions.second: text", "back: [Back] alone"],
    });
    expect((await flows.show()).stage).toEqual({
      kind: "choose_method",
      offers: [{ kind: "questions" }],
      secondFactor: false,
    });
    await expect(flows.submit("first", { secret })).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
    const other = { identifier: "eve@example.com" };
    expect(await rejected(flows.submit("questions", { answer: secret }, other))).toMatchObject({
      reason: "FORM_INCOMPLETE",
    });
    expect(await flows.submit("questions", { answer: secret })).toMatchObject({ kind: "completed" });
  });

  test("leads back to the methods, with who was named", async () => {
    const flows = await loginWith([questions], byName);
    await flows.submit("identify", {}, typed);
    await flows.submit("questions");
    await flows.submit("back");
    const identifier = { typed: email, value: email };
    expect(flows.flow?.data.state).toEqual({ at: "choose_method", identifier });
    const unnamed = await loginWith([questions]);
    await unnamed.submit("questions", {}, typed);
    await unnamed.submit("back");
    expect(unnamed.flow?.data.state).toEqual({ at: "choose_method", typed: email });
  });

  test("as a second factor leads back to the second factors", async () => {
    const asked = Object.assign(new TwoQuestions(), { factor: "second" });
    const flows = await loginWith([new Factor("first", "first"), asked as never], byName);
    await flows.submit("identify", {}, typed);
    await flows.submit("first", { secret });
    const before = flows.flow?.data.state;
    expect(before).toMatchObject({ at: "choose_second_factor", typed: email });
    await flows.submit("questions");
    expect(await formOf(flows)).toMatchObject({
      texts: ["Confirm it's you", "Your account is protected by a second factor."],
      messages: ["Confirm with your second factor to continue."],
    });
    expect((await flows.show()).stage).toMatchObject({ secondFactor: true });
    await flows.submit("back");
    expect(flows.flow?.data.state).toEqual(before);
    expect(flows.flow?.identityId).toBe(flows.identity?.id);
    await flows.submit("questions");
    expect(await flows.submit("questions", { answer: secret })).toMatchObject({ kind: "completed" });
  });

  test("that redirects sends the browser away, and leaves all that was on offer to those who come back", async () => {
    const flows = await loginWith([new Elsewhere()]);
    const url = "https://elsewhere.example/?state=s1";
    const { at } = flows.flow?.data.state ?? {};
    expect(await flows.submit("elsewhere")).toMatchObject({ kind: "redirect", url });
    expect(flows.flow?.data.state).toMatchObject({
      at,
      away: { kind: "elsewhere", memory: { state: "s1" } },
    });
  });
});
