/** Wires the classes of the domain to the stores. A new method of signing in is a line here. */

import { durationMs } from "@bufbuild/protobuf/wkt";
import type { AppOptions } from "./app-types.ts";
import { createBoundChallenges } from "./crypto/bound-challenges.ts";
import { createCommonPasswords } from "./crypto/common-passwords.ts";
import { createFormTokens } from "./crypto/form-tokens.ts";
import { createKeyPairs } from "./crypto/key-pairs.ts";
import { createKeyedDigests } from "./crypto/keyed-digests.ts";
import { createOneTimeCodes } from "./crypto/one-time-codes.ts";
import { createPasskeyVerifier } from "./crypto/passkey-verifier.ts";
import { availableHashingConcurrency, createPasswordHasher } from "./crypto/password-hasher.ts";
import { createSealer } from "./crypto/sealer.ts";
import { createTokens } from "./crypto/tokens.ts";
import { ApiKeys } from "./domain/access/api-keys.ts";
import { Arrivals } from "./domain/courier/arrivals.ts";
import { MailReach } from "./domain/courier/mail-reach.ts";
import { Messages } from "./domain/courier/messages.ts";
import { Outbox } from "./domain/courier/outbox.ts";
import { FailedAttempts } from "./domain/event/failed-attempts.ts";
import { LoginHistory } from "./domain/event/login-history.ts";
import { createFlows } from "./domain/flow/create-flows.ts";
import { OperatorSends } from "./domain/flow/operator/operator-sends.ts";
import type { StepTaken } from "./domain/flow/shared/flow-engine.ts";
import { TenantProfiles } from "./domain/flow/tenant-profiles.ts";
import { ForwardAuth } from "./domain/forward-auth/forward-auth.ts";
import { ForwardedTokens } from "./domain/forward-auth/forwarded-tokens.ts";
import { type ForwardAuthRule, ForwardAuthRules } from "./domain/forward-auth/rules.ts";
import { IdempotencyRunner } from "./domain/idempotency/idempotency.ts";
import { AddressVerifications } from "./domain/identity/address-verifications.ts";
import { Credentials } from "./domain/identity/credentials.ts";
import { Identities } from "./domain/identity/identities.ts";
import { OperatorActions } from "./domain/identity/operator-actions.ts";
import { IdentitySchemas } from "./domain/identity/schemas.ts";
import { TraitsEtags } from "./domain/identity/traits-etags.ts";
import type { ApiKeyId, SessionId } from "./domain/ids.ts";
import { Invitations } from "./domain/invitation/invitations.ts";
import { LastUseRecorder } from "./domain/last-use-recorder.ts";
import { createMethods } from "./domain/method/create-methods.ts";
import { CredentialImports } from "./domain/method/credential-imports.ts";
import { KeptTokens } from "./domain/method/oidc/kept-tokens.ts";
import { ProviderLogouts } from "./domain/method/oidc/provider-logouts.ts";
import { ProviderSignOuts } from "./domain/method/oidc/provider-sign-outs.ts";
import { BreachedAtLogin } from "./domain/method/password/breached-at-login.ts";
import { NewPasswords } from "./domain/method/password/new-passwords.ts";
import { PasswordChecks } from "./domain/method/password/password-checks.ts";
import { createPasswordPolicy } from "./domain/method/password/policy.ts";
import { OAuth2Logouts } from "./domain/oauth2/logouts.ts";
import { PageTokens } from "./domain/paging/page-tokens.ts";
import type { Clock } from "./domain/ports.ts";
import { SessionCache } from "./domain/session/session-cache.ts";
import type { SessionFeed } from "./domain/session/session-feed.ts";
import { SessionReader } from "./domain/session/session-reader.ts";
import { Sessions } from "./domain/session/sessions.ts";
import { shareOf } from "./domain/shares.ts";
import { SignedTokens } from "./domain/signed-token/signed-tokens.ts";
import { SigningKeys } from "./domain/signed-token/signing-keys.ts";
import type { Tenants } from "./domain/tenant/tenant.ts";
import { Devices } from "./domain/throttle/devices.ts";
import { SmsLimits } from "./domain/throttle/sms-limits.ts";
import { Throttle } from "./domain/throttle/throttle.ts";
import { ThrottleAdmin } from "./domain/throttle/throttle-admin.ts";
import { createBreachedPasswords } from "./outbound/breached-passwords.ts";
import { createGuardedFetch } from "./outbound/guarded-fetch.ts";
import { createOAuth2Server } from "./outbound/oauth2-server.ts";
import { createProviderClient } from "./outbound/oidc/provider-client.ts";
import type { Storage } from "./storage/storage.ts";

