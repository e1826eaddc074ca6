import type { KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { getOption } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Authorization } from "../gen/envoy/service/auth/v3/external_auth_pb.js";
import { Listener as ListenerKind, service as serviceOption } from "../gen/ostiary/option/v1/option_pb.js";
import type { AppOptions } from "./app-types.ts";
import type { Arrivals } from "./domain/courier/arrivals.ts";
import { readSendGridKey } from "./domain/courier/send-grid-key.ts";
import type { ProviderCallbacks } from "./domain/flow/provider-callbacks.ts";
import type { ForwardAuth } from "./domain/forward-auth/forward-auth.ts";
import type { ProviderLogouts } from "./domain/method/oidc/provider-logouts.ts";
import type { Clock, OutgoingHttp } from "./domain/ports.ts";
import type { Tenants } from "./domain/tenant/tenant.ts";
import type { ReportSources } from "./transport/arrival-reports.ts";
import { type BudgetSettings, createBudgets, watchBudgets } from "./transport/budgets.ts";
import { createListener, type Listener, type ListenerOptions } from "./transport/listener.ts";
import type { Metrics } from "./transport/metrics/metrics.ts";
import type { HttpHandler } from "./transport/net/exchange.ts";
import type { Readiness } from "./transport/net/readiness.ts";
import { lookRoutes, pictureRoutes } from "./transport/pages/branding.ts";
import { keySetRoutes, type PublishedKeys } from "./transport/pages/key-set.ts";
import { passkeyLinkRoutes } from "./transport/pages/passkey-links.ts";
import { createPlainPaths, wellKnownRoutes } from "./transport/pages/plain-paths.ts";
import { type ApiKeyAuthenticator, createAccess, type SessionAuthenticator } from "./transport/rpc/access.ts";
import type { CertificateGrant } from "./transport/rpc/client-certificates.ts";
import type { ServiceBinding } from "./transport/rpc/routes.ts";
import { EnvoyAuthorization } from "./transport/rpc/services/envoy-authorization.ts";
import type { CallTracer } from "./transport/telemetry/traces.ts";

interface Served {
  readonly options: AppOptions;
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  readonly tenants: Tenants;
  readonly sessions: SessionAuthenticator;
  readonly apiKeys: ApiKeyAuthenticator;
  readonly services: readonly ServiceBinding[];
  /** The files of the self-service pages; undefined if they are not served. */
  readonly pages: ReadonlyMap<string, HttpHandler> | undefined;
  readonly tracer: CallTracer | undefined;
  readonly clock: Clock;
  /** Another address of the public listener. */
  readonly publicBesideHost: string | undefined;
  readonly callbacks: ProviderCallbacks;
  readonly providerLogouts: ProviderLogouts;
  readonly signingKeys: PublishedKeys;
  readonly arrivals: Arrivals;
  readonly forwardAuth: ForwardAuth;
  readonly http: OutgoingHttp;
  /** Plain HTTP paths that only the public listener has. */
  readonly publicRoutes: ReadonlyMap<string, HttpHandler> | undefined;
}

/** The listeners of a process. */
interface Listeners {
  readonly public: Listener;
  readonly admin: Listener;
  /** Undefined if proxies ask nothing. */
  readonly forwardAuth: Listener | undefined;
}

/** Makes the listeners. A service is served by the one that its `listener` option names. */
export function createListeners(served: Served): Listeners {
  const { config, logger, version } = served.options;
  const { metrics } = served;
  const { server } = config.config;
  const budgets = createBudgets(budgetsOf(server.budgets));
  watchBudgets(metrics, budgets);
  const shared = {
    access: createAccess({ ...served, certificates: () => config.clientCertificates().map(toGrant) }),
    readiness: served.readiness,
    metrics,
    serverFigures: served.options.worker?.serverFigures,
    budgets,
    limits: { anonymousStreamLifetimeMs: durationMs(server.budgets.anonymousStreamLifetime) },
    version: { version },
    logger,
    tracer: served.tracer,
    trustedProxies: server.trustedProxies,
    maxRequestBytes: server.maxRequestBytes,
    clock: served.clock,
    arrivalReports: { ...served, sources: reportSourcesOf(config) },
  };
  const servicesOf = (kind: ListenerKind) =>
    served.services.filter(({ service }) => getOption(service, serviceOption).listener === kind);
  const publicRoutes = publicRoutesOf(served);
  return {
    public: createListener({
      ...shared,
      name: "public",
      host: server.public.host,
      besideHost: served.publicBesideHost,
      port: server.public.port,
      tls: tlsOf(server.public.tls, ""),
      services: servicesOf(ListenerKind.PUBLIC),
      callbacks: served.callbacks,
      providerLogouts: served.providerLogouts,
      httpRoutes: publicRoutes,
      plainPaths: createPlainPaths({ ...served, routes: publicRoutes }),
    }),
    admin: createListener({
      ...shared,
      name: "admin",
      host: server.admin.host,
      port: server.admin.port,
      tls: tlsOf(server.admin.tls, server.admin.clientCaFile),
      services: servicesOf(ListenerKind.ADMIN),
    }),
    forwardAuth: server.forwardAuth && createForwardAuthListener(served, server.forwardAuth, shared),
  };
}

