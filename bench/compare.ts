// What a session check and a login cost here and in another checkout: `make bench-compare BASE=../other`. Both servers run side
// by side and take turns, so that what else the machine does meets both. Prints the CPU of the server's own process for each
// call, and how many times that of BASE it is.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { runLoad } from "./load.ts";
import { type MeasuredServer, startMeasured } from "./server-process.ts";

const base = process.argv[2];
if (base === undefined)
  throw new Error("usage: node bench/compare.ts BASE, a checkout with its dependencies");
const rounds = Number(process.env.BENCH_ROUNDS ?? 10);
const directory = mkdtempSync(join(tmpdir(), "ostiary-bench-"));

/** The clients of a checkout's own journey, which speak its own contract. */
interface Journey {
  connect(publicUrl: string): unknown;
  register(clients: unknown, email: string): Promise<string>;
  logIn(clients: unknown, email: string): Promise<unknown>;
}

/** The server of one of the two checkouts. */
interface Side {
  readonly server: MeasuredServer;
  readonly token: string;
  readonly logIn: () => Promise<unknown>;
  readonly checks: number[];
  readonly logins: number[];
}

const sides: Side[] = [];
try {
  for (const tree of [resolve(base), resolve(".")]) sides.push(await start(tree));
  for (const side of sides) {
    await checkCost(side, 4);
    await loginCost(side, 30);
  }
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? sides : sides.toReversed();
    for (const side of order) side.checks.push(await checkCost(side, 4));
    for (const side of order) side.logins.push(await loginCost(side, 100));
  }
  report("session check", ({ checks }) => checks);
  report("login without the cost of the hash", ({ logins }) => logins);
} finally {
  for (const { server } of sides) await server.stop();
  rmSync(directory, { recursive: true });
}

async function start(tree: string): Promise<Side> {
  const email = "login@example.com";
  const { connect, register, logIn }: Journey = await import(join(tree, "bench/journey.ts"));
  const data = join(directory, String(sides.length));
  const server = await startMeasured(join(tree, "bin/ostiary"), [
    ...["serve", "--config", writeConfig(), "--data-directory", data],
    ...["--public-port", "0", "--admin-port", "0"],
  ]);
  const clients = connect(server.publicUrl);
  // Two accounts: an account keeps so many sessions, and the logins would end the one that is checked.
  const token = await register(clients, "check@example.com");
  await register(clients, email);
  return { server, token, logIn: () => logIn(clients, email), checks: [], logins: [] };
}

/** Limits that nothing reaches, and a hash that costs next to nothing: it is the same on both sides and most of a login. */
function writeConfig(): string {
  const limits = [
    "account",
    "account_daily",
    "device",
    "device_daily",
    "address",
    "flow_create",
    "flow_submit",
  ];
  const throttle = Object.fromEntries(limits.map((name) => [name, { count: 1_000_000, period: "24h" }]));
  const password = { argon2: { memory_kib: 64, iterations: 1 } };
  const file = join(directory, "ostiary.yaml");
  writeFileSync(file, JSON.stringify({ dev: true, tenant_defaults: { password, throttle } }));
  return file;
}

async function checkCost({ server, token }: Side, seconds: number): Promise<number> {
  const before = server.cpuSeconds();
  const url = `${server.publicUrl}/ostiary.session.v1.SessionService/CheckSession`;
  const { calls, failed } = await runLoad({
    ...{ url, connections: 8, seconds },
    body: () => JSON.stringify({ token }),
  });
  if (failed > 0) throw new Error(`${failed} of ${calls} session checks failed`);
  return ((server.cpuSeconds() - before) / calls) * 1e6;
}

async function loginCost({ server, logIn }: Side, count: number): Promise<number> {
  const before = server.cpuSeconds();
  for (let index = 0; index < count; index++) await logIn();
  return ((server.cpuSeconds() - before) / count) * 1e6;
}

function report(what: string, costsOf: (side: Side) => readonly number[]): void {
  const [of = [], here = []] = sides.map(costsOf);
  const pairs = here.map((cost, index) => cost / (of[index] ?? Number.NaN));
  const [from, to] = [median(of), median(here)];
  console.log(
    `${what}: ${from.toFixed(0)} µs at BASE, ${to.toFixed(0)} µs here; ` +
      `${(to / from).toFixed(3)} by medians, ${median(pairs).toFixed(3)} pair by pair`,
  );
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >> 1] ?? Number.NaN;
}