/** The real time. */
export const systemClock: Clock = { now: () => new Date() };

interface DomainParts {
  /** The languages of the templates. */
  readonly languages?: readonly string[];
  readonly mailReach?: MailReach;
  /** What proxies may let through. */
  readonly forwardAuthRules?: readonly ForwardAuthRule[];
  /** Told of each step of a flow. */
  readonly onStep?: (taken: StepTaken) => void;
  /** Told of each signed token. */
  readonly onTokenIssued?: (issued: { readonly template: string }) => void;
  /** Default: no session is kept. */
  readonly sessionCache?: SessionCache;
}

/** A cache that keeps nothing, for what serves no calls. */
const noSessionCache = () =>
  new SessionCache(
    { position: undefined, heardAt: Number.NEGATIVE_INFINITY },
    { maxEntries: 0, maxBytes: 0, maxStalenessMs: 0 },
  );

/** Makes the classes of the domain on top of the stores. */
export function createDomain(
  options: AppOptions,
  storage: Storage,
  tenants: Tenants,
  {
    languages = [],
    mailReach = new MailReach("yes"),
    forwardAuthRules = [],
    onStep,
    onTokenIssued,
    sessionCache = noSessionCache(),
  }: DomainParts = {},
) {
  const { config, logger, clock = systemClock } = options;
  const { concurrency, queueLimit } = config.config.hashing;
  const tokens = createTokens();
  const sealer = createSealer(() => config.secrets.sealing());
  const outbox = new Outbox({ sealer });
  const pageTokens = new PageTokens({ sealer });
  const hasher = createPasswordHasher({
    concurrency: Math.max(1, shareOf(concurrency || availableHashingConcurrency(), options.worker)),
    queueLimit: shareOf(queueLimit, options.worker),
  });
  const outbound = createOutbound(options);
  const policy = createPasswordPolicy({
    commonPasswords: createCommonPasswords(),
    breachedPasswords: outbound.breachedPasswords,
  });
  const breaches = new BreachedAtLogin({
    breachedPasswords: outbound.breachedPasswords,
    identities: storage.identities,
    logger,
    clock,
  });
  const schemas = new IdentitySchemas({ store: storage.schemas, pageTokens, clock });
  const idempotency = new IdempotencyRunner({
    transactions: storage,
    store: storage.idempotency,
    sealer,
    clock,
  });

  const sessionUses = new LastUseRecorder<SessionId>({
    write: (uses) => storage.sessions.recordUse(uses),
    clock,
    logger,
  });
  const apiKeyUses = new LastUseRecorder<ApiKeyId>({
    write: (uses) => storage.apiKeys.recordUse(uses),
    clock,
    logger,
  });
  const sessions = new Sessions({
    store: storage.sessions,
    reader: new SessionReader({ store: storage.sessions, cache: sessionCache, clock }),
    cache: sessionCache,
    tokens,
    pageTokens,
    uses: sessionUses,
    clock,
  });
  const signingKeys = new SigningKeys({
    store: storage.signingKeys,
    keyPairs: createKeyPairs(),
    sealer,
    clock,
    logger,
  });
  const signedTokens = new SignedTokens({
    keys: signingKeys,
    schemas,
    clock,
    logger,
    onIssued: onTokenIssued,
  });
  const apiKeys = new ApiKeys({
    store: storage.apiKeys,
    transactions: storage,
    tokens,
    tenants,
    pageTokens,
    uses: apiKeyUses,
    clock,
  });

  const digests = createKeyedDigests(() => config.secrets.sealing());
  const failedAttempts = new FailedAttempts({ events: storage.events, clock, logger });
  const throttle = new Throttle({
    store: storage.throttle,
    digests,
    devices: new Devices({ tokens, clock }),
    failedAttempts,
    clock,
  });
  const smsLimits = new SmsLimits({ store: storage.throttle, digests, clock, logger });
  const throttleAdmin = new ThrottleAdmin({
    store: storage.throttle,
    identities: storage.identities,
    digests,
    clock,
  });
  const invitations = new Invitations({
    store: storage.invitations,
    schemas,
    tokens,
    pageTokens,
    outbox,
    clock,
  });
  const arrivals = new Arrivals({ store: storage.marks, pageTokens, clock });
  const codes = createOneTimeCodes(() => config.secrets.sealing());
  const methods = createMethods({
    ...{ hasher, policy, breaches, codes, tokens, sealer, clock, logger },
    providers: outbound.providers,
    passkeys: createPasskeyVerifier(),
    challenges: createBoundChallenges(() => config.secrets.sealing()),
  });
  const keptTokens = new KeptTokens({
    identities: storage.identities,
    events: storage.events,
    providers: outbound.providers,
    sealer,
    clock,
    logger,
  });
  const flows = createFlows({
    methods,
    releases: keptTokens,
    stores: storage,
    schemas,
    etags: new TraitsEtags({ digests }),
    invitations,
    throttle,
    failedAttempts,
    smsLimits,
    mailReach,
    arrivals,
    oauth2: outbound.oauth2,
    outbox,
    sealer,
    digests,
    tokens,
    formTokens: createFormTokens(),
    clock,
    onStep,
  });
  const tenantProfiles = new TenantProfiles({ schemas, languages, methods });
  const logins = new LoginHistory({ events: storage.events, failedAttempts, pageTokens });
  const passwords = new NewPasswords({ policy, hasher });
  const imports = new CredentialImports({ methods: methods.imports, clock });
  const identities = new Identities({
    store: storage.identities,
    schemas,
    passwords,
    imports,
    releases: keptTokens,
    pageTokens,
    outbox,
    clock,
  });
  const credentials = new Credentials({
    identities: storage.identities,
    transactions: storage,
    passwords,
    imports,
    releases: keptTokens,
    pageTokens,
    outbox,
    clock,
  });
  const providerLogouts = new ProviderLogouts({
    providers: outbound.providers,
    sessions: storage.sessions,
    clock,
    logger,
  });
  const operatorActions = new OperatorActions({ identities: storage.identities, clock });
  const addressVerifications = new AddressVerifications({ store: storage.identities, outbox, clock });
  const passwordChecks = new PasswordChecks({
    identities: storage.identities,
    events: storage.events,
    throttle,
    hasher,
    clock,
  });
  const forwardAuth = new ForwardAuth({
    rules: new ForwardAuthRules(forwardAuthRules),
    sessions,
    tokens: new ForwardedTokens({ signer: signedTokens, clock }),
  });
  const messages = new Messages({ store: storage.messages, pageTokens, clock });
  return {
    outbound,
    breaches,
    failedAttempts,
    forwardAuth,
    outbox,
    messages,
    arrivals,
    sessions,
    sessionCache,
    sessionUses,
    signingKeys,
    signedTokens,
    apiKeys,
    apiKeyUses,
    flows,
    tenantProfiles,
    invitations,
    operatorSends: new OperatorSends(),
    logins,
    identities,
    credentials,
    operatorActions,
    addressVerifications,
    passwordChecks,
    keptTokens,
    providerLogouts,
    providerSignOuts: new ProviderSignOuts({ providers: outbound.providers, tokens: keptTokens }),
    schemas,
    idempotency,
    throttleAdmin,
    smsLimits,
    oauth2Logouts: new OAuth2Logouts({ oauth2: outbound.oauth2 }),
    hasher,
  };
}

/** The rules that services call. */
export interface Rules extends Domain {
  readonly sessionFeed: SessionFeed;
}

/** The classes of the domain, for the wiring. */
export type Domain = ReturnType<typeof createDomain>;

/** The parts that call other servers. */
function createOutbound({ config, logger, clock = systemClock }: AppOptions) {
  const { allowedPrivateHosts, extraPorts, breachedPasswords } = config.config.server.outbound;
  const http = createGuardedFetch({ allowedPrivateHosts, extraPorts });
  return {
    http,
    oauth2: createOAuth2Server({ apiKey: () => config.secrets.oauth2ApiKey(), http, logger }),
    providers: createProviderClient({ http, clock, logger }),
    breachedPasswords: createBreachedPasswords({
      url: () => config.secrets.breachedPasswordsUrl(),
      timeoutMs: durationMs(breachedPasswords.timeout),
      cacheLifetimeMs: durationMs(breachedPasswords.cacheLifetime),
      http,
      clock,
      logger,
    }),
  };
}
