import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";

let folder: string;
let server: ServerProcess;
let key: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ostiary-outage-"));
  server = await startServerProcess(["--data-directory", folder]);
  key = (await readFile(join(folder, "admin-api-key"), "utf8")).trim();
});

afterAll(async () => {
  await server.end("SIGTERM");
  await rm(folder, { recursive: true });
});

async function admin(method: string, message: object) {
  const response = await fetch(`${server.adminUrl}/ostiary.identity.v1.IdentityService/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify(message),
  });
  return { status: response.status, text: await response.text() };
}

/** The process id of PostgreSQL's own first process; undefined while there is none. */
async function postmaster(): Promise<number | undefined> {
  const file = await readFile(join(folder, "postgres/postmaster.pid"), "utf8").catch(() => "");
  const [pid, , , , , , , status] = file.split("\n");
  return status?.trim() === "ready" ? Number(pid) : undefined;
}

/** Between two looks: who looks without a pause takes the time that PostgreSQL needs to start. */
const pauseMs = 10;

/** Kills PostgreSQL as a power cut would, and waits until another one is there. */
async function killPostgres(): Promise<void> {
  const killed = await postmaster();
  if (killed === undefined) throw new Error("PostgreSQL is not running");
  process.kill(killed, "SIGKILL");
  for (;;) {
    const pid = await postmaster();
    if (pid !== undefined && pid !== killed) return;
    await delay(pauseMs);
  }
}

/** Asks until the server says that it is ready. */
async function readyAgain(): Promise<void> {
  for (;;) {
    const { status } = await fetch(`${server.publicUrl}/health/ready`);
    if (status === 200) return;
    await delay(pauseMs);
  }
}

test("ten kills of PostgreSQL under load lose no acknowledged write, and the server heals by itself", async () => {
  const acknowledged: string[] = [];
  const refused = new Set<string>();
  let running = true;
  let count = 0;
  const writer = async () => {
    while (running) {
      const email = `write${count++}@example.com`;
      const { status, text } = await admin("CreateIdentity", { traits: { email } });
      if (status === 200) acknowledged.push(email);
      else {
        refused.add(`${status} ${/"reason":"([A-Z_]+)"/.exec(text)?.[1]}`);
        await delay(pauseMs);
      }
    }
  };
  const writers = Array.from({ length: 4 }, writer);
  try {
    for (let kill = 0; kill < 10; kill++) {
      await killPostgres();
      const before = acknowledged.length;
      // Writes go on after each recovery.
      while (acknowledged.length === before) {
        await admin("ListIdentities", { pageSize: 1 });
        await delay(pauseMs);
      }
    }
  } finally {
    running = false;
    await Promise.all(writers);
  }

  expect(acknowledged.length).toBeGreaterThan(10);
  // While the database is away, the answer is UNAVAILABLE and says why; nothing else was answered.
  expect([...refused]).toEqual(["503 DATABASE_UNAVAILABLE"]);
  for (const email of acknowledged) {
    const { status } = await admin("LookUpIdentity", { identifier: email });
    expect([email, status]).toEqual([email, 200]);
  }
}, 120_000);

test("while the database is away, readiness is 503 and calls carry RetryInfo; once it has returned that is over by itself", async () => {
  // The test before may have ended in the middle of a recovery.
  await readyAgain();
  const returned = killPostgres();
  let answer = await admin("ListIdentities", {});
  while (answer.status === 200) answer = await admin("ListIdentities", {});
  expect(answer.status).toBe(503);
  expect(answer.text).toContain("google.rpc.RetryInfo");
  await returned;
  // Within two seconds on an idle machine; how long it takes on a busy one says nothing.
  await readyAgain();
  while ((await admin("ListIdentities", {})).status !== 200) await delay(pauseMs);
}, 60_000);
