import { Code, type ConnectError } from "@connectrpc/connect";
import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
} from "@opentelemetry/api";
import type { Exchange } from "./http/exchange.ts";
import type { Inbound } from "./rpc/inbound.ts";
import { codeName } from "./rpc/request-log.ts";

/** Makes one span a call. */
export interface CallTracer {
  /** Starts the span of a call; its parent is in the request's `traceparent`, if it has one. */
  start(method: string, protocol: string, inbound: Inbound): CallSpan;
}

/** The span of a call. */
export interface CallSpan {
  end(error: ConnectError | undefined): void;
}

/** Tracing, switched on. */
export interface Tracing {
  readonly tracer: CallTracer;
  /** Sends what is left. */
  shutdown(): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Switches tracing on if the standard variables ask for it: `OTEL_TRACES_EXPORTER` (`otlp` or `console`) or an
 * OTLP endpoint; undefined otherwise, or with `OTEL_SDK_DISABLED=true`. Endpoint, headers, compression and time-out
 * of the exporter, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_TRACES_SAMPLER` are the standard ones as
 * well. The SDK is loaded only here, so that who does not trace pays neither memory nor time for it.
 */
export async function startTracing(environment: Environment, version: string): Promise<Tracing | undefined> {
  const exporterName = exporterOf(environment);
  if (exporterName === undefined) return undefined;
  const [sdk, resources, { W3CTraceContextPropagator }] = await Promise.all([
    import("@opentelemetry/sdk-trace"),
    import("@opentelemetry/resources"),
    import("@opentelemetry/core"),
  ]);
  const exporter =
    exporterName === "console"
      ? new sdk.ConsoleSpanExporter()
      : new (await import("@opentelemetry/exporter-trace-otlp-proto")).OTLPTraceExporter();

  const own = resources.resourceFromAttributes({ "service.name": "ostiary", "service.version": version });
  const configured = resources.detectResources({
    detectors: [resources.resourceAttributesEnvDetector, resources.serviceNameEnvDetector],
  });
  const provider = new sdk.TracerProvider({
    resource: resources.defaultResource().merge(own).merge(configured),
    sampler: samplerOf(environment, sdk),
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter })],
  });
  const propagator = new W3CTraceContextPropagator();
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

/** Makes spans as the semantic conventions of RPC ask for. They hold no header, body or identity. */
export function createCallTracer(tracer: Tracer, parentOf: (exchange: Exchange) => Context): CallTracer {
  return {
    start(method, protocol, { exchange, address, requestId }) {
      const slash = method.lastIndexOf("/");
      const attributes = {
        "rpc.system": protocol === "connect" ? "connect_rpc" : "grpc",
        "rpc.service": method.slice(0, slash),
        "rpc.method": method.slice(slash + 1),
        "network.protocol.version": exchange.httpVersion === 1 ? "1.1" : "2",
        "client.address": address,
        "ostiary.request_id": requestId,
      };
      const span = tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, parentOf(exchange));
      return { end: (error) => endSpan(span, protocol, error) };
    },
  };
}

// What the server itself failed at; the rest are answers (semantic conventions for gRPC, server spans).
const serverErrors: readonly Code[] = [
  Code.Unknown,
  Code.DeadlineExceeded,
  Code.Unimplemented,
  Code.Internal,
  Code.Unavailable,
  Code.DataLoss,
];

function endSpan(span: Span, protocol: string, error: ConnectError | undefined): void {
  if (protocol !== "connect") span.setAttribute("rpc.grpc.status_code", error?.code ?? 0);
  else if (error !== undefined) span.setAttribute("rpc.connect_rpc.error_code", codeName(error));
  if (error !== undefined && serverErrors.includes(error.code))
    span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

function exporterOf(environment: Environment): "otlp" | "console" | undefined {
  if (environment.OTEL_SDK_DISABLED?.toLowerCase() === "true") return undefined;
  const name = environment.OTEL_TRACES_EXPORTER || undefined;
  if (name === "console" || name === "otlp") return name;
  if (name !== undefined && name !== "none") {
    throw new Error(`OTEL_TRACES_EXPORTER: "${name}" is not known; use otlp, console or none.`);
  }
  const endpoint = environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || environment.OTEL_EXPORTER_OTLP_ENDPOINT;
  return name === undefined && endpoint ? "otlp" : undefined;
}

function samplerOf(environment: Environment, sdk: typeof import("@opentelemetry/sdk-trace")) {
  const name = environment.OTEL_TRACES_SAMPLER || "parentbased_always_on";
  const root = rootSamplerOf(name.replace(/^parentbased_/, ""), environment, sdk);
  return name.startsWith("parentbased_") ? new sdk.ParentBasedSampler({ root }) : root;
}

function rootSamplerOf(
  name: string,
  environment: Environment,
  sdk: typeof import("@opentelemetry/sdk-trace"),
) {
  switch (name) {
    case "always_on":
      return new sdk.AlwaysOnSampler();
    case "always_off":
      return new sdk.AlwaysOffSampler();
    case "traceidratio":
      return new sdk.TraceIdRatioBasedSampler(Number(environment.OTEL_TRACES_SAMPLER_ARG || "1"));
    default:
      throw new Error(`OTEL_TRACES_SAMPLER: "${name}" is not known.`);
  }
}
