import { randomBytes } from "node:crypto";
import { toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import {
  LoginPurpose,
  LoginService,
  type SubmitLoginFlowResponse,
  SubmitLoginFlowResponseSchema,
} from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { AssuranceLevel, MethodProperty } from "../../gen/ostiary/option/v1/demand_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import type { JsonObject, JsonValue } from "../../src/domain/json.ts";
import { freshEmail, goodPassword, logIn, register } from "../support/accounts.ts";
import type { TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { Settings, setUpTotp } from "../support/factors.ts";
import { attemptsWritten } from "../support/failed-attempts.ts";
import {
  addPasskey,
  beginLogin,
  credentialsOf,
  optionsOf,
  registerPasskey,
  showPasskey,
  signedInBy,
  signInWith,
  startPasskeyApp,
} from "../support/passkeys.ts";
import { administer } from "../support/postgres.ts";
import { type AuthenticatorOptions, SoftwareAuthenticator } from "../support/software-authenticator.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startPasskeyApp();
});
afterAll(() => app.stop());

const sixteen = Array.from({ length: 16 }, (_, index) => index);
const rejectedAs = (reason: RejectionReason) => ({ outcome: { case: "rejected", value: { reason } } });
const refused = rejectedAs(RejectionReason.PASSKEY_INVALID);

/** An account with a password and a passkey, and its settings. */
async function withPasskey(options: AuthenticatorOptions = {}) {
  const account = await register(app);
  const settings = new Settings(app, account.sessionToken);
  const device = new SoftwareAuthenticator(options);
  const { id } = await addPasskey(settings, device);
  return { ...account, settings, device, credentialId: id };
}

/** The challenge of a settings flow that asks for a new passkey. */
async function askFor(settings: Settings) {
  await settings.begin();
  return optionsOf((await settings.submit("passkey")).flow);
}

/** The events of an identity, or of nobody, newest last. */
function eventsOf(identityId: string | undefined, type: string) {
  return administer(app.databaseUrl, (query) =>
    query<{ data: JsonObject }>(
      "SELECT data FROM ostiary.event WHERE identity_id IS NOT DISTINCT FROM $1 AND type = $2 ORDER BY position",
      [identityId, type],
    ),
  );
}

// Security rule (SR-PASSKEY-1): a challenge is bound to its flow, to where the flow stands, and to what is asked.
describe("the challenge of a passkey (SR-PASSKEY-1)", () => {
  test("is good in its own flow alone, and for what it was made", async () => {
    const { device, settings } = await withPasskey();
    const [own, other] = [await beginLogin(app), await beginLogin(app)];
    expect(optionsOf(own).challenge).not.toBe(optionsOf(other).challenge);
    expect(await showPasskey(app, own.id, device.get(optionsOf(other)))).toMatchObject(refused);
    // That of a new passkey shows none.
    const creation = await askFor(settings);
    expect(await showPasskey(app, own.id, device.get(creation))).toMatchObject(refused);
    // Nor is that of a login good to make one.
    const response = new SoftwareAuthenticator().create({
      ...creation,
      challenge: optionsOf(own).challenge ?? "",
    });
    expect(await settings.submit("passkey", { response })).toMatchObject(refused);
    signedInBy(await showPasskey(app, own.id, device.get(optionsOf(own))));
  });

  test("is worth nothing once the flow has taken a step", async () => {
    const { device, email } = await withPasskey();
    const flow = await beginLogin(app);
    const former = device.get(optionsOf(flow));
    const client = app.client(LoginService);
    await client.submitLoginFlow({
      flowId: flow.id,
      identifier: email,
      step: { case: "sendCode", value: {} },
    });
    const back = await client.submitLoginFlow({ flowId: flow.id, step: { case: "back", value: {} } });
    expect(optionsOf(back.flow).challenge).not.toBe(optionsOf(flow).challenge);
    expect(await showPasskey(app, flow.id, former)).toMatchObject(refused);
    signedInBy(await showPasskey(app, flow.id, device.get(optionsOf(back.flow))));
  });

  test("stays while nothing was accepted, so that the same form may be sent again", async () => {
    const { device } = await withPasskey();
    const flow = await beginLogin(app);
    const answer = device.get(optionsOf(flow));
    const stranger = new SoftwareAuthenticator();
    stranger.create({ ...optionsOf(flow), rp: { id: "id.example.com" }, user: { id: "dXNlcg" } });
    const rejected = await showPasskey(app, flow.id, stranger.get(optionsOf(flow)));
    expect(rejected).toMatchObject(refused);
    expect(optionsOf(rejected.flow).challenge).toBe(optionsOf(flow).challenge);
    signedInBy(await showPasskey(app, flow.id, answer));
  });

  test("is used once: a login of 16 at the same moment, and a passkey of 16 that are made of it", async () => {
    const { device, settings } = await withPasskey();
    const flow = await beginLogin(app);
    const answer = device.get(optionsOf(flow));
    const logins = await Promise.allSettled(sixteen.map(() => showPasskey(app, flow.id, answer)));
    expect(logins.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const each of logins) {
      if (each.status === "fulfilled") continue;
      expect((await refusal(Promise.reject(each.reason))).reason).toBe("FLOW_COMPLETED");
    }
    const creation = await askFor(settings);
    const made = sixteen.map(() => new SoftwareAuthenticator().create(creation));
    const added = await Promise.allSettled(made.map((response) => settings.submit("passkey", { response })));
    const saved = added.filter((each) => each.status === "fulfilled" && each.value.outcome.case === "saved");
    expect(saved).toHaveLength(1);
    // Nor later: by now the flow asks for nothing.
    expect(await settings.submit("passkey", { response: made.at(-1) })).toMatchObject(refused);
    await settings.submit("passkey");
    expect(await settings.submit("passkey", { response: made.at(-1) })).toMatchObject(refused);
    expect(credentialsOf(await settings.begin())).toHaveLength(3);
  });
});

