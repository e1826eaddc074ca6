/**
 * How the server starts and stops. The rules are wired in app-domain.ts, the services in app-services.ts; nothing here
 * decides anything. test/structure/architecture.test.ts says which of these files may import which room.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { openMailbox, startCourier } from "./app-courier.ts";
import { createDomain, systemClock } from "./app-domain.ts";
import { createListeners } from "./app-listeners.ts";
import {
  countingAttempts,
  countSteps,
  watchBacklog,
  watchDomain,
  watchFeed,
  watchJobs,
  watchSessionFeed,
  watchStorage,
} from "./app-metrics.ts";
import { prepare } from "./app-prepare.ts";
import { createServices } from "./app-services.ts";
import { builtInSchemaId, otherLoopbackAddress, toTenantSettings } from "./app-settings.ts";
import type { AppOptions, RunningApp, StopOptions } from "./app-types.ts";
import { mailReachMode } from "./config/check-courier.ts";
import { loadIdentitySchemas } from "./config/identity-schemas.ts";
import type { ApiKeys } from "./domain/access/api-keys.ts";
import { MailReach } from "./domain/courier/mail-reach.ts";
import type { EventFeed } from "./domain/event/feed.ts";
import { defaultSchemaDocument } from "./domain/identity/default-schema.ts";
import type { IdentitySchemas } from "./domain/identity/schemas.ts";
import type { TenantId } from "./domain/ids.ts";
import type { Logger } from "./domain/ports.ts";
import type { Provider, ProviderClient } from "./domain/provider/provider.ts";
import type { Secret } from "./domain/secret.ts";
import { SessionCache } from "./domain/session/session-cache.ts";
import { SessionFeed } from "./domain/session/session-feed.ts";
import type { Tenant, Tenants } from "./domain/tenant/tenant.ts";
import { startEmbeddedPostgres } from "./storage/embedded-postgres.ts";
import type { EventRetention } from "./storage/event-retention.ts";
import { jobNames } from "./storage/jobs.ts";
import { connectionsBesideCalls, openStorage, type Storage } from "./storage/storage.ts";
import { Metrics } from "./transport/metrics/metrics.ts";
import { watchProcessFigures } from "./transport/metrics/process-figures.ts";
import { packFigures } from "./transport/metrics/several-processes.ts";
import { Readiness } from "./transport/net/readiness.ts";
import { startTelemetry } from "./transport/telemetry/telemetry.ts";

const tenantName = "default";
/** Interval of writing the gathered uses. */
const flushIntervalMs = 15_000;
/** Reads of the event log in the time that it may be behind: one of them may be late, or lost. */
const readsInStaleness = 4;

/** Steps that stop the parts which were started, in reverse order. */
class Cleanup {
  readonly #steps: (() => Promise<void> | void)[] = [];

  add(step: () => Promise<void> | void): void {
    this.#steps.push(step);
  }

