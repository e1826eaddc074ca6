// What a password login costs beside its hash, and how long session checks take while clients log in without pause:
// `make bench-logins`, or `make bench-logins BASE=../other` with another checkout beside it. All take turns, so that what else the
// machine does meets all; ratios hold on any machine, absolute figures do not.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { password } from "./journey.ts";
import { runLoad } from "./load.ts";
import { type MeasuredServer, startMeasured } from "./server-process.ts";

const base = process.argv[2];
const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
const seconds = Number(process.env.BENCH_SECONDS ?? 4);
const clients = 16;
const email = "login@example.com";
const parameters = { memoryKib: 19_456, iterations: 2, parallelism: 1 };
const directory = mkdtempSync(join(tmpdir(), "ostiary-bench-"));

interface Side {
  readonly name: string;
  readonly server: MeasuredServer;
  readonly token: string;
  readonly logIn: () => Promise<unknown>;
  /** Computes one hash as the server does, without a server. */
  readonly hash: () => unknown;
  readonly loginMs: number[];
  readonly hashMs: number[];
  readonly quietP99Ms: number[];
  readonly busyP99Ms: number[];
  readonly loginsPerSecond: number[];
}

const sides: Side[] = [];
try {
  for (const tree of base === undefined ? ["."] : [base, "."]) sides.push(await start(tree));
  for (const side of sides) await costOfLogins(side, 20);
  for (let round = 0; round < rounds; round++) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      side.hashMs.push(await costOfHashes(side, 40));
      side.loginMs.push(await costOfLogins(side, 40));
      side.quietP99Ms.push(await checkP99(side));
      await besideLogins(side, async () => side.busyP99Ms.push(await checkP99(side)));
    }
  }
  for (const side of sides) report(side);
} finally {
  for (const { server } of sides) await server.stop();
  rmSync(directory, { recursive: true });
}

async function start(tree: string): Promise<Side> {
  const { connect, register, logIn } = await import(resolve(tree, "bench/journey.ts"));
  const { computeArgon2id } = await import(resolve(tree, "src/crypto/password-formats/argon2.ts"));
  const server = await startMeasured(resolve(tree, "bin/ostiary"), [
    ...["serve", "--config", writeConfig(), "--data-directory", join(directory, String(sides.length))],
    ...["--public-port", "0", "--admin-port", "0"],
  ]);
  const own = connect(server.publicUrl);
  // Two accounts: an account keeps so many sessions, and the logins would end the one that is checked.
  const token: string = await register(own, "check@example.com");
  await register(own, email);
  const salt = randomBytes(16);
  return {
    name: tree === "." ? "here" : "BASE",
    ...{ server, token },
    logIn: () => logIn(own, email),
    hash: () => computeArgon2id(Buffer.from(password), parameters, salt),
    ...{ loginMs: [], hashMs: [], quietP99Ms: [], busyP99Ms: [], loginsPerSecond: [] },
  };
}

/** The default hash, and limits that nothing reaches. */
function writeConfig(): string {
  const limits = ["account", "account_daily", "device", "device_daily"];
  limits.push("address", "flow_create", "flow_submit");
  const throttle = Object.fromEntries(limits.map((name) => [name, { count: 1_000_000, period: "24h" }]));
  const file = join(directory, "ostiary.yaml");
  const argon2 = { memory_kib: parameters.memoryKib, iterations: parameters.iterations };
  writeFileSync(file, JSON.stringify({ dev: true, tenant_defaults: { password: { argon2 }, throttle } }));
  return file;
}

/** CPU of the server's own process for one login, in milliseconds. */
async function costOfLogins({ server, logIn }: Side, count: number): Promise<number> {
  const before = server.cpuSeconds();
  for (let index = 0; index < count; index++) await logIn();
  return ((server.cpuSeconds() - before) / count) * 1000;
}

async function costOfHashes({ hash }: Side, count: number): Promise<number> {
  const before = process.cpuUsage();
  for (let index = 0; index < count; index++) await hash();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / count;
}

/** The p99 of session checks that come at a steady pace. */
async function checkP99({ server, token }: Side): Promise<number> {
  const { p99Ms, failed } = await runLoad({
    url: `${server.publicUrl}/ostiary.session.v1.SessionService/CheckSession`,
    body: () => JSON.stringify({ token }),
    ...{ connections: 4, pauseMs: 5, seconds },
  });
  if (failed > 0) throw new Error(`${failed} session checks failed`);
  return p99Ms;
}

async function besideLogins(side: Side, work: () => Promise<unknown>): Promise<void> {
  const child = spawn(
    process.execPath,
    ["bench/login-clients.ts", side.server.publicUrl, email, String(clients)],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const exited = once(child, "exit");
  const begun = performance.now();
  await new Promise((wake) => setTimeout(wake, 1000));
  await work();
  const lasted = (performance.now() - begun) / 1000;
  child.kill("SIGTERM");
  let output = "";
  for await (const part of child.stdout) output += String(part);
  await exited;
  const { logins, refused }: { logins: number; refused: number } = JSON.parse(output);
  if (refused > 0) throw new Error(`${refused} of ${logins} logins were refused`);
  side.loginsPerSecond.push(logins / lasted);
}

function report(side: Side): void {
  const { name, server, loginMs, hashMs, quietP99Ms, busyP99Ms, loginsPerSecond } = side;
  const [login, hash] = [median(loginMs), median(hashMs)];
  console.log(`${name}
  password login                          ${login.toFixed(2)} ms of CPU; its hash alone ${hash.toFixed(2)} ms; ${(login / hash).toFixed(2)} times
  session check, p99                      ${median(quietP99Ms).toFixed(2)} ms; while ${clients} clients log in ${median(busyP99Ms).toFixed(2)} ms; ${median(busyP99Ms.map((busy, index) => busy / (quietP99Ms[index] ?? Number.NaN))).toFixed(2)} times, round by round
  logins meanwhile                        ${median(loginsPerSecond).toFixed(0)} a second
  resident memory after it                ${server.residentMb().toFixed(0)} MB
  threads by nice value                   ${niceValues(server.pid)}`);
}

/** How many threads of a process run at which nice value (proc(5), field 19 of stat). */
function niceValues(pid: number): string {
  const counts = new Map<string, number>();
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    const nice = readFileSync(`/proc/${pid}/task/${id}/stat`, "utf8").split(") ")[1]?.split(" ")[16] ?? "?";
    counts.set(nice, (counts.get(nice) ?? 0) + 1);
  }
  return Array.from(counts, ([nice, count]) => `${count} at ${nice}`).join(", ");
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >> 1] ?? Number.NaN;
}