// Security rule (SR-PASSKEY-2): an answer is of a page that is listed, and for the domain that passkeys are made for.
describe("what a passkey is shown to (SR-PASSKEY-2)", () => {
  test.each<[string, AuthenticatorOptions]>([
    ["another origin", { origin: "https://id.example.com.evil.example" }],
    ["a page below the domain that is not listed", { origin: "https://app.id.example.com" }],
    ["another port", { origin: "https://id.example.com:8443" }],
    ["no TLS", { origin: "http://id.example.com" }],
    ["another domain", { rpId: "example.com" }],
    [
      "a page that is embedded elsewhere",
      { clientData: { crossOrigin: true, topOrigin: "https://evil.example" } },
    ],
    ["nobody, because its user is not there", { userPresent: false }],
  ])("is refused for %s, when it signs in and when it is made", async (_name, options) => {
    const { device, settings } = await withPasskey();
    const flow = await beginLogin(app);
    device.with(options);
    expect(await showPasskey(app, flow.id, device.get(optionsOf(flow)))).toMatchObject(refused);
    const response = new SoftwareAuthenticator(options).create(await askFor(settings));
    expect(await settings.submit("passkey", { response })).toMatchObject(refused);
  });

  test("is refused with an algorithm that was not asked for", async () => {
    const settings = new Settings(app, (await register(app)).sessionToken);
    const creation = await askFor(settings);
    // ES384
    const response = new SoftwareAuthenticator({ claimedAlgorithm: -35 }).create(creation);
    expect(await settings.submit("passkey", { response })).toMatchObject(refused);
  });
});

