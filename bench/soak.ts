// Runs a server under a steady load, kills it again and again, and looks at the end whether anything that was acknowledged is lost and
// whether its memory grows: `node bench/soak.ts [minutes] [seconds between two kills]`. Ends with an error if something is lost.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freshEmail } from "../test/support/accounts.ts";
import { Caller, resultOf, tokenIn } from "../test/support/caller.ts";
import { startMailServer } from "../test/support/mail-server.ts";
import { type ServerProcess, startServerProcess } from "../test/support/server-process.ts";

const minutes = Number(process.argv[2] ?? 8);
const killEverySeconds = Number(process.argv[3] ?? 60);
const loginsPerSecond = 20;
/** One registration for so many logins. */
const loginsPerRegistration = 10;
/** The longest time for which mail may wait after the last kill: the lease of the worker that died, and a few looks at the queue. */
const mailWaitMs = 90_000;

const directory = mkdtempSync(join(tmpdir(), "ostiary-soak-"));
const mail = await startMailServer();
const environment = {
  OSTIARY_DEV: "true",
  OSTIARY_SECRETS_SEALING: "s".repeat(32),
  OSTIARY_TENANT_DEFAULTS_THROTTLE_ENABLED: "false",
  // What is looked for is not in the hash, which would take all of two cores at this rate.
  OSTIARY_TENANT_DEFAULTS_PASSWORD_ARGON2_MEMORY_KIB: "64",
  OSTIARY_TENANT_DEFAULTS_PASSWORD_ARGON2_ITERATIONS: "1",
  OSTIARY_TENANT_DEFAULTS_COURIER_FROM_ADDRESS: "no-reply@example.com",
  OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_SMTP_URL: `smtp://127.0.0.1:${mail.port}`,
};
const serve = () => startServerProcess(["--data-directory", directory], environment);

/** Addresses whose registration was acknowledged. */
const accounts: string[] = [];
/** The session of each acknowledged login that no later login has ended. */
const sessions = new Map<string, string>();
const counts = { logins: 0, registrations: 0, whileDown: 0, refused: 0, kills: 0 };
const refusals = new Map<string, number>();
/** Undefined while it starts again. */
let server: ServerProcess | undefined = await serve();
let restarting = Promise.resolve();

try {
  await run();
  await settle();
  await report();
} finally {
  await server?.end("SIGTERM");
  await mail.close();
  rmSync(directory, { recursive: true });
}

/** The load, with a kill now and then. */
async function run(): Promise<void> {
  const started = performance.now();
  const end = started + minutes * 60_000;
  const underWay = new Set<Promise<void>>();
  let nextKill = started + killEverySeconds * 1000;
  let nextMinute = started + 60_000;
  for (let turn = 0; performance.now() < end; turn++) {
    const call = turn % loginsPerRegistration === 0 ? register() : logIn();
    const counted = call.catch(() => void counts.whileDown++).finally(() => underWay.delete(counted));
    underWay.add(counted);
    const now = performance.now();
    if (now > nextMinute) {
      nextMinute += 60_000;
      const megabytes = server === undefined ? "it starts" : `${residentMb(server)} MB`;
      console.log(`${Math.round((now - started) / 60_000)} min: ${megabytes}, ${JSON.stringify(counts)}`);
    }
    if (now > nextKill && end - now > 15_000) {
      nextKill += killEverySeconds * 1000;
      restarting = restart();
    }
    // By the clock and not by pauses, so that the rate stays when a turn is late.
    await delay(Math.max(0, started + ((turn + 1) * 1000) / loginsPerSecond - performance.now()));
  }
  await Promise.all([...underWay, restarting]);
}

async function restart(): Promise<void> {
  const killed = server;
  server = undefined;
  await killed?.end("SIGKILL");
  counts.kills++;
  server = await serve();
}

async function register(): Promise<void> {
  const email = freshEmail();
  const answer = await callerOf().register(email);
  if (!isDone(answer)) return;
  accounts.push(email);
  counts.registrations++;
}

async function logIn(): Promise<void> {
  const email = accounts[Math.floor(Math.random() * accounts.length)];
  if (email === undefined) return;
  const answer = await callerOf().logIn(email);
  if (!isDone(answer)) return;
  sessions.set(email, tokenIn(answer));
  counts.logins++;
}

function isDone(answer: Parameters<typeof resultOf>[0]): boolean {
  const result = resultOf(answer);
  if (result === "completed") return true;
  counts.refused++;
  refusals.set(result, (refusals.get(result) ?? 0) + 1);
  return false;
}

/** Rejects while there is no server. */
function callerOf(): Caller {
  if (server === undefined) throw new Error("the server is down");
  return new Caller({ publicUrl: server.publicUrl, adminUrl: server.adminUrl });
}

/** Waits for the mail that is still to be sent. */
async function settle(): Promise<void> {
  const until = performance.now() + mailWaitMs;
  while (mailed().size < accounts.length && performance.now() < until) await delay(500);
}

/** To whom mail has come. */
function mailed(): Set<string> {
  return new Set(mail.mails.flatMap(({ to }) => to));
}

async function report(): Promise<void> {
  const arrived = mailed();
  const withoutMail = accounts.filter((email) => !arrived.has(email));
  const lost: string[] = [];
  const ended: string[] = [];
  for (const email of accounts) {
    const caller = callerOf();
    const token = sessions.get(email);
    if (token !== undefined && (await caller.check(token)).status !== 200) ended.push(email);
    if (resultOf(await caller.logIn(email)) !== "completed") lost.push(email);
  }
  const ids = mail.mails.map(({ source }) => /^Message-ID: <(.+)>/im.exec(source)?.[1] ?? "");
  console.log(`acknowledged: ${accounts.length} accounts, ${counts.logins} logins; ${counts.kills} kills`);
  console.log(`lost: ${lost.length} accounts, ${ended.length} sessions, ${withoutMail.length} mails`);
  console.log(`mails: ${ids.length}, of them doubles: ${ids.length - new Set(ids).size}`);
  console.log(`calls while it was down: ${counts.whileDown}; refused: ${JSON.stringify([...refusals])}`);
  if (server !== undefined) console.log(`memory at the end: ${residentMb(server)} MB`);
  if (lost.length + ended.length + withoutMail.length > 0) process.exitCode = 1;
}

function residentMb({ child }: ServerProcess): number {
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  return Math.round((Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024) / 1e6);
}
