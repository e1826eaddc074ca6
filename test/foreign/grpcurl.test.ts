import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { isInstalled, runProgram } from "../support/foreign.ts";
import { watchKey } from "../support/watch.ts";

const installed = await isInstalled("grpcurl", ["-version"]);
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp();
});

afterAll(() => app.stop());

describe.skipIf(!installed)("grpcurl, by reflection alone,", () => {
  const ask = async (url: string, ...question: readonly string[]) => {
    const { stdout, stderr } = await runProgram("grpcurl", ["-plaintext", new URL(url).host, ...question]);
    return stdout + stderr;
  };
  const call = async (method: string, message: object) => {
    const host = new URL(app.localUrl).host;
    const { stdout, stderr } = await runProgram("grpcurl", [
      "-plaintext",
      "-d",
      JSON.stringify(message),
      host,
      `ostiary.${method}`,
    ]);
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout);
  };

  test("sees on each listener only what it serves", async () => {
    const open = (await ask(app.localUrl, "list")).trim().split("\n").sort();
    const admin = (await ask(app.adminUrl, "list")).trim().split("\n").sort();
    expect(open.filter((name) => name.startsWith("ostiary."))).toEqual([
      "ostiary.flow.v1.FlowService",
      "ostiary.flow.v1.LoginService",
      "ostiary.flow.v1.RecoveryService",
      "ostiary.flow.v1.RegistrationService",
      "ostiary.flow.v1.SettingsService",
      "ostiary.flow.v1.VerificationService",
      "ostiary.session.v1.SessionFeedService",
      "ostiary.session.v1.SessionService",
    ]);
    expect(admin.filter((name) => name.startsWith("ostiary."))).toEqual([
      "ostiary.access.v1.ApiKeyService",
      "ostiary.access.v1.ThrottleService",
      "ostiary.courier.v1.CourierService",
      "ostiary.identity.v1.IdentitySchemaService",
      "ostiary.identity.v1.IdentityService",
      "ostiary.identity.v1.InvitationService",
      "ostiary.provider.v1.ProviderAdminService",
      "ostiary.session.v1.SessionAdminService",
    ]);
    expect(open).toContain("grpc.health.v1.Health");
  });

  test("describes a message with its limits and its access rule", async () => {
    expect(await ask(app.localUrl, "describe", "ostiary.flow.v1.LoginService")).toContain("access");
  });

  test("watches sessions until its deadline", async () => {
    const { secret } = await watchKey(app);
    const { stdout, stderr } = await runProgram("grpcurl", [
      ...["-plaintext", "-max-time", "1", "-H", `authorization: Bearer ${secret}`],
      ...[new URL(app.localUrl).host, "ostiary.session.v1.SessionFeedService/WatchSessions"],
    ]);
    expect(stdout).toContain('"heartbeat"');
    expect(stdout).toContain('"feedAge"');
    expect(stderr).toContain("DeadlineExceeded");
  });

  test("registers, logs in by a form and checks the session with demands", async () => {
    const email = freshEmail();
    const { flow } = await call("flow.v1.RegistrationService/CreateRegistrationFlow", {
      client: "CLIENT_KIND_NATIVE",
    });
    await call("flow.v1.RegistrationService/SubmitRegistrationFlow", {
      flowId: flow.id,
      traits: { email },
      password: { password: goodPassword },
    });
    const login = await call("flow.v1.LoginService/CreateLoginFlow", { client: "CLIENT_KIND_NATIVE" });
    const form = { flowId: login.flow.id, step: "password" };
    const wrong = { identifier: email, "password.password": "wrong horse" };
    const { rejected } = await call("flow.v1.FlowService/SubmitForm", { ...form, values: wrong });
    expect(rejected).toEqual({ reason: "REJECTION_REASON_CREDENTIALS_INVALID" });
    const again = await call("flow.v1.FlowService/GetFlow", { flowId: login.flow.id });
    expect(again.flow.kind).toBe("FLOW_KIND_LOGIN");
    const right = { identifier: email, "password.password": goodPassword };
    const { completed } = await call("flow.v1.FlowService/SubmitForm", { ...form, values: right });
    const checked = await call("session.v1.SessionService/CheckSession", {
      token: completed.signedIn.sessionToken,
      demands: [
        { assuranceLevel: "ASSURANCE_LEVEL_AAL1" },
        { freshness: { freshnessClass: "FRESHNESS_CLASS_PRIVILEGED" } },
      ],
      view: "SESSION_VIEW_FULL",
    });
    expect(checked.identity.traits).toEqual({ email });
  });

  test("sees what the tenant offers", async () => {
    const { profile } = await call("flow.v1.FlowService/GetTenantProfile", {});
    expect(profile.login.methods).not.toHaveLength(0);
  });

  test("is told the reason of a refusal, and its remedy", async () => {
    const host = new URL(app.localUrl).host;
    const { stderr } = await runProgram("grpcurl", [
      "-plaintext",
      "-d",
      '{"token":"x"}',
      host,
      "ostiary.session.v1.SessionService/CheckSession",
    ]);
    expect(stderr).toContain("SESSION_TOKEN_MALFORMED");
    expect(stderr).toContain("Send the token exactly as it was issued.");
  });
});
