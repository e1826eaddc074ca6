import { createHmac, generateKeyPairSync } from "node:crypto";
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, importPKCS8, jwtVerify, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, goodPassword, register, sessionTokenOf } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { Browser } from "../support/browser.ts";
import { refusal } from "../support/errors.ts";

const typ = "ostiary-session+jwt";
const api = "https://api.example.com";
const reports = "https://reports.example.com";
const minuteMs = 60_000;

const claims = {
  email: "identity.traits.email",
  email_verified: "identity.verified_addresses.exists(a, a.path == 'email')",
  org: { plan: "identity.public_metadata.plan", groups: "identity.public_metadata.groups" },
  level: "session.assurance_level",
  methods: "session.authentication_methods.map(m, m.kind)",
  tasks: "session.pending_actions",
};
const templates = [
  { name: "profile", claims },
  { name: "number", claims: { half: "identity.public_metadata.count / 2.0" } },
  { name: "whole", claims: { traits: "identity.public_metadata" } },
  { name: "secret", claims: { secret: "identity.traits.pin", name: "identity.traits.name" } },
];
const schema = {
  id: "default",
  document: {
    $schema: "http://json-schema.org/draft-07/schema#",
    type: "object",
    properties: {
      email: {
        type: "string",
        format: "email",
        ostiary: { identifier: "email", verifiable: "email", recovery: "email" },
      },
      name: { type: "string" },
      pin: { type: "string", writeOnly: true },
    },
    required: ["email"],
    additionalProperties: false,
  },
};

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({
    config: {
      tenant_defaults: {
        identity: { schemas: [schema] },
        session: { tokens: { audiences: [api, reports], templates } },
      },
    },
  });
});
afterAll(() => app.stop());

const holderOf = (bearer: string, protocol = protocols[0]) =>
  app.client(SessionService, { bearer, ...(protocol && { protocol }) });

const keysOf = (of: TestApp) => createRemoteJWKSet(new URL(`${of.localUrl}/.well-known/jwks.json`));

/** The claims of a token, after another library has checked it. */
async function verified(token: string, audience = api, of = app) {
  const { payload, protectedHeader } = await jwtVerify(token, keysOf(of), {
    typ,
    issuer: of.publicUrl,
    audience,
    algorithms: ["ES256", "EdDSA"],
    currentDate: of.clock.now(),
  });
  return { payload, header: protectedHeader };
}

/** A token for an account with this metadata. */
async function accountWith(publicMetadata: object, traits: object = {}): Promise<string> {
  const email = freshEmail();
  await app.client(IdentityService).createIdentity({
    traits: { email, ...traits },
    publicMetadata: publicMetadata as Record<string, never>,
    adminMetadata: { hidden: true },
    verifiedAddresses: [{ value: email }],
    credentials: { password: { value: { case: "password", value: goodPassword } } },
  });
  return sessionTokenOf(app, email);
}

