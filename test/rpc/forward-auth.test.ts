import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { request as requestTls } from "node:https";
import { text } from "node:stream/consumers";
import { createClient } from "@connectrpc/connect";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Authorization, type CheckResponse } from "../../gen/envoy/service/auth/v3/external_auth_pb.js";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { register } from "../support/accounts.ts";
import { startTestApp, type TestApp, transportOf } from "../support/app.ts";
import { type CertificateFiles, makeCertificateFolder } from "../support/certificates.ts";
import { refusal } from "../support/errors.ts";

// What a proxy is told about the requests of its clients: docs/forward-auth.md. With real proxies: test/process/proxies.test.ts.
const host = "app.example.com";
const tokenHeader = "ostiary-session-token";

let app: TestApp;
let token: string;
let identityId: string;
beforeAll(async () => {
  app = await startTestApp({
    config: {
      server: { forward_auth: { port: 0, peers: ["127.0.0.1"] } },
      tenant_defaults: {
        session: {
          tokens: {
            templates: [
              { name: "mail", claims: { email: "identity.traits.email", name: "identity.traits.name" } },
            ],
          },
        },
        forward_auth: {
          rules: [
            { host, session: {} },
            { host, path_prefix: "/open", anyone: {} },
            { host, path_prefix: "/strong", session: { second_factor: true } },
            { host, path_prefix: "/fresh", session: { max_age: "5m" } },
            { host, path_prefix: "/verified", session: { verified_address: true } },
            { host, path_prefix: "/mail", session: { audience: "urn:mail", template: "mail" } },
            { host: "*.wild.example", session: { audience: "urn:wild" } },
          ],
        },
      },
    },
  });
  const signedIn = await register(app);
  token = signedIn.sessionToken;
  identityId = signedIn.session?.identityId ?? "";
});
afterAll(() => app.stop());

interface Asked {
  readonly uri?: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly without?: string;
}

/** Asks as Traefik and Caddy do. */
async function ask({ uri = "/", path = "/forward-auth", method = "GET", headers = {}, without }: Asked = {}) {
  const forwarded: Record<string, string | string[]> = {
    "x-forwarded-method": method,
    "x-forwarded-proto": "https",
    "x-forwarded-host": host,
    "x-forwarded-uri": uri,
    "x-forwarded-for": "203.0.113.7",
    ...headers,
  };
  if (without !== undefined) delete forwarded[without];
  const { status, header, text: body } = await get(app.forwardAuthUrl + path, forwarded);
  const details: { type: string; debug: { reason: string; metadata: Record<string, string> } }[] =
    body.startsWith("{") ? JSON.parse(body).details : [];
  const info = details.find(({ type }) => type === "google.rpc.ErrorInfo")?.debug;
  return {
    status,
    token: header(tokenHeader),
    location: header("location"),
    loginUrl: header("ostiary-login-url"),
    reason: info?.reason,
    metadata: info?.metadata,
  };
}

/** By node:http, since fetch has headers of its own that say what is loaded. */
async function get(url: string, headers: Record<string, string | string[]>) {
  const asked = request(url, { headers });
  asked.end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  const header = (name: string) => {
    const value = response.headers[name];
    return typeof value === "string" ? value : null;
  };
  return { status: response.statusCode, header, text: await text(response) };
}

const bearer = (value = token) => ({ authorization: `Bearer ${value}` });
const navigation = { "sec-fetch-mode": "navigate", accept: "text/html" };

/** What a token says, checked with the published keys. */
async function claimsOf(jwt: string | null, audience = `https://${host}`) {
  const keys = createRemoteJWKSet(new URL(`${app.localUrl}/.well-known/jwks.json`));
  const { payload } = await jwtVerify(jwt ?? "", keys, {
    audience,
    typ: "ostiary-session+jwt",
    issuer: app.publicUrl,
    currentDate: app.clock.now(),
  });
  return payload;
}

