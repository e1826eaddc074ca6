import { randomUUID } from "node:crypto";
import { getOption, hasOption } from "@bufbuild/protobuf";
import { durationFromMs, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { VerificationService } from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import {
  CreateRecoveryLinkResponseSchema,
  IdentityService,
} from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { method as methodOption, RateClass } from "../../gen/ostiary/option/v1/option_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, goodPassword, logIn, register } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { deletePassword } from "../support/credentials.ts";
import { refusal } from "../support/errors.ts";
import { recoveryResult, settingsAfter, tokenOf } from "../support/links.ts";
import { administer } from "../support/postgres.ts";

const newPassword = "a wholly new secret";
const page = "https://app.example.com/recover";
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp({
    config: {
      tenant_defaults: {
        link: { enabled: true },
        flows: { recovery: { ui_url: page }, verification: { ui_url: "https://app.example.com/verify" } },
      },
    },
  });
});

afterAll(() => app.stop());

const identities = () => app.client(IdentityService);

async function createLink(identityId: string, lifetimeMs?: number): Promise<string> {
  app.clock.advance(1);
  const { linkToken } = await identities().createRecoveryLink({
    identityId,
    expiration:
      lifetimeMs === undefined
        ? { case: undefined }
        : { case: "lifetime", value: durationFromMs(lifetimeMs) },
  });
  return linkToken;
}

async function open(linkToken: string): Promise<string> {
  const { flow } = await app
    .client(RecoveryService)
    .createRecoveryFlow({ client: ClientKind.NATIVE, linkToken });
  return flow?.id ?? "";
}

function confirm(flowId: string) {
  return app.client(RecoveryService).submitRecoveryFlow({ flowId, step: { case: "confirmLink", value: {} } });
}

/** Why a link cannot be opened; undefined if it can. */
async function whyDead(linkToken: string): Promise<string | undefined> {
  const call = app.client(RecoveryService).createRecoveryFlow({ client: ClientKind.NATIVE, linkToken });
  return call.then(
    () => undefined,
    async (error: unknown) => (await refusal(Promise.reject(error))).reason,
  );
}

function setSecret(flowId: string, password: string) {
  return app
    .client(SettingsService)
    .submitSettingsFlow({ flowId, step: { case: "password", value: { password } } });
}

async function verifiedAccount(): Promise<{ email: string; id: string }> {
  const email = freshEmail();
  const { identity } = await identities().createIdentity({
    traits: { email },
    verifiedAddresses: [{ value: email }],
    credentials: { password: { value: { case: "password", value: goodPassword } } },
  });
  return { email, id: identity?.id ?? "" };
}

async function newestMessage(recipient: string) {
  const message = (await app.messages(recipient)).at(-1);
  if (message === undefined) throw new Error(`nothing was sent to ${recipient}`);
  return message;
}