describe("pages of other domains", () => {
  const related = ["https://example.net", "https://app.example.org:8443"];

  test("may call for passkeys where they are listed, exactly, and browsers can read the list (SR-PASSKEY-2)", async () => {
    const other = await startPasskeyApp({ passkey: { related_origins: related } });
    try {
      const answer = await fetch(`${other.localUrl}/.well-known/webauthn`);
      expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/json"]);
      expect(await answer.json()).toEqual({ origins: related });
      const admin = await fetch(`${other.adminUrl}/.well-known/webauthn`);
      expect(admin.status).toBe(404);
      const [origin] = related;
      const { device } = await registerPasskey(other, { device: new SoftwareAuthenticator({ origin }) });
      signedInBy(await signInWith(other, device));
      device.with({ origin: "https://app.example.org" });
      expect(await signInWith(other, device)).toMatchObject(refused);
    } finally {
      await other.stop();
    }
  });

  test("read nothing where none is listed, or passkeys are off", async () => {
    expect((await fetch(`${app.localUrl}/.well-known/webauthn`)).status).toBe(404);
    const off = await startPasskeyApp({ passkey: { enabled: false, related_origins: related } });
    try {
      expect((await fetch(`${off.localUrl}/.well-known/webauthn`)).status).toBe(404);
      expect((await beginLogin(off)).form?.nodes.some(({ name }) => name.startsWith("passkey"))).toBe(false);
    } finally {
      await off.stop();
    }
  });
});

describe("apps", () => {
  const fingerprint = randomBytes(32).toString("hex");
  const written = fingerprint.toUpperCase().match(/../g)?.join(":") ?? "";
  const passkey = {
    rp_id: "example.com",
    apple_apps: ["ABCDE12345.com.example.app"],
    android_apps: [{ package_name: "com.example.app", certificate_fingerprints: [fingerprint, written] }],
  };

  test("may call for passkeys where they are listed, and their platforms can read the list (SR-PASSKEY-2)", async () => {
    const other = await startPasskeyApp({ passkey });
    try {
      const read = async (name: string) => {
        const answer = await fetch(`${other.localUrl}/.well-known/${name}`);
        expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/json"]);
        return answer.json();
      };
      expect(await read("apple-app-site-association")).toEqual({
        webcredentials: { apps: passkey.apple_apps },
      });
      expect(await read("assetlinks.json")).toEqual([
        {
          relation: [
            "delegate_permission/common.handle_all_urls",
            "delegate_permission/common.get_login_creds",
          ],
          target: {
            ...{ namespace: "android_app", package_name: "com.example.app" },
            sha256_cert_fingerprints: [written, written],
          },
        },
      ]);
      const android = `android:apk-key-hash:${Buffer.from(fingerprint, "hex").toString("base64url")}`;
      for (const origin of ["https://example.com", android]) {
        const { device } = await registerPasskey(other, { device: new SoftwareAuthenticator({ origin }) });
        signedInBy(await signInWith(other, device));
        device.with({ origin: `android:apk-key-hash:${randomBytes(32).toString("base64url")}` });
        expect(await signInWith(other, device)).toMatchObject(refused);
      }
    } finally {
      await other.stop();
    }
  });

  test("are not told of where none is listed", async () => {
    for (const name of ["apple-app-site-association", "assetlinks.json"]) {
      expect((await fetch(`${app.localUrl}/.well-known/${name}`)).status).toBe(404);
    }
  });
});

describe("password managers", () => {
  const endpointsOf = async (server: TestApp) =>
    (await fetch(`${server.localUrl}/.well-known/passkey-endpoints`)).json();

  test("find the page where passkeys are made and removed: one of the server's own", async () => {
    const page = "https://id.example.com/ui/settings";
    expect(await endpointsOf(app)).toEqual({ enroll: page, manage: page });
  });

  test("find the page where passkeys are made and removed: a configured one", async () => {
    const page = "https://id.example.com/settings";
    const other = await startPasskeyApp({ flows: { settings: { ui_url: page } } });
    try {
      expect(await endpointsOf(other)).toEqual({ enroll: page, manage: page });
    } finally {
      await other.stop();
    }
  });
});

