import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { DiagLogLevel, diag } from "@opentelemetry/api";
import type { Logger } from "../../domain/ports.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { LogLines } from "./logs.ts";
import type { CallTracer } from "./traces.ts";
import { type Environment, readTelemetryVariables } from "./variables.ts";

/** What is sent to a collector, switched on. */
export interface Telemetry {
  /** Undefined: no traces. */
  readonly tracer: CallTracer | undefined;
  /** Sends what is left, for at most three seconds. Never throws: a missing collector must not spoil a stop. */
  shutdown(): Promise<void>;
}

const shutdownTimeoutMs = 3_000;
/** The pause between two lines that say that nothing can be sent. Each is a record to be sent itself, so there must be one. */
const repeatMs = 60_000;

/**
 * Sends traces, metrics and logs if the standard variables ask for it: `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER` and
 * `OTEL_LOGS_EXPORTER` (`otlp` or `console`), or an OTLP endpoint; undefined otherwise, or with `OTEL_SDK_DISABLED=true`.
 * Endpoint, headers, compression and time-out of the exporters, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` and
 * `OTEL_TRACES_SAMPLER` are the standard ones as well. The SDK is loaded only here, so that who sends nothing pays neither memory
 * nor time for it. Throws an Error of one line for a variable that cannot be followed.
 */
export async function startTelemetry(options: {
  readonly environment: Environment;
  readonly version: string;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Unset: the log cannot be sent. */
  readonly logLines: LogLines | undefined;
}): Promise<Telemetry | undefined> {
  const { environment, version, logger, metrics, logLines } = options;
  const choice = readTelemetryVariables(environment);
  if (choice === undefined) return undefined;
  const [resources, core] = await Promise.all([
    import("@opentelemetry/resources"),
    import("@opentelemetry/core"),
  ]);
  reportTo(logger, core);
  const own = resources.resourceFromAttributes({
    "service.name": "ostiary",
    "service.version": version,
    // Workers send each for itself: figures of two with one name would be taken for one that jumps.
    "service.instance.id": randomUUID(),
  });
  const configured = resources.detectResources({
    detectors: [resources.resourceAttributesEnvDetector, resources.serviceNameEnvDetector],
  });
  const about = { resource: resources.defaultResource().merge(own).merge(configured), version };

  const traces = choice.traces && (await (await import("./traces.ts")).startTraces(choice.traces, about));
  const sentMetrics =
    choice.metrics && (await (await import("./metrics.ts")).startMetrics(choice.metrics, metrics, about));
  const logs =
    choice.logs && logLines && (await (await import("./logs.ts")).startLogs(choice.logs, logLines, about));
  return {
    tracer: traces?.tracer,
    shutdown: async () => {
      const all = Promise.all([traces?.shutdown(), sentMetrics?.shutdown(), logs?.shutdown()]);
      const failure = await Promise.race([
        all.then(
          () => undefined,
          (error: unknown) => error,
        ),
        delay(shutdownTimeoutMs, new Error("the collector does not answer"), { ref: false }),
      ]);
      if (failure !== undefined) {
        logger.warn({ error: textOf(failure) }, "the last telemetry could not be sent");
      }
    },
  };
}

/** Brings what the SDK has to say into our log; by itself it would say nothing at all. The same is said once a minute. */
function reportTo(logger: Logger, core: typeof import("@opentelemetry/core")): void {
  const saidAt = new Map<string, number>();
  const once = (text: string, say: () => void) => {
    const now = performance.now();
    if (now - (saidAt.get(text) ?? Number.NEGATIVE_INFINITY) < repeatMs) return;
    // Texts of one kind may differ in a number.
    if (saidAt.size >= mostTexts) saidAt.clear();
    saidAt.set(text, now);
    say();
  };
  const warn = (message: string) => once(message, () => logger.warn({}, `telemetry: ${message}`));
  const ignore = () => {};
  const reporter = { error: warn, warn, info: ignore, debug: ignore, verbose: ignore };
  diag.setLogger(reporter, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  core.setGlobalErrorHandler((error) => {
    const text = textOf(error);
    once(text, () => logger.warn({ error: text }, "telemetry could not be sent"));
  });
}

const mostTexts = 50;

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
