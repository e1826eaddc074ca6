import { describe, expect, test } from "vitest";
import { readTelemetryVariables } from "./variables.ts";

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" };

describe("traces are made", () => {
  test.each<[string, Record<string, string>, string | undefined]>([
    ["not without a variable", {}, undefined],
    ["for an endpoint", endpoint, "otlp"],
    [
      "for an endpoint of traces alone",
      { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://c.example/v1/traces" },
      "otlp",
    ],
    ["for an exporter, at its default endpoint", { OTEL_TRACES_EXPORTER: "otlp" }, "otlp"],
    ["for the console", { OTEL_TRACES_EXPORTER: "console" }, "console"],
    ["not for none, with an endpoint of metrics", { ...endpoint, OTEL_TRACES_EXPORTER: "none" }, undefined],
    ["not where the SDK is disabled", { ...endpoint, OTEL_SDK_DISABLED: "TRUE" }, undefined],
    ["not for empty variables", { OTEL_EXPORTER_OTLP_ENDPOINT: "", OTEL_TRACES_EXPORTER: "" }, undefined],
  ])("%s", (_, environment, exporter) => {
    expect(readTelemetryVariables(environment)?.traces?.exporter).toBe(exporter);
  });

  test("of a share of the calls, and wherever the caller asks for it", () => {
    const environment = {
      ...endpoint,
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.1",
    };
    expect(readTelemetryVariables(environment)?.traces).toMatchObject({
      sampler: { kind: "ratio", ratio: 0.1 },
      followsParent: true,
    });
  });
});

describe("metrics and logs are sent", () => {
  test.each<[string, Record<string, string>, string | undefined, string | undefined]>([
    ["not without a variable", {}, undefined, undefined],
    ["both for an endpoint", endpoint, "otlp", "otlp"],
    [
      "one for an endpoint of its own",
      { OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: "http://c/v1/logs" },
      undefined,
      "otlp",
    ],
    [
      "not for none",
      { ...endpoint, OTEL_METRICS_EXPORTER: "none", OTEL_LOGS_EXPORTER: "none" },
      undefined,
      undefined,
    ],
    [
      "not for prometheus, which is there anyway",
      { ...endpoint, OTEL_METRICS_EXPORTER: "prometheus" },
      undefined,
      "otlp",
    ],
    ["not where the SDK is disabled", { ...endpoint, OTEL_SDK_DISABLED: "true" }, undefined, undefined],
  ])("%s", (_, environment, metrics, logs) => {
    const choice = readTelemetryVariables(environment);
    expect(choice?.metrics?.exporter).toBe(metrics);
    expect(choice?.logs).toBe(logs);
  });

  test("metrics at the interval that was asked for", () => {
    const environment = { ...endpoint, OTEL_METRIC_EXPORT_INTERVAL: "5000" };
    expect(readTelemetryVariables(environment)?.metrics).toEqual({
      exporter: "otlp",
      intervalMs: 5_000,
      timeoutMs: 5_000,
    });
  });
});

describe("a value that would send traces nowhere is refused in one line", () => {
  test.each([
    ["OTEL_TRACES_EXPORTER", "jaeger", "use otlp, console or none"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "not a url", "must be a URL"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "must be a URL"],
    ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "grpc://collector", "must be a URL"],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "use http/protobuf"],
    ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "use http/protobuf"],
    ["OTEL_TRACES_SAMPLER", "sometimes", "use always_on"],
    ["OTEL_METRICS_EXPORTER", "statsd", "use otlp, console or none"],
    ["OTEL_LOGS_EXPORTER", "syslog", "use otlp, console or none"],
    ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "collector:4318", "must be a URL"],
    ["OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "grpc", "use http/protobuf"],
    ["OTEL_METRIC_EXPORT_INTERVAL", "1m", "number of milliseconds"],
    ["OTEL_METRIC_EXPORT_TIMEOUT", "-5", "number of milliseconds"],
  ])("%s=%s", (variable, value, message) => {
    const read = () => readTelemetryVariables({ ...endpoint, [variable]: value });
    expect(read).toThrow(new RegExp(`^${variable}: [^\\n]*${message}`));
  });

  test.each(["lots", "1.5", "-1"])("OTEL_TRACES_SAMPLER_ARG=%s", (value) => {
    const environment = { ...endpoint, OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: value };
    expect(() => readTelemetryVariables(environment)).toThrow(/^OTEL_TRACES_SAMPLER_ARG: .* from 0 to 1$/);
  });

  test("security rule (SR-SECRET-1): an endpoint's password is not repeated", () => {
    const read = () => readTelemetryVariables({ OTEL_EXPORTER_OTLP_ENDPOINT: "ftp://u:hunter2@collector" });
    expect(read).toThrow(/^(?!.*hunter2)/);
  });
});
