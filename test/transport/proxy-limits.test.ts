import { request } from "node:http";
import { describe, expect, test } from "vitest";
import { startTestApp, type TestApp } from "../support/app.ts";

const login = "/ostiary.flow.v1.LoginService/CreateLoginFlow";

/** Creates a flow, from one of this machine's own addresses, on behalf of another one. */
function createFlow(app: TestApp, peer: string, forwardedFor?: string): Promise<number | undefined> {
  const headers = {
    "content-type": "application/json",
    ...(forwardedFor === undefined ? {} : { "x-forwarded-for": forwardedFor }),
  };
  return new Promise((resolve, reject) => {
    const options = { method: "POST", headers, localAddress: peer, agent: false };
    const call = request(app.localUrl + login, options, (response) => {
      response.resume().on("end", () => resolve(response.statusCode));
    });
    call.on("error", reject).end('{"client":"CLIENT_KIND_NATIVE"}');
  });
}

async function withApp(work: (app: TestApp) => Promise<void>): Promise<void> {
  const limit = { count: 30, period: "1h" };
  const app = await startTestApp({
    config: { tenant_defaults: { throttle: { flow_create: limit } } },
  });
  try {
    await work(app);
  } finally {
    await app.stop();
  }
}

function warnings(app: TestApp): readonly string[] {
  return app.log
    .filter(({ message }) => message.includes("all clients come from"))
    .map(({ message }) => message);
}

describe("with no trusted proxy configured", () => {
  test("everybody behind one proxy is not shut out together, and the log says what to configure", () =>
    withApp(async (app) => {
      app.clock.advance(600_000);
      for (let count = 0; count < 60; count++) {
        expect(await createFlow(app, "127.0.0.1", `203.0.113.${count}`)).toBe(200);
      }
      expect(warnings(app)).toHaveLength(1);
      expect(warnings(app)[0]).toContain("server.trusted_proxies");
    }));

  // Security rule (SR-LIMIT-8): a ceiling holds, whatever headers a peer sends.
  test("ten times the limit holds for all clients of the proxy together", () =>
    withApp(async (app) => {
      app.clock.advance(600_000);
      const statuses = [];
      for (let count = 0; count < 340; count++) {
        statuses.push(await createFlow(app, "127.0.0.1", `203.0.${count % 2}.${count % 250}`));
      }
      // The first ones came before it was known for a proxy.
      expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(330);
      expect(statuses.slice(-10)).toEqual(Array(10).fill(429));
      expect(statuses.slice(0, 300)).toEqual(Array(300).fill(200));
    }));

  // Security rule (SR-LIMIT-8): a header that anybody can send lets nobody out of a limit.
  test("an attacker who adds the header among other traffic is limited", () =>
    withApp(async (app) => {
      const statuses: (number | undefined)[] = [];
      for (let count = 0; count < 60; count++) {
        if (count % 10 === 0) expect(await createFlow(app, "127.0.0.2")).toBe(200);
        statuses.push(await createFlow(app, "127.0.0.3", `203.0.113.${count}`));
      }
      expect(statuses.filter((status) => status === 200)).toHaveLength(30);
      expect(statuses.filter((status) => status === 429)).toHaveLength(30);
      expect(warnings(app)).toEqual([]);
    }));

  test("one address without the header is limited", () =>
    withApp(async (app) => {
      for (let count = 0; count < 30; count++) expect(await createFlow(app, "127.0.0.1")).toBe(200);
      expect(await createFlow(app, "127.0.0.1")).toBe(429);
      expect(await createFlow(app, "127.0.0.1", "203.0.113.1")).toBe(429);
    }));
});
