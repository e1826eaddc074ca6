import { describe, expect, test, vi } from "vitest";
import { inShort, rejected, TestFlows } from "../../../../test/support/flows.ts";
import { SecretInTwoSteps } from "../../../../test/support/methods.ts";
import { aCredential, noon } from "../../../../test/support/records.ts";
import type { JsonObject } from "../../json.ts";
import type { RegistrationMethod } from "../../method/method.ts";
import type { TenantSettings } from "../../tenant/tenant.ts";

const email = "ada@example.com";
const traits = { email };
const password = "correct horse battery";
const registrationSettings = (change: Partial<TenantSettings["registration"]>) => ({
  registration: { ...registrationUsual, ...change },
});
const registrationUsual: TenantSettings["registration"] = {
  lifetimeMs: 3_600_000,
  mode: "open",
  addressProof: "none",
  style: "one_step",
  invitationLifetimeMs: 3_600_000,
};
const traitsFirst = registrationSettings({ style: "profile_first" });
const proven = registrationSettings({ addressProof: "before_session" });

/** A registration, from its first form on. */
async function registration(
  settings: Partial<TenantSettings> = {},
  methods?: readonly RegistrationMethod[],
  purpose: object = {},
) {
  const flows = await TestFlows.make(settings, methods && { registration: methods });
  const at = flows.tenant.settings.registration.style === "profile_first" ? "fill_profile" : "fill_form";
  flows.put("registration", { at }, {}, { schemaId: "person", ...purpose });
  return flows;
}

async function formOf(flows: TestFlows) {
  return inShort(await flows.show());
}

const traitNodes = (values: Readonly<Record<string, string>> = { name: "Nobody" }) =>
  [
    ["email", "email"],
    ["other", "email"],
    ["username", "text"],
    ["name", "text"],
    ["pin", "text"],
  ].map(([name = "", type]) => {
    const value = values[name];
    return `traits.${name}: ${type}${value === undefined ? "" : ` = "${value}"`}`;
  });
const methodNodes = [
  "password.password: password!",
  "password: [Create account]",
  "sendCode: [Send verification code]",
  "sendLink: [Send verification link]",
];

describe("where a registration begins", () => {
  test.each(["one_step", "profile_first"] as const)("is decided by the tenant: %s", async (style) => {
    const flows = await TestFlows.make(registrationSettings({ style }));
    const nothing = { returnTo: "", schemaId: "", linkToken: "", invitationToken: "" };
    const { flow } = await flows.flows.registration.create(flows.caller(), { client: "native", ...nothing });
    expect(flow.stage?.kind).toBe(style === "one_step" ? "choose_method" : "fill_profile");
    expect(flows.flow?.data.state).toEqual({ at: style === "one_step" ? "fill_form" : "fill_profile" });
  });

  test("takes the traits along from an expired one", async () => {
    const flows = await registration(traitsFirst);
    await flows.submit("profile", {}, { traits });
    flows.clock.advance(3_600_001);
    const { flow } = flows;
    if (flow === undefined) throw new Error("there is no flow");
    const shown = await flows.flows.registration.show(flows.caller(), flows.id, {
      flow,
      identity: undefined,
      credentials: [],
    });
    expect(shown.kind).toBe("replaced");
    expect(flows.last("createOnce").flow.data.state).toEqual({ at: "fill_profile", traits });
  });
});

