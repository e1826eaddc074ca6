import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { LoginService, type SubmitLoginFlowResponse } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { VerificationService } from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword, register, sessionTokenOf } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { tokenOf } from "../support/links.ts";
import { administer } from "../support/postgres.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({
    config: {
      tenant_defaults: {
        link: { enabled: true },
        flows: {
          login: { ui_url: "https://app.example.com/login" },
          verification: { ui_url: "https://app.example.com/verify" },
          recovery: { ui_url: "https://app.example.com/recover" },
        },
      },
    },
  });
});
afterAll(() => app.stop());

async function newestMessage(recipient: string) {
  const message = (await app.messages(recipient)).at(-1);
  if (message === undefined) throw new Error(`nothing was sent to ${recipient}`);
  return message;
}

/** An identity whose address an operator vouches for. */
async function verifiedAccount(): Promise<{ email: string; id: string }> {
  const email = freshEmail();
  const { identity } = await app.client(IdentityService).createIdentity({
    traits: { email },
    verifiedAddresses: [{ value: email }],
  });
  return { email, id: identity?.id ?? "" };
}

async function loginFlow(): Promise<string> {
  app.clock.advance(1);
  const { flow } = await app.client(LoginService).createLoginFlow({ client: ClientKind.NATIVE });
  return flow?.id ?? "";
}

function askForCode(flowId: string, identifier: string) {
  return app
    .client(LoginService)
    .submitLoginFlow({ flowId, identifier, step: { case: "sendCode", value: {} } });
}

function enter(flowId: string, code: string) {
  return app.client(LoginService).submitLoginFlow({ flowId, step: { case: "code", value: { code } } });
}

/** A login flow that waits for a code, and the code. */
async function awaitedCode(email: string): Promise<{ flowId: string; code: string }> {
  const flowId = await loginFlow();
  await askForCode(flowId, email);
  return { flowId, code: (await newestMessage(email)).code };
}

function wrong(code: string): string {
  return `${(Number(code[0]) + 1) % 10}${code.slice(1)}`;
}

function reasonOf({ outcome }: SubmitLoginFlowResponse): string | undefined {
  return outcome.case === "rejected" ? RejectionReason[outcome.value.reason] : outcome.case;
}

/** Whether a row shows a code: as text, as the bytes of a column, or as base64url, which is not sealed. */
function shows(row: string, code: string): boolean {
  // Ids and bytes in hexadecimal may hold any six digits by chance.
  const written = row.replace(/\\x[0-9a-f]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "");
  const encoded = row.match(/[\w-]{8,}/g) ?? [];
  return (
    written.includes(code) ||
    row.includes(Buffer.from(code).toString("hex")) ||
    encoded.some((text) => Buffer.from(text, "base64url").includes(code))
  );
}

/** What an answer says, without what is different in every flow. */
function shapeOf(flow: Flow | undefined) {
  const form = flow?.form?.nodes.map(({ name, kind }) => [name, kind.case]);
  // But for the address, which is what was typed.
  const said = flow?.form?.messages.map(({ id, text }) => [id, text.replace(/person\S+@example\.com/, "…")]);
  return { step: flow?.stage.case, state: flow?.state, form, said };
}

