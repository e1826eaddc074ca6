/**
 * The standard OpenTelemetry variables, as far as this server decides on them. The exporter reads its own (headers,
 * compression, time-out, certificates) and warns of a wrong one in the log; what would send traces nowhere without
 * a word is refused here.
 */

/** The variables of the process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where spans go. */
export type ExporterName = "otlp" | "console";

/** What decides which traces are recorded, where the caller has not decided. */
export type RootSampler =
  | { readonly kind: "always_on" }
  | { readonly kind: "always_off" }
  | { readonly kind: "ratio"; readonly ratio: number };

/** What the variables ask for. */
export interface TracingChoice {
  readonly exporter: ExporterName;
  readonly sampler: RootSampler;
  /** Whether a caller's decision in `traceparent` is followed. */
  readonly followsParent: boolean;
}

/** How metrics are sent. */
export interface MetricsChoice {
  readonly exporter: ExporterName;
  /** `OTEL_METRIC_EXPORT_INTERVAL`; default a minute. */
  readonly intervalMs: number;
  /** `OTEL_METRIC_EXPORT_TIMEOUT`; default half a minute, at most the interval. */
  readonly timeoutMs: number;
}

/** What is sent; undefined where it is not. */
export interface TelemetryChoice {
  readonly traces: TracingChoice | undefined;
  readonly metrics: MetricsChoice | undefined;
  readonly logs: ExporterName | undefined;
}

/**
 * What the variables ask for; undefined if they ask for nothing. Throws an Error of one line that begins with the variable's
 * name for a value that cannot be followed.
 */
export function readTelemetryVariables(environment: Environment): TelemetryChoice | undefined {
  if (environment.OTEL_SDK_DISABLED?.toLowerCase() === "true") return undefined;
  const traces = exporterOf(environment, "TRACES");
  const metrics = exporterOf(environment, "METRICS");
  const logs = exporterOf(environment, "LOGS");
  if (traces === undefined && metrics === undefined && logs === undefined) return undefined;
  return {
    traces: traces && { exporter: traces, ...samplerOf(environment) },
    metrics: metrics && { exporter: metrics, ...intervalsOf(environment) },
    logs,
  };
}

/** A kind of telemetry, as variables spell it. */
type Signal = "TRACES" | "METRICS" | "LOGS";

function exporterOf(environment: Environment, signal: Signal): ExporterName | undefined {
  const variable = `OTEL_${signal}_EXPORTER`;
  const name = environment[variable] || undefined;
  if (name === "console" || name === "none") return name === "none" ? undefined : name;
  // /metrics is there in any case.
  if (name === "prometheus" && signal === "METRICS") return undefined;
  if (name !== undefined && name !== "otlp") {
    throw new Error(`${variable}: "${name}" is not known; use otlp, console or none`);
  }
  const endpoints = [`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`, "OTEL_EXPORTER_OTLP_ENDPOINT"];
  if (name === undefined && !endpoints.some((each) => Boolean(environment[each]))) return undefined;
  checkExport(environment, signal, endpoints);
  return "otlp";
}

function checkExport(environment: Environment, signal: Signal, endpoints: readonly string[]): void {
  for (const variable of endpoints) {
    const text = environment[variable];
    // The value stays out of the message: an endpoint can hold a password.
    if (text && !isWebUrl(text)) throw new Error(`${variable}: must be a URL such as http://127.0.0.1:4318`);
  }
  // The one of the signal wins over the general one.
  const protocols = [`OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`, "OTEL_EXPORTER_OTLP_PROTOCOL"];
  const variable = protocols.find((name) => Boolean(environment[name]));
  if (variable !== undefined && environment[variable] !== "http/protobuf") {
    throw new Error(`${variable}: "${environment[variable]}" is not supported; use http/protobuf`);
  }
}

function intervalsOf(environment: Environment): Pick<MetricsChoice, "intervalMs" | "timeoutMs"> {
  const intervalMs = millisecondsOf(environment, "OTEL_METRIC_EXPORT_INTERVAL", 60_000);
  const timeoutMs = millisecondsOf(environment, "OTEL_METRIC_EXPORT_TIMEOUT", 30_000);
  return { intervalMs, timeoutMs: Math.min(intervalMs, timeoutMs) };
}

function millisecondsOf(environment: Environment, variable: string, usual: number): number {
  const text = environment[variable];
  if (!text) return usual;
  if (/^[1-9]\d{1,8}$/.test(text)) return Number(text);
  throw new Error(`${variable}: "${text}" is not a number of milliseconds, 10 or more`);
}

function isWebUrl(text: string): boolean {
  return /^https?:\/\/[^/]/i.test(text) && URL.canParse(text);
}

function samplerOf(environment: Environment): Pick<TracingChoice, "sampler" | "followsParent"> {
  const name = environment.OTEL_TRACES_SAMPLER || "parentbased_always_on";
  const followsParent = name.startsWith("parentbased_");
  switch (name.replace(/^parentbased_/, "")) {
    case "always_on":
      return { sampler: { kind: "always_on" }, followsParent };
    case "always_off":
      return { sampler: { kind: "always_off" }, followsParent };
    case "traceidratio":
      return { sampler: { kind: "ratio", ratio: ratioOf(environment) }, followsParent };
    default:
      throw new Error(
        `OTEL_TRACES_SAMPLER: "${name}" is not known; use always_on, always_off or traceidratio, or one of them after parentbased_`,
      );
  }
}

function ratioOf(environment: Environment): number {
  const text = environment.OTEL_TRACES_SAMPLER_ARG || "1";
  const ratio = Number(text);
  if (ratio >= 0 && ratio <= 1) return ratio;
  throw new Error(`OTEL_TRACES_SAMPLER_ARG: "${text}" is not a number from 0 to 1`);
}
