import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { IdentityId, SessionId } from "../../src/domain/ids.ts";
import type { OAuth2Server } from "../../src/domain/oauth2/oauth2-server.ts";
import type { Logger } from "../../src/domain/ports.ts";
import { Secret } from "../../src/domain/secret.ts";
import type { Tenant } from "../../src/domain/tenant/tenant.ts";
import { createGuardedFetch, type GuardedFetch } from "../../src/outbound/guarded-fetch.ts";
import { createOAuth2Server } from "../../src/outbound/oauth2-server.ts";
import { type OtherServer, startOtherServer } from "../support/http-server.ts";
import { someSettings } from "../support/records.ts";

const publicOrigin = "https://oauth2.example.com";
const challenge = "a~challenge_-.";
const accepted = {
  subject: "0190" as IdentityId,
  sessionId: "0191" as SessionId,
  acr: "aal1",
  amr: ["pwd"],
  remember: true,
  rememberFor: 60,
} as const;
const login = {
  challenge,
  skip: false,
  subject: "",
  client: { client_id: "shop", client_name: "The Shop" },
  request_url: `${publicOrigin}/oauth2/auth?client_id=shop`,
};

let server: OtherServer;
let http: GuardedFetch;
let log: string[];
let oauth2: OAuth2Server;
let apiKey: Secret | undefined;
let tenant: Tenant;

beforeEach(async () => {
  server = await startOtherServer();
  http = createGuardedFetch({ allowedPrivateHosts: [`127.0.0.1:${server.port}`], extraPorts: [] });
  log = [];
  apiKey = undefined;
  oauth2 = createOAuth2Server({ apiKey: () => apiKey, http, logger: loggerOf(log) });
  tenant = tenantWith(5_000);
});

afterEach(async () => {
  await http.close();
  await server.stop();
});

function tenantWith(timeoutMs: number): Tenant {
  const oauth2Server = { adminUrl: server.url, publicOrigin, timeoutMs };
  return { tenantId: "t", name: "default", settings: someSettings({ oauth2Server }) } as unknown as Tenant;
}

function loggerOf(lines: string[]): Logger {
  const write = (level: string) => (fields: object, message: string) => {
    lines.push(`${level} ${message} ${inspect(fields, { depth: 10 })}`);
  };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

function answerWith(status: number, body: unknown) {
  server.answer((_request, response) => {
    response.writeHead(status).end(typeof body === "string" ? body : JSON.stringify(body));
  });
}

describe("the admin API", () => {
  test("is called as it is published", async () => {
    apiKey = new Secret("a key");
    const bodies: string[] = [];
    server.answer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        bodies.push(Buffer.concat(chunks).toString());
        const isRead = request.method === "GET";
        response.end(JSON.stringify(isRead ? login : { redirect_to: `${publicOrigin}/next` }));
      });
    });
    await oauth2.loginRequest(tenant, challenge);
    await oauth2.acceptLogin(tenant, challenge, accepted);
    await oauth2.rejectLogin(tenant, challenge, "login_required");
    await oauth2.logoutRequest(tenant, challenge);
    expect(await oauth2.acceptLogout(tenant, challenge)).toEqual({
      kind: "answered",
      url: `${publicOrigin}/next`,
    });
    const path = "/admin/oauth2/auth/requests";
    expect(server.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      `GET ${path}/login?login_challenge=a%7Echallenge_-.`,
      `PUT ${path}/login/accept?login_challenge=a%7Echallenge_-.`,
      `PUT ${path}/login/reject?login_challenge=a%7Echallenge_-.`,
      `GET ${path}/logout?logout_challenge=a%7Echallenge_-.`,
      `PUT ${path}/logout/accept?logout_challenge=a%7Echallenge_-.`,
    ]);
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual(
      Array(5).fill("Bearer a key"),
    );
    expect(bodies.slice(1, 3).map((body) => JSON.parse(body))).toEqual([
      {
        ...{ subject: "0190", acr: "aal1", amr: ["pwd"], remember: true, remember_for: 60 },
        identity_provider_session_id: "0191",
      },
      { error: "login_required" },
    ]);
  });

  test("says what a login is to be like", async () => {
    const query = "prompt=login+consent&max_age=30&acr_values=aal1&login_hint=from-the-url";
    const request_url = `${publicOrigin}/oauth2/auth?${query}`;
    const oidc_context = { acr_values: ["gold", "aal2", "aal1"], login_hint: "ada@example.com" };
    answerWith(200, { ...login, request_url, oidc_context, skip: true, subject: "0190" });
    expect(await oauth2.loginRequest(tenant, challenge)).toEqual({
      kind: "found",
      requestUrl: request_url,
      client: { id: "shop", name: "The Shop" },
      subject: "0190",
      prompts: ["login", "consent"],
      maxAgeMs: 30_000,
      level: "aal2",
      loginHint: "ada@example.com",
    });
    answerWith(200, { ...login, request_url });
    const plain = { level: "aal1", loginHint: "from-the-url", subject: undefined };
    expect(await oauth2.loginRequest(tenant, challenge)).toMatchObject(plain);
  });

  test.each([
    [404, { error: "Not Found", error_description: "Unable to locate the resource" }, "unknown"],
    [404, { error: { code: 404, message: "not found" } }, "unknown"],
    [410, { redirect_to: `${publicOrigin}/oauth2/auth` }, "used"],
    [409, { error: "conflict" }, "used"],
    [401, { error: "request_unauthorized", error_hint: "The login request has expired." }, "expired"],
  ])("an answer of status %i means a challenge that is gone: %j", async (status, body, problem) => {
    answerWith(status, body);
    expect(await oauth2.loginRequest(tenant, challenge)).toEqual({ kind: "gone", problem });
    expect(await oauth2.acceptLogin(tenant, challenge, accepted)).toEqual({ kind: "gone", problem });
    expect(log).toEqual([]);
  });
});

