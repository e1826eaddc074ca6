// What strangers did to limits: security/f07_bad_credentials_block_neighbours, and what security/f08_owner_gets_no_code
// and security/f09_user_agent_fills_events leave to operators.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ThrottleService } from "../../gen/ostiary/access/v1/throttle_service_pb.js";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { createTokens } from "../../src/crypto/tokens.ts";
import { goodPassword, register } from "../support/accounts.ts";
import type { TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { guess, startThrottledApp } from "../support/throttled.ts";

let app: TestApp;

beforeAll(async () => {
  app = await startThrottledApp();
});

afterAll(() => app.stop());

test("a neighbour with a made-up token in a loop shuts nobody out who has a session", async () => {
  const { email, sessionToken } = await register(app);
  const from = "198.51.100.7";
  const headers = { "x-forwarded-for": from };
  // Malformed, and well-formed but nobody's: only the latter has to be looked for.
  const madeUp = ["ost_ses_garbage", createTokens().issue("session", "default").token.reveal()];
  const codes = new Set<string | undefined>();
  for (const bearer of madeUp) {
    const neighbour = app.client(SessionService, { bearer, headers });
    for (let batch = 0; batch < 12; batch++) {
      const calls = Array.from({ length: 100 }, () => refusal(neighbour.getCurrentSession({})));
      for (const { code } of await Promise.all(calls)) codes.add(code);
    }
  }
  expect([...codes].toSorted()).toEqual(["ResourceExhausted", "Unauthenticated"]);
  const owner = { bearer: sessionToken, headers };
  expect((await app.client(SessionService, owner).getCurrentSession({})).session).toBeDefined();
  const settings = await app.client(SettingsService, owner).createSettingsFlow({ client: ClientKind.NATIVE });
  expect(settings.flow).toBeDefined();
  const outcome = await guess(app, { identifier: email, password: goodPassword, from });
  expect(outcome.case).toBe("completed");
  await app.client(SessionService, owner).logout({});
});

test("an owner who is shut out by strangers is seen by an operator, and let in again", async () => {
  const { email } = await register(app);
  for (let count = 0; count < 10; count++) {
    await guess(app, { identifier: email, from: `198.51.101.${count}` });
  }
  const from = "198.51.102.1";
  const login = () => guess(app, { identifier: email, password: goodPassword, from });
  expect(await refusal(login())).toMatchObject({ reason: "RATE_LIMITED" });
  const operator = app.client(ThrottleService);
  const explained = await operator.explainThrottle({ identifier: email, ipAddress: from });
  expect(explained).toMatchObject({ loginAllowed: false, retryTime: expect.anything() });
  expect(explained.counters.find(({ limit }) => limit === "account")).toMatchObject({
    maxCount: 10,
    usedCount: 10,
    exhausted: true,
  });
  await operator.resetThrottle({ identifier: email });
  expect((await login()).case).toBe("completed");
});

test("a user agent as long as headers may be fills no event", async () => {
  const { email, session } = await register(app);
  const headers = { "user-agent": `A${randomBytes(7_000).toString("hex")}` };
  const login = app.client(LoginService, { headers });
  const { flow } = await login.createLoginFlow({ client: ClientKind.NATIVE });
  const step = { case: "password", value: { password: "wrong" } } as const;
  await login.submitLoginFlow({ flowId: flow?.id ?? "", identifier: email, step });
  const { records } = await app
    .client(IdentityService)
    .listLoginHistory({ identityId: session?.identityId ?? "" });
  const lengths = records.map(({ userAgent }) => userAgent.length);
  expect(Math.max(...lengths)).toBeGreaterThan(100);
  expect(Math.max(...lengths)).toBeLessThanOrEqual(512);
});
