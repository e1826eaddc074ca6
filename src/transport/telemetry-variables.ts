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

/**
 * What the variables ask for; undefined if they ask for no traces. Throws an Error of one line that begins with the
 * variable's name for a value that cannot be followed.
 */
export function readTracingVariables(environment: Environment): TracingChoice | undefined {
  if (environment.OTEL_SDK_DISABLED?.toLowerCase() === "true") return undefined;
  const exporter = exporterOf(environment);
  if (exporter === undefined) return undefined;
  if (exporter === "otlp") checkExport(environment);
  return { exporter, ...samplerOf(environment) };
}

function exporterOf(environment: Environment): ExporterName | undefined {
  const name = environment.OTEL_TRACES_EXPORTER || undefined;
  if (name === "console" || name === "otlp") return name;
  if (name !== undefined && name !== "none") {
    throw new Error(`OTEL_TRACES_EXPORTER: "${name}" is not known; use otlp, console or none`);
  }
  const asked = endpointVariables.some((variable) => Boolean(environment[variable]));
  return name === undefined && asked ? "otlp" : undefined;
}

const endpointVariables = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"] as const;
const protocolVariables = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"] as const;

function checkExport(environment: Environment): void {
  for (const variable of endpointVariables) {
    const text = environment[variable];
    // The value stays out of the message: an endpoint can hold a password.
    if (text && !isWebUrl(text)) throw new Error(`${variable}: must be a URL such as http://127.0.0.1:4318`);
  }
  // The one for traces wins over the general one.
  const variable = protocolVariables.find((name) => Boolean(environment[name]));
  if (variable !== undefined && environment[variable] !== "http/protobuf") {
    throw new Error(`${variable}: "${environment[variable]}" is not supported; use http/protobuf`);
  }
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
