import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { InvitationService } from "../../gen/ostiary/identity/v1/invitation_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, goodPassword, logIn, register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { Browser } from "../support/browser.ts";
import { deletionConfig, openSettings } from "../support/deletion.ts";
import { Settings, setUpTotp } from "../support/factors.ts";
import { optionsOf, showPasskey, startPasskeyApp } from "../support/passkeys.ts";
import { createPerson, personSchemas } from "../support/person.ts";
import { beginRegistration, sentRegistrationLink, steps } from "../support/registrations.ts";
import { SoftwareAuthenticator } from "../support/software-authenticator.ts";
import { TotpDevice } from "../support/totp-device.ts";

let app: TestApp;

beforeAll(async () => {
  const flows = {
    ...deletionConfig().tenant_defaults.flows,
    registration: { ui_url: "https://app.example.com/join" },
  };
  app = await startTestApp({ config: { tenant_defaults: { flows, link: { enabled: true } } } });
});

afterAll(() => app.stop());

test("an invitation costs one more to begin with, and nothing to register", async () => {
  const registration = app.client(RegistrationService);
  const { invitationToken } = await app.client(InvitationService).createInvitation({});
  const created = await roundTrips(() =>
    registration.createRegistrationFlow({ client: ClientKind.NATIVE, invitationToken }),
  );
  const submitted = await roundTrips(() =>
    registration.submitRegistrationFlow({
      flowId: created.result.flow?.id ?? "",
      traits: { email: freshEmail() },
      step: { case: "password", value: { password: goodPassword } },
    }),
  );
  expect(submitted.result.outcome.case).toBe("completed");
  expect([created.count, submitted.count]).toEqual([2, 4]);
});

/** How many statements a call sends; each is a round trip, BEGIN and COMMIT as well. */
async function roundTrips<T>(call: () => Promise<T>, of = app): Promise<{ count: number; result: T }> {
  of.statements.length = 0;
  const result = await call();
  return { count: of.statements.length, result };
}

test("the budget of round trips to the database is kept", async () => {
  const { email, sessionToken } = await register(app);
  const login = app.client(LoginService);
  const registration = app.client(RegistrationService);

  const createLogin = await roundTrips(() => login.createLoginFlow({ client: ClientKind.NATIVE }));
  const submitLogin = await roundTrips(() =>
    login.submitLoginFlow({
      flowId: createLogin.result.flow?.id ?? "",
      identifier: email,
      step: { case: "password", value: { password: goodPassword } },
    }),
  );
  const createRegistration = await roundTrips(() =>
    registration.createRegistrationFlow({ client: ClientKind.NATIVE }),
  );
  const submitRegistration = await roundTrips(() =>
    registration.submitRegistrationFlow({
      flowId: createRegistration.result.flow?.id ?? "",
      traits: { email: freshEmail() },
      step: { case: "password", value: { password: goodPassword } },
    }),
  );
  const check = await roundTrips(() => app.client(SessionService).checkSession({ token: sessionToken }));

  expect(app.statements.filter((text) => text.includes("throttle_counter"))).toEqual([]);
  expect(submitLogin.result.outcome.case).toBe("completed");
  expect(submitRegistration.result.outcome.case).toBe("completed");
  // The design allows 1, 4, 1, 5 and 1; of the submits beside the throttle's 1. A check costs no counter.
  expect({
    createLoginFlow: createLogin.count,
    submitLoginFlow: submitLogin.count,
    createRegistrationFlow: createRegistration.count,
    submitRegistrationFlow: submitRegistration.count,
    checkSession: check.count,
  }).toEqual({
    createLoginFlow: 1,
    submitLoginFlow: 3,
    createRegistrationFlow: 1,
    // One counts the attempt, and one begins the verification of the address.
    submitRegistrationFlow: 4,
    checkSession: 1,
  });
});

test("a registration by link keeps its own", async () => {
  const { token: linkToken } = await sentRegistrationLink(app, { email: freshEmail() });
  const open = await roundTrips(() => beginRegistration(app, { linkToken }));
  const confirm = await roundTrips(() => open.result.submit(steps.confirm));
  expect(confirm.result.outcome.case).toBe("completed");
  // Both flows are read, the try is counted, by the throttle as well, and the account is made. 6 are allowed.
  expect({ open: open.count, confirm: confirm.count }).toEqual({ open: 2, confirm: 5 });
});