  /** Runs every step, also after one that fails; throws the first failure. */
  async run(): Promise<void> {
    const failures: unknown[] = [];
    for (const step of this.#steps.splice(0).reverse()) {
      await Promise.resolve()
        .then(step)
        .catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }
}

/** Starts everything and serves. Throws an Error of one line if something of it cannot be started. */
export async function startApp(options: AppOptions): Promise<RunningApp> {
  const cleanup = new Cleanup();
  try {
    return await start(options, cleanup);
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

/** Brings the database's schema up to date, or lists what that would do. Returns the names of the migrations. */
export async function migrateDatabase(options: AppOptions, how: { dryRun: boolean }): Promise<string[]> {
  return withStorage(options, async (storage) => {
    const pending = await storage.pendingMigrations();
    if (!how.dryRun) await storage.migrate();
    return pending;
  });
}

/** Makes the first admin API key, unless one was ever made; then undefined. */
export async function bootstrapAdminKey(options: AppOptions): Promise<Secret | undefined> {
  return withStorage(options, async (storage) => {
    const tenant = await defaultTenant(options, storage);
    const tenants = new OneTenant(() => tenant);
    const domain = createDomain(options, storage, tenants);
    return (await domain.apiKeys.createBootstrap(tenant))?.secret;
  });
}

async function start(options: AppOptions, cleanup: Cleanup): Promise<RunningApp> {
  const { config, logger, clock = systemClock } = options;
  const metrics = new Metrics();
  cleanup.add(watchProcessFigures(metrics, options.version, options.worker?.count ?? 1));
  const { renderer, pages } = await prepare(options, () => tenant.settings);
  const telemetry = await startTelemetry({
    environment: options.environment ?? {},
    version: options.version,
    logger,
    metrics,
    logLines: options.logLines,
  });
  if (telemetry !== undefined) cleanup.add(() => telemetry.shutdown());
  const database = await startDatabase(options, cleanup);
  const { storage } = database;
  await bringUpToDate(options, storage);

  let tenant = await defaultTenant(options, storage, pages !== undefined);
  const tenants = new OneTenant(() => tenant);
  const mailReach = new MailReach(mailReachMode(config.config));
  const { languages } = renderer;
  const feed = openFeed(options, storage, cleanup);
  const domain = createDomain(options, storage, tenants, {
    languages,
    mailReach,
    sessionCache: openSessionCache(options, storage, feed),
    onStep: countSteps(metrics),
  });
  watchDomain(metrics, domain);
  await loadSchemas(options, domain.schemas, tenant.tenantId);
  const bootstrapKey = config.embedded ? await keepBootstrapKey(options, domain.apiKeys, tenant) : noKey;

  // The server is ready without its providers, and without some of its workers.
  const { worker } = options;
  const readiness = new Readiness(["database"], () => ({
    ...providerStates(domain.outbound.providers, tenant.settings.providers),
    ...(worker === undefined ? {} : { workers: worker.allServe() }),
  }));
  readiness.report("database", true);
  const watch = storage.watch((state) => readiness.report("database", state === "ready"));
  cleanup.add(() => watch.stop());
  watchFeed(metrics, feed);
  watchStorage(metrics, storage, () => readiness.components.database === true);
  cleanup.add(watchBacklog(metrics, () => storage.courierBacklog(), clock));
  cleanup.add(() => domain.outbound.http.close());
  cleanup.add(() => domain.failedAttempts.finish());
  cleanup.add(flushRegularly([domain.failedAttempts], logger, 1_000));
  cleanup.add(flushRegularly([domain.sessionUses, domain.apiKeyUses, domain.breaches], logger));

  const { sessions, apiKeys, outbox } = domain;
  const sessionFeed = new SessionFeed({
    feed,
    log: storage.sessionChanges,
    clock,
    heartbeatIntervalMs: durationMs(config.config.tenantDefaults.session.maxStaleness) / readsInStaleness,
  });
  cleanup.add(() => sessionFeed.stop());
  watchSessionFeed(metrics, sessionFeed);
  const services = createServices({ ...domain, sessionFeed });
  const messages = { store: storage.messages, outbox, renderer };
  const mailbox = await openMailbox(config, { ...messages, tenants });
  const tracer = telemetry?.tracer;
  const listeners = createListeners({
    options,
    readiness,
    metrics,
    tenants,
    sessions,
    apiKeys,
    services,
    callbacks: domain.flows.callbacks,
    providerLogouts: domain.providerLogouts,
    arrivals: domain.arrivals,
    http: domain.outbound.http,
    pages,
    tracer,
    clock,
    publicRoutes: mailbox?.routes,
    publicBesideHost: otherLoopbackAddress(config.config),
  });
  let stopOptions: StopOptions = {};
  const graceMs = durationMs(config.config.server.shutdownTimeout);
  let courierStopped = Promise.resolve();
  // All at once: the stop takes no longer than it may.
  cleanup.add(async () => {
    const both = [listeners.public, listeners.admin];
    await Promise.all([
      ...both.map((listener) => listener.close(graceMs, stopOptions.patienceMs)),
      courierStopped,
    ]);
  });
  const publicPort = (await listeners.public.listen()).port;
  // With port 0 the public URL is only known now.
  tenant = { ...tenant, settings: toTenantSettings(config, publicPort, pages !== undefined) };
  const { port: adminPort } = await listeners.admin.listen();
  cleanup.add(() => {
    if (stopOptions.patienceMs === undefined) readiness.stop();
  });

  const jobFigures = watchJobs(metrics, jobNames, clock);
  const jobs = storage.startJobs({
    onRun: jobFigures.onRun,
    retentionMs: durationMs(config.config.database.retention),
    messageRetentionMs: durationMs(config.config.tenantDefaults.courier.retention),
    eventRetention: eventRetentionOf(config.config.database.eventRetention),
    clock,
    onLinksDeleted: (tenantId, links) => {
      if (tenantId === tenant.tenantId) domain.keptTokens.revoke(tenant, links);
    },
  });
  jobFigures.watchPool(() => jobs.figures());
  cleanup.add(() => jobs.stop());
  const courier = await startCourier(options, {
    ...{ ...messages, clock, openChannel: storage.openMessageChannel, tenants },
    store: countingAttempts(storage.messages, metrics),
    smsLimits: domain.smsLimits,
    mailReach,
    arrivals: domain.arrivals,
    http: domain.outbound.http,
  });
  cleanup.add(() => {
    courierStopped = courier.stop(graceMs);
    // Awaited beside the listeners.
    courierStopped.catch(() => {});
  });
  for (const warning of config.warnings) logger.warn({}, warning);

  const renew = (fileText?: string) => {
    const steps = [config.renew(fileText), listeners.public.renewTls(), listeners.admin.renewTls()];
    return () => {
      for (const step of steps) step();
      const url = config.secrets.databaseUrl();
      if (url !== undefined) storage.useUrl(url.reveal());
    };
  };
  const { admin } = config.config.server;
  const scheme = admin.tls === undefined ? "http" : "https";
  return {
    publicUrl: tenant.settings.publicUrl,
    pagesUrl: pages === undefined ? undefined : `${tenant.settings.publicUrl}/ui/`,
    adminUrl: `${scheme}://${admin.host.includes(":") ? `[${admin.host}]` : admin.host}:${adminPort}`,
    publicPort,
    bootstrapKey,
    mailboxLink: await mailbox?.announce(),
    figures: () => packFigures(metrics.read()),
    eventFeed: feed,
    renew,
    reload: async () => renew()(),
    stop: (how = {}) => {
      stopOptions = how;
      return cleanup.run();
    },
    failed: database.failed,
  };
}

/** Opens the feed of events. */
function openFeed({ config }: AppOptions, storage: Storage, cleanup: Cleanup): EventFeed {
  const { maxStaleness } = config.config.tenantDefaults.session;
  const { feed, stop } = storage.openEventFeed({ intervalMs: durationMs(maxStaleness) / readsInStaleness });
  cleanup.add(stop);
  return feed;
}

/** Makes the cache of sessions, which hears of all changes. */
function openSessionCache({ config }: AppOptions, storage: Storage, feed: EventFeed): SessionCache {
  const { maxEntries, maxBytes } = config.config.server.sessionCache;
  const maxStalenessMs = durationMs(config.config.tenantDefaults.session.maxStaleness);
  const cache = new SessionCache(feed, { maxEntries, maxBytes, maxStalenessMs });
  feed.follow(cache);
  storage.onOwnEvents((_tenantId, events) => cache.noteOwn(events));
  return cache;
}

function eventRetentionOf(
  retention: AppOptions["config"]["config"]["database"]["eventRetention"],
): EventRetention {
  return {
    classesMs: {
      changes: durationMs(retention.changes),
      sign_ins: durationMs(retention.signIns),
      failures: durationMs(retention.failures),
      unknown_names: durationMs(retention.unknownNames),
      messages: durationMs(retention.messages),
    },
    clientDetailsMs: durationMs(retention.clientDetails),
  };
}

/** Whether each provider can be used, as far as is known. */
function providerStates(
  client: Pick<ProviderClient, "isAvailable">,
  providers: readonly Provider[],
): Readonly<Record<string, boolean>> {
  return Object.fromEntries(
    providers.map((provider) => [`oidc.${provider.id}`, client.isAvailable(provider)]),
  );
}

/** The one tenant. Its settings are asked for each time: the public URL is only known once a port is bound. */
class OneTenant implements Tenants {
  readonly #current: () => Tenant;

  constructor(current: () => Tenant) {
    this.#current = current;
  }

  byName(name: string): Tenant | undefined {
    return name === tenantName ? this.#current() : undefined;
  }

  byHost(): Tenant {
    return this.#current();
  }
}

async function startDatabase(
  options: AppOptions,
  cleanup: Cleanup,
): Promise<{ storage: Storage; failed: Promise<Error> }> {
  const { config, logger } = options;
  let failed = new Promise<Error>(() => {});
  let url = config.secrets.databaseUrl()?.reveal() ?? options.worker?.embeddedUrl;
  if (url === undefined) {
    const embedded = await startEmbeddedDatabase(options);
    cleanup.add(() => embedded.stop());
    ({ url, failed } = embedded);
  }
  await config.secrets.prepare();
  const { poolSize, statementTimeout, acquireTimeout } = config.config.database;
  const storage = await openStorage({
    url,
    // One key bounds all connections of a process.
    poolSize: poolSize - connectionsBesideCalls,
    statementTimeoutMs: durationMs(statementTimeout),
    acquireTimeoutMs: durationMs(acquireTimeout),
    logger,
    onStatement: options.onStatement,
  });
  cleanup.add(() => storage.close());
  return { storage, failed };
}

/** A running embedded PostgreSQL. */
export interface EmbeddedDatabase {
  /** Where to connect, with the password. */
  readonly url: string;
  /** Resolves if it has ended for good, or with its stop. */
  readonly failed: Promise<Error>;
  stop(): Promise<void>;
}

/** Starts the embedded PostgreSQL: of a server alone, or by the parent of several workers. */
export async function startEmbeddedDatabase(
  { config, logger }: Pick<AppOptions, "config" | "logger">,
  workers = 1,
): Promise<EmbeddedDatabase> {
  const { dataDirectory, poolSize } = config.config.database;
  // While workers are replaced there is one more; and there are those of migrations, of looks at the start and of who repairs something.
  const maxConnections = Math.max(100, (workers + 1) * poolSize + 20);
  const { url, exited, stop } = await startEmbeddedPostgres({ dataDirectory, logger, maxConnections });
  const failed = exited.then((code) => new Error(`the embedded PostgreSQL ended with code ${code}`));
  return { url, failed, stop };
}

/** Runs work on the database alone, without serving. */
async function withStorage<T>(options: AppOptions, work: (storage: Storage) => Promise<T>): Promise<T> {
  const cleanup = new Cleanup();
  try {
    const { storage } = await startDatabase(options, cleanup);
    return await work(storage);
  } finally {
    await cleanup.run();
  }
}

async function bringUpToDate({ config }: AppOptions, storage: Storage): Promise<void> {
  const pending = await storage.pendingMigrations();
  if (pending.length === 0) return;
  if (!config.config.database.migrateOnStart) {
    throw new Error(
      `The database lacks the migrations ${pending.join(", ")}: run "ostiary migrate", or set database.migrate_on_start`,
    );
  }
  await storage.migrate();
}

async function defaultTenant(
  { config, clock = systemClock }: AppOptions,
  storage: Storage,
  servesPages = false,
): Promise<Tenant> {
  const { port } = config.config.server.public;
  const tenantId = await storage.ensureTenant(tenantName, clock.now());
  return { tenantId, name: tenantName, settings: toTenantSettings(config, port, servesPages) };
}

async function loadSchemas(
  { config }: AppOptions,
  schemas: IdentitySchemas,
  tenantId: TenantId,
): Promise<void> {
  const { schemas: configured, problems } = loadIdentitySchemas(config.config);
  const [problem] = problems;
  if (problem !== undefined) throw new Error(problem.message);
  const builtIn = { id: builtInSchemaId, document: defaultSchemaDocument };
  await schemas.load({ tenantId }, configured.length === 0 ? [builtIn] : configured);
}

const noKey = { key: undefined, file: undefined };

/** Makes the first key at the first start, in a file that only its owner can read. */
async function keepBootstrapKey(
  { config }: AppOptions,
  apiKeys: ApiKeys,
  tenant: Tenant,
): Promise<RunningApp["bootstrapKey"]> {
  const { dataDirectory } = config.config.database;
  const file = join(dataDirectory, "admin-api-key");
  const created = await apiKeys.createBootstrap(tenant, async (secret) => {
    await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
    await writeFile(file, `${secret.reveal()}\n`, { mode: 0o600, flush: true });
  });
  const kept = await readFile(file).then(
    () => file,
    // Its owner has moved the key to a safer place, and need not be told of the file.
    () => undefined,
  );
  return { key: created?.secret, file: kept };
}

/** Writes gathered uses now and then, and once more at the end. */
function flushRegularly(
  recorders: readonly { flush(): Promise<void> }[],
  logger: Logger,
  intervalMs = flushIntervalMs,
): () => Promise<void> {
  const flush = async () => {
    for (const recorder of recorders) await recorder.flush();
  };
  const report = (error: unknown) => logger.error({ err: error }, "what was gathered could not be written");
  const timer = setInterval(() => void flush().catch(report), intervalMs);
  return async () => {
    clearInterval(timer);
    await flush();
  };
}
