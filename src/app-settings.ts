/** From the configuration's message to the settings of the domain. */
import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  AddressProof,
  BreachedAtLogin,
  LoginStyle,
  PasskeyUse,
  RegistrationMode,
  RegistrationStyle,
  SecondFactorPolicy,
  TokenAlgorithm,
  UserVerification,
  WhenUnavailable,
} from "../gen/ostiary/config/v1/config_pb.js";
import { courierModeOf, mayServeMailbox } from "./config/check-courier.ts";
import { canSetSecret } from "./config/check-methods.ts";
import type { CompleteConfig } from "./config/complete-config.ts";
import type { LoadedConfig } from "./config/load-config.ts";
import { isAtLocalhost } from "./config/localhost.ts";
import { isAddress, isLoopbackAddress, isLoopbackHost, isWildcardAddress } from "./domain/hosts.ts";
import type { FlowKind } from "./domain/kinds.ts";
import {
  androidOrigin,
  appleOrigin,
  passkeyOrigins,
  rpIdOf,
  writtenFingerprint,
} from "./domain/method/passkey/origins.ts";
import type { BrandColors, Branding } from "./domain/tenant/branding.ts";
import type {
  BreachCheckSettings,
  OAuth2ServerSettings,
  PasskeySettings,
  SmsSettings,
  TenantSettings,
} from "./domain/tenant/tenant.ts";
import type { ThrottleSettings } from "./domain/tenant/throttle-settings.ts";

/**
 * The settings of the one tenant. `publicPort` is the port that the public listener really has: the configured one
 * may be 0. It only matters where no `public_url` is configured. `servesPages` says whether the server's own pages are
 * there to draw the flows that have no `ui_url`.
 */
