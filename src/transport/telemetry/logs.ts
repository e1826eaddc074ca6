import type { LogRecord } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { ExporterName } from "./variables.ts";

/** The lines of the log, as they are written: cleaned of secrets. */
export interface LogLines {
  /** Hands each line to the listener as well, until the returned function is called. */
  listen(listener: (line: string) => void): () => void;
}

/** Severities as OpenTelemetry numbers them. */
const severities: Readonly<Record<string, number>> = { debug: 5, info: 9, warn: 13, error: 17 };

/**
 * Sends the log's lines beside writing them.
 *
 * Security rule (SR-SECRET-1): what is sent is the line that was written, so what is cut out of the log is cut out here.
 */
export async function startLogs(
  exporterName: ExporterName,
  lines: LogLines,
  { resource, version }: { readonly resource: Resource; readonly version: string },
): Promise<{ shutdown(): Promise<void> }> {
  const sdk = await import("@opentelemetry/sdk-logs");
  const exporter =
    exporterName === "console"
      ? new sdk.ConsoleLogRecordExporter()
      : new (await import("@opentelemetry/exporter-logs-otlp-proto")).OTLPLogExporter();
  const provider = new sdk.LoggerProvider({
    resource,
    processors: [new sdk.BatchLogRecordProcessor({ exporter })],
  });
  const logger = provider.getLogger("ostiary", version);
  const stop = lines.listen((line) => {
    const record = recordOf(line);
    if (record !== undefined) logger.emit(record);
  });
  return {
    shutdown: async () => {
      stop();
      await provider.shutdown();
    },
  };
}

/** A line as a record; undefined if it is none, which no line of ours is. */
function recordOf(line: string): LogRecord | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof fields !== "object" || fields === null) return undefined;
  const { level, time, message, ...attributes } = fields as Record<string, unknown>;
  const severityText = typeof level === "string" ? level : "info";
  return {
    timestamp: typeof time === "string" ? new Date(time) : undefined,
    severityText: severityText.toUpperCase(),
    severityNumber: severities[severityText],
    body: typeof message === "string" ? message : "",
    attributes: attributes as LogRecord["attributes"],
  };
}