describe.each(protocols)("over %s", (protocol) => {
  test("an operator's link recovers an account without a verified address, and its other sessions end", async () => {
    const { email, identity, sessionToken } = await register(app);
    const identityId = identity?.id ?? "";
    const made = await app.client(IdentityService, { protocol }).createRecoveryLink({ identityId });
    expect(made.recoveryUrl).toBe(`${page}#link=${made.linkToken}`);
    expect(made.linkToken).toMatch(/^ost_lnk_default_/);
    const recovery = app.client(RecoveryService, { protocol });
    const { flow } = await recovery.createRecoveryFlow({
      client: ClientKind.NATIVE,
      linkToken: made.linkToken,
    });
    expect(flow?.stage.case).toBe("confirmLink");
    const used = await recovery.submitRecoveryFlow({
      flowId: flow?.id ?? "",
      step: { case: "confirmLink", value: {} },
    });
    // The operator never learns the secret, and no session comes before it is set (ASVS V6.4.6, SR-FACTOR-5).
    if (used.outcome.case === "completed") expect(used.outcome.value.signedIn).toBeUndefined();
    const { outcome } = await app.client(SettingsService, { protocol }).submitSettingsFlow({
      flowId: settingsAfter(used),
      step: { case: "password", value: { password: newPassword } },
    });
    expect(outcome.case === "completed" && outcome.value.signedIn?.sessionToken).toMatch(/^ost_ses_/);
    const check = app.client(SessionService, { protocol }).checkSession({ token: sessionToken });
    expect((await refusal(check)).reason).toBe("SESSION_REVOKED");
    expect((await logIn(app, email)).case).toBe("rejected");
    expect((await logIn(app, email, newPassword)).case).toBe("completed");
  });

  test("a recovery and a verification message go to an own address, by a link", async () => {
    const { email, id } = await verifiedAccount();
    const sent = await app.client(IdentityService, { protocol }).sendRecoveryMessage({ identityId: id });
    expect(sent.address).toBe(email);
    const message = await newestMessage(email);
    expect([message.template, message.suppressed]).toEqual(["recovery_link", false]);
    expect(recoveryResult(await confirm(await open(tokenOf(message.url))))).toBe("completed");

    const other = await register(app);
    const verification = await app.client(IdentityService, { protocol }).sendVerificationMessage({
      identityId: other.identity?.id ?? "",
      address: ` ${other.email.toUpperCase()} `,
    });
    expect(verification.address).toBe(other.email);
    const link = (await app.messages(other.email)).find(({ template }) => template === "verification_link");
    // In a session of the account: outside of one its holder is asked whose account it is.
    const flows = app.client(VerificationService, { protocol, bearer: other.sessionToken });
    const { flow } = await flows.createVerificationFlow({
      client: ClientKind.NATIVE,
      linkToken: tokenOf(link?.url ?? ""),
    });
    const { outcome } = await flows.submitVerificationFlow({
      flowId: flow?.id ?? "",
      step: { case: "confirmLink", value: {} },
    });
    expect(outcome.case).toBe("completed");
    const { identity } = await identities().getIdentity({ identityId: other.identity?.id ?? "" });
    expect(identity?.addresses[0]?.verifyTime).toBeDefined();
  });
});