export function toTenantSettings(
  { config, providers, tokenTemplates }: Pick<LoadedConfig, "config" | "providers" | "tokenTemplates">,
  publicPort: number,
  servesPages = false,
): TenantSettings {
  const settings = config.tenantDefaults;
  const canSend = courierModeOf(config) !== "none";
  const { session, password, identity, flows } = settings;
  const publicUrl = publicUrlOf(config, publicPort);
  const uiUrlOf = (configured: string, page: string) =>
    textOf(configured) ?? (servesPages ? `${publicUrl}/ui/${page}` : undefined);
  const uiUrls = {
    login: uiUrlOf(flows.login.uiUrl, "login"),
    registration: uiUrlOf(flows.registration.uiUrl, "registration"),
    verification: uiUrlOf(flows.verification.uiUrl, "verification"),
    recovery: uiUrlOf(flows.recovery.uiUrl, "recovery"),
    settings: uiUrlOf(flows.settings.uiUrl, "settings"),
  };
  const origins = [publicUrl, ...Object.values(uiUrls), ...settings.allowedOrigins];
  return Object.freeze({
    publicUrl,
    allowedOrigins: new Set(origins.filter((url) => url !== undefined).map((url) => new URL(url).origin)),
    // As they are sent: the origin of `new URL("capacitor://localhost")` is the text "null".
    nativeOrigins: new Set(config.server.nativeOrigins),
    allowedReturnUrls: new Set(settings.allowedReturnUrls),
    defaultReturnUrl: textOf(settings.defaultReturnUrl),
    protectedHosts: [...new Set(settings.forwardAuth.rules.map(({ host }) => host))],
    branding: brandingOf(settings.branding, publicUrl),
    mailboxUrl: mayServeMailbox(config) ? `${mailboxHostOf(config, publicUrl, publicPort)}/mailbox` : "",
    uiUrls,
    login: {
      lifetimeMs: durationMs(flows.login.lifetime),
      style: loginStyleOf(flows.login.style),
      newDeviceNotice: flows.login.newDeviceNotice,
    },
    registration: {
      lifetimeMs: durationMs(flows.registration.lifetime),
      mode: modeOf(flows.registration.mode),
      addressProof: addressProofOf(flows.registration.addressProof),
      style: styleOf(flows.registration.style),
      invitationLifetimeMs: durationMs(flows.registration.invitationLifetime),
    },
    verification: {
      lifetimeMs: durationMs(flows.verification.lifetime),
      enabled: flows.verification.enabled ?? canSend,
      afterRegistration: flows.verification.afterRegistration,
    },
    recovery: {
      lifetimeMs: durationMs(flows.recovery.lifetime),
      enabled: flows.recovery.enabled ?? (canSend && canSetSecret(config)),
      sessionAtOnce: flows.recovery.sessionAtOnce,
      holdMs: durationMs(flows.recovery.hold),
    },
    settings: {
      lifetimeMs: durationMs(flows.settings.lifetime),
      privilegedMs: durationMs(flows.settings.privilegedFor),
      accountDeletion: {
        enabled: flows.settings.accountDeletion.enabled,
        graceMs: durationMs(flows.settings.accountDeletion.gracePeriod),
      },
    },
    code: codeSettings(settings, canSend),
    link: {
      enabledFor: new Set<FlowKind>(
        settings.link.enabled
          ? [...(settings.link.login ? (["login"] as const) : []), "registration", "verification", "recovery"]
          : [],
      ),
      lifetimeMs: durationMs(settings.link.lifetime),
    },
    secondFactor: {
      policy: policyOf(settings.secondFactor.policy),
      graceMs: durationMs(settings.secondFactor.gracePeriod),
    },
    terms: settings.terms.map(({ id, version, title, url }) => ({
      id,
      version,
      title,
      url: new URL(url, publicUrl).href,
    })),
    totp: { enabled: settings.totp.enabled },
    backupCode: { enabled: settings.backupCode.enabled, count: settings.backupCode.count },
    providers,
    nativeReturnUrls: new Set(settings.oidc.nativeReturnUrls),
    postLogoutRedirectUrls: settings.oidc.postLogoutRedirectUrls,
    passkey: passkeyOf(settings, publicUrl, Object.values(uiUrls)),
    smsFactor: { enabled: settings.smsFactor.enabled, countsAsAal2: settings.smsFactor.countsAsAal2 },
    sms: smsOf(config),
    session: {
      lifetimeMs: durationMs(session.lifetime),
      maxLifetimeMs: durationMs(session.maxLifetime),
      idleTimeoutMs: durationMs(session.idleTimeout),
      aal2: {
        maxLifetimeMs: durationMs(session.aal2.maxLifetime),
        idleTimeoutMs: durationMs(session.aal2.idleTimeout),
      },
      maxParallel: session.maxParallel,
      cookie: {
        name: session.cookie.name,
        domain: textOf(session.cookie.domain),
        persistent: session.cookie.persistent,
      },
    },
    signedTokens: {
      audiences: session.tokens.audiences,
      issuer: textOf(session.tokens.issuer) ?? publicUrl,
      lifetimeMs: durationMs(session.tokens.lifetime),
      algorithm: algorithmOf(session.tokens.algorithm),
      keyRotationMs: durationMs(session.tokens.keyRotation),
      templates: tokenTemplates,
    },
    password: {
      enabled: password.enabled,
      minLength: password.minLength,
      maxLength: password.maxLength,
      argon2: {
        memoryKib: password.argon2.memoryKib,
        iterations: password.argon2.iterations,
        parallelism: password.argon2.parallelism,
      },
      breachCheck: breachCheckOf(config),
    },
    enumerationSafe: settings.enumerationSafe,
    oauth2Server: oauth2ServerOf(settings),
    throttle: throttleOf(settings.throttle),
    ...schemaIdsOf(identity),
    defaultCountry: identity.defaultCountry,
  });
}

function oauth2ServerOf({
  oauth2Provider: { adminUrl, publicUrl, timeout },
}: CompleteConfig["tenantDefaults"]): OAuth2ServerSettings | undefined {
  if (adminUrl === "") return undefined;
  return {
    adminUrl: adminUrl.replace(/\/+$/, ""),
    publicOrigin: new URL(publicUrl).origin,
    timeoutMs: durationMs(timeout),
  };
}

/** The development mailbox sends nothing, so it takes messages to all countries unless some are named. */
function smsOf(config: CompleteConfig): SmsSettings {
  const { countries, dailyBudget } = config.tenantDefaults.courier.sms;
  const isAll = countries.length === 0 && courierModeOf(config) === "mailbox";
  return { countries: isAll ? undefined : new Set(countries), dailyBudget };
}

