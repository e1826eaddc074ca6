import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestApp, type TestApp } from "../support/app.ts";

let app: TestApp;
let host: string;

beforeAll(async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  // Nothing listens there any more.
  await new Promise((resolve) => server.close(resolve));
  app = await startTestApp({
    config: {
      server: { outbound: { allowed_private_hosts: [host] } },
      tenant_defaults: { oidc: { providers: [{ id: "down", issuer: `http://${host}`, client_id: "c" }] } },
    },
  });
});

afterAll(() => app.stop());

test("a provider that is down is shown, and the server is ready", async () => {
  const ready = async () => {
    const response = await fetch(`${app.localUrl}/health/ready`);
    return [response.status, await response.json()];
  };
  // The first question is what makes the server look.
  await expect
    .poll(ready, { timeout: 20_000 })
    .toEqual([200, { status: "ready", components: { database: true, "oidc.down": false } }]);
});