describe.each(protocols)("a signed token over %s", (protocol) => {
  test("says whose session it is, how strong and since when, and another library can check it", async () => {
    const { session, sessionToken } = await register(app);
    const issued = await holderOf(sessionToken, protocol).issueToken({});
    const { payload, header } = await verified(issued.token);
    expect(header).toEqual({ typ, alg: "ES256", kid: expect.any(String) });
    const now = Math.floor(app.clock.now().getTime() / 1000);
    expect(payload).toEqual({
      iss: app.publicUrl,
      sub: session?.identityId,
      aud: api,
      iat: now,
      exp: now + 300,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      sid: session?.id,
      tenant: "default",
      acr: "aal1",
      amr: ["pwd"],
      auth_time: Number(session?.authenticateTime?.seconds),
    });
    expect(Number(issued.expireTime?.seconds)).toBe(payload.exp);
    expect(issued.expireTime?.nanos).toBe(0);
  });

  test("is for one audience of the list, and lasts as long as was asked for", async () => {
    const { sessionToken } = await register(app);
    const holder = holderOf(sessionToken, protocol);
    const { token } = await holder.issueToken({ audience: reports, lifetime: { seconds: 60n, nanos: 0 } });
    const { payload } = await verified(token, reports);
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60);
    await expect(verified(token, api)).rejects.toThrow(/aud/);
    for (const audience of ["https://other.example.com", `${api}/`, api.toUpperCase()]) {
      expect(await refusal(holder.issueToken({ audience }))).toMatchObject({
        code: "InvalidArgument",
        reason: "TOKEN_AUDIENCE_NOT_ALLOWED",
        metadata: { audience },
      });
    }
    expect(await refusal(holder.issueToken({ template: "unknown" }))).toMatchObject({
      code: "InvalidArgument",
      reason: "TOKEN_TEMPLATE_UNKNOWN",
      metadata: { template: "unknown" },
    });
    for (const lifetime of [
      { seconds: 0n, nanos: 999_999_999 },
      { seconds: 3600n, nanos: 1 },
    ]) {
      expect(await refusal(holder.issueToken({ lifetime }))).toMatchObject({ reason: "REQUEST_INVALID" });
    }
  });

  test("is not made of a session that has ended, nor without one", async () => {
    const { session, sessionToken } = await register(app);
    const holder = holderOf(sessionToken, protocol);
    await holder.issueToken({});
    await app.client(SessionAdminService).revokeSession({ sessionId: session?.id ?? "" });
    expect(await refusal(holder.issueToken({}))).toMatchObject({ reason: "SESSION_REVOKED" });
    expect(await refusal(app.client(SessionService, { protocol }).issueToken({}))).toMatchObject({
      reason: "SESSION_CREDENTIAL_MISSING",
    });
  });
});

test("costs one round trip, that of its session, and the keys one every ten seconds", async () => {
  const holder = holderOf((await register(app)).sessionToken);
  app.clock.advance(10_000);
  await holder.issueToken({});
  app.statements.length = 0;
  await holder.issueToken({});
  expect(app.statements).toHaveLength(1);
  app.clock.advance(10_000);
  await holder.issueToken({});
  expect(app.statements).toHaveLength(3);
});

describe.each([
  ["its session", { lifetime: "10m" }, 600_000],
  ["the idle limit of its session, which counts from now", { lifetime: "1h", idle_timeout: "2m" }, 120_000],
])("a token whose lifetime reaches beyond %s", (_name, session, endsAfterMs) => {
  let short: TestApp;
  beforeAll(async () => {
    const config = { tenant_defaults: { session: { ...session, tokens: { audiences: [api] } } } };
    short = await startTestApp({ config });
  });
  afterAll(() => short.stop());

  // Security rule (SR-TOKEN-2): never longer than the session.
  test("ends with it", async () => {
    const { sessionToken } = await register(short);
    const begin = short.clock.now().getTime();
    short.clock.advance(minuteMs - 1);
    const holder = short.client(SessionService, { bearer: sessionToken });
    const { expireTime, token } = await holder.issueToken({ lifetime: { seconds: 3600n, nanos: 0 } });
    const end = "idle_timeout" in session ? short.clock.now().getTime() + endsAfterMs : begin + endsAfterMs;
    expect(Number(expireTime?.seconds)).toBe(Math.floor(end / 1000));
    expect(decodeJwt(token).exp).toBe(Number(expireTime?.seconds));
    short.clock.advance(endsAfterMs);
    expect(await refusal(holder.issueToken({}))).toMatchObject({ reason: "SESSION_EXPIRED" });
  });
});

