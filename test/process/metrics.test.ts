import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { catalogue } from "../../src/transport/metrics/catalogue.ts";
import { prometheusNameOf } from "../../src/transport/metrics/prometheus.ts";
import { freshEmail, goodPassword, logIn, register, sessionTokenOf } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { isInstalled, runProgram } from "../support/foreign.ts";
import { announceJob } from "../support/jobs.ts";
import { administer } from "../support/postgres.ts";
import { untilHeard } from "../support/sessions.ts";

const promtool = await isInstalled("promtool", ["--version"]);
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp();
});

afterAll(() => app.stop());

async function scrape(): Promise<string> {
  return (await fetch(`${app.adminUrl}/metrics`)).text();
}

/** The value of a series; undefined if it is not there. */
async function figure(series: string): Promise<number | undefined> {
  const line = (await scrape()).split("\n").find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

describe("/metrics", () => {
  test("counts the steps of flows by kind, method and outcome: a wrong password is not OK", async () => {
    const { email } = await register(app);
    await logIn(app, email, "a wrong password");
    await logIn(app, email);
    const step = (rest: string) => figure(`ostiary_flow_steps_total{kind="login",method="password",${rest}}`);
    expect(await step('outcome="rejected",reason="CREDENTIALS_INVALID"')).toBe(1);
    expect(await step('outcome="completed"')).toBe(1);
    expect(
      await figure('ostiary_flow_steps_total{kind="registration",method="password",outcome="completed"}'),
    ).toBe(1);
  });

  test("counts checks that are answered from memory, and what it keeps", async () => {
    const { sessionToken: token } = await register(app);
    await untilHeard(app);
    const requests = (result: string) =>
      figure(`ostiary_cache_requests_total{cache="sessions",result="${result}"}`);
    const before = { hits: (await requests("hit")) ?? 0, misses: (await requests("miss")) ?? 0 };
    for (let count = 0; count < 3; count++) await app.client(SessionService).checkSession({ token });
    const [hits, misses] = [(await requests("hit")) ?? 0, (await requests("miss")) ?? 0];
    expect(misses).toBeGreaterThan(before.misses);
    expect(hits + misses).toBe(before.hits + before.misses + 3);
    expect(await figure('ostiary_cache_entries{cache="sessions"}')).toBeGreaterThan(0);
    expect(await figure('ostiary_cache_size_bytes{cache="sessions"}')).toBeGreaterThan(1_000);
  });

  test("counts calls by the names of OpenTelemetry, over all protocols, and what it does not know as _OTHER", async () => {
    const check = (protocol: "Connect JSON" | "gRPC" | "gRPC-Web") =>
      app
        .client(SessionService, { protocol })
        .checkSession({ token: "ost_ses_none" })
        .catch(() => {});
    for (const protocol of ["Connect JSON", "gRPC", "gRPC-Web"] as const) await check(protocol);
    const method = 'rpc_method="ostiary.session.v1.SessionService/CheckSession"';
    const count = (system: string, status: string) =>
      figure(
        `rpc_server_call_duration_seconds_count{rpc_system_name="${system}",${method},rpc_status_code="${status}"}`,
      );
    expect(await count("connectrpc", "unauthenticated")).toBe(1);
    expect(await count("grpc", "UNAUTHENTICATED")).toBe(2);
    expect(await figure('ostiary_refusals_total{reason="SESSION_TOKEN_MALFORMED"}')).toBe(3);

    for (let index = 0; index < 3; index++) {
      await fetch(`${app.localUrl}/made.up.Service${index}/Method`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: "{}",
      });
    }
    const other =
      'rpc_system_name="connectrpc",rpc_method="_OTHER",rpc_status_code="unimplemented",error_type="unimplemented"';
    expect(await figure(`rpc_server_call_duration_seconds_count{${other}}`)).toBe(3);
    expect(await scrape()).not.toContain("made.up");
  });

  test("names which limit refused", async () => {
    const strict = await startTestApp({ defaultThrottle: true });
    try {
      const login = strict.client(LoginService);
      const { flow } = await login.createLoginFlow({ client: ClientKind.NATIVE });
      const identifier = freshEmail();
      for (let guess = 0; guess < 30; guess++) {
        const step = { case: "password", value: { password: `guess ${guess}` } } as const;
        await login.submitLoginFlow({ flowId: flow?.id ?? "", identifier, step }).catch(() => {});
      }
      const page = await (await fetch(`${strict.adminUrl}/metrics`)).text();
      expect(page).toMatch(/^ostiary_refusals_total\{reason="RATE_LIMITED",scope="\w+"\} [1-9]/m);
      expect(page).toMatch(
        /^ostiary_flow_steps_total\{kind="login",method="password",outcome="refused",reason="RATE_LIMITED"\} [1-9]/m,
      );
    } finally {
      await strict.stop();
    }
  });

  test("shows the connections, the queues and the jobs", async () => {
    const pool = (state: string) =>
      figure(
        `db_client_connections{db_client_connection_pool_name="calls",db_client_connection_state="${state}"}`,
      );
    expect(((await pool("idle")) ?? 0) + ((await pool("used")) ?? 0)).toBeGreaterThan(0);
    expect(await figure('db_client_connection_max{db_client_connection_pool_name="calls"}')).toBe(10);
    expect(
      await figure('db_client_connection_pending_requests{db_client_connection_pool_name="calls"}'),
    ).toBe(0);
    expect(await figure('ostiary_hash_waiting_limit{lane="sign_in"}')).toBe(100);
    expect(await figure("ostiary_database_up")).toBe(1);

    expect(await figure('ostiary_job_last_success_timestamp_seconds{job_name="delete_due_accounts"}')).toBe(
      0,
    );
    await announceJob(app.databaseUrl, "delete_due_accounts");
    await vi.waitFor(
      async () =>
        expect(
          await figure('ostiary_job_runs_total{job_name="delete_due_accounts",outcome="succeeded"}'),
        ).toBe(1),
      { timeout: 20_000 },
    );
    expect(await figure('ostiary_job_last_success_timestamp_seconds{job_name="delete_due_accounts"}')).toBe(
      app.clock.now().getTime() / 1000,
    );
  });

  test("shows nothing else to whoever looks second", async () => {
    const moving = /^(process_|nodejs_|v8js_|db_client_|ostiary_connections|ostiary_event_feed_age)/;
    const stable = (page: string) =>
      page
        .split("\n")
        .filter((line) => !moving.test(line))
        .join("\n");
    const [first, second] = [await scrape(), await scrape()];
    expect(stable(second)).toBe(stable(first));
    // What goes on by itself only grows, so a scraper misses nothing that another one saw.
    const late = (page: string) => Number(/^nodejs_eventloop_delay_seconds_count (\d+)$/m.exec(page)?.[1]);
    await vi.waitFor(async () => expect(late(await scrape())).toBeGreaterThan(late(second)), {
      timeout: 10_000,
    });
  });

  test("has every metric of the catalogue, and no other", async () => {
    const named = [...(await scrape()).matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name);
    expect(named).toEqual(catalogue.map(prometheusNameOf));
  });

  test("has a figure of every metric, once what they count has happened", async () => {
    // A message is sent, a token issued, a job runs, a report of mail is refused, and a request that is no call.
    const tokens = { audiences: ["https://api.example.com"] };
    const other = await startTestApp({ config: { tenant_defaults: { session: { tokens } } } });
    try {
      const { sessionToken: bearer } = await register(other);
      await other.client(SessionService, { bearer }).issueToken({});
      await fetch(other.adminUrl, { method: "PUT" });
      const headers = { authorization: `Bearer ${other.apiKey}`, "content-type": "message/rfc822" };
      await fetch(`${other.adminUrl}/courier/reports/mail`, { method: "POST", headers, body: "no report" });
      await announceJob(other.databaseUrl, "remove_expired");
      const silent = async () => {
        const page = await (await fetch(`${other.adminUrl}/metrics`)).text();
        const names = catalogue.map(prometheusNameOf);
        return names.filter((name) => !new RegExp(`^${name}(_count)?[{ ]`, "m").test(page));
      };
      // The database has refused nothing: test/storage/database-problems.test.ts.
      await vi.waitFor(async () => expect(await silent()).toEqual(["ostiary_database_errors_total"]), {
        timeout: 30_000,
      });
    } finally {
      await other.stop();
    }
  });

  test.skipIf(!promtool)("is as promtool wants it", async () => {
    const page = await scrape();
    // Control: this is what it refused before.
    const former = '# HELP a_b B.\n# TYPE a_b gauge\na_b{quantile="0.5"} 1\n';
    expect((await runProgram("promtool", ["check", "metrics"], { input: former })).failed).toBe(true);
    const { stdout, stderr, failed } = await runProgram("promtool", ["check", "metrics"], { input: page });
    expect([stdout, stderr, failed]).toEqual(["", "", false]);
  });
});

