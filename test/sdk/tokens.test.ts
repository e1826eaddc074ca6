import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Code } from "@connectrpc/connect";
import { decodeJwt, decodeProtectedHeader, exportJWK, type JWTPayload, SignJWT } from "jose";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { createOstiary, issueTokens, reasonOf } from "../../sdk/typescript/src/index.ts";
import {
  createTokenVerifier,
  SessionRefusedError,
  type TokenVerifierOptions,
} from "../../sdk/typescript/src/tokens.ts";
import { createKeyPairs } from "../../src/crypto/key-pairs.ts";
import { register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";

const audience = "https://api.example.com";
const typ = "ostiary-session+jwt";

afterEach(() => {
  vi.restoreAllMocks();
});

/** What a check was refused with. */
async function refusalOf(check: Promise<unknown>) {
  const error = await check.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof SessionRefusedError)) throw new Error(`not refused, but ${String(error)}`);
  const { status, reason, metadata } = error;
  return { status, reason, ...metadata };
}

describe.each(["es256", "eddsa"])("a token of a server with %s", (algorithm) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp({
      config: { tenant_defaults: { session: { tokens: { audiences: [audience, "other"], algorithm } } } },
    });
  });
  afterAll(() => app.stop());

  const verifierWith = (options: Partial<TokenVerifierOptions> = {}) =>
    createTokenVerifier({ issuer: app.publicUrl, audience, now: () => app.clock.now(), ...options });

  async function signedIn() {
    const { session, sessionToken: token } = await register(app);
    const ostiary = createOstiary({ baseUrl: app.localUrl, token });
    return { session, ostiary, next: issueTokens(ostiary, { lifetime: "5m" }) };
  }

  test("is verified with what is published at its issuer, and says whose session it is", async () => {
    const { session, next } = await signedIn();
    const token = await next();
    const verified = await verifierWith().verify(token);
    expect(verified).toMatchObject({
      identityId: session?.identityId,
      sessionId: session?.id,
      tenant: "default",
      assuranceLevel: "aal1",
      methods: ["pwd"],
    });
    expect(verified.expireTime.getTime() - verified.issueTime.getTime()).toBe(300_000);
    const headers = { authorization: `Bearer ${token}` };
    expect(await verifierWith().check({ method: "GET", headers })).toEqual(verified);
    expect(await verifierWith().check(new Request("https://app.example/", { headers }))).toEqual(verified);
    expect(await refusalOf(verifierWith().check({ method: "GET", headers: {} }))).toEqual({
      status: 401,
      reason: "SESSION_CREDENTIAL_MISSING",
    });
  });

  test("is refused at another service, by another issuer, and once it has ended", async () => {
    const { next, ostiary } = await signedIn();
    const token = await next();
    const { token: elsewhere } = await ostiary.sessions.issueToken({ audience: "other" });
    expect(await refusalOf(verifierWith().verify(elsewhere))).toMatchObject({ problem: "audience" });
    const other = verifierWith({
      issuer: "https://id.example.com",
      keysUrl: `${app.localUrl}/.well-known/jwks.json`,
    });
    expect(await refusalOf(other.verify(token))).toMatchObject({ problem: "issuer" });
    const verifier = verifierWith({ clockTolerance: 0 });
    app.clock.advance(299_000);
    await verifier.verify(token);
    app.clock.advance(1_000);
    expect(await refusalOf(verifier.verify(token))).toEqual({ status: 401, reason: "SESSION_EXPIRED" });
    await verifierWith({ clockTolerance: "30s" }).verify(token);
  });

  test("is asked for the demands of a guard, with a guard's reasons", async () => {
    const token = await (await signedIn()).next();
    expect(await refusalOf(verifierWith({ assuranceLevel: "aal2" }).verify(token))).toEqual({
      status: 401,
      reason: "SESSION_ASSURANCE_TOO_LOW",
      required: "aal2",
      actual: "aal1",
    });
    const fresh = verifierWith({ assuranceLevel: "aal1", maxAge: "1m", clockTolerance: 0 });
    await fresh.verify(token);
    app.clock.advance(61_000);
    expect(await refusalOf(fresh.verify(token))).toEqual({
      status: 401,
      reason: "SESSION_AUTHENTICATION_TOO_OLD",
      maxAgeSeconds: "60",
    });
  });

  // Its bound: without the feed a token is good until its end.
  test("of a session that was revoked is good until its end, unless the service knows of it", async () => {
    const { session, next } = await signedIn();
    const token = await next();
    await app.client(SessionAdminService).revokeSession({ sessionId: session?.id ?? "" });
    await verifierWith().verify(token);
    const ended = new Set([session?.id]);
    const follower = verifierWith({ isEnded: (id) => ended.has(id) });
    expect(await refusalOf(follower.verify(token))).toEqual({ status: 401, reason: "SESSION_REVOKED" });
    const broken = verifierWith({
      isEnded: () => {
        throw new Error("the feed is gone");
      },
    });
    expect(await refusalOf(broken.verify(token))).toEqual({ status: 503, reason: "OSTIARY_UNAVAILABLE" });
    const careless = verifierWith({ isEnded: (async () => false) as never });
    expect(await refusalOf(careless.verify(token))).toMatchObject({ reason: "SESSION_REVOKED" });
  });
});

