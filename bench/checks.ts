// What a session check costs, by protocol and by what it finds: `make bench-checks`. Each kind is measured beside its baseline in the same run:
// `bench/floor.ts` (JSON, a digest and a look-up on bare node:http), the least that Node needs for the protocol, and connect-node
// (both of bench/unary-path.ts). All take turns. CPU is that of the server's own process, and apart that of its PostgreSQL.
//
// `--page` writes the table into docs/performance.md, `--json FILE` beside it, `--quick` measures for less than a minute.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { CheckSessionRequestSchema } from "../gen/ostiary/session/v1/session_service_pb.js";
import { createTokens } from "../src/crypto/tokens.ts";
import { type FieldLoad, type FieldResult, isThere, loadHttp1, loadHttp2 } from "./field-load.ts";
import { connect, register } from "./journey.ts";
import { type MeasuredServer, startMeasured } from "./server-process.ts";

const { values: options } = parseArgs({
  options: { quick: { type: "boolean" }, page: { type: "boolean" }, json: { type: "string" } },
});
const rounds = options.quick ? 1 : 5;
const seconds = options.quick ? 2 : 3;
const connections = 16;
const path = "/ostiary.session.v1.SessionService/CheckSession";
const unknownTokens = 20_000;

/** One kind of call to one server. */
interface Subject {
  readonly name: string;
  readonly server: MeasuredServer;
  readonly load: (load: FieldLoad) => Promise<FieldResult>;
  readonly contentType: string;
  readonly bodies: readonly Uint8Array[];
  readonly status?: number;
  readonly path?: string;
}

interface Measured {
  readonly result: FieldResult;
  readonly cpuMicros: number;
  readonly databaseMicros: number;
}

for (const program of ["wrk", "h2load"] as const) {
  if (!isThere(program)) throw new Error(`${program} is needed: apt-get install wrk nghttp2-client`);
}

const directory = mkdtempSync(join(tmpdir(), "ostiary-bench-"));
const servers: MeasuredServer[] = [];
try {
  const subjects = await startAll();
  const measured = new Map<string, Measured[]>(subjects.map(({ name }) => [name, []]));
  for (const subject of subjects) await measure(subject, 1);
  for (let round = 0; round < rounds; round++) {
    for (const subject of subjects) measured.get(subject.name)?.push(await measure(subject, seconds));
  }
  report(measured);
} finally {
  for (const server of servers) await server.stop();
  rmSync(directory, { recursive: true });
}

async function startAll(): Promise<readonly Subject[]> {
  const serve = async (name: string, settings: Record<string, string> = {}) => {
    Object.assign(process.env, settings);
    const server = await started("bin/ostiary", [
      ...["serve", "--data-directory", join(directory, name), "--public-port", "0", "--admin-port", "0"],
      ...["--log-level", "info"],
    ]);
    for (const key of Object.keys(settings)) delete process.env[key];
    const token = await register(connect(server.publicUrl), "check@example.com");
    return { server, token };
  };
  const own = await serve("own");
  const uncached = await serve("uncached", { OSTIARY_SERVER_SESSION_CACHE_MAX_ENTRIES: "0" });
  const bare = (protocol: string, side: string) =>
    started(process.execPath, ["bench/unary-path.ts", protocol, side]);
  const json = (message: object) => Buffer.from(JSON.stringify(message));
  const proto = toBinary(CheckSessionRequestSchema, create(CheckSessionRequestSchema, { token: own.token }));
  const tokens = createTokens();
  const strangers = Array.from({ length: unknownTokens }, () =>
    json({ token: tokens.issue("session", "default").token.reveal() }),
  );
  const byJson = { load: loadHttp1, contentType: "application/json" };
  const byBinary = { load: loadHttp1, contentType: "application/proto", bodies: [proto] };
  const byGrpc = { load: loadHttp2, contentType: "application/grpc+proto", bodies: [enclose(proto)] };
  const byGrpcWeb = { load: loadHttp1, contentType: "application/grpc-web+proto", bodies: [enclose(proto)] };
  const warm = [json({ token: own.token })];
  return [
    {
      name: "floor",
      server: await started(process.execPath, ["bench/floor.ts"]),
      ...byJson,
      bodies: warm,
      path: "/",
    },
    { name: "Connect JSON, minimal", server: await bare("json", "minimal"), ...byJson, bodies: warm },
    {
      name: "Connect JSON, connect-node",
      server: await bare("json", "connect-node"),
      ...byJson,
      bodies: warm,
    },
    { name: "Connect JSON, warm", server: own.server, ...byJson, bodies: warm },
    { name: "Connect binary, minimal", server: await bare("binary", "minimal"), ...byBinary },
    { name: "Connect binary, warm", server: own.server, ...byBinary },
    { name: "gRPC over h2c, minimal", server: await bare("grpc", "minimal"), ...byGrpc },
    { name: "gRPC over h2c, warm", server: own.server, ...byGrpc },
    { name: "gRPC-Web, minimal", server: await bare("grpc-web", "minimal"), ...byGrpcWeb },
    { name: "gRPC-Web, warm", server: own.server, ...byGrpcWeb },
    { name: "cold", server: uncached.server, ...byJson, bodies: [json({ token: uncached.token })] },
    {
      name: "strong",
      server: own.server,
      ...byJson,
      bodies: [
        json({
          token: own.token,
          consistency: "CONSISTENCY_STRONG",
        }),
      ],
    },
    {
      name: "unknown token, the same",
      server: own.server,
      ...byJson,
      bodies: strangers.slice(0, 1),
      status: 401,
    },
    {
      name: `unknown tokens, ${unknownTokens} in turn`,
      server: own.server,
      ...byJson,
      bodies: strangers,
      status: 401,
    },
  ];
}