describe("a registration in one form", () => {
  test("asks for the traits and offers all methods", async () => {
    const flows = await registration();
    expect(await formOf(flows)).toEqual({
      stage: "choose_method",
      texts: ["Create an account", "Fill in your details and choose how to sign in."],
      messages: [],
      nodes: [...traitNodes(), ...methodNodes],
    });
    const offers = [{ kind: "password" }, { kind: "code" }, { kind: "link" }];
    expect((await flows.show()).stage).toMatchObject({ offers });
    await expect(flows.submit("back")).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
  });

  test("makes the account with a password", async () => {
    const flows = await registration();
    expect(await flows.submit("password", { password }, { traits })).toMatchObject({
      kind: "completed",
      completed: { identity: { traits } },
    });
    expect(flows.last("completeRegistration")).toMatchObject({ credential: { kind: "password" } });
  });

  test("shows again what was filled in, without a default that was taken out and without what is write-only", async () => {
    const flows = await registration();
    const outcome = await flows.submit(
      "password",
      { password: "short" },
      { traits: { email, pin: "1234", name: null } },
    );
    expect(outcome).toMatchObject({ kind: "rejected", rejection: { reason: "PASSWORD_REJECTED" } });
    const shown = outcome.kind === "rejected" ? inShort(outcome.flow).nodes : [];
    expect(shown.slice(0, 5)).toEqual(traitNodes({ email }));
  });

  // Security rule (SR-TRAIT-8): a form with mistakes costs no hash and no look-up.
  test("says of traits and password at once what is wrong with them, and hashes nothing", async () => {
    const flows = await registration();
    const hash = vi.spyOn(flows.hasher, "hash");
    const wrong = async (given: JsonObject, typed: JsonObject) => {
      const outcome = await flows.submit("password", given, { traits: typed });
      if (outcome.kind !== "rejected") throw new Error(`it was ${outcome.kind}`);
      const { nodes } = outcome.flow.form;
      const ids = nodes.flatMap(({ name, messages }) => messages.map(({ id }) => `${name} ${id}`));
      return [outcome.rejection.reason, ...ids];
    };
    expect(await wrong({ password: "short" }, { email: "nothing" })).toEqual([
      "TRAITS_INVALID",
      "traits.email 4000040",
      "password.password 4000032",
    ]);
    expect(await wrong({}, { email: "nothing" })).toEqual([
      "TRAITS_INVALID",
      "traits.email 4000040",
      "password.password 4000002",
    ]);
    expect(await wrong({ password: "nothing nobody" }, { email: "nothing", name: "nobody" })).toEqual([
      "TRAITS_INVALID",
      "traits.email 4000040",
      "password.password 4000031",
    ]);
    expect(await wrong({ password }, { email: "nothing" })).toEqual([
      "TRAITS_INVALID",
      "traits.email 4000040",
    ]);
    expect(hash).not.toHaveBeenCalled();
    await flows.submit("password", { password }, { traits });
    expect(hash).toHaveBeenCalledOnce();
  });

  test("does not ask again for what is only written and was given", async () => {
    const flows = await TestFlows.make({}, {}, ["pin"]);
    const state = { at: "fill_form", traits: { email, pin: "1" } };
    flows.put("registration", state, {}, { schemaId: "person" });
    expect((await formOf(flows)).nodes.slice(0, 5)).toEqual(traitNodes({ email }));
    flows.put("registration", { at: "fill_form" }, {}, { schemaId: "person" });
    expect((await formOf(flows)).nodes[4]).toBe("traits.pin: text!");
  });

  test("fills in what an invitation knows, and takes a patch of it", async () => {
    const invitation = { id: "i", traits: { name: "Ada" }, publicMetadata: {}, adminMetadata: {} };
    const flows = await registration({}, undefined, { invitation });
    expect((await formOf(flows)).nodes.slice(0, 5)).toEqual(traitNodes({ name: "Ada" }));
    const outcome = await flows.submit("password", { password: "short" }, { traits });
    expect(outcome.kind === "rejected" && inShort(outcome.flow).nodes.slice(0, 5)).toEqual(
      traitNodes({ email, name: "Ada" }),
    );
  });

  test("offers only the methods that the tenant has switched on", async () => {
    const off = Object.assign(new SecretInTwoSteps(), { isEnabled: () => false });
    const flows = await registration(
      { code: { ...(await registration()).tenant.settings.code, enabledFor: new Set() } },
      [off],
    );
    expect((await flows.show()).stage).toMatchObject({ offers: [{ kind: "link" }] });
    for (const step of ["password", "sendCode"]) {
      await expect(flows.submit(step, {}, { traits })).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
    }
  });
});

