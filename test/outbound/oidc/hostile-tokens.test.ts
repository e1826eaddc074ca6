import { createHash, randomUUID } from "node:crypto";
import { EncryptJWT, exportSPKI, SignJWT, UnsecuredJWT } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Provider, ProviderClient } from "../../../src/domain/provider/provider.ts";
import { createGuardedFetch, type GuardedFetch } from "../../../src/outbound/guarded-fetch.ts";
import { createProviderClient } from "../../../src/outbound/oidc/provider-client.ts";
import { TestClock } from "../../support/clock.ts";
import {
  type HostileProvider,
  hostileClient,
  makeProviderKey,
  type ProviderKey,
  startHostileProvider,
} from "../../support/upstream/hostile-provider.ts";
import { testProvider } from "../../support/upstream/provider-records.ts";
import { answered, LogRecord } from "./client-records.ts";

const clock = new TestClock();
const { clientId, nonce } = hostileClient;
const clientSecret = "the-client-secret-that-is-long-enough-for-HS256";
const log = new LogRecord();

let hostile: HostileProvider;
let http: GuardedFetch;
let client: ProviderClient;
let provider: Provider;
let stranger: ProviderKey;

beforeAll(async () => {
  hostile = await startHostileProvider({ clock });
  http = createGuardedFetch({ allowedPrivateHosts: [hostile.host], extraPorts: [] });
  stranger = await makeProviderKey("RS256");
});

beforeEach(() => {
  hostile.reset();
  client = createProviderClient({ http, clock, logger: log.logger });
  provider = testProvider({ issuer: hostile.url, clientId, clientSecret });
});

afterAll(async () => {
  await http.close();
  await hostile.stop();
});

type Change = Readonly<Record<string, unknown>>;
const now = () => Math.floor(clock.now().getTime() / 1000);
const idToken = (change: Change = {}, options?: Parameters<HostileProvider["sign"]>[1]) =>
  hostile.sign(hostile.claims(change), options);

/** Hands an ID token in with a code, as the token endpoint of the provider does. */
async function withCode(token: string, of: Provider = provider) {
  hostile.change("token", { id_token: token });
  const redirectUri = "http://127.0.0.1:9/oidc/callback/acme";
  const callback = {
    query: "code=the-code&state=s",
    state: "s",
    nonce,
    codeVerifier: "v".repeat(43),
    redirectUri,
  };
  return log.keep(await client.finish(of, callback));
}

/** Hands an ID token in as an app does. */
async function fromApp(token: string, of: Provider = provider) {
  return log.keep(await client.readIdToken(of, token, [randomUUID(), nonce]));
}

const ways = [
  ["with a code", withCode],
  ["from an app", fromApp],
] as const;

