/** Wires the preview of the pages: the flows as the server has them, on samples in the place of stores. */
import { randomBytes } from "node:crypto";
import { systemClock } from "./app-domain.ts";
import { pagesFolder } from "./app-prepare.ts";
import { toTenantSettings } from "./app-settings.ts";
import { loadIdentitySchemas } from "./config/identity-schemas.ts";
import { type LoadedConfig, loadConfig } from "./config/load-config.ts";
import { createBoundChallenges } from "./crypto/bound-challenges.ts";
import { createFormTokens } from "./crypto/form-tokens.ts";
import { createKeyedDigests } from "./crypto/keyed-digests.ts";
import { createOneTimeCodes } from "./crypto/one-time-codes.ts";
import { createSealer } from "./crypto/sealer.ts";
import { createTokens } from "./crypto/tokens.ts";
import { MailReach } from "./domain/courier/mail-reach.ts";
import { createFlows } from "./domain/flow/create-flows.ts";
import { TenantProfiles } from "./domain/flow/tenant-profiles.ts";
import type { SchemaStore } from "./domain/identity/schema-store.ts";
import { type ConfiguredSchema, IdentitySchemas } from "./domain/identity/schemas.ts";
import { TraitsEtags } from "./domain/identity/traits-etags.ts";
import { newId, type TenantId } from "./domain/ids.ts";
import type { FlowKind } from "./domain/kinds.ts";
import { createMethods } from "./domain/method/create-methods.ts";
import type { Clock } from "./domain/ports.ts";
import type { ProviderClient } from "./domain/provider/provider.ts";
import { Secret } from "./domain/secret.ts";
import type { Tenant, TenantSettings } from "./domain/tenant/tenant.ts";
import { Preview } from "./preview/preview.ts";
import { type RunningPreview, servePreview } from "./preview/preview-server.ts";
import { previewServices } from "./preview/preview-services.ts";
import { previewStates } from "./preview/preview-states.ts";
import { refusing } from "./preview/refusing.ts";
import { SampleFlows } from "./preview/sample-flows.ts";
import { sampleSchemas } from "./preview/sample-schemas.ts";
import { Samples, unavailableProvider } from "./preview/samples.ts";
import { loadStaticFiles } from "./transport/pages/static-files.ts";

interface PreviewOptions {
  readonly config: LoadedConfig;
  /** 0: any free one. */
  readonly port: number;
  /** Default: the real time. */
  readonly clock?: Clock | undefined;
}

/** Serves every state of the pages to this machine. Throws if they are not built, or the port is taken. */
export function startPreview({ config, port, clock = systemClock }: PreviewOptions): Promise<RunningPreview> {
  return servePreview(port, async (bound) => {
    const pages = loadStaticFiles(pagesFolder, "ui", () => `http://localhost:${bound}`);
    if (pages === undefined) throw new Error("the pages are not built: run `make ui` first");
    const { preview, tenant } = await createPreview({ config, port: bound, clock });
    return { preview, pages, services: previewServices({ preview, tenant, clock }) };
  });
}

