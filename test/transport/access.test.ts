import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import type { Tenant } from "../../src/domain/tenant/tenant.ts";
import { callOf } from "../../src/transport/rpc/call.ts";
import {
  allowedOrigin,
  detailOf,
  errorOf,
  foreignOrigin,
  goodCookie,
  goodToken,
  identityClient,
  protocols,
  type Running,
  sessionClient,
  startListener,
  testAccess,
  testTenant,
} from "./harness.ts";

let running: Running;
let admin: Running;
beforeAll(async () => {
  running = await startListener();
  admin = await startListener({ name: "admin" });
});
afterAll(() => Promise.all([running.close(), admin.close()]));

type Headers = Record<string, string>;
const cookie = (value: string) => ({ cookie: `other=1; ostiary_session=${value}` });

describe.each(protocols)("a session over %s", (protocol) => {
  const reasonOf = async (headers: Headers) => {
    const error = await errorOf(sessionClient(protocol, running.baseUrl, headers).getCurrentSession({}));
    return [Code[error.code], detailOf(error, ErrorInfoSchema)?.reason];
  };
  const callerWith = async (headers: Headers) => {
    await sessionClient(protocol, running.baseUrl, headers).getCurrentSession({});
    const { context } = running.seen;
    return context === undefined ? undefined : callOf(context).caller;
  };

  test.each<[string, Headers]>([
    ["a bearer token", { authorization: `Bearer ${goodToken}` }],
    ["a bearer token, the scheme in other letters", { authorization: `bEaReR   ${goodToken}` }],
    ["a bearer token from any origin", { authorization: `Bearer ${goodToken}`, origin: foreignOrigin }],
    ["a bearer token beside a stale cookie", { authorization: `Bearer ${goodToken}`, ...cookie("stale") }],
  ])("is shown by %s", async (_name, headers) => {
    expect(await callerWith(headers)).toMatchObject({ kind: "session", credential: "bearer" });
  });

  test.each<[string, Headers]>([
    ["without browser headers, as a server-rendered app forwards it", cookie(goodCookie)],
    ["from an allowed origin", { ...cookie(goodCookie), origin: allowedOrigin }],
    [
      "from an allowed origin of another site",
      { ...cookie(goodCookie), origin: allowedOrigin, "sec-fetch-site": "cross-site" },
    ],
    ["from the same origin", { ...cookie(goodCookie), "sec-fetch-site": "same-origin" }],
    [
      "beside one that is nobody's",
      { cookie: `ostiary_session=planted; ostiary_session=${goodCookie}; ostiary_session=other` },
    ],
    ["twice with the same value", { cookie: `ostiary_session=${goodCookie}; ostiary_session=${goodCookie}` }],
    [
      "beside an Authorization header of another scheme",
      { ...cookie(goodCookie), authorization: "Basic YTpi" },
    ],
  ])("is shown by a cookie %s", async (_name, headers) => {
    expect(await callerWith(headers)).toMatchObject({ kind: "session", credential: "cookie" });
  });

  test.each<[string, Headers, string, string]>([
    ["nothing", {}, "Unauthenticated", "SESSION_CREDENTIAL_MISSING"],
    ["an unknown token", { authorization: "Bearer x" }, "Unauthenticated", "SESSION_TOKEN_UNKNOWN"],
    ["an empty token", { authorization: "Bearer " }, "Unauthenticated", "SESSION_TOKEN_MALFORMED"],
    ["two words", { authorization: "Bearer a b" }, "Unauthenticated", "SESSION_TOKEN_MALFORMED"],
    [
      "a scheme that only begins alike",
      { authorization: `Bearers ${goodToken}` },
      "Unauthenticated",
      "SESSION_CREDENTIAL_MISSING",
    ],
    [
      "another scheme",
      { authorization: `Basic ${goodToken}` },
      "Unauthenticated",
      "SESSION_CREDENTIAL_MISSING",
    ],
    [
      "a cookie's value as token",
      { authorization: `Bearer ${goodCookie}` },
      "Unauthenticated",
      "SESSION_TOKEN_UNKNOWN",
    ],
    ["a token as cookie", cookie(goodToken), "Unauthenticated", "SESSION_TOKEN_UNKNOWN"],
    [
      "a wrong token beside a good cookie",
      { authorization: "Bearer x", ...cookie(goodCookie) },
      "Unauthenticated",
      "SESSION_TOKEN_UNKNOWN",
    ],
    // Security rule (SR-COOKIE-1): of more than four different cookies of one name none is looked up.
    [
      "a good cookie among five",
      {
        cookie: `ostiary_session=${goodCookie}; ${[1, 2, 3, 4].map((n) => `ostiary_session=${n}`).join("; ")}`,
      },
      "Unauthenticated",
      "SESSION_COOKIE_AMBIGUOUS",
    ],
    // Security rule (SR-ORIGIN-1): what a cookie authenticates must come from an allowed origin.
    [
      "a cookie from a foreign origin",
      { ...cookie(goodCookie), origin: foreignOrigin },
      "PermissionDenied",
      "ORIGIN_NOT_ALLOWED",
    ],
    [
      "a cookie from origin null",
      { ...cookie(goodCookie), origin: "null" },
      "PermissionDenied",
      "ORIGIN_NOT_ALLOWED",
    ],
    [
      "a cookie from a port of an allowed origin",
      { ...cookie(goodCookie), origin: `${allowedOrigin}:8443` },
      "PermissionDenied",
      "ORIGIN_NOT_ALLOWED",
    ],
    [
      "a cookie from another site",
      { ...cookie(goodCookie), "sec-fetch-site": "cross-site" },
      "PermissionDenied",
      "ORIGIN_NOT_ALLOWED",
    ],
    [
      "a cookie from a sibling host",
      { ...cookie(goodCookie), "sec-fetch-site": "same-site" },
      "PermissionDenied",
      "ORIGIN_NOT_ALLOWED",
    ],
  ])("is not shown by %s", async (_name, headers, code, reason) => {
    expect(await reasonOf(headers)).toEqual([code, reason]);
  });

  test("is not looked at where none is needed, so a stale one breaks nothing", async () => {
    const headers = { authorization: "Bearer stale", ...cookie("stale") };
    const client = sessionClient(protocol, running.baseUrl, headers);
    const response = await client.checkSession({ token: "x" });
    expect(response.session?.id).toBe("x");
    const { context } = running.seen;
    expect(context === undefined ? undefined : callOf(context).caller).toEqual({ kind: "anonymous" });
  });
});

