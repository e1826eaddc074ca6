// operations/overload: two hundred logins of one account at once took up to 64 rounds of statements, and those who lost were
// refused after half a minute.
import { Client } from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { completeLoginStatement } from "../../src/storage/flow-statements.ts";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { Caller, resultOf, tokenIn } from "../support/caller.ts";

let app: TestApp;
let caller: Caller;
beforeAll(async () => {
  app = await startTestApp({ config: { tenant_defaults: { session: { max_parallel: 5 } } } });
  caller = new Caller(app);
});
afterAll(() => app.stop());

const fieldsOf = (email: string) => ({ identifier: email, password: { password: goodPassword } });

async function anAccount(): Promise<string> {
  const email = freshEmail();
  expect(resultOf(await caller.register(email))).toBe("completed");
  return email;
}

/** Flows that were begun, each with what submits it. */
async function begun(count: number, email: string) {
  const flows = await Promise.all(Array.from({ length: count }, () => caller.begin("Login")));
  return flows.map((flow) => () => caller.submit("Login", flow, fieldsOf(email)));
}

test("two hundred logins of one account send one statement each, and are let in or told to wait", async () => {
  const email = await anAccount();
  const submits = await begun(200, email);
  app.statements.length = 0;
  const answers = await Promise.all(submits.map((submit) => submit()));
  const results = answers.map(resultOf);
  expect(new Set(results.filter((result) => result !== "completed"))).toEqual(
    new Set(results.includes("429 SERVER_OVERLOADED") ? ["429 SERVER_OVERLOADED"] : []),
  );
  const completed = results.filter((result) => result === "completed");
  expect(completed.length).toBeGreaterThan(0);
  expect(app.statements.filter((text) => text === completeLoginStatement.text).length).toBe(completed.length);
  // All others are past, so the last five are alive.
  const alive = await Promise.all(answers.map((answer) => caller.check(tokenIn(answer) || "none")));
  expect(alive.filter(({ status }) => status === 200).length).toBe(Math.min(5, completed.length));
});

test("a login that waits for others of its account is refused in time, and nobody else waits", async () => {
  const [email, other] = [await anAccount(), await anAccount()];
  const [first, ...late] = await begun(4, email);
  const client = new Client({ connectionString: app.databaseUrl });
  await client.connect();
  try {
    await client.query("BEGIN");
    await client.query(
      "SELECT FROM ostiary.identity WHERE id = (SELECT identity_id FROM ostiary.identity_identifier WHERE value = $1) FOR UPDATE",
      [email],
    );
    const held = first?.();
    const isHeld = () =>
      client
        .query("SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
        .then(({ rowCount }) => rowCount === 1);
    await vi.waitUntil(isHeld, { timeout: 10_000 });
    const refused = await Promise.all(late.map((submit) => submit()));
    for (const answer of refused) {
      expect(resultOf(answer)).toBe("429 SERVER_OVERLOADED");
      expect(Number(answer.headers.get("retry-after"))).toBe(1);
    }
    expect(resultOf(await caller.logIn(other))).toBe("completed");
    // Those that were refused sent nothing that waits.
    expect(await isHeld()).toBe(true);
    await client.query("COMMIT");
    expect(held && resultOf(await held)).toBe("completed");
    // What was refused can be sent again.
    expect(late[0] && resultOf(await late[0]())).toBe("completed");
  } finally {
    await client.end();
  }
});
