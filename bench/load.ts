import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

/** One kind of call to repeat. */
export interface Load {
  readonly url: string;
  readonly body: () => string;
  readonly connections: number;
  readonly seconds: number;
  /** How long each connection rests after a call, in milliseconds. Default: it does not. */
  readonly pauseMs?: number;
}

/** What a load gave. */
export interface LoadResult {
  readonly calls: number;
  readonly failed: number;
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Posts JSON over keep-alive connections to loopback for a bounded time. */
export async function runLoad(load: Load): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: load.connections });
  const started = performance.now();
  const end = started + load.seconds * 1000;
  const durations: number[] = [];
  let failed = 0;
  const worker = async () => {
    while (performance.now() < end) {
      const begun = performance.now();
      const status = await post(agent, load.url, load.body());
      durations.push(performance.now() - begun);
      if (status !== 200) failed++;
      if (load.pauseMs !== undefined) await delay(load.pauseMs);
    }
  };
  await Promise.all(Array.from({ length: load.connections }, worker));
  agent.destroy();
  durations.sort((left, right) => left - right);
  const seconds = (performance.now() - started) / 1000;
  return {
    calls: durations.length,
    failed,
    callsPerSecond: durations.length / seconds,
    p50Ms: durations[Math.floor(durations.length * 0.5)] ?? 0,
    p99Ms: durations[Math.floor(durations.length * 0.99)] ?? 0,
  };
}

function post(agent: Agent, url: string, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const call = request(url, { agent, method: "POST", headers }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
    call.on("error", reject);
    call.end(body);
  });
}
