import { describe, expect, test } from "vitest";
import { appUrl, inShort, rejected, TestFlows } from "../../../../test/support/flows.ts";
import { SecretInTwoSteps } from "../../../../test/support/methods.ts";
import { noon, someSettings } from "../../../../test/support/records.ts";
import type { Identity } from "../../identity/identity.ts";
import { newId, type SessionId } from "../../ids.ts";
import { instantOf } from "../../instant.ts";
import type { JsonObject } from "../../json.ts";
import type { SettingsMethod } from "../../method/method.ts";
import type { Session } from "../../session/session.ts";
import type { TenantSettings } from "../../tenant/tenant.ts";
import type { SettingsState } from "./state.ts";

const email = "ada@example.com";
const added = "new@example.com";
const password = "correct horse battery";
const hourMs = 3_600_000;
const deletable: TenantSettings["settings"] = {
  lifetimeMs: hourMs,
  privilegedMs: hourMs,
  accountDeletion: { enabled: true, graceMs: hourMs },
};
const own = { kind: "settings" };
const firstFactor = {
  kind: "code",
  assuranceLevel: "aal1",
  purpose: "recovery",
  completedAt: noon.toISOString(),
  methods: [] as readonly string[],
};
const recovered = { kind: "recovery", recovery: firstFactor };
/** A session that is too old to change what signs in. */
const stale: Partial<Session> = { authenticatedAt: new Date(noon.getTime() - 10 * 365 * 24 * hourMs) };

/** Settings of Ada, whose name can be changed, and her address. */
async function settings(
  change: {
    readonly person?: Partial<Identity>;
    readonly tenant?: Partial<TenantSettings>;
    readonly methods?: readonly SettingsMethod[];
    readonly state?: SettingsState | { readonly at: string };
    readonly purpose?: object;
    readonly session?: Partial<Session>;
  } = {},
) {
  const flows = await TestFlows.make(change.tenant, change.methods && { settings: change.methods });
  const person = await flows.person({
    traits: { email, name: "Ada", pin: "1234" },
    schemaId: "person",
    ...change.person,
  });
  const { state = { at: "change_settings" }, purpose = own } = change;
  flows.put("settings", state, { identityId: person.id, returnTo: appUrl }, purpose);
  const caller = "recovery" in purpose ? flows.caller() : flows.signedIn(change.session);
  return {
    flows,
    caller,
    submit: (step: string, fields: object = {}, traits: JsonObject = {}, traitsEtag = "") =>
      flows.submit(step, fields, { traits, traitsEtag }, caller),
    form: async () => inShort(await flows.show(caller)),
    stage: async () => (await flows.show(caller)).stage,
    state: () => flows.flow?.data.state,
  };
}

const profileNodes = (values: Readonly<Record<string, string>> = { email, name: "Ada" }) => [
  ...[
    ["email", "email"],
    ["other", "email"],
    ["username", "text"],
    ["name", "text"],
    ["pin", "text"],
  ].map(([name = "", type]) => {
    const value = values[name];
    return `profile/traits.${name}: ${type}${value === undefined ? "" : ` = "${value}"`}`;
  }),
  "profile/profile: [Save]",
];
const addressSection = "addresses: Addresses";
const addressNodes = ["addresses/addresses.0: text"];
const passwordNodes = [
  `password/username: hidden = "${email}"`,
  "password/password.password: password!",
  "password/password: [Save]",
];
const factorNodes = [
  "totp/totp: [Set up an authenticator app] alone",
  "backup_code/backupCodes: [Create backup codes] alone",
];
const factorSections = ["totp: Authenticator app", "backup_code: Backup codes"];
const offers = [
  { kind: "profile" },
  { kind: "password" },
  { kind: "totp", facts: {} },
  { kind: "backup_code", facts: {} },
];