describe("a registration that asks for the traits first", () => {
  test("asks for nothing else, and then for the method", async () => {
    const flows = await registration(traitsFirst);
    expect(await formOf(flows)).toEqual({
      stage: "fill_profile",
      texts: ["Create an account", "Tell us about yourself. Next, choose how to sign in."],
      messages: [],
      nodes: [...traitNodes(), "profile: [Continue]"],
    });
    await expect(flows.submit("password", { password }, { traits })).rejects.toMatchObject({
      reason: "STEP_NOT_OFFERED",
    });
    const outcome = await flows.submit("profile", {}, { traits: { email: "ada" } });
    expect(outcome).toMatchObject({ kind: "rejected", rejection: { reason: "TRAITS_INVALID" } });
    expect(outcome.kind === "rejected" && inShort(outcome.flow).nodes[0]).toContain('= "ada" <- ');
    await flows.submit("profile", {}, { traits });
    expect(flows.flow?.data.state).toEqual({ at: "choose_method", traits });
    expect(await formOf(flows)).toEqual({
      stage: "choose_method",
      texts: ["Create an account", "Choose how to sign in."],
      messages: [],
      nodes: [`username: hidden = "${email}"`, ...methodNodes, "back: [Back] alone"],
    });
    const offers = [{ kind: "password" }, { kind: "code" }, { kind: "link" }];
    expect((await flows.show()).stage).toMatchObject({ offers });
  });

  // Security rule (SR-FLOW-8): what was checked is what is stored.
  test("takes the traits again only if they are the same (SR-FLOW-8)", async () => {
    const flows = await registration(traitsFirst);
    await flows.submit("profile", {}, { traits });
    const others = { traits: { email: "eve@example.com" } };
    expect(await rejected(flows.submit("password", { password }, others))).toMatchObject({
      reason: "TRAITS_INVALID",
    });
    expect(await flows.submit("password", { password }, { traits })).toMatchObject({ kind: "completed" });
  });

  test("goes back to the traits, as they were filled in", async () => {
    const flows = await registration(traitsFirst);
    await flows.submit("profile", {}, { traits });
    await flows.submit("back");
    expect(flows.flow?.data.state).toEqual({ at: "fill_profile", traits });
    expect((await formOf(flows)).nodes.slice(0, 5)).toEqual(traitNodes({ email }));
  });

  test("keeps the traits of a rejected step", async () => {
    const flows = await registration(traitsFirst);
    await flows.submit("profile", {}, { traits });
    flows.put(
      "registration",
      flows.flow?.data.state ?? { at: "" },
      { client: "browser" },
      { schemaId: "person" },
    );
    expect(await rejectedAndKept(flows, "password", { password: "short" }, { traits })).toEqual({ traits });
  });
});

/** What a browser's flow keeps of the values of a step that was not accepted. */
async function rejectedAndKept(flows: TestFlows, step: string, fields: object, sent: object) {
  const { caller, csrfToken } = flows.inBrowser();
  const outcome = await flows.submit(step, fields, { ...sent, csrfToken }, caller);
  expect(outcome.kind).toBe("rejected");
  return flows.kept()?.typed;
}

