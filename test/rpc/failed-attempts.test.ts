// The events of attempts that fail: gathered, so that strangers fill no table, and so that no answer waits for one.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshEmail } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { browser, Caller, native, resultOf } from "../support/caller.ts";
import { attemptsWritten } from "../support/failed-attempts.ts";
import { administer } from "../support/postgres.ts";

let app: TestApp;
let identityId: string;
const known = freshEmail();
beforeAll(async () => {
  app = await startTestApp();
  const registered = await new Caller(app).register(known);
  identityId = JSON.stringify(registered.body).match(/"identityId":"([^"]+)"/)?.[1] ?? "";
});
afterAll(() => app.stop());

/** What a wrong password sends to the database. */
async function statementsOf(identifier: string, client: typeof native | typeof browser) {
  const caller = new Caller(app);
  const { flow } = (await caller.create("Login", client)).body;
  app.statements.length = 0;
  const answer = await caller.submit("Login", flow, { identifier, password: { password: "wrong" } });
  expect(resultOf(answer)).toBe("rejected CREDENTIALS_INVALID");
  return [...app.statements];
}

const recorded = (condition: string) =>
  administer(app.databaseUrl, (query) =>
    query<{ ip_address: string; data: object }>(
      `SELECT ip_address, data FROM ostiary.event WHERE type = 'login.failed' AND ${condition} ORDER BY position`,
    ),
  );

describe.each([
  ["an app", native],
  ["a browser", browser],
] as const)("a wrong password in %s", (_name, client) => {
  // Security rule (SR-ENUM-11): a statement more would tell which names have an account.
  test("is answered before anything of it is recorded, with the same statements for everybody", async () => {
    const ofKnown = await statementsOf(known, client);
    expect(ofKnown).toEqual(await statementsOf(freshEmail(), client));
    expect(ofKnown.filter((text) => /INSERT INTO ostiary\.event\b/.test(text)).length).toBeLessThan(
      client === native ? 1 : 2,
    );
  });
});

test("is in the login history at once, each by itself; for unknown names there is one event a minute", async () => {
  const count = async (condition: string) => (await recorded(condition)).length;
  await attemptsWritten(app, identityId, { afterMinute: true });
  const [before, beforeUnknown] = [
    await count(`identity_id = '${identityId}'`),
    await count("identity_id IS NULL"),
  ];
  for (let tries = 0; tries < 3; tries++) {
    await statementsOf(known, native);
    await statementsOf(freshEmail(), native);
  }
  await attemptsWritten(app, identityId);
  expect(await count(`identity_id = '${identityId}'`)).toBe(before + 3);
  expect(await count("identity_id IS NULL")).toBe(beforeUnknown);
  await attemptsWritten(app, identityId, { afterMinute: true });
  const unknown = await recorded("identity_id IS NULL");
  expect(unknown).toHaveLength(beforeUnknown + 1);
  expect(unknown.at(-1)).toMatchObject({
    ip_address: "127.0.0.1",
    data: { reason: "CREDENTIALS_INVALID", method: "password", attempts: 3 },
  });
});

test("is written by a server that stops", async () => {
  const second = await startTestApp({ databaseUrl: app.databaseUrl, clock: app.clock });
  const before = await recorded("true");
  const caller = new Caller(second);
  for (const identifier of [known, freshEmail()]) {
    await caller.submit("Login", await caller.begin("Login"), {
      identifier,
      password: { password: "wrong" },
    });
  }
  await second.stop();
  expect(await recorded("true")).toHaveLength(before.length + 2);
});
