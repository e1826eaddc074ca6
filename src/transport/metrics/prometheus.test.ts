import { describe, expect, test } from "vitest";
import { catalogue, eventLoopDelay, jobRuns, processStart, rpcServerCallDuration } from "./catalogue.ts";
import { Metrics } from "./metrics.ts";
import { prometheusNameOf, renderPrometheus } from "./prometheus.ts";

const page = (metrics: Metrics) => renderPrometheus(metrics.read());

describe("the page", () => {
  test("has cumulative buckets with the bounds as labels", () => {
    const metrics = new Metrics();
    for (const seconds of [0.004, 0.005, 0.3, 60]) metrics.record(eventLoopDelay, {}, seconds);
    const lines = page(metrics)
      .split("\n")
      .filter((line) => line.startsWith("nodejs_eventloop_delay"));
    expect(lines).toEqual([
      ...[
        '0.005"} 2',
        '0.01"} 2',
        '0.025"} 2',
        '0.05"} 2',
        '0.1"} 2',
        '0.25"} 2',
        '0.5"} 3',
        '1"} 3',
        '2.5"} 3',
      ].map((rest) => `nodejs_eventloop_delay_seconds_bucket{le="${rest}`),
      'nodejs_eventloop_delay_seconds_bucket{le="+Inf"} 4',
      "nodejs_eventloop_delay_seconds_sum 60.309",
      "nodejs_eventloop_delay_seconds_count 4",
    ]);
  });

  test("escapes what a label may hold, and leaves out a label without a value", () => {
    const metrics = new Metrics();
    metrics.count(jobRuns, { job_name: 'a"b\\c\nd', outcome: undefined });
    expect(page(metrics)).toContain('\nostiary_job_runs_total{job_name="a\\"b\\\\c\\nd"} 1\n');
  });

  test("has no figure that is not known, and those of several readers of one metric", () => {
    const metrics = new Metrics();
    let known: number | undefined;
    metrics.watch(processStart, () => known);
    expect(page(metrics)).not.toMatch(/^process_start_time_seconds /m);
    known = 7;
    expect(page(metrics)).toMatch(/^process_start_time_seconds 7$/m);
  });

  test("names what a call failed of only where the server failed", () => {
    const metrics = new Metrics();
    metrics.observeCall("a.S/M", "grpc", "UNAVAILABLE", 0.1);
    metrics.observeCall("a.S/M", "grpc", "NOT_FOUND", 0.1);
    metrics.observeCall("a.S/M", "connectrpc", "", 0.1);
    const counts = page(metrics)
      .split("\n")
      .filter((line) => line.startsWith(`${prometheusNameOf(rpcServerCallDuration)}_count`));
    expect(counts).toEqual([
      'rpc_server_call_duration_seconds_count{rpc_system_name="grpc",rpc_method="a.S/M",rpc_status_code="UNAVAILABLE",error_type="UNAVAILABLE"} 1',
      'rpc_server_call_duration_seconds_count{rpc_system_name="grpc",rpc_method="a.S/M",rpc_status_code="NOT_FOUND"} 1',
      'rpc_server_call_duration_seconds_count{rpc_system_name="connectrpc",rpc_method="a.S/M"} 1',
    ]);
  });
});

test("names are each there once, of letters that Prometheus takes", () => {
  const names = catalogue.map(prometheusNameOf);
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => !/^[a-z][a-z0-9_]*$/.test(name))).toEqual([]);
});
