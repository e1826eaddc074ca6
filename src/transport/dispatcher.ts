import { randomUUID } from "node:crypto";
import { Code, type ConnectError } from "@connectrpc/connect";
import { domainError } from "../domain/errors.ts";
import type { Clock, Logger } from "../domain/ports.ts";
import { httpServerRequestDuration, refusals } from "./metrics/catalogue.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { Exchange, HttpHandler } from "./net/exchange.ts";
import {
  addCorsHeaders,
  baseHeaders,
  type HeaderSize,
  isHttps,
  isPreflight,
  maxHeaderFields,
  respondToPreflight,
} from "./net/headers.ts";
import { isBelieved, type Peers } from "./net/peers.ts";
import type { PlainPaths } from "./pages/plain-paths.ts";
import {
  clearCookiesPath,
  readsPages,
  respondToClearCookies,
  respondTooManyCookies,
} from "./pages/too-many-cookies.ts";
import { type Access, namesOf } from "./rpc/access.ts";
import { Call, callIdOf } from "./rpc/call.ts";
import {
  codeName,
  limitScopeOf,
  protocolError,
  reasonOf,
  statusCodeOf,
  systemOf,
  toConnectError,
} from "./rpc/errors.ts";
import { forwardingKeyHeader } from "./rpc/forwarded-client.ts";
import type { PathGuards } from "./rpc/path-guards.ts";
import type { ListenerName, Route } from "./rpc/routes.ts";
import type { StreamServer } from "./rpc/stream/serve.ts";
import { connectPost } from "./rpc/unary/connect-wire.ts";
import { grpcWireOf, methodNotAllowed, negotiate, type Refusal, wireOf } from "./rpc/unary/negotiate.ts";
import { serveUnary, type UnaryDependencies } from "./rpc/unary/serve.ts";
import type { CallTracer } from "./telemetry/traces.ts";

/** Paths below one prefix that are guarded like calls, and answer by themselves. */
export interface GuardedPages {
  /** The name by which calls are counted and logged. */
  readonly name: string;
  /** The HTTP methods; others are refused. */
  readonly methods: readonly string[];
  /** Whether calls are logged at `debug` only: checks. Default: no. */
  readonly quiet?: boolean;
  /** Whether a path is one of these. */
  has(path: string): boolean;
  /** Answers in any case; gives what has refused the call. */
  serve(call: Call): Promise<unknown>;
}

/** Dependencies of a dispatcher. */
interface Deps extends UnaryDependencies {
  readonly name: ListenerName;
  readonly access: Access;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly maxHeaderBytes: number;
  readonly routes: ReadonlyMap<string, Route>;
  /** Plain HTTP paths beside the calls. */
  readonly httpRoutes: ReadonlyMap<string, HttpHandler>;
  /** Where providers send browsers back to, and tell of logouts. Public listener only. */
  readonly guardedPages: readonly GuardedPages[];
  /** Answers people at all other paths. Public listener only. */
  readonly plainPaths: PlainPaths | undefined;
  /** What guards these paths on the admin listener. */
  readonly guards: PathGuards;
  readonly streams: StreamServer;
  readonly metrics: Metrics;
  readonly tracer: CallTracer | undefined;
  readonly logger: Logger;
}

/** A call that has ended. */
interface FinishedCall {
  /**
   * `ostiary.session.v1.SessionService/CheckSession`; a path such as `/metrics` that was refused; `unknown` if this listener
   * has no such method.
   */
  readonly method: string;
  /** `connect`, `grpc`, `grpc-web`; `http` if it was refused before that was known. */
  readonly protocol: string;
  /** Whether calls of this method are logged at `debug` only: checks and health. */
  readonly quiet: boolean;
  readonly error: ConnectError | undefined;
  readonly call: Call;
}

/** Answers the requests of one listener. */
export class Dispatcher {
  readonly #deps: Deps;
  #warnedOfForwarding = false;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Answers a request. Nothing that a client sends makes it throw or reject. */
  async dispatch(exchange: Exchange, size: HeaderSize): Promise<void> {
    let call: Call | undefined;
    try {
      call = this.#receive(exchange);
      await this.#route(call, size);
    } catch (error) {
      this.#giveUp(exchange, call?.id ?? randomUUID(), error);
    }
  }