describe("an operator's link", () => {
  test("ends at the moment that was asked for, from a minute to a day from now", async () => {
    const { id: identityId } = await verifiedAccount();
    const within = (seconds: number) => {
      const time = timestampFromDate(new Date(app.clock.now().getTime() + seconds * 1000));
      return identities().createRecoveryLink({ identityId, expiration: { case: "expireTime", value: time } });
    };
    const { expireTime } = await within(7200);
    expect(expireTime && timestampDate(expireTime).getTime() - app.clock.now().getTime()).toBe(7_200_000);
    for (const seconds of [-1, 59, 86_401]) {
      expect(await refusal(within(seconds))).toMatchObject({
        reason: "REQUEST_INVALID",
        fields: ["expireTime"],
      });
    }
  });

  test("recovers an account without an address, and shows its name", async () => {
    // The default schema has email addresses only; this account's is taken away behind the server's back.
    const { id } = await verifiedAccount();
    await administer(app.databaseUrl, async (query) => {
      await query("DELETE FROM ostiary.identity_verifiable_address WHERE identity_id = $1", [id]);
      await query("DELETE FROM ostiary.identity_recovery_address WHERE identity_id = $1", [id]);
    });
    const flowId = await open(await createLink(id));
    const { flow } = await app.client(FlowService).getFlow({ flowId });
    expect(flow?.stage).toMatchObject({
      case: "confirmLink",
      value: { address: expect.stringMatching(/./) },
    });
    const settings = await setSecret(settingsAfter(await confirm(flowId)), newPassword);
    expect(settings.outcome.case).toBe("completed");
  });

  test("is used once by 16 submits at the same moment, of one flow or of several (SR-CODE-3)", async () => {
    const { id } = await verifiedAccount();
    const once = async (flowIds: readonly string[]) => {
      const results = await Promise.allSettled(flowIds.map(confirm));
      return results.filter(
        (result) => result.status === "fulfilled" && recoveryResult(result.value) === "completed",
      );
    };
    const one = await open(await createLink(id));
    expect(await once(Array.from({ length: 16 }, () => one))).toHaveLength(1);
    const token = await createLink(id);
    const several = await Promise.all(Array.from({ length: 16 }, () => open(token)));
    expect(await once(several)).toHaveLength(1);
    expect(await whyDead(token)).toBe("LINK_INVALID");
  });

  test("works until its time: the configured one, or its own of at most a day", async () => {
    const { id } = await verifiedAccount();
    const standard = await createLink(id);
    app.clock.advance(10 * 60_000 - 1);
    expect(await whyDead(standard)).toBeUndefined();
    app.clock.advance(1);
    expect(await whyDead(standard)).toBe("LINK_INVALID");
    const long = await createLink(id, 24 * 3_600_000);
    app.clock.advance(24 * 3_600_000 - 1);
    expect(await whyDead(long)).toBeUndefined();
    const opened = await open(long);
    app.clock.advance(1);
    expect(await whyDead(long)).toBe("LINK_INVALID");
    // Opened in time, but not used in time.
    expect(recoveryResult(await confirm(opened))).toBe("LINK_INVALID");
    const tooLong = identities().createRecoveryLink({
      identityId: id,
      expiration: { case: "lifetime", value: durationFromMs(86_401_000) },
    });
    expect(await refusal(tooLong)).toMatchObject({ reason: "REQUEST_INVALID", fields: ["lifetime"] });
  });

  const endings: Record<string, (account: { id: string; email: string }) => Promise<unknown>> = {
    "the identity is deactivated": ({ id }) => identities().deactivateIdentity({ identityId: id }),
    "the identity is deleted": ({ id }) => identities().deleteIdentity({ identityId: id }),
    "an operator sets the password": ({ id }) =>
      identities().setPassword({
        identityId: id,
        password: { value: { case: "password", value: newPassword } },
      }),
    "an operator removes the password": ({ id }) => deletePassword(identities(), id),
    "an operator changes the address": ({ id }) =>
      identities().updateIdentity({
        identityId: id,
        traitsChange: { case: "traits", value: { email: freshEmail() } },
      }),
    "an operator makes another one": ({ id }) => createLink(id),
    "an operator has one sent": ({ id }) => identities().sendRecoveryMessage({ identityId: id }),
    "the owner changes the password": async ({ email }) => {
      const outcome = await logIn(app, email);
      const bearer = outcome.case === "completed" ? outcome.value.signedIn?.sessionToken : "";
      const settings = app.client(SettingsService, { bearer });
      const { flow } = await settings.createSettingsFlow({ client: ClientKind.NATIVE });
      const step = { case: "password", value: { password: newPassword } } as const;
      const saved = await settings.submitSettingsFlow({ flowId: flow?.id ?? "", step });
      expect(saved.outcome.case).toBe("saved");
    },
  };
  test.each(Object.keys(endings))("is dead once %s (V7.4.2, SR-FACTOR-5)", async (name) => {
    const account = await verifiedAccount();
    const token = await createLink(account.id);
    // The control: it can be opened until then.
    const opened = await open(token);
    await endings[name]?.(account);
    expect(await whyDead(token)).toBe("LINK_INVALID");
    const used = await confirm(opened).then(recoveryResult, async (error: unknown) => {
      return (await refusal(Promise.reject(error))).reason;
    });
    expect(["LINK_INVALID", "FLOW_COMPLETED", "FLOW_NOT_FOUND", "CODE_INVALID"]).toContain(used);
  });

  test("lives on when the owner begins a recovery, and theirs when an operator does", async () => {
    const { email, id } = await verifiedAccount();
    const token = await createLink(id);
    const recovery = app.client(RecoveryService);
    const { flow } = await recovery.createRecoveryFlow({ client: ClientKind.NATIVE });
    const flowId = flow?.id ?? "";
    await recovery.submitRecoveryFlow({ flowId, address: email, step: { case: "sendCode", value: {} } });
    expect(await whyDead(token)).toBeUndefined();
    const { code } = await newestMessage(email);
    await createLink(id);
    const entered = await recovery.submitRecoveryFlow({ flowId, step: { case: "code", value: { code } } });
    expect(recoveryResult(entered)).toBe("completed");
  });

  test("is one of 16 that operators make at the same moment", async () => {
    const { id } = await verifiedAccount();
    const tokens = await Promise.all(
      Array.from(
        { length: 16 },
        async () => (await identities().createRecoveryLink({ identityId: id })).linkToken,
      ),
    );
    const states = await Promise.all(tokens.map(whyDead));
    expect(states.filter((reason) => reason === undefined)).toHaveLength(1);
  });

  test("is no link to verify with, and is nothing without its page (SR-CODE-4)", async () => {
    const { id } = await verifiedAccount();
    const linkToken = await createLink(id);
    const call = app
      .client(VerificationService)
      .createVerificationFlow({ client: ClientKind.NATIVE, linkToken });
    expect((await refusal(call)).reason).toBe("LINK_INVALID");
  });

  test("is given again for the same request id, and its secrets are marked as such", async () => {
    const { id } = await verifiedAccount();
    const request = { requestId: randomUUID(), identityId: id };
    const [first, again] = [
      await identities().createRecoveryLink(request),
      await identities().createRecoveryLink(request),
    ];
    expect(again).toEqual(first);
    expect(first.expireTime && timestampDate(first.expireTime)).toEqual(
      new Date(app.clock.now().getTime() + 600_000),
    );
    const other = identities().createRecoveryLink({
      ...request,
      expiration: { case: "lifetime", value: durationFromMs(60_000) },
    });
    expect((await refusal(other)).reason).toBe("REQUEST_ID_REUSED");
    const secrets = CreateRecoveryLinkResponseSchema.fields.filter(({ proto }) => proto.options?.debugRedact);
    expect(secrets.map(({ name }) => name)).toEqual(["recovery_url", "link_token"]);
    // Nor is it in the log or, in plain, in the database.
    expect(JSON.stringify(app.log)).not.toContain(first.linkToken);
  });
});

