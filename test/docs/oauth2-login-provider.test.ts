import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { OAuth2TestServer } from "../support/oauth2-server.ts";
import { OAuth2Visitor, withPassword } from "../support/oauth2-visitor.ts";

let oauth2: OAuth2TestServer;
let app: TestApp;

beforeAll(async () => {
  oauth2 = await OAuth2TestServer.start();
  app = await startTestApp({ config: oauth2.config });
});
afterAll(async () => {
  await app.stop();
  await oauth2.stop();
});

/** The code of docs/oauth2-login-provider.md, as a page runs it. */
function example(): (...values: unknown[]) => Promise<void> {
  const page = readFileSync("docs/oauth2-login-provider.md", "utf8");
  const code = /```ts\n([\s\S]*?)```/.exec(page)?.[1] ?? "throw new Error('the page has no code')";
  return new Function(
    ...["ostiary", "ClientKind", "location", "loginChallenge"],
    `return (async () => {${code}})();`,
  ) as ReturnType<typeof example>;
}

test("the code of the page draws a flow for a stranger, and leads who is signed in back at once", async () => {
  const { email } = await register(app);
  const browser = new OAuth2Visitor(app);
  const places: string[] = [];
  const run = (challenge: string) =>
    example()(
      { login: browser.client(LoginService) },
      ClientKind,
      { assign: (url: string) => places.push(url) },
      challenge,
    );
  await run(oauth2.ask());
  expect(places).toEqual([]);
  const { flow } = await browser.login(oauth2.ask());
  await browser.submit(flow, withPassword, email);
  await run(oauth2.ask());
  expect(places).toEqual([
    expect.stringMatching(/^http:\/\/localhost:4444\/oauth2\/auth\?.*login_verifier=/),
  ]);
});
