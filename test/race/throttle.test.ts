import { randomBytes } from "node:crypto";
import { ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshEmail, goodPassword, register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { attemptsWritten } from "../support/failed-attempts.ts";
import { administer } from "../support/postgres.ts";
import { type Guess, guess } from "../support/throttled.ts";

const sealing = [randomBytes(32).toString("hex")];
const config = {
  server: { trusted_proxies: ["127.0.0.1"] },
  secrets: { sealing },
  // Hashing has a queue of its own, which is not what is tested here.
  hashing: { queue_limit: 1000 },
};

let first: TestApp;
let second: TestApp;
beforeAll(async () => {
  first = await startTestApp({ defaultThrottle: true, config });
  second = await startTestApp({
    defaultThrottle: true,
    config,
    databaseUrl: first.databaseUrl,
    clock: first.clock,
  });
});
afterAll(async () => {
  await second.stop();
  await first.stop();
});

async function outcomeOf(app: TestApp, attempt: Guess): Promise<string> {
  const outcome = await guess(app, attempt).catch(ConnectError.from);
  return outcome instanceof ConnectError ? "refused" : String(outcome.case);
}

/** So many guesses at the same moment, each from an address of its own, at one server after the other. */
async function atOnce(count: number, identifier: string, network: string): Promise<string[]> {
  return Promise.all(
    Array.from({ length: count }, (_, index) =>
      outcomeOf(index % 2 === 0 ? first : second, { identifier, from: `${network}.${index}` }),
    ),
  );
}

describe("two servers on one database", () => {
  // SR-LIMIT-4 (ASVS V2.3.4; GHSA-7h8m-vrxx-vr4m): what comes in parallel is not counted as one.
  test("let ten of a hundred guesses at once through, together", async () => {
    const { email } = await register(first);
    const outcomes = await atOnce(100, email, "198.51.100");
    expect(outcomes.filter((outcome) => outcome === "rejected")).toHaveLength(10);
    expect(outcomes.filter((outcome) => outcome === "refused")).toHaveLength(90);
  });

  test("do so for an identifier that nobody has as well", async () => {
    const outcomes = await atOnce(100, freshEmail(), "198.51.101");
    expect(outcomes.filter((outcome) => outcome === "rejected")).toHaveLength(10);
  });

  test("know what the other one counted", async () => {
    const { email, deviceToken } = await register(first);
    for (let count = 0; count < 10; count++) {
      await outcomeOf(first, { identifier: email, from: `198.51.102.${count}` });
    }
    const elsewhere = { identifier: email, password: goodPassword, from: "198.51.102.100" };
    expect(await refusal(guess(second, elsewhere))).toMatchObject({ reason: "RATE_LIMITED" });
    // And the device that signed in on the other one.
    expect(await outcomeOf(second, { ...elsewhere, deviceToken })).toBe("completed");
  });

  test("that are started again have forgotten nothing", async () => {
    const email = freshEmail();
    for (let count = 0; count < 10; count++) {
      await outcomeOf(first, { identifier: email, from: `198.51.103.${count}` });
    }
    await second.stop();
    second = await startTestApp({
      defaultThrottle: true,
      config,
      databaseUrl: first.databaseUrl,
      clock: first.clock,
    });
    expect(await outcomeOf(second, { identifier: email, from: "198.51.103.100" })).toBe("refused");
  });

  test("write one event for both", async () => {
    const { email, identity } = await register(first);
    for (let count = 0; count < 10; count++) {
      await outcomeOf(first, { identifier: email, from: `198.51.104.${count}` });
    }
    await atOnce(20, email, "198.51.105");
    for (const app of [first, second]) await attemptsWritten(app, identity?.id, { apiKey: first.apiKey });
    const events = await administer(first.databaseUrl, (query) =>
      query("SELECT id FROM ostiary.event WHERE type = 'login.throttled' AND identity_id = $1", [
        identity?.id,
      ]),
    );
    expect(events).toHaveLength(1);
  });
});

// Never let through uncounted: a limit that fails open is none (SR-LIMIT-3).
test("a throttle that cannot count lets nobody through", async () => {
  const { email } = await register(first);
  await administer(first.databaseUrl, (query) =>
    query("ALTER TABLE ostiary.throttle_counter RENAME TO throttle_counter_away"),
  );
  try {
    const broken = await refusal(
      guess(first, { identifier: email, password: goodPassword, from: "198.51.106.1" }),
    );
    expect(broken.code).toBe("Internal");
  } finally {
    await administer(first.databaseUrl, (query) =>
      query("ALTER TABLE ostiary.throttle_counter_away RENAME TO throttle_counter"),
    );
  }
  expect(await outcomeOf(first, { identifier: email, password: goodPassword, from: "198.51.106.2" })).toBe(
    "completed",
  );
});
