// Prints the figures of the README's claims: `make bench`. Ratios hold on any machine, absolute figures do not.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { minimumArgon2Parameters } from "../src/crypto/calibrate-argon2.ts";
import { computeArgon2id } from "../src/crypto/password-formats/argon2.ts";
import { startEmbeddedPostgres } from "../src/storage/embedded-postgres.ts";
import { openStorage } from "../src/storage/storage.ts";
import { connect, logIn, password, register } from "./journey.ts";
import { type LoadResult, runLoad } from "./load.ts";
import { countRoundTrips } from "./round-trips.ts";
import { type MeasuredServer, startMeasured } from "./server-process.ts";

const email = "bench@example.com";
const seconds = Number(process.env.BENCH_SECONDS ?? 5);
const directory = mkdtempSync(join(tmpdir(), "ostiary-bench-"));
const serveArguments = ["serve", "--data-directory", directory, "--public-port", "0", "--admin-port", "0"];

try {
  const first = await startMeasured("bin/ostiary", serveArguments);
  console.log(`ready, with a new data directory        ${first.readyMs.toFixed(0)} ms`);
  await first.stop();
  const roundTrips = [...(await countRoundTrips(directory))].map(([method, count]) => `${method} ${count}`);
  const server = await startMeasured("bin/ostiary", serveArguments);
  console.log(`ready, with an existing data directory  ${server.readyMs.toFixed(0)} ms (budget 1500)`);
  console.log(`resident memory after start             ${server.residentMb().toFixed(0)} MB (budget 150)`);
  console.log(`round trips to the database             ${roundTrips.join(", ")}`);
  try {
    await reportChecks(server);
    await reportLogins(server);
    console.log(`resident memory after the load          ${server.residentMb().toFixed(0)} MB`);
  } finally {
    await server.stop();
  }
  await reportThrottle(directory);
} finally {
  rmSync(directory, { recursive: true });
}

async function reportChecks(server: MeasuredServer): Promise<void> {
  const token = await register(connect(server.publicUrl), email);
  const url = `${server.publicUrl}/ostiary.session.v1.SessionService/CheckSession`;
  const floor = await startMeasured(process.execPath, ["bench/floor.ts"]);
  try {
    for (const connections of [1, 64]) {
      const body = () => JSON.stringify({ token });
      const [own, ownCpu] = await measured(server, { url, body, connections, seconds });
      const [bare, bareCpu] = await measured(floor, { url: floor.publicUrl, body, connections, seconds });
      console.log(
        `session check, ${connections} connections: ${line(own, ownCpu)}; floor ${line(bare, bareCpu)}; ` +
          `${(bareCpu / ownCpu).toFixed(1)} times the floor's CPU`,
      );
    }
  } finally {
    await floor.stop();
  }
}

async function reportLogins(server: MeasuredServer): Promise<void> {
  const before = process.cpuUsage();
  const count = 40;
  const salt = randomBytes(16);
  for (let index = 0; index < count; index++) {
    computeArgon2id(Buffer.from(password), minimumArgon2Parameters, salt);
  }
  const used = process.cpuUsage(before);
  const perHash = (used.user + used.system) / 1e6 / count;

  const ostiary = connect(server.publicUrl);
  const cpu = server.cpuSeconds();
  const logins = 60;
  for (let index = 0; index < logins; index++) await logIn(ostiary, email);
  const perLogin = (server.cpuSeconds() - cpu) / logins;
  console.log(
    `password login (two calls): ${(1 / perLogin).toFixed(0)} per CPU-s; the hash alone ${(1 / perHash).toFixed(0)}; ` +
      `${(perLogin / perHash).toFixed(2)} times the hash's CPU`,
  );
}

/** What counting one login costs, on the embedded database: its address, its flow, and the account's two limits. */
async function reportThrottle(dataDirectory: string): Promise<void> {
  const ignore = () => {};
  const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
  const postgres = await startEmbeddedPostgres({ dataDirectory, logger });
  const times = { statementTimeoutMs: 10_000, acquireTimeoutMs: 5_000 };
  const storage = await openStorage({ url: postgres.url, poolSize: 2, ...times, logger });
  try {
    const scope = { tenantId: await storage.ensureTenant("default", new Date()) };
    const attempt = (key: Buffer, stage: 1 | 2 | 3 | 4, count: number) => ({
      ...{ key, stage, costUs: 60_000_000, periodUs: 60_000_000 * count },
      ...{ own: undefined, unlessOwn: stage > 1 },
    });
    const [address, flow] = [randomBytes(16), randomBytes(16)];
    const durations: number[] = [];
    for (let index = 0; index < 2000; index++) {
      const attempts = [
        ...[attempt(address, 1, 1_000_000), attempt(flow, 1, 1_000_000)],
        ...[attempt(randomBytes(16), 2, 10), attempt(randomBytes(16), 3, 100)],
        attempt(randomBytes(16), 4, 100),
      ];
      const begun = performance.now();
      const atUs = Date.now() * 1000;
      const nobody = { identityId: undefined, devices: [], session: undefined, idleSince: undefined };
      await storage.throttle.take(scope, { atUs, attempts, ...nobody });
      durations.push(performance.now() - begun);
    }
    durations.sort((left, right) => left - right);
    const at = (share: number) => (durations[Math.floor(durations.length * share)] ?? 0).toFixed(2);
    console.log(`counting a login: p50 ${at(0.5)} ms (budget 1), p99 ${at(0.99)} ms`);
  } finally {
    await storage.close();
    await postgres.stop();
  }
}

async function measured(
  server: MeasuredServer,
  load: Parameters<typeof runLoad>[0],
): Promise<[LoadResult, number]> {
  await runLoad({ ...load, seconds: 1 });
  const before = server.cpuSeconds();
  const result = await runLoad(load);
  return [result, result.calls / (server.cpuSeconds() - before)];
}

function line(result: LoadResult, perCpuSecond: number): string {
  const { callsPerSecond, p50Ms, p99Ms, failed } = result;
  const failures = failed === 0 ? "" : `, ${failed} FAILED`;
  return `${callsPerSecond.toFixed(0)}/s, ${perCpuSecond.toFixed(0)} per CPU-s, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms${failures}`;
}
