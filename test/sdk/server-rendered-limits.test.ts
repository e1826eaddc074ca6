import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { reasonOf } from "../../sdk/typescript/src/index.ts";
import { createServerOstiary, type ServerOstiary } from "../../sdk/typescript/src/server.ts";
import { freshEmail, goodPassword, register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";

const userAgent = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0";

describe.each([
  ["whose address is a trusted proxy's", ["127.0.0.1"], false],
  ["with an API key", [], true],
])("a server-rendered app %s", (_, trustedProxies, withKey) => {
  let app: TestApp;
  let apiKey: string | undefined;
  beforeAll(async () => {
    app = await startTestApp({
      defaultThrottle: true,
      config: {
        server: { trusted_proxies: trustedProxies },
        tenant_defaults: { throttle: { address: { count: 3, period: "10m" } } },
      },
    });
    const keys = app.client(ApiKeyService);
    if (withKey) apiKey = (await keys.createApiKey({ name: "app", scopes: ["client:forward"] })).secret;
  });
  afterAll(() => app.stop());

  // Security rule (SR-SDK-7): a stranger who guesses through the app uses up no limit but their own.
  test("has users with limits of their own", async () => {
    const { email } = await register(app);
    const tries = [];
    for (let count = 1; count <= 4; count += 1) {
      const stranger = ostiaryFor("203.0.113.1");
      tries.push(await logIn(stranger, freshEmail(), "not the password"));
    }
    expect(tries).toEqual(["rejected", "rejected", "rejected", "RATE_LIMITED"]);
    const user = ostiaryFor("203.0.113.2");
    expect(await logIn(user, email, goodPassword)).toBe("completed");
    const cookie = user.setCookies.map((header) => header.split(";")[0]).join("; ");
    const { session } = await ostiaryFor("203.0.113.2", cookie).sessions.getCurrentSession({});
    expect(session?.device).toMatchObject({ ipAddress: "203.0.113.2", userAgent });
  });

  /** The app's clients for somebody at an address. */
  function ostiaryFor(clientAddress: string, cookie?: string): ServerOstiary {
    const headers = { "user-agent": userAgent, ...(cookie === undefined ? {} : { cookie }) };
    const request = new Request("http://localhost:3000/login", { method: "POST", headers });
    return createServerOstiary({ baseUrl: app.localUrl, request, clientAddress, apiKey });
  }
});

/** What comes of a login through the app. */
async function logIn(ostiary: ServerOstiary, identifier: string, password: string): Promise<unknown> {
  const { flow } = await ostiary.login.createLoginFlow({ client: ClientKind.BROWSER });
  const { id: flowId = "", csrfToken = "" } = flow ?? {};
  const step = { case: "password", value: { password } } as const;
  return ostiary.login
    .submitLoginFlow({ flowId, csrfToken, identifier, step })
    .then(({ outcome }) => outcome.case, reasonOf);
}