describe("a template", () => {
  test("adds claims of the session and the identity, and leaves out what is not there", async () => {
    const plain = await accountWith({});
    const token = await holderOf(plain).issueToken({ template: "profile" });
    const { payload } = await verified(token.token);
    expect(payload).toMatchObject({
      email: expect.stringContaining("@"),
      email_verified: true,
      level: "aal1",
      methods: ["password"],
      tasks: [],
    });
    expect(payload).not.toHaveProperty("org");
    const rich = await accountWith({ plan: "gold", groups: ["a", "b"] });
    const { payload: more } = await verified(
      (await holderOf(rich).issueToken({ template: "profile" })).token,
    );
    expect(more.org).toEqual({ plan: "gold", groups: ["a", "b"] });
    expect(JSON.stringify(more)).not.toContain("hidden");
  });

  // Security rule (SR-TOKEN-6): a claim that cannot be computed refuses the token.
  test("whose claim cannot be computed gives no token, and the log says why without the value", async () => {
    const holder = holderOf(await accountWith({ count: "not a number 4711" }));
    expect(await refusal(holder.issueToken({ template: "number" }))).toMatchObject({
      code: "FailedPrecondition",
      reason: "TOKEN_CLAIMS_FAILED",
      metadata: { template: "number", claim: "half" },
    });
    const line = app.log.find(({ message }) => message === "a claim of a token cannot be computed");
    expect(line?.fields).toMatchObject({ template: "number", claim: "half" });
    expect(JSON.stringify(line)).not.toContain("4711");
    await holderOf(await accountWith({ count: 4 })).issueToken({ template: "number" });
  });

  // Security rule (SR-TOKEN-6): what was too large for an expression to see is not the same as what is not there.
  test("refuses what is too large, as a claim and as a token", async () => {
    const long = holderOf(await accountWith({ groups: Array.from({ length: 300 }, (_, n) => `g${n}`) }));
    expect(await refusal(long.issueToken({ template: "profile" }))).toMatchObject({
      reason: "TOKEN_CLAIMS_FAILED",
      metadata: { template: "profile", claim: "org.plan" },
    });
    const large = holderOf(await accountWith({ a: "x".repeat(4000) }));
    expect(await refusal(large.issueToken({ template: "whole" }))).toMatchObject({
      code: "FailedPrecondition",
      reason: "TOKEN_TOO_LARGE",
      metadata: { template: "whole", limitBytes: "4096" },
    });
  });

  // Security rule (SR-TOKEN-7): no secrets, and no trait that its owner is not shown.
  test("does not see traits that are only written, nor admin metadata", async () => {
    const holder = holderOf(await accountWith({}, { pin: "1234", name: "Ada" }));
    const { token } = await holder.issueToken({ template: "secret" });
    expect(decodeJwt(token)).toMatchObject({ name: "Ada" });
    expect(decodeJwt(token)).not.toHaveProperty("secret");
  });
});

test("the template named default is used where a request names none, and with another issuer", async () => {
  const usual = { name: "default", claims: { level: "session.assurance_level" } };
  const other = { name: "other", claims: { by: "session.authentication_methods[0].kind" } };
  const issuer = "https://id.example.com/tenant";
  const tokens = { audiences: [api], templates: [usual, other], issuer };
  const own = await startTestApp({ config: { tenant_defaults: { session: { tokens } } } });
  try {
    const { sessionToken: bearer } = await register(own);
    const holder = own.client(SessionService, { bearer });
    const plain = decodeJwt((await holder.issueToken({})).token);
    expect([plain.iss, plain.level, plain.by]).toEqual([issuer, "aal1", undefined]);
    const named = decodeJwt((await holder.issueToken({ template: "other" })).token);
    expect([named.level, named.by]).toEqual([undefined, "password"]);
  } finally {
    await own.stop();
  }
});

