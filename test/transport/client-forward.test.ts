import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Health, HealthCheckResponse_ServingStatus } from "../../gen/grpc/health/v1/health_pb.js";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { Consistency, SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { createTokens } from "../../src/crypto/tokens.ts";
import { freshEmail, goodPassword, register } from "../support/accounts.ts";
import { type Protocol, protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { freshAddress } from "../support/throttled.ts";

const keyHeader = "ostiary-api-key";
const agent = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0";
/** Well-formed, and of no deployment. */
const unknownKey = createTokens().issue("api_key", "default").token.reveal();

let app: TestApp;
let key: string;

beforeAll(async () => {
  app = await startTestApp({
    config: { tenant_defaults: { throttle: { address: { count: 3, period: "10m" } } } },
  });
  key = (await makeKey("client:forward")).secret;
});
afterAll(() => app.stop());

async function makeKey(...scopes: string[]): Promise<{ readonly id: string; readonly secret: string }> {
  const { apiKey, secret } = await app.client(ApiKeyService).createApiKey({ name: "app", scopes });
  return { id: apiKey?.id ?? "", secret };
}

/** What an app with a key sends for a user. */
function forUser(address: string, by = key): Record<string, string> {
  return { [keyHeader]: by, "ostiary-client-address": address, "ostiary-client-user-agent": agent };
}

/** A try to sign in natively. */
async function signIn(
  headers: Record<string, string>,
  { email = freshEmail(), password = "not the password", protocol = "Connect JSON" as Protocol } = {},
) {
  const login = app.client(LoginService, { protocol, headers });
  const { flow } = await login.createLoginFlow({ client: ClientKind.NATIVE });
  const step = { case: "password", value: { password } } as const;
  const { outcome } = await login.submitLoginFlow({ flowId: flow?.id ?? "", identifier: email, step });
  return outcome;
}

/** The device of the session that a login made. */
async function deviceOf(outcome: Awaited<ReturnType<typeof signIn>>) {
  if (outcome.case !== "completed") throw new Error(`the login was ${outcome.case}`);
  const bearer = outcome.value.signedIn?.sessionToken ?? "";
  return (await app.client(SessionService, { bearer }).getCurrentSession({})).session?.device;
}

const check = (headers: Record<string, string>, protocol: Protocol = "Connect JSON", of = app) =>
  of.client(LoginService, { protocol, headers }).createLoginFlow({ client: ClientKind.NATIVE });

describe.each(protocols)("over %s", (protocol) => {
  // Security rule (SR-ACCESS-5): a stranger who guesses through the app uses up no limit but their own.
  test("the user's address counts for limits", async () => {
    const { email } = await register(app);
    const stranger = forUser(freshAddress());
    for (let count = 0; count < 3; count++) {
      expect((await signIn(stranger, { protocol })).case).toBe("rejected");
    }
    expect(await refusal(signIn(stranger, { protocol }))).toMatchObject({
      reason: "RATE_LIMITED",
      metadata: { scope: "address" },
    });
    const user = await signIn(forUser(freshAddress()), { email, password: goodPassword, protocol });
    expect(user.case).toBe("completed");
  });

  test("the session's device is the user's, beside a session token in Authorization", async () => {
    const { email, sessionToken } = await register(app);
    const address = freshAddress();
    const headers = { ...forUser(address), authorization: `Bearer ${sessionToken}` };
    const outcome = await signIn(headers, { email, password: goodPassword, protocol });
    expect(await deviceOf(outcome)).toMatchObject({ ipAddress: address, userAgent: agent });
  });

  // Security rule (SR-ACCESS-5): a header that anybody can send makes nobody somebody else.
  test("without a key the two headers are ignored", async () => {
    const { email } = await register(app);
    const { [keyHeader]: _, ...forged } = forUser(freshAddress());
    const outcome = await signIn(forged, { email, password: goodPassword, protocol });
    const device = await deviceOf(outcome);
    expect(device?.ipAddress).toBe("127.0.0.1");
    expect(device?.userAgent).not.toBe(agent);
  });

  // Security rule (SR-ACCESS-5): a key that does not count is refused; the call never goes on as the peer's.
  test("a key that does not count is refused, with what is wrong with it", async () => {
    const revoked = await makeKey("client:forward");
    await app.client(ApiKeyService).revokeApiKey({ apiKeyId: revoked.id });
    const { sessionToken } = await register(app);
    const others = await makeKey("identity:read", "session:*");
    const cases = [
      ["nonsense", "Unauthenticated", "API_KEY_MALFORMED"],
      [`${key}, ${key}`, "Unauthenticated", "API_KEY_MALFORMED"],
      [sessionToken, "Unauthenticated", "API_KEY_KIND_MISMATCH"],
      [unknownKey, "Unauthenticated", "API_KEY_UNKNOWN"],
      [revoked.secret, "Unauthenticated", "API_KEY_REVOKED"],
      [others.secret, "PermissionDenied", "API_KEY_SCOPE_MISSING"],
    ] as const;
    for (const [by, code, reason] of cases) {
      const refused = await refusal(check(forUser(freshAddress(), by), protocol));
      expect(refused).toMatchObject({ code, reason });
      if (reason === "API_KEY_SCOPE_MISSING") expect(refused.metadata).toEqual({ scope: "client:forward" });
    }
  });

  test.each(["999.1.1.1", "203.0.113.7:443", "203.0.113.7, 203.0.113.8", "localhost", "0x7f.1", ""])(
    "%j is refused as an address, by the name of the header",
    async (address) => {
      expect(await refusal(check(forUser(address), protocol))).toMatchObject({
        code: "InvalidArgument",
        reason: "REQUEST_INVALID",
        fields: ["ostiary-client-address"],
      });
    },
  );
});

test("a stream is let through by the same rule", async () => {
  const firstOf = async (headers: Record<string, string>) => {
    for await (const { status } of app.client(Health, { protocol: "gRPC", headers }).watch({})) return status;
    return undefined;
  };
  expect(await firstOf(forUser("203.0.113.253"))).toBe(HealthCheckResponse_ServingStatus.SERVING);
  expect(await refusal(firstOf(forUser("203.0.113.253", unknownKey)))).toMatchObject({
    reason: "API_KEY_UNKNOWN",
  });
});

// Security rule (SR-ACCESS-5): users never share the address of the app by mistake.
test("a key without the user's address is refused", async () => {
  expect(await refusal(check({ [keyHeader]: key }))).toMatchObject({
    reason: "REQUEST_INVALID",
    fields: ["ostiary-client-address"],
  });
});

test("a key that has ended is refused", async () => {
  const { secret } = await app.client(ApiKeyService).createApiKey({
    name: "short",
    scopes: ["client:forward"],
    expiration: { case: "lifetime", value: { seconds: 60n } },
  });
  expect((await check(forUser(freshAddress(), secret))).flow?.id).toBeDefined();
  app.clock.advance(61_000);
  expect(await refusal(check(forUser(freshAddress(), secret)))).toMatchObject({ reason: "API_KEY_EXPIRED" });
});

test.each(["*", "client:*"])("a key with the scope %s counts", async (scope) => {
  const { secret } = await makeKey(scope);
  expect((await check(forUser(freshAddress(), secret))).flow?.id).toBeDefined();
});

test("the use of the key is noted", async () => {
  const { id, secret } = await makeKey("client:forward");
  const { databaseUrl } = app;
  const other = await startTestApp({ databaseUrl, clock: app.clock });
  await check(forUser(freshAddress(), secret), "Connect JSON", other);
  // Uses are written in batches, the last one when a server stops.
  await other.stop();
  const { apiKey } = await app.client(ApiKeyService).getApiKey({ apiKeyId: id });
  expect(apiKey?.lastUseTime).toBeDefined();
});

test("an address is kept as it is everywhere, and an agent that the user did not send is none", async () => {
  const { email } = await register(app);
  const headers = { [keyHeader]: key, "ostiary-client-address": "::ffff:203.0.113.250" };
  const outcome = await signIn(headers, { email, password: goodPassword });
  expect(await deviceOf(outcome)).toMatchObject({ ipAddress: "203.0.113.250", userAgent: "" });
  const local = { ...headers, "ostiary-client-address": "fe80::1%eth0" };
  expect((await deviceOf(await signIn(local, { email, password: goodPassword })))?.ipAddress).toBe("fe80::1");
});

test("the key costs one statement more, and a call without it none", async () => {
  const { sessionToken } = await register(app);
  const statements = async (headers: Record<string, string>) => {
    app.statements.length = 0;
    const consistency = Consistency.STRONG;
    await app.client(SessionService, { headers }).checkSession({ token: sessionToken, consistency });
    return app.statements.length;
  };
  expect(await statements({})).toBe(1);
  expect(await statements({ "ostiary-client-address": "203.0.113.7" })).toBe(1);
  expect(await statements(forUser(freshAddress()))).toBe(2);
});

test("the admin listener knows nothing of it", async () => {
  const headers = forUser("203.0.113.7", unknownKey);
  await app.client(IdentityService, { headers }).listIdentities({});
  const [line] = app.log.filter(({ message }) => message === "call").slice(-1);
  expect(line?.fields).toMatchObject({ address: "127.0.0.1" });
});

// Security rule (SR-ACCESS-5): no page of another origin can send the headers, even with a key that it got hold of.
test("no preflight allows the headers", async () => {
  const answer = await fetch(`${app.localUrl}/ostiary.session.v1.SessionService/GetCurrentSession`, {
    method: "OPTIONS",
    headers: {
      origin: new URL(app.publicUrl).origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": [keyHeader, "ostiary-client-address"].join(),
    },
  });
  expect(answer.headers.get("access-control-allow-origin")).toBe(new URL(app.publicUrl).origin);
  const allowed = answer.headers.get("access-control-allow-headers")?.toLowerCase();
  expect(allowed).toContain("authorization");
  expect(allowed).not.toContain("ostiary");
});

// Security rule (SR-ACCESS-5): the log has no secret; it names the key by its id.
test("the log names the user's address and the key's id, and no key", async () => {
  const { id, secret } = await makeKey("client:forward");
  await check(forUser("203.0.113.251", secret));
  await refusal(check(forUser("203.0.113.252", unknownKey)));
  await refusal(check(forUser("nowhere", secret)));
  const calls = app.log.filter(({ message }) => message === "call").map(({ fields }) => fields);
  expect(calls).toContainEqual(expect.objectContaining({ address: "203.0.113.251", forwardedBy: id }));
  expect(calls).toContainEqual(expect.objectContaining({ address: "127.0.0.1", reason: "API_KEY_UNKNOWN" }));
  const text = JSON.stringify(app.log);
  for (const shown of [secret, unknownKey, key]) expect(text).not.toContain(shown);
  expect(text).not.toContain("203.0.113.252");
});

// Security rule (SR-ACCESS-5): a client that guesses keys counts by its own IP address, not by the address that it names; a live key is served.
test("guessed keys count for the peer's own address", async () => {
  const guarded = await startTestApp({
    config: {
      server: { trusted_proxies: ["127.0.0.1"] },
      tenant_defaults: { throttle: { failed_authentication: { count: 3, period: "10m" } } },
    },
  });
  try {
    const { secret } = await guarded
      .client(ApiKeyService)
      .createApiKey({ name: "app", scopes: ["client:forward"] });
    const from = (peer: string, by: string) =>
      check({ ...forUser(freshAddress(), by), "x-forwarded-for": peer }, "Connect JSON", guarded);
    for (let count = 0; count < 3; count++) {
      expect(await refusal(from("198.51.100.1", unknownKey))).toMatchObject({ reason: "API_KEY_UNKNOWN" });
    }
    expect(await refusal(from("198.51.100.1", unknownKey))).toMatchObject({
      reason: "RATE_LIMITED",
      metadata: { scope: "address" },
    });
    expect(await refusal(from("198.51.100.2", unknownKey))).toMatchObject({ reason: "API_KEY_UNKNOWN" });
    expect((await from("198.51.100.1", secret)).flow?.id).toBeDefined();
  } finally {
    await guarded.stop();
  }
});
