/** From the configuration's message to the settings of the domain. Only src/app.ts imports this. */
import { WhenUnavailable } from "../gen/ostiary/config/v1/config_pb.js";
import type { CompleteConfig } from "./config/complete-config.ts";
import { isLoopbackAddress, isLoopbackHost, isWildcardAddress } from "./config/hosts.ts";
import { durationToMs } from "./config/spans.ts";
import type { BreachCheckSettings, TenantSettings } from "./domain/tenant/tenant.ts";
import type { ThrottleSettings } from "./domain/throttle/limits.ts";

/**
 * The settings of the one tenant. `publicPort` is the port that the public listener really has: the configured one
 * may be 0. It only matters where no `public_url` is configured.
 */
export function toTenantSettings(config: CompleteConfig, publicPort: number): TenantSettings {
  const settings = config.tenantDefaults;
  const { session, password, identity, flows } = settings;
  const publicUrl = publicUrlOf(config, publicPort);
  const uiUrls = { login: textOf(flows.login.uiUrl), registration: textOf(flows.registration.uiUrl) };
  const origins = [publicUrl, ...Object.values(uiUrls), ...settings.allowedOrigins];
  return Object.freeze({
    publicUrl,
    allowedOrigins: new Set(origins.filter((url) => url !== undefined).map((url) => new URL(url).origin)),
    allowedReturnUrls: new Set(settings.allowedReturnUrls),
    defaultReturnUrl: textOf(settings.defaultReturnUrl),
    login: { uiUrl: uiUrls.login, lifetimeMs: durationToMs(flows.login.lifetime) },
    registration: {
      uiUrl: uiUrls.registration,
      lifetimeMs: durationToMs(flows.registration.lifetime),
      enabled: flows.registration.enabled,
    },
    session: {
      lifetimeMs: durationToMs(session.lifetime),
      maxLifetimeMs: durationToMs(session.maxLifetime),
      idleTimeoutMs: durationToMs(session.idleTimeout),
      maxParallel: session.maxParallel,
      cookie: { domain: textOf(session.cookie.domain), persistent: session.cookie.persistent },
    },
    password: {
      minLength: password.minLength,
      maxLength: password.maxLength,
      argon2: {
        memoryKib: password.argon2.memoryKib,
        iterations: password.argon2.iterations,
        parallelism: password.argon2.parallelism,
      },
      breachCheck: breachCheckOf(config),
    },
    throttle: throttleOf(settings.throttle),
    ...schemaIdsOf(identity),
  });
}

function throttleOf(config: CompleteConfig["tenantDefaults"]["throttle"]): ThrottleSettings {
  const limit = ({ count, period }: typeof config.account) => ({ count, periodMs: durationToMs(period) });
  return {
    enabled: config.enabled,
    deviceLifetimeMs: durationToMs(config.deviceLifetime),
    limits: {
      account: limit(config.account),
      account_daily: limit(config.accountDaily),
      device: limit(config.device),
      device_daily: limit(config.deviceDaily),
      address: limit(config.address),
      flow: limit(config.flow),
      registration: limit(config.registration),
      recipient: limit(config.recipient),
      recipient_daily: limit(config.recipientDaily),
      sending: limit(config.sending),
      flow_create: limit(config.flowCreate),
      flow_submit: limit(config.flowSubmit),
      self_service: limit(config.selfService),
      failed_authentication: limit(config.failedAuthentication),
    },
  };
}

/**
 * Unless configured, breached passwords are looked up as soon as the server is there for others: not while somebody
 * tries it out on a machine that may have no network, and expects nothing to leave it.
 */
function breachCheckOf(config: CompleteConfig): BreachCheckSettings {
  const { enabled, minCount, whenUnavailable } = config.tenantDefaults.password.breachCheck;
  return {
    enabled: enabled ?? !isTrial(config),
    minCount,
    whenUnavailable: whenUnavailable === WhenUnavailable.REFUSE ? "refuse" : "accept",
  };
}

function isTrial({ dev, database, server, tenantDefaults }: CompleteConfig): boolean {
  const { publicUrl } = tenantDefaults;
  const isAlone =
    isLoopbackAddress(server.public.host) &&
    (publicUrl === "" || isLoopbackHost(new URL(publicUrl).hostname));
  return dev || (database.url === undefined && isAlone);
}

/** The id of the schema that is there when none is configured. */
export const builtInSchemaId = "default";

function schemaIdsOf(identity: CompleteConfig["tenantDefaults"]["identity"]) {
  const [first] = identity.schemas;
  if (first === undefined) {
    return { defaultSchemaId: builtInSchemaId, selfServiceSchemaIds: new Set([builtInSchemaId]) };
  }
  return {
    defaultSchemaId: identity.defaultSchema === "" ? first.id : identity.defaultSchema,
    selfServiceSchemaIds: new Set(
      identity.schemas.filter(({ selfService }) => selfService).map(({ id }) => id),
    ),
  };
}

/** The configured URL's origin, or one made from the listener: 127.0.0.1 stands in for "all addresses". */
function publicUrlOf(config: CompleteConfig, publicPort: number): string {
  const { publicUrl } = config.tenantDefaults;
  if (publicUrl !== "") return new URL(publicUrl).origin;
  const { host, tls } = config.server.public;
  const name = isWildcardAddress(host) ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;
  return new URL(`${tls === undefined ? "http" : "https"}://${name}:${publicPort}`).origin;
}

function textOf(text: string): string | undefined {
  return text === "" ? undefined : text;
}
