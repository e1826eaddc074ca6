import { randomUUID } from "node:crypto";
import { Code, type ConnectError } from "@connectrpc/connect";
import { domainError } from "../domain/errors.ts";
import type { Logger } from "../domain/ports.ts";
import { isHttps } from "./net/cookies.ts";
import { addCorsHeaders, isPreflight, respondToPreflight } from "./net/cors.ts";
import type { Exchange } from "./net/exchange.ts";
import { type HeaderSize, maxHeaderFields } from "./net/header-size.ts";
import { baseHeaders } from "./net/headers.ts";
import type { Peers } from "./net/peers.ts";
import type { HttpHandler } from "./pages/health.ts";
import type { Metrics } from "./pages/metrics.ts";
import {
  asksForPage,
  clearCookiesPath,
  respondToClearCookies,
  respondTooManyCookies,
} from "./pages/too-many-cookies.ts";
import type { Access } from "./rpc/access.ts";
import { protocolError, toConnectError } from "./rpc/errors.ts";
import { forwardingKeyHeader } from "./rpc/forwarded-client.ts";
import { type Inbound, requestIdOf } from "./rpc/inbound.ts";
import { codeName, type FinishedCall, type RequestLog } from "./rpc/request-log.ts";
import type { ListenerName, Route } from "./rpc/routes.ts";
import type { StreamServer } from "./rpc/stream/streaming.ts";
import { connectPost } from "./rpc/unary/connect-wire.ts";
import { methodNotAllowed, negotiate, type Refusal, wireOf } from "./rpc/unary/negotiate.ts";
import { serveUnary, type UnaryDependencies } from "./rpc/unary/serve.ts";
import type { CallTracer } from "./telemetry.ts";

/** What a listener's requests are answered with. */
interface DispatcherDependencies extends UnaryDependencies {
  readonly name: ListenerName;
  readonly access: Access;
  readonly peers: Peers;
  readonly maxHeaderBytes: number;
  readonly routes: ReadonlyMap<string, Route>;
  /** Plain HTTP paths beside the calls. */
  readonly httpRoutes: ReadonlyMap<string, HttpHandler>;
  readonly streams: StreamServer;
  readonly requestLog: RequestLog;
  readonly metrics: Metrics;
  readonly tracer: CallTracer | undefined;
  readonly logger: Logger;
}

/** Answers the requests of one listener. */
export class Dispatcher {
  readonly #dependencies: DispatcherDependencies;
  #warnedOfForwarding = false;

  constructor(dependencies: DispatcherDependencies) {
    this.#dependencies = dependencies;
  }

  /** Answers a request. Nothing that a client sends makes it throw or reject. */
  async dispatch(exchange: Exchange, size: HeaderSize): Promise<void> {
    let inbound: Inbound | undefined;
    try {
      inbound = this.#receive(exchange);
      await this.#route(inbound, size);
    } catch (error) {
      this.#giveUp(exchange, inbound?.requestId ?? randomUUID(), error);
    }
  }

