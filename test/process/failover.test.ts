import { describe, expect, onTestFinished, test, vi } from "vitest";
import { freshEmail } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { bearer, Caller, resultOf, tokenIn } from "../support/caller.ts";
import { startDatabaseProxy } from "../support/database-proxy.ts";
import { startReplicatedPostgres } from "../support/replicated-postgres.ts";

const away = "503 DATABASE_UNAVAILABLE";
const patience = { timeout: 60_000, interval: 20 };

interface Account {
  readonly email: string;
  readonly token: string;
  isRevoked: boolean;
}

/** What people and services do all the time, and what they were told. */
function startLoad(app: TestApp, someone: string) {
  let over = false;
  const accounts: Account[] = [];
  const wrong = new Set<string>();
  const counts = { good: 0, away: 0, registered: 0, revoked: 0, longestCheckMs: 0 };
  const caller = new Caller(app);
  const check = async (token: string, expected: string) => {
    const began = performance.now();
    const answer = await caller.check(token);
    counts.longestCheckMs = Math.max(counts.longestCheckMs, Math.round(performance.now() - began));
    const result = answer.status === 200 ? "200" : resultOf(answer);
    if (result === expected) counts.good++;
    else if (result === away) counts.away++;
    else wrong.add(`a check that should have been ${expected}: ${result}`);
  };
  const register = async () => {
    const email = freshEmail();
    const answer = await caller.register(email);
    const result = resultOf(answer);
    if (result === "completed") {
      accounts.push({ email, token: tokenIn(answer), isRevoked: false });
      counts.registered++;
    } else if (result !== away) wrong.add(`a registration: ${result}`);
  };
  const logOut = async () => {
    const account = accounts.find(({ isRevoked }) => !isRevoked);
    if (account === undefined || accounts.length < 5) return;
    const { status } = await caller.session("Logout", {}, bearer(account.token));
    if (status !== 200) return;
    account.isRevoked = true;
    counts.revoked++;
  };
  const checkRevoked = async () => {
    const account = accounts.findLast(({ isRevoked }) => isRevoked);
    if (account !== undefined) await check(account.token, "401 SESSION_REVOKED");
  };
  const loop = async (work: () => Promise<void>) => {
    while (!over) {
      await work();
      // Refusals are as fast as can be: they must not take all of the processor.
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const finished = Promise.all([
    loop(() => check(someone, "200")),
    loop(() => check(someone, "200")),
    loop(register),
    loop(register),
    loop(logOut),
    loop(checkRevoked),
  ]);
  finished.catch(() => {});
  return {
    accounts,
    wrong,
    counts,
    end: async () => {
      over = true;
      await finished;
    },
  };
}

/**
 * Plain streaming replication, with a proxy that follows the primary in the place of HAProxy or an address that moves. Patroni does no
 * more to the connections than that.
 */
describe("a failover to the standby, under load", () => {
  test.for(["is killed", "falls silent"])(
    "after the primary %s loses no acknowledged write, keeps no check waiting and answers none wrongly",
    { timeout: 120_000 },
    async (how, { annotate }) => {
      const cluster = await startReplicatedPostgres();
      onTestFinished(() => cluster.stop());
      const proxy = await startDatabaseProxy(cluster.primaryUrl);
      onTestFinished(() => proxy.close());
      const app = await startTestApp({ databaseUrl: proxy.url });
      onTestFinished(() => app.stop());
      const caller = new Caller(app);
      const someone = tokenIn(await caller.register());
      const load = startLoad(app, someone);
      onTestFinished(() => load.end());
      await vi.waitUntil(() => load.counts.registered > 10 && load.counts.revoked > 2, patience);

      if (how === "falls silent") {
        proxy.leadTo(undefined);
        proxy.silence();
      }
      await cluster.killPrimary();
      await vi.waitUntil(() => load.counts.away > 10, patience);
      await vi.waitFor(async () => {
        expect((await fetch(`${app.localUrl}/health/ready`)).status).toBe(503);
      }, patience);
      await cluster.promote();
      const { registered, revoked } = load.counts;
      proxy.leadTo(cluster.standbyUrl);
      await vi.waitUntil(
        () => load.counts.registered > registered + 10 && load.counts.revoked > revoked + 2,
        patience,
      );
      await load.end();

      expect([...load.wrong]).toEqual([]);
      for (const { email, token, isRevoked } of load.accounts) {
        expect([email, resultOf(await caller.logIn(email))]).toEqual([email, "completed"]);
        expect([email, (await caller.check(token)).status]).toEqual([email, isRevoked ? 401 : 200]);
      }
      // 2 s on an idle machine. What is to be told apart are the 12 s of a statement that nobody answers.
      expect(load.counts.longestCheckMs).toBeLessThan(8_000);
      await annotate(JSON.stringify(load.counts));
    },
  );
});