describe("what operators begin", () => {
  test("needs a scope of its own, and counts as a write", async () => {
    const { id } = await verifiedAccount();
    const { secret } = await app
      .client(ApiKeyService)
      .createApiKey({ name: "support", scopes: ["identity:read", "identity:update"] });
    const client = app.client(IdentityService, { bearer: secret });
    const refused = await Promise.all(
      [
        client.createRecoveryLink({ identityId: id }),
        client.sendRecoveryMessage({ identityId: id }),
        client.sendVerificationMessage({ identityId: id }),
        client.batchSendRecoveryMessages({ identityIds: [id] }),
        client.batchSendVerificationMessages({ identityIds: [id] }),
      ].map(refusal),
    );
    for (const one of refused) {
      expect(one).toMatchObject({
        code: "PermissionDenied",
        reason: "API_KEY_SCOPE_MISSING",
        metadata: { scope: "identity:recover" },
      });
    }
    const { method: methods } = IdentityService;
    for (const method of [
      methods.createRecoveryLink,
      methods.sendRecoveryMessage,
      methods.sendVerificationMessage,
      methods.batchSendRecoveryMessages,
      methods.batchSendVerificationMessages,
    ]) {
      expect(hasOption(method, methodOption) && getOption(method, methodOption).access?.rateClass).toBe(
        RateClass.ADMIN_WRITE,
      );
    }
  });

  test("is refused for nobody, and for an inactive identity", async () => {
    const { id } = await verifiedAccount();
    await identities().deactivateIdentity({ identityId: id });
    const nobody = "01890000-0000-7000-8000-000000000000";
    expect(await refusal(identities().createRecoveryLink({ identityId: id }))).toMatchObject({
      code: "FailedPrecondition",
      reason: "IDENTITY_INACTIVE",
      remedy: "Activate it first.",
    });
    expect((await refusal(identities().createRecoveryLink({ identityId: nobody }))).reason).toBe(
      "IDENTITY_NOT_FOUND",
    );
    expect((await refusal(identities().sendRecoveryMessage({ identityId: nobody }))).reason).toBe(
      "IDENTITY_NOT_FOUND",
    );
  });

  test("goes to no address that is somebody else's, or was never verified (SR-OWNER-1)", async () => {
    const [ada, bob] = [await register(app), await verifiedAccount()];
    const before = (await app.messages()).length;
    const identityId = ada.identity?.id ?? "";
    const refused = await Promise.all(
      [
        identities().sendRecoveryMessage({ identityId }),
        identities().sendRecoveryMessage({ identityId, address: ada.email }),
        identities().sendRecoveryMessage({ identityId, address: bob.email }),
        identities().sendVerificationMessage({ identityId, address: bob.email }),
        identities().sendVerificationMessage({ identityId, address: "not an address" }),
        // Nothing is left to verify.
        identities().sendVerificationMessage({ identityId: bob.id }),
      ].map(refusal),
    );
    for (const one of refused) {
      expect(one).toMatchObject({ code: "FailedPrecondition", reason: "ADDRESS_NOT_USABLE" });
    }
    expect((await app.messages()).length).toBe(before);
  });

  test("is recorded with who did it", async () => {
    const { id } = await verifiedAccount();
    await createLink(id);
    await identities().sendRecoveryMessage({ identityId: id });
    const { email, identity } = await register(app);
    await identities().sendVerificationMessage({ identityId: identity?.id ?? "", address: email });
    const rows = await administer(app.databaseUrl, (query) =>
      query<{ type: string; actor: string; delivery: string }>(
        `SELECT type, actor ->> 'kind' AS actor, data ->> 'delivery' AS delivery FROM ostiary.event
          WHERE type LIKE '%started_by_operator' AND identity_id = ANY ($1) ORDER BY position`,
        [[id, identity?.id]],
      ),
    );
    expect(rows).toEqual([
      { type: "recovery.started_by_operator", actor: "api_key", delivery: "handed_over" },
      { type: "recovery.started_by_operator", actor: "api_key", delivery: "sent" },
      { type: "verification.started_by_operator", actor: "api_key", delivery: "sent" },
    ]);
  });
});