describe("a one-time code", () => {
  test("is six digits, and only a keyed digest of it is stored", async () => {
    const { email } = await verifiedAccount();
    const { code } = await awaitedCode(email);
    expect(code).toMatch(/^\d{6}$/);
    const stored = await administer(app.databaseUrl, async (query) => [
      await query<{ text: string }>(
        "SELECT f::text AS text FROM ostiary.flow f WHERE challenge_digest IS NOT NULL",
      ),
      await query<{ text: string }>("SELECT m::text AS text FROM ostiary.message m WHERE recipient = $1", [
        email,
      ]),
    ]);
    for (const rows of stored) {
      expect(rows).not.toEqual([]);
      expect(rows.filter(({ text }) => shows(text, code))).toEqual([]);
    }
    // Control: the code would be seen as text and as bytes.
    expect(shows(`(1,"{""code"": ""${code}""}")`, code)).toBe(true);
    expect(shows(`(1,"\\\\x00${Buffer.from(code).toString("hex")}ff")`, code)).toBe(true);
  });

  test("is accepted for ten minutes, with the spaces that mail programs put in (ASVS V6.5.5)", async () => {
    const { email } = await verifiedAccount();
    const { flowId, code } = await awaitedCode(email);
    app.clock.advance(10 * 60_000 - 1);
    expect(reasonOf(await enter(flowId, ` ${code.slice(0, 3)} ${code.slice(3)} `))).toBe("completed");
    const late = await awaitedCode(email);
    app.clock.advance(10 * 60_000);
    expect(reasonOf(await enter(late.flowId, late.code))).toBe("CODE_INVALID");
  });

  test("can be tried five times, also by 16 at once; then not even the right one helps (V6.3.1)", async () => {
    const { email } = await verifiedAccount();
    const { flowId, code } = await awaitedCode(email);
    await Promise.all(Array.from({ length: 16 }, () => enter(flowId, wrong(code))));
    expect(reasonOf(await enter(flowId, code))).toBe("CODE_TRIES_EXCEEDED");
    const [row] = await administer(app.databaseUrl, (query) =>
      query<{ attempts: number }>("SELECT max(challenge_attempts) AS attempts FROM ostiary.flow"),
    );
    expect(row?.attempts).toBe(5);
    // What to do next: another one.
    app.clock.advance(31_000);
    const next = await app
      .client(LoginService)
      .submitLoginFlow({ flowId, step: { case: "resend", value: {} } });
    expect(next.outcome.case).toBe("nextStep");
    expect(reasonOf(await enter(flowId, (await newestMessage(email)).code))).toBe("completed");
  });

  test("signs in once, however many submit it at the same moment (SR-CODE-3)", async () => {
    const { email } = await verifiedAccount();
    const { flowId, code } = await awaitedCode(email);
    const results = await Promise.allSettled(Array.from({ length: 16 }, () => enter(flowId, code)));
    const completed = results.filter(
      (result) => result.status === "fulfilled" && result.value.outcome.case === "completed",
    );
    expect(completed).toHaveLength(1);
  });

  test("is dead when a newer one is sent in its flow, and not by one of another flow", async () => {
    const { email } = await verifiedAccount();
    const first = await awaitedCode(email);
    const other = await awaitedCode(email);
    app.clock.advance(31_000);
    await app
      .client(LoginService)
      .submitLoginFlow({ flowId: first.flowId, step: { case: "resend", value: {} } });
    const newer = (await newestMessage(email)).code;
    if (newer !== first.code) expect(reasonOf(await enter(first.flowId, first.code))).toBe("CODE_INVALID");
    expect(reasonOf(await enter(other.flowId, other.code))).toBe("completed");
    expect(reasonOf(await enter(first.flowId, newer))).toBe("completed");
  });

  test("cannot be sent again and again: not before half a minute has passed (V6.6.3)", async () => {
    const { email } = await verifiedAccount();
    const { flowId } = await awaitedCode(email);
    const before = (await app.messages(email)).length;
    const again = await app
      .client(LoginService)
      .submitLoginFlow({ flowId, step: { case: "resend", value: {} } });
    expect(reasonOf(again)).toBe("RESEND_TOO_EARLY");
    app.clock.advance(31_000);
    const resent = await Promise.allSettled(
      Array.from({ length: 16 }, () =>
        app.client(LoginService).submitLoginFlow({ flowId, step: { case: "resend", value: {} } }),
      ),
    );
    const sent = resent.filter(
      (result) => result.status === "fulfilled" && result.value.outcome.case === "nextStep",
    );
    expect(sent).toHaveLength(1);
    expect((await app.messages(email)).length).toBe(before + 1);
  });

  test("is good for its own flow and purpose alone (V6.6.2)", async () => {
    const { email } = await verifiedAccount();
    const login = await awaitedCode(email);
    const other = await loginFlow();
    await askForCode(other, email);
    const otherCode = (await newestMessage(email)).code;
    app.clock.advance(1);
    const recovery = app.client(RecoveryService);
    const { flow } = await recovery.createRecoveryFlow({ client: ClientKind.NATIVE });
    const flowId = flow?.id ?? "";
    await recovery.submitRecoveryFlow({ flowId, address: email, step: { case: "sendCode", value: {} } });
    const { outcome } = await recovery.submitRecoveryFlow({
      flowId,
      step: { case: "code", value: { code: login.code } },
    });
    expect(outcome.case).toBe("rejected");
    if (otherCode !== login.code) expect(reasonOf(await enter(login.flowId, otherCode))).toBe("CODE_INVALID");
    // A flow of one kind is no flow of another.
    expect((await refusal(enter(flowId, login.code))).reason).toBe("FLOW_NOT_FOUND");
  });

  test("is dead once its address is no longer the identity's", async () => {
    const { email, id } = await verifiedAccount();
    const { flowId, code } = await awaitedCode(email);
    await app
      .client(IdentityService)
      .updateIdentity({ identityId: id, traitsChange: { case: "traits", value: { email: freshEmail() } } });
    expect(reasonOf(await enter(flowId, code))).toBe("CODE_INVALID");
  });

  test("opens nothing for an account that was deactivated, and says nothing of it (V7.4.2)", async () => {
    const { email, id } = await verifiedAccount();
    const { flowId, code } = await awaitedCode(email);
    await app.client(IdentityService).deactivateIdentity({ identityId: id });
    expect(reasonOf(await enter(flowId, code))).toBe("CODE_INVALID");
    const asked = await askForCode(await loginFlow(), email);
    expect(asked.outcome.case).toBe("nextStep");
    expect((await newestMessage(email)).suppressed).toBe(true);
  });

  test("is not sent to an address that nobody has shown to be theirs (SR-OWNER-1)", async () => {
    const { email } = await register(app);
    const asked = await askForCode(await loginFlow(), email);
    expect(asked.outcome.case).toBe("nextStep");
    const message = await newestMessage(email);
    expect([message.template, message.suppressed]).toEqual(["login_code", true]);
  });
});

