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

/** An OpenTelemetry collector: it takes OTLP over HTTP with protobuf, and keeps it. */
export interface Collector {
  readonly endpoint: string;
  readonly spans: readonly ReceivedSpan[];
  /** Everything that was sent, as it came. */
  readonly bodies: readonly Buffer[];
  close(): Promise<void>;
}

/** Starts a collector on a free port. It answers 404 to anything but traces in protobuf. */
export async function startCollector(): Promise<Collector> {
  const spans: ReceivedSpan[] = [];
  const bodies: Buffer[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const isTraces =
      request.url === "/v1/traces" && request.headers["content-type"] === "application/x-protobuf";
    if (isTraces) {
      const body = Buffer.concat(chunks);
      bodies.push(body);
      spans.push(...readSpans(body));
    }
    response.writeHead(isTraces ? 200 : 404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    spans,
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
