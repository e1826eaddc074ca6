// What the session feed costs and how fast it is: `node bench/session-feed.ts`. First a verifier of the SDK, with a thousand kept answers:
// CPU of this process for each check. Then a thousand watchers, each over a connection of its own, and 300 changes a second that calls
// of the admin API make: every watcher must be told of each change, in the same order.
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect as connectTo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { fromBinary } from "@bufbuild/protobuf";
import { WatchSessionsResponseSchema } from "../gen/ostiary/session/v1/session_feed_service_pb.js";
import { createOstiaryAdmin } from "../sdk/typescript/src/index.ts";
import { createSessionVerifier, requireSession } from "../sdk/typescript/src/server.ts";
import { connect, register } from "./journey.ts";
import { startMeasured } from "./server-process.ts";

const watchers = Number(process.env.BENCH_WATCHERS ?? 1_000);
const changesPerSecond = 300;
const seconds = Number(process.env.BENCH_SECONDS ?? 10);
const keptAnswers = 1_000;

/** What a watcher was told: of which identity each change was, and when. */
interface Told {
  readonly identityIds: readonly string[];
  readonly at: readonly number[];
}

if (isMainThread) await measure();
else await watchAll(workerData as { readonly publicUrl: string; readonly apiKey: string });

async function measure(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "ostiary-bench-"));
  Object.assign(process.env, {
    OSTIARY_DEV: "true",
    OSTIARY_TENANT_DEFAULTS_THROTTLE_ENABLED: "false",
    OSTIARY_TENANT_DEFAULTS_PASSWORD_ARGON2_MEMORY_KIB: "64",
    OSTIARY_TENANT_DEFAULTS_PASSWORD_ARGON2_ITERATIONS: "1",
    OSTIARY_SERVER_BUDGETS_STREAMS: String(2 * watchers),
    OSTIARY_SERVER_BUDGETS_CONNECTIONS_PER_CLIENT_IP: String(2 * watchers),
  });
  const server = await startMeasured("bin/ostiary", [
    ...[
      "serve",
      "--data-directory",
      directory,
      "--public-port",
      "0",
      "--admin-port",
      "0",
      "--log-level",
      "warn",
    ],
  ]);
  try {
    const apiKey = readFileSync(join(directory, "admin-api-key"), "utf8").trim();
    await measureVerifier(server.publicUrl, apiKey);
    await measureWatchers(server, apiKey);
  } finally {
    await server.stop();
    rmSync(directory, { recursive: true });
  }
}

async function measureVerifier(publicUrl: string, apiKey: string): Promise<void> {
  const verifier = createSessionVerifier({ baseUrl: publicUrl, apiKey, maxStaleness: "60s" });
  const guard = requireSession({ ostiary: verifier, view: "session" });
  const clients = connect(publicUrl);
  const tokens: string[] = [];
  while (tokens.length < keptAnswers)
    tokens.push(await register(clients, `kept${tokens.length}@example.com`));
  const check = (token: string) => verifier.sessions.checkSession({ token });
  const requests = tokens.map(
    (token) => new Request("https://app.example/", { headers: { authorization: `Bearer ${token}` } }),
  );
  // Nothing is kept so shortly after the verifier has begun.
  while (verifier.size < keptAnswers) {
    for (const token of tokens) await check(token);
    await delay(100);
  }
  await costOf(tokens, check);
  console.log(
    `verifier, hit                 ${(await costOf(tokens, check)).toFixed(2)} µs of CPU (goal: 5)`,
  );
  console.log(
    `the same in a guard           ${(await costOf(requests, (each) => guard.check(each))).toFixed(2)} µs`,
  );
  await verifier.close();
}

/** Microseconds of CPU for each. */
async function costOf<T>(items: readonly T[], check: (item: T) => Promise<unknown>): Promise<number> {
  const rounds = 200;
  const before = process.cpuUsage();
  for (let round = 0; round < rounds; round++) for (const item of items) await check(item);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (rounds * items.length);
}

