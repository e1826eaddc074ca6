/**
 * The wiring: the only file that may import every room. Read it from top to bottom to see what the server is made
 * of; nothing here decides anything.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { ApiKeyService as ApiKeyContract } from "../gen/ostiary/access/v1/api_key_service_pb.js";
import { ThrottleService as ThrottleContract } from "../gen/ostiary/access/v1/throttle_service_pb.js";
import { CourierService as CourierContract } from "../gen/ostiary/courier/v1/courier_service_pb.js";
import { LoginService as LoginContract } from "../gen/ostiary/flow/v1/login_service_pb.js";
import { RecoveryService as RecoveryContract } from "../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService as RegistrationContract } from "../gen/ostiary/flow/v1/registration_service_pb.js";
import { SettingsService as SettingsContract } from "../gen/ostiary/flow/v1/settings_service_pb.js";
import { VerificationService as VerificationContract } from "../gen/ostiary/flow/v1/verification_service_pb.js";
import { IdentitySchemaService as IdentitySchemaContract } from "../gen/ostiary/identity/v1/identity_schema_service_pb.js";
import { IdentityService as IdentityContract } from "../gen/ostiary/identity/v1/identity_service_pb.js";
import { InvitationService as InvitationContract } from "../gen/ostiary/identity/v1/invitation_service_pb.js";
import { SessionAdminService as SessionAdminContract } from "../gen/ostiary/session/v1/session_admin_service_pb.js";
import { SessionService as SessionContract } from "../gen/ostiary/session/v1/session_service_pb.js";
import { createRenderer, openMailbox, startCourier } from "./app-courier.ts";
import { createListeners } from "./app-listeners.ts";
import { builtInSchemaId, pagesWanted, toTenantSettings } from "./app-settings.ts";
import type { AppOptions, RunningApp } from "./app-types.ts";
import { loadIdentitySchemas } from "./config/identity-schemas.ts";
import { createCommonPasswords } from "./crypto/common-passwords.ts";
import { createFormTokens } from "./crypto/form-tokens.ts";
import { createKeyedDigests } from "./crypto/keyed-digests.ts";
import { createOneTimeCodes } from "./crypto/one-time-codes.ts";
import { availableHashingConcurrency, createPasswordHasher } from "./crypto/password-hasher.ts";
import { createSealer } from "./crypto/sealer.ts";
import { createTokens } from "./crypto/tokens.ts";
import { ApiKeys } from "./domain/access/api-keys.ts";
import { Messages } from "./domain/courier/messages.ts";
import { Outbox } from "./domain/courier/outbox.ts";
import { LoginHistory } from "./domain/event/login-history.ts";
import { AccountDeletion } from "./domain/flow/account-deletion.ts";
import { AddressProofs } from "./domain/flow/address-proofs.ts";
import { FlowKeeper } from "./domain/flow/flow-keeper.ts";
import { LoginCompletions } from "./domain/flow/login-completion.ts";
import { LoginFlows } from "./domain/flow/login-flows.ts";
import { NewAccounts } from "./domain/flow/new-accounts.ts";
import { OperatorFlows } from "./domain/flow/operator-flows.ts";
import { OperatorSends } from "./domain/flow/operator-sends.ts";
import { PasswordSettings } from "./domain/flow/password-settings.ts";
import { ProfileSettings } from "./domain/flow/profile-settings.ts";
import { RecoveryFlows } from "./domain/flow/recovery-flows.ts";
import { RegistrationFlows } from "./domain/flow/registration-flows.ts";
import { SecondFactorStage } from "./domain/flow/second-factor-stage.ts";
import { SettingsFlows } from "./domain/flow/settings-flows.ts";
import { SettingsView } from "./domain/flow/settings-view.ts";
import { VerificationFlows } from "./domain/flow/verification-flows.ts";
import { IdempotencyRunner } from "./domain/idempotency/idempotency.ts";
import { Credentials } from "./domain/identity/credentials.ts";
import { defaultSchemaDocument } from "./domain/identity/default-schema.ts";
import { Identities } from "./domain/identity/identities.ts";
import { NewPasswords } from "./domain/identity/new-passwords.ts";
import { PasswordChecks } from "./domain/identity/password-checks.ts";
import { IdentitySchemas } from "./domain/identity/schemas.ts";
import type { ApiKeyId, SessionId, TenantId } from "./domain/ids.ts";
import { Invitations } from "./domain/invitation/invitations.ts";
import { CodeMethod } from "./domain/method/code/code-method.ts";
import { LinkMethod } from "./domain/method/link/link-method.ts";
import { PasswordMethod } from "./domain/method/password/password-method.ts";
import { createPasswordPolicy } from "./domain/method/password/policy.ts";
import { PageTokens } from "./domain/paging/page-tokens.ts";
import type { Clock } from "./domain/ports.ts";
import type { Secret } from "./domain/secret.ts";
import { Sessions } from "./domain/session/sessions.ts";
import type { Tenant, Tenants } from "./domain/tenant/tenant.ts";
import { Devices } from "./domain/throttle/devices.ts";
import { Throttle } from "./domain/throttle/throttle.ts";
import { ThrottleAdmin } from "./domain/throttle/throttle-admin.ts";
import { UseRecorder } from "./domain/use-recorder.ts";
import { createBreachedPasswords } from "./outbound/breached-passwords.ts";
import { createGuardedFetch } from "./outbound/guarded-fetch.ts";
import { startEmbeddedPostgres } from "./storage/embedded-postgres.ts";
import { openStorage, type Storage } from "./storage/storage.ts";
import type { HttpHandler } from "./transport/http/health.ts";
import { Readiness } from "./transport/http/readiness.ts";
import { loadStaticFiles } from "./transport/http/static-files.ts";
import { ApiKeyService } from "./transport/rpc/api-key-service.ts";
import { CourierService } from "./transport/rpc/courier-service.ts";
import { IdentitySchemaService } from "./transport/rpc/identity-schema-service.ts";
import { IdentityService } from "./transport/rpc/identity-service.ts";
import { InvitationService } from "./transport/rpc/invitation-service.ts";
import { LoginService } from "./transport/rpc/login-service.ts";
import { RecoveryService } from "./transport/rpc/recovery-service.ts";
import { RegistrationService } from "./transport/rpc/registration-service.ts";
import { SessionAdminService } from "./transport/rpc/session-admin-service.ts";
import { SessionService } from "./transport/rpc/session-service.ts";
import { SettingsService } from "./transport/rpc/settings-service.ts";
import { ThrottleService } from "./transport/rpc/throttle-service.ts";
import { VerificationService } from "./transport/rpc/verification-service.ts";
import { startTracing } from "./transport/telemetry.ts";

const tenantName = "default";
/** How often gathered uses are written. */
const flushIntervalMs = 15_000;
/** How often the database is asked whether it is there. */
const watchIntervalMs = 500;
/** Where the build puts the self-service pages, in a checkout and in the published package. */
const pagesFolder = fileURLToPath(new URL("../ui/dist", import.meta.url));
const systemClock: Clock = { now: () => new Date() };