/** Passkeys are off where the public URL has an IP address, because browsers make none for it. */
function passkeyOf(
  { passkey, branding }: CompleteConfig["tenantDefaults"],
  publicUrl: string,
  pages: readonly (string | undefined)[],
): PasskeySettings {
  const rpId = rpIdOf(passkey.rpId, publicUrl);
  const androidApps = passkey.androidApps.map(({ packageName, certificateFingerprints }) => ({
    packageName,
    fingerprints: certificateFingerprints.map(writtenFingerprint),
  }));
  return {
    enabled: passkey.enabled && !isAddress(rpId),
    rpId,
    rpName: textOf(passkey.rpName) ?? branding.name,
    origins: [
      ...passkeyOrigins(passkey.origins, [publicUrl, ...pages], rpId),
      ...(passkey.appleApps.length > 0 ? [appleOrigin(rpId)] : []),
      ...passkey.relatedOrigins,
      ...androidApps.flatMap(({ fingerprints }) => fingerprints.map(androidOrigin)),
    ],
    relatedOrigins: passkey.relatedOrigins,
    appleApps: passkey.appleApps,
    androidApps,
    userVerification: userVerificationOf(passkey.userVerification),
    offerAfterLogin: passkey.offerAfterLogin,
    useAs: passkeyUseOf(passkey.useAs),
  };
}

function userVerificationOf(verification: UserVerification): PasskeySettings["userVerification"] {
  if (verification === UserVerification.REQUIRED) return "required";
  return verification === UserVerification.DISCOURAGED ? "discouraged" : "preferred";
}

function policyOf(policy: SecondFactorPolicy): TenantSettings["secondFactor"]["policy"] {
  if (policy === SecondFactorPolicy.REQUIRED) return "required";
  return policy === SecondFactorPolicy.OPTIONAL ? "optional" : "required_if_enrolled";
}

function algorithmOf(algorithm: TokenAlgorithm): TenantSettings["signedTokens"]["algorithm"] {
  return algorithm === TokenAlgorithm.EDDSA ? "EdDSA" : "ES256";
}

function passkeyUseOf(use: PasskeyUse): PasskeySettings["useAs"] {
  if (use === PasskeyUse.FIRST) return "first";
  return use === PasskeyUse.SECOND ? "second" : "either";
}

/** Where the mailbox is: by the name of the pages, whose browser has its cookie, unless they come by way of something in between. */
function mailboxHostOf({ server }: CompleteConfig, publicUrl: string, publicPort: number): string {
  const { host, tls } = server.public;
  if (new URL(publicUrl).port === String(publicPort)) return publicUrl;
  return `${tls === undefined ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${publicPort}`;
}

/** The branding with whole URLs; a path is below the public URL, and files are served there. */
function brandingOf(branding: CompleteConfig["tenantDefaults"]["branding"], publicUrl: string): Branding {
  const urlOf = (text: string) => (text === "" ? "" : new URL(text, publicUrl).href);
  const pictureOf = (file: string, path: string, url: string) =>
    urlOf(file === "" ? url : `/branding/${path}`);
  return {
    name: branding.name,
    logoUrl: pictureOf(branding.logoFile, "logo", branding.logoUrl),
    logoDarkUrl: pictureOf(branding.logoDarkFile, "logo-dark", branding.logoDarkUrl),
    faviconUrl: pictureOf(branding.faviconFile, "favicon", branding.faviconUrl),
    colors: colorsOf(branding.colors),
    darkColors: colorsOf(branding.darkColors),
    termsUrl: urlOf(branding.termsUrl),
    privacyUrl: urlOf(branding.privacyUrl),
    supportUrl: urlOf(branding.supportUrl),
    supportEmail: branding.supportEmail,
  };
}

function colorsOf(colors: CompleteConfig["tenantDefaults"]["branding"]["colors"]): BrandColors {
  const { primary, onPrimary, background, text } = colors;
  return {
    primary: primary.toLowerCase(),
    onPrimary: onPrimary.toLowerCase(),
    background: background.toLowerCase(),
    text: text.toLowerCase(),
  };
}

function throttleOf(config: CompleteConfig["tenantDefaults"]["throttle"]): ThrottleSettings {
  const limit = ({ count, period }: typeof config.account) => ({ count, periodMs: durationMs(period) });
  return {
    enabled: config.enabled,
    deviceLifetimeMs: durationMs(config.deviceLifetime),
    unlistedProxyFactor: config.unlistedProxyFactor,
    limits: {
      account: limit(config.account),
      account_daily: limit(config.accountDaily),
      identity_daily: limit(config.identityDaily),
      device: limit(config.device),
      device_daily: limit(config.deviceDaily),
      address: limit(config.address),
      flow: limit(config.flow),
      registration: limit(config.registration),
      recipient: limit(config.recipient),
      recipient_daily: limit(config.recipientDaily),
      recipient_total: limit(config.recipientTotal),
      // The owner may ask for as much as a stranger, apart.
      own_recipient: limit(config.recipient),
      own_recipient_daily: limit(config.recipientDaily),
      own_recipient_total: limit(config.recipientTotal),
      // Of one account to all addresses as much as to one.
      holder_messages: limit(config.recipientDaily),
      own_messages: limit(config.recipientDaily),
      // To one mailbox as much as for one name.
      mailbox: limit(config.recipientTotal),
      registration_mailbox: limit(config.recipientDaily),
      sending: limit(config.sending),
      wrong_codes: limit(config.wrongCodes),
      own_wrong_codes: limit(config.wrongCodes),
      flow_create: limit(config.flowCreate),
      flow_submit: limit(config.flowSubmit),
      self_service: limit(config.selfService),
      failed_authentication: limit(config.failedAuthentication),
    },
  };
}

