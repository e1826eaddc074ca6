import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Database } from "../../src/storage/database.ts";
import { findLateJobs, watchJobs } from "../../src/storage/job-watch.ts";
import { jobNames } from "../../src/storage/jobs.ts";
import { openStorage } from "../../src/storage/storage.ts";
import { type LogLine, memoryLogger } from "../support/app.ts";
import { createServerDatabase, defaultTestOptions, type TestDatabase } from "../support/database.ts";
import { announceJob } from "../support/jobs.ts";
import { administer } from "../support/postgres.ts";
import { noon } from "../support/records.ts";

const names = [...jobNames];
const patience = { timeout: 20_000, interval: 20 };
let owned: TestDatabase;
let database: Database;
const send = (statement: string) => administer(owned.url, (query) => query(statement));

beforeAll(async () => {
  owned = await createServerDatabase();
  database = new Database({ ...defaultTestOptions, url: owned.url });
  const storage = await openStorage({ ...defaultTestOptions, url: owned.url });
  const done = new Set<string>();
  const jobs = storage.startJobs({
    ...{ retentionMs: 0, messageRetentionMs: 0, clock: { now: () => noon } },
    onRun: ({ job, outcome }) => outcome === "succeeded" && done.add(job),
  });
  await announceJob(owned.url, "remove_expired");
  await vi.waitUntil(() => done.has("remove_expired"), patience);
  await jobs.stop();
  await storage.close();
});
afterAll(async () => {
  await database.close();
  await owned.drop();
});

/** As the worker leaves it where nothing went wrong. */
async function reset(): Promise<void> {
  await send(
    "UPDATE graphile_worker._private_known_crontabs SET last_execution = now(), known_since = now() - interval '1 day'",
  );
  await send("SELECT graphile_worker.complete_jobs(ARRAY(SELECT id FROM graphile_worker.jobs))");
}

async function addJob(name: string, age: string): Promise<void> {
  await send(`SELECT FROM graphile_worker.add_job('${name}', job_key := '${name}')`);
  await send(
    `UPDATE graphile_worker._private_jobs SET created_at = now() - interval '${age}' WHERE key = '${name}'`,
  );
}

test("jobs that are done and planned are not late, and neither is one that waits a little", async () => {
  await reset();
  await addJob("remove_expired", "14 minutes");
  expect(await findLateJobs(database, names)).toEqual([]);
});

test("a job that waits for a quarter of an hour is late, though it is planned again and again", async () => {
  await reset();
  await addJob("remove_expired", "16 minutes");
  await send("SELECT FROM graphile_worker.add_job('remove_expired', job_key := 'remove_expired')");
  const late = await findLateJobs(database, names);
  expect(late).toEqual([{ name: "remove_expired", seconds: expect.any(Number) }]);
  expect(late[0]?.seconds).toBeGreaterThanOrEqual(16 * 60);
});

test("a job that nobody plans any more is late, also where it never was planned", async () => {
  await reset();
  await send(`UPDATE graphile_worker._private_known_crontabs SET known_since = now() - interval '1 hour',
    last_execution = CASE WHEN identifier = 'remove_expired' THEN now() - interval '20 minutes' END`);
  expect((await findLateJobs(database, names)).map(({ name }) => name)).toEqual([
    "delete_due_accounts",
    "forget_deleted",
    "make_event_months",
    "remove_expired",
  ]);
});

/** @see operations 3.4: the clean-up had stopped for good, and not a line said so. */
test("the log names a late job at once, then every quarter of an hour, and says when it is done", async () => {
  await reset();
  await addJob("remove_expired", "16 minutes");
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const log: LogLine[] = [];
  const looks = vi.spyOn(database, "query");
  const stop = watchJobs({ database, logger: memoryLogger(log), names });
  const minutes = async (count: number) => {
    for (let minute = 0; minute < count; minute++) {
      vi.advanceTimersByTime(60_000);
      await looks.mock.results.at(-1)?.value;
    }
  };
  try {
    await minutes(15);
    await vi.waitUntil(() => log.length > 0, patience);
    expect(log).toHaveLength(1);
    await minutes(1);
    await vi.waitUntil(() => log.length > 1, patience);
    const late = {
      level: "warn",
      fields: { job: "remove_expired", seconds: expect.any(Number) },
      message: "a job has not been done for long",
    };
    expect(log).toEqual([late, late]);
    await reset();
    await minutes(2);
    await vi.waitUntil(() => log.length > 2, patience);
    expect(log.slice(2)).toEqual([
      { level: "info", fields: { job: "remove_expired" }, message: "a job that was late is done" },
    ]);
  } finally {
    stop();
    vi.useRealTimers();
    looks.mockRestore();
  }
});
