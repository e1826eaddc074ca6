import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { runProgram } from "../support/foreign.ts";

let app: TestApp;

beforeAll(async () => {
  app = await startTestApp({ config: { tenant_defaults: { link: { enabled: true } } } });
});

afterAll(() => app.stop());

// buf is among the repository's own tools, so this client is never absent. It is started as it is: its command is a program of
// Node, which takes six times as long as itself.
const [platform = ""] = readdirSync("node_modules/@bufbuild").filter((name) => name.startsWith("buf-"));
const buf = `node_modules/@bufbuild/${platform}/bin/buf`;

describe.each(["connect", "grpc", "grpcweb"])("buf curl, by reflection alone, over %s", (protocol) => {
  const call = (url: string, method: string, message: object, ...more: readonly string[]) =>
    runProgram(buf, [
      ...[
        "curl",
        "--protocol",
        protocol,
        "--http2-prior-knowledge",
        "--data",
        JSON.stringify(message),
        ...more,
      ],
      `${url}/ostiary.${method}`,
    ]);

  test("sees what the tenant offers, registers by a form and checks the session with demands", async () => {
    const offered = await call(app.localUrl, "flow.v1.FlowService/GetTenantProfile", {});
    expect(JSON.parse(offered.stdout).profile.registration.methods).not.toHaveLength(0);
    const email = freshEmail();
    const begun = await call(app.localUrl, "flow.v1.RegistrationService/CreateRegistrationFlow", {
      client: "CLIENT_KIND_NATIVE",
    });
    const flowId = JSON.parse(begun.stdout).flow.id;
    const submit = (password: string) =>
      call(app.localUrl, "flow.v1.FlowService/SubmitForm", {
        flowId,
        step: "password",
        values: { "traits.email": email, "password.password": password },
      });
    expect(JSON.parse((await submit("short")).stdout).rejected).toEqual({
      reason: "REJECTION_REASON_PASSWORD_REJECTED",
      password: { rule: "PASSWORD_RULE_TOO_SHORT" },
    });
    const again = await call(app.localUrl, "flow.v1.FlowService/GetFlow", { flowId });
    expect(JSON.parse(again.stdout).flow.kind).toBe("FLOW_KIND_REGISTRATION");
    const token = JSON.parse((await submit(goodPassword)).stdout).completed.signedIn.sessionToken;
    const checked = await call(app.localUrl, "session.v1.SessionService/CheckSession", {
      token,
      view: "SESSION_VIEW_FULL",
      demands: [{ assuranceLevel: "ASSURANCE_LEVEL_AAL1" }],
    });
    expect(JSON.parse(checked.stdout).identity.traits).toEqual({ email });
  });

  test("has recovery links sent to a list of identities", async () => {
    const email = freshEmail();
    const { identity } = await app
      .client(IdentityService)
      .createIdentity({ traits: { email }, verifiedAddresses: [{ value: email }] });
    const nobody = "01890000-0000-7000-8000-000000000000";
    const method = "identity.v1.IdentityService/BatchSendRecoveryMessages";
    const identityIds = [nobody, identity?.id];
    const withKey = ["--header", `Authorization: Bearer ${app.apiKey}`];
    const { stdout } = await call(app.adminUrl, method, { identityIds }, ...withKey);
    expect(JSON.parse(stdout).results).toMatchObject([
      { identityId: nobody, error: { code: 5, errorInfo: { reason: "IDENTITY_NOT_FOUND" } } },
      { identityId: identity?.id, sent: { address: email } },
    ]);
  });

  test("is told the reason of a refusal, its metadata and its remedy", async () => {
    const { failed, stderr } = await call(app.localUrl, "session.v1.SessionService/CheckSession", {
      token: app.apiKey,
    });
    expect(failed).toBe(true);
    const { code, details } = JSON.parse(stderr);
    expect(code).toBe("unauthenticated");
    const texts = details.map((detail: { value: string }) => Buffer.from(detail.value, "base64").toString());
    expect(texts[0]).toContain("SESSION_TOKEN_KIND_MISMATCH");
    expect(texts[0]).toContain("api_key");
    expect(texts[1]).toContain("Sign in to continue.");
    expect(texts[2]).toContain("Send a token of the kind that is expected.");
  });

  test("manages identities with an API key, and nothing without", async () => {
    const method = "identity.v1.IdentityService/CreateIdentity";
    const traits = { email: freshEmail() };
    const withKey = ["--header", `Authorization: Bearer ${app.apiKey}`];
    const made = await call(app.adminUrl, method, { traits }, ...withKey);
    expect(JSON.parse(made.stdout).identity.traits).toEqual(traits);
    const refused = await call(app.adminUrl, method, { traits });
    expect(refused.failed).toBe(true);
    expect(JSON.parse(refused.stderr).message).toContain("neither an API key nor a client certificate");
  });
});