describe("without audiences", () => {
  let off: TestApp;
  beforeAll(async () => {
    off = await startTestApp();
  });
  afterAll(() => off.stop());

  test("no tokens are issued, no keys published, and the refusal names the key to set", async () => {
    const { sessionToken } = await register(off);
    const refused = await refusal(off.client(SessionService, { bearer: sessionToken }).issueToken({}));
    expect(refused).toMatchObject({
      code: "FailedPrecondition",
      reason: "FEATURE_OFF",
      metadata: { field: "tenant_defaults.session.tokens.audiences" },
    });
    expect((await fetch(`${off.localUrl}/.well-known/jwks.json`)).status).toBe(404);
  });
});

// What a cookie authenticates comes from an allowed page, and a token is data that a page can read.
test("a browser's session gets a token for its own pages alone, and by POST", async () => {
  const browser = new Browser(app.publicUrl, app.localUrl);
  const flows = "/ostiary.flow.v1.RegistrationService";
  const { body } = await browser.post(`${flows}/CreateRegistrationFlow`, { client: "CLIENT_KIND_BROWSER" });
  const { id: flowId, csrfToken } = body.flow;
  const password = { password: goodPassword };
  await browser.post(`${flows}/SubmitRegistrationFlow`, {
    flowId,
    csrfToken,
    traits: { email: freshEmail() },
    password,
  });
  const path = "/ostiary.session.v1.SessionService/IssueToken";
  const own = await browser.post(path, {}, { origin: app.publicUrl });
  expect((await verified(own.body.token)).payload.acr).toBe("aal1");
  const strangers: Record<string, string>[] = [
    { origin: "https://evil.example" },
    { origin: "null" },
    { "sec-fetch-site": "cross-site" },
  ];
  for (const headers of strangers) {
    const answer = await browser.post(path, {}, headers);
    expect([answer.status, answer.reason, answer.body.token]).toEqual([403, "ORIGIN_NOT_ALLOWED", undefined]);
  }
  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  const get = await fetch(`${app.localUrl}${path}?encoding=json&message=%7B%7D`, { headers: { cookie } });
  expect(get.status).toBe(405);
});

describe("what is no token of this server", () => {
  const header = (alg: string, kid = "x") => ({ typ, alg, kid });

  async function genuine(): Promise<string> {
    return (await holderOf((await register(app)).sessionToken).issueToken({})).token;
  }

  test("is refused by a verifier that follows the docs: another algorithm, key, type, or a changed claim", async () => {
    const token = await genuine();
    const { kid = "" } = decodeProtectedHeader(token);
    const [, payload = "", signature = ""] = token.split(".");
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const keys = await (await fetch(`${app.localUrl}/.well-known/jwks.json`)).text();
    // The public key as the secret of a HMAC (RFC 8725, section 2.1).
    const hmacInput = `${encode(header("HS256", kid))}.${payload}`;
    const hmac = createHmac("sha256", keys).update(hmacInput).digest("base64url");
    const foreign = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;
    const key = await importPKCS8(foreign.export({ type: "pkcs8", format: "pem" }) as string, "ES256");
    const changed = encode({ ...decodeJwt(token), acr: "aal2" });
    const forged = [
      `${encode({ typ, alg: "none" })}.${payload}.`,
      `${hmacInput}.${hmac}`,
      await new SignJWT(decodeJwt(token)).setProtectedHeader({ ...header("ES256", kid) }).sign(key),
      await new SignJWT(decodeJwt(token)).setProtectedHeader({ ...header("ES256") }).sign(key),
      `${token.split(".")[0]}.${changed}.${signature}`,
      `${encode({ ...header("ES256", kid), typ: "at+jwt" })}.${payload}.${signature}`,
    ];
    await verified(token);
    for (const each of forged) await expect(verified(each)).rejects.toThrow();
  });

  test("is no session token either", async () => {
    const token = await genuine();
    // It is longer than any session token.
    expect(await refusal(app.client(SessionService).checkSession({ token }))).toMatchObject({
      reason: "REQUEST_INVALID",
    });
    expect(await refusal(holderOf(token).issueToken({}))).toMatchObject({
      reason: "SESSION_TOKEN_MALFORMED",
    });
  });
});
