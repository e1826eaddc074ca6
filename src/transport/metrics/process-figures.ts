import { performance } from "node:perf_hooks";
import * as metric from "./catalogue.ts";
import type { Metrics } from "./metrics.ts";

const sampleIntervalMs = 100;

/** Adds the figures of the process, which is one of so many workers. Returns what ends the sampling of the event loop. */
export function watchProcessFigures(metrics: Metrics, version: string, workers: number): () => void {
  metrics.watch(metric.workersServing, () => 1);
  metrics.watch(metric.workersWanted, () => workers);
  const build = { version, node: process.versions.node };
  metrics.watch(metric.buildInfo, () => [{ labels: build, value: 1 }]);
  metrics.watch(metric.processCpu, () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  metrics.watch(metric.processMemory, () => process.memoryUsage.rss());
  metrics.watch(metric.processStart, () => performance.timeOrigin / 1000);
  metrics.watch(metric.heapUsed, () => process.memoryUsage().heapUsed);
  metrics.watch(metric.eventLoopTime, () => {
    const { active, idle } = performance.eventLoopUtilization();
    return [
      { labels: { "nodejs.eventloop.state": "active" }, value: active / 1000 },
      { labels: { "nodejs.eventloop.state": "idle" }, value: idle / 1000 },
    ];
  });
  return sampleEventLoop(metrics);
}

/**
 * Measures how late a timer is. Node's own monitor has percentiles since it was last set back, so what one scraper reads would
 * depend on another; buckets that only grow do not.
 */
function sampleEventLoop(metrics: Metrics): () => void {
  let due = performance.now() + sampleIntervalMs;
  const timer = setInterval(() => {
    const now = performance.now();
    metrics.record(metric.eventLoopDelay, {}, Math.max(0, now - due) / 1000);
    due = now + sampleIntervalMs;
  }, sampleIntervalMs);
  timer.unref();
  return () => clearInterval(timer);
}