describe("a proof of the address", () => {
  const state = { from: "fill_form", traits } as const;

  test("comes before the account, with the code that was sent there", async () => {
    const flows = await registration(proven);
    await flows.submit("password", { password }, { traits });
    expect(flows.sent()).toMatchObject({
      template: "registration_code",
      recipient: email,
      suppressed: false,
    });
    expect(flows.flow?.data.state).toMatchObject({ at: "enter_code", ...state });
    expect(await flows.submit("code", flows.sent())).toMatchObject({ kind: "completed" });
    expect(flows.last("completeRegistration")).toMatchObject({
      credential: { kind: "password" },
      identity: { verifiableAddresses: [{ value: email, verifiedAt: flows.clock.now() }] },
    });
  });

  test.each([
    ["sendCode", "enter_code", "registration_code"],
    ["sendLink", "link_sent", "registration_link"],
  ])("makes an account without a password by %s", async (step, at, template) => {
    const flows = await registration();
    await flows.submit(step, {}, { traits });
    expect(flows.flow?.data.state).toMatchObject({ at, ...state });
    expect(flows.sent()).toMatchObject({ template, recipient: email });
    if (step === "sendLink") await flows.openLink();
    const use = step === "sendLink" ? "confirmLink" : "code";
    expect(await flows.submit(use, flows.sent())).toMatchObject({ kind: "completed" });
    expect(flows.last("completeRegistration")).toMatchObject({ credential: undefined });
  });

  // Security rule (SR-FLOW-8): traits that come with the code are not another chance.
  test.each(["code", "resend", "back"])(
    "takes no other traits with the step %s (SR-FLOW-8)",
    async (step) => {
      const flows = await registration();
      await flows.submit("sendCode", {}, { traits });
      flows.clock.advance(30_000);
      const others = { traits: { email: "eve@example.com" } };
      const before = flows.flow;
      expect(await rejected(flows.submit(step, { code: flows.sent().code }, others))).toMatchObject({
        reason: "TRAITS_INVALID",
      });
      expect(flows.flow).toEqual(before);
      expect((await flows.submit(step, { code: flows.sent().code }, { traits })).kind).not.toBe("rejected");
    },
  );

  test("keeps no trait of a step that is refused for them", async () => {
    const flows = await registration();
    await flows.submit("sendCode", {}, { traits });
    flows.put(
      "registration",
      flows.flow?.data.state ?? { at: "" },
      { client: "browser" },
      { schemaId: "person" },
    );
    const others = { traits: { email: "eve@example.com" } };
    expect(await rejectedAndKept(flows, "code", { code: "123456" }, others)).toEqual({});
  });

  test("goes back to where it was asked for, with the traits", async () => {
    const flows = await registration();
    await flows.submit("sendCode", {}, { traits });
    expect(flows.flow?.identityId).toBeUndefined();
    await flows.submit("back");
    expect(flows.flow?.data.state).toEqual({ at: "fill_form", traits });
    const later = await registration(traitsFirst);
    await later.submit("profile", {}, { traits });
    await later.submit("sendCode");
    await later.submit("back");
    expect(later.flow?.data.state).toEqual({ at: "choose_method", traits });
  });

  // What is typed in the flow decides whose address it is.
  test("is nobody's after going back, also where the flow was somebody's", async () => {
    const flows = await registration();
    const sentAt = flows.clock.now().toISOString();
    const awaiting = { at: "enter_code", sentTo: email, sentAt, ...state };
    flows.put("registration", awaiting, { identityId: "somebody" as never }, { schemaId: "person" });
    await flows.submit("back");
    expect(flows.flow?.identityId).toBeUndefined();
  });

  test("is sent again where it went before", async () => {
    const flows = await registration();
    await flows.submit("sendCode", {}, { traits });
    flows.clock.advance(30_000);
    expect(await flows.submit("resend")).toMatchObject({ kind: "next_step" });
    expect(flows.sent()).toMatchObject({ recipient: email, suppressed: false });
    expect(flows.flow?.data.state).toMatchObject(state);
  });
});