describe("settings", () => {
  test("show the account, without what is only written, and each method in its section", async () => {
    const { form, stage, flows, caller } = await settings();
    expect(await form()).toEqual({
      stage: "change_settings",
      texts: ["Your account", expect.any(String), expect.stringContaining("Ada")],
      sections: ["profile: Profile", addressSection, "password: Password", ...factorSections],
      messages: [],
      nodes: [...profileNodes(), ...addressNodes, ...passwordNodes, ...factorNodes],
    });
    expect(await stage()).toEqual({
      kind: "change_settings",
      offers,
      credentials: flows.credentials,
      requiredActions: [],
      addresses: [
        {
          ...{ kind: "email", value: email, path: "email", verifiedAt: flows.identity?.createdAt },
          ...{ verifiable: true, recovers: true, primary: true, pending: false },
        },
      ],
    });
    const pin = (await flows.show(caller)).form.nodes.find(({ name }) => name === "traits.pin");
    expect(pin).toMatchObject({ step: "profile", section: "profile" });
    await expect(flows.submit("resume", {}, {}, caller)).rejects.toMatchObject({
      reason: "STEP_NOT_OFFERED",
    });
  });

  test("call an account without a name by what it signs in with", async () => {
    const { form } = await settings({ person: { displayName: "" } });
    expect((await form()).texts[2]).toContain(email);
    const nameless = await settings({ person: { displayName: "", identifiers: [] } });
    expect((await nameless.flows.show(nameless.caller)).account?.displayName).toBe("");
  });

  test("offer no method that the tenant has switched off", async () => {
    const off = Object.assign(new SecretInTwoSteps(), { isEnabled: () => false });
    const { form, stage, submit } = await settings({ methods: [off] });
    expect((await form()).nodes).toEqual([...profileNodes(), ...addressNodes]);
    expect((await form()).sections).toEqual(["profile: Profile", addressSection]);
    expect(await stage()).toMatchObject({ offers: [{ kind: "profile" }] });
    await expect(submit("password")).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
    const none = Object.assign(new SecretInTwoSteps(), { settingsSteps: {} });
    expect(await (await settings({ methods: [none] })).stage()).toMatchObject({
      offers: [{ kind: "profile" }],
    });
  });
});

describe("the passkey that a login offers", () => {
  // Security rule (SR-PASSKEY-8): what the session does not show any more, the offer does not make up for.
  test.each([
    ["fresh", {}, {}, { kind: "rejected" }],
    ["old", stale, {}, { reason: "STEP_NOT_OFFERED" }],
    ["another", {}, { session: "another" }, { reason: "FLOW_NOT_FOUND" }],
  ])(
    "is made in the session that the login gave, while it is fresh: %s (SR-PASSKEY-8)",
    async (_name, session, other, expected) => {
      const id = newId<SessionId>(noon);
      const passkey = { ...someSettings().passkey, enabled: true, rpId: "example.com" };
      const { submit, form } = await settings({
        ...{ tenant: { passkey }, session: { ...session, id } },
        purpose: { kind: "create_passkey", session: id, ...other },
        state: {
          at: "create_passkey",
          method: { kind: "passkey", memory: { user: "dQ", conditional: true } },
        },
      });
      const response = {
        type: "public-key",
        id: "aQ",
        response: { clientDataJSON: "e30", attestationObject: "" },
      };
      const outcome = await submit("passkey", { response }).catch((error: unknown) => error);
      expect(outcome).toMatchObject(expected);
      if (Object.keys(other).length > 0) return;
      expect((await form()).nodes).toEqual(["passkey.response: passkey", "passkey: [Create a passkey]"]);
    },
  );
});

describe("a new password", () => {
  test("is stored at once in a fresh session", async () => {
    const { flows, submit } = await settings();
    expect(await submit("password", { password })).toMatchObject({ kind: "saved" });
    expect(flows.last("changeCredential")).toMatchObject({ credential: { kind: "password" } });
    expect(await rejected(submit("password", { password: "short" }))).toMatchObject({
      reason: "PASSWORD_REJECTED",
    });
  });

  // Security rule (SR-SETTINGS-1): what signs in changes only after a fresh login.
  test("waits for a fresh login in an older session, and is resumed (SR-SETTINGS-1)", async () => {
    const old = await settings({ session: stale });
    const outcome = await old.submit("password", { password });
    expect(outcome).toMatchObject({
      kind: "login_required",
      loginFlow: { flow: { kind: "login", returnTo: appUrl } },
    });
    expect(old.flows.last("create").flow).toMatchObject({
      identityId: old.flows.identity?.id,
      client: "native",
      data: { purpose: { kind: "refresh" } },
    });
    expect(old.flows.last("changeCredential")).toBeUndefined();
    expect(old.state()).toMatchObject({
      at: "change_settings",
      interrupted: { kind: "credential", keepOtherSessions: false },
    });
    expect(old.flows.flow?.identityId).toBe(old.flows.identity?.id);
    expect((await old.form()).nodes[0]).toBe("resume: [Continue] alone");
    expect(await old.submit("resume")).toMatchObject({ kind: "login_required" });
    const fresh = await old.flows.submit("resume", {}, {}, old.flows.signedIn());
    expect(fresh).toMatchObject({ kind: "saved" });
    expect(old.flows.last("changeCredential")).toMatchObject({ credential: { kind: "password" } });
  });
});