describe("an address that nobody has", () => {
  test("is answered like one that somebody has, in login, recovery and verification (V6.3.8)", async () => {
    const { email } = await verifiedAccount();
    const answers = async (address: string) => {
      const login = await askForCode(await loginFlow(), address);
      const recovery = app.client(RecoveryService);
      const recoveryFlow = (await recovery.createRecoveryFlow({ client: ClientKind.NATIVE })).flow;
      const recovered = await recovery.submitRecoveryFlow({
        flowId: recoveryFlow?.id ?? "",
        address,
        step: { case: "sendCode", value: {} },
      });
      const verification = app.client(VerificationService);
      const verificationFlow = (await verification.createVerificationFlow({ client: ClientKind.NATIVE }))
        .flow;
      const verified = await verification.submitVerificationFlow({
        flowId: verificationFlow?.id ?? "",
        address,
        step: { case: "sendCode", value: {} },
      });
      return [login, recovered, verified].map(({ outcome, flow: drawn }) =>
        outcome.case === "nextStep" ? shapeOf(drawn) : outcome.case,
      );
    };
    expect(await answers(freshEmail())).toEqual(await answers(email));
  });

  test("costs the same statements", async () => {
    const { email } = await verifiedAccount();
    const statements = async (address: string) => {
      const flowId = await loginFlow();
      app.statements.length = 0;
      await askForCode(flowId, address);
      return [...app.statements];
    };
    expect(await statements(freshEmail())).toEqual(await statements(email));
  });

  test("has no right code: the guesses at it are counted, and none wins", async () => {
    const flowId = await loginFlow();
    await askForCode(flowId, freshEmail());
    for (let guess = 0; guess < 4; guess++)
      expect(reasonOf(await enter(flowId, "000000"))).toBe("CODE_INVALID");
    expect(reasonOf(await enter(flowId, "000000"))).toBe("CODE_TRIES_EXCEEDED");
  });
});