// Security rule (SR-PASSKEY-3): unknown, foreign, removed and wrong are answered alike.
describe("a passkey that does not sign in (SR-PASSKEY-3)", () => {
  /** What a stranger sees of an answer. */
  function seen(answer: SubmitLoginFlowResponse): JsonValue {
    const json = JSON.stringify(toJson(SubmitLoginFlowResponseSchema, answer));
    const { challenge } = optionsOf(answer.flow);
    return JSON.parse(
      json
        .replaceAll(answer.flow?.id ?? "", "id")
        .replaceAll(String(challenge), "challenge")
        .replaceAll(/"\d{4}-\d\d-\d\dT[^"]+"/g, '"time"'),
    );
  }

  test("is answered alike, whatever it is that is wrong with it", async () => {
    const answers: Record<string, JsonValue> = {};
    const forgotten: string[] = [];
    const attempt = async (name: string, answer: (asked: JsonObject) => JsonObject) => {
      const flow = await beginLogin(app);
      const shown = await showPasskey(app, flow.id, answer(optionsOf(flow)));
      expect(shown, name).toMatchObject(refused);
      const { outcome } = shown;
      if (outcome.case === "rejected" && outcome.value.detail.case === "passkey") {
        forgotten.push(name);
        outcome.value.detail = { case: undefined };
      }
      answers[name] = seen(shown);
    };
    const change = (answer: JsonObject, members: JsonObject) => ({
      ...answer,
      response: { ...(answer.response as JsonObject), ...members },
    });

    const unknown = new SoftwareAuthenticator();
    unknown.create({ rp: { id: "id.example.com" }, user: { id: "dXNlcg" } });
    await attempt("unknown", (asked) => unknown.get(asked));

    const wrong = await withPasskey();
    const forged = new SoftwareAuthenticator();
    forged.create({ rp: { id: "id.example.com" }, user: { id: wrong.device.passkeys[0]?.userHandle ?? "" } });
    await attempt("signature of another key", (asked) => {
      const { id = "" } = wrong.device.get(asked);
      return { ...forged.get(asked), id, rawId: id };
    });
    await attempt("signature that is none", (asked) =>
      change(wrong.device.get(asked), { signature: "AAAA" }),
    );
    await attempt("user handle of somebody else", (asked) =>
      change(wrong.device.get(asked), { userHandle: "b3RoZXI" }),
    );
    await attempt("no user handle where nobody was named", (asked) =>
      change(wrong.device.get(asked), { userHandle: null }),
    );
    await attempt("nothing that can be read", () => ({ id: "AAAA", type: "public-key" }));

    const removed = await withPasskey();
    await removed.settings.submit("removeCredential", { credentialId: removed.credentialId });
    await attempt("removed", (asked) => removed.device.get(asked));

    const inactive = await withPasskey();
    await app.client(IdentityService).deactivateIdentity({ identityId: inactive.identity?.id ?? "" });
    await attempt("inactive", (asked) => inactive.device.get(asked));

    const [first, ...others] = Object.values(answers);
    for (const other of others) expect(other).toEqual(first);
    expect(others).toHaveLength(7);
    // But for what nobody has: the browser is told to forget it.
    expect(forgotten).toEqual(["unknown", "removed"]);
    // The control.
    signedInBy(await signInWith(app, wrong.device));
    await attemptsWritten(app, wrong.identity?.id, { afterMinute: true });
    expect((await eventsOf(wrong.identity?.id, "login.failed")).map(({ data }) => data)).toEqual(
      Array.from({ length: 4 }, () => ({ reason: "PASSKEY_INVALID", method: "passkey" })),
    );
    expect((await eventsOf(undefined, "login.failed")).at(0)?.data).toMatchObject({ method: "passkey" });
  });

  test("is refused beside a first proof of another account", async () => {
    const [ada, eve] = [await withPasskey(), await withPasskey()];
    await setUpTotp(app, ada);
    const { flow } = await logIn(app, ada.email);
    const flowId = flow?.id ?? "";
    expect(await showPasskey(app, flowId, eve.device.get(optionsOf(flow)))).toMatchObject(refused);
    const { userHandle: _, ...response } = ada.device.get(optionsOf(flow)).response as JsonObject;
    // A security key that keeps no name says none.
    signedInBy(await showPasskey(app, flowId, { ...ada.device.get(optionsOf(flow)), response }));
  });
});