/** The states, and what draws them. */
export async function createPreview({ config, port, clock = systemClock }: PreviewOptions) {
  const tokens = createTokens();
  // Nothing lasts longer than the process.
  const secrets = [new Secret(randomBytes(32).toString("base64url"))];
  const sealer = createSealer(() => secrets);
  const digests = createKeyedDigests(() => secrets);
  const methods = createMethods({
    ...{ tokens, sealer, clock },
    codes: createOneTimeCodes(() => secrets),
    challenges: createBoundChallenges(() => secrets),
    providers: refusing<ProviderClient>("provider client", {
      isAvailable: ({ id }) => id !== unavailableProvider,
    }),
    hasher: refusing("password hasher"),
    policy: refusing("password policy"),
    breaches: refusing("list of breached passwords"),
    passkeys: refusing("passkey verifier"),
    logger: refusing("log"),
  });
  const schemas = new IdentitySchemas({
    store: refusing<SchemaStore>("schema store", {
      save: async (_scope, id, document, createdAt) => ({ id, version: 1, createdAt, document }),
    }),
    pageTokens: refusing("page tokens"),
    clock,
  });
  const settings = previewSettings(config, port);
  const tenantWith = async (documents: readonly ConfiguredSchema[]): Promise<Tenant> => {
    const tenant = { tenantId: newId<TenantId>(clock.now()), name: "default", settings };
    await schemas.load(tenant, documents);
    return tenant;
  };
  const { schemas: configured, problems } = loadIdentitySchemas(config.config);
  const [problem] = problems;
  if (problem !== undefined) throw new Error(problem.message);
  const tenants = {
    person: await tenantWith(sampleSchemas.person),
    rich: await tenantWith(sampleSchemas.rich),
    own: configured.length === 0 ? undefined : await tenantWith(configured),
  };
  const tenant = tenants.person;
  const samples = new Samples({ clock, methods, tenant });
  const sampleFlows = new SampleFlows({
    ...{ tokens, sealer, clock, tenants },
    session: () => samples.session(),
  });
  const { any, tables } = createFlows({
    ...{ methods, schemas, sealer, digests, tokens, clock },
    stores: {
      flows: sampleFlows.store,
      settings: refusing("settings store"),
      identities: refusing("identity store"),
      sessions: refusing("session store"),
      messages: refusing("message store"),
    },
    etags: new TraitsEtags({ digests }),
    formTokens: createFormTokens(),
    invitations: refusing("invitations"),
    throttle: refusing("throttle"),
    // Nobody has tried anything.
    failedAttempts: { note: (_scope, events) => events },
    smsLimits: refusing("limits of text messages"),
    mailReach: new MailReach("yes"),
    arrivals: { isOpenlyBounced: async () => false, prove: async () => {} },
    releases: refusing("credential releases"),
    oauth2: refusing("OAuth2 server"),
    outbox: refusing("outbox"),
  });
  const profiles = new TenantProfiles({ schemas, methods, languages: ["en", "de"] });
  const states = previewStates(
    samples,
    configured.map(({ id }) => id),
  );
  return {
    preview: new Preview({ states, samples, sampleFlows, flows: any, tables, profiles, tenant }),
    tenant,
  };
}

/** The configured branding and providers, with everything switched on that pages draw. */
function previewSettings(config: LoadedConfig, port: number): TenantSettings {
  const { providers } = config.providers.length > 0 ? config : sampleProviders();
  const publicUrl = `http://localhost:${port}`;
  const settings = toTenantSettings({ ...config, providers }, port, true);
  const { code, link, passkey, smsFactor } = settings;
  const kinds: ReadonlySet<FlowKind> = new Set([
    "login",
    "registration",
    "verification",
    "recovery",
    "settings",
  ]);
  const pageOf = (kind: FlowKind) => `${publicUrl}/ui/${kind}`;
  return {
    ...settings,
    publicUrl,
    uiUrls: {
      login: pageOf("login"),
      registration: pageOf("registration"),
      verification: pageOf("verification"),
      recovery: pageOf("recovery"),
      settings: pageOf("settings"),
    },
    registration: { ...settings.registration, mode: "open" },
    recovery: { ...settings.recovery, enabled: true },
    verification: { ...settings.verification, enabled: true },
    settings: { ...settings.settings, accountDeletion: { enabled: true, graceMs: 14 * 24 * 3_600_000 } },
    password: { ...settings.password, enabled: true },
    code: { ...code, enabledFor: kinds },
    link: { ...link, enabledFor: kinds },
    totp: { enabled: true },
    backupCode: { ...settings.backupCode, enabled: true },
    smsFactor: { ...smsFactor, enabled: true },
    passkey: {
      ...passkey,
      enabled: true,
      rpId: "localhost",
      origins: [publicUrl],
      useAs: "either",
      offerAfterLogin: true,
    },
    terms: [{ id: "terms", version: "2", title: "Terms of use", url: `${publicUrl}/` }],
  };
}

/** Some providers, where none is configured. */
function sampleProviders(): Pick<LoadedConfig, "providers"> {
  const client = { client_id: "sample", client_secret: "sample" };
  const providers = ["google", "github", "microsoft"].map((id) => ({ id, preset: id, ...client }));
  const variable = { OSTIARY_TENANT_DEFAULTS_OIDC_PROVIDERS: JSON.stringify(providers) };
  return loadConfig({ environment: variable, flags: {} });
}
