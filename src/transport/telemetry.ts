import { setTimeout as delay } from "node:timers/promises";
import { Code, type ConnectError } from "@connectrpc/connect";
import {
  type Context,
  DiagLogLevel,
  diag,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
} from "@opentelemetry/api";
import type { Logger } from "../domain/ports.ts";
import type { Exchange } from "./net/exchange.ts";
import type { Call } from "./rpc/call.ts";
import { codeName } from "./rpc/errors.ts";
import { type Environment, readTracingVariables, type TracingChoice } from "./telemetry-variables.ts";

/** Makes one span a call. */
export interface CallTracer {
  /** Starts the span of a call; its parent is in the request's `traceparent`, if it has one. */
  start(method: string, protocol: string, call: Call): CallSpan;
}

/** The span of a call. */
export interface CallSpan {
  end(error: ConnectError | undefined): void;
}

/** Tracing, switched on. */
export interface Tracing {
  readonly tracer: CallTracer;
  /** Sends what is left, for at most three seconds. Never throws: a missing collector must not spoil a stop. */
  shutdown(): Promise<void>;
}

const shutdownTimeoutMs = 3_000;

/**
 * Switches tracing on if the standard variables ask for it: `OTEL_TRACES_EXPORTER` (`otlp` or `console`) or an
 * OTLP endpoint; undefined otherwise, or with `OTEL_SDK_DISABLED=true`. Endpoint, headers, compression and time-out
 * of the exporter, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_TRACES_SAMPLER` are the standard ones as
 * well. The SDK is loaded only here, so that who does not trace pays neither memory nor time for it. Throws an Error
 * of one line for a variable that cannot be followed.
 */
export async function startTracing(options: {
  readonly environment: Environment;
  readonly version: string;
  readonly logger: Logger;
}): Promise<Tracing | undefined> {
  const { environment, version, logger } = options;
  const choice = readTracingVariables(environment);
  if (choice === undefined) return undefined;
  const [sdk, resources, core] = await Promise.all([
    import("@opentelemetry/sdk-trace"),
    import("@opentelemetry/resources"),
    import("@opentelemetry/core"),
  ]);
  reportTo(logger, core);
  const exporter =
    choice.exporter === "console"
      ? new sdk.ConsoleSpanExporter()
      : new (await import("@opentelemetry/exporter-trace-otlp-proto")).OTLPTraceExporter();

  const own = resources.resourceFromAttributes({ "service.name": "ostiary", "service.version": version });
  const configured = resources.detectResources({
    detectors: [resources.resourceAttributesEnvDetector, resources.serviceNameEnvDetector],
  });
  const provider = new sdk.TracerProvider({
    resource: resources.defaultResource().merge(own).merge(configured),
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
    shutdown: async () => {
      const failure = await Promise.race([
        provider.shutdown().catch((error: unknown) => error),
        delay(shutdownTimeoutMs, new Error("the collector does not answer"), { ref: false }),
      ]);
      if (failure !== undefined) logger.warn({ err: failure }, "the last traces could not be sent");
    },
  };
}

/** Brings what the SDK has to say into our log; by itself it would say nothing at all. */
function reportTo(logger: Logger, core: typeof import("@opentelemetry/core")): void {
  const warn = (message: string) => logger.warn({}, `traces: ${message}`);
  const ignore = () => {};
  const reporter = { error: warn, warn, info: ignore, debug: ignore, verbose: ignore };
  diag.setLogger(reporter, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  core.setGlobalErrorHandler((error) => logger.warn({ err: error }, "traces could not be sent"));
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

/** Makes spans as the semantic conventions of RPC ask for. They hold no header, body or identity. */
function createCallTracer(tracer: Tracer, parentOf: (exchange: Exchange) => Context): CallTracer {
  return {
    start(method, protocol, call) {
      const { exchange } = call;
      const slash = method.lastIndexOf("/");
      const attributes = {
        "rpc.system": protocol === "connect" ? "connect_rpc" : "grpc",
        "rpc.service": method.slice(0, slash),
        "rpc.method": method.slice(slash + 1),
        "network.protocol.version": exchange.httpVersion === 1 ? "1.1" : "2",
        "ostiary.request_id": call.id,
      };
      const span = tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, parentOf(exchange));
      return {
        end: (error) => {
          // Set at the end, because a server with a key may have said for whom it calls.
          span.setAttribute("client.address", call.clientIp);
          endSpan(span, protocol, error);
        },
      };
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