type Row = [name: string, make: () => Promise<string> | string, detail: string];
const signature = "its signature is not right";
const algorithm = "its algorithm is not allowed";
const form = "it is not written as a signed token";
const another = "it is for another client";
const subject = "it names no subject, or one that is too long";
const login = "its nonce is not the one of this login";
const hostileTokens: Row[] = [
  ["with alg none (SR-OIDC-2)", () => new UnsecuredJWT(hostile.claims()).encode(), algorithm],
  [
    "with alg none and a signature (SR-OIDC-2)",
    async () => {
      const [, payload, signed] = (await idToken()).split(".");
      return `${base64url({ alg: "none" })}.${payload}.${signed}`;
    },
    algorithm,
  ],
  ["of HS256 with the client secret (SR-OIDC-2)", () => hmac(clientSecret), algorithm],
  [
    "of HS256 with the public key (SR-OIDC-2)",
    async () => hmac(await exportSPKI(hostile.key("RS256").publicKey)),
    algorithm,
  ],
  ["signed by another key under the same id", () => idToken({}, { key: stranger }), signature],
  [
    "signed by a key that is not the provider's",
    () => idToken({}, { key: { ...stranger, kid: "unknown" } }),
    "its key is none of the provider's",
  ],
  [
    "that brings its own key (jwk)",
    () => idToken({}, { key: stranger, header: { jwk: stranger.jwk } }),
    signature,
  ],
  [
    "signed by the right key for other claims",
    async () => swapPayload(await idToken(), { sub: "mallory" }),
    signature,
  ],
  ["without a signature", async () => (await idToken()).replace(/[^.]*$/, ""), signature],
  ["of another issuer", () => idToken({ iss: "https://evil.example" }), "its issuer is another"],
  [
    "of an issuer with a slash more (SR-OIDC-4)",
    () => idToken({ iss: `${hostile.url}/` }),
    "its issuer is another",
  ],
  ["of an issuer in capitals", () => idToken({ iss: hostile.url.toUpperCase() }), "its issuer is another"],
  ["without an issuer", () => idToken({ iss: undefined }), "its issuer is another"],
  ["with a list of issuers", () => idToken({ iss: [hostile.url] }), "its issuer is another"],
  ["for another client", () => idToken({ aud: "another" }), another],
  ["for nobody", () => idToken({ aud: undefined }), another],
  ["for a client whose id is a number", () => idToken({ aud: 5 }), another],
  ["for a list of others", () => idToken({ aud: ["a", "b"] }), another],
  [
    "for several clients without an authorised party",
    () => idToken({ aud: [clientId, "another"] }),
    "it is for several clients, and names no party",
  ],
  [
    "for several clients, issued to another",
    () => idToken({ aud: [clientId, "another"], azp: "another" }),
    "it was issued to another party",
  ],
  ["issued to another party", () => idToken({ azp: "another" }), "it was issued to another party"],
  ["that has expired", () => idToken({ iat: now() - 700, exp: now() - 31 }), "it has expired"],
  ["that never expires", () => idToken({ exp: undefined }), "it has no time"],
  ["whose end is a text", () => idToken({ exp: `${now() + 600}` }), "its times are not right"],
  ["of the future", () => idToken({ iat: now() + 31 }), "it is from the future"],
  ["of no time", () => idToken({ iat: undefined }), "it has no time"],
  ["that is not valid yet", () => idToken({ nbf: now() + 31 }), "its times are not right"],
  ["without a nonce (SR-OIDC-3)", () => idToken({ nonce: undefined }), login],
  ["with another nonce (SR-OIDC-3)", () => idToken({ nonce: "another" }), login],
  ["with an empty nonce", () => idToken({ nonce: "" }), login],
  ["with a list of nonces", () => idToken({ nonce: [nonce] }), login],
  ["without a subject", () => idToken({ sub: undefined }), subject],
  ["with an empty subject", () => idToken({ sub: "" }), subject],
  ["with a subject that is too long", () => idToken({ sub: "s".repeat(256) }), subject],
  ["with a subject that is a number", () => idToken({ sub: 42 }), subject],
  ["with a subject that cannot be stored", () => idToken({ sub: "a\0b" }), subject],
  [
    "that is a logout token by its type",
    () => idToken({}, { header: { typ: "logout+jwt" } }),
    "its type is another",
  ],
  [
    "that is an access token by its type",
    () => idToken({}, { header: { typ: "at+jwt" } }),
    "its type is another",
  ],
  ["that must be understood (crit)", () => critical(), form],
  ["that is no JWT", () => "a-text", form],
  ["that is empty", () => "", form],
  ["that is cut off", async () => (await idToken()).slice(0, -200), signature],
  ["that has no end", async () => (await idToken()).split(".").slice(0, 2).join("."), form],
  ["whose header is no JSON", async () => `aGVsbG8.${(await idToken()).split(".").slice(1).join(".")}`, form],
  ["whose claims are a list", () => list(), form],
  ["that is encrypted", () => encrypted(), form],
  ["that is huge", () => idToken({ padding: "p".repeat(64 * 1024) }), "it is too long"],
];

