import { timestampDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionService, SessionView } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { goodPassword, register, sessionTokenOf } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { Browser } from "../support/browser.ts";
import {
  deleteAccount,
  deletionConfig,
  deletionEvents,
  openSettings,
  stepsOf,
  verifiedAccount,
} from "../support/deletion.ts";
import { refusal } from "../support/errors.ts";
import { announceJob } from "../support/jobs.ts";
import { settingsAfter } from "../support/links.ts";
import { administer } from "../support/postgres.ts";

const dayMs = 24 * 3_600_000;
let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ config: deletionConfig() });
});
afterAll(() => app.stop());

async function identityOf(id: string) {
  return (await app.client(IdentityService).getIdentity({ identityId: id })).identity;
}

describe.each(protocols)("over %s", (protocol) => {
  test("an account is scheduled for deletion, and kept by its owner in the meantime", async () => {
    const { email, id, sessionToken } = await verifiedAccount(app);
    const other = await sessionTokenOf(app, email);
    // The message about that login comes before the others.
    app.clock.advance(1);
    const before = await openSettings(app, sessionToken, protocol);
    expect(stepsOf(before.flow)).toEqual(["profile", "password", "totp", "backupCodes", "deleteAccount"]);

    const purgeTime = await deleteAccount(app, sessionToken, protocol);
    expect(purgeTime.getTime()).toBe(app.clock.now().getTime() + 30 * dayMs);
    for (const token of [sessionToken, other]) {
      const check = app.client(SessionService).checkSession({ token });
      expect((await refusal(check)).reason).toBe("SESSION_REVOKED");
    }
    expect((await identityOf(id))?.purgeTime).toBeDefined();
    expect((await app.messages(email)).at(-1)?.template).toBe("account_deletion_scheduled");

    // Signing in alone does not cancel it.
    const token = await sessionTokenOf(app, email);
    const sessions = app.client(SessionService, { protocol, bearer: token });
    expect((await sessions.getCurrentSession({ view: SessionView.FULL })).identity?.purgeTime).toBeDefined();
    // Keeping an account needs no fresh login.
    app.clock.advance(16 * 60_000);
    const { flow, submit } = await openSettings(app, token, protocol);
    expect(flow.form?.messages.map((message) => message.id)).toEqual([9000050]);
    expect(flow.form?.messages[0]?.context).toMatchObject({
      purge_time: expect.stringMatching(/^2026-12-/),
    });
    expect(stepsOf(flow)).toEqual(["keepAccount", "profile", "password", "totp", "backupCodes"]);
    const offers = flow.stage.case === "changeSettings" ? flow.stage.value.offers : [];
    expect(offers.map(({ part }) => part.case)).toEqual([
      "profile",
      "password",
      "totp",
      "backupCode",
      "deletion",
    ]);
    const deletion = offers.at(-1);
    const scheduled = deletion?.part.case === "deletion" ? deletion.part.value.purgeTime : undefined;
    expect(scheduled && timestampDate(scheduled)).toEqual(purgeTime);
    expect((await refusal(submit("deleteAccount"))).reason).toBe("STEP_NOT_OFFERED");
    const { outcome, flow: drawn } = await submit("keepAccount");
    if (outcome.case !== "saved") throw new Error(`it was ${outcome.case}`);
    expect(outcome.value.identity?.purgeTime).toBeUndefined();
    expect(drawn?.form?.messages.map((message) => message.id)).toEqual([1050001]);
    expect(stepsOf(drawn)).toEqual(["profile", "password", "totp", "backupCodes", "deleteAccount"]);
    expect((await refusal(submit("keepAccount"))).reason).toBe("STEP_NOT_OFFERED");
    expect((await identityOf(id))?.purgeTime).toBeUndefined();
    expect((await app.messages(email)).at(-1)?.template).toBe("account_kept");
    const events = await deletionEvents(app.databaseUrl, id);
    expect(events.map(({ type, actor }) => `${type} by ${actor}`)).toEqual([
      "identity.deletion_scheduled by identity",
      "identity.deletion_cancelled by identity",
    ]);
  });
});