describe("a registration that waits for something to be done before the session", () => {
  const policy = { policy: "required", graceMs: 0 } as const;
  const verification = { lifetimeMs: 3_600_000, enabled: true, afterRegistration: true };

  // One of many addresses of a mailbox.
  const tagged = "ada+shop@example.com";

  // Security rule (SR-ENUM-9): as where nothing comes before the session.
  test.each([false, true])(
    "sends the code of its address then, but to no mailbox that has enough (SR-ENUM-9): %s",
    async (isFull) => {
      const flows = await registration({ secondFactor: policy, verification });
      flows.counts = ({ attempts }) => ({
        own: undefined,
        watched: [],
        refused: attempts.flatMap((each, place) =>
          isFull && "limit" in each && each.limit === "registration_mailbox" ? [{ place, waitUs: 1 }] : [],
        ),
      });
      expect(await flows.submit("password", { password }, { traits: { email: tagged } })).toMatchObject({
        kind: "session_waits",
      });
      const { identity } = flows.last("completeRegistration");
      const { proved } = flows.last("create").flow.data.state;
      flows.identity = { ...identity, requiredActions: [] };
      flows.credentials = [aCredential({ kind: "totp", isSecondFactor: true })];
      const identityId = identity.id;
      const shown = { kind: "totp", assuranceLevel: "aal2", purpose: "sign_in", completedAt: noon };
      const all = { ...(proved as { readonly proofs: readonly object[] }) };
      // What nobody asks for any more, to come to the session.
      const action = { id: "an-action", kind: "accept_terms", timing: "before_session", createdAt: noon };
      flows.put(
        "login",
        { at: "required_action", proved: { ...all, proofs: [...all.proofs, shown] }, action } as never,
        { identityId },
        { kind: "sign_in" },
      );
      const { completed } = (await flows.submit("acceptTerms", { actionId: "an-action" })) as never;
      expect(completed).toMatchObject({ verification: { stage: { kind: "enter_code" } } });
      expect(flows.sent()).toMatchObject({
        template: "verification_code",
        recipient: tagged,
        suppressed: isFull,
      });
    },
  );
});

describe("a method of several steps", () => {
  const method = { kind: "password", memory: { secret: "s" } };

  test("goes on alone, with what it remembers", async () => {
    const flows = await registration({}, [new SecretInTwoSteps()]);
    expect((await formOf(flows)).nodes).toContain("password.first: text");
    await flows.submit("password", { secret: "s" }, { traits });
    expect(flows.flow?.data.state).toEqual({ at: "continue_method", from: "fill_form", traits, method });
    expect(await formOf(flows)).toEqual({
      stage: "choose_method",
      texts: ["Create an account", "Choose how to sign in."],
      messages: [],
      nodes: ["password.second.s: text", "back: [Back] alone"],
    });
    expect((await flows.show()).stage).toMatchObject({ offers: [{ kind: "password" }] });
    await expect(flows.submit("sendCode")).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
    expect(await flows.submit("password")).toMatchObject({ kind: "completed" });
    expect(flows.last("completeRegistration")).toMatchObject({ credential: { secret: "s" } });
  });

  test("leads back to where it was chosen", async () => {
    const flows = await registration({}, [new SecretInTwoSteps()]);
    await flows.submit("password", { secret: "s" }, { traits });
    await flows.submit("back");
    expect(flows.flow?.data.state).toEqual({ at: "fill_form", traits });
  });

  test("may send the browser elsewhere", async () => {
    const flows = await registration({}, [new SecretInTwoSteps("https://elsewhere.example/")]);
    expect(await flows.submit("password", { secret: "s" }, { traits })).toMatchObject({
      kind: "redirect",
      url: "https://elsewhere.example/",
    });
  });

  test("does not go on with another method", async () => {
    const other = Object.assign(new SecretInTwoSteps(), { kind: "other" });
    const flows = await registration({}, [new SecretInTwoSteps(), other as never]);
    const state = { at: "continue_method", from: "fill_form", traits, method };
    flows.put("registration", state, {}, { schemaId: "person" });
    expect((await formOf(flows)).nodes).toEqual(["password.second.s: text", "back: [Back] alone"]);
    await expect(flows.submit("other")).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
  });

  test("is taken by the name of its step, as the contract spells it", async () => {
    const other = Object.assign(new SecretInTwoSteps(), { kind: "two_words" });
    const flows = await registration({}, [other as never]);
    expect(await flows.submit("twoWords", { secret: "s" }, { traits })).toMatchObject({ kind: "next_step" });
    expect(await flows.submit("twoWords")).toMatchObject({ kind: "completed" });
  });

  test("keeps the traits of a rejected step", async () => {
    const flows = await registration({}, [new SecretInTwoSteps()]);
    const state = { at: "continue_method", from: "fill_form", traits, method };
    flows.put("registration", state, { client: "browser" }, { schemaId: "person" });
    const others = { email: "eve@example.com" };
    expect(await rejectedAndKept(flows, "password", {}, { traits: others })).toEqual({ traits: others });
  });
});