describe.each(ways)("security rule (SR-OIDC-1): an ID token %s", (_way, handIn) => {
  test.each(hostileTokens)("%s is refused", async (_name, make, detail) => {
    expect(await handIn(await make())).toEqual({
      kind: "failed",
      problem: "invalid",
      detail: `the ID token: ${detail}`,
    });
  });

  test.each<[string, () => Promise<string>]>([
    ["that is right", () => idToken()],
    ["of ES256", () => idToken({}, { key: hostile.key("ES256") })],
    ["of EdDSA", () => idToken({}, { key: hostile.key("EdDSA") })],
    ["whose type says JWT", () => idToken({}, { header: { typ: "JWT" } })],
    ["for a list with the client alone", () => idToken({ aud: [clientId] })],
    ["for several clients, issued to this one", () => idToken({ aud: ["x", clientId], azp: clientId })],
    ["that has just expired", () => idToken({ exp: now() - 29 })],
    ["of a clock that is a little ahead", () => idToken({ iat: now() + 30 })],
    ["with a subject as long as may be", () => idToken({ sub: "s".repeat(255) })],
    ["with the hash of a code, which is for another flow", () => idToken({ c_hash: "x" })],
  ])("%s is taken", async (_name, make) => {
    answered(await handIn(await make()));
  });

  test("with claims that are too large, too deep, or too many methods is bounded", async () => {
    const large = await idToken({ padding: "p".repeat(33 * 1024) });
    expect(await handIn(large)).toMatchObject({ problem: "invalid", detail: "the claims are too large" });
    let deep: unknown = "x";
    for (let depth = 0; depth < 40; depth++) deep = [deep];
    expect(await handIn(await idToken({ deep }))).toMatchObject({ detail: "the claims are too deep" });
    const amr = [...Array.from({ length: 20 }, (_, index) => `m${index}`), 5, { a: 1 }];
    const answer = answered(await handIn(await idToken({ amr: [7, ...amr] })));
    expect(answer.amr).toEqual(amr.slice(0, 16));
  });

  test("with claims of wrong types about how they signed in says nothing of it", async () => {
    const claims = { acr: 5, amr: "mfa", auth_time: "yesterday", sid: { a: 1 } };
    const { acr, amr, authTime, session } = answered(await handIn(await idToken(claims)));
    expect({ acr, amr, authTime, session }).toEqual({
      acr: undefined,
      amr: [],
      authTime: undefined,
      session: undefined,
    });
    expect(answered(await handIn(await idToken({ auth_time: 1e300 }))).authTime).toBeUndefined();
  });

  test("of an algorithm that the provider does not announce is refused", async () => {
    hostile.change("discovery", { id_token_signing_alg_values_supported: ["ES256"] });
    expect(await handIn(await idToken())).toMatchObject({ detail: `the ID token: ${algorithm}` });
    answered(await handIn(await idToken({}, { key: hostile.key("ES256") })));
  });

  test("of RS256 is what a provider signs with that announces nothing", async () => {
    hostile.change("discovery", { id_token_signing_alg_values_supported: undefined });
    answered(await handIn(await idToken()));
    expect(await handIn(await idToken({}, { key: hostile.key("ES256") }))).toMatchObject({
      detail: `the ID token: ${algorithm}`,
    });
  });

  test("of HS256 with a secret among the provider's keys is refused (SR-OIDC-2)", async () => {
    const secret = { kty: "oct", k: Buffer.from(clientSecret).toString("base64url"), kid: "secret" };
    hostile.change("keys", { keys: [secret] });
    const token = await new SignJWT(hostile.claims())
      .setProtectedHeader({ alg: "HS256", kid: "secret" })
      .sign(Buffer.from(clientSecret));
    expect(await handIn(token)).toMatchObject({ detail: `the ID token: ${algorithm}` });
  });

  test("names its key where there are several, and need not where there is one", async () => {
    const withoutKid = await idToken({}, { header: { kid: undefined } });
    answered(await handIn(withoutKid));
    const { jwk } = hostile.key("RS256");
    hostile.change("keys", { keys: [jwk, { ...stranger.jwk, kid: "more" }] });
    client = createProviderClient({ http, clock, logger: log.logger });
    expect(await handIn(withoutKid)).toMatchObject({
      detail: "the ID token: it does not say which key it is signed with",
    });
  });

  test("with unknown keys causes one request for keys a minute, however many come (SR-OIDC-8)", async () => {
    answered(await handIn(await idToken()));
    clock.advance(60_000);
    const tokens = Array.from({ length: 20 }, (_, index) =>
      idToken({}, { key: { ...stranger, kid: `unknown-${index}` } }),
    );
    for (const token of await Promise.all(tokens)) await handIn(token);
    expect(hostile.count("keys")).toBe(2);
  });
});