describe("what is no token of the server", () => {
  const pairs = createKeyPairs();
  const known = pairs.make("ES256");
  const issuer = "http://localhost:1";
  const now = new Date("2026-11-30T12:00:00Z");
  const seconds = now.getTime() / 1000;
  const good: JWTPayload = {
    ...{ iss: issuer, aud: audience, sub: "i", sid: "s", jti: "t", tenant: "default" },
    ...{ iat: seconds, exp: seconds + 300, auth_time: seconds, acr: "aal1", amr: ["pwd"] },
  };
  let reads = 0;
  const fetch: typeof globalThis.fetch = async () => {
    reads += 1;
    return Response.json({ keys: [known.publicJwk] });
  };
  const verifier = createTokenVerifier({ issuer, audience, fetch, now: () => now });
  const keyOf = (der: Uint8Array) =>
    createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" });
  const sign = (claims: JWTPayload, header: object = {}, key: KeyObject = keyOf(known.privateKey())) =>
    new SignJWT(claims).setProtectedHeader({ typ, alg: "ES256", kid: known.keyId, ...header }).sign(key);

  test("is refused, and a good one is not", async () => {
    await verifier.verify(await sign(good));
    const foreign = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
    const secret = Buffer.from(JSON.stringify(known.publicJwk));
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const without = (claims: JWTPayload, name: string) => ({ ...claims, [name]: undefined });
    const cases: readonly (readonly [string, Promise<string> | string])[] = [
      ["form", ""],
      ["form", "a.b.c"],
      ["form", "ost_ses_default_x"],
      ["form", `${"a".repeat(9_000)}.a.a`],
      ["type", sign(good, { typ: "JWT" })],
      ["type", sign(good, { typ: "at+jwt" })],
      ["type", sign(good, { typ: undefined })],
      [
        "algorithm",
        new SignJWT(good).setProtectedHeader({ typ, alg: "HS256", kid: known.keyId }).sign(secret),
      ],
      ["algorithm", new SignJWT(good).setProtectedHeader({ typ, alg: "RS256", kid: known.keyId }).sign(rsa)],
      ["algorithm", `${encode({ typ, alg: "none", kid: "x" })}.e30.`],
      ["key", sign(good, { kid: undefined })],
      ["key", sign(good, { kid: "another" })],
      ["signature", sign(good, {}, foreign)],
      // A key that comes along is no key.
      ["signature", sign(good, { jwk: await exportJWK(foreign) }, foreign)],
      // An extension that must be understood.
      ["form", `${encode({ typ, alg: "ES256", kid: known.keyId, crit: ["x"], x: 1 })}.e30.AAAA`],
      ["issuer", sign({ ...good, iss: `${issuer}/` })],
      ["audience", sign({ ...good, aud: [audience] })],
      ["audience", sign({ ...good, aud: [audience, "other"] })],
      ["audience", sign(without(good, "aud"))],
      ["time", sign({ ...good, exp: seconds + 3601 })],
      ["time", sign({ ...good, iat: seconds + 60, exp: seconds + 120 })],
      ["claims", sign({ ...good, nbf: seconds + 60 })],
      ["claims", sign({ ...good, acr: "aal3" })],
      ["claims", sign({ ...good, sub: "" })],
      ["claims", sign({ ...good, sid: 1 })],
      ["claims", sign({ ...good, amr: "pwd" })],
      ...["exp", "iat", "sub", "sid", "jti", "acr", "auth_time", "tenant"].map(
        (name) => ["claims", sign(without(good, name))] as const,
      ),
    ];
    for (const [problem, token] of cases) {
      const { status, problem: found } = (await refusalOf(verifier.verify(await token))) as Record<
        string,
        unknown
      >;
      expect([status, found, decodable(await token)]).toEqual([401, problem, decodable(await token)]);
    }
    expect(await refusalOf(verifier.verify(undefined as never))).toMatchObject({ problem: "form" });
  });

  /** For the message of a failure. */
  function decodable(token: string): unknown {
    try {
      return [decodeProtectedHeader(token), decodeJwt(token)];
    } catch {
      return token.slice(0, 40);
    }
  }

  // Security rule (SR-TOKEN-9): strangers do not have the keys read again and again.
  test("has the keys read at most once, however many come", async () => {
    reads = 0;
    const fresh = createTokenVerifier({ issuer, audience, fetch, now: () => now });
    const typed = await Promise.all(Array.from({ length: 50 }, () => sign(good, { typ: "JWT" })));
    await Promise.all(typed.map((token) => refusalOf(fresh.verify(token))));
    expect(reads).toBe(0);
    const unknown = await Promise.all(Array.from({ length: 50 }, (_, n) => sign(good, { kid: `key ${n}` })));
    await Promise.all(unknown.map((token) => refusalOf(fresh.verify(token))));
    for (const token of unknown) await refusalOf(fresh.verify(token));
    expect(reads).toBe(1);
  });

  test("is not let in while the keys cannot be read: 503, and few attempts", async () => {
    vi.spyOn(performance, "now").mockReturnValue(performance.now());
    const answers: (() => Promise<Response>)[] = [
      async () => {
        throw new TypeError("fetch failed");
      },
      async () => new Response("no", { status: 500 }),
      async () => new Response("", { status: 302, headers: { location: "https://evil.example/jwks.json" } }),
      async () => new Response("{"),
      async () => Response.json({ keys: "none" }),
      async () => new Response("x".repeat(100_000)),
    ];
    for (const answer of answers) {
      let asked = 0;
      const failing = createTokenVerifier({
        ...{ issuer, audience, now: () => now },
        fetch: () => {
          asked += 1;
          return answer();
        },
      });
      const token = await sign(good);
      for (let attempt = 0; attempt < 5; attempt++) {
        expect(await refusalOf(failing.verify(token))).toEqual({
          status: 503,
          reason: "OSTIARY_UNAVAILABLE",
        });
      }
      expect(asked).toBeLessThanOrEqual(5);
      if (answer === answers[0] || answer === answers[1]) expect(asked).toBe(1);
    }
  });
});

