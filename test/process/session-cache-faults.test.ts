import { describe, expect, onTestFinished, test, vi } from "vitest";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { createServerDatabase } from "../support/database.ts";
import { startDatabaseProxy } from "../support/database-proxy.ts";
import { refusal } from "../support/errors.ts";
import { administer } from "../support/postgres.ts";
import { servingFrom, startServerProcess } from "../support/server-process.ts";
import { untilHeard } from "../support/sessions.ts";

const boundMs = 500;
const config = { tenant_defaults: { session: { max_staleness: `${boundMs}ms` } } };

/** Two servers on one database, the second one by way of a proxy, and somebody whose session the second one keeps. */
async function fleet() {
  const first = await startTestApp({ config });
  onTestFinished(() => first.stop());
  const proxy = await startDatabaseProxy(first.databaseUrl);
  onTestFinished(() => proxy.close());
  const second = await startTestApp({ config, databaseUrl: proxy.url, clock: first.clock });
  onTestFinished(() => second.stop());
  const { sessionToken: token, session } = await register(first);
  const sessionId = session?.id ?? "";
  await untilHeard(second);
  const check = () => second.client(SessionService).checkSession({ token });
  await check();
  await untilHeard(second);
  second.statements.length = 0;
  await check();
  expect(second.statements).toEqual([]);
  const revoke = () => first.client(SessionAdminService).revokeSession({ sessionId });
  return { first, proxy, second, token, sessionId, check, revoke };
}

/** Checks without pause until no check has passed for longer than the bound. Returns how late the last one that passed was begun. */
async function lastPass(check: () => Promise<unknown>, endedAt: number) {
  let passedAt = Number.NEGATIVE_INFINITY;
  const reasons = new Set<string>();
  while (performance.now() - Math.max(endedAt, passedAt) <= 2 * boundMs) {
    const askedAt = performance.now();
    const { code = "passed" } = await check().then(
      () => ({ code: undefined }),
      () => refusal(check()),
    );
    if (code === "passed") passedAt = askedAt;
    else reasons.add(code);
  }
  return { lateMs: passedAt - endedAt, reasons: [...reasons] };
}

/** Ends the connections of a kind that a server has to its database. */
function terminate({ databaseUrl }: TestApp, application: string): Promise<unknown> {
  return administer(databaseUrl, (query) =>
    query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", [
      application,
    ]),
  );
}

describe("a session that was ended elsewhere is refused within the bound (SR-CACHE-2)", () => {
  test("where the connection of the feed is killed again and again", async () => {
    const { first, check, revoke } = await fleet();
    await terminate(first, "ostiary feed");
    await revoke();
    const endedAt = performance.now();
    const killed = (async () => {
      for (let count = 0; count < 5; count++) await terminate(first, "ostiary feed");
    })();
    const { lateMs, reasons } = await lastPass(check, endedAt);
    await killed;
    expect(lateMs).toBeLessThanOrEqual(boundMs);
    expect(reasons).toEqual(["Unauthenticated"]);
  });

  test("where no notification ever arrives", async () => {
    const { first, check, sessionId } = await fleet();
    // As any other process does, but for the notification.
    await administer(first.databaseUrl, async (query) => {
      await query("UPDATE ostiary.session SET revoked_at = updated_at WHERE id = $1", [sessionId]);
      const columns = "tenant_id, identity_id, session_id, created_at, actor, request_id, data";
      await query(
        `INSERT INTO ostiary.event (id, transaction_id, type, ${columns})
          SELECT gen_random_uuid(), pg_current_xact_id(), 'session.revoked', ${columns}
          FROM ostiary.event WHERE session_id = $1 LIMIT 1`,
        [sessionId],
      );
    });
    const { lateMs, reasons } = await lastPass(check, performance.now());
    expect(lateMs).toBeLessThanOrEqual(boundMs);
    expect(reasons).toEqual(["Unauthenticated"]);
  });

  test.each(["closed", "silent"])("where its database is lost: connections are %s", async (how) => {
    const { proxy, second, check, revoke } = await fleet();
    proxy.leadTo(undefined);
    if (how === "silent") proxy.silence();
    else proxy.cut();
    await revoke();
    const endedAt = performance.now();
    const askedAt: number[] = [];
    await vi.waitFor(
      async () => {
        const at = performance.now();
        // Each call that is not answered from memory waits for the database.
        const passed = await Promise.race([
          check().then(() => true),
          new Promise((resolve) => setTimeout(resolve, boundMs, false)),
        ]).catch(() => false);
        if (passed) askedAt.push(at);
        expect(performance.now() - endedAt).toBeGreaterThan(3 * boundMs);
      },
      { timeout: 30_000, interval: 10 },
    );
    expect(Math.max(0, ...askedAt.map((at) => at - endedAt))).toBeLessThanOrEqual(boundMs);
    proxy.leadTo(second.databaseUrl);
  });

  test("where a backup was restored: the log is another one, and tells of nothing", async () => {
    const { first, check, sessionId } = await fleet();
    await administer(first.databaseUrl, async (query) => {
      await query("UPDATE ostiary.session SET revoked_at = updated_at WHERE id = $1", [sessionId]);
      await query("UPDATE ostiary.event_epoch SET epoch = epoch + 1");
    });
    const { lateMs, reasons } = await lastPass(check, performance.now());
    expect(lateMs).toBeLessThanOrEqual(boundMs);
    expect(reasons).toEqual(["Unauthenticated"]);
  });

  test("where the process is stopped for five seconds, from the first call on", {
    timeout: 120_000,
  }, async () => {
    const database = await createServerDatabase();
    onTestFinished(() => database.drop());
    const environment = servingFrom(database);
    const first = await startServerProcess(["--dev"], environment);
    onTestFinished(async () => void (await first.end("SIGTERM")));
    const second = await startServerProcess(["--dev"], environment);
    onTestFinished(async () => {
      second.child.kill("SIGCONT");
      await second.end("SIGTERM");
    });
    const call = async (url: string, method: string, message: object) => {
      const response = await fetch(`${url}/ostiary.${method}`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${database.adminKey}` },
        body: JSON.stringify(message),
      });
      return { status: response.status, body: await response.json() };
    };
    const token = await registered(first.publicUrl);
    const check = () => call(second.publicUrl, "session.v1.SessionService/CheckSession", { token });
    const { body } = await check();
    for (let count = 0; count < 5; count++) expect((await check()).status).toBe(200);

    second.child.kill("SIGSTOP");
    const stoppedAt = performance.now();
    const revoke = { sessionId: body.session.id };
    const revoked = await call(first.adminUrl, "session.v1.SessionAdminService/RevokeSession", revoke);
    expect(revoked.status).toBe(200);
    // The calls are there already when the process goes on.
    const late = await vi.waitUntil(() => performance.now() - stoppedAt > 5_000 && [check(), check()], {
      timeout: 20_000,
      interval: 50,
    });
    second.child.kill("SIGCONT");
    for (const { status } of await Promise.all(late)) expect(status).toBe(401);
    expect((await check()).status).toBe(401);
  });
});

/** Registers somebody, and gives the token of their session. */
async function registered(url: string): Promise<string> {
  const post = async (method: string, message: object) => {
    const response = await fetch(`${url}/ostiary.flow.v1.RegistrationService/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(message),
    });
    return response.json();
  };
  const { flow } = await post("CreateRegistrationFlow", { client: "CLIENT_KIND_NATIVE" });
  const { completed } = await post("SubmitRegistrationFlow", {
    flowId: flow.id,
    traits: { email: "stopped@example.com" },
    password: { password: "correct horse battery" },
  });
  return completed.signedIn.sessionToken;
}