  /**
   * The last resort, for a mistake of this file and not of a service: those are mapped where they are called.
   *
   * Security rule (SR-INPUT-2): it cannot fail for the reason that the answer failed. Its headers are fresh, and where nothing can be
   * answered the request is ended.
   */
  #giveUp(exchange: Exchange, id: string, error: unknown): void {
    const { logger } = this.#deps;
    // Of somebody who went away in the middle of it nothing is to be told; it is no failure of the server.
    if (exchange.gone) {
      logger.debug({ requestId: id, err: error }, "the client of a request went away");
      return;
    }
    logger.error({ requestId: id, err: error }, "a request could not be answered");
    try {
      const headers = baseHeaders(id, exchange.peer.encrypted);
      const answered = exchange.answered;
      connectPost.json.fail(exchange, { headers, trailers: {} }, toConnectError(error, id), 500);
      if (answered) exchange.destroy();
    } catch {
      exchange.destroy();
    }
  }

  #route(call: Call, size: HeaderSize): void | Promise<void> {
    const { exchange, headers } = call;
    const { routes, httpRoutes, name } = this.#deps;
    const oversized = size.fields > maxHeaderFields || size.bytes > this.#deps.maxHeaderBytes;
    if (name === "public" && exchange.path === clearCookiesPath) {
      return respondToClearCookies(exchange, headers, oversized);
    }
    // Security rule (SR-FORWARD-4): proxies say here whose request they ask about, so nobody else is answered.
    if (name === "forward-auth" && !isBelieved(exchange.peer, this.#deps.clock.now())) {
      return this.#refuse(call, unknownPeer(call));
    }
    if (oversized) return this.#refuseHeaders(call);
    if (exchange.headerCount("host") > 1) return this.#refuse(call, ambiguousHost());
    if (name === "public" && isPreflight(exchange)) return respondToPreflight(exchange, headers);

    const route = routes.get(exchange.path);
    if (route !== undefined) return this.#serveCall(call, route);
    const pages = this.#deps.guardedPages.find((each) => each.has(exchange.path));
    if (pages !== undefined) return this.#servePages(call, pages);
    const handler = httpRoutes.get(exchange.path);
    if (handler === undefined) return this.#refuseUnknown(call);
    if (exchange.method !== "GET" && exchange.method !== "HEAD") {
      return this.#refuse(call, methodNotAllowed("GET, HEAD"));
    }
    return this.#servePlain(call, handler);
  }

  async #servePlain(call: Call, handler: HttpHandler): Promise<void> {
    const { exchange, headers } = call;
    try {
      await this.#deps.guards.admit(call);
    } catch (refused) {
      const error = toConnectError(refused, call.id);
      connectPost.json.fail(exchange, { headers, trailers: {} }, error);
      return this.#finish({ method: exchange.path, protocol: "http", quiet: false, error, call });
    }
    await handler(exchange, headers);
  }

  async #servePages(call: Call, pages: GuardedPages): Promise<void> {
    if (!pages.methods.includes(call.exchange.method)) {
      return this.#refuse(call, methodNotAllowed(pages.methods.join(", ")));
    }
    const refused = await pages.serve(call);
    const error = refused === undefined ? undefined : toConnectError(refused, call.id);
    this.#finish({ method: pages.name, protocol: "http", quiet: pages.quiet === true, error, call });
  }

  async #serveCall(call: Call, route: Route): Promise<void> {
    const { tracer } = this.#deps;
    if (route.spec.kind !== "unary") return this.#serveStream(call, route);
    const negotiated = negotiate(call.exchange, route);
    if ("refusal" in negotiated) return this.#refuse(call, negotiated.refusal, route);
    const { wire } = negotiated;
    const span = tracer?.start(route.name, wire.protocol, call);
    const error = await serveUnary(this.#deps, route, wire, call);
    span?.end(error);
    this.#finish({ method: route.name, protocol: wire.protocol, quiet: route.quiet, error, call });
  }

  async #serveStream(call: Call, route: Route): Promise<void> {
    const { streams, tracer } = this.#deps;
    const refusal = streams.refuse(call, route);
    if (refusal !== undefined) return this.#refuse(call, refusal, route);
    const protocol = streamProtocol(call.exchange);
    const span = tracer?.start(route.name, protocol, call);
    const error = await streams.serve(call, route);
    span?.end(error);
    this.#finish({ method: route.name, protocol, quiet: route.quiet, error, call });
  }

  #receive(exchange: Exchange): Call {
    const { access, name, peers } = this.#deps;
    const id = callIdOf(exchange);
    const forwardedFor = exchange.header("x-forwarded-for");
    if (forwardedFor !== undefined && !exchange.peer.trustedProxy) this.#warnOfForwarding(exchange);
    const clientIp = peers.clientIpOf(exchange.peer, forwardedFor);
    const tenant = access.tenantOf(exchange);
    const headers = baseHeaders(id, exchange.peer.encrypted || (name === "public" && isHttps(tenant)));
    if (name === "public") addCorsHeaders(exchange, tenant.settings, headers);
    const forwardingKey = name === "public" ? exchange.header(forwardingKeyHeader) : undefined;
    return new Call({ exchange, tenant, clientIp, forwardingKey, headers }, id);
  }

  /** Says that there is nothing: to a person by a page, to a program in the protocol that was spoken. */
  #refuseUnknown(call: Call): void {
    const { exchange, headers } = call;
    if (this.#deps.plainPaths?.(exchange, headers)) return;
    const wire = wireOf(exchange.header("content-type"));
    const method = exchange.path.slice(1);
    const error = toConnectError(domainError("METHOD_UNKNOWN", { method }), call.id);
    if (wire !== undefined) this.#deps.tracer?.unknown(wire.protocol, call, error);
    (wire ?? connectPost.json).fail(exchange, { headers, trailers: {} }, error, 404);
    this.#finish({ method: unknownMethod, protocol: wire?.protocol ?? "http", quiet: true, error, call });
  }

  /** Answers headers that are too large: a person with a page, all others with JSON. */
  #refuseHeaders(call: Call): void {
    const limits = {
      limitBytes: String(this.#deps.maxHeaderBytes),
      limitFields: String(maxHeaderFields),
    };
    const error = toConnectError(domainError("HEADERS_TOO_LARGE", limits), call.id);
    // The admin listener has no pages, and takes no button.
    if (this.#deps.name === "public" && readsPages(call.exchange)) {
      respondTooManyCookies(call.exchange, call.headers, call.tenant.settings);
      this.#finish({ method: unknownMethod, protocol: "http", quiet: true, error, call });
    } else this.#refuse(call, { status: 431, headers: {}, error });
  }

  /** Answers what HTTP itself refuses; with the reason, as everything is. */
  #refuse(call: Call, { status, headers, error }: Refusal, route?: Route): void {
    Object.assign(call.headers, headers);
    // A client of gRPC reads the status of its own protocol, and no body.
    const wire =
      (status === 405 || status === 415 ? grpcWireOf(call.exchange) : undefined) ?? connectPost.json;
    wire.fail(call.exchange, { headers: call.headers, trailers: {} }, error, status);
    const method = route?.name ?? unknownMethod;
    this.#finish({ method, protocol: "http", quiet: route?.quiet ?? true, error, call });
  }

  /** Counts a call that has ended, and logs it. Neither bodies nor headers are ever logged, so no secret can be. */
  #finish({ method, protocol, quiet, error, call }: FinishedCall): void {
    const { metrics, logger } = this.#deps;
    const durationMs = performance.now() - call.startedAt;
    const code = codeName(error);
    const reason = error === undefined ? undefined : reasonOf(error);
    if (protocol !== "http") {
      const known = method === unknownMethod ? otherMethod : method;
      metrics.observeCall(known, systemOf(protocol), statusCodeOf(protocol, error), durationMs / 1000);
    } else this.#countRequest(method, call, error, durationMs / 1000);
    if (error !== undefined) {
      const scope = reason === "RATE_LIMITED" ? limitScopeOf(error) : undefined;
      metrics.count(refusals, { reason, scope });
    }
    const { id: requestId, clientIp, forwarder } = call;
    if (error?.code === Code.Internal) {
      logger.error({ requestId, method, err: error.cause ?? error }, "call failed");
    }
    const level = quiet ? "debug" : "info";
    if (logger.isLevelEnabled?.(level) === false) return;
    const caller = call.caller.kind === "anonymous" ? (call.shownCaller ?? call.caller) : call.caller;
    const { id: callerId } = namesOf(caller);
    const fields = {
      method,
      code,
      ...(error === undefined ? {} : { reason }),
      protocol,
      durationMs: Math.round(durationMs * 100) / 100,
      requestId,
      address: clientIp,
      ...(forwarder === undefined ? {} : { forwardedBy: forwarder.apiKey.id }),
      caller: caller.kind,
      ...(callerId === undefined ? {} : { callerId }),
    };
    logger[level](fields, "call");
  }

  /** Counts a request that is no call, or was refused before it was known to be one. */
  #countRequest(route: string, { exchange }: Call, error: ConnectError | undefined, seconds: number): void {
    const labels = {
      "http.request.method": knownHttpMethods.has(exchange.method) ? exchange.method : otherMethod,
      "http.route": route === unknownMethod ? undefined : route,
      "error.type": error === undefined ? undefined : codeName(error),
    };
    this.#deps.metrics.record(httpServerRequestDuration, labels, seconds);
  }

  /** Once: it is a mistake in the configuration, or someone who tries to be someone else. */
  #warnOfForwarding(exchange: Exchange): void {
    if (this.#warnedOfForwarding) return;
    this.#warnedOfForwarding = true;
    this.#deps.logger.warn(
      { peer: exchange.peer.address, listener: this.#deps.name },
      "X-Forwarded-For arrives from an address that is not in server.trusted_proxies; it is ignored",
    );
  }
}

/** The name, in the log, of a method or path that a listener does not have. */
const unknownMethod = "unknown";
/** What the conventions of OpenTelemetry call a method that a server does not know. */
const otherMethod = "_OTHER";
const knownHttpMethods = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "PATCH",
]);

function streamProtocol(exchange: Exchange): string {
  const type = exchange.header("content-type") ?? "";
  if (type.startsWith("application/grpc-web")) return "grpc-web";
  return type.startsWith("application/grpc") ? "grpc" : "connect";
}

function ambiguousHost(): Refusal {
  return { status: 400, headers: {}, error: malformedHeaders("The Host header was sent more than once.") };
}

function unknownPeer({ id, exchange }: Call): Refusal {
  const error = domainError("FORWARD_AUTH_PEER_UNKNOWN", { peer: exchange.peer.address });
  return { status: 403, headers: {}, error: toConnectError(error, id) };
}

function malformedHeaders(message: string): ConnectError {
  return protocolError(Code.InvalidArgument, "REQUEST_MALFORMED", message);
}