// Security rule (SR-PASSKEY-4): a counter that does not go on is the sign of a copy.
describe("the counter of a passkey (SR-PASSKEY-4)", () => {
  test("refuses and records a use that is not after the last one", async () => {
    const { device, identity, credentialId } = await withPasskey({ counts: true });
    const [passkey] = device.passkeys;
    if (passkey === undefined) throw new Error("there is none");
    signedInBy(await signInWith(app, device));
    signedInBy(await signInWith(app, device));
    // A copy that was made before is one behind.
    for (const counter of [1, 0, -1]) {
      passkey.counter = counter;
      expect(await signInWith(app, device)).toMatchObject(refused);
    }
    const events = await eventsOf(identity?.id, "credential.counter_regressed");
    expect(events.map(({ data }) => data)).toEqual(
      Array.from({ length: 3 }, () => ({ kind: "passkey", credentialId })),
    );
    passkey.counter = 41;
    signedInBy(await signInWith(app, device));
    expect(await eventsOf(identity?.id, "credential.counter_regressed")).toHaveLength(3);
  });

  test("is left alone where it is always 0", async () => {
    const { device } = await withPasskey();
    signedInBy(await signInWith(app, device));
    signedInBy(await signInWith(app, device));
  });

  test("counts once for 16 logins with the same count at the same moment", async () => {
    const { device } = await withPasskey({ counts: true });
    const [passkey] = device.passkeys;
    if (passkey === undefined) throw new Error("there is none");
    const flows = [];
    for (const _ of sixteen) flows.push(await beginLogin(app));
    const answers = flows.map((flow) => {
      passkey.counter = 6;
      return [flow.id, device.get(optionsOf(flow))] as const;
    });
    const outcomes = await Promise.all(answers.map(([id, answer]) => showPasskey(app, id, answer)));
    expect(outcomes.filter(({ outcome }) => outcome.case === "completed")).toHaveLength(1);
  });
});

// Security rule (SR-PASSKEY-5): what counts is what the assertion shows.
describe("what a passkey is worth (SR-PASSKEY-5)", () => {
  test("is what the assertion shows, not what was shown when it was made", async () => {
    const { device } = await withPasskey({ userVerified: true });
    device.with({ userVerified: false });
    const weak = signedInBy(await signInWith(app, device)).session;
    expect(weak?.assuranceLevel).toBe(AssuranceLevel.AAL1);
    expect(weak?.authenticationMethods[0]?.userVerified).toBe(false);
    device.with({ userVerified: true });
    expect(signedInBy(await signInWith(app, device)).session?.assuranceLevel).toBe(AssuranceLevel.AAL2);
  });

  test("is refused without a verified user where the configuration requires one", async () => {
    const strict = await startPasskeyApp({ passkey: { user_verification: "required" } });
    try {
      const { device } = await registerPasskey(strict, {
        device: new SoftwareAuthenticator({ userVerified: true }),
      });
      const flow = await beginLogin(strict);
      expect(optionsOf(flow).userVerification).toBe("required");
      device.with({ userVerified: false });
      expect(await showPasskey(strict, flow.id, device.get(optionsOf(flow)))).toMatchObject(refused);
      device.with({ userVerified: true });
      signedInBy(await showPasskey(strict, flow.id, device.get(optionsOf(flow))));
      const weak = new SoftwareAuthenticator({ userVerified: false });
      await expect(registerPasskey(strict, { device: weak })).rejects.toThrow("it was rejected");
    } finally {
      await strict.stop();
    }
  });

  test("is asked for beside a password once a passkey of the account is a second factor, which a new one is too", async () => {
    const { device, email, settings, identity } = await withPasskey({ userVerified: false });
    expect((await logIn(app, email)).case).toBe("completed");
    await administer(app.databaseUrl, (query) =>
      query(
        "UPDATE ostiary.identity_credential SET is_second_factor = true WHERE identity_id = $1 AND kind = 'passkey'",
        [identity?.id],
      ),
    );
    const { flow } = await logIn(app, email);
    expect(flow?.stage).toMatchObject({ value: { secondFactor: true } });
    const strong = signedInBy(await showPasskey(app, flow?.id ?? "", device.get(optionsOf(flow))));
    settings.token = strong.sessionToken;
    expect(await addPasskey(settings, new SoftwareAuthenticator())).toMatchObject({ secondFactor: true });
    // By itself it is one factor of two.
    expect(await signInWith(app, device)).toMatchObject(refused);
  });
});

