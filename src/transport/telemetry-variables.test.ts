import { describe, expect, test } from "vitest";
import { readTracingVariables } from "./telemetry-variables.ts";

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
    expect(readTracingVariables(environment)?.exporter).toBe(exporter);
  });

  test("of a share of the calls, and wherever the caller asks for it", () => {
    const environment = {
      ...endpoint,
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.1",
    };
    expect(readTracingVariables(environment)).toMatchObject({
      sampler: { kind: "ratio", ratio: 0.1 },
      followsParent: true,
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
  ])("%s=%s", (variable, value, message) => {
    const read = () => readTracingVariables({ ...endpoint, [variable]: value });
    expect(read).toThrow(new RegExp(`^${variable}: [^\\n]*${message}`));
  });

  test.each(["lots", "1.5", "-1"])("OTEL_TRACES_SAMPLER_ARG=%s", (value) => {
    const environment = { ...endpoint, OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: value };
    expect(() => readTracingVariables(environment)).toThrow(/^OTEL_TRACES_SAMPLER_ARG: .* from 0 to 1$/);
  });

  test("security rule (SR-SECRET-1): an endpoint's password is not repeated", () => {
    const read = () => readTracingVariables({ OTEL_EXPORTER_OTLP_ENDPOINT: "ftp://u:hunter2@collector" });
    expect(read).toThrow(/^(?!.*hunter2)/);
  });
});