async function measureWatchers(
  server: Awaited<ReturnType<typeof startMeasured>>,
  apiKey: string,
): Promise<void> {
  const admin = createOstiaryAdmin({ baseUrl: server.adminUrl, apiKey });
  const identityIds: string[] = [];
  while (identityIds.length < 300) {
    const { identity } = await admin.identities.createIdentity({
      traits: { email: `changed${identityIds.length}@example.com` },
    });
    identityIds.push(identity?.id ?? "");
  }
  console.log(`memory without watchers       ${server.residentMb().toFixed(0)} MB`);
  const worker = new Worker(import.meta.filename, { workerData: { publicUrl: server.publicUrl, apiKey } });
  await once(worker, "message");
  console.log(`memory with ${watchers} watchers    ${server.residentMb().toFixed(0)} MB`);
  const idleBefore = server.cpuSeconds();
  await delay(2_000);
  console.log(
    `CPU of heartbeats alone       ${((server.cpuSeconds() - idleBefore) * 50).toFixed(0)} % of a core`,
  );

  /** When the changes of each identity were acknowledged, in their order. */
  const acknowledged = new Map(identityIds.map((id) => [id, [] as number[]]));
  const cpuBefore = server.cpuSeconds();
  const begun = performance.now();
  let sent = 0;
  const caller = async () => {
    while (sent < changesPerSecond * seconds) {
      const number = sent++;
      const waitMs = begun + (number * 1000) / changesPerSecond - performance.now();
      if (waitMs > 0) await delay(waitMs);
      const identityId = identityIds[number % identityIds.length] ?? "";
      await admin.identities.updateIdentity({ identityId, externalId: `${identityId} ${number}` });
      acknowledged.get(identityId)?.push(nowMs());
    }
  };
  // Fewer than there are identities, so that two changes of one are never under way together.
  await Promise.all(Array.from({ length: 100 }, caller));
  const took = (performance.now() - begun) / 1000;
  const cpu = server.cpuSeconds() - cpuBefore;
  await delay(1_000);
  const memory = server.residentMb();
  worker.postMessage("report");
  const [told] = (await once(worker, "message")) as [readonly Told[]];
  await worker.terminate();

  const [first] = told;
  const whole = told.filter(({ identityIds: ids }) => ids.length === sent).length;
  const inOrder = told.filter(({ identityIds: ids }) =>
    ids.every((id, index) => id === first?.identityIds[index]),
  );
  const latest = told.map(({ identityIds: ids, at }) => {
    const counts = new Map<string, number>();
    return ids.map((id, index) => {
      const count = counts.get(id) ?? 0;
      counts.set(id, count + 1);
      return (at[index] ?? 0) - (acknowledged.get(id)?.[count] ?? 0);
    });
  });
  const all = latest.flat().sort((one, other) => one - other);
  const at = (share: number) => (all[Math.floor((all.length - 1) * share)] ?? 0).toFixed(1);
  console.log(
    `changes                       ${sent} in ${took.toFixed(1)} s: ${(sent / took).toFixed(0)} a second`,
  );
  console.log(`watchers told of all          ${whole} of ${watchers}, in the same order ${inOrder.length}`);
  console.log(
    `after the acknowledgement     p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, slowest ${at(1)} ms (goal: 250)`,
  );
  console.log(
    `CPU of the server             ${((cpu / took) * 100).toFixed(0)} % of a core, the changes included`,
  );
  console.log(`memory of the server          ${memory.toFixed(0)} MB (goal: 300)`);
}

/** A clock that both threads have. */
function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Watches over as many connections as asked for, with as little work as possible: a message that is the same is decoded once. */
async function watchAll({
  publicUrl,
  apiKey,
}: {
  readonly publicUrl: string;
  readonly apiKey: string;
}): Promise<void> {
  const { port } = new URL(publicUrl);
  const told: { identityIds: string[]; at: number[] }[] = [];
  const decoded = new Map<string, readonly string[]>();
  const idsIn = (message: Buffer): readonly string[] => {
    const key = message.toString("latin1");
    let ids = decoded.get(key);
    if (ids === undefined) {
      const { event } = fromBinary(WatchSessionsResponseSchema, message);
      ids = event.case === "changes" ? event.value.changes.map(({ identityId }) => identityId) : [];
      if (decoded.size > 200) decoded.clear();
      decoded.set(key, ids);
    }
    return ids;
  };
  const open = async () => {
    const mine = { identityIds: [] as string[], at: [] as number[] };
    told.push(mine);
    const socket = connectTo(Number(port), "127.0.0.1");
    await once(socket, "connect");
    let rest: Buffer = Buffer.alloc(0);
    let isHead = true;
    let body: Buffer = Buffer.alloc(0);
    const opened = new Promise<void>((resolve, reject) => {
      socket.on("close", () => reject(new Error("a stream has ended")));
      socket.on("data", (chunk) => {
        rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
        if (isHead) {
          const end = rest.indexOf("\r\n\r\n");
          if (end < 0) return;
          isHead = false;
          rest = rest.subarray(end + 4);
        }
        for (;;) {
          const line = rest.indexOf("\r\n");
          const size = line < 0 ? 0 : Number.parseInt(rest.toString("latin1", 0, line), 16);
          if (line < 0 || rest.length < line + size + 4) break;
          const data = rest.subarray(line + 2, line + 2 + size);
          body = body.length === 0 ? data : Buffer.concat([body, data]);
          rest = rest.subarray(line + size + 4);
        }
        const now = nowMs();
        while (body.length >= 5 && body.length >= 5 + body.readUInt32BE(1)) {
          const length = body.readUInt32BE(1);
          for (const id of idsIn(body.subarray(5, 5 + length))) {
            mine.identityIds.push(id);
            mine.at.push(now);
          }
          body = body.subarray(5 + length);
          resolve();
        }
      });
    });
    opened.catch(() => {});
    socket.write(
      `POST /ostiary.session.v1.SessionFeedService/WatchSessions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${apiKey}\r\n` +
        "content-type: application/connect+proto\r\ncontent-length: 5\r\n\r\n",
    );
    socket.write(Buffer.alloc(5));
    await opened;
  };
  while (told.length < watchers)
    await Promise.all(Array.from({ length: Math.min(50, watchers - told.length) }, open));
  parentPort?.postMessage("open");
  parentPort?.once("message", () => parentPort?.postMessage(told));
}