test("the budget of round trips of settings is kept: at most 6 a submit", async () => {
  const { email, sessionToken } = await register(app);
  const { client, flow, submit } = await openSettings(app, sessionToken);
  const flowId = flow.id;
  const save = (traits: { email: string; name?: string }) =>
    roundTrips(() => client.submitSettingsFlow({ flowId, traits, step: { case: "profile", value: {} } }));

  const next = freshEmail();
  const name = await save({ email, name: "Ada" });
  const address = await save({ email: next });
  const { code } = (await app.messages(next)).at(-1) ?? { code: "" };
  const proof = await roundTrips(() =>
    client.submitSettingsFlow({ flowId, step: { case: "code", value: { code } } }),
  );
  const step = { case: "password" as const, value: { password: "another good passphrase" } };
  const password = await roundTrips(() => client.submitSettingsFlow({ flowId, step }));
  const deletion = await roundTrips(() => submit("deleteAccount"));

  const calls = { name, address, proof, password, deletion };
  const outcomes = Object.entries(calls).map(([key, { result }]) => [key, result.outcome.case]);
  expect(Object.fromEntries(outcomes)).toEqual({
    name: "saved",
    address: "nextStep",
    proof: "saved",
    password: "saved",
    deletion: "completed",
  });
  // The flow with its owner, the session, and the change. A new address is looked for, also among those that mail comes back from, and what
  // is sent is counted before; a
  // try of a code is counted for the account and for the code, and given back when it was right.
  const counts = Object.entries(calls).map(([key, { count }]) => [key, count]);
  expect(Object.fromEntries(counts)).toEqual({ name: 3, address: 6, proof: 6, password: 3, deletion: 3 });
});

test("a login that asks for the identifier first costs two round trips more, and its flow none", async () => {
  const flows = { login: { style: "identifier_first" } };
  const other = await startTestApp({ config: { tenant_defaults: { flows } } });
  const { email } = await register(other);
  const login = other.client(LoginService);
  const create = await roundTrips(() => login.createLoginFlow({ client: ClientKind.NATIVE }), other);
  const flowId = create.result.flow?.id ?? "";
  const identify = await roundTrips(
    () => login.submitLoginFlow({ flowId, identifier: email, step: { case: "identify", value: {} } }),
    other,
  );
  const step = { case: "password", value: { password: goodPassword } } as const;
  const password = await roundTrips(() => login.submitLoginFlow({ flowId, step }), other);
  expect(identify.result.outcome.case).toBe("nextStep");
  expect(password.result.outcome.case).toBe("completed");
  expect([create.count, identify.count, password.count]).toEqual([1, 2, 3]);
  await other.stop();
});

test("a passkey costs a login no more than a password does, and is added with six", async () => {
  const other = await startPasskeyApp();
  const { email, sessionToken } = await register(other);
  const device = new SoftwareAuthenticator({ userVerified: false });
  const settings = new Settings(other, sessionToken);
  await settings.begin();
  const asked = await roundTrips(() => settings.submit("passkey"), other);
  const response = device.create(optionsOf(asked.result.flow));
  const added = await roundTrips(() => settings.submit("passkey", { response }), other);
  expect(added.result.outcome.case).toBe("saved");

  const login = other.client(LoginService);
  const create = await roundTrips(() => login.createLoginFlow({ client: ClientKind.NATIVE }), other);
  const { flow } = create.result;
  const alone = await roundTrips(
    () => showPasskey(other, flow?.id ?? "", device.get(optionsOf(flow))),
    other,
  );
  expect(alone.result.outcome.case).toBe("completed");
  await setUpTotp(other, { sessionToken: settings.token });
  const { flow: wanted } = await logIn(other, email);
  const answer = device.get(optionsOf(wanted));
  const second = await roundTrips(() => showPasskey(other, wanted?.id ?? "", answer), other);
  expect(second.result.outcome.case).toBe("completed");

  const client = other.client(RegistrationService);
  const { flow: begun } = await client.createRegistrationFlow({ client: ClientKind.NATIVE });
  const submit = (traits: { email?: string }, value: object) =>
    roundTrips(
      () =>
        client.submitRegistrationFlow({ flowId: begun?.id ?? "", traits, step: { case: "passkey", value } }),
      other,
    );
  const began = await submit({ email: freshEmail() }, {});
  const made = await submit({}, { response: device.create(optionsOf(began.result.flow)) });
  expect(made.result.outcome.case).toBe("completed");

  const counts = { create, alone, second, asked, added, began, made };
  expect(Object.fromEntries(Object.entries(counts).map(([name, { count }]) => [name, count]))).toEqual({
    ...{ create: 1, alone: 3, second: 3 },
    // The flow with its owner, the session, and the change.
    ...{ asked: 3, added: 3 },
    // The try is counted for each of the two steps.
    ...{ began: 3, made: 4 },
  });
  await other.stop();
});

