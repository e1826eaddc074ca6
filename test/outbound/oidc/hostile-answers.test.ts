import type { RequestListener } from "node:http";
import { decodeProtectedHeader, exportPKCS8, jwtVerify } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { OutgoingHttp } from "../../../src/domain/ports.ts";
import type { Provider, ProviderClient } from "../../../src/domain/provider/provider.ts";
import { Secret } from "../../../src/domain/secret.ts";
import { createGuardedFetch, type GuardedFetch } from "../../../src/outbound/guarded-fetch.ts";
import { createProviderClient } from "../../../src/outbound/oidc/provider-client.ts";
import { TestClock } from "../../support/clock.ts";
import {
  type HostileEndpoint,
  type HostileProvider,
  hostileClient,
  makeProviderKey,
  startHostileProvider,
} from "../../support/upstream/hostile-provider.ts";
import { testProvider } from "../../support/upstream/provider-records.ts";
import { answered, LogRecord } from "./client-records.ts";

const clock = new TestClock();
const { clientId, nonce } = hostileClient;
const clientSecret = "the-client-secret";
const redirectUri = "http://127.0.0.1:9/oidc/callback/acme";
const codeVerifier = "v".repeat(43);
const log = new LogRecord();

let hostile: HostileProvider;
let http: GuardedFetch;
let client: ProviderClient;
let provider: Provider;
/** The same server as a provider without ID tokens. */
let plain: Provider;

beforeAll(async () => {
  hostile = await startHostileProvider({ clock });
  http = createGuardedFetch({ allowedPrivateHosts: [hostile.host], extraPorts: [] });
});

beforeEach(() => {
  hostile.reset();
  client = createProviderClient({ http, clock, logger: log.logger });
  const claimsSource = "userinfo";
  provider = testProvider({ issuer: hostile.url, clientId, clientSecret, claimsSource, timeoutMs: 10_000 });
  plain = {
    ...provider,
    id: "plain",
    endpoints: {
      kind: "fixed",
      authorizationUrl: `${hostile.url}/authorize`,
      tokenUrl: `${hostile.url}/token`,
      userinfoUrl: `${hostile.url}/userinfo`,
      subjectField: "sub",
    },
  };
});

afterAll(async () => {
  await http.close();
  await hostile.stop();
});

const callback = { query: "code=the-code&state=s", state: "s", nonce, codeVerifier, redirectUri };
const finish = async (of: Provider = provider) => log.keep(await client.finish(of, callback));

const json =
  (value: unknown, status = 200): RequestListener =>
  (_request, response) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  };
const html: RequestListener = (_request, response) => {
  response.writeHead(200, { "content-type": "text/html" }).end("<html>alice, please log in</html>");
};
const huge: RequestListener = (_request, response) => {
  response.writeHead(200, { "content-type": "application/json" }).end(`{"p":"${"p".repeat(257 * 1024)}"}`);
};
/** To an answer that would be right, on the same server. */
const redirect =
  (to: string, status = 302): RequestListener =>
  (_request, response) => {
    response.writeHead(status, { location: to }).end();
  };
const broken: RequestListener = (request) => {
  request.socket.destroy();
};
const cutOff: RequestListener = (request, response) => {
  response.writeHead(200, { "content-length": "1000" }).write("{");
  setImmediate(() => request.socket.destroy());
};
const never: RequestListener = () => {};
/** A body that goes on and on without an end. */
const trickling: RequestListener = (_request, response) => {
  response.writeHead(200, { "content-type": "application/json" });
  const timer = setInterval(() => response.write(" "), 20);
  response.on("close", () => clearInterval(timer));
};

const names: Readonly<Record<HostileEndpoint, string>> = {
  discovery: "discovery",
  token: "the token endpoint",
  keys: "the key endpoint",
  userinfo: "user info",
  revocation: "the revocation endpoint",
};

