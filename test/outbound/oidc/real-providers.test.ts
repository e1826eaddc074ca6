import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type {
  Provider,
  ProviderAnswer,
  ProviderClient,
  ProviderFailure,
} from "../../../src/domain/provider/provider.ts";
import { Secret } from "../../../src/domain/secret.ts";
import { createGuardedFetch, type GuardedFetch } from "../../../src/outbound/guarded-fetch.ts";
import { createProviderClient } from "../../../src/outbound/oidc/provider-client.ts";
import { TestClock } from "../../support/clock.ts";
import { type OtherServer, startOtherServer } from "../../support/http-server.ts";
import { gitHubEndpoints, testProvider } from "../../support/upstream/provider-records.ts";
import { readBody } from "../../support/upstream/sign-in-page.ts";
import { type SignInOptions, startUpstream, type Upstream } from "../../support/upstream/upstream.ts";
import { UpstreamVisitor } from "../../support/upstream/visitor.ts";
import { answered, LogRecord } from "./client-records.ts";

const redirectUri = "http://127.0.0.1:9/oidc/callback/acme";
const afterLogout = "http://127.0.0.1:9/signed-out";

let upstream: Upstream;
let http: GuardedFetch;
let client: ProviderClient;
let first: Provider;
let second: Provider;
let github: Provider;
/** The server of ours that the first provider tells of logouts. */
let logoutReceiver: OtherServer;
let loggedOut: string[];
const clock = new TestClock();
const record = new LogRecord();
const log = record.lines;
/** States, nonces, verifiers and codes of all logins. */
const secrets = new Set<string>();

beforeAll(async () => {
  upstream = await startUpstream({ clock });
  http = createGuardedFetch({
    allowedPrivateHosts: [upstream.first.host, upstream.second.host, upstream.github.host],
    extraPorts: [],
  });
  client = newClient();
  loggedOut = [];
  logoutReceiver = await startOtherServer(async (request, response) => {
    loggedOut.push(new URLSearchParams(await readBody(request)).get("logout_token") ?? "");
    response.end();
  });
  const metadata = {
    post_logout_redirect_uris: [afterLogout],
    backchannel_logout_uri: logoutReceiver.url,
  };
  const scopes = ["openid", "profile", "email"];
  first = testProvider({
    id: "first",
    issuer: upstream.first.url,
    ...(await upstream.first.setClient([redirectUri], { metadata })),
    scopes: [...scopes, "offline_access"],
    parameters: { prompt: "consent" },
  });
  second = testProvider({
    id: "second",
    issuer: upstream.second.url,
    ...(await upstream.second.setClient([redirectUri])),
    claimsSource: "userinfo",
  });
  github = testProvider({
    id: "github",
    issuer: "https://github.com",
    ...(await upstream.github.setClient([redirectUri])),
    endpoints: gitHubEndpoints(upstream.github.url),
    scopes: ["read:user", "user:email"],
    claimsSource: "userinfo",
    quirks: new Set(["github_emails"]),
  });
});

afterAll(async () => {
  await logoutReceiver.stop();
  await http.close();
  expect(upstream.errors()).toBe("");
  await upstream.stop();
});

function newClient(): ProviderClient {
  return createProviderClient({ http, clock, logger: record.logger });
}

interface Login {
  readonly answer: ProviderAnswer | ProviderFailure;
  readonly callback: string;
}

/** Signs in at a provider and takes what comes back. */
async function logIn(
  provider: Provider,
  options: SignInOptions,
  change: {
    readonly parameters?: Record<string, string>;
    readonly answerTo?: Provider;
    readonly callback?: (url: URL) => void;
    readonly state?: string;
    readonly nonce?: string;
    readonly codeVerifier?: string;
  } = {},
): Promise<Login> {
  const { parameters = {}, answerTo = provider, callback: edit, ...instead } = change;
  const random = () => randomBytes(32).toString("base64url");
  const request = { state: random(), nonce: random(), codeVerifier: random(), redirectUri };
  const begun = await client.begin(provider, { ...request, parameters });
  if (begun.kind === "failed") return { answer: begun, callback: "" };
  const callback = await upstream.signInAt(begun.url, options);
  const url = new URL(callback);
  edit?.(url);
  const query = url.search.slice(1);
  for (const secret of Object.values(request)) secrets.add(secret);
  secrets.add(url.searchParams.get("code") ?? request.state);
  secrets.delete(redirectUri);
  const answer = record.keep(await client.finish(answerTo, { ...request, ...instead, query }));
  return { answer, callback };
}

