import { X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import { selfSignedCertificate } from "../../../test/support/certificate.ts";
import { TestClock } from "../../../test/support/clock.ts";
import { anApiKey, anIdentity, aSession, noon, someSettings } from "../../../test/support/records.ts";
import { offCache, strongReading } from "../../../test/support/sessions.ts";
import { createTokens } from "../../crypto/tokens.ts";
import type { ApiKey } from "../../domain/access/api-key.ts";
import { ApiKeys } from "../../domain/access/api-keys.ts";
import type { TenantId } from "../../domain/ids.ts";
import { instantOf } from "../../domain/instant.ts";
import { LastUseRecorder } from "../../domain/last-use-recorder.ts";
import type { TokenKind } from "../../domain/ports.ts";
import type { Session } from "../../domain/session/session.ts";
import { SessionReader } from "../../domain/session/session-reader.ts";
import { Sessions } from "../../domain/session/sessions.ts";
import type { Tenant } from "../../domain/tenant/tenant.ts";
import type { Exchange, Peer } from "../net/exchange.ts";
import { bearerOf, type Caller, createAccess, credentialKindOf, namesOf } from "./access.ts";
import type { CertificateGrant } from "./client-certificates.ts";

const allowedOrigin = "https://app.example.com";
const tokens = createTokens();
const tenantOf = (tenantId: string, name: string): Tenant => ({
  tenantId: tenantId as TenantId,
  name,
  settings: someSettings({ allowedOrigins: new Set([allowedOrigin]) }),
});
const tenant = tenantOf("t1", "default");
const other = tenantOf("t2", "other");
const identity = anIdentity();
const x509 = new X509Certificate(selfSignedCertificate().cert);
const grant: CertificateGrant = {
  name: "backup",
  match: { kind: "fingerprint", value: x509.fingerprint256 },
  scopes: ["identity:read"],
};
const logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Access to a server that has the sessions and keys which a test makes. */
function server(certificates: readonly CertificateGrant[] = [grant]) {
  const clock = new TestClock();
  const soon = instantOf(new Date(clock.now().getTime() + 3_600_000));
  const sessions = new Map<string, Session>();
  const keys = new Map<string, ApiKey>();
  const keyOf = (digest: Uint8Array) => Buffer.from(digest).toString("hex");
  const recorder = { write: async () => {}, clock, logger };
  const pageTokens = undefined as never;
  const store = {
    findByTokenDigests: async (_scope: object, digests: readonly Uint8Array[]) => ({
      sessions: digests.flatMap((digest) => {
        const session = sessions.get(keyOf(digest));
        return session ? [{ digest, session, identity }] : [];
      }),
      position: undefined,
      includesAsked: false,
    }),
  };
  const cache = offCache();
  const tenants = {
    byName: (name: string) => [tenant, other].find((each) => each.name === name),
    byHost: (host: string | undefined) => (host === "other.example.com" ? other : tenant),
  };
  const access = createAccess({
    tenants,
    certificates: () => certificates,
    clock,
    sessions: new Sessions({
      store: store as never,
      reader: new SessionReader({ store, cache, clock }),
      cache,
      tokens,
      pageTokens,
      uses: new LastUseRecorder(recorder),
      clock,
    }),
    apiKeys: new ApiKeys({
      store: {
        findByTokenDigest: async (_scope: object, digest: Uint8Array) => keys.get(keyOf(digest)),
      } as never,
      transactions: undefined as never,
      tokens,
      tenants,
      pageTokens,
      uses: new LastUseRecorder(recorder),
      clock,
    }),
  });
  return {
    access,
    clock,
    session: (kind: TokenKind = "session", change: Partial<Session> = {}) => {
      const { token, digest } = tokens.issue(kind, "default");
      sessions.set(keyOf(digest), aSession(identity.id, { expiresAt: soon, ...change }));
      return token.reveal();
    },
    key: (scopes: readonly string[], of: Tenant = tenant) => {
      const { token, digest } = tokens.issue("api_key", of.name);
      keys.set(keyOf(digest), anApiKey({ scopes }));
      return token.reveal();
    },
  };
}

/** A request with these headers. */
function request(
  headers: Readonly<Record<string, string>> = {},
  peer: Partial<Peer> = {},
  more: Partial<Exchange> = {},
): Exchange {
  return {
    host: "id.example.com",
    path: "/",
    peer,
    header: (name: string) => headers[name],
    headerCount: (name: string) => (headers[name] === undefined ? 0 : 1),
    ...more,
  } as Exchange;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const cookie = (value: string) => ({ cookie: `ostiary_session=${value}` });
const refused = (reason: string, metadata: object = {}) => ({ reason, metadata });

describe("the Authorization header", () => {
  test.each([
    [undefined, { kind: "absent" }],
    ["Basic YTpi", { kind: "absent" }],
    ["Bearers abc", { kind: "absent" }],
    ["a Bearer abc", { kind: "absent" }],
    ["Bearer abc", { kind: "token", text: "abc" }],
    ["bEaReR   abc ", { kind: "token", text: "abc" }],
    ["Bearer", { kind: "malformed", message: expect.stringContaining("no single token") }],
    ["Bearer ", { kind: "malformed", message: expect.stringContaining("no single token") }],
    ["Bearer a b", { kind: "malformed", message: expect.stringContaining("no single token") }],
  ])("%s is read", (header, expected) => {
    expect(bearerOf(request(header === undefined ? {} : { authorization: header }))).toEqual(expected);
  });

  test("that was sent twice is not believed", () => {
    const twice = request(bearer("abc"), {}, { headerCount: () => 2 });
    expect(bearerOf(twice)).toEqual({
      kind: "malformed",
      message: expect.stringContaining("more than once"),
    });
    expect(bearerOf(request({}, {}, { headerCount: () => 2 }))).toEqual({ kind: "absent" });
  });

  test.each<[string, Exchange, "session" | "api_key"]>([
    ["a key", request(bearer("ost_key_x")), "api_key"],
    ["a session's token", request(bearer("ost_ses_ost_key_")), "session"],
    ["nothing", request(), "session"],
    ["a certificate", request({}, { certificate: x509 }), "api_key"],
    ["a session's token beside a certificate", request(bearer("x"), { certificate: x509 }), "session"],
    ["something malformed", request({ authorization: "Bearer a b" }), "session"],
  ])("and what else is shown is of a kind: %s", (_, exchange, kind) => {
    expect(credentialKindOf(exchange)).toBe(kind);
  });
});

describe("a method for sessions", () => {
  const rule = { kind: "session", demands: [] } as const;

  test("takes a token or a cookie, and a token before a cookie", async () => {
    const { access, session } = server();
    const byToken = await access.admit(request({ ...bearer(session()), ...cookie("stale") }), rule, "m");
    expect(byToken).toMatchObject({
      tenant,
      caller: { kind: "session", identity, session: { identityId: identity.id }, credential: "bearer" },
    });
    const value = session("session_cookie");
    const byCookie = await access.admit(request(cookie(value)), rule, "m");
    expect(byCookie.caller).toMatchObject({
      kind: "session",
      identity,
      credential: "cookie",
      cookie: { value, otherIdentity: false },
    });
    expect(byCookie.browser?.()).toBe(byCookie.browser?.());
    expect(byCookie.session).toBeUndefined();
  });

  test.each<[string, (token: string, cookieValue: string) => Exchange, object]>([
    ["nothing", () => request(), refused("SESSION_CREDENTIAL_MISSING")],
    [
      "nothing, from a page of elsewhere",
      () => request({ origin: "https://evil.example" }),
      refused("SESSION_CREDENTIAL_MISSING"),
    ],
    [
      "an unknown token",
      () => request(bearer(tokens.issue("session", "default").token.reveal())),
      refused("SESSION_TOKEN_UNKNOWN"),
    ],
    [
      "two words",
      () => request({ authorization: "Bearer a b" }),
      { reason: "SESSION_TOKEN_MALFORMED", message: expect.stringContaining("no single token") },
    ],
    [
      "a cookie's value as a token",
      (_, value) => request(bearer(value)),
      refused("SESSION_TOKEN_KIND_MISMATCH", expect.anything() as never),
    ],
    ["a stale cookie", () => request(cookie("x")), { reason: expect.stringContaining("SESSION_TOKEN") }],
    [
      "a wrong token beside a good cookie",
      (_, value) => request({ ...bearer("x"), ...cookie(value) }),
      { reason: "SESSION_TOKEN_MALFORMED" },
    ],
    // Security rule (SR-ORIGIN-1): what a cookie authenticates must come from an allowed origin.
    [
      "a cookie from a page of elsewhere",
      (_, value) => request({ ...cookie(value), origin: "https://evil.example" }),
      { reason: "ORIGIN_NOT_ALLOWED" },
    ],
  ])("does not take %s as a session (SR-ORIGIN-1)", async (_, exchangeOf, error) => {
    const { access, session } = server();
    const exchange = exchangeOf(session(), session("session_cookie"));
    await expect(access.admit(exchange, rule, "m")).rejects.toMatchObject(error);
  });

  test("removes a cookie that does not count, where it was needed", async () => {
    const { access, session } = server();
    const setCookies: string[] = [];
    const two = `${cookie(session("session_cookie")).cookie}; ${cookie(session("session_cookie")).cookie}`;
    await expect(access.admit(request({ cookie: two }), rule, "m", setCookies)).rejects.toMatchObject({
      reason: "SESSION_COOKIE_AMBIGUOUS",
    });
    expect(setCookies).not.toEqual([]);
  });

  test("takes a cookie of an allowed origin", async () => {
    const { access, session } = server();
    const exchange = request({ ...cookie(session("session_cookie")), origin: allowedOrigin });
    expect((await access.admit(exchange, rule, "m")).caller).toMatchObject({ credential: "cookie" });
  });

  test("asks for what it demands", async () => {
    const { access, session } = server();
    const demands = [{ kind: "assurance_level", level: "aal2" }] as const;
    const call = (token: string) => access.admit(request(bearer(token)), { kind: "session", demands }, "m");
    await expect(call(session())).rejects.toMatchObject({ reason: "SESSION_ASSURANCE_TOO_LOW" });
    await expect(call(session("session", { assuranceLevel: "aal2" }))).resolves.toMatchObject({ tenant });
    const fresh = [{ kind: "freshness", maxAgeMs: 1000 }] as const;
    const old = session("session", { authenticatedAt: noon });
    await expect(
      access.admit(request(bearer(old)), { kind: "session", demands: fresh }, "m"),
    ).rejects.toMatchObject({ reason: "SESSION_AUTHENTICATION_TOO_OLD" });
  });
});

describe.each(["anyone", "flow"] as const)("a method for callers of the kind %s", (kind) => {
  test("looks at no credential, so that a stale one breaks nothing", async () => {
    const { access } = server();
    const exchange = request({ ...bearer("stale"), ...cookie("stale"), origin: "https://evil.example" });
    const admitted = await access.admit(exchange, { kind, withSession: false }, "m");
    expect(admitted).toMatchObject({ tenant, caller: { kind: "anonymous" } });
    expect(admitted.session).toBeUndefined();
    expect(admitted.browser?.()).toBe(admitted.browser?.());
  });

  test("finds the session when it is asked for, where it may", async () => {
    const { access, session } = server();
    const exchange = request(cookie(session("session_cookie")));
    const admitted = await access.admit(exchange, { kind, withSession: true }, "m");
    expect(admitted.caller).toEqual({ kind: "anonymous" });
    expect(await admitted.session?.()).toMatchObject({ kind: "session", identity, credential: "cookie" });
    const none = await access.admit(request(), { kind, withSession: true }, "m");
    await expect(none.session?.()).rejects.toMatchObject({ reason: "SESSION_CREDENTIAL_MISSING" });
  });

  test("is of the tenant of its host", async () => {
    const { access } = server();
    const elsewhere = request({}, {}, { host: "other.example.com" });
    expect((await access.admit(elsewhere, { kind, withSession: false }, "m")).tenant).toBe(other);
    expect(access.tenantOf(elsewhere)).toBe(other);
  });
});

describe("a method for API keys", () => {
  const rule = { kind: "api_key", scope: "identity:read" } as const;

  test("takes a key with its scope, of the key's tenant", async () => {
    const { access, key } = server();
    const admitted = await access.admit(request(bearer(key(["identity:*"], other))), rule, "m");
    expect(admitted).toEqual({ tenant: other, caller: { kind: "api_key", apiKey: expect.anything() } });
  });

  test.each<[string, (key: string) => Exchange, object]>([
    ["nothing", () => request(), refused("API_KEY_MISSING")],
    ["a session's cookie", () => request(cookie("x")), refused("API_KEY_MISSING")],
    [
      "two words",
      () => request({ authorization: "Bearer a b" }),
      { reason: "API_KEY_MALFORMED", message: expect.stringContaining("no single token") },
    ],
    [
      "an unknown key",
      () => request(bearer(tokens.issue("api_key", "default").token.reveal())),
      refused("API_KEY_UNKNOWN"),
    ],
    [
      "a key without the scope",
      (key) => request(bearer(key)),
      refused("API_KEY_SCOPE_MISSING", { scope: "identity:read" }),
    ],
    [
      "a certificate that does not count",
      () => request({}, { certificateProblem: "CERT_HAS_EXPIRED" }),
      refused("CLIENT_CERTIFICATE_UNKNOWN", { problem: "CERT_HAS_EXPIRED" }),
    ],
  ])("does not take %s", async (_, exchangeOf, error) => {
    const { access, key } = server();
    const exchange = exchangeOf(key(["identity:create", "api_key:read"]));
    await expect(access.admit(exchange, rule, "m")).rejects.toMatchObject(error);
  });

  test("takes a certificate with its scope, and a key before it", async () => {
    const { access, key } = server();
    const admitted = await access.admit(request({}, { certificate: x509 }), rule, "m");
    expect(admitted).toEqual({
      tenant,
      caller: {
        kind: "certificate",
        name: "backup",
        scopes: ["identity:read"],
        expiresAt: instantOf(x509.validToDate),
      },
    });
    const both = request(bearer(key(["*"])), { certificate: x509 });
    expect((await access.admit(both, rule, "m")).caller).toMatchObject({ kind: "api_key" });
    await expect(
      access.admit(request({}, { certificate: x509 }), { kind: "api_key", scope: "identity:create" }, "m"),
    ).rejects.toMatchObject({ reason: "API_KEY_SCOPE_MISSING" });
    await expect(
      server([]).access.admit(request({}, { certificate: x509 }), rule, "m"),
    ).rejects.toMatchObject(refused("CLIENT_CERTIFICATE_UNKNOWN", { problem: "UNMAPPED" }));
  });

  // The check of the handshake may be hours old on a connection that stays open.
  test("takes a certificate from its first moment to its last", async () => {
    const at = (validFromDate: Date, validToDate: Date) => {
      const { access } = server();
      const certificate = Object.assign(Object.create(x509), {});
      Object.defineProperties(certificate, {
        validFromDate: { value: validFromDate },
        validToDate: { value: validToDate },
        fingerprint256: { value: x509.fingerprint256 },
        subjectAltName: { value: undefined },
      });
      return access.admit(request({}, { certificate }), rule, "m");
    };
    const now = new TestClock().now();
    const [before, after] = [new Date(now.getTime() - 1), new Date(now.getTime() + 1)];
    await expect(at(now, now)).resolves.toMatchObject({ tenant });
    await expect(at(after, after)).rejects.toMatchObject(
      refused("CLIENT_CERTIFICATE_UNKNOWN", { problem: "CERT_NOT_YET_VALID" }),
    );
    await expect(at(before, before)).rejects.toMatchObject(
      refused("CLIENT_CERTIFICATE_UNKNOWN", { problem: "CERT_HAS_EXPIRED" }),
    );
    const never = new Date(Number.NaN);
    await expect(at(never, after)).rejects.toMatchObject({ reason: "CLIENT_CERTIFICATE_UNKNOWN" });
    await expect(at(before, never)).rejects.toMatchObject({ reason: "CLIENT_CERTIFICATE_UNKNOWN" });
  });
});

// Security rule (SR-ACCESS-1): default deny.
test("a method that does not say who may call it can be called by nobody (SR-ACCESS-1)", async () => {
  const { access, key } = server();
  const exchange = request(bearer(key(["*"])));
  await expect(access.admit(exchange, { kind: "undeclared" }, "a.B/C")).rejects.toMatchObject(
    refused("ACCESS_UNDECLARED", { method: "a.B/C" }),
  );
});

describe("whom the headers show", () => {
  test("is a session, a key or a certificate, for a method of any kind", async () => {
    const { access, session, key } = server();
    const setCookies = request(cookie(session("session_cookie")));
    expect(await access.identify(setCookies)).toMatchObject({ kind: "session", credential: "cookie" });
    expect(await access.identify(request(bearer(session())))).toMatchObject({ credential: "bearer" });
    expect(await access.identify(request(bearer(key([]))))).toMatchObject({ kind: "api_key" });
    expect(await access.identify(request({}, { certificate: x509 }))).toMatchObject({ kind: "certificate" });
    await expect(access.identify(request())).rejects.toMatchObject({ reason: "SESSION_CREDENTIAL_MISSING" });
  });

  test("is named in events, in the log and in the keys of idempotency", () => {
    const session = aSession(identity.id);
    const apiKey = anApiKey();
    const callers: readonly [Caller, object][] = [
      [{ kind: "anonymous" }, { actor: { kind: "anonymous" }, id: undefined, key: "anonymous" }],
      [
        { kind: "session", session, identity, reading: strongReading, credential: "bearer" },
        {
          actor: { kind: "identity", identityId: identity.id },
          id: identity.id,
          key: `session:${session.id}`,
        },
      ],
      [
        { kind: "api_key", apiKey },
        { actor: { kind: "api_key", apiKeyId: apiKey.id }, id: apiKey.id, key: `api_key:${apiKey.id}` },
      ],
      [
        { kind: "certificate", name: "backup", scopes: [], expiresAt: noon },
        { actor: { kind: "certificate", name: "backup" }, id: "backup", key: "certificate:backup" },
      ],
    ];
    expect(callers.map(([caller]) => namesOf(caller))).toEqual(callers.map(([, names]) => names));
  });
});

// Security rule (SR-ACCESS-5): a key counts for the users of its own tenant.
test("a server says for whom it calls by a key of the tenant with the scope (SR-ACCESS-5)", async () => {
  const { access, key } = server();
  const scope = "client:forward";
  await expect(access.forwardingKey(request(), key([scope]))).resolves.toMatchObject({ scopes: [scope] });
  await expect(access.forwardingKey(request(), key([scope], other))).rejects.toMatchObject(
    refused("API_KEY_UNKNOWN"),
  );
  await expect(access.forwardingKey(request(), key(["identity:read"]))).rejects.toMatchObject(
    refused("API_KEY_SCOPE_MISSING", { scope }),
  );
  await expect(access.forwardingKey(request(), "x")).rejects.toMatchObject({ reason: "API_KEY_MALFORMED" });
});