describe("an ID token of one tenant among many", () => {
  const tid = "9f4b1f04-58dd-4d5c-9d3c-1d6f2a1d0b11";
  const issuerOf = (tenant: string) => `${hostile.url}/${tenant}/v2.0`;
  const template = () => issuerOf("{tenantid}");

  beforeEach(() => {
    hostile.change("discovery", { issuer: template() });
    provider = {
      ...provider,
      issuer: template(),
      endpoints: { kind: "discovery", tenant: "organizations" },
      quirks: new Set(["tenant_in_issuer"]),
    };
  });

  test.each(ways)("%s is of the issuer with its own tenant", async (_way, handIn) => {
    const answer = answered(await handIn(await idToken({ tid, iss: issuerOf(tid) })));
    expect(answer.issuer).toBe(issuerOf(tid));
  });

  test.each<[string, () => Change]>([
    ["another tenant than it says", () => ({ tid, iss: issuerOf(randomUUID()) })],
    ["no tenant", () => ({ iss: issuerOf(tid) })],
    ["the template", () => ({ tid: "{tenantid}", iss: template() })],
    ["what is no tenant", () => ({ tid: "a/../b", iss: issuerOf("a/../b") })],
    ["a list of tenants", () => ({ tid: [tid], iss: issuerOf(tid) })],
  ])("of %s is refused", async (_name, claims) => {
    expect(await withCode(await idToken(claims()))).toMatchObject({
      detail: "the ID token: its issuer is another",
    });
  });

  test("of a personal account is refused where only those of companies may sign in", async () => {
    const personal = "9188040d-6c67-4c5b-b112-36a304b66dad";
    for (const written of [personal, personal.toUpperCase()]) {
      const token = await idToken({ tid: written, iss: issuerOf(written) });
      expect(await withCode(token)).toMatchObject({ detail: "the ID token: its issuer is another" });
    }
  });

  test("signed by a key of another tenant is refused", async () => {
    const { jwk } = hostile.key("RS256");
    const token = await idToken({ tid, iss: issuerOf(tid) });
    hostile.change("keys", { keys: [{ ...jwk, issuer: issuerOf(randomUUID()) }] });
    expect(await withCode(token)).toMatchObject({ detail: "the ID token: its key is of another issuer" });
    client = createProviderClient({ http, clock, logger: log.logger });
    hostile.change("keys", { keys: [{ ...jwk, issuer: template() }] });
    answered(await withCode(token));
  });
});

describe("the hash of the access token beside an ID token", () => {
  const hashOf = (name: string, token = "the-access-token") => {
    const digest = createHash(name).update(token).digest();
    return digest.subarray(0, digest.length / 2).toString("base64url");
  };

  test.each([
    ["RS256", "sha256"],
    ["ES256", "sha256"],
    ["EdDSA", "sha512"],
  ] as const)("is right by %s", async (alg, name) => {
    const key = hostile.key(alg);
    answered(await withCode(await idToken({ at_hash: hashOf(name) }, { key })));
  });

  test.each([
    ["of another token", hashOf("sha256", "another")],
    ["of another algorithm", hashOf("sha512")],
    ["that is empty", ""],
    ["that is a number", 5],
    ["that is null", null],
  ])("%s is refused", async (_name, at_hash) => {
    expect(await withCode(await idToken({ at_hash }))).toEqual({
      kind: "failed",
      problem: "invalid",
      detail: "the ID token: the access token beside it is another",
    });
  });
});