describe("a link", () => {
  async function sentLink(email: string): Promise<{ flowId: string; token: string; url: string }> {
    const flowId = await loginFlow();
    await app
      .client(LoginService)
      .submitLoginFlow({ flowId, identifier: email, step: { case: "sendLink", value: {} } });
    const { url } = await newestMessage(email);
    return { flowId, url, token: tokenOf(url) };
  }

  test("leads to the configured page, with its token where no log sees it", async () => {
    const { email } = await verifiedAccount();
    const { url, token } = await sentLink(email);
    expect(url.startsWith("https://app.example.com/login#link=ost_lnk_")).toBe(true);
    expect(token).toMatch(/^ost_lnk_default_/);
  });

  test("is not used by being opened, however often, and once by a click", async () => {
    const { email, id } = await verifiedAccount();
    const { token, flowId: waiting } = await sentLink(email);
    const client = app.client(LoginService);
    const opened = await Promise.all(
      Array.from({ length: 3 }, () =>
        client.createLoginFlow({ client: ClientKind.NATIVE, linkToken: token }),
      ),
    );
    expect(opened.map(({ flow }) => flow?.stage.case)).toEqual(["confirmLink", "confirmLink", "confirmLink"]);
    const [first, second] = opened.map(({ flow }) => flow?.id ?? "");
    const confirm = (flowId = "") =>
      client.submitLoginFlow({ flowId, step: { case: "confirmLink", value: {} } });
    const used = await confirm(first);
    expect(used.outcome.case === "completed" && used.outcome.value.signedIn?.identity?.id).toBe(id);
    expect(reasonOf(await confirm(second))).toBe("LINK_INVALID");
    const reopened = await refusal(client.createLoginFlow({ client: ClientKind.NATIVE, linkToken: token }));
    expect(reopened.reason).toBe("LINK_INVALID");
    // The flow that waited for it is over as well.
    expect((await app.client(FlowService).getFlow({ flowId: waiting })).flow?.state).toBe(2);
  });

  test("is used once by 16 clicks at the same moment", async () => {
    const { email } = await verifiedAccount();
    const { token } = await sentLink(email);
    const client = app.client(LoginService);
    const opened = await Promise.all(
      Array.from({ length: 5 }, () =>
        client.createLoginFlow({ client: ClientKind.NATIVE, linkToken: token }),
      ),
    );
    const results = await Promise.allSettled(
      opened.map(({ flow }) =>
        client.submitLoginFlow({ flowId: flow?.id ?? "", step: { case: "confirmLink", value: {} } }),
      ),
    );
    const completed = results.filter(
      (result) => result.status === "fulfilled" && result.value.outcome.case === "completed",
    );
    expect(completed).toHaveLength(1);
  });

  test("that was opened is dead as well once another one was sent, also to another address", async () => {
    const [ada, eve] = [await verifiedAccount(), await verifiedAccount()];
    const client = app.client(LoginService);
    const { token: linkToken, flowId } = await sentLink(ada.email);
    const open = async () =>
      (await client.createLoginFlow({ client: ClientKind.NATIVE, linkToken })).flow?.id;
    const confirm = (id = "") =>
      client.submitLoginFlow({ flowId: id, step: { case: "confirmLink", value: {} } }).then(reasonOf);
    const opened = [await open(), await open()];
    app.clock.advance(31_000);
    await client.submitLoginFlow({ flowId, step: { case: "resend", value: {} } });
    expect(await confirm(opened[0])).toBe("LINK_INVALID");
    await client.submitLoginFlow({ flowId, step: { case: "back", value: {} } });
    await client.submitLoginFlow({ flowId, identifier: eve.email, step: { case: "sendLink", value: {} } });
    expect(await confirm(opened[1])).toBe("LINK_INVALID");
    // The newest one is as good as ever: a click on an old one has not used it.
    const newest = tokenOf((await newestMessage(eve.email)).url);
    const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE, linkToken: newest });
    expect(await confirm(flow?.id)).toBe("completed");
  });

  test.each(["recovery", "verification"] as const)(
    "to sign in is none for %s (SR-CODE-4)",
    async (purpose) => {
      const { email } = await verifiedAccount();
      const { token: linkToken } = await sentLink(email);
      const call =
        purpose === "recovery"
          ? app.client(RecoveryService).createRecoveryFlow({ client: ClientKind.NATIVE, linkToken })
          : app.client(VerificationService).createVerificationFlow({ client: ClientKind.NATIVE, linkToken });
      expect((await refusal(call)).reason).toBe("LINK_INVALID");
    },
  );

  test("is worth nothing after its time, or once another one was sent", async () => {
    const { email } = await verifiedAccount();
    const { token, flowId } = await sentLink(email);
    const client = app.client(LoginService);
    app.clock.advance(31_000);
    await client.submitLoginFlow({ flowId, step: { case: "resend", value: {} } });
    const open = (linkToken: string) =>
      refusal(client.createLoginFlow({ client: ClientKind.NATIVE, linkToken })).then(({ reason }) => reason);
    expect(await open(token)).toBe("LINK_INVALID");
    const newer = await sentLink(email);
    app.clock.advance(10 * 60_000);
    expect(await open(newer.token)).toBe("LINK_INVALID");
    expect(await open("ost_lnk_nonsense")).toBe("LINK_INVALID");
  });
});