describe("traits", () => {
  test("are changed at once where nothing of them signs in", async () => {
    const { flows, submit } = await settings({ session: stale });
    expect(await submit("profile", {}, { name: "Augusta" })).toMatchObject({ kind: "saved" });
    expect(flows.last("changeProfile")).toMatchObject({
      identity: { traits: { email, name: "Augusta", pin: "1234" } },
    });
  });

  test("that break the schema are refused, and shown again", async () => {
    const { submit } = await settings();
    const outcome = await submit("profile", {}, { email: "ada", pin: "5" });
    expect(outcome).toMatchObject({ kind: "rejected", rejection: { reason: "TRAITS_INVALID" } });
    const nodes = outcome.kind === "rejected" ? inShort(outcome.flow).nodes : [];
    expect(nodes[0]).toContain('profile/traits.email: email = "ada" <- ');
    expect(nodes.slice(1, 5)).toEqual(profileNodes().slice(1, 5));
  });

  test("that were changed elsewhere since are not overwritten", async () => {
    const { flows, caller, submit } = await settings();
    const etag = (await flows.show(caller)).traitsEtag ?? "";
    flows.identity = flows.identity && { ...flows.identity, traits: { email, name: "Countess" } };
    const outcome = await submit("profile", {}, { name: "Augusta" }, etag);
    expect(outcome).toMatchObject({ kind: "rejected", rejection: { reason: "TRAITS_CHANGED" } });
    expect(outcome.kind === "rejected" && inShort(outcome.flow).nodes[3]).toContain(
      'profile/traits.name: text = "Countess" <- ',
    );
    expect(flows.last("changeProfile")).toBeUndefined();
    // Without an etag nobody can tell, and what others have not changed is no conflict.
    expect(await submit("profile", {}, { name: "Augusta" })).toMatchObject({ kind: "saved" });
    const newer = (await flows.show(caller)).traitsEtag ?? "";
    expect(await submit("profile", {}, { name: "Augusta" }, newer)).toMatchObject({ kind: "saved" });
  });

  test("with a new address wait for its code", async () => {
    const { flows, submit, state, caller } = await settings();
    expect(await submit("profile", {}, { email: added })).toMatchObject({ kind: "next_step" });
    expect(flows.sent()).toMatchObject({
      template: "verification_code",
      recipient: added,
      suppressed: false,
    });
    expect(state()).toMatchObject({ at: "enter_code", sentTo: added, change: { patch: { email: added } } });
    expect(flows.last("changeProfile")).toBeUndefined();
    expect(inShort(await flows.show(caller))).toMatchObject({ stage: "enter_code" });
    expect(await submit("code", flows.sent())).toMatchObject({ kind: "saved" });
    expect(flows.last("changeProfile")).toMatchObject({ identity: { traits: { email: added } } });
  });

  test("with a new address are sent another code, and can be given up without typing it again", async () => {
    const { flows, submit, state, stage, form } = await settings();
    await submit("profile", {}, { email: added });
    const before = state();
    flows.clock.advance(30_000);
    expect(await submit("resend")).toMatchObject({ kind: "next_step" });
    expect(flows.sent()).toMatchObject({ recipient: added, suppressed: false });
    const sentAt = flows.clock.now().toISOString();
    expect(state()).toEqual({ ...before, sentAt });
    await submit("back");
    // What was typed is there to be corrected, and the address is not the account's.
    expect(state()).toEqual({
      at: "change_settings",
      unproved: { patch: { email: added }, undo: { email } },
    });
    expect((await form()).nodes.slice(0, 4)).toEqual(profileNodes({ email: added, name: "Ada" }).slice(0, 4));
    expect(flows.last("changeProfile")).toBeUndefined();
    expect(flows.flow?.identityId).toBe(flows.identity?.id);
    const { addresses } = (await stage()) as { readonly addresses: readonly object[] };
    expect(addresses).toMatchObject([
      { value: email, pending: false },
      { value: added, pending: true, primary: false, verifiedAt: undefined },
    ]);
    expect((await form()).nodes).toContain(profileNodes({ email: added, name: "Ada" })[0]);
  });

  // Security rule (SR-SETTINGS-1): addresses change only after a fresh login.
  test("with a new address wait for a fresh login first (SR-SETTINGS-1)", async () => {
    const { flows, submit, state, form } = await settings({ session: stale });
    expect(await submit("profile", {}, { email: added, pin: "5" })).toMatchObject({ kind: "login_required" });
    expect(state()).toMatchObject({
      at: "change_settings",
      interrupted: { kind: "profile", change: { patch: { email: added, pin: "5" } } },
    });
    // What waits is filled in, without what is only written.
    expect((await form()).nodes).toEqual([
      "resume: [Continue] alone",
      ...profileNodes({ email: added, name: "Ada" }),
      ...addressNodes,
      "addresses/addresses.1: text",
      ...passwordNodes,
      ...factorNodes,
    ]);
    const { interrupted } = state() as unknown as { readonly interrupted: object };
    const fresh = flows.signedIn();
    await flows.submit("resume", {}, {}, fresh);
    expect(state()).toMatchObject({ at: "enter_code", interrupted });
    flows.clock.advance(30_000);
    await flows.submit("resend", {}, {}, fresh);
    await flows.submit("back", {}, {}, fresh);
    expect(state()).toMatchObject({
      at: "change_settings",
      interrupted,
      unproved: { patch: { email: added } },
    });
  });

  test("that waited put back nothing that was changed meanwhile", async () => {
    const { flows, submit, form } = await settings({ session: stale });
    await submit("profile", {}, { email: added, name: "Augusta" });
    flows.identity = flows.identity && {
      ...flows.identity,
      traits: { email, name: "Countess", pin: "1234" },
    };
    expect((await form()).nodes.slice(1, 5)).toEqual(
      profileNodes({ email: added, name: "Countess" }).slice(0, 4),
    );
    flows.answers = { takenIdentifiers: async () => [] };
    const fresh = flows.signedIn();
    await flows.submit("resume", {}, {}, fresh);
    expect(flows.flow?.data.state).toMatchObject({ change: { patch: { email: added } } });
    expect(flows.flow?.data.state).not.toHaveProperty("change.patch.name");
  });

  test("that were typed are shown in the place of those that wait", async () => {
    const { submit } = await settings({ session: stale });
    await submit("profile", {}, { email: added });
    const outcome = await submit("profile", {}, { email: "ada" });
    expect(outcome.kind === "rejected" && inShort(outcome.flow).nodes[1]).toContain('email = "ada" <- ');
  });
});