async function started(file: string, args: readonly string[]): Promise<MeasuredServer> {
  const server = await startMeasured(file, args);
  servers.push(server);
  return server;
}

async function measure(subject: Subject, duration: number): Promise<Measured> {
  const { server, load, contentType, bodies, status } = subject;
  const before = [server.cpuSeconds(), databaseSeconds(server.pid)] as const;
  const result = await load({
    url: server.publicUrl + (subject.path ?? path),
    ...{ contentType, bodies, connections, seconds: duration },
    ...(status !== undefined && { status }),
  });
  const spent = [server.cpuSeconds() - before[0], databaseSeconds(server.pid) - before[1]] as const;
  const [cpuMicros, databaseMicros] = spent.map((of) => (of / result.calls) * 1e6) as [number, number];
  return { result, cpuMicros, databaseMicros };
}

/** CPU seconds of the processes that a server has started: those of its PostgreSQL, and those that they have waited for. */
function databaseSeconds(server: number): number {
  const children = (pid: number): number[] =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  const all = children(server).flatMap((pid) => [pid, ...children(pid)]);
  const ticks = all.map((pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  });
  return ticks.reduce((sum, each) => sum + each, 0) / 100;
}

function enclose(content: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(content.length, 1);
  return Buffer.concat([head, content]);
}

function report(measured: ReadonlyMap<string, readonly Measured[]>): void {
  const medians = [...measured].map(([name, all]) => {
    const median = (of: (each: Measured) => number) =>
      all.map(of).toSorted((left, right) => left - right)[all.length >> 1] ?? Number.NaN;
    return {
      name,
      cpuMicros: median((each) => each.cpuMicros),
      databaseMicros: median((each) => each.databaseMicros),
      perSecond: median(({ result }) => result.perSecond),
      p50Ms: median(({ result }) => result.p50Ms),
      p99Ms: median(({ result }) => result.p99Ms),
      p999Ms: median(({ result }) => result.p999Ms),
    };
  });
  const cpuOf = (name: string) => medians.find((each) => each.name === name)?.cpuMicros ?? Number.NaN;
  const percent = (baseline: string, cpuMicros: number) =>
    `${((100 * cpuOf(baseline)) / cpuMicros).toFixed(0)} %`;
  const rows = medians.map(({ name, cpuMicros, databaseMicros, p50Ms, p99Ms, p999Ms }) => {
    const [protocol = "", kind = ""] = name.split(", ");
    const minimal = kind === "warm" ? percent(`${protocol}, minimal`, cpuMicros) : "";
    return [
      name,
      (1e6 / cpuMicros).toFixed(0),
      `${cpuMicros.toFixed(0)} µs`,
      databaseMicros < 0.5 ? "" : `${databaseMicros.toFixed(0)} µs`,
      percent("floor", cpuMicros),
      minimal,
      `${p50Ms.toFixed(2)} ms`,
      `${p99Ms.toFixed(2)} ms`,
      `${p999Ms.toFixed(2)} ms`,
    ];
  });
  const head = [
    ...["a check", "per CPU second", "CPU", "of PostgreSQL", "of the floor", "of the minimal path"],
    ...["p50", "p99", "p99.9"],
  ];
  const table = [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
  const memory = servers.slice(0, 1).map((server) => `${server.residentMb().toFixed(0)} MB`);
  const told = `${table}\n\nMemory of the server afterwards: ${memory}. ${connections} connections, ${rounds} rounds of ${seconds} s, medians; Node.js ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? "?"}, the generator beside it.`;
  console.log(told);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(medians, undefined, 2)}\n`);
  if (!options.page) return;
  const page = "docs/performance.md";
  const [start, end] = [
    "<!-- generated by bench/checks.ts: checks -->",
    "<!-- end of the generated part -->",
  ];
  const text = readFileSync(page, "utf8");
  const from = text.indexOf(start) + start.length;
  writeFileSync(page, `${text.slice(0, from)}\n\n${told}\n\n${text.slice(text.indexOf(end, from))}`);
}