describe("registration with a proof before the session", () => {
  let strict: TestApp;
  beforeAll(async () => {
    strict = await startTestApp({
      config: { tenant_defaults: { flows: { registration: { address_proof: "before_session" } } } },
    });
  });
  afterAll(() => strict.stop());

  async function submit(email: string) {
    // Messages are told apart by their time, which stands still otherwise.
    strict.clock.advance(1);
    const client = strict.client(RegistrationService);
    const { flow } = await client.createRegistrationFlow({ client: ClientKind.NATIVE });
    const flowId = flow?.id ?? "";
    const { outcome, flow: drawn } = await client.submitRegistrationFlow({
      flowId,
      traits: { email },
      step: { case: "password", value: { password: "correct horse battery" } },
    });
    return {
      flowId,
      client,
      shape: outcome.case === "nextStep" ? shapeOf(drawn) : outcome.case,
    };
  }

  test("answers a taken address like a free one, and tells its owner (SR-ENUM-2)", async () => {
    const email = freshEmail();
    const free = await submit(email);
    const code = (await strict.messages(email)).at(-1)?.code ?? "";
    const made = await free.client.submitRegistrationFlow({
      flowId: free.flowId,
      step: { case: "code", value: { code } },
    });
    expect(made.outcome.case).toBe("completed");
    const taken = await submit(email);
    expect(taken.shape).toEqual(free.shape);
    const told = (await strict.messages(email)).at(-1);
    expect([told?.template, told?.suppressed, told?.code]).toEqual(["registration_taken", false, ""]);
    const guess = await taken.client.submitRegistrationFlow({
      flowId: taken.flowId,
      step: { case: "code", value: { code } },
    });
    expect(guess.outcome.case).toBe("rejected");
  });

  test("does not take other traits with the code than those that were checked (SR-FLOW-8)", async () => {
    const email = freshEmail();
    const { flowId, client } = await submit(email);
    const code = (await strict.messages(email)).at(-1)?.code ?? "";
    const { outcome } = await client.submitRegistrationFlow({
      flowId,
      traits: { email: freshEmail() },
      step: { case: "code", value: { code } },
    });
    expect(outcome.case === "rejected" && RejectionReason[outcome.value.reason]).toBe("TRAITS_INVALID");
  });

  test("has no session and no account before the code is entered", async () => {
    const email = freshEmail();
    await submit(email);
    const lookup = strict
      .client(IdentityService)
      .lookUpIdentity({ by: { case: "identifier", value: email } });
    expect((await refusal(lookup)).reason).toBe("IDENTITY_NOT_FOUND");
  });
});