const profile = { email: "alice@example.com", email_verified: true, name: "Alice" };

describe("a login at an OpenID provider", () => {
  test("with its claims in the ID token gives who it is, how they signed in, and tokens", async () => {
    const { answer } = await logIn(first, {
      subject: "alice",
      claims: profile,
      acr: "urn:example:gold",
      amr: ["pwd", "otp"],
    });
    const { claims, tokens, session, authTime, ...others } = answered(answer);
    expect(others).toEqual({
      kind: "answered",
      issuer: upstream.first.url,
      subject: "alice",
      acr: "urn:example:gold",
      amr: ["pwd", "otp"],
    });
    expect(claims).toMatchObject({ ...profile, sub: "alice", iss: upstream.first.url });
    expect(Object.keys(claims)).not.toEqual(expect.arrayContaining(["nonce"]));
    expect(session).toMatch(/^.{20,}$/);
    expect(Math.abs(clock.now().getTime() - (authTime?.getTime() ?? 0))).toBeLessThan(120_000);
    expect(tokens?.accessToken).toMatch(/^.{20,}$/);
    expect(tokens?.refreshToken).toMatch(/^.{20,}$/);
    expect(tokens?.idToken?.split(".")).toHaveLength(3);
    expect(tokens?.scope?.split(" ")).toContain("offline_access");
    expect(tokens?.expiresAt?.getTime()).toBe(clock.now().getTime() + 600_000);
  });

  test("with its claims in user info reads them there", async () => {
    const { answer } = await logIn(second, {
      subject: "bob",
      claims: { ...profile, preferred_username: "bob" },
    });
    const { claims, issuer, subject, tokens } = answered(answer);
    expect({ issuer, subject }).toEqual({ issuer: upstream.second.url, subject: "bob" });
    expect(claims).toMatchObject({ ...profile, preferred_username: "bob" });
    expect(tokens?.refreshToken).toBeUndefined();
  });

  test("`email_verified` as a text stays one: what it means is for the mapping", async () => {
    const claims = { email: "carol@example.com", email_verified: "true" };
    const { answer } = await logIn(first, { subject: "carol", claims });
    expect(answered(answer).claims).toMatchObject({ email_verified: "true" });
  });
});

describe("a login at a provider without ID tokens", () => {
  const emails = [
    { email: "octo@example.com", primary: true, verified: true, visibility: "public" },
    { email: "cat@example.org", primary: false, verified: false, visibility: null },
  ];

  test("gives the account of user info, whose number is a text, and the addresses beside it", async () => {
    const { answer } = await logIn(github, {
      subject: "583231",
      claims: { login: "octocat", name: "Octo Cat", emails },
    });
    expect(answered(answer)).toEqual({
      kind: "answered",
      issuer: "https://github.com",
      subject: "583231",
      claims: { login: "octocat", name: "Octo Cat", id: 583231, emails },
      acr: undefined,
      amr: [],
      authTime: undefined,
      session: undefined,
      tokens: {
        accessToken: expect.stringMatching(/^gho_/),
        refreshToken: undefined,
        idToken: undefined,
        expiresAt: undefined,
        scope: "read:user,user:email",
      },
    });
  });

  test("gives no addresses without the scope for them", async () => {
    const provider = { ...github, scopes: ["read:user"] };
    const { answer } = await logIn(provider, { subject: "583232", claims: { emails } });
    expect(answered(answer).claims).toEqual({ login: "583232", id: 583232, emails: [] });
  });

  test("takes nothing of how they signed in from what is not an ID token", async () => {
    const claims = { acr: "gold", amr: ["mfa"], auth_time: 1_700_000_000, sid: "s" };
    const { answer } = await logIn(github, { subject: "583233", claims });
    const { acr, amr, authTime, session } = answered(answer);
    expect({ acr, amr, authTime, session }).toEqual({
      acr: undefined,
      amr: [],
      authTime: undefined,
      session: undefined,
    });
  });

  test.each([
    [
      "a wrong secret",
      { clientSecret: "not it" },
      "the token endpoint answered with the error incorrect_client_credentials",
    ],
    [
      "another client id",
      { clientId: "unknown" },
      "the token endpoint answered with the error incorrect_client_credentials",
    ],
  ])("with %s is an error, though its status is 200", async (_name, change, detail) => {
    const { clientId } = github;
    const answerTo = testProvider({ ...stripped(github), clientId, clientSecret: "x", ...change });
    const { answer } = await logIn(github, { subject: "583234" }, { answerTo });
    expect(answer).toEqual({ kind: "failed", problem: "invalid", detail });
  });

  test("with the code of another login is an error, by PKCE", async () => {
    const codeVerifier = "v".repeat(43);
    const { answer } = await logIn(github, { subject: "583235" }, { codeVerifier });
    const detail = "the token endpoint answered with the error bad_verification_code";
    expect(answer).toEqual({ kind: "failed", problem: "invalid", detail });
  });
});