describe("the end of an account", () => {
  const tenant = { settings: deletable };
  const scheduled = { purgeAt: instantOf(new Date("2026-12-24T12:00:00Z")) };

  test("is on offer where the tenant allows it", async () => {
    const { form, stage, submit } = await settings({ tenant });
    expect(await form()).toMatchObject({
      sections: [
        "profile: Profile",
        addressSection,
        "password: Password",
        ...factorSections,
        expect.stringMatching(/^deletion: /),
      ],
      messages: [],
      nodes: [
        ...profileNodes(),
        ...addressNodes,
        ...passwordNodes,
        ...factorNodes,
        expect.stringMatching(/^deletion\/deleteAccount: /),
      ],
    });
    expect(await stage()).toMatchObject({
      kind: "change_settings",
      offers: [...offers, { kind: "deletion", purgeAt: undefined }],
    });
    await expect(submit("keepAccount")).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
    await expect((await settings()).submit("deleteAccount")).rejects.toMatchObject({
      reason: "STEP_NOT_OFFERED",
    });
  });

  test("is scheduled in a fresh session", async () => {
    const { flows, submit } = await settings({ tenant });
    expect(await submit("deleteAccount")).toMatchObject({ kind: "deletion_scheduled", returnTo: appUrl });
    expect(flows.last("scheduleDeletion")).toMatchObject({ identityId: flows.identity?.id });
  });

  // Security rule (SR-SETTINGS-1): a session that somebody found open or stole deletes no account.
  test("waits for a fresh login in an older session (SR-SETTINGS-1)", async () => {
    const { flows, submit, state } = await settings({ tenant, session: stale });
    expect(await submit("deleteAccount")).toMatchObject({ kind: "login_required" });
    expect(state()).toEqual({ at: "change_settings", interrupted: { kind: "deletion" } });
    expect(flows.last("scheduleDeletion")).toBeUndefined();
    const forbidden = {
      ...flows.tenant,
      settings: {
        ...flows.tenant.settings,
        settings: { ...deletable, accountDeletion: { enabled: false, graceMs: 0 } },
      },
    };
    await expect(
      flows.submit("resume", {}, {}, { ...flows.signedIn(), tenant: forbidden }),
    ).rejects.toMatchObject({
      reason: "STEP_NOT_OFFERED",
      metadata: { step: "deleteAccount" },
    });
    expect(await flows.submit("resume", {}, {}, flows.signedIn())).toMatchObject({
      kind: "deletion_scheduled",
    });
  });

  test("can be taken back by an older session, also where it is no longer on offer", async () => {
    const { form, stage, submit, flows } = await settings({ person: scheduled, session: stale });
    expect(await form()).toMatchObject({
      sections: ["profile: Profile", addressSection, "password: Password", ...factorSections],
      messages: [expect.stringContaining("2026")],
      nodes: [
        "keepAccount: [Keep my account] alone",
        ...profileNodes(),
        ...addressNodes,
        ...passwordNodes,
        ...factorNodes,
      ],
    });
    expect(await stage()).toMatchObject({
      offers: [...offers, { kind: "deletion", purgeAt: scheduled.purgeAt }],
    });
    await expect(submit("deleteAccount")).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
    expect(await submit("keepAccount")).toMatchObject({ kind: "saved" });
    expect(flows.last("cancelDeletion")).toMatchObject({ identityId: flows.identity?.id });
  });
});