describe("security rule (SR-OIDC-7): a logout token", () => {
  const event = "http://schemas.openid.net/event/backchannel-logout";
  const claims = (change: Change = {}) =>
    hostile.claims({
      nonce: undefined,
      exp: now() + 120,
      jti: "the-id",
      sid: "the-session",
      events: { [event]: {} },
      ...change,
    });
  const sign = (change: Change = {}, options?: Parameters<HostileProvider["sign"]>[1]) =>
    hostile.sign(claims(change), { header: { typ: "logout+jwt" }, ...options });
  const read = async (token: string) => log.keep(await client.readLogoutToken(provider, token));

  test("that is right ends a session of a subject", async () => {
    expect(await read(await sign())).toEqual({
      kind: "logout",
      issuer: hostile.url,
      subject: "alice",
      session: "the-session",
      id: "the-id",
      expiresAt: new Date((now() + 150) * 1000),
    });
  });

  test.each<[string, () => Promise<string>, () => object]>([
    [
      "with a session alone",
      () => sign({ sub: undefined }),
      () => ({ subject: undefined, session: "the-session" }),
    ],
    [
      "with a subject alone",
      () => sign({ sid: undefined }),
      () => ({ subject: "alice", session: undefined }),
    ],
    ["without a type", () => hostile.sign(claims()), () => ({})],
    [
      "whose type says JWT, as older ones do",
      () => hostile.sign(claims(), { header: { typ: "JWT" } }),
      () => ({}),
    ],
    ["with more in its event", () => sign({ events: { [event]: { a: 1 }, other: {} } }), () => ({})],
    [
      "that is to last a year",
      () => sign({ exp: now() + 31_536_000 }),
      () => ({ expiresAt: new Date((now() + 3_600) * 1000) }),
    ],
  ])("%s is taken", async (_name, make, expected) => {
    expect(await read(await make())).toMatchObject({ kind: "logout", ...expected() });
  });

  test.each<[string, () => Promise<string> | string, string]>([
    ["with alg none", () => new UnsecuredJWT(claims()).encode(), algorithm],
    ["of HS256 with the client secret", () => hmac(clientSecret, claims()), algorithm],
    ["signed by another key", () => sign({}, { key: stranger }), signature],
    [
      "signed by an unknown key",
      () => sign({}, { key: { ...stranger, kid: "x" } }),
      "its key is none of the provider's",
    ],
    ["of another type", () => sign({}, { header: { typ: "at+jwt" } }), "its type is another"],
    ["of another issuer", () => sign({ iss: "https://evil.example" }), "its issuer is another"],
    ["for another client", () => sign({ aud: "another" }), another],
    ["for nobody", () => sign({ aud: undefined }), another],
    ["that has expired", () => sign({ exp: now() - 31 }), "it has expired"],
    ["without an end", () => sign({ exp: undefined }), "it has no time"],
    ["without a time", () => sign({ iat: undefined }), "it has no time"],
    ["of the future", () => sign({ iat: now() + 31 }), "it is from the future"],
    ["of long ago", () => sign({ iat: now() - 3_601 }), "it is too old"],
    ["without events", () => sign({ events: undefined }), "it tells of no logout"],
    ["with another event", () => sign({ events: { other: {} } }), "it tells of no logout"],
    ["with a list of events", () => sign({ events: [event] }), "it tells of no logout"],
    ["whose event is a text", () => sign({ events: { [event]: "yes" } }), "it tells of no logout"],
    ["with a nonce", () => sign({ nonce }), "it has a nonce"],
    ["with an empty nonce", () => sign({ nonce: "" }), "it has a nonce"],
    ["of nobody", () => sign({ sub: undefined, sid: undefined }), "it names neither a subject nor a session"],
    ["whose subject is a number", () => sign({ sub: 5 }), "its subject or session is no text, or too long"],
    [
      "whose session is too long",
      () => sign({ sid: "s".repeat(256) }),
      "its subject or session is no text, or too long",
    ],
    ["without an id", () => sign({ jti: undefined }), "it has no id"],
    ["whose id is a number", () => sign({ jti: 7 }), "it has no id"],
    ["whose id is too long", () => sign({ jti: "j".repeat(256) }), "it has no id"],
    ["that is no JWT", () => "a-text", form],
    ["that is an ID token", () => idToken(), "it tells of no logout"],
    ["that is huge", () => sign({ padding: "p".repeat(64 * 1024) }), "it is too long"],
  ])("%s is refused", async (_name, make, detail) => {
    expect(await read(await make())).toEqual({
      kind: "failed",
      problem: "invalid",
      detail: `the logout token: ${detail}`,
    });
  });
});

describe("security rule (SR-OIDC-6): what failures and the log say", () => {
  test("has no token, code, secret or claim in it", () => {
    // The control: there is much to look at.
    expect(log.lines.length).toBeGreaterThan(100);
    const text = log.lines.join("\n");
    const secrets = [
      clientSecret,
      "the-code",
      "the-access-token",
      nonce,
      clientId,
      "alice",
      "the-session",
      "the-id",
    ];
    expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
    expect(text).not.toMatch(/eyJ|mallory|evil|p{20}|s{20}/);
  });
});

function base64url(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function hmac(secret: string, claims = hostile.claims()): Promise<string> {
  const { kid } = hostile.key("RS256");
  return new SignJWT(claims).setProtectedHeader({ alg: "HS256", kid }).sign(Buffer.from(secret));
}

function swapPayload(token: string, change: Change): string {
  const [header, , signed] = token.split(".");
  return `${header}.${base64url(hostile.claims(change))}.${signed}`;
}

/** Signed rightly, with a header that says that an extension must be understood. */
function critical(): Promise<string> {
  const { privateKey, kid, alg } = hostile.key("RS256");
  return new SignJWT(hostile.claims())
    .setProtectedHeader({ alg, kid, crit: ["more"], more: true })
    .sign(privateKey, { crit: { more: true } });
}

/** Signed rightly, but claims are an object. */
async function list(): Promise<string> {
  const { CompactSign } = await import("jose");
  const { privateKey, kid, alg } = hostile.key("RS256");
  return new CompactSign(Buffer.from("[1]")).setProtectedHeader({ alg, kid }).sign(privateKey);
}

function encrypted(): Promise<string> {
  const secret = createHash("sha256").update(clientSecret).digest();
  return new EncryptJWT(hostile.claims()).setProtectedHeader({ alg: "dir", enc: "A256GCM" }).encrypt(secret);
}