/** What of a provider stays when its client changes. */
function stripped({ authentication: _, clientId: _id, ...others }: Provider) {
  return others;
}

describe("who cancels", () => {
  test.each([
    ["OpenID Connect", () => first],
    ["OAuth 2", () => github],
  ])("with %s has denied it", async (_name, provider) => {
    const { answer } = await logIn(provider(), { subject: "77", cancels: true });
    expect(answer).toEqual({
      kind: "failed",
      problem: "denied",
      detail: "the provider answered with the error access_denied",
    });
  });

  test("cannot be had to sign in silently", async () => {
    const provider = { ...first, parameters: {} };
    const { answer } = await logIn(provider, { subject: "dan" }, { parameters: { prompt: "none" } });
    expect(answer).toMatchObject({ problem: "denied" });
  });
});

describe("the answer of a login", () => {
  const dora = { subject: "dora", claims: profile };

  test("is for the issuer that it names: one issuer's answer is refused for the other (SR-OIDC-10)", async () => {
    for (const [provider, answerTo] of [
      [first, second],
      [second, first],
    ] as const) {
      const before = await countOf(answerTo, "POST /token");
      const { answer } = await logIn(provider, dora, { answerTo });
      expect(answer).toMatchObject({ kind: "failed", problem: "invalid" });
      // The code has gone nowhere.
      expect(await countOf(answerTo, "POST /token")).toBe(before);
    }
    // The control.
    answered((await logIn(second, dora)).answer);
  });

  const otherLogin = "the answer is of another login: its state is another";
  const notUsable = "what came cannot be used: ClientError (OAUTH_INVALID_RESPONSE)";
  test.each<[string, (url: URL) => void, string]>([
    ["without the issuer's name", (url) => url.searchParams.delete("iss"), "the answer names no issuer"],
    [
      "with a slash more in the issuer's name",
      (url) => url.searchParams.set("iss", `${first.issuer}/`),
      "the answer names another issuer",
    ],
    ["with two issuers", (url) => url.searchParams.append("iss", second.issuer), notUsable],
    ["without a state", (url) => url.searchParams.delete("state"), otherLogin],
    ["with another state", (url) => url.searchParams.set("state", "another"), otherLogin],
    ["with two states", (url) => url.searchParams.append("state", "another"), otherLogin],
    ["without a code", (url) => url.searchParams.delete("code"), notUsable],
    [
      "with another code",
      (url) => url.searchParams.set("code", "code-of-no-login"),
      "the token endpoint answered with the error invalid_grant",
    ],
    [
      "with an ID token of its own",
      (url) => url.searchParams.set("id_token", "a.b.c"),
      "what came cannot be used: ClientError (OAUTH_UNSUPPORTED_OPERATION)",
    ],
    ["as a JWT", (url) => url.searchParams.set("response", "a.b.c"), notUsable],
    [
      "with an error that nobody knows",
      (url) => url.searchParams.set("error", "alice@example.com"),
      "the provider answered with an error that is none of the known ones",
    ],
  ])("%s is refused", async (_name, callback, detail) => {
    const { answer } = await logIn(first, dora, { callback });
    expect(answer).toEqual({ kind: "failed", problem: "invalid", detail });
  });

  test.each([
    ["another nonce (SR-OIDC-3)", { nonce: "another" }],
    ["another PKCE verifier", { codeVerifier: "v".repeat(43) }],
  ])("with %s is refused", async (_name, change) => {
    const { answer } = await logIn(first, dora, change);
    expect(answer).toMatchObject({ kind: "failed", problem: "invalid" });
  });

  test("is good once: its code is", async () => {
    const request = { state: "s", nonce: "n", codeVerifier: "v".repeat(43), redirectUri };
    const begun = await client.begin(first, request);
    if (begun.kind === "failed") throw new Error(begun.detail);
    const callback = { ...request, query: new URL(await upstream.signInAt(begun.url, dora)).search.slice(1) };
    answered(await client.finish(first, callback));
    expect(await client.finish(first, callback)).toEqual({
      kind: "failed",
      problem: "invalid",
      detail: "the token endpoint answered with the error invalid_grant",
    });
  });

  test("says that the provider does not know the client by this secret", async () => {
    const answerTo = testProvider({ ...stripped(first), clientId: first.clientId, clientSecret: "not it" });
    const { answer } = await logIn(first, dora, { answerTo });
    const detail = "the token endpoint answered with the error invalid_client";
    expect(answer).toEqual({ kind: "failed", problem: "invalid", detail });
  });
});

