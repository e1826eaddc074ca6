import { once } from "node:events";
import { request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../support/database-proxy.ts";
import { refusal } from "../support/errors.ts";

const path = "/.well-known/jwks.json";
const origin = "https://app.example.com";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({
    config: {
      tenant_defaults: { allowed_origins: [origin], session: { tokens: { audiences: ["api"] } } },
    },
  });
});
afterAll(() => app.stop());

const get = (init: RequestInit = {}) => fetch(`${app.localUrl}${path}`, init);

describe("the published keys", () => {
  // Security rule (SR-TOKEN-4): nothing private is published.
  test("are public members alone", async () => {
    const { keys, ...rest } = (await (await get()).json()) as { keys: object[] };
    expect(rest).toEqual({});
    expect(keys.map((key) => Object.keys(key).sort())).toEqual([
      ["alg", "crv", "kid", "kty", "use", "x", "y"],
    ]);
  });

  test("may be kept for five minutes by everybody, and are told apart by their etag", async () => {
    const response = await get();
    expect(response.headers.get("content-type")).toBe("application/jwk-set+json");
    expect(response.headers.get("cache-control")).toBe("public, max-age=300");
    const etag = response.headers.get("etag") ?? "";
    expect(etag).toMatch(/^"[\w-]{22}"$/);
    const again = await get({ headers: { "if-none-match": etag } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
    expect((await get({ headers: { "if-none-match": '"other"' } })).status).toBe(200);
  });

  test.each([undefined, origin, "https://stranger.example", "null"])(
    "are the same for a page of %s, without credentials",
    async (from) => {
      const { headers } = await get(from === undefined ? {} : { headers: { origin: from } });
      expect(headers.get("access-control-allow-origin")).toBe("*");
      expect(headers.get("access-control-allow-credentials")).toBeNull();
      expect(headers.get("cross-origin-resource-policy")).toBe("cross-origin");
      expect(headers.get("vary")).toBeNull();
    },
  );

  test("answer HEAD with the same headers, over both versions of HTTP, and nothing that writes", async () => {
    const whole = await get();
    const head = await get({ method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect(head.headers.get("etag")).toBe(whole.headers.get("etag"));
    const session = connectHttp2(app.localUrl);
    const stream = session.request({ ":path": path, ":method": "HEAD" });
    const [headers] = await once(stream, "response");
    expect([headers[":status"], headers.etag]).toEqual([200, whole.headers.get("etag")]);
    session.close();
    for (const method of ["POST", "DELETE", "PUT"]) {
      const refused = await get({ method });
      expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    }
  });

  test("are only on the public listener, whatever the host header says", async () => {
    expect((await fetch(`${app.adminUrl}${path}`)).status).toBe(404);
    const { hostname, port } = new URL(app.localUrl);
    const asked = request({ host: hostname, port, path, headers: { host: "stranger.example" } }).end();
    const [answer] = await once(asked, "response");
    answer.resume();
    expect(answer.statusCode).toBe(200);
  });
});

describe("while the database is away", () => {
  let proxy: DatabaseProxy;
  let behind: TestApp;
  beforeAll(async () => {
    proxy = await startDatabaseProxy(app.databaseUrl);
    behind = await startTestApp({
      databaseUrl: proxy.url,
      config: { tenant_defaults: { session: { tokens: { audiences: ["api"] } } } },
    });
  });
  afterAll(async () => {
    await behind.stop();
    await proxy.close();
  });

  test("keys that were read before are published, and no token is issued", async () => {
    const { sessionToken } = await register(app);
    const keys = () => fetch(`${behind.localUrl}${path}`);
    const before = await (await keys()).text();
    proxy.leadTo("postgresql://nobody@127.0.0.1:1/none");
    proxy.cut();
    // Also once the next key is due, which cannot be made now.
    for (const later of [60_000, 720 * 3_600_000]) {
      behind.clock.advance(later);
      const response = await keys();
      expect([response.status, await response.text()]).toEqual([200, before]);
    }
    const holder = behind.client(SessionService, { bearer: sessionToken });
    expect(await refusal(holder.issueToken({}))).toMatchObject({ reason: "DATABASE_UNAVAILABLE" });
  });
});