/** What was started, to be stopped in reverse order. */
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
  const renderer = await createRenderer(config);
  const tracing = await startTracing({
    environment: options.environment ?? {},
    version: options.version,
    logger,
  });
  if (tracing !== undefined) cleanup.add(() => tracing.shutdown());
  const database = await startDatabase(options, cleanup);
  const { storage } = database;
  await bringUpToDate(options, storage);

  let tenant = await defaultTenant(options, storage);
  const tenants = new OneTenant(() => tenant);
  const domain = createDomain(options, storage, tenants);
  await loadSchemas(options, domain.schemas, tenant.id);
  const bootstrapKey = config.embedded ? await keepBootstrapKey(options, domain.apiKeys, tenant) : noKey;

  const readiness = new Readiness(["database"]);
  readiness.report("database", true);
  cleanup.add(watchDatabase(storage, readiness));
  cleanup.add(() => domain.outbound.http.close());
  cleanup.add(flushRegularly([domain.sessionUses, domain.apiKeyUses]));

  const { sessions, apiKeys, outbox } = domain;
  const pages = loadPages(options, () => tenant.settings.publicUrl);
  const services = createServices(domain);
  const messages = { store: storage.messages, outbox, renderer };
  const mailbox = await openMailbox(config, { ...messages, tenants });
  const tracer = tracing?.tracer;
  const listeners = createListeners({
    options,
    readiness,
    tenants,
    sessions,
    apiKeys,
    services,
    pages,
    tracer,
    clock,
    publicRoutes: mailbox?.routes,
  });
  const publicPort = (await listeners.public.listen()).port;
  cleanup.add(() => listeners.public.close(durationMs(config.config.server.shutdownTimeout)));
  // With port 0 the public URL is only known now.
  tenant = { ...tenant, settings: toTenantSettings(config.config, publicPort, pages !== undefined) };
  const { port: adminPort } = await listeners.admin.listen();
  cleanup.add(() => listeners.admin.close(durationMs(config.config.server.shutdownTimeout)));
  cleanup.add(() => readiness.stop());

  const jobs = await storage.startJobs({
    retentionMs: durationMs(config.config.database.retention),
    messageRetentionMs: durationMs(config.config.tenantDefaults.courier.retention),
    clock,
  });
  cleanup.add(() => jobs.stop());
  const listen = (onMessages: () => void) => storage.listenForMessages(onMessages);
  const courier = await startCourier(options, { ...messages, clock, listen, http: domain.outbound.http });
  cleanup.add(() => courier.stop());
  for (const warning of config.warnings) logger.warn({}, warning);

  const { admin } = config.config.server;
  const scheme = admin.tls === undefined ? "http" : "https";
  return {
    publicUrl: tenant.settings.publicUrl,
    pagesUrl: pages === undefined ? undefined : `${tenant.settings.publicUrl}/ui/`,
    adminUrl: `${scheme}://${admin.host.includes(":") ? `[${admin.host}]` : admin.host}:${adminPort}`,
    publicPort,
    bootstrapKey,
    mailboxLink: await mailbox?.announce(publicPort),
    reload: async () => {
      config.reload();
      const url = config.secrets.databaseUrl();
      if (url !== undefined) storage.useUrl(url.reveal());
      listeners.public.reloadTls();
      listeners.admin.reloadTls();
    },
    stop: () => cleanup.run(),
    failed: database.failed,
  };
}