describe("clients prove who they are", () => {
  const eve = { subject: "eve", claims: profile };

  test.each([
    ["posted", "first"],
    ["in a header", "second"],
  ] as const)("by a secret whose form differs from its text, %s", async (_name, name) => {
    const { clientId, clientSecret } = await upstream[name].setClient([redirectUri], {
      clientId: `an-id.with_all: ${randomBytes(8).toString("hex")}`,
      clientSecret: "a secret: 100 % & more+",
    });
    const base = name === "first" ? first : second;
    const provider = testProvider({ ...stripped(base), clientId, clientSecret, scopes: ["openid"] });
    answered((await logIn(provider, eve)).answer);
  });

  test.each(["RSA", "EC", "Ed25519"] as const)("by a key: %s (RFC 7523)", async (kind) => {
    const { publicKey, privateKey } = keyPair(kind);
    const keyId = `key-${kind}`;
    const { clientId } = await upstream.first.setClient([redirectUri], {
      clientSecret: undefined as never,
      metadata: {
        token_endpoint_auth_method: "private_key_jwt",
        jwks: { keys: [{ ...publicKey.export({ format: "jwk" }), kid: keyId, use: "sig" }] },
      },
    });
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
    const authentication = { kind: "private_key", key: () => new Secret(pem), keyId } as const;
    const provider = testProvider({ ...stripped(first), clientId, authentication, scopes: ["openid"] });
    answered((await logIn(provider, eve)).answer);
    const another = keyPair(kind).privateKey.export({ type: "pkcs8", format: "pem" }) as string;
    const stranger = { ...provider, authentication: { ...authentication, key: () => new Secret(another) } };
    const { answer } = await logIn(provider, eve, { answerTo: stranger });
    expect(answer).toMatchObject({ detail: "the token endpoint answered with the error invalid_client" });
  });

  test("by nothing but PKCE, as public ones do", async () => {
    const { clientId } = await upstream.first.setClient([redirectUri], { clientSecret: undefined as never });
    const authentication = { kind: "none" } as const;
    const provider = testProvider({ ...stripped(first), clientId, authentication, scopes: ["openid"] });
    answered((await logIn(provider, eve)).answer);
  });

  test("by a key that is none: the detail does not quote it", async () => {
    const authentication = { kind: "private_key", key: () => new Secret("hunter2"), keyId: "k" } as const;
    const { answer } = await logIn(first, eve, { answerTo: { ...first, authentication } });
    expect(answer).toEqual({ kind: "failed", problem: "invalid", detail: "the client key cannot be read" });
  });
});