describe("the queue of messages", () => {
  test("is counted, with the age of the oldest and what was given up", async () => {
    const clock = app.clock;
    await administer(app.databaseUrl, async (query) => {
      const at = (ageSeconds: number) => new Date(clock.now().getTime() - ageSeconds * 1000);
      const insert = (state: string, attempts: number, ageSeconds: number) =>
        query(
          `INSERT INTO ostiary.message (tenant_id, id, created_at, updated_at, channel, template, language, recipient,
             sealed_data, state, attempts, next_attempt_at, expires_at, ended_at)
           SELECT tenant_id, gen_random_uuid(), $1::timestamptz, $1::timestamptz, 'email', 'login_code', 'en', 'ada@example.com', 'x', $2::text, $3, $4::timestamptz, $4::timestamptz,
             CASE WHEN $2::text = 'failed' THEN $1::timestamptz END FROM ostiary.tenant`,
          [at(ageSeconds), state, attempts, new Date(clock.now().getTime() + 86_400_000)],
        );
      await insert("queued", 0, 60);
      await insert("queued", 2, 600);
      await insert("failed", 3, 6_000);
    });
    const second = await startTestApp({ databaseUrl: app.databaseUrl, clock });
    try {
      const page = async () => (await fetch(`${second.adminUrl}/metrics`)).text();
      await vi.waitFor(
        async () => expect(await page()).toContain('ostiary_courier_messages{state="retrying"} 1'),
        { timeout: 20_000 },
      );
      expect(await page()).toContain('\nostiary_courier_messages{state="failed"} 1\n');
      expect(await page()).toMatch(/^ostiary_courier_oldest_message_age_seconds 600(\.\d+)?$/m);
    } finally {
      await second.stop();
    }
  });
});

describe("the log", () => {
  test("names who submits settings, as it names who begins them", async () => {
    const { email } = await register(app);
    const bearer = await sessionTokenOf(app, email);
    const settings = app.client(SettingsService, { bearer });
    const { flow } = await settings.createSettingsFlow({ client: ClientKind.NATIVE });
    await settings.submitSettingsFlow({
      flowId: flow?.id ?? "",
      step: { case: "password", value: { password: `${goodPassword} anew` } },
    });
    const lines = app.log
      .filter(({ message }) => message === "call")
      .map(({ fields }) => fields as { method: string; caller: string; callerId?: string })
      .filter(({ method }) => method.includes("SettingsService"));
    expect(lines.map(({ method }) => method.split("/")[1])).toEqual([
      "CreateSettingsFlow",
      "SubmitSettingsFlow",
    ]);
    expect(lines.map(({ caller }) => caller)).toEqual(["session", "session"]);
    expect(lines[1]?.callerId).toBe(lines[0]?.callerId);
  });
});