// Security rule (SR-SDK-4): a demand that is misspelt, or has no meaning, is an error when the verifier is made.
test.each<[object, RegExp]>([
  [{ audience: "" }, /audience must be a text/],
  [{ issuer: undefined }, /issuer must be a text/],
  [{ acr: "aal2" }, /did you mean "assuranceLevel"/],
  [{ assuranceLevel: "2" }, /assuranceLevel must be/],
  [{ maxAge: "privileged" }, /maxAge must be/],
  [{ maxAge: 0 }, /maxAge must be/],
  [{ algorithms: [] }, /algorithms must be/],
  [{ algorithms: ["HS256"] }, /algorithms must be/],
  [{ clockTolerance: "2m" }, /clockTolerance must be/],
  [{ keysUrl: "http://id.example.com/jwks.json" }, /keysUrl must begin with https/],
  [{ issuer: "urn:ostiary" }, /keysUrl must begin with https/],
  [{ isEnded: true }, /isEnded must be a function/],
])("a verifier with %j is not made", (options, message) => {
  const given = { issuer: "https://id.example.com", audience, ...options } as TokenVerifierOptions;
  expect(() => createTokenVerifier(given)).toThrow(message);
});

describe("issueTokens", () => {
  let app: TestApp;
  let answer: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  let asked = 0;
  // In front of the server, to fail in its place.
  const front = createServer((request, response) => {
    asked += 1;
    if (answer !== undefined) return answer(request, response);
    const { method = "", url = "", headers } = request;
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", async () => {
      const { authorization = "", "content-type": type = "" } = headers;
      const upstream = await globalThis.fetch(`${app.localUrl}${url}`, {
        ...{ method, body: Buffer.concat(chunks) },
        headers: { authorization, "content-type": type },
      });
      response.writeHead(upstream.status, { "content-type": upstream.headers.get("content-type") ?? "" });
      response.end(Buffer.from(await upstream.arrayBuffer()));
    });
  });

  beforeAll(async () => {
    app = await startTestApp({
      config: { tenant_defaults: { session: { tokens: { audiences: [audience] } } } },
    });
    await once(front.listen(0, "127.0.0.1"), "listening");
  });
  afterAll(async () => {
    front.close();
    await app.stop();
  });
  beforeEach(() => {
    asked = 0;
  });
  afterEach(() => {
    answer = undefined;
  });

  async function signedIn() {
    const { session, sessionToken: token } = await register(app);
    const baseUrl = `http://127.0.0.1:${(front.address() as AddressInfo).port}`;
    const { sessions } = createOstiary({ baseUrl, token });
    const calls: Promise<unknown>[] = [];
    const issueToken: typeof sessions.issueToken = (...values) => {
      const call = sessions.issueToken(...values);
      calls.push(call);
      return call;
    };
    /** Resolves once every call so far was answered, and what asked for it knows. */
    const answered = () => Promise.allSettled(calls);
    return { session, ostiary: { sessions: { ...sessions, issueToken } }, answered };
  }
  const idOf = (token: string) => decodeJwt(token).jti;

  test("keeps a token, and calls at the same moment share one", async () => {
    const next = issueTokens((await signedIn()).ostiary, { audience, lifetime: "1h" });
    const tokens = await Promise.all(Array.from({ length: 20 }, () => next()));
    expect(new Set([...tokens, await next()]).size).toBe(1);
    expect(asked).toBe(1);
  });

  /** Moves the clock that tokens are renewed by. */
  function elapse(ms: number): void {
    const now = performance.now() + ms;
    vi.spyOn(performance, "now").mockImplementation(() => now);
  }

  test("renews it in the last fifth of its time, and gives the former one meanwhile", async () => {
    const { ostiary, answered } = await signedIn();
    const next = issueTokens(ostiary, { lifetime: "100s" });
    const first = await next();
    elapse(79_000);
    expect(await next()).toBe(first);
    expect(asked).toBe(1);
    elapse(2_000);
    expect(await next()).toBe(first);
    await answered();
    expect(idOf(await next())).not.toBe(idOf(first));
    expect(asked).toBe(2);
    elapse(96_000);
    // Too late for the former one.
    await next();
    expect(asked).toBe(3);
  });

  test("gives the former one while the server fails, asks once a second, and rejects in the end", async () => {
    const { ostiary, answered } = await signedIn();
    const next = issueTokens(ostiary, { lifetime: "100s" });
    const first = await next();
    answer = (_request, response) => response.writeHead(503).end();
    elapse(85_000);
    for (const count of [2, 3]) {
      for (let call = 0; call < 10; call++) {
        expect(await next()).toBe(first);
        await answered();
      }
      expect(asked).toBe(count);
      elapse(1_500);
    }
    elapse(15_000);
    await expect(next()).rejects.toMatchObject({ code: Code.Unavailable });
    answer = undefined;
    await next();
  });

  test("gives none any more once it learns that the session has ended", async () => {
    const { session, ostiary, answered } = await signedIn();
    const next = issueTokens(ostiary, { lifetime: "100s" });
    const first = await next();
    await app.client(SessionAdminService).revokeSession({ sessionId: session?.id ?? "" });
    elapse(85_000);
    expect(await next()).toBe(first);
    await answered();
    expect(await next().then(() => "given", reasonOf)).toBe("SESSION_REVOKED");
  });

  test("refuses options that cannot be meant", async () => {
    const { ostiary } = await signedIn();
    expect(() => issueTokens(ostiary, { aud: "x" } as never)).toThrow(/did you mean "audience"/);
    expect(() => issueTokens(ostiary, { lifetime: "2h" })).toThrow(/lifetime must be/);
  });
});