describe("the authorisation request", () => {
  test("has what was asked for, and nothing of ours is replaced by other parameters", async () => {
    const parameters = { prompt: "login", login_hint: "a@example.com", state: "evil", scope: "evil" };
    const provider = { ...first, parameters: { hd: "example.com", redirect_uri: "https://evil.example" } };
    const request = { state: "s1", nonce: "n1", codeVerifier: "v".repeat(43), redirectUri };
    const begun = await client.begin(provider, { ...request, parameters });
    if (begun.kind === "failed") throw new Error(begun.detail);
    const url = new URL(begun.url);
    expect(url.origin).toBe(upstream.first.url);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      client_id: first.clientId,
      response_type: "code",
      redirect_uri: redirectUri,
      scope: "openid profile email offline_access",
      state: "s1",
      nonce: "n1",
      code_challenge: createHash("sha256").update(request.codeVerifier).digest("base64url"),
      code_challenge_method: "S256",
      prompt: "login",
      login_hint: "a@example.com",
      hd: "example.com",
    });
    // Each parameter once.
    expect([...url.searchParams.keys()].length).toBe(new Set(url.searchParams.keys()).size);
  });

  test("has no PKCE for a provider that cannot, and no nonce where there are no ID tokens", async () => {
    const request = { state: "s1", nonce: "n1", codeVerifier: "v".repeat(43), redirectUri };
    const begun = await client.begin({ ...github, pkce: false }, request);
    if (begun.kind === "failed") throw new Error(begun.detail);
    expect([...new URL(begun.url).searchParams.keys()].sort()).toEqual([
      "client_id",
      "redirect_uri",
      "response_type",
      "scope",
      "state",
    ]);
  });

  test("asks for a posted answer where the provider has it so, and reads the name beside it", async () => {
    const provider: Provider = { ...second, quirks: new Set(["form_post"]) };
    const request = { state: "s", nonce: "n", codeVerifier: "v".repeat(43), redirectUri };
    const begun = await client.begin(provider, request);
    if (begun.kind === "failed") throw new Error(begun.detail);
    const back = await new UpstreamVisitor().visit(begun.url, { subject: "fred" });
    expect(back.url).toBe(redirectUri);
    const form = back.form ?? new URLSearchParams();
    const name = { firstName: "Fred", lastName: "Flint" };
    form.set("user", JSON.stringify({ name, email: "not.signed@example.com", sub: "another" }));
    const answer = answered(await client.finish(provider, { ...request, query: form.toString() }));
    expect(answer.subject).toBe("fred");
    expect(answer.claims).toMatchObject({ user: { name }, sub: "fred" });
    expect(JSON.stringify(answer.claims)).not.toContain("not.signed");
  });
});

describe("tokens", () => {
  test("are refreshed, until they are revoked", async () => {
    const { tokens } = answered((await logIn(first, { subject: "gina", claims: profile })).answer);
    const account = { issuer: first.issuer, subject: "gina" };
    const refreshed = await client.refresh(first, tokens?.refreshToken ?? "", account);
    if (refreshed.kind === "failed") throw new Error(refreshed.detail);
    expect(refreshed.tokens.accessToken).not.toBe(tokens?.accessToken);
    expect(refreshed.tokens.refreshToken).toMatch(/^.{20,}$/);
    expect(refreshed.tokens.expiresAt?.getTime()).toBe(clock.now().getTime() + 600_000);
    await client.revoke(first, refreshed.tokens.refreshToken ?? "");
    expect(await client.refresh(first, refreshed.tokens.refreshToken ?? "", account)).toEqual({
      kind: "failed",
      problem: "denied",
      detail: "the token endpoint answered with the error invalid_grant",
    });
  });

  test("of a provider that cannot revoke are left alone", async () => {
    const before = log.length;
    await client.revoke(github, "gho_something");
    expect(log).toHaveLength(before);
  });
});