describe("after a recovery", () => {
  const state = { at: "set_new_secret" };

  // Security rule (SR-FACTOR-3): what follows is a new secret, and nothing else before it.
  test("there is a new secret to set, and nothing else (SR-FACTOR-3)", async () => {
    const { form, stage, submit, flows } = await settings({
      state,
      purpose: recovered,
      tenant: { settings: deletable },
    });
    expect(await form()).toEqual({
      stage: "set_new_secret",
      texts: ["Choose a new password", expect.any(String)],
      messages: [expect.stringContaining("back in")],
      nodes: ["password.password: password!", "password: [Save]"],
    });
    expect(await stage()).toEqual({ kind: "set_new_secret", offers: [{ kind: "password" }] });
    for (const step of ["profile", "deleteAccount", "keepAccount", "resume"]) {
      await expect(submit(step)).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
    }
    expect(await submit("password", { password })).toMatchObject({
      kind: "completed",
      completed: { identity: { id: flows.identity?.id } },
    });
  });

  test("the way on is a login where there is no secret to set", async () => {
    const { password: usual } = someSettings();
    const tenant = { password: { ...usual, enabled: false } };
    const { form, submit } = await settings({ state, purpose: recovered, tenant });
    expect(await form()).toMatchObject({
      texts: ["Set up a new way to sign in"],
      messages: [expect.stringContaining("back in"), expect.stringContaining("Sign in with a code")],
      nodes: [expect.stringContaining("signIn")],
    });
    await expect(submit("password", { password })).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
  });

  test("only the steps that set a new secret are on offer", async () => {
    const two = new SecretInTwoSteps();
    const none = Object.assign(new SecretInTwoSteps(), {
      kind: "other",
      settingsSteps: { forget: two.settingsSteps.forget },
    });
    const { stage, submit } = await settings({ state, purpose: recovered, methods: [two, none as never] });
    expect(await stage()).toMatchObject({ offers: [{ kind: "password" }] });
    await expect(submit("forget")).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
    const usual = await settings({ methods: [two, none as never] });
    expect(await usual.stage()).toMatchObject({
      offers: [{ kind: "profile" }, { kind: "password" }, { kind: "other" }],
    });
    expect(await rejected(usual.submit("forget"))).toMatchObject({ reason: "CREDENTIALS_INVALID" });
  });

  test("a second factor is shown first, where the account has one", async () => {
    const wanted = { kind: "recovery", recovery: { ...firstFactor, methods: ["totp"] } };
    const { flows, submit, state: now } = await settings({ state, purpose: wanted });
    expect(await submit("password", { password })).toMatchObject({ kind: "login_required" });
    expect(flows.last("create").flow).toMatchObject({
      identityId: flows.identity?.id,
      returnTo: appUrl,
      data: {
        purpose: { kind: "sign_in" },
        state: { at: "choose_second_factor", firstFactor: wanted.recovery },
      },
    });
    expect(now()).toMatchObject({ at: "set_new_secret", interrupted: { kind: "credential" } });
    const shown = flows.signedIn({ assuranceLevel: "aal2" });
    const nodes = inShort(await flows.show(shown)).nodes;
    expect(nodes.at(-1)).toBe("resume: [Continue] alone");
    expect(await flows.submit("resume", {}, {}, shown)).toMatchObject({ kind: "completed" });
  });
});