// Security rule (SR-PASSKEY-6): a new passkey raises no session.
test("a passkey that is added raises no session (SR-PASSKEY-6)", async () => {
  const { settings, sessionToken } = await withPasskey();
  expect(settings.token).toBe(sessionToken);
  const { session } = await app.client(SessionService, { bearer: sessionToken }).getCurrentSession({});
  expect(session).toMatchObject({ assuranceLevel: AssuranceLevel.AAL1 });
  expect(session?.authenticationMethods).toHaveLength(1);
});

// Security rule (SR-PASSKEY-7): a credential is one account's.
describe("one and the same credential (SR-PASSKEY-7)", () => {
  test("is not taken up by two accounts, in the settings or by a registration", async () => {
    const { device } = await withPasskey();
    const [passkey] = device.passkeys;
    if (passkey === undefined) throw new Error("there is none");
    const taken = rejectedAs(RejectionReason.CREDENTIAL_TAKEN);
    const settings = new Settings(app, (await register(app)).sessionToken);
    const copy = new SoftwareAuthenticator().keeping(passkey.id);
    const response = copy.create(await askFor(settings));
    expect(await settings.submit("passkey", { response })).toMatchObject(taken);
    expect(credentialsOf(await settings.begin())).toHaveLength(1);

    const client = app.client(RegistrationService);
    const { flow: begun } = await client.createRegistrationFlow({ client: ClientKind.NATIVE });
    const flowId = begun?.id ?? "";
    const email = freshEmail();
    const submit = (value: object) =>
      client.submitRegistrationFlow({ flowId, traits: { email }, step: { case: "passkey", value } });
    const { flow } = await submit({});
    expect(await submit({ response: copy.create(optionsOf(flow)) })).toMatchObject(taken);
    // No account was made of it.
    await register(app, { email });
    // It signs in to its own account as before.
    signedInBy(await signInWith(app, device));
  });

  test("is not put in the place of itself", async () => {
    const { device, settings } = await withPasskey();
    const [passkey] = device.passkeys;
    if (passkey === undefined) throw new Error("there is none");
    const response = new SoftwareAuthenticator().keeping(passkey.id).create(await askFor(settings));
    expect(await settings.submit("passkey", { response })).toMatchObject(
      rejectedAs(RejectionReason.CREDENTIAL_TAKEN),
    );
    signedInBy(await signInWith(app, device));
  });
});

test("the only passkey of an account without another way in is not removed (SR-SETTINGS-6)", async () => {
  const { sessionToken } = await registerPasskey(app);
  const settings = new Settings(app, sessionToken);
  const [own] = credentialsOf(await settings.begin());
  expect(await settings.submit("removeCredential", { credentialId: own?.id ?? "" })).toMatchObject(
    rejectedAs(RejectionReason.LAST_WAY_IN),
  );
});

test("a security key that does not say whose it is serves beside another proof, and is no way in (SR-SETTINGS-6)", async () => {
  const { device, email, settings, credentialId } = await withPasskey({ discoverable: false });
  const [password, key] = credentialsOf(await settings.begin());
  expect(key).toMatchObject({ id: credentialId, details: { value: { discoverable: false } } });
  expect(await signInWith(app, device)).toMatchObject(refused);
  const removed = await settings.submit("removeCredential", { credentialId: password?.id ?? "" });
  expect(removed).toMatchObject(rejectedAs(RejectionReason.LAST_WAY_IN));
  await setUpTotp(app, { sessionToken: settings.token });
  const { flow } = await logIn(app, email);
  signedInBy(await showPasskey(app, flow?.id ?? "", device.get(optionsOf(flow))));
});