/** The files of the self-service pages by their paths; undefined if they are not served. */
function loadPages(
  { config }: AppOptions,
  publicUrl: () => string,
): ReadonlyMap<string, HttpHandler> | undefined {
  const wanted = pagesWanted(config.config);
  if (wanted === "never") return undefined;
  const pages = loadStaticFiles(pagesFolder, "ui", publicUrl);
  if (pages === undefined && wanted === "always") {
    throw new Error("server.ui.enabled: the pages are not built: run `make ui`, or switch them off");
  }
  return pages;
}

/** Everything that decides, on everything that is stored. */
function createDomain(options: AppOptions, storage: Storage, tenants: Tenants) {
  const { config, logger, clock = systemClock } = options;
  const { concurrency, queueLimit } = config.config.hashing;
  const tokens = createTokens();
  const sealer = createSealer(() => config.secrets.sealing());
  const outbox = new Outbox({ sealer });
  const pageTokens = new PageTokens({ sealer });
  const hasher = createPasswordHasher({
    concurrency: concurrency === 0 ? availableHashingConcurrency() : concurrency,
    queueLimit,
  });
  const outbound = createOutbound(options);
  const policy = createPasswordPolicy({
    commonPasswords: createCommonPasswords(),
    breachedPasswords: outbound.breachedPasswords,
  });
  const passwordMethod = new PasswordMethod({ hasher, policy });
  const schemas = new IdentitySchemas({ store: storage.schemas, pageTokens, clock });
  const idempotency = new IdempotencyRunner({
    transactions: storage,
    store: storage.idempotency,
    sealer,
    clock,
  });

  const sessionUses = new UseRecorder<SessionId>({
    write: (uses) => storage.sessions.recordUse(uses),
    clock,
    logger,
  });
  const apiKeyUses = new UseRecorder<ApiKeyId>({
    write: (uses) => storage.apiKeys.recordUse(uses),
    clock,
    logger,
  });
  const sessions = new Sessions({ store: storage.sessions, tokens, pageTokens, uses: sessionUses, clock });
  const apiKeys = new ApiKeys({
    store: storage.apiKeys,
    tokens,
    tenants,
    pageTokens,
    uses: apiKeyUses,
    clock,
  });

  const digests = createKeyedDigests(() => config.secrets.sealing());
  const throttle = new Throttle({
    store: storage.throttle,
    digests,
    devices: new Devices({ tokens, clock }),
    events: storage.events,
    clock,
  });
  const throttleAdmin = new ThrottleAdmin({
    store: storage.throttle,
    identities: storage.identities,
    digests,
    clock,
  });
  const keeper = new FlowKeeper({ flows: storage.flows, tokens, formTokens: createFormTokens(), clock });
  const proofs = new AddressProofs({
    methods: [
      new CodeMethod({ codes: createOneTimeCodes(() => config.secrets.sealing()) }),
      new LinkMethod({ tokens }),
    ],
    flows: storage.flows,
    throttle,
    tokens,
    outbox,
    clock,
  });
  const loginMethods = [passwordMethod];
  const secondFactors = new SecondFactorStage({ flows: storage.flows, methods: loginMethods, clock });
  const loginFlows = new LoginFlows({
    keeper,
    flows: storage.flows,
    completions: new LoginCompletions({
      keeper,
      flows: storage.flows,
      events: storage.events,
      throttle,
      tokens,
      clock,
    }),
    methods: loginMethods,
    proofs,
    throttle,
    secondFactors,
  });
  const verificationFlows = new VerificationFlows({ keeper, flows: storage.flows, proofs, clock });
  const invitations = new Invitations({
    store: storage.invitations,
    schemas,
    tokens,
    pageTokens,
    outbox,
    clock,
  });
  const registrationFlows = new RegistrationFlows({
    keeper,
    flows: storage.flows,
    schemas,
    methods: [passwordMethod],
    proofs,
    invitations,
    throttle,
    accounts: new NewAccounts({
      keeper,
      flows: storage.flows,
      verifications: verificationFlows,
      throttle,
      tokens,
      clock,
    }),
  });
  const settingsMethods = [passwordMethod];
  const view = new SettingsView({ keeper, schemas, methods: settingsMethods, proofs });
  const changes = { keeper, view, store: storage.settings, outbox, clock };
  const settingsFlows = new SettingsFlows({
    keeper,
    flows: storage.flows,
    methods: settingsMethods,
    view,
    profile: new ProfileSettings({ ...changes, flows: storage.flows, schemas, proofs }),
    password: new PasswordSettings({ ...changes, tokens }),
    deletion: new AccountDeletion(changes),
    logins: loginFlows,
    clock,
  });
  const recoveryFlows = new RecoveryFlows({
    keeper,
    flows: storage.flows,
    proofs,
    settings: settingsFlows,
    secondFactors,
    outbox,
    tokens,
    clock,
  });
  const operatorFlows = new OperatorFlows({
    identities: storage.identities,
    flows: storage.flows,
    proofs,
    tokens,
    clock,
  });
  const logins = new LoginHistory({ events: storage.events, pageTokens });
  const passwords = new NewPasswords({ policy, hasher });
  const identities = new Identities({
    store: storage.identities,
    schemas,
    passwords,
    pageTokens,
    outbox,
    clock,
  });
  const credentials = new Credentials({
    identities: storage.identities,
    transactions: storage,
    passwords,
    outbox,
    clock,
  });
  const passwordChecks = new PasswordChecks({
    identities: storage.identities,
    events: storage.events,
    throttle,
    hasher,
    clock,
  });
  const messages = new Messages({ store: storage.messages, pageTokens, clock });
  return {
    outbound,
    outbox,
    messages,
    sessions,
    sessionUses,
    apiKeys,
    apiKeyUses,
    loginFlows,
    registrationFlows,
    verificationFlows,
    recoveryFlows,
    settingsFlows,
    operatorFlows,
    invitations,
    operatorSends: new OperatorSends(),
    logins,
    identities,
    credentials,
    passwordChecks,
    schemas,
    idempotency,
    throttleAdmin,
  };
}