function createForwardAuthListener(
  { forwardAuth }: Served,
  { host, port, peers, tls, clientCaFile }: NonNullable<Config["server"]["forwardAuth"]>,
  { arrivalReports: _, ...shared }: SharedOptions,
): Listener {
  return createListener({
    ...shared,
    name: "forward-auth",
    host,
    port,
    tls: tlsOf(tls, clientCaFile),
    // Security rule (SR-FORWARD-4): the proxies that may ask, and no others that are trusted for something else.
    trustedProxies: peers,
    services: [{ service: Authorization, implementation: new EnvoyAuthorization({ forwardAuth }) }],
    forwardAuth,
  });
}

/** The plain HTTP paths of the public listener. */
function publicRoutesOf(served: Served): ReadonlyMap<string, HttpHandler> {
  const settings = () => served.tenants.byHost(undefined).settings;
  const branding = { settings, files: served.options.config.brandFiles };
  return new Map([
    ...passkeyLinkRoutes(served.tenants),
    ...wellKnownRoutes(served),
    ...keySetRoutes(served),
    ...pictureRoutes(branding),
    ...(served.publicRoutes ?? []),
    ...(served.pages === undefined ? [] : [...served.pages, ...lookRoutes(branding)]),
  ]);
}

/** What all listeners have. */
type SharedOptions = Omit<ListenerOptions, "name" | "host" | "port" | "services">;

type Config = AppOptions["config"]["config"];

function reportSourcesOf({ config, secrets }: AppOptions["config"]): ReportSources {
  const { ses, postmark, sendgrid } = config.tenantDefaults.courier.reports;
  return {
    ses,
    postmark: postmark && { user: postmark.user, password: () => secrets.postmarkPassword() },
    sendgrid: sendgrid && { publicKey: sendGridKeyOf(sendgrid.publicKey) },
  };
}

function sendGridKeyOf(text: string): KeyObject {
  const key = readSendGridKey(text);
  if (key === undefined) throw new Error("a key that cannot be read is refused at the start");
  return key;
}

function budgetsOf(budgets: Config["server"]["budgets"]): BudgetSettings {
  return {
    connections: { total: budgets.connections, share: budgets.connectionsPerClientIp },
    requestBytes: { total: budgets.requestBytes, share: budgets.requestBytesPerCaller },
    streams: { total: budgets.streams, share: budgets.streamsPerCaller },
  };
}

/** Reads the files each time it is called, so that a reload takes new ones. */
function tlsOf(tls: Config["server"]["public"]["tls"], clientCaFile: string): ListenerOptions["tls"] {
  if (tls === undefined) return undefined;
  return () => ({
    cert: readFileSync(tls.certificateFile),
    key: readFileSync(tls.keyFile),
    ca: clientCaFile === "" ? undefined : readFileSync(clientCaFile),
  });
}

function toGrant({ name, match, scopes }: Config["access"]["clientCertificates"][number]): CertificateGrant {
  switch (match.case) {
    case "subjectAlternativeName":
      return { name, match: { kind: "subject_alternative_name", value: match.value }, scopes };
    case "fingerprint":
      return { name, match: { kind: "fingerprint", value: match.value }, scopes };
    case undefined:
      throw new Error("validation lets no certificate without a match through");
    default:
      return match satisfies never;
  }
}