test("an authenticator app costs a login three more, and is set up with six", async () => {
  const { email, sessionToken } = await register(app);
  const settings = new Settings(app, sessionToken);
  await settings.begin();
  const shown = await roundTrips(() => settings.submit("totp"));
  const stage = shown.result.flow?.stage;
  const [offer] = stage?.case === "changeSettings" ? stage.value.offers : [];
  if (offer?.part.case !== "totp") throw new Error("no key was shown");
  const device = TotpDevice.from(offer.part.value.key, () => app.clock.now());
  const kept = await roundTrips(() => settings.submit("totp", { code: device.code() }));
  expect(kept.result.outcome.case).toBe("saved");

  app.clock.advance(60_000);
  const login = app.client(LoginService);
  const create = await roundTrips(() => login.createLoginFlow({ client: ClientKind.NATIVE }));
  const flowId = create.result.flow?.id ?? "";
  const password = await roundTrips(() =>
    login.submitLoginFlow({
      ...{ flowId, identifier: email },
      step: { case: "password", value: { password: goodPassword } },
    }),
  );
  const code = await roundTrips(() =>
    login.submitLoginFlow({ flowId, step: { case: "totp", value: { code: device.code() } } }),
  );
  expect(code.result.outcome.case).toBe("completed");
  const counts = { create, password, code, shown, kept };
  expect(Object.fromEntries(Object.entries(counts).map(([name, { count }]) => [name, count]))).toEqual({
    ...{ create: 1, password: 3, code: 3 },
    ...{ shown: 3, kept: 3 },
  });
});

test("a recovery finds the account by any of its names in one round trip", async () => {
  const other = await startTestApp({
    config: { tenant_defaults: { identity: { schemas: personSchemas }, enumeration_safe: false } },
  });
  const [one, several] = [await createPerson(other, ["email"]), await createPerson(other)];
  const recovery = other.client(RecoveryService);
  const begin = async () => (await recovery.createRecoveryFlow({ client: ClientKind.NATIVE })).flow?.id ?? "";
  const step = { case: "sendCode", value: {} } as const;
  const counts = [];
  for (const address of [one.name, one.email]) {
    const flowId = await begin();
    counts.push(await roundTrips(() => recovery.submitRecoveryFlow({ flowId, address, step }), other));
  }
  const flowId = await begin();
  const ask = () => recovery.submitRecoveryFlow({ flowId, address: several.name, step });
  counts.push(await roundTrips(ask, other));
  const choose = () =>
    recovery.submitRecoveryFlow({ flowId, step: { case: "sendCode", value: { addressId: "2" } } });
  counts.push(await roundTrips(choose, other));
  expect(counts.map(({ result }) => result.outcome.case)).toEqual(counts.map(() => "nextStep"));
  // One counts, for the name and for the mailbox, and one looks whether mail to what was typed comes back. What is chosen is the mailbox.
  expect(counts.map(({ count }) => count)).toEqual([5, 5, 4, 4]);
  await other.stop();
});

test("what a browser flow keeps of a submit that was not accepted costs one", async () => {
  const { email } = await register(app);
  const browser = new Browser(app.publicUrl, app.localUrl);
  const counts = async (service: string, fields: object, clientKind: string) => {
    const path = `/ostiary.flow.v1.${service}Service`;
    const { flow } = (await browser.post(`${path}/Create${service}Flow`, { client: clientKind })).body;
    const submission = { flowId: flow.id, csrfToken: flow.csrfToken, ...fields };
    const { count, result } = await roundTrips(() =>
      browser.post(`${path}/Submit${service}Flow`, submission),
    );
    expect(result.body.rejected).toBeDefined();
    return count;
  };
  const ofBoth = async (service: string, fields: object) => [
    await counts(service, fields, "CLIENT_KIND_NATIVE"),
    await counts(service, fields, "CLIENT_KIND_BROWSER"),
  ];
  const [native = 0, inBrowser] = await ofBoth("Login", {
    identifier: email,
    password: { password: "wrong" },
  });
  expect(inBrowser).toBe(native + 1);
  const [without = 0, withOne] = await ofBoth("Registration", { traits: {}, password: { password: "x" } });
  expect(withOne).toBe(without + 1);
});

// `statements` leaves these writes out, so that a batch of them does not count for the call that runs at that moment.
test("no call writes that its session or its key was used", async () => {
  const { sessionToken } = await register(app);
  const before = app.uses.length;
  const begun = performance.now();
  for (let count = 0; count < 40; count++) {
    app.clock.advance(61_000);
    await app.client(SessionService).checkSession({ token: sessionToken });
    await app.client(IdentityService).listIdentities({});
  }
  const rounds = 1 + Math.ceil((performance.now() - begun) / 15_000);
  // A batch of sessions and one of keys, every 15 seconds.
  expect(app.uses.length - before).toBeLessThanOrEqual(2 * rounds);
});