describe("security rule (SR-OAUTH-1): what is not as it should be counts as no answer", () => {
  const found = { redirect_to: `${publicOrigin}/next` };
  const both = [
    ["a page", 200, "<html>Sign in to the network</html>"],
    ["a list", 200, []],
    ["nothing", 200, ""],
    ["no such path", 404, "404 page not found"],
    ["a wrong key", 401, { error: "Unauthorized" }],
    ["a fault", 500, { error: "internal" }],
    ["another status", 204, ""],
    ["a huge one", 200, { ...login, ...found, more: "x".repeat(300 * 1024) }],
  ] as const;
  test.each(both)("%s", async (_, status, body) => {
    answerWith(status, body);
    expect(await oauth2.loginRequest(tenant, challenge)).toEqual({ kind: "unavailable" });
    expect(await oauth2.acceptLogin(tenant, challenge, accepted)).toEqual({ kind: "unavailable" });
    expect(await oauth2.logoutRequest(tenant, challenge)).toEqual({ kind: "unavailable" });
    // Once for an outage, and without the challenge.
    expect(log).toHaveLength(1);
    expect(log[0]).not.toContain(challenge);
  });

  test.each([
    ["of another challenge", { challenge: "another" }],
    ["with an address of another server", { request_url: "https://evil.example/oauth2/auth" }],
    ["with an address that looks like it", { request_url: "https://oauth2.example.com.evil.example/" }],
    ["with an address of a user", { request_url: "https://me@oauth2.example.com/oauth2/auth" }],
    ["with an address that is a script", { request_url: "javascript:alert(1)" }],
    ["with an endless address", { request_url: `${publicOrigin}/?${"x".repeat(17_000)}` }],
    ["without an address", { request_url: undefined }],
    ["with a number as the account", { subject: 7 }],
    ["without the word whether it is to be skipped", { skip: "true" }],
    ["that skips nobody", { skip: true }],
  ])("a login request %s", async (_, change) => {
    answerWith(200, { ...login, ...change });
    expect(await oauth2.loginRequest(tenant, challenge)).toEqual({ kind: "unavailable" });
  });

  test.each([
    ["https://evil.example/next"],
    ["http://oauth2.example.com/next"],
    ["https://oauth2.example.com@evil.example/"],
    ["//oauth2.example.com/next"],
    ["/next"],
    [""],
    [7],
    [undefined],
  ])("%s as the place where the browser goes on", async (redirect_to) => {
    answerWith(200, { redirect_to });
    expect(await oauth2.acceptLogin(tenant, challenge, accepted)).toEqual({ kind: "unavailable" });
    expect(await oauth2.acceptLogout(tenant, challenge)).toEqual({ kind: "unavailable" });
  });

  test("wrong types in what is only shown are left out", async () => {
    const oidc_context = { acr_values: "aal2", login_hint: ["ada"] };
    answerWith(200, { ...login, client: { client_id: 1, client_name: "x".repeat(300) }, oidc_context });
    expect(await oauth2.loginRequest(tenant, challenge)).toMatchObject({
      ...{ client: { id: "", name: "" }, level: undefined, loginHint: undefined },
    });
  });

  test("one that does not come in time", async () => {
    server.answer(() => {});
    expect(await oauth2.loginRequest(tenantWith(50), challenge)).toEqual({ kind: "unavailable" });
    expect(log[0]).toContain("did not answer within 50 ms");
  });

  test("an outage and its end are told once each", async () => {
    answerWith(500, "");
    for (let call = 0; call < 3; call++) await oauth2.loginRequest(tenant, challenge);
    answerWith(200, login);
    for (let call = 0; call < 3; call++) await oauth2.loginRequest(tenant, challenge);
    expect(log).toHaveLength(2);
    expect(log[1]).toMatch(/^info the OAuth2 server answers again/);
  });

  test("a call beyond a hundred that wait already is not made", async () => {
    answerWith(200, login);
    // None of them has had time to be answered.
    const calls = Array.from({ length: 100 }, () => oauth2.loginRequest(tenant, challenge));
    expect(await oauth2.loginRequest(tenant, challenge)).toEqual({ kind: "unavailable" });
    expect((await Promise.all(calls)).every(({ kind }) => kind === "found")).toBe(true);
  });
});
