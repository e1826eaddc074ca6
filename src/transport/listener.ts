import { createServer as createNetServer, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { createSecureContext, createServer as createTlsServer, Server as TlsServer } from "node:tls";
import type { Registry } from "@bufbuild/protobuf";
import { errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { Health } from "../../gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionAlpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { domainError } from "../domain/errors.ts";
import type { ProviderCallbacks } from "../domain/flow/provider-callbacks.ts";
import type { ForwardAuth } from "../domain/forward-auth/forward-auth.ts";
import type { ProviderLogouts } from "../domain/method/oidc/provider-logouts.ts";
import type { Clock, Logger } from "../domain/ports.ts";
import { type ArrivalReportParts, mailReportPages, providerReportPages } from "./arrival-reports.ts";
import { type Budgets, createBudgets, defaultBudgets } from "./budgets.ts";
import { Dispatcher, type GuardedPages } from "./dispatcher.ts";
import { ForwardAuthPages } from "./forward-auth.ts";
import type { MetricFamily, Metrics } from "./metrics/metrics.ts";
import { renderPrometheus } from "./metrics/prometheus.ts";
import { type PackedFigures, unpackFigures } from "./metrics/several-processes.ts";
import { ClientAuthorities } from "./net/client-authorities.ts";
import type { HttpHandler } from "./net/exchange.ts";
import { createPeers } from "./net/peers.ts";
import { createProtocolServers, defaultLimits, type ListenerLimits } from "./net/protocol-servers.ts";
import type { Readiness } from "./net/readiness.ts";
import { sniff } from "./net/sniffer.ts";
import { healthRoutes, type VersionInfo } from "./pages/health.ts";
import { metricsPage } from "./pages/metrics.ts";
import type { PlainPaths } from "./pages/plain-paths.ts";
import { ProviderCallbackPages } from "./provider-callbacks.ts";
import { ProviderLogoutPages } from "./provider-logouts.ts";
import type { Access } from "./rpc/access.ts";
import { ClientLimits } from "./rpc/client-limits.ts";
import { codeOf, protocolError } from "./rpc/errors.ts";
import { adminGuards, noGuards } from "./rpc/path-guards.ts";
import { Pipeline } from "./rpc/pipeline.ts";
import { createRoutes, type ListenerName, type ServiceBinding } from "./rpc/routes.ts";
import { HealthService } from "./rpc/services/health-service.ts";
import { ReflectionService } from "./rpc/services/reflection.ts";
import { createStreamServer } from "./rpc/stream/serve.ts";
import type { CallTracer } from "./telemetry/traces.ts";

/** A certificate as PEM. */
export interface TlsMaterial {
  /** The certificate and its chain. */
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** The authorities that may sign client certificates. Unset: none are asked for. Not on the public listener. */
  readonly ca?: string | Buffer | undefined;
}

/** What a listener is made of. */
export interface ListenerOptions {
  readonly name: ListenerName;
  readonly host: string;
  /** Another address with the same port, for a name that stands for both. Left out where the machine does not have it. */
  readonly besideHost?: string | undefined;
  /** 0: any free one. */
  readonly port: number;
  /** Reads the certificate; called again by `renewTls`. Unset: cleartext. */
  readonly tls?: (() => TlsMaterial) | undefined;
  /** What it serves, besides health and reflection. Each service must declare this listener. */
  readonly services: readonly ServiceBinding[];
  /** Browsers that come back from a provider. Unset: they are not served here. */
  readonly callbacks?: ProviderCallbacks | undefined;
  /** Logouts that providers tell of. Unset: they are not taken here. */
  readonly providerLogouts?: ProviderLogouts | undefined;
  /** Reports of mail: of providers on the public listener, of mail that came back on the admin listener. Unset: none are taken. */
  readonly arrivalReports?: ArrivalReportParts | undefined;
  /** What proxies ask. Forward-auth listener only. */
  readonly forwardAuth?: ForwardAuth | undefined;
  /** Plain HTTP paths beside health, version and metrics. */
  readonly httpRoutes?: ReadonlyMap<string, HttpHandler> | undefined;
  /** Answers people at all other paths. Unset: everybody gets the error. */
  readonly plainPaths?: PlainPaths | undefined;
  readonly access: Access;
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  /** Reads the figures of all processes of the server, this one included. Unset: it is the only one. */
  readonly serverFigures?: (() => Promise<PackedFigures>) | undefined;
  readonly version: VersionInfo;
  readonly logger: Logger;
  /** Unset: no traces. */
  readonly tracer?: CallTracer | undefined;
  /** Addresses or CIDR ranges whose X-Forwarded-For and X-Request-Id are believed. */
  readonly trustedProxies: readonly string[];
  /** The largest message that is read, before and after decompression. Methods of strangers have smaller limits. */
  readonly maxRequestBytes: number;
  /** What a google.protobuf.Any may hold in JSON. Unset: nothing, because no message of the contract has one. */
  readonly jsonTypes?: Registry | undefined;
  readonly clock: Clock;
  /** What callers may hold, on all listeners of the process together. Default: `defaultBudgets`, for this listener alone. */
  readonly budgets?: Budgets | undefined;
  /** Default `defaultLimits`. */
  readonly limits?: Partial<ListenerLimits> | undefined;
}

/** One of the server's listeners: a port that speaks gRPC, gRPC-Web and Connect over HTTP/1.1 and HTTP/2. */
export interface Listener {
  /** Begins to accept connections. Throws an Error whose one line names host and port if it cannot. */
  listen(): Promise<{ readonly port: number }>;
  /**
   * Reads the certificate and the client authorities again. Throws if they are not usable. Once the returned function is called new
   * connections get them, and connections that the new authorities would judge otherwise are ended.
   */
  renewTls(): () => void;
  /**
   * Accepts no more, tells HTTP/2 clients so (GOAWAY), ends streams, waits for calls under way for at most
   * `graceMs`, and then destroys what is left. With `patienceMs` connections without a call are kept for so long, because
   * their clients may be sending one this very moment: it is answered, and then its connection ends.
   */
  close(graceMs: number, patienceMs?: number): Promise<void>;
}

/** Makes a listener; nothing happens until `listen`. */
export function createListener(options: ListenerOptions): Listener {
  const limits = { ...defaultLimits, ...options.limits };
  const shutdown = new AbortController();
  const budgets = options.budgets ?? createBudgets(defaultBudgets);
  const peers = createPeers(options.trustedProxies, budgets.connections);
  const dispatcher = createDispatcher(options, limits, peers, budgets, shutdown.signal);
  const servers = createProtocolServers({
    limits,
    peers,
    handle: dispatcher.dispatch.bind(dispatcher),
    describeRefusal: (reason, message, metadata) =>
      errorToJsonBytes(protocolError(codeOf(reason), reason, message, metadata), undefined),
    logger: options.logger,
  });

  const sockets = new Set<Socket>();
  const undecided = new Set<Socket>();
  const track = (socket: Socket) => {
    peers.accept(socket);
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  };
  const acceptPlain = (socket: Socket) => {
    track(socket);
    if (socket.destroyed) return;
    undecided.add(socket);
    socket.once("close", () => undecided.delete(socket));
    sniff(socket, limits.headerTimeoutMs, (speech) => {
      undecided.delete(socket);
      if (speech === "http2") servers.acceptHttp2(socket);
      else servers.acceptHttp1(socket);
    });
  };
  const material = options.tls?.();
  const authorities = new ClientAuthorities(material?.ca);
  const createOne = () =>
    material === undefined
      ? createNetServer({ noDelay: true }, acceptPlain)
      : createTls({ material, name: options.name, limits, track, servers, authorities });
  const server = createOne();
  const beside =
    options.besideHost === undefined ? undefined : { server: createOne(), host: options.besideHost };
  const both = beside === undefined ? [server] : [server, beside.server];

  return {
    async listen() {
      const bound = await listen(server, options.host, options.port);
      if (beside === undefined) return bound;
      try {
        await listen(beside.server, beside.host, bound.port);
      } catch (error) {
        if (!isWithoutAddress(error)) {
          server.close();
          throw error;
        }
      }
      return bound;
    },
    renewTls() {
      const fresh = options.tls?.();
      if (fresh === undefined) return () => {};
      // Thrown here, while nothing has changed.
      createSecureContext(fresh);
      return () => {
        for (const each of both) if (each instanceof TlsServer) each.setSecureContext(fresh);
        authorities.replace(fresh.ca);
      };
    },
    async close(graceMs, patienceMs = 0) {
      const closed = Promise.all(
        both.map((each) => new Promise<void>((resolve) => each.close(() => resolve()))),
      );
      shutdown.abort(domainError("SERVER_STOPPING", {}));
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, graceMs);
      if (patienceMs > 0) {
        servers.announceClose();
        await Promise.race([closed, delay(patienceMs, undefined, { ref: false })]);
      }
      servers.close();
      for (const socket of undecided) socket.destroy();
      await closed;
      clearTimeout(timer);
    },
  };
}

function createDispatcher(
  options: ListenerOptions,
  limits: ListenerLimits,
  peers: ReturnType<typeof createPeers>,
  budgets: Budgets,
  shutdownSignal: AbortSignal,
): Dispatcher {
  const { name, access, readiness, metrics, logger } = options;
  const services = options.services.map(({ service }) => service);
  const foreign = [Health, ServerReflection, ServerReflectionAlpha];
  const reflection = new ReflectionService({ services: [...services, ...foreign] });
  const bindings = [
    ...options.services,
    {
      service: Health,
      implementation: new HealthService({ readiness, services: services.map(({ typeName }) => typeName) }),
    },
    { service: ServerReflection, implementation: reflection },
    { service: ServerReflectionAlpha, implementation: reflection },
  ];
  const httpRoutes = new Map([...healthRoutes(readiness, options.version), ...(options.httpRoutes ?? [])]);
  if (name === "admin")
    httpRoutes.set(
      "/metrics",
      metricsPage(async () => renderPrometheus(await readFigures(options))),
    );
  const { maxRequestBytes, jsonTypes, clock } = options;
  const routes = createRoutes(name, bindings, maxRequestBytes);
  const pipeline = new Pipeline({
    access,
    clientLimits: new ClientLimits({ clock, logger }),
    budgets: budgets.calls,
    clock,
  });
  const serving = { pipeline, jsonTypes };
  return new Dispatcher({
    ...serving,
    name,
    access,
    peers,
    clock,
    maxHeaderBytes: limits.maxHeaderBytes,
    routes,
    httpRoutes,
    guardedPages: guardedPagesOf(options, pipeline),
    plainPaths: options.plainPaths,
    guards: name === "admin" ? adminGuards(pipeline, options.host) : noGuards,
    streams: createStreamServer({ ...serving, limits, shutdownSignal }, routes.values()),
    metrics,
    tracer: options.tracer,
    logger,
  });
}

/** The figures of the server: of this process, or of all. */
async function readFigures({ metrics, serverFigures }: ListenerOptions): Promise<readonly MetricFamily[]> {
  return serverFigures === undefined ? metrics.read() : unpackFigures(await serverFigures());
}

function guardedPagesOf(
  { name, callbacks, providerLogouts, arrivalReports, forwardAuth }: ListenerOptions,
  pipeline: Pipeline,
): readonly GuardedPages[] {
  return [
    ...(forwardAuth === undefined ? [] : [new ForwardAuthPages({ forwardAuth, pipeline })]),
    ...(callbacks === undefined ? [] : [new ProviderCallbackPages({ callbacks, pipeline })]),
    ...(providerLogouts === undefined
      ? []
      : [new ProviderLogoutPages({ logouts: providerLogouts, pipeline })]),
    ...(arrivalReports === undefined
      ? []
      : [(name === "admin" ? mailReportPages : providerReportPages)(arrivalReports, pipeline)]),
  ];
}

interface TlsServing {
  readonly material: TlsMaterial;
  readonly name: ListenerName;
  readonly limits: ListenerLimits;
  readonly track: (socket: Socket) => void;
  readonly servers: ReturnType<typeof createProtocolServers>;
  readonly authorities: ClientAuthorities;
}

function createTls({ material, name, limits, track, servers, authorities }: TlsServing): Server {
  const server = createTlsServer({
    ...material,
    minVersion: "TLSv1.2",
    ALPNProtocols: ["h2", "http/1.1"],
    handshakeTimeout: limits.headerTimeoutMs,
    // Asked for where there is an authority to check it, and not demanded: API keys work without one. What a
    // certificate is worth is decided by peers.ts.
    requestCert: name !== "public" && material.ca !== undefined,
    rejectUnauthorized: false,
  });
  server.on("connection", (socket) => {
    track(socket);
    authorities.begin(socket);
  });
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  server.on("secureConnection", (socket) => {
    authorities.end(socket);
    socket.on("error", () => socket.destroy());
    if (socket.alpnProtocol === "h2") servers.acceptHttp2(socket);
    else servers.acceptHttp1(socket);
  });
  return server;
}

function listen(server: Server, host: string, port: number): Promise<{ readonly port: number }> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(explain(error, host, port)));
    server.listen({ host, port }, () => {
      server.removeAllListeners("error");
      // Accepting can fail later as well, for example without free file descriptors; that must not end the process.
      server.on("error", () => {});
      const address = server.address();
      resolve({ port: typeof address === "object" && address !== null ? address.port : port });
    });
  });
}

/** Whether a machine does not have the address, or no addresses of its kind. */
function isWithoutAddress(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return cause?.code === "EADDRNOTAVAIL" || cause?.code === "EAFNOSUPPORT";
}

function explain(cause: NodeJS.ErrnoException, host: string, port: number): Error {
  const reasons: Record<string, string> = {
    EADDRINUSE: "the port is in use by another process",
    EACCES: "this user may not use the port",
    EADDRNOTAVAIL: "the machine has no such address",
    ENOTFOUND: "the host name is unknown",
  };
  const reason = reasons[cause.code ?? ""] ?? cause.message;
  return new Error(`Cannot listen on ${host}:${port}: ${reason}.`, { cause });
}