describe("with links and recovery switched off", () => {
  let strict: TestApp;
  beforeAll(async () => {
    strict = await startTestApp({
      config: { tenant_defaults: { flows: { recovery: { enabled: false, ui_url: page } } } },
    });
  });
  afterAll(() => strict.stop());

  test("a link can still be handed over and used, but none is sent, and people begin none", async () => {
    const { identity } = await register(strict);
    const identityId = identity?.id ?? "";
    const client = strict.client(IdentityService);
    const { linkToken } = await client.createRecoveryLink({ identityId });
    const recovery = strict.client(RecoveryService);
    const begun = recovery.createRecoveryFlow({ client: ClientKind.NATIVE });
    expect((await refusal(begun)).reason).toBe("RECOVERY_DISABLED");
    const { flow } = await recovery.createRecoveryFlow({ client: ClientKind.NATIVE, linkToken });
    const used = await recovery.submitRecoveryFlow({
      flowId: flow?.id ?? "",
      step: { case: "confirmLink", value: {} },
    });
    expect(recoveryResult(used)).toBe("completed");
    const sent = await refusal(client.sendRecoveryMessage({ identityId }));
    expect(sent).toMatchObject({ code: "FailedPrecondition", reason: "LINKS_DISABLED" });
    expect(sent.remedy).toContain("tenant_defaults.link.enabled");
  });
});

test("without a page a link is refused, and the error says what to configure", async () => {
  const bare = await startTestApp({ config: { server: { ui: { enabled: false } } } });
  try {
    const { identity } = await register(bare);
    const call = bare.client(IdentityService).createRecoveryLink({ identityId: identity?.id ?? "" });
    const refused = await refusal(call);
    expect(refused).toMatchObject({
      code: "FailedPrecondition",
      reason: "UI_URL_MISSING",
      metadata: { flow: "recovery" },
    });
    expect(refused.remedy).toContain("ui_url");
  } finally {
    await bare.stop();
  }
});
