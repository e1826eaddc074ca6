// Load by the generators of the field: wrk for HTTP/1.1, h2load for HTTP/2. They take little of a machine that has few cores, and so leave it
// to what is measured.
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Calls to send for a while, one after the other on each connection. */
export interface FieldLoad {
  readonly url: string;
  readonly contentType: string;
  /** They take turns. */
  readonly bodies: readonly Uint8Array[];
  readonly connections: number;
  readonly seconds: number;
  /** What an answer has, as HTTP: of an error of Connect it is not 200. Default 200. */
  readonly status?: number;
}

/** What came of it. */
export interface FieldResult {
  readonly calls: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

/** Whether a generator is there. */
export function isThere(program: "wrk" | "h2load"): boolean {
  try {
    execFileSync("which", [program]);
    return true;
  } catch {
    return false;
  }
}

/** Over HTTP/1.1. Throws if an answer has another status. */
export async function loadHttp1(load: FieldLoad): Promise<FieldResult> {
  return within(async (folder) => {
    const bodies = join(folder, "bodies");
    const script = join(folder, "calls.lua");
    writeFileSync(bodies, load.bodies.map((body) => Buffer.from(body).toString("hex")).join("\n"));
    writeFileSync(script, wrkScript(bodies, load));
    const { stdout } = await run("wrk", [
      ...["-t1", `-c${load.connections}`, `-d${load.seconds}s`, "--timeout", "10s"],
      ...["-s", script, load.url],
    ]);
    const line = /^result (.*)$/m.exec(stdout)?.[1];
    if (line === undefined) throw new Error(`wrk said: ${stdout}`);
    const result = JSON.parse(line) as FieldResult & { readonly wrong: number };
    if (result.wrong > 0) throw new Error(`${result.wrong} of ${result.calls} calls failed: ${stdout}`);
    return result;
  });
}

/** Over HTTP/2 without TLS, on one connection for each of `connections`. The first body alone. Throws if a call fails. */
export async function loadHttp2(load: FieldLoad): Promise<FieldResult> {
  return within(async (folder) => {
    const [data, log] = [join(folder, "body"), join(folder, "log")];
    writeFileSync(data, load.bodies[0] ?? "");
    const { stdout } = await run("h2load", [
      ...["-t1", `-c${load.connections}`, "-m1", "-D", String(load.seconds), `--data=${data}`],
      ...["-H", `content-type: ${load.contentType}`, "-H", "te: trailers", `--log-file=${log}`, load.url],
    ]);
    const entries = readFileSync(log, "utf8").trim().split("\n");
    const all = entries.map((entry) => entry.split("\t").map(Number));
    const wrong = all.filter(([, status]) => status !== 200).length;
    if (wrong > 0) throw new Error(`${wrong} calls failed: ${stdout}`);
    const durations = Float64Array.from(all.map(([, , micros = 0]) => micros / 1000)).toSorted();
    const at = (share: number) => durations[Math.floor(durations.length * share)] ?? Number.NaN;
    return {
      calls: durations.length,
      perSecond: durations.length / load.seconds,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      p999Ms: at(0.999),
    };
  });
}

async function within<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "ostiary-load-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function wrkScript(bodies: string, { url, contentType, status = 200 }: FieldLoad): string {
  return `
    local calls, turn = {}, 0
    local threads = {}
    function setup(thread) table.insert(threads, thread) end
    function init()
      wrong = 0
      for line in io.lines("${bodies}") do
        local body = line:gsub("..", function(pair) return string.char(tonumber(pair, 16)) end)
        table.insert(calls, wrk.format("POST", "${new URL(url).pathname}", { ["Content-Type"] = "${contentType}" }, body))
      end
    end
    function request()
      turn = turn % #calls + 1
      return calls[turn]
    end
    function response(status) if status ~= ${status} then wrong = wrong + 1 end end
    function done(summary, latency)
      local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
      for _, thread in ipairs(threads) do failed = failed + thread:get("wrong") end
      print(string.format('result {"calls":%d,"perSecond":%f,"p50Ms":%f,"p99Ms":%f,"p999Ms":%f,"wrong":%d}',
        summary.requests, summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000,
        latency:percentile(99) / 1000, latency:percentile(99.9) / 1000, failed))
    end`;
}