describe.each<HostileEndpoint>(["discovery", "token", "keys", "userinfo"])("%s", (endpoint) => {
  const invalid = (what: string) => ({ problem: "invalid", detail: `${names[endpoint]} ${what}` });

  test.each<[string, RequestListener, () => object]>([
    ["a page", html, () => invalid("answered with what is no JSON")],
    ["nothing", (_request, response) => response.end(), () => invalid("answered with what is no JSON")],
    ["a list", json([1]), () => invalid("answered with what is no JSON object")],
    ["a number", json(7), () => invalid("answered with what is no JSON object")],
    ["null", json(null), () => invalid("answered with what is no JSON object")],
    ["JSON that is too deep", json(nested(40)), () => invalid("answered with JSON that is too deep")],
    [
      "JSON as deep as may be sent",
      (_request, response) => response.end("[".repeat(120_000) + "]".repeat(120_000)),
      () => invalid("answered with JSON that is too deep"),
    ],
    ["status 404", json({}, 404), () => invalid("answered with status 404")],
    ["status 401", json({}, 401), () => invalid("answered with status 401")],
    ["status 201", json({}, 201), () => invalid("answered with status 201")],
    [
      "too much",
      huge,
      () => ({ problem: "invalid", detail: `${hostile.host} answered with more than 262144 bytes` }),
    ],
    [
      "status 500",
      json({}, 500),
      () => ({ problem: "unavailable", detail: `${names[endpoint]} answered with status 500` }),
    ],
    [
      "a wish to wait (429)",
      json({}, 429),
      () => ({ problem: "unavailable", detail: `${names[endpoint]} answered with status 429` }),
    ],
    [
      "a broken connection",
      broken,
      () => ({ problem: "unavailable", detail: `${hostile.host} cannot be reached` }),
    ],
    ["half of it", cutOff, () => ({ problem: "unavailable", detail: `${hostile.host} cannot be reached` })],
  ])("that answers with %s is told as such", async (_name, listener, expected) => {
    hostile.answer(endpoint, listener);
    expect(await finish()).toEqual({ kind: "failed", ...expected() });
    // It heals: of what is asked for seldom, once the failure is old.
    hostile.answer(endpoint, undefined);
    clock.advance(5_000);
    answered(await finish());
  });

  test.each([
    ["never answers", never],
    ["answers without an end", trickling],
  ])("that %s is given up in time", async (_name, listener) => {
    hostile.answer(endpoint, listener);
    expect(await finish({ ...provider, timeoutMs: 200 })).toEqual({
      kind: "failed",
      problem: "unavailable",
      detail: `${hostile.host} did not answer within 200 ms`,
    });
  });
});

describe("security rule (SR-OIDC-5): a redirect", () => {
  test.each<HostileEndpoint>(["token", "keys", "userinfo"])("of %s is not followed", async (endpoint) => {
    for (const status of [301, 302, 303, 307, 308]) {
      client = createProviderClient({ http, clock, logger: log.logger });
      // The goal would answer rightly: it is the endpoint itself at its second call.
      let asked = 0;
      hostile.answer(endpoint, (request, response) => {
        asked++;
        redirect(`${hostile.url}${request.url}`, status)(request, response);
      });
      expect(await finish()).toEqual({
        kind: "failed",
        problem: "invalid",
        detail: `${names[endpoint]} redirects`,
      });
      expect(asked).toBe(1);
    }
  });

  test("of discovery is, since the document says whose it is", async () => {
    let asked = 0;
    hostile.answer("discovery", (request, response) => {
      asked++;
      if (asked > 1) hostile.answer("discovery", undefined);
      redirect(`${hostile.url}/.well-known/openid-configuration`)(request, response);
    });
    answered(await finish());
    expect(hostile.count("discovery")).toBe(3);
  });
});