describe("a browser", () => {
  test("is signed out, and keeps the account after it has signed in again", async () => {
    const { email } = await verifiedAccount(app);
    const browser = new Browser(app.publicUrl);
    const flows = "/ostiary.flow.v1";
    const logIn = async () => {
      const { flow } = (
        await browser.post(`${flows}.LoginService/CreateLoginFlow`, { client: "CLIENT_KIND_BROWSER" })
      ).body;
      const credentials = { identifier: email, password: { password: goodPassword } };
      const submission = { flowId: flow.id, csrfToken: flow.csrfToken, ...credentials };
      return browser.post(`${flows}.LoginService/SubmitLoginFlow`, submission);
    };
    const settle = async (step: object, csrfToken?: string) => {
      const created = await browser.post(`${flows}.SettingsService/CreateSettingsFlow`, {
        client: "CLIENT_KIND_BROWSER",
      });
      const { flow } = created.body;
      const submission = { flowId: flow.id, csrfToken: csrfToken ?? flow.csrfToken, ...step };
      return browser.post(`${flows}.SettingsService/SubmitSettingsFlow`, submission);
    };
    await logIn();
    // Security rule (SR-SETTINGS-2): another site's form deletes nothing.
    expect((await settle({ deleteAccount: {} }, "forged")).reason).toBe("CSRF_TOKEN_INVALID");
    const scheduled = await settle({ deleteAccount: {} });
    expect(scheduled.body.completed.purgeTime).toMatch(/^2026-12-|^2027-/);
    expect(browser.cookies.has("ostiary_session")).toBe(false);
    await logIn();
    expect((await settle({ keepAccount: {} })).body.saved.identity.purgeTime).toBeUndefined();
    expect(browser.cookies.has("ostiary_session")).toBe(true);
  });
});