describe("settings", () => {
  test("of somebody else, or without a session, are not found or closed (V8.2.1)", async () => {
    const [ada, eve] = [await register(app), await register(app)];
    const own = app.client(SettingsService, { bearer: ada.sessionToken });
    const { flow } = await own.createSettingsFlow({ client: ClientKind.NATIVE });
    const flowId = flow?.id ?? "";
    const foreign = app.client(SettingsService, { bearer: eve.sessionToken });
    const change = { flowId, traits: { email: freshEmail() }, step: { case: "profile" as const, value: {} } };
    expect(
      (await refusal(app.client(FlowService, { bearer: eve.sessionToken }).getFlow({ flowId }))).reason,
    ).toBe("FLOW_NOT_FOUND");
    expect((await refusal(foreign.submitSettingsFlow(change))).reason).toBe("FLOW_NOT_FOUND");
    const nobody = app.client(SettingsService);
    expect((await refusal(nobody.submitSettingsFlow(change))).reason).toBe("SESSION_CREDENTIAL_MISSING");
    expect(
      (await app.client(FlowService, { bearer: ada.sessionToken }).getFlow({ flowId })).flow?.stage.case,
    ).toBe("changeSettings");
  });

  test("after a recovery take a new secret and nothing else (SR-FACTOR-3)", async () => {
    const { email } = await verifiedAccount();
    app.clock.advance(1);
    const recovery = app.client(RecoveryService);
    const { flow } = await recovery.createRecoveryFlow({ client: ClientKind.NATIVE });
    const flowId = flow?.id ?? "";
    await recovery.submitRecoveryFlow({ flowId, address: email, step: { case: "sendCode", value: {} } });
    const { code } = await newestMessage(email);
    const { outcome } = await recovery.submitRecoveryFlow({
      flowId,
      step: { case: "code", value: { code } },
    });
    const action = outcome.case === "completed" ? outcome.value.continueWith[0]?.action : undefined;
    const settingsId = action?.case === "settings" ? (action.value.flow?.id ?? "") : "";
    const settings = app.client(SettingsService);
    const profile = settings.submitSettingsFlow({
      flowId: settingsId,
      traits: { email: freshEmail() },
      step: { case: "profile", value: {} },
    });
    expect((await refusal(profile)).reason).toBe("STEP_NOT_OFFERED");
  });

  test("with a taken address answer as with a free one, and change nothing", async () => {
    const [ada, bob] = [await verifiedAccount(), await register(app)];
    const settings = app.client(SettingsService, { bearer: bob.sessionToken });
    const submit = async (email: string) => {
      app.clock.advance(1);
      const { flow } = await settings.createSettingsFlow({ client: ClientKind.NATIVE });
      const { outcome, flow: drawn } = await settings.submitSettingsFlow({
        flowId: flow?.id ?? "",
        traits: { email },
        step: { case: "profile", value: {} },
      });
      return outcome.case === "nextStep" ? shapeOf(drawn) : outcome.case;
    };
    expect(await submit(ada.email)).toEqual(await submit(freshEmail()));
    expect((await newestMessage(ada.email)).template).toBe("registration_taken");
    expect(await sessionTokenOf(app, bob.email)).toMatch(/^ost_ses_/);
  });
});

test("recovery by an address that was never verified sends nothing, unless the account is unclaimed (SR-OWNER-1)", async () => {
  const made = freshEmail();
  await app.client(IdentityService).createIdentity({
    traits: { email: made },
    credentials: { password: { value: { case: "password", value: goodPassword } } },
  });
  const { email: unclaimed } = await register(app);
  for (const [address, suppressed] of [
    [made, true],
    [unclaimed, false],
  ] as const) {
    app.clock.advance(1);
    const recovery = app.client(RecoveryService);
    const { flow } = await recovery.createRecoveryFlow({ client: ClientKind.NATIVE });
    const step = { case: "sendCode", value: {} } as const;
    await recovery.submitRecoveryFlow({ flowId: flow?.id ?? "", address, step });
    const message = await newestMessage(address);
    expect([message.template, message.suppressed]).toEqual(["recovery_code", suppressed]);
  }
});
