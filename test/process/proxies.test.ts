import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { isInstalled } from "../support/foreign.ts";
import {
  type EchoingApplication,
  freePort,
  type ProxyName,
  proxies,
  type RunningProxy,
  startEchoingApplication,
  startProxy,
} from "../support/proxies.ts";

const host = "app.example.com";
const tokenHeader = "ostiary-session-token";
const names = Object.keys(proxies) as ProxyName[];
const installed = new Map(
  await Promise.all(
    names.map(
      async (name) => [name, await isInstalled(proxies[name].program, proxies[name].version)] as const,
    ),
  ),
);

// Each with its configuration of docs/forward-auth.md.
describe.each(names)("behind %s", (name) => {
  describe.skipIf(!installed.get(name))("an application", () => {
    let app: TestApp;
    let application: EchoingApplication;
    let proxy: RunningProxy;
    let token: string;
    let identityId: string;
    beforeAll(async () => {
      const port = await freePort();
      application = await startEchoingApplication();
      const rules = [
        { host: `${host}:${port}`, session: { audience: "urn:app" } },
        { host: `${host}:${port}`, path_prefix: "/open", anyone: {} },
        {
          host: `${host}:${port}`,
          path_prefix: "/strong",
          session: { audience: "urn:app", second_factor: true },
        },
      ];
      app = await startTestApp({
        config: {
          server: { forward_auth: { port: 0, peers: ["127.0.0.1"] } },
          tenant_defaults: { forward_auth: { rules } },
        },
      });
      const ostiaryPort = Number(new URL(app.forwardAuthUrl).port);
      proxy = await startProxy(name, { port, applicationPort: application.port, ostiaryPort });
      const { sessionToken, session } = await register(app);
      token = sessionToken;
      identityId = session?.identityId ?? "";
    }, 60_000);
    afterAll(async () => {
      await proxy?.stop();
      await application.stop();
      await app.stop();
    });

    /** Requests a path of the application, as a client of the proxy. */
    async function get(path: string, headers: Record<string, string> = {}, method = "GET") {
      const { port } = new URL(proxy.url);
      const before = application.requests.length;
      // The path as it is: nothing between here and the proxy makes another one of it.
      const asked = request({
        host: "127.0.0.1",
        port,
        path,
        method,
        headers: { host: `${host}:${port}`, ...headers },
      });
      asked.end();
      const [response] = (await once(asked, "response")) as [IncomingMessage];
      const body = await text(response);
      const [came] = application.requests.slice(before);
      return { status: response.statusCode, location: response.headers.location, body, came: came?.headers };
    }
    const bearer = () => ({ authorization: `Bearer ${token}` });

    async function claimsOf(jwt: unknown) {
      const keys = createRemoteJWKSet(new URL(`${app.localUrl}/.well-known/jwks.json`));
      const options = { audience: "urn:app", typ: "ostiary-session+jwt", currentDate: app.clock.now() };
      return (await jwtVerify(String(jwt), keys, options)).payload;
    }

    test("is told whose request it is", async () => {
      const { status, body, came } = await get("/a?b=c", bearer());
      expect({ status, body }).toEqual({ status: 200, body: "the application" });
      expect(await claimsOf(came?.[tokenHeader])).toMatchObject({ sub: identityId });
    });

    // Security rule (SR-FORWARD-7)
    test("gets no token that a client has written", async () => {
      const forged = { "Ostiary-Session-Token": "forged", OSTIARY_SESSION_TOKEN: "forged" };
      const known = await get("/", { ...bearer(), ...forged });
      expect(await claimsOf(known.came?.[tokenHeader])).toMatchObject({ sub: identityId });
      const unknown = await get("/open/a", forged);
      expect(unknown.status).toBe(200);
      expect(JSON.stringify(unknown.came?.[tokenHeader] ?? "")).not.toContain("forged");
    });

    // Security rule (SR-FORWARD-5)
    test("is not reached by a client that says which request is asked about", async () => {
      const { port } = new URL(proxy.url);
      const forged = {
        "X-Forwarded-Uri": "/open",
        "X-Forwarded-Path": "/open",
        "X-Forwarded-Method": "GET",
        "X-Forwarded-Host": `${host}:${port}`,
        "X-Original-Uri": "/open",
        "X-Original-Url": "/open",
        "X-Envoy-Original-Path": "/open",
      };
      const { status, came } = await get("/", forged);
      expect(status).toBe(401);
      expect(came).toBeUndefined();
    });

    test("is reached by everybody where a rule says so, and by nobody without a rule", async () => {
      expect((await get("/open")).status).toBe(200);
      const elsewhere = await get("/open", { host: "other.example.com" });
      expect(elsewhere.came).toBeUndefined();
      // Caddy answers for the hosts of its file alone.
      expect([403, 200]).toContain(elsewhere.status);
    });

    test("sends a person to the login", async () => {
      const { status, location, came } = await get("/a?b=c", {
        accept: "text/html",
        "sec-fetch-mode": "navigate",
      });
      expect(status).toBe(302);
      const url = new URL(location ?? "");
      expect(url.pathname).toBe("/ui/login");
      expect(new URL(url.searchParams.get("return_to") ?? "")).toMatchObject({
        hostname: host,
        pathname: "/a",
        search: "?b=c",
      });
      expect(came).toBeUndefined();
    });

    test("refuses a program, and a session that shows too little", async () => {
      expect(await get("/a")).toMatchObject({ status: 401, came: undefined });
      expect(await get("/strong", bearer())).toMatchObject({ status: 401, came: undefined });
      expect(await get("/a", { authorization: "Bearer ost_ses_default_nonsense" })).toMatchObject({
        status: 401,
        came: undefined,
      });
    });

    // Security rule (SR-FORWARD-2)
    test.each([
      "/open/..%2fstrong",
      "/open/%2e%2e/strong",
      "/open/..;/strong",
      "/open;/../strong",
      "/open//../strong",
      "/open%5c..%5cstrong",
      "//strong",
      "/open/%252e%252e/strong",
    ])("is not reached by %s with too little", async (path) => {
      const { came } = await get(path, bearer());
      // A proxy may have made a plain path of it; then that one was asked about, and is what came.
      if (came !== undefined)
        expect(application.requests.at(-1)?.url).toMatch(/^\/open(\/|$)|^\/(?!.*strong)/);
    });

    test("is reached by nobody while the server cannot be asked", async () => {
      const port = await freePort();
      const alone = await startProxy(name, {
        port,
        applicationPort: application.port,
        ostiaryPort: await freePort(),
      });
      const response = await fetch(`${alone.url}/open`, { headers: { host: `${host}:${port}` } });
      await response.body?.cancel();
      expect(response.status).toBeGreaterThanOrEqual(403);
      await alone.stop();
    });
  });
});