describe("a method of several steps", () => {
  const method = { kind: "password", memory: { secret: "s" } };

  test.each([
    ["change_settings", "continue_method", own, "Your account"],
    ["set_new_secret", "continue_new_secret", recovered, "Choose a new password"],
  ])("at %s goes on alone, and leads back", async (at, next, purpose, title) => {
    const { flows, caller, submit, state, form, stage } = await settings({
      methods: [new SecretInTwoSteps()],
      state: { at },
      purpose,
    });
    const where = at === "change_settings" ? "password/" : "";
    expect((await form()).nodes).toContain(`${where}password.first: text`);
    await submit("password", { secret: "s" });
    expect(state()).toEqual({ at: next, method });
    expect(await form()).toEqual({
      stage: at,
      texts: expect.arrayContaining([title]),
      messages: [],
      nodes: ["password.second.s: text", "back: [Back] alone"],
    });
    expect((await form()).texts).toHaveLength(2);
    expect(await stage()).toMatchObject({ kind: at, offers: [{ kind: "password" }] });
    for (const step of ["profile", "resume"]) {
      await expect(submit(step)).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
    }
    await submit("back");
    expect(state()).toEqual({ at });
    expect(flows.flow?.identityId).toBe(flows.identity?.id);
    await submit("password", { secret: "s" });
    const outcome = await flows.submit("password", {}, {}, caller);
    expect(outcome.kind).toBe(at === "change_settings" ? "saved" : "completed");
    expect(flows.last("changeCredential")).toMatchObject({ credential: { secret: "s" } });
  });

  test("keeps what waits for a login meanwhile", async () => {
    const interrupted = { kind: "deletion" };
    const state = { at: "continue_method", method, interrupted };
    const { submit, state: now } = await settings({ methods: [new SecretInTwoSteps()], state });
    await submit("back");
    expect(now()).toEqual({ at: "change_settings", interrupted });
  });

  test("does not go on with another method", async () => {
    const other = Object.assign(new SecretInTwoSteps(), {
      kind: "other",
      settingsSteps: { other: new SecretInTwoSteps().settingsSteps.password },
    });
    const { submit, form, stage } = await settings({
      methods: [new SecretInTwoSteps(), other as never],
      state: { at: "continue_method", method } as never,
    });
    expect((await form()).nodes).toEqual(["password.second.s: text", "back: [Back] alone"]);
    expect(await stage()).toMatchObject({ offers: [{ kind: "password" }] });
    await expect(submit("other")).rejects.toMatchObject({ reason: "STEP_NOT_OFFERED" });
  });
});