describe("whatever is sent in the place of an answer", () => {
  test("is answered by the form, over the typed submit and SubmitForm", async () => {
    const { settings } = await withPasskey();
    await askFor(settings);
    const flow = await beginLogin(app);
    const login = app.client(LoginService);
    const huge = "A".repeat(12_000);
    const given: readonly JsonObject[] = [
      ...[{}, { id: "" }, { id: 1 }, { id: "A", type: "public-key", response: [] }],
      { id: "A\u0000", rawId: "A", type: "public-key", response: {} },
      { id: huge, rawId: huge, type: "public-key", response: { signature: huge } },
      {
        id: "AAAA",
        type: "public-key",
        response: { clientDataJSON: huge, authenticatorData: huge, signature: huge },
      },
      JSON.parse(`${'{"a":'.repeat(60)}1${"}".repeat(60)}`),
    ];
    for (const response of given) {
      const step = { case: "passkey" as const, value: { response } };
      expect(await login.submitLoginFlow({ flowId: flow.id, step })).toMatchObject(refused);
      expect(await settings.submit("passkey", { response })).toMatchObject(refused);
    }
    const none = await login.submitLoginFlow({ flowId: flow.id, step: { case: "passkey", value: {} } });
    expect(none).toMatchObject(rejectedAs(RejectionReason.FORM_INCOMPLETE));
    expect(none.flow?.form?.nodes.find(({ name }) => name === "passkey.response")?.messages).toHaveLength(1);
  });

  test("any JSON is answered by the form", async () => {
    const flow = await beginLogin(app);
    const client = app.client(FlowService);
    const withNul = /\\u0000|\\ud[89a-f]/i;
    await fc.assert(
      fc.asyncProperty(
        fc.json({ maxDepth: 3 }).filter((text) => !withNul.test(text)),
        async (text) => {
          const values = { "passkey.response": { kind: { case: "stringValue" as const, value: text } } };
          const { outcome } = await client.submitForm({ flowId: flow.id, step: "passkey", values });
          expect(outcome.case).toBe("rejected");
        },
      ),
      { numRuns: 30 },
    );
  });
});