describe.each(protocols)("an API key over %s", (protocol) => {
  const id = "01890000-0000-7000-8000-000000000001";
  const get = (headers: Headers) =>
    identityClient(protocol, admin.baseUrl, headers).getIdentity({ identityId: id });

  test.each(["identity:read", "identity:*", "*", "api_key:read,identity:read"])(
    "with %s may read",
    async (scopes) => {
      const { identity } = await get({ authorization: `Bearer ost_key_${scopes}` });
      expect(identity?.id).toBe(id);
    },
  );

  test.each<[string, Headers, string, string]>([
    ["no key", {}, "Unauthenticated", "API_KEY_MISSING"],
    ["a session token", { authorization: `Bearer ${goodToken}` }, "Unauthenticated", "API_KEY_MALFORMED"],
    [
      "a key without the scope",
      { authorization: "Bearer ost_key_identity:create" },
      "PermissionDenied",
      "API_KEY_SCOPE_MISSING",
    ],
    ["a session cookie", cookie(goodCookie), "Unauthenticated", "API_KEY_MISSING"],
  ])("is demanded: %s is refused", async (_name, headers, code, reason) => {
    const calls = admin.seen.calls;
    const error = await errorOf(get(headers));
    expect([Code[error.code], detailOf(error, ErrorInfoSchema)?.reason]).toEqual([code, reason]);
    expect(admin.seen.calls).toBe(calls);
  });

  test("without the scope is told which one", async () => {
    const error = await errorOf(get({ authorization: "Bearer ost_key_identity:create" }));
    expect(detailOf(error, ErrorInfoSchema)?.metadata).toEqual({ scope: "identity:read" });
  });
});

// Security rule (SR-ACCESS-5): a key counts for the users of its own tenant.
describe.each(protocols)("a key by which a server calls for its users, over %s", (protocol) => {
  const headers = { "ostiary-api-key": "ost_key_client:forward", "ostiary-client-address": "203.0.113.7" };
  const check = (at: Running) => sessionClient(protocol, at.baseUrl, headers).checkSession({ token: "x" });

  test("is unknown to another tenant, and the call does not go on as the server's own", async () => {
    const tenant = testTenant();
    const other: Tenant = { ...tenant, tenantId: "other" as Tenant["tenantId"] };
    const foreign = await startListener({ access: testAccess(tenant, [], undefined, other) });
    try {
      const error = await errorOf(check(foreign));
      expect([Code[error.code], detailOf(error, ErrorInfoSchema)?.reason]).toEqual([
        "Unauthenticated",
        "API_KEY_UNKNOWN",
      ]);
      expect(foreign.seen.calls).toBe(0);
      await vi.waitUntil(() => foreign.log.length > 0, 10_000);
      expect(foreign.log.map(({ fields }) => [fields.address, fields.forwardedBy])).toEqual([
        ["127.0.0.1", undefined],
      ]);
    } finally {
      await foreign.close();
    }
    // The control: the same key of the tenant itself.
    expect((await check(running)).session?.id).toBe("x");
  });
});

describe("cookies over https", () => {
  test("are read by the name that only this host can set", async () => {
    const tenant = testTenant({ publicUrl: "https://id.example.com" });
    const https = await startListener({ tenant });
    const call = (name: string) =>
      sessionClient("Connect JSON, HTTP/1.1", https.baseUrl, {
        cookie: `${name}=${goodCookie}`,
      }).getCurrentSession({});
    await call("__Host-ostiary_session");
    for (const name of ["ostiary_session", "__Secure-ostiary_session", "__host-ostiary_session"]) {
      const error = await errorOf(call(name));
      expect(detailOf(error, ErrorInfoSchema)?.reason).toBe("SESSION_CREDENTIAL_MISSING");
    }
    await https.close();
  });
});
