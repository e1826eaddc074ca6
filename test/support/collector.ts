import { createServer } from "node:http";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** A span as it arrived. */
export interface ReceivedSpan {
  readonly name: string;
  /** In hexadecimal, like the parent; the parent is empty at the root. */
  readonly traceId: string;
  readonly parentId: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly resource: Readonly<Record<string, string>>;
}

/** A metric as it arrived. */
export interface ReceivedMetric {
  readonly name: string;
  readonly unit: string;
  readonly kind: "gauge" | "sum" | "histogram";
  /** The attributes of each point. */
  readonly points: readonly Readonly<Record<string, string>>[];
}

/** A line of the log as it arrived. */
export interface ReceivedLog {
  readonly severity: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** An OpenTelemetry collector: it takes OTLP over HTTP with protobuf, and keeps it. */
export interface Collector {
  readonly endpoint: string;
  readonly spans: readonly ReceivedSpan[];
  readonly metrics: readonly ReceivedMetric[];
  readonly logs: readonly ReceivedLog[];
  /** Everything that was sent, as it came. */
  readonly bodies: readonly Buffer[];
  close(): Promise<void>;
}

/** Starts a collector on a free port. It answers 404 to anything but traces, metrics and logs in protobuf. */
export async function startCollector(): Promise<Collector> {
  const spans: ReceivedSpan[] = [];
  const metrics: ReceivedMetric[] = [];
  const logs: ReceivedLog[] = [];
  const takers: Readonly<Record<string, (body: Buffer) => void>> = {
    "/v1/traces": (body) => spans.push(...readSpans(body)),
    "/v1/metrics": (body) => metrics.push(...readMetrics(body)),
    "/v1/logs": (body) => logs.push(...readLogs(body)),
  };
  const bodies: Buffer[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const isProtobuf = request.headers["content-type"] === "application/x-protobuf";
    const take = isProtobuf ? takers[request.url ?? ""] : undefined;
    const body = Buffer.concat(chunks);
    if (take !== undefined) bodies.push(body);
    take?.(body);
    response.writeHead(take === undefined ? 404 : 200).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    spans,
    metrics,
    logs,
    bodies,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

// https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
function readSpans(request: Uint8Array): ReceivedSpan[] {
  return messages(request, 1).flatMap((resourceSpans) => {
    const [resource = new Uint8Array()] = messages(resourceSpans, 1);
    return messages(resourceSpans, 2)
      .flatMap((scopeSpans) => messages(scopeSpans, 2))
      .map((span) => ({
        name: text(span, 5),
        traceId: hex(span, 1),
        parentId: hex(span, 4),
        attributes: attributes(span, 9),
        resource: attributes(resource, 1),
      }));
  });
}

// https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/metrics/v1/metrics.proto
function readMetrics(request: Uint8Array): ReceivedMetric[] {
  const kinds = [
    ["gauge", 5, 7],
    ["sum", 7, 7],
    ["histogram", 9, 9],
  ] as const;
  return messages(request, 1)
    .flatMap((resourceMetrics) => messages(resourceMetrics, 2))
    .flatMap((scopeMetrics) => messages(scopeMetrics, 2))
    .flatMap((metric) =>
      kinds.flatMap(([kind, field, attributesField]) =>
        messages(metric, field).map((data) => ({
          name: text(metric, 1),
          unit: text(metric, 3),
          kind,
          points: messages(data, 1).map((point) => attributes(point, attributesField)),
        })),
      ),
    );
}

// https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/logs/v1/logs.proto
function readLogs(request: Uint8Array): ReceivedLog[] {
  return messages(request, 1)
    .flatMap((resourceLogs) => messages(resourceLogs, 2))
    .flatMap((scopeLogs) => messages(scopeLogs, 2))
    .map((record) => {
      const [body = new Uint8Array()] = messages(record, 5);
      return { severity: text(record, 3), body: text(body, 1), attributes: attributes(record, 6) };
    });
}

/** The values of a field of messages, texts or bytes. */
function messages(message: Uint8Array, number: number): Uint8Array[] {
  const reader = new BinaryReader(message);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === number && wireType === WireType.LengthDelimited) found.push(reader.bytes());
    else reader.skip(wireType, field);
  }
  return found;
}

function text(message: Uint8Array, number: number): string {
  return Buffer.concat(messages(message, number)).toString();
}

function hex(message: Uint8Array, number: number): string {
  return Buffer.concat(messages(message, number)).toString("hex");
}

/** The attributes that are texts. */
function attributes(message: Uint8Array, number: number): Record<string, string> {
  const entries = messages(message, number).map((pair) => {
    const [value = new Uint8Array()] = messages(pair, 2);
    return [text(pair, 1), text(value, 1)];
  });
  return Object.fromEntries(entries);
}