// Security rule (SR-FACTOR-4): a step-up never gives less than what was demanded.
describe("a step-up to what a passkey shows (SR-FACTOR-4)", () => {
  const property = (value: MethodProperty) => ({ demand: { case: "methodProperty", value } }) as const;
  const resistant = property(MethodProperty.PHISHING_RESISTANT);
  const verified = property(MethodProperty.USER_VERIFIED);
  const strong = { demand: { case: "assuranceLevel", value: AssuranceLevel.AAL2 } } as const;
  type Demand = typeof resistant | typeof strong;

  async function stepUp(bearer: string, ...demands: readonly Demand[]) {
    const start = { client: ClientKind.NATIVE, purpose: LoginPurpose.STEP_UP, demands: [...demands] };
    const { flow } = await app.client(LoginService, { bearer }).createLoginFlow(start);
    return flow;
  }
  const offersOf = (flow: Awaited<ReturnType<typeof stepUp>>) =>
    flow?.stage.case === "chooseMethod" ? flow.stage.value.offers.map(({ method }) => method.case) : [];
  const meets = (bearer: string, ...demands: readonly Demand[]) =>
    app.client(SessionService, { bearer }).getCurrentSession({ demands: [...demands] });

  test("is by the passkey alone, and meets the demand", async () => {
    const { device, sessionToken } = await withPasskey({ userVerified: false });
    expect((await refusal(meets(sessionToken, resistant))).reason).toBe("SESSION_METHOD_INSUFFICIENT");
    const flow = await stepUp(sessionToken, resistant);
    expect(offersOf(flow)).toEqual(["passkey"]);
    const password = app.client(LoginService).submitLoginFlow({
      flowId: flow?.id ?? "",
      step: { case: "password", value: { password: goodPassword } },
    });
    expect((await refusal(password)).reason).toBe("STEP_NOT_OFFERED");
    const shown = signedInBy(await showPasskey(app, flow?.id ?? "", device.get(optionsOf(flow))));
    await meets(shown.sessionToken, resistant);
    expect((await refusal(meets(shown.sessionToken, verified))).reason).toBe("SESSION_METHOD_INSUFFICIENT");
  });

  test("is with a verified user where that is demanded", async () => {
    const { device, sessionToken } = await withPasskey({ userVerified: false });
    const flow = await stepUp(sessionToken, verified);
    const flowId = flow?.id ?? "";
    expect(optionsOf(flow).userVerification).toBe("required");
    expect(await showPasskey(app, flowId, device.get(optionsOf(flow)))).toMatchObject(refused);
    device.with({ userVerified: true });
    const shown = signedInBy(await showPasskey(app, flowId, device.get(optionsOf(flow))));
    await meets(shown.sessionToken, verified, resistant, strong);
  });

  test("does not begin for an account without one, and is nobody else's", async () => {
    const { sessionToken } = await register(app);
    expect(await refusal(stepUp(sessionToken, resistant))).toMatchObject({
      ...{ reason: "STEP_UP_IMPOSSIBLE", metadata: { demand: "methodProperty" } },
    });
    const [ada, eve] = [await withPasskey(), await withPasskey()];
    const flow = await stepUp(ada.sessionToken, resistant);
    expect(await showPasskey(app, flow?.id ?? "", eve.device.get(optionsOf(flow)))).toMatchObject(refused);
  });

  test("to two factors takes the passkey beside a password, which no login asks for otherwise", async () => {
    const { device, email, sessionToken } = await withPasskey({ userVerified: false });
    expect((await logIn(app, email)).case).toBe("completed");
    const flow = await stepUp(sessionToken, strong);
    const flowId = flow?.id ?? "";
    // The session has the password already.
    expect(flow?.stage).toMatchObject({ value: { secondFactor: true } });
    expect(optionsOf(flow).allowCredentials).toHaveLength(1);
    const back = await app
      .client(LoginService)
      .submitLoginFlow({ flowId, step: { case: "back", value: {} } });
    expect(offersOf(back.flow)).toContain("password");
    const next = await app.client(LoginService).submitLoginFlow({
      flowId,
      step: { case: "password", value: { password: goodPassword } },
    });
    expect(next.flow?.stage).toMatchObject({ value: { secondFactor: true } });
    const shown = signedInBy(await showPasskey(app, flowId, device.get(optionsOf(next.flow))));
    await meets(shown.sessionToken, strong);
  });

  test("to two factors, one of them phishing-resistant, takes the passkey beside the session's password", async () => {
    const { device, email, settings } = await withPasskey({ userVerified: false });
    // From before there was a second factor.
    const { sessionToken } = signedInBy({ outcome: await logIn(app, email) });
    await setUpTotp(app, { sessionToken: settings.token });
    const flow = await stepUp(sessionToken, strong, resistant);
    expect(flow?.stage).toMatchObject({ value: { secondFactor: true } });
    expect(offersOf(flow)).toEqual(["passkey"]);
    const shown = signedInBy(await showPasskey(app, flow?.id ?? "", device.get(optionsOf(flow))));
    await meets(shown.sessionToken, strong, resistant);
  });

  test("never ends with less, though the passkey shows less than is demanded", async () => {
    const { device } = await withPasskey({ userVerified: false });
    const { sessionToken } = signedInBy(await signInWith(app, device));
    const flow = await stepUp(sessionToken, strong);
    const weak = showPasskey(app, flow?.id ?? "", device.get(optionsOf(flow)));
    expect(await refusal(weak)).toMatchObject({ reason: "STEP_UP_IMPOSSIBLE" });
  });

  test("never ends with less where the password of the session is given up", async () => {
    const { device, sessionToken } = await withPasskey({ userVerified: false });
    const flow = await stepUp(sessionToken, strong);
    const flowId = flow?.id ?? "";
    // Who goes back begins with the passkey, and has nothing to show beside it.
    const back = await app
      .client(LoginService)
      .submitLoginFlow({ flowId, step: { case: "back", value: {} } });
    const weak = showPasskey(app, flowId, device.get(optionsOf(back.flow)));
    expect(await refusal(weak)).toMatchObject({ reason: "STEP_UP_IMPOSSIBLE" });
  });

  test("is met by no registration with a passkey, in which nothing was signed", async () => {
    const { sessionToken } = await registerPasskey(app);
    for (const demand of [resistant, verified]) {
      expect((await refusal(meets(sessionToken, demand))).reason).toBe("SESSION_METHOD_INSUFFICIENT");
    }
  });
});