/**
 * Whether the server serves its own pages. Default: yes in a trial (see `isTrial`), if they are built.
 */
export function pagesWanted(config: CompleteConfig): "always" | "if_built" | "never" {
  const { enabled } = config.server.ui;
  if (enabled !== undefined) return enabled ? "always" : "never";
  return isTrial(config) ? "if_built" : "never";
}

/**
 * The look-up of breached passwords. Default: on, except in a trial, because the machine may have no network and nothing
 * should leave it.
 */
function breachCheckOf(config: CompleteConfig): BreachCheckSettings {
  const { enabled, minCount, atLogin, whenUnavailable } = config.tenantDefaults.password.breachCheck;
  return {
    enabled: enabled ?? !isTrial(config),
    minCount,
    atLogin: breachedAtLoginOf(atLogin),
    whenUnavailable: whenUnavailable === WhenUnavailable.REFUSE ? "refuse" : "accept",
  };
}

function breachedAtLoginOf(when: BreachedAtLogin): BreachCheckSettings["atLogin"] {
  if (when === BreachedAtLogin.OFF) return "off";
  return when === BreachedAtLogin.WHEN_CONVENIENT ? "when_convenient" : "before_session";
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

function loginStyleOf(style: LoginStyle): TenantSettings["login"]["style"] {
  return style === LoginStyle.IDENTIFIER_FIRST ? "identifier_first" : "one_step";
}

function modeOf(mode: RegistrationMode): TenantSettings["registration"]["mode"] {
  if (mode === RegistrationMode.CLOSED) return "closed";
  return mode === RegistrationMode.INVITATION ? "invitation" : "open";
}

function addressProofOf(proof: AddressProof): TenantSettings["registration"]["addressProof"] {
  return proof === AddressProof.BEFORE_SESSION ? "before_session" : "none";
}

function styleOf(style: RegistrationStyle): TenantSettings["registration"]["style"] {
  return style === RegistrationStyle.PROFILE_FIRST ? "profile_first" : "one_step";
}

function codeSettings({ code }: CompleteConfig["tenantDefaults"], canSend: boolean): TenantSettings["code"] {
  const enabledFor = new Set<FlowKind>(canSend ? ["verification", "recovery", "settings"] : []);
  if (code.login ?? canSend) enabledFor.add("login");
  if (code.registration ?? canSend) enabledFor.add("registration");
  return {
    enabledFor,
    length: code.length,
    lifetimeMs: durationMs(code.lifetime),
    maxTries: code.maxTries,
    resendAfterMs: durationMs(code.resendAfter),
  };
}

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

/** The address that `localhost` has beside that of the public listener, where it is named so. Browsers try the IPv6 address first. */
export function otherLoopbackAddress(config: CompleteConfig): string | undefined {
  const { host } = config.server.public;
  if (!isAtLocalhost(config) || !isAddress(host)) return undefined;
  return host.includes(":") ? "127.0.0.1" : "::1";
}

/**
 * The configured URL's origin, or one made from the listener: 127.0.0.1 stands in for "all addresses". Where nothing is configured it is
 * `localhost`: browsers make no passkeys for an IP address.
 */
function publicUrlOf(config: CompleteConfig, publicPort: number): string {
  const { publicUrl } = config.tenantDefaults;
  if (publicUrl !== "") return new URL(publicUrl).origin;
  const { host, tls } = config.server.public;
  const address = isWildcardAddress(host) ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;
  const name = isAtLocalhost(config) ? "localhost" : address;
  return new URL(`${tls === undefined ? "http" : "https"}://${name}:${publicPort}`).origin;
}

function textOf(text: string): string | undefined {
  return text === "" ? undefined : text;
}
