import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { logIn, register, sessionTokenOf } from "../support/accounts.ts";
import { type Protocol, protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { administer } from "../support/postgres.ts";

const budget = 3;
let app: TestApp;

beforeAll(async () => {
  const limits = { account: { count: budget, period: "10m" } };
  app = await startTestApp({ config: { tenant_defaults: { throttle: limits } } });
});

afterAll(() => app.stop());

/** A settings flow, as a call that submits a password. */
async function passwordOf(bearer: string, protocol: Protocol = "Connect JSON") {
  const client = app.client(SettingsService, { bearer, protocol });
  const { flow } = await client.createSettingsFlow({ client: ClientKind.NATIVE });
  const flowId = flow?.id ?? "";
  return {
    submit: async (password: string) =>
      (await client.submitSettingsFlow({ flowId, step: { case: "password", value: { password } } })).outcome,
    resume: async (token: string) =>
      (
        await app
          .client(SettingsService, { bearer: token })
          .submitSettingsFlow({ flowId, step: { case: "resume", value: {} } })
      ).outcome,
  };
}

/** The hash that waits in the newest settings flow; it is another one after each hashing. */
async function waitingHash(): Promise<string | undefined> {
  const [row] = await administer(app.databaseUrl, (query) =>
    query<{ hash: string }>(
      `SELECT data #>> '{state,interrupted,credential,secret}' AS hash FROM ostiary.flow
        WHERE kind = 'settings' ORDER BY created_at DESC, revision DESC LIMIT 1`,
    ),
  );
  return row?.hash;
}

const password = (index: number) => `harbour lantern number ${index}`;

describe.each(protocols)("a session without a fresh login over %s", (protocol) => {
  // Security rule (SR-LIMIT-10): it has so many passwords hashed and not one more, however many sessions, flows and calls there are.
  test("has passwords hashed within the budget of its account alone, at the same moment as well", async () => {
    const { sessionToken } = await register(app);
    app.clock.advance(3_600_000);
    const { submit } = await passwordOf(sessionToken, protocol);
    for (let index = 0; index < budget; index++) {
      expect((await submit(password(index))).case).toBe("loginRequired");
    }
    const hash = await waitingHash();
    expect(hash).toMatch(/^\$argon2id\$/);
    const another = await passwordOf(sessionToken, protocol);
    for (const call of [submit, another.submit]) {
      const many = Array.from({ length: 8 }, (_, index) => refusal(call(password(index + budget))));
      for (const refused of await Promise.all(many)) {
        expect(refused).toMatchObject({ reason: "RATE_LIMITED", metadata: { scope: "account" } });
        expect(refused.retryAfterSeconds).toBeGreaterThan(0);
      }
    }
    // Refused before it is even looked at, which comes before it is hashed.
    expect((await refusal(submit("short"))).reason).toBe("RATE_LIMITED");
    app.clock.advance(200_000);
    expect((await submit(password(99))).case).toBe("loginRequired");
    expect(await waitingHash()).not.toBe(hash);
  });
});

test("what a session without a fresh login uses up is not what its owner needs", async () => {
  const { email, sessionToken } = await register(app);
  app.clock.advance(3_600_000);
  const found = await passwordOf(sessionToken);
  for (let index = 0; index < budget; index++) await found.submit(password(index));
  expect((await refusal(found.submit(password(9)))).reason).toBe("RATE_LIMITED");
  // Nor do the tries of one account count for another.
  const stranger = await register(app);
  expect((await (await passwordOf(stranger.sessionToken)).submit(password(10))).case).toBe("saved");
  const fresh = await passwordOf(await sessionTokenOf(app, email));
  expect((await fresh.submit(password(11))).case).toBe("saved");
  // With what came after it is the account's only password.
  expect((await logIn(app, email, password(11)))?.case).toBe("completed");
});

test("what waits for a fresh login is carried out after it, and is never the password itself", async () => {
  const { email, sessionToken } = await register(app);
  app.clock.advance(3_600_000);
  const { submit, resume } = await passwordOf(sessionToken);
  expect((await submit(password(1))).case).toBe("loginRequired");
  const rows = await administer(app.databaseUrl, (query) =>
    query(`SELECT 1 FROM ostiary.flow WHERE data::text LIKE '%${password(1)}%'`),
  );
  expect(rows).toEqual([]);
  expect((await resume(await sessionTokenOf(app, email))).case).toBe("saved");
  expect((await logIn(app, email, password(1)))?.case).toBe("completed");
});