type Domain = ReturnType<typeof createDomain>;

/** What calls other servers. */
function createOutbound({ config, logger, clock = systemClock }: AppOptions) {
  const { allowedPrivateHosts, extraPorts, breachedPasswords } = config.config.server.outbound;
  const http = createGuardedFetch({ allowedPrivateHosts, extraPorts });
  return {
    http,
    breachedPasswords: createBreachedPasswords({
      url: breachedPasswords.url,
      timeoutMs: durationMs(breachedPasswords.timeout),
      cacheLifetimeMs: durationMs(breachedPasswords.cacheLifetime),
      http,
      clock,
      logger,
    }),
  };
}

/** The classes that carry out the services; each service's `listener` option says where it is served. */
function createServices(domain: Domain) {
  const { sessions, apiKeys, identities, credentials, passwordChecks, schemas, idempotency } = domain;
  return [
    { service: LoginContract, implementation: new LoginService({ flows: domain.loginFlows }) },
    {
      service: RegistrationContract,
      implementation: new RegistrationService({ flows: domain.registrationFlows }),
    },
    {
      service: VerificationContract,
      implementation: new VerificationService({ flows: domain.verificationFlows }),
    },
    { service: RecoveryContract, implementation: new RecoveryService({ flows: domain.recoveryFlows }) },
    { service: SettingsContract, implementation: new SettingsService({ flows: domain.settingsFlows }) },
    { service: SessionContract, implementation: new SessionService({ sessions, logins: domain.logins }) },
    { service: SessionAdminContract, implementation: new SessionAdminService({ sessions, identities }) },
    {
      service: IdentityContract,
      implementation: new IdentityService({
        identities,
        credentials,
        passwordChecks,
        operatorFlows: domain.operatorFlows,
        operatorSends: domain.operatorSends,
        logins: domain.logins,
        idempotency,
      }),
    },
    {
      service: InvitationContract,
      implementation: new InvitationService({ invitations: domain.invitations, idempotency }),
    },
    {
      service: IdentitySchemaContract,
      implementation: new IdentitySchemaService({ schemas }),
    },
    { service: CourierContract, implementation: new CourierService({ messages: domain.messages }) },
    { service: ApiKeyContract, implementation: new ApiKeyService({ apiKeys, idempotency }) },
    { service: ThrottleContract, implementation: new ThrottleService({ throttle: domain.throttleAdmin }) },
  ];
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
  let url = config.secrets.databaseUrl()?.reveal();
  if (url === undefined) {
    const { dataDirectory } = config.config.database;
    const embedded = await startEmbeddedPostgres({ dataDirectory, logger });
    cleanup.add(() => embedded.stop());
    url = embedded.url;
    failed = embedded.exited.then((code) => new Error(`the embedded PostgreSQL ended with code ${code}`));
  }
  await config.secrets.prepare();
  const { poolSize, statementTimeout, acquireTimeout } = config.config.database;
  const storage = await openStorage({
    url,
    poolSize,
    statementTimeoutMs: durationMs(statementTimeout),
    acquireTimeoutMs: durationMs(acquireTimeout),
    logger,
    onStatement: options.onStatement,
  });
  cleanup.add(() => storage.close());
  return { storage, failed };
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

async function defaultTenant({ config, clock = systemClock }: AppOptions, storage: Storage): Promise<Tenant> {
  const { port } = config.config.server.public;
  const id: TenantId = await storage.ensureTenant(tenantName, clock.now());
  return { id, name: tenantName, settings: toTenantSettings(config.config, port) };
}

async function loadSchemas(
  { config, logger }: AppOptions,
  schemas: IdentitySchemas,
  tenantId: TenantId,
): Promise<void> {
  const { schemas: configured, problems } = loadIdentitySchemas(config.config);
  const [problem] = problems;
  if (problem !== undefined) throw new Error(problem.message);
  const builtIn = { id: builtInSchemaId, document: defaultSchemaDocument };
  const warnings = await schemas.load({ tenantId }, configured.length === 0 ? [builtIn] : configured);
  for (const warning of warnings) logger.warn({}, warning);
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

/** Tells readiness how the database is, until it is stopped. */
function watchDatabase(storage: Storage, readiness: Readiness): () => void {
  let askedAt: number | undefined;
  const ask = async () => {
    if (askedAt !== undefined) {
      // No answer for two rounds is an answer as well.
      if (Date.now() - askedAt > 2 * watchIntervalMs) readiness.report("database", false);
      return;
    }
    askedAt = Date.now();
    const ready = await storage.ping().then(
      () => true,
      () => false,
    );
    askedAt = undefined;
    readiness.report("database", ready);
  };
  const timer = setInterval(() => void ask(), watchIntervalMs);
  return () => clearInterval(timer);
}

/** Writes gathered uses now and then, and once more at the end. */
function flushRegularly(recorders: readonly { flush(): Promise<void> }[]): () => Promise<void> {
  const flush = async () => {
    for (const recorder of recorders) await recorder.flush();
  };
  const timer = setInterval(() => void flush(), flushIntervalMs);
  return async () => {
    clearInterval(timer);
    await flush();
  };
}