  /**
   * The last resort, for a mistake of this file and not of a service: those are mapped where they are called.
   *
   * Security rule: it cannot fail for the reason that the answer failed. Its headers are fresh, and where nothing can be
   * answered the request is ended.
   */
  #giveUp(exchange: Exchange, requestId: string, error: unknown): void {
    const { logger } = this.#dependencies;
    // Of somebody who went away in the middle of it nothing is to be told; it is no failure of the server.
    if (exchange.gone) {
      logger.debug({ requestId, err: error }, "the client of a request went away");
      return;
    }
    logger.error({ requestId, err: error }, "a request could not be answered");
    try {
      const headers = baseHeaders(requestId, exchange.peer.encrypted);
      const answered = exchange.answered;
      connectPost.json.fail(exchange, { headers, trailers: {} }, toConnectError(error, requestId), 500);
      if (answered) exchange.destroy();
    } catch {
      exchange.destroy();
    }
  }

  async #route(inbound: Inbound, size: HeaderSize): Promise<void> {
    const { exchange, headers } = inbound;
    const { routes, httpRoutes, name } = this.#dependencies;
    const oversized = size.fields > maxHeaderFields || size.bytes > this.#dependencies.maxHeaderBytes;
    if (name === "public" && exchange.path === clearCookiesPath) {
      return respondToClearCookies(exchange, headers, oversized);
    }
    if (oversized) return this.#refuseHeaders(inbound);
    if (exchange.headerCount("host") > 1) return this.#refuse(inbound, ambiguousHost());
    if (name === "public" && isPreflight(exchange)) return respondToPreflight(exchange, headers);

    const route = routes.get(exchange.path);
    if (route !== undefined) return this.#serveCall(inbound, route);
    const handler = httpRoutes.get(exchange.path);
    if (handler === undefined) return this.#refuseUnknown(inbound);
    if (exchange.method !== "GET" && exchange.method !== "HEAD") {
      return this.#refuse(inbound, methodNotAllowed("GET, HEAD"));
    }
    await handler(exchange, headers, inbound);
  }

  async #serveCall(inbound: Inbound, route: Route): Promise<void> {
    const { tracer } = this.#dependencies;
    if (route.spec.kind !== "unary") return this.#serveStream(inbound, route);
    const negotiated = negotiate(inbound.exchange, route);
    if ("refusal" in negotiated) return this.#refuse(inbound, negotiated.refusal, route);
    const { wire } = negotiated;
    const span = tracer?.start(route.name, wire.protocol, inbound);
    const { error } = await serveUnary(this.#dependencies, route, wire, inbound);
    span?.end(error);
    this.#finish({ method: route.name, protocol: wire.protocol, quiet: route.quiet, error, inbound });
  }

  async #serveStream(inbound: Inbound, route: Route): Promise<void> {
    const { streams, tracer } = this.#dependencies;
    const refusal = streams.refuse(inbound, route);
    if (refusal !== undefined) return this.#refuse(inbound, refusal, route);
    const protocol = streamProtocol(inbound.exchange);
    const span = tracer?.start(route.name, protocol, inbound);
    const { error } = await streams.serve(inbound, route);
    span?.end(error);
    this.#finish({ method: route.name, protocol, quiet: route.quiet, error, inbound });
  }

  #receive(exchange: Exchange): Inbound {
    const { access, name, peers } = this.#dependencies;
    const startedAt = performance.now();
    const requestId = requestIdOf(exchange);
    const forwardedFor = exchange.header("x-forwarded-for");
    if (forwardedFor !== undefined && !exchange.peer.trustedProxy) this.#warnOfForwarding(exchange);
    const address = peers.clientAddress(exchange.peer, forwardedFor);
    const tenant = access.tenantOf(exchange);
    const headers = baseHeaders(requestId, exchange.peer.encrypted || (name === "public" && isHttps(tenant)));
    if (name === "public") addCorsHeaders(exchange, tenant.settings, headers);
    return {
      ...{ exchange, requestId, address, headers, startedAt },
      userAgent: exchange.header("user-agent"),
      forwardingKey: name === "public" ? exchange.header(forwardingKeyHeader) : undefined,
      ...{ limitedAddress: undefined, forwardedBy: undefined, caller: undefined },
    };
  }

  /** Says that this listener has no such method, in the protocol that was spoken. */
  #refuseUnknown(inbound: Inbound): void {
    const { exchange, headers, requestId } = inbound;
    const wire = wireOf(exchange.header("content-type"));
    const method = exchange.path.slice(1);
    const error = toConnectError(domainError("METHOD_UNKNOWN", { method }), requestId);
    (wire ?? connectPost.json).fail(exchange, { headers, trailers: {} }, error, 404);
    this.#finish({ method: "unknown", protocol: wire?.protocol ?? "http", quiet: true, error, inbound });
  }

  /** Answers headers that are too large: a person with a page, all others with JSON. */
  #refuseHeaders(inbound: Inbound): void {
    const limits = {
      limitBytes: String(this.#dependencies.maxHeaderBytes),
      limitFields: String(maxHeaderFields),
    };
    const error = toConnectError(domainError("HEADERS_TOO_LARGE", limits), inbound.requestId);
    if (asksForPage(inbound.exchange)) {
      respondTooManyCookies(inbound.exchange, inbound.headers);
      this.#finish({ method: "unknown", protocol: "http", quiet: true, error, inbound });
    } else this.#refuse(inbound, { status: 431, headers: {}, error });
  }

  /** Answers what HTTP itself refuses; with a body, as everything is. */
  #refuse(inbound: Inbound, { status, headers, error }: Refusal, route?: Route): void {
    Object.assign(inbound.headers, headers);
    connectPost.json.fail(inbound.exchange, { headers: inbound.headers, trailers: {} }, error, status);
    const method = route?.name ?? "unknown";
    this.#finish({ method, protocol: "http", quiet: route?.quiet ?? true, error, inbound });
  }

  #finish(call: FinishedCall): void {
    const { metrics, requestLog } = this.#dependencies;
    const durationMs = performance.now() - call.inbound.startedAt;
    metrics.observe(call.method, call.protocol, codeName(call.error), durationMs);
    requestLog(call, durationMs);
  }

  /** Once: it is a mistake in the configuration, or someone who tries to be someone else. */
  #warnOfForwarding(exchange: Exchange): void {
    if (this.#warnedOfForwarding) return;
    this.#warnedOfForwarding = true;
    this.#dependencies.logger.warn(
      { peer: exchange.peer.address, listener: this.#dependencies.name },
      "X-Forwarded-For arrives from an address that is not in server.trusted_proxies; it is ignored",
    );
  }
}

function streamProtocol(exchange: Exchange): string {
  const type = exchange.header("content-type") ?? "";
  if (type.startsWith("application/grpc-web")) return "grpc-web";
  return type.startsWith("application/grpc") ? "grpc" : "connect";
}

function ambiguousHost(): Refusal {
  return { status: 400, headers: {}, error: malformedHeaders("The Host header was sent more than once.") };
}

function malformedHeaders(message: string): ConnectError {
  return protocolError(Code.InvalidArgument, "REQUEST_MALFORMED", message);
}
