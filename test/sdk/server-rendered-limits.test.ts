import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { reasonOf } from "../../sdk/typescript/src/index.ts";
import { createServerOstiary } from "../../sdk/typescript/src/server.ts";
import { freshEmail, goodPassword, register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({
    defaultThrottle: true,
    config: {
      server: { trusted_proxies: ["127.0.0.1"] },
      tenant_defaults: { throttle: { address: { count: 3, period: "10m" } } },
    },
  });
});
afterAll(() => app.stop());

// Security rule: a stranger who guesses through the app uses up no limit but their own.
test("users of a server-rendered app have limits of their own", async () => {
  const { email } = await register(app);
  const tries = [];
  for (let count = 1; count <= 4; count += 1) {
    tries.push(await logIn("203.0.113.1", freshEmail(), "not the password"));
  }
  expect(tries).toEqual(["rejected", "rejected", "rejected", "RATE_LIMITED"]);
  expect(await logIn("203.0.113.2", email, goodPassword)).toBe("completed");
});

/** What comes of a login through the app, for somebody at an address. */
async function logIn(clientAddress: string, identifier: string, password: string): Promise<unknown> {
  const request = new Request("http://localhost:3000/login", { method: "POST" });
  const ostiary = createServerOstiary({ baseUrl: app.localUrl, request, clientAddress });
  const { flow } = await ostiary.login.createLoginFlow({ client: ClientKind.BROWSER });
  const { id: flowId = "", csrfToken = "" } = flow ?? {};
  const step = { case: "password", value: { password } } as const;
  return ostiary.login
    .submitLoginFlow({ flowId, csrfToken, identifier, step })
    .then(({ outcome }) => outcome.case, reasonOf);
}