describe("signing out", () => {
  test("at the provider: the browser is sent there with the ID token, and back", async () => {
    const visitor = new UpstreamVisitor();
    const { answer } = await logIn(first, { subject: "hank", visitor });
    const { tokens, session, issuer } = answered(answer);
    const url = (await client.logoutUrl(first, { idToken: tokens?.idToken, returnTo: afterLogout })) ?? "";
    expect(await visitor.signOut(url)).toBe(afterLogout);

    // The provider has told so beside it.
    const [token = ""] = loggedOut.splice(0);
    expect(await client.readLogoutToken(first, token)).toEqual({
      kind: "logout",
      issuer,
      subject: "hank",
      session,
      id: expect.stringMatching(/^.{10,}$/),
      expiresAt: new Date(clock.now().getTime() + 150_000),
    });
    expect(await client.readLogoutToken(second, token)).toMatchObject({ kind: "failed", problem: "invalid" });
  });

  test("is not possible where the provider has no place for it", async () => {
    expect(await client.logoutUrl(github, { idToken: undefined, returnTo: undefined })).toBeUndefined();
  });

  test("is possible at once after a start, before anybody has signed in", async () => {
    const url = await newClient().logoutUrl(first, { idToken: undefined, returnTo: undefined });
    expect(url).toContain(`client_id=${first.clientId}`);
  });

  test("an ID token is no logout token, and a logout token no ID token (SR-OIDC-7)", async () => {
    const visitor = new UpstreamVisitor();
    const { tokens } = answered((await logIn(first, { subject: "ida", visitor })).answer);
    const failed = { kind: "failed", problem: "invalid" };
    expect(await client.readLogoutToken(first, tokens?.idToken ?? "")).toMatchObject(failed);
    await visitor.signOut(
      (await client.logoutUrl(first, { idToken: tokens?.idToken, returnTo: undefined })) ?? "",
    );
    const [token = ""] = loggedOut.splice(0);
    expect(await client.readIdToken(first, token, ["n"])).toMatchObject(failed);
  });
});

describe("an ID token that an app hands in", () => {
  const request = { state: "s", nonce: "from-the-app", codeVerifier: "v".repeat(43), redirectUri };

  async function idTokenOfApp(): Promise<string> {
    const begun = await client.begin(first, request);
    if (begun.kind === "failed") throw new Error(begun.detail);
    const callback = await upstream.signInAt(begun.url, { subject: "jack", claims: profile });
    const query = new URL(callback).search.slice(1);
    return answered(await client.finish(first, { ...request, query })).tokens?.idToken ?? "";
  }

  test("says who it is, for the nonces that were offered alone", async () => {
    const idToken = await idTokenOfApp();
    const answer = answered(await client.readIdToken(first, idToken, ["another", "from-the-app"]));
    expect(answer).toMatchObject({ subject: "jack", issuer: upstream.first.url, tokens: undefined });
    expect(answer.claims).toMatchObject(profile);
    const failed = { kind: "failed", problem: "invalid" };
    expect(await client.readIdToken(first, idToken, ["another"])).toMatchObject(failed);
    expect(await client.readIdToken(first, idToken, [])).toMatchObject(failed);
  });

  test("is none of a provider without ID tokens, and neither is a logout token", async () => {
    const failure = { kind: "failed", problem: "invalid", detail: "the provider has no keys" };
    expect(await client.readIdToken(github, await idTokenOfApp(), ["from-the-app"])).toEqual(failure);
    expect(await client.readLogoutToken(github, await idTokenOfApp())).toEqual(failure);
  });

  test("may be for a client of the app, if the configuration names it", async () => {
    const idToken = await idTokenOfApp();
    const web = { ...first, clientId: "web-client" };
    expect(await client.readIdToken(web, idToken, ["from-the-app"])).toMatchObject({
      detail: "the ID token: it is for another client",
    });
    const withApp = { ...web, nativeClientIds: new Set([first.clientId]) };
    answered(await client.readIdToken(withApp, idToken, ["from-the-app"]));
  });
});

