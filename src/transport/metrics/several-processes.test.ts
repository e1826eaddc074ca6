import { describe, expect, test } from "vitest";
import * as metric from "./catalogue.ts";
import { Metrics } from "./metrics.ts";
import { renderPrometheus } from "./prometheus.ts";
import { packFigures, ServerFigures, unpackFigures } from "./several-processes.ts";

/** A process that has answered some checks, by a clock of its own. */
function processWith(checks: number, lastRunAt: number, isUp = 1) {
  const metrics = new Metrics();
  for (let index = 0; index < checks; index++) metrics.observeCall("a.Service/Check", "grpc", "OK", 0.002);
  metrics.count(metric.refusals, { reason: "RATE_LIMITED", scope: undefined }, checks);
  metrics.watch(metric.connectionsOpen, () => 5);
  metrics.watch(metric.databaseUp, () => isUp);
  metrics.watch(metric.courierMessages, () => [{ labels: { state: "queued" }, value: 7 }]);
  metrics.watch(metric.jobLastSuccess, () => [{ labels: { job_name: "clean" }, value: lastRunAt }]);
  // As it comes out of a channel.
  return JSON.parse(JSON.stringify(packFigures(metrics.read())));
}

function figureIn(figures: ReturnType<ServerFigures["together"]>, series: string): number | undefined {
  const line = renderPrometheus(unpackFigures(figures))
    .split("\n")
    .find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

const calls =
  'rpc_server_call_duration_seconds_count{rpc_system_name="grpc",rpc_method="a.Service/Check",rpc_status_code="OK"}';

describe("the figures of several processes", () => {
  test("are added up, but for what all of them see", () => {
    const together = new ServerFigures().together([processWith(3, 100), processWith(4, 200, 0)]);
    expect(figureIn(together, calls)).toBe(7);
    expect(figureIn(together, 'ostiary_refusals_total{reason="RATE_LIMITED"}')).toBe(7);
    expect(figureIn(together, "ostiary_connections")).toBe(10);
    expect(figureIn(together, "ostiary_database_up")).toBe(0);
    expect(figureIn(together, 'ostiary_courier_messages{state="queued"}')).toBe(7);
    expect(figureIn(together, 'ostiary_job_last_success_timestamp_seconds{job_name="clean"}')).toBe(200);
  });

  test("keep what an ended one has counted, and forget what it had open", () => {
    const server = new ServerFigures();
    server.keep(processWith(3, 300));
    server.keep(processWith(2, 100));
    const together = server.together([processWith(4, 200)]);
    expect(figureIn(together, calls)).toBe(9);
    expect(figureIn(together, "ostiary_connections")).toBe(5);
    expect(figureIn(together, 'ostiary_job_last_success_timestamp_seconds{job_name="clean"}')).toBe(300);
  });

  test("leave out what this release does not know", () => {
    const odd = [{ name: "made.up", samples: [{ labels: {}, value: 1 }] }];
    const together = new ServerFigures().together([odd, processWith(1, 0)]);
    expect(renderPrometheus(unpackFigures(together))).not.toContain("made_up");
    expect(figureIn(together, calls)).toBe(1);
  });
});