describe("a request that a proxy asks about by HTTP", () => {
  test("goes on with a session, and with a token that says whose it is", async () => {
    const answer = await ask({ headers: bearer() });
    expect(answer.status).toBe(200);
    const claims = await claimsOf(answer.token);
    expect(claims).toMatchObject({ sub: identityId, acr: "aal1", amr: ["pwd"] });
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBeLessThanOrEqual(60);
  });

  test("gets the same token again within half of its life, and another one after it", async () => {
    const first = await ask({ headers: bearer() });
    expect((await ask({ headers: bearer() })).token).toBe(first.token);
    app.clock.advance(31_000);
    const later = await ask({ headers: bearer() });
    expect(later.token).not.toBe(first.token);
    await claimsOf(later.token);
  });

  test("gets another token once its identity has changed", async () => {
    const { sessionToken, email, session } = await register(app);
    const first = await ask({ uri: "/mail", headers: bearer(sessionToken) });
    expect(await claimsOf(first.token, "urn:mail")).toMatchObject({ email });
    app.clock.advance(1);
    await app.client(IdentityService).updateIdentity({
      identityId: session?.identityId ?? "",
      traitsChange: { case: "traits", value: { email, name: "Ada" } },
    });
    const second = await ask({ uri: "/mail", headers: bearer(sessionToken) });
    expect(await claimsOf(second.token, "urn:mail")).toMatchObject({ email, name: "Ada" });
  });

  test("that anyone may make goes on without a token, whatever is shown", async () => {
    for (const headers of [{}, bearer(), bearer("nonsense")]) {
      expect(await ask({ uri: "/open/a", headers })).toMatchObject({ status: 200, token: null });
    }
  });

  test("without a session sends a person to the login, who may come back", async () => {
    const { status, location } = await ask({ uri: "/a?b=c&d=e", headers: navigation });
    expect(status).toBe(302);
    const url = new URL(location ?? "");
    expect(url.origin + url.pathname).toBe(`${app.publicUrl}/ui/login`);
    const returnTo = url.searchParams.get("return_to") ?? "";
    expect(returnTo).toBe(`https://${host}/a?b=c&d=e`);
    const { flow } = await app.client(LoginService).createLoginFlow({ client: ClientKind.NATIVE, returnTo });
    expect(flow?.returnTo).toBe(returnTo);
    const elsewhere = app.client(LoginService).createLoginFlow({
      client: ClientKind.NATIVE,
      returnTo: `https://${host}.evil.example/`,
    });
    expect((await refusal(elsewhere)).reason).toBe("RETURN_TO_NOT_ALLOWED");
  });

  test("tells nginx by 401 and a header", async () => {
    const answer = await ask({ path: "/auth-request", uri: "/a", headers: navigation });
    expect(answer).toMatchObject({ status: 401, location: null });
    expect(new URL(answer.loginUrl ?? "").searchParams.get("return_to")).toBe(`https://${host}/a`);
  });

  test.each<[string, Asked]>([
    ["a program", {}],
    ["a script of a page", { headers: { "sec-fetch-mode": "cors", accept: "text/html" } }],
    ["a form", { method: "POST", headers: navigation }],
  ])("without a session is refused with the reason to %s", async (_who, asked) => {
    const expected = { status: 401, reason: "SESSION_CREDENTIAL_MISSING", location: null, loginUrl: null };
    expect(await ask(asked)).toMatchObject(expected);
    expect(await ask({ ...asked, path: "/auth-request" })).toMatchObject(expected);
  });

  test.each<[string, string, object]>([
    ["/strong", "SESSION_ASSURANCE_TOO_LOW", { refusal: "SESSION_ASSURANCE_TOO_LOW", required: "aal2" }],
    [
      "/fresh",
      "SESSION_AUTHENTICATION_TOO_OLD",
      { refusal: "SESSION_AUTHENTICATION_TOO_OLD", maxAgeSeconds: "300" },
    ],
    ["/verified", "SESSION_ADDRESS_UNVERIFIED", {}],
  ])("of %s needs more than a session", async (uri, reason, parameters) => {
    const { sessionToken } = await register(app);
    app.clock.advance(6 * 60_000);
    expect(await ask({ uri, headers: bearer(sessionToken) })).toMatchObject({
      status: 401,
      reason,
      token: null,
    });
    expect((await ask({ headers: bearer(sessionToken) })).status).toBe(200);
    const { location } = await ask({ uri, headers: { ...bearer(sessionToken), ...navigation } });
    const { pathname, searchParams } = new URL(location ?? "");
    expect(pathname).toBe(reason === "SESSION_ADDRESS_UNVERIFIED" ? "/ui/verification" : "/ui/login");
    expect(Object.fromEntries(searchParams)).toEqual({ return_to: `https://${host}${uri}`, ...parameters });
  });

  test("of a session that has ended is refused at once", async () => {
    const { sessionToken, session } = await register(app);
    expect((await ask({ headers: bearer(sessionToken) })).status).toBe(200);
    await app.client(SessionAdminService).revokeSession({ sessionId: session?.id ?? "" });
    expect(await ask({ headers: bearer(sessionToken) })).toMatchObject({
      status: 401,
      reason: "SESSION_REVOKED",
      token: null,
    });
  });

  // Security rule (SR-FORWARD-1)
  test("without a rule is refused, with a session too", async () => {
    const refused = { status: 403, reason: "FORWARD_AUTH_RULE_MISSING", token: null };
    expect(await ask({ headers: { ...bearer(), "x-forwarded-host": "other.example.com" } })).toMatchObject(
      refused,
    );
    expect(await ask({ headers: { ...bearer(), "x-forwarded-host": "wild.example" } })).toMatchObject(
      refused,
    );
  });

  // Security rule (SR-FORWARD-2)
  test.each([
    "/open/..%2fstrong",
    "/open/../strong",
    "/open//strong",
    "/open/..;/strong",
    "/open%5c..%5cstrong",
    "/open/%00",
  ])("for %s is refused, because it can be read in several ways", async (uri) => {
    expect(await ask({ uri, headers: { ...bearer(), ...navigation } })).toMatchObject({
      status: 403,
      reason: "FORWARD_AUTH_TARGET_AMBIGUOUS",
      location: null,
    });
  });

  // Security rule (SR-FORWARD-5)
  test.each(["x-forwarded-method", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-uri"])(
    "of which %s is missing or there twice is refused",
    async (header) => {
      const refused = { status: 403, reason: "FORWARD_AUTH_REQUEST_UNCLEAR", metadata: { header } };
      expect(await ask({ uri: "/open", without: header })).toMatchObject(refused);
      const value = { "x-forwarded-uri": "/open", "x-forwarded-host": host, "x-forwarded-proto": "https" };
      const own = { "x-forwarded-method": "GET", ...value }[header] ?? "";
      // In two lines, and joined in one as a proxy may do.
      expect(await ask({ uri: "/open", headers: { [header]: [own, own] } })).toMatchObject(refused);
      if (header === "x-forwarded-uri") return;
      expect(await ask({ uri: "/open", headers: { [header]: `${own}, ${own}` } })).toMatchObject(refused);
    },
  );

  test("takes the cookies of a browser as the server itself does", async () => {
    const cookie = (...values: string[]) => ({
      cookie: values.map((value) => `ostiary_session=${value}`).join("; "),
    });
    expect(await ask({ headers: cookie("nonsense") })).toMatchObject({
      status: 401,
      reason: "SESSION_TOKEN_MALFORMED",
    });
    // A token is no cookie.
    expect(await ask({ headers: cookie(token) })).toMatchObject({ reason: "SESSION_TOKEN_KIND_MISMATCH" });
    expect(await ask({ headers: cookie("a", "b", "c", "d", "e") })).toMatchObject({
      reason: "SESSION_COOKIE_AMBIGUOUS",
    });
  });
});

describe("Envoy", () => {
  const check = (
    path: string,
    headers: Record<string, string> = {},
    change: { method?: string; host?: string } = {},
  ): Promise<CheckResponse> =>
    createClient(Authorization, transportOf("gRPC", app.forwardAuthUrl, undefined)).check({
      attributes: {
        source: { address: { address: { case: "socketAddress", value: { address: "203.0.113.7" } } } },
        request: { http: { method: "GET", scheme: "https", host, path, headers, ...change } },
      },
    });
  const okOf = ({ status, httpResponse }: CheckResponse) => {
    if (httpResponse.case !== "okResponse") throw new Error(`denied: ${JSON.stringify(httpResponse.value)}`);
    expect(status?.code).toBe(0);
    const set = httpResponse.value.headers.map(
      ({ header }) => [header?.key ?? "", header?.value ?? ""] as const,
    );
    return { set: new Map(set), removed: httpResponse.value.headersToRemove };
  };
  const deniedOf = ({ status, httpResponse }: CheckResponse) => {
    if (httpResponse.case !== "deniedResponse") throw new Error("allowed");
    const { status: http, headers, body } = httpResponse.value;
    const set = new Map(headers.map(({ header }) => [header?.key ?? "", header?.value ?? ""]));
    return { code: status?.code, status: http?.code, location: set.get("location"), body };
  };

  test("lets a session through, with a token in place of the session's own secret", async () => {
    const { set, removed } = okOf(await check("/", { ...bearer(), cookie: "a=b; ostiary_session=x; c=d" }));
    expect(await claimsOf(set.get(tokenHeader) ?? "")).toMatchObject({ sub: identityId });
    expect(removed).toEqual(["ostiary_session_token", "authorization"]);
    expect(set.get("cookie")).toBe("a=b; c=d");
  });

  // Security rule (SR-FORWARD-7)
  test("removes a token that the client has written, where there is none of ours", async () => {
    const { set, removed } = okOf(
      await check("/open", { [tokenHeader]: "forged", cookie: "ostiary_session=x" }),
    );
    expect(removed).toEqual(expect.arrayContaining([tokenHeader, "ostiary_session_token", "cookie"]));
    expect(set.size).toBe(0);
  });

  test("leaves what is the application's own", async () => {
    const { set, removed } = okOf(await check("/open", { authorization: "Basic abc", cookie: "a=b" }));
    expect(removed).toEqual(["ostiary_session_token", tokenHeader]);
    expect(set.size).toBe(0);
  });

  test("sends a person to the login, and tells a program why", async () => {
    const person = deniedOf(await check("/a?b", navigation));
    expect(person).toMatchObject({ code: 16, status: 302, body: "" });
    expect(new URL(person.location ?? "").searchParams.get("return_to")).toBe(`https://${host}/a?b`);
    const program = deniedOf(await check("/a"));
    expect(program).toMatchObject({ code: 16, status: 401 });
    expect(JSON.parse(program.body)).toMatchObject({ code: "unauthenticated" });
    expect(program.body).toContain("SESSION_CREDENTIAL_MISSING");
    expect(deniedOf(await check("/", bearer(), { host: "other.example" }))).toMatchObject({
      code: 7,
      status: 403,
    });
    expect(deniedOf(await check("/open/..%2f", bearer()))).toMatchObject({ code: 7, status: 403 });
  });

  test("may ask about a client with many cookies of the application", async () => {
    const cookie = `a=${"x".repeat(30_000)}`;
    expect(okOf(await check("/", { ...bearer(), cookie })).set.has(tokenHeader)).toBe(true);
  });

  test("may send headers one by one, as text or as bytes", async () => {
    const client = createClient(Authorization, transportOf("gRPC", app.forwardAuthUrl, undefined));
    for (const header of [
      { key: "Authorization", value: `Bearer ${token}` },
      { key: "authorization", rawValue: Buffer.from(`Bearer ${token}`) },
    ]) {
      const answer = await client.check({
        attributes: {
          request: {
            http: { method: "GET", scheme: "https", host, path: "/", headerMap: { headers: [header] } },
          },
        },
      });
      expect(okOf(answer).set.has(tokenHeader)).toBe(true);
    }
  });

  test("that says nothing of a request is refused", async () => {
    const client = createClient(Authorization, transportOf("gRPC", app.forwardAuthUrl, undefined));
    expect((await refusal(client.check({}))).reason).toBe("FORWARD_AUTH_REQUEST_UNCLEAR");
  });
});

// Security rule (SR-FORWARD-4)
describe("the listener for proxies", () => {
  test("answers nobody whom it does not believe", async () => {
    const strict = await startTestApp({
      config: {
        server: { forward_auth: { port: 0, peers: ["192.0.2.1"] } },
        tenant_defaults: { forward_auth: { rules: [{ host, anyone: {} }] } },
      },
    });
    const paths = [
      "/forward-auth",
      "/auth-request",
      "/health/alive",
      "/metrics",
      "/",
      "/envoy.service.auth.v3.Authorization/Check",
    ];
    for (const path of paths) {
      const response = await fetch(strict.forwardAuthUrl + path, {
        headers: { "x-forwarded-for": "192.0.2.1", "x-forwarded-host": host, "x-forwarded-uri": "/" },
      });
      expect(response.status, path).toBe(403);
      expect(await response.text()).toContain("FORWARD_AUTH_PEER_UNKNOWN");
    }
    await strict.stop();
  });

  test("believes a certificate of its authorities, from whatever address, and no other", async () => {
    const folder = await makeCertificateFolder();
    const authority = await folder.authority("proxies");
    const other = await folder.authority("others");
    const own = await folder.issue({ name: "server", authority, names: "DNS:localhost,IP:127.0.0.1" });
    const good = await folder.issue({ name: "good", authority, names: "DNS:proxy" });
    const ended = await folder.issue({ name: "ended", authority, names: "DNS:proxy", days: -1 });
    const foreign = await folder.issue({ name: "foreign", authority: other, names: "DNS:proxy" });
    const tls = { certificate_file: own.certificate, key_file: own.key };
    const strict = await startTestApp({
      config: {
        server: { forward_auth: { port: 0, tls, client_ca_file: authority.certificate } },
        tenant_defaults: { forward_auth: { rules: [{ host, anyone: {} }] } },
      },
    });
    // OpenSSL has no other clock than the real one; the app's stands still, after all certificates were made.
    strict.clock.advance(Date.now() + 60_000 - strict.clock.now().getTime());
    const statusOf = async (client: CertificateFiles | undefined) => {
      const asked = requestTls(`${strict.forwardAuthUrl}/forward-auth`, {
        ca: await readFile(authority.certificate),
        agent: false,
        ...(client && { cert: await readFile(client.certificate), key: await readFile(client.key) }),
        headers: {
          "x-forwarded-method": "GET",
          "x-forwarded-proto": "https",
          "x-forwarded-host": host,
          "x-forwarded-uri": "/",
        },
      });
      asked.end();
      const [response] = (await once(asked, "response")) as [IncomingMessage];
      await text(response);
      return response.statusCode;
    };
    expect(await statusOf(good)).toBe(200);
    for (const client of [undefined, ended, foreign]) expect(await statusOf(client)).toBe(403);
    await strict.stop();
    await folder.remove();
  });

  test("writes a line of the log at the level of checks for each question", async () => {
    const before = app.log.length;
    await ask({ headers: bearer() });
    await createClient(Authorization, transportOf("gRPC", app.forwardAuthUrl, undefined)).check({
      attributes: { request: { http: { method: "GET", scheme: "https", host, path: "/open" } } },
    });
    const calls = app.log.slice(before).filter(({ message }) => message === "call");
    expect(calls.map(({ level, fields }) => [level, (fields as { method: string }).method])).toEqual([
      ["debug", "/forward-auth"],
      ["debug", "envoy.service.auth.v3.Authorization/Check"],
    ]);
  });

  test("serves nothing else, and no other listener serves it", async () => {
    const post = (url: string, path: string) =>
      fetch(url + path, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
    const check = "/envoy.service.auth.v3.Authorization/Check";
    for (const url of [app.localUrl, app.adminUrl]) expect((await post(url, check)).status).toBe(404);
    for (const path of [
      "/ostiary.session.v1.SessionService/CheckSession",
      "/ostiary.identity.v1.IdentityService/ListIdentities",
    ])
      expect((await post(app.forwardAuthUrl, path)).status).toBe(404);
    for (const url of [app.localUrl, app.adminUrl]) {
      const response = await fetch(`${url}/forward-auth`, { headers: { accept: "application/json" } });
      expect(response.status).toBe(404);
    }
  });
});