describe("look-ups", () => {
  test("discovery and keys are asked for once in 50 logins, 10 of them at the same time", async () => {
    const before = await upstream.first.countRequests();
    client = newClient();
    const logins = () => logIn(first, { subject: "kate" });
    const together = await Promise.all(Array.from({ length: 10 }, logins));
    for (const { answer } of together) answered(answer);
    for (let login = 0; login < 40; login++) answered((await logins()).answer);
    const after = await upstream.first.countRequests();
    const sent = (what: string) => (after[what] ?? 0) - (before[what] ?? 0);
    expect(sent("GET /.well-known/openid-configuration")).toBe(1);
    expect(sent("GET /jwks")).toBe(1);
    expect(sent("POST /token")).toBe(50);
    expect(sent("GET /me")).toBe(0);
  });

  test("keys that the provider has changed are found, at most once a minute (SR-OIDC-8)", async () => {
    answered((await logIn(first, { subject: "lara" })).answer);
    const asked = () => countOf(first, "GET /jwks");
    const before = await asked();
    clock.advance(60_000);
    await upstream.first.rotateKeys();
    answered((await logIn(first, { subject: "lara" })).answer);
    expect(await asked()).toBe(before + 1);
    await upstream.first.rotateKeys();
    expect((await logIn(first, { subject: "lara" })).answer).toMatchObject({
      kind: "failed",
      detail: "the ID token: its key is none of the provider's",
    });
    expect(await asked()).toBe(before + 1);
    clock.advance(60_000);
    answered((await logIn(first, { subject: "lara" })).answer);
    expect(await asked()).toBe(before + 2);
  });

  test("a provider that is down at first is not available, and heals by itself", async () => {
    const fresh = newClient();
    const request = { state: "s", nonce: "n", codeVerifier: "v".repeat(43), redirectUri };
    expect(fresh.isAvailable(github)).toBe(true);
    await upstream.second.setDown(true);
    const logged = log.length;
    const failure = {
      kind: "failed",
      problem: "unavailable",
      detail: "discovery answered with status 503",
    };
    expect(await fresh.begin(second, request)).toEqual(failure);
    expect(fresh.isAvailable(second)).toBe(false);
    const asked = () => countOf(second, "GET /.well-known/openid-configuration");
    const before = await asked();
    expect(await fresh.begin(second, request)).toEqual(failure);
    clock.advance(4_999);
    expect(await fresh.begin(second, request)).toEqual(failure);
    expect(await asked()).toBe(before);

    await upstream.second.setDown(false);
    clock.advance(1);
    // To ask whether it is available is what heals it.
    expect(fresh.isAvailable(second)).toBe(false);
    await expect.poll(() => fresh.isAvailable(second)).toBe(true);
    expect(await asked()).toBe(before + 1);
    expect(await fresh.begin(second, request)).toMatchObject({ kind: "url" });
    expect(log.slice(logged)).toEqual([
      expect.stringContaining("its discovery failed"),
      expect.stringContaining("can be signed in with again"),
    ]);
  });

  test("a provider that goes down later stays available by what is known of it", async () => {
    answered((await logIn(second, { subject: "mona" })).answer);
    await upstream.second.setDown(true);
    clock.advance(3_600_000);
    const request = { state: "s", nonce: "n", codeVerifier: "v".repeat(43), redirectUri };
    expect(await client.begin(second, request)).toMatchObject({ kind: "url" });
    expect(client.isAvailable(second)).toBe(true);
    await upstream.second.setDown(false);
    clock.advance(5_000);
    answered((await logIn(second, { subject: "mona" })).answer);
  });

  test("a token endpoint that is down is told as such", async () => {
    const request = { state: "s", nonce: "n", codeVerifier: "v".repeat(43), redirectUri };
    const begun = await client.begin(second, request);
    if (begun.kind === "failed") throw new Error(begun.detail);
    const callback = await upstream.signInAt(begun.url, { subject: "nora" });
    await upstream.second.setDown(true);
    const answer = await client.finish(second, { ...request, query: new URL(callback).search.slice(1) });
    await upstream.second.setDown(false);
    expect(answer).toEqual({
      kind: "failed",
      problem: "unavailable",
      detail: "the token endpoint answered with status 503",
    });
  });
});

test("security rule (SR-OIDC-6): what failures and the log say names no token, code, secret or claim", () => {
  // The control: there is much to look at.
  expect(log.length).toBeGreaterThan(20);
  const text = log.join("\n");
  expect(secrets.size).toBeGreaterThan(100);
  expect([...secrets].filter((secret) => text.includes(secret))).toEqual([]);
  expect(text).not.toMatch(/eyJ|gho_|example\.com|alice|hunter2/);
});

async function countOf(provider: Provider, what: string): Promise<number> {
  const asked = provider.id === "first" ? upstream.first : upstream.second;
  return (await asked.countRequests())[what] ?? 0;
}

function keyPair(kind: "RSA" | "EC" | "Ed25519") {
  switch (kind) {
    case "RSA":
      return generateKeyPairSync("rsa", { modulusLength: 2048 });
    case "EC":
      return generateKeyPairSync("ec", { namedCurve: "P-256" });
    case "Ed25519":
      return generateKeyPairSync("ed25519");
  }
}