describe("discovery", () => {
  test.each<[string, Record<string, unknown>, string]>([
    [
      "another issuer",
      { issuer: "https://evil.example" },
      "discovery names another issuer than the configuration",
    ],
    ["no issuer", { issuer: undefined }, "discovery names another issuer than the configuration"],
    ["no token endpoint", { token_endpoint: undefined }, "discovery: token_endpoint is missing"],
    ["no keys", { jwks_uri: undefined }, "discovery: jwks_uri is missing"],
    ["a place that is no URL", { token_endpoint: "/token" }, "discovery: token_endpoint is no URL"],
    ["a place that is a number", { jwks_uri: 7 }, "discovery: jwks_uri is no URL"],
    [
      "a script in the place of a page (XSS)",
      { authorization_endpoint: "javascript:alert(1)" },
      "discovery: authorization_endpoint is not on HTTPS",
    ],
    ["a file", { jwks_uri: "file:///etc/passwd" }, "discovery: jwks_uri is not on HTTPS"],
  ])("that names %s is refused", async (_name, members, detail) => {
    hostile.change("discovery", members);
    expect(await finish()).toEqual({ kind: "failed", problem: "invalid", detail });
    expect(client.isAvailable(provider)).toBe(false);
  });

  test("that names the issuer with a slash more is refused (SR-OIDC-4)", async () => {
    hostile.change("discovery", { issuer: `${hostile.url}/` });
    expect(await finish()).toMatchObject({ problem: "invalid" });
    client = createProviderClient({ http, clock, logger: log.logger });
    const slashed = { ...provider, issuer: `${hostile.url}/` };
    hostile.change("token", { id_token: await hostile.sign(hostile.claims({ iss: slashed.issuer })) });
    expect(answered(await finish(slashed)).issuer).toBe(slashed.issuer);
  });

  test.each(["token_endpoint", "jwks_uri", "userinfo_endpoint", "authorization_endpoint"])(
    "of an issuer on HTTPS names %s there as well",
    async (name) => {
      const issuer = "https://id.example.com";
      const document = {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/keys`,
        [name]: "http://id.example.com/plain",
      };
      // The one port that no server of a test can be behind: a certificate that all trust.
      const issuerOnHttps: OutgoingHttp = { fetch: async () => Response.json(document) };
      const other = createProviderClient({ http: issuerOnHttps, clock, logger: log.logger });
      expect(await other.finish({ ...provider, issuer }, callback)).toEqual({
        kind: "failed",
        problem: "invalid",
        detail: `discovery: ${name} is not on HTTPS`,
      });
    },
  );

  test("of a private network is refused, and says how to allow it", async () => {
    const guarded = createGuardedFetch({
      allowedPrivateHosts: [],
      extraPorts: [Number(new URL(hostile.url).port)],
    });
    const other = createProviderClient({ http: guarded, clock, logger: log.logger });
    const failure = await other.finish(provider, callback);
    await guarded.close();
    expect(failure).toMatchObject({ kind: "failed", problem: "unavailable" });
    expect(JSON.stringify(failure)).toContain("allowed_private_hosts");
  });

  test("and keys are asked for once by many who wait at the same time", async () => {
    const answers = await Promise.all(Array.from({ length: 16 }, () => finish()));
    for (const answer of answers) answered(answer);
    expect(hostile.count("discovery")).toBe(1);
    expect(hostile.count("keys")).toBe(1);
    expect(hostile.count("token")).toBe(16);
  });

  test("that has failed keeps nobody waiting: it is tried again every few seconds", async () => {
    hostile.answer("discovery", json({}, 503));
    for (let login = 0; login < 10; login++) await finish();
    expect(hostile.count("discovery")).toBe(1);
    clock.advance(5_000);
    for (let login = 0; login < 10; login++) await finish();
    expect(hostile.count("discovery")).toBe(2);
  });

  test("that fails for a day makes a provider that was known unavailable", async () => {
    answered(await finish());
    hostile.answer("discovery", json({}, 503));
    clock.advance(86_399_999);
    answered(await finish());
    expect(client.isAvailable(provider)).toBe(true);
    clock.advance(5_000);
    expect(await finish()).toMatchObject({ problem: "unavailable" });
    expect(client.isAvailable(provider)).toBe(false);
    expect(await client.logoutUrl(provider, { idToken: undefined, returnTo: undefined })).toBeUndefined();
  });

  test("is looked up by the question whether a provider is available, once an hour", async () => {
    expect(client.isAvailable(provider)).toBe(true);
    await expect.poll(() => hostile.count("discovery")).toBe(1);
    for (let view = 0; view < 5; view++) expect(client.isAvailable(provider)).toBe(true);
    expect(hostile.count("discovery")).toBe(1);
    clock.advance(3_600_000);
    client.isAvailable(provider);
    await expect.poll(() => hostile.count("discovery")).toBe(2);
  });
});

describe("the token endpoint", () => {
  test.each<[string, Record<string, unknown>, string]>([
    ["no ID token", { id_token: undefined }, "there is no ID token"],
    ["an ID token that is a number", { id_token: 7 }, "the ID token is no text"],
    ["an error", { error: "invalid_grant" }, "the token endpoint answered with the error invalid_grant"],
    [
      "an error of its own",
      { error: "alice", error_description: "alice" },
      "the token endpoint answered with an error that is none of the known ones",
    ],
  ])("that answers with %s is told as such", async (_name, members, detail) => {
    hostile.change("token", members);
    expect(await finish()).toEqual({ kind: "failed", problem: "invalid", detail });
  });

  test.each<[string, Record<string, unknown>]>([
    ["no access token", { access_token: undefined }],
    ["an access token that is a number", { access_token: 7 }],
    ["an empty access token", { access_token: "" }],
    ["no type", { token_type: undefined }],
    ["a type that nobody knows", { token_type: "mac" }],
    ["a refresh token that is a list", { refresh_token: ["r"] }],
    ["a lifetime that is a text", { expires_in: "soon" }],
    ["a scope that is a list", { scope: ["a"] }],
  ])("that answers with %s is refused", async (_name, members) => {
    for (const each of [provider, plain]) {
      hostile.change("token", members);
      const failure = await finish(each);
      expect(failure).toMatchObject({ kind: "failed", problem: "invalid" });
      expect(JSON.stringify(failure)).toMatch(/"detail":"what came cannot be used: \w+ \(OAUTH_\w+\)"/);
    }
  });

  test("may say how long a token lasts, in whatever number", async () => {
    for (const [expires_in, milliseconds] of [
      [undefined, undefined],
      [60, 60_000],
      ["60", 60_000],
      [1e300, 315_360_000_000],
    ] as const) {
      hostile.change("token", { expires_in });
      const expected = milliseconds === undefined ? undefined : clock.now().getTime() + milliseconds;
      expect(answered(await finish()).tokens?.expiresAt?.getTime()).toBe(expected);
    }
  });

  const refresh = () =>
    client.refresh(provider, "the-refresh-token", { issuer: hostile.url, subject: "alice" });

  // What came for it is not to be used, so neither is what it was asked for with: security rule (SR-OIDC-24).
  test.each([
    ["for another client", { aud: "another" }, "the ID token: it is for another client"],
    ["of another account", { sub: "mallory" }, "the ID token: it is of another account"],
  ])("checks a refreshed ID token like any other, but for the nonce: %s", async (_name, change, detail) => {
    hostile.change("token", { id_token: await hostile.sign(hostile.claims({ nonce: undefined })) });
    expect(await refresh()).toMatchObject({ kind: "refreshed", tokens: { idToken: expect.any(String) } });
    hostile.change("token", {
      id_token: await hostile.sign(hostile.claims({ nonce: undefined, ...change })),
    });
    expect(log.keep(await refresh())).toEqual({ kind: "failed", problem: "denied", detail });
  });

  test("whose keys cannot be read gives fresh tokens all the same, without the ID token", async () => {
    const id_token = await hostile.sign(hostile.claims({ nonce: undefined }));
    hostile.change("token", { id_token });
    hostile.answer("keys", json({}, 503));
    const { kind, tokens } = (await refresh()) as { kind: string; tokens?: object };
    expect({ kind, ...tokens }).toMatchObject({ kind: "refreshed", idToken: undefined });
  });

  test("that refreshes without an ID token is as good", async () => {
    hostile.change("token", { id_token: undefined });
    expect(await refresh()).toMatchObject({ kind: "refreshed" });
    expect(hostile.lastRequest("token").body).toContain("grant_type=refresh_token");
  });

  test("that is down is not a refresh token that has ended", async () => {
    hostile.answer("token", json({ error: "invalid_grant" }, 400));
    expect(await refresh()).toMatchObject({ problem: "denied" });
    hostile.answer("token", json({ error: "server_error" }, 503));
    expect(await refresh()).toMatchObject({ problem: "unavailable" });
  });
});

describe("user info", () => {
  test.each<[string, Record<string, unknown>]>([
    ["of another subject", { sub: "mallory" }],
    ["of no subject", { sub: undefined }],
    ["of a subject in a list", { sub: ["alice"] }],
    ["of a subject in capitals", { sub: "ALICE" }],
  ])("%s than the ID token's is refused (SR-OIDC-9)", async (_name, members) => {
    hostile.change("userinfo", members);
    expect(await finish()).toEqual({
      kind: "failed",
      problem: "invalid",
      detail: "user info is of another subject than the ID token",
    });
  });

  test("as a JWT, which is not asked for, is refused", async () => {
    const token = await hostile.sign(hostile.claims());
    hostile.answer("userinfo", (_request, response) => {
      response.writeHead(200, { "content-type": "application/jwt" }).end(token);
    });
    expect(await finish()).toMatchObject({ detail: "user info answered with what is no JSON" });
  });

  test("replaces nothing that is signed", async () => {
    hostile.change("token", {
      id_token: await hostile.sign(
        hostile.claims({ email: "signed@example.com", acr: "silver", amr: ["pwd"] }),
      ),
    });
    const unsigned = {
      iss: "evil",
      aud: "evil",
      acr: "gold",
      amr: ["mfa"],
      sid: "evil",
      auth_time: 1,
      name: "Alice",
    };
    hostile.change("userinfo", { ...unsigned, email: "unsigned@example.com" });
    const { claims, acr, amr, authTime, session, issuer } = answered(await finish());
    expect(claims).toMatchObject({
      iss: hostile.url,
      aud: clientId,
      acr: "silver",
      amr: ["pwd"],
      email: "signed@example.com",
      name: "Alice",
    });
    expect({ acr, amr, authTime, session, issuer }).toEqual({
      acr: "silver",
      amr: ["pwd"],
      authTime: undefined,
      session: undefined,
      issuer: hostile.url,
    });
  });

  test("that is larger than claims may be is refused", async () => {
    hostile.change("userinfo", { padding: "p".repeat(33 * 1024) });
    for (const each of [provider, plain]) {
      expect(await finish(each)).toMatchObject({ problem: "invalid", detail: "the claims are too large" });
    }
  });

  test("is missing where discovery names none", async () => {
    hostile.change("discovery", { userinfo_endpoint: undefined });
    expect(await finish()).toMatchObject({ detail: "discovery names no user info endpoint" });
  });

  test.each<[string, unknown, string | undefined]>([
    ["a text", "abc", "abc"],
    ["a number", 42, "42"],
    ["the largest number that is one", 9_007_199_254_740_991, "9007199254740991"],
    ["a number that is two accounts'", 9_007_199_254_740_992, undefined],
    ["a fraction", 1.5, undefined],
    ["true", true, undefined],
    ["empty", "", undefined],
    ["too long", "s".repeat(256), undefined],
    ["a list", ["abc"], undefined],
    ["missing", undefined, undefined],
  ])(
    "names the account where there are no ID tokens, by a field that is %s",
    async (_name, sub, expected) => {
      hostile.change("userinfo", { sub });
      const answer = await finish(plain);
      if (expected === undefined) {
        expect(answer).toMatchObject({ detail: "user info names no subject, or one that is too long" });
      } else {
        expect(answered(answer).subject).toBe(expected);
      }
    },
  );

  test("names no account by what every object inherits", async () => {
    const { endpoints } = plain;
    if (endpoints.kind !== "fixed") throw new Error("it has discovery");
    const inherited = { ...plain, endpoints: { ...endpoints, subjectField: "constructor" } };
    expect(await finish(inherited)).toMatchObject({ problem: "invalid" });
  });
});

describe("the keys", () => {
  test.each<[string, unknown]>([
    ["no list", { kty: "RSA" }],
    ["missing", undefined],
    ["texts", ["key"]],
    ["empty", []],
    ["keys that are too weak", [{ kty: "RSA", kid: "key-RS256", alg: "RS256", e: "AQAB", n: "wQ" }]],
    ["keys that are broken", [{ kty: "RSA", kid: "key-RS256", alg: "RS256" }]],
  ])("that are %s verify nothing", async (_name, keys) => {
    hostile.change("keys", { keys });
    expect(await finish()).toMatchObject({ kind: "failed", problem: "invalid" });
  });

  test("are read again after five minutes, so that a key that was withdrawn ends", async () => {
    answered(await finish());
    hostile.change("keys", { keys: [] });
    clock.advance(299_999);
    hostile.change("token", { id_token: await hostile.sign(hostile.claims()) });
    answered(await finish());
    clock.advance(1);
    expect(await finish()).toMatchObject({ detail: "the ID token: its key is none of the provider's" });
  });

  test("are used for an hour while they cannot be read again, and not longer", async () => {
    answered(await finish());
    hostile.answer("keys", json({}, 503));
    clock.advance(3_599_999);
    answered(await finish());
    clock.advance(5_000);
    expect(await finish()).toEqual({
      kind: "failed",
      problem: "unavailable",
      detail: "the key endpoint answered with status 503",
    });
  });
});

describe("the client proves who it is", () => {
  const secretIn = (body: string) => new URLSearchParams(body).get("client_secret");

  test.each([
    ["alone", ["client_secret_post"]],
    ["beside the header", ["client_secret_basic", "client_secret_post"]],
  ])("by its secret in the body where the provider announces that %s", async (_name, methods) => {
    hostile.change("discovery", { token_endpoint_auth_methods_supported: methods });
    answered(await finish());
    const { headers, body } = hostile.lastRequest("token");
    expect(headers.authorization).toBeUndefined();
    expect(secretIn(body)).toBe(clientSecret);
    expect(Object.fromEntries(new URLSearchParams(body))).toMatchObject({
      grant_type: "authorization_code",
      code: "the-code",
      code_verifier: codeVerifier,
      redirect_uri: redirectUri,
    });
  });

  test.each([
    ["announces that alone", ["client_secret_basic"]],
    ["announces none that is known", ["tls_client_auth"]],
    ["says nothing", undefined],
  ])("by its secret in a header where the provider %s", async (_name, methods) => {
    hostile.change("discovery", { token_endpoint_auth_methods_supported: methods });
    answered(await finish());
    const { headers, body } = hostile.lastRequest("token");
    const [, credentials = ""] = (headers.authorization ?? "").split("Basic ");
    const [id = "", secret = ""] = Buffer.from(credentials, "base64").toString().split(":");
    expect([id, secret].map(decodeURIComponent)).toEqual([clientId, clientSecret]);
    expect(secretIn(body)).toBeNull();
  });

  test("by the secret of now, when it was changed", async () => {
    let secret = "before";
    const rotating = {
      ...provider,
      authentication: { kind: "secret", secret: () => new Secret(secret) },
    } as const;
    answered(await finish(rotating));
    secret = "after";
    answered(await finish(rotating));
    expect(secretIn(hostile.lastRequest("token").body)).toBe("after");
  });

  test("without PKCE where the provider cannot", async () => {
    answered(await finish({ ...provider, pkce: false }));
    expect(hostile.lastRequest("token").body).not.toContain("code_verifier");
  });

  test("by a secret that a key signs, as Apple has it, for a while", async () => {
    const keys = [await makeProviderKey("ES256"), await makeProviderKey("ES256")] as const;
    let pem = await exportPKCS8(keys[0].privateKey);
    const authentication = {
      kind: "signed_secret",
      key: () => new Secret(pem),
      keyId: "KEY1",
      teamId: "TEAM1",
    } as const;
    const apple: Provider = { ...provider, authentication };
    const sent = async () => {
      hostile.change("token", { id_token: await hostile.sign(hostile.claims()) });
      answered(await finish(apple));
      return secretIn(hostile.lastRequest("token").body) ?? "";
    };
    const secret = await sent();
    expect(decodeProtectedHeader(secret)).toEqual({ alg: "ES256", kid: "KEY1" });
    const at = { currentDate: clock.now() };
    const { payload } = await jwtVerify(secret, keys[0].publicKey, at);
    const iat = Math.floor(clock.now().getTime() / 1000);
    expect(payload).toEqual({ iss: "TEAM1", sub: clientId, aud: hostile.url, iat, exp: iat + 3_600 });

    clock.advance(1_799_000);
    expect(await sent()).toBe(secret);
    clock.advance(1_000);
    const next = await sent();
    expect(next).not.toBe(secret);
    await jwtVerify(next, keys[0].publicKey, { currentDate: clock.now() });
    // A key that was changed signs at once.
    pem = await exportPKCS8(keys[1].privateKey);
    await jwtVerify(await sent(), keys[1].publicKey, { currentDate: clock.now() });
  });
});

describe("revoking", () => {
  test("tells the provider, with the client's secret", async () => {
    await client.revoke(provider, "the-refresh-token");
    expect(Object.fromEntries(new URLSearchParams(hostile.lastRequest("revocation").body))).toEqual({
      token: "the-refresh-token",
      client_id: clientId,
      client_secret: clientSecret,
    });
  });

  test.each<[string, RequestListener]>([
    ["answers with an error", json({ error: "server_error" }, 503)],
    ["redirects", redirect("/elsewhere")],
    ["breaks off", broken],
  ])("ends quietly where the provider %s, with a line in the log", async (_name, listener) => {
    const before = log.lines.length;
    hostile.answer("revocation", listener);
    await client.revoke(provider, "the-refresh-token");
    expect(log.lines.slice(before)).toEqual([expect.stringContaining("could not be revoked")]);
  });
});

test("security rule (SR-OIDC-6): failures and the log name nothing that was secret or claimed", () => {
  // The control: there is much to look at.
  expect(log.lines.length).toBeGreaterThan(80);
  const text = log.lines.join("\n");
  const secrets = [
    clientSecret,
    "the-code",
    "the-access-token",
    "the-refresh-token",
    nonce,
    codeVerifier,
    "alice",
  ];
  expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
  expect(text).not.toMatch(/eyJ|mallory|evil|signed@|PRIVATE KEY|p{20}|s{20}/);
});

function nested(depth: number): unknown {
  let value: unknown = "x";
  for (let level = 0; level < depth; level++) value = { a: value };
  return value;
}
