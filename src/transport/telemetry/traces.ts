import type { ConnectError } from "@connectrpc/connect";
import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
} from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import { isServerError } from "../metrics/metrics.ts";
import type { Exchange } from "../net/exchange.ts";
import type { Call } from "../rpc/call.ts";
import { statusCodeOf, systemOf } from "../rpc/errors.ts";
import type { TracingChoice } from "./variables.ts";

/** Makes one span a call. */
export interface CallTracer {
  /** Starts the span of a call; its parent is in the request's `traceparent`, if it has one. */
  start(method: string, protocol: string, call: Call): CallSpan;
  /** Makes the span of a call of a method that no listener has. */
  unknown(protocol: string, call: Call, error: ConnectError): void;
}

/** The span of a call. */
export interface CallSpan {
  end(error: ConnectError | undefined): void;
}

/** Switches traces on. */
export async function startTraces(
  choice: TracingChoice,
  { resource, version }: { readonly resource: Resource; readonly version: string },
): Promise<{ readonly tracer: CallTracer; shutdown(): Promise<void> }> {
  const [sdk, core] = await Promise.all([import("@opentelemetry/sdk-trace"), import("@opentelemetry/core")]);
  const exporter =
    choice.exporter === "console"
      ? new sdk.ConsoleSpanExporter()
      : new (await import("@opentelemetry/exporter-trace-otlp-proto")).OTLPTraceExporter();
  const provider = new sdk.TracerProvider({
    resource,
    sampler: samplerOf(choice, sdk),
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter })],
  });
  const propagator = new core.W3CTraceContextPropagator();
  const parentOf = (exchange: Exchange) =>
    propagator.extract(ROOT_CONTEXT, exchange, {
      get: (carrier, key) => carrier.header(key),
      keys: () => ["traceparent", "tracestate"],
    });
  return {
    tracer: createCallTracer(provider.getTracer("ostiary", version), parentOf),
    shutdown: () => provider.shutdown(),
  };
}

function samplerOf(
  { sampler, followsParent }: TracingChoice,
  sdk: typeof import("@opentelemetry/sdk-trace"),
) {
  const root =
    sampler.kind === "ratio"
      ? new sdk.TraceIdRatioBasedSampler(sampler.ratio)
      : sampler.kind === "always_on"
        ? new sdk.AlwaysOnSampler()
        : new sdk.AlwaysOffSampler();
  return followsParent ? new sdk.ParentBasedSampler({ root }) : root;
}

/** How much is kept of the name of a method that is not known, in characters: a client chose it. */
const maxOriginalLength = 128;

/**
 * Makes spans as the semantic conventions of RPC ask for. They hold no header, body or identity.
 *
 * Security rule (SR-SECRET-1): neither do they hold the client's IP address: traces go to more people than the log does, and the
 * request id leads from one to the other (test/process/tracing.test.ts).
 */
function createCallTracer(tracer: Tracer, parentOf: (exchange: Exchange) => Context): CallTracer {
  const begin = (method: string, protocol: string, { exchange, id }: Call) => {
    const attributes = {
      "rpc.system.name": systemOf(protocol),
      "rpc.method": method,
      "network.protocol.name": "http",
      "network.protocol.version": exchange.httpVersion === 1 ? "1.1" : "2",
      "ostiary.request_id": id,
    };
    return tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, parentOf(exchange));
  };
  return {
    start(method, protocol, call) {
      const span = begin(method, protocol, call);
      return { end: (error) => endSpan(span, protocol, error) };
    },
    unknown(protocol, call, error) {
      const span = begin("_OTHER", protocol, call);
      span.setAttribute("rpc.method_original", call.exchange.path.slice(1, 1 + maxOriginalLength));
      endSpan(span, protocol, error);
    },
  };
}

function endSpan(span: Span, protocol: string, error: ConnectError | undefined): void {
  const code = statusCodeOf(protocol, error);
  if (code !== "") span.setAttribute("rpc.status_code", code);
  if (isServerError(code)) {
    span.setAttribute("error.type", code);
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}