describe("security rules (SR-SETTINGS-2)", () => {
  test("a session that is not fresh deletes nothing, and goes on after a login", async () => {
    const { id, sessionToken } = await verifiedAccount(app);
    app.clock.advance(16 * 60_000);
    const { flow, submit } = await openSettings(app, sessionToken);
    const { outcome, flow: drawn } = await submit("deleteAccount");
    if (outcome.case !== "loginRequired") throw new Error(`it was ${outcome.case}`);
    // Neither once more, nor by the step that goes on.
    expect((await submit("resume")).outcome.case).toBe("loginRequired");
    expect((await identityOf(id))?.purgeTime).toBeUndefined();
    const login = await app.client(LoginService).submitLoginFlow({
      flowId: drawn?.id ?? "",
      step: { case: "password", value: { password: goodPassword } },
    });
    const token =
      login.outcome.case === "completed" ? (login.outcome.value.signedIn?.sessionToken ?? "") : "";
    const { submitTo } = await openSettings(app, token);
    expect((await submitTo(flow.id, "resume")).outcome.case).toBe("completed");
    expect((await identityOf(id))?.purgeTime).toBeDefined();
  });

  test("an account is deleted and kept by its owner's own session and flow alone", async () => {
    const [ada, eve] = [await verifiedAccount(app), await verifiedAccount(app)];
    const own = await openSettings(app, ada.sessionToken);
    const foreign = await openSettings(app, eve.sessionToken);
    expect((await refusal(foreign.submitTo(own.flow.id, "deleteAccount"))).reason).toBe("FLOW_NOT_FOUND");
    expect((await identityOf(ada.id))?.purgeTime).toBeUndefined();
    await own.submit("deleteAccount");
    const fresh = await openSettings(app, await sessionTokenOf(app, ada.email));
    expect((await refusal(foreign.submitTo(fresh.flow.id, "keepAccount"))).reason).toBe("FLOW_NOT_FOUND");
    expect((await refusal(foreign.submit("keepAccount"))).reason).toBe("STEP_NOT_OFFERED");
    expect((await identityOf(ada.id))?.purgeTime).toBeDefined();
  });

  test("nothing that was begun before works afterwards: sessions, flows, codes", async () => {
    const { email, id, sessionToken } = await verifiedAccount(app);
    const login = app.client(LoginService);
    const { flow } = await login.createLoginFlow({ client: ClientKind.NATIVE });
    const flowId = flow?.id ?? "";
    await login.submitLoginFlow({ flowId, identifier: email, step: { case: "sendCode", value: {} } });
    const { code } = (await app.messages(email)).at(-1) ?? { code: "" };
    const older = await openSettings(app, sessionToken);
    await deleteAccount(app, sessionToken);
    const entered = await login.submitLoginFlow({ flowId, step: { case: "code", value: { code } } });
    expect(entered.outcome).toMatchObject({
      case: "rejected",
      value: { reason: RejectionReason.CODE_INVALID },
    });
    expect((await refusal(openSettings(app, sessionToken))).reason).toBe("SESSION_REVOKED");
    // Nor with a new session: the flow is over.
    const fresh = await openSettings(app, await sessionTokenOf(app, email));
    expect((await refusal(fresh.submitTo(older.flow.id, "keepAccount"))).reason).toBe("FLOW_COMPLETED");
    expect((await identityOf(id))?.purgeTime).toBeDefined();
  });

  test("the settings after a recovery delete nothing", async () => {
    const { email } = await verifiedAccount(app);
    const recovery = app.client(RecoveryService);
    const { flow } = await recovery.createRecoveryFlow({ client: ClientKind.NATIVE });
    const flowId = flow?.id ?? "";
    app.clock.advance(1);
    await recovery.submitRecoveryFlow({ flowId, address: email, step: { case: "sendCode", value: {} } });
    const { code } = (await app.messages(email)).at(-1) ?? { code: "" };
    const recovered = await recovery.submitRecoveryFlow({ flowId, step: { case: "code", value: { code } } });
    const settings = app.client(SettingsService);
    for (const name of ["deleteAccount", "keepAccount"] as const) {
      const submission = { flowId: settingsAfter(recovered), step: { case: name, value: {} } } as const;
      expect((await refusal(settings.submitSettingsFlow(submission))).reason).toBe("STEP_NOT_OFFERED");
    }
    const form = await app.client(FlowService).getFlow({ flowId: settingsAfter(recovered) });
    expect(stepsOf(form.flow)).toEqual(["password"]);
  });

  test("where it is not allowed it is not offered, and what was scheduled can still be cancelled", async () => {
    const { email, sessionToken } = await verifiedAccount(app);
    const closed = await startTestApp({ databaseUrl: app.databaseUrl, clock: app.clock });
    try {
      const { flow, submit } = await openSettings(closed, sessionToken);
      expect(stepsOf(flow)).toEqual(["profile", "password", "totp", "backupCodes"]);
      expect((await refusal(submit("deleteAccount"))).reason).toBe("STEP_NOT_OFFERED");
      await deleteAccount(app, sessionToken);
      const after = await openSettings(closed, await sessionTokenOf(closed, email));
      expect((await after.submit("keepAccount")).outcome.case).toBe("saved");
    } finally {
      await closed.stop();
    }
  });

  test("no other change of an account schedules a deletion or cancels one", async () => {
    const { id, sessionToken } = await verifiedAccount(app);
    await deleteAccount(app, sessionToken);
    const identities = app.client(IdentityService);
    const scheduled = (await identityOf(id))?.purgeTime;
    const updated = await identities.updateIdentity({
      identityId: id,
      adminMetadataChange: { case: "adminMetadata", value: { vip: true } },
    });
    expect(updated.identity?.purgeTime).toEqual(scheduled);
    await identities.deactivateIdentity({ identityId: id });
    expect((await identities.activateIdentity({ identityId: id })).identity?.purgeTime).toEqual(scheduled);
    const smuggled = await fetch(`${app.adminUrl}/ostiary.identity.v1.IdentityService/CreateIdentity`, {
      method: "POST",
      headers: { authorization: `Bearer ${app.apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ traits: { email: "smuggler@example.com" }, purgeTime: "2020-01-01T00:00:00Z" }),
    });
    expect(JSON.stringify(await smuggled.json())).toContain("REQUEST_MALFORMED");
  });
});

test("an operator cancels a deletion, once, and the owner is told", async () => {
  const { email, id, sessionToken } = await verifiedAccount(app);
  await deleteAccount(app, sessionToken);
  const identities = app.client(IdentityService);
  for (let count = 0; count < 2; count++) {
    const { identity } = await identities.cancelIdentityDeletion({ identityId: id });
    expect([identity?.id, identity?.purgeTime]).toEqual([id, undefined]);
  }
  const told = (await app.messages(email)).filter(({ template }) => template === "account_kept");
  expect(told).toHaveLength(1);
  const events = await deletionEvents(app.databaseUrl, id);
  expect(events.map(({ type, actor }) => `${type} by ${actor}`)).toEqual([
    "identity.deletion_scheduled by identity",
    "identity.deletion_cancelled by api_key",
  ]);
  const nobody = identities.cancelIdentityDeletion({ identityId: "01890000-0000-7000-8000-000000000001" });
  expect((await refusal(nobody)).reason).toBe("IDENTITY_NOT_FOUND");
});

test("the server deletes what is due, inactive accounts as well, and nothing that was kept", async () => {
  const due = await verifiedAccount(app);
  const inactive = await verifiedAccount(app);
  const kept = await verifiedAccount(app);
  for (const { sessionToken } of [due, inactive, kept]) await deleteAccount(app, sessionToken);
  await app.client(IdentityService).deactivateIdentity({ identityId: inactive.id });
  await app.client(IdentityService).cancelIdentityDeletion({ identityId: kept.id });
  app.clock.advance(30 * dayMs - 1);
  const later = await verifiedAccount(app);
  await deleteAccount(app, later.sessionToken);
  app.clock.advance(1);
  await announceJob(app.databaseUrl, "delete_due_accounts");
  for (const { id, email } of [due, inactive]) {
    await vi.waitFor(
      async () =>
        expect((await deletionEvents(app.databaseUrl, id)).at(-1)).toEqual({
          type: "identity.deleted",
          actor: "server",
          data: { reason: "owner_requested" },
        }),
      { timeout: 10_000 },
    );
    expect((await refusal(identityOf(id))).reason).toBe("IDENTITY_NOT_FOUND");
    // The address is free again.
    expect(["", undefined, id]).not.toContain((await register(app, { email })).identity?.id);
  }
  expect((await identityOf(kept.id))?.id).toBe(kept.id);
  expect((await identityOf(later.id))?.purgeTime).toBeDefined();
});

test("without a period of grace the account is gone at once, and the owner is told", async () => {
  const hasty = await startTestApp({ config: deletionConfig("0s") });
  try {
    const { email, id, sessionToken } = await verifiedAccount(hasty);
    const { flow, submit } = await openSettings(hasty, sessionToken);
    expect(JSON.stringify(flow.form)).toContain("can't be undone");
    const { outcome } = await submit("deleteAccount");
    expect(outcome.case).toBe("completed");
    const gone = hasty.client(IdentityService).getIdentity({ identityId: id });
    expect((await refusal(gone)).reason).toBe("IDENTITY_NOT_FOUND");
    expect((await refusal(submit("deleteAccount"))).reason).toBe("FLOW_NOT_FOUND");
    expect((await hasty.messages(email)).map(({ template }) => template)).toEqual([
      ...["login_new_device", "account_deleted"],
    ]);
    expect(await deletionEvents(hasty.databaseUrl, id)).toEqual([
      { type: "identity.deleted", actor: "identity", data: { reason: "owner_requested" } },
    ]);
    const { rows } = await administer(hasty.databaseUrl, async (query) => ({
      rows: await query(
        "SELECT FROM ostiary.session UNION ALL SELECT FROM ostiary.flow WHERE identity_id = $1",
        [id],
      ),
    }));
    expect(rows).toEqual([]);
  } finally {
    await hasty.stop();
  }
});
