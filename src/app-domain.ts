/** Wires the classes of the domain to the stores. A new method of signing in is a line here. */
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { AppOptions } from "./app-types.ts";
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
import { AnyFlows } from "./domain/flow/any-flows.ts";
import { AddressProofs } from "./domain/flow/challenge/address-proofs.ts";
import { WrongCodeNotices } from "./domain/flow/challenge/wrong-codes.ts";
import { AccountClaims } from "./domain/flow/claim/account-claims.ts";
import { AccountDisowning } from "./domain/flow/claim/account-disowning.ts";
import { LoginCompletions } from "./domain/flow/login/login-completion.ts";
import { LoginFlows } from "./domain/flow/login/login-flows.ts";
import { SecondFactorStage } from "./domain/flow/login/second-factor-stage.ts";
import { OperatorFlows } from "./domain/flow/operator/operator-flows.ts";
import { OperatorSends } from "./domain/flow/operator/operator-sends.ts";
import { RecoveryFlows } from "./domain/flow/recovery/recovery-flows.ts";
import { NewAccounts } from "./domain/flow/registration/new-accounts.ts";
import { RegistrationFlows } from "./domain/flow/registration/registration-flows.ts";
import { AccountDeletion } from "./domain/flow/settings/account-deletion.ts";
import { PasswordSettings } from "./domain/flow/settings/password-settings.ts";
import { ProfileSettings } from "./domain/flow/settings/profile-settings.ts";
import { SettingsFlows } from "./domain/flow/settings/settings-flows.ts";
import { SettingsView } from "./domain/flow/settings/settings-view.ts";
import { FlowAnswers } from "./domain/flow/shared/flow-answers.ts";
import { FlowKeeper } from "./domain/flow/shared/flow-keeper.ts";
import { TenantProfiles } from "./domain/flow/tenant-profiles.ts";
import { VerificationFlows } from "./domain/flow/verification/verification-flows.ts";
import { IdempotencyRunner } from "./domain/idempotency/idempotency.ts";
import { AddressVerifications } from "./domain/identity/address-verifications.ts";
import { Credentials } from "./domain/identity/credentials.ts";
import { Identities } from "./domain/identity/identities.ts";
import { IdentitySchemas } from "./domain/identity/schemas.ts";
import { TraitsEtags } from "./domain/identity/traits-etags.ts";
import type { ApiKeyId, SessionId } from "./domain/ids.ts";
import { Invitations } from "./domain/invitation/invitations.ts";
import { CodeMethod } from "./domain/method/code/code-method.ts";
import { LinkMethod } from "./domain/method/link/link-method.ts";
import { NewPasswords } from "./domain/method/password/new-passwords.ts";
import { PasswordChecks } from "./domain/method/password/password-checks.ts";
import { PasswordMethod } from "./domain/method/password/password-method.ts";
import { createPasswordPolicy } from "./domain/method/password/policy.ts";
import { PageTokens } from "./domain/paging/page-tokens.ts";
import type { Clock } from "./domain/ports.ts";
import { Sessions } from "./domain/session/sessions.ts";
import type { Tenants } from "./domain/tenant/tenant.ts";
import { Devices } from "./domain/throttle/devices.ts";
import { Throttle } from "./domain/throttle/throttle.ts";
import { ThrottleAdmin } from "./domain/throttle/throttle-admin.ts";
import { UseRecorder } from "./domain/use-recorder.ts";
import { createBreachedPasswords } from "./outbound/breached-passwords.ts";
import { createGuardedFetch } from "./outbound/guarded-fetch.ts";
import type { Storage } from "./storage/storage.ts";

/** The real time. */
export const systemClock: Clock = { now: () => new Date() };

/** Makes the classes of the domain on top of the stores. `languages` are the languages of the templates. */
export function createDomain(
  options: AppOptions,
  storage: Storage,
  tenants: Tenants,
  languages: readonly string[] = [],
) {
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
    transactions: storage,
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
  const flowAnswers = new FlowAnswers({
    flows: storage.flows,
    sessions: storage.sessions,
    sealer,
    digests,
    tokens,
    clock,
  });
  const keeper = new FlowKeeper({
    flows: storage.flows,
    tokens,
    formTokens: createFormTokens(),
    sealer,
    answers: flowAnswers,
    clock,
  });
  const proofs = new AddressProofs({
    methods: [
      new CodeMethod({ codes: createOneTimeCodes(() => config.secrets.sealing()) }),
      new LinkMethod({ tokens }),
    ],
    flows: storage.flows,
    throttle,
    tokens,
    outbox,
    wrongCodes: new WrongCodeNotices({
      throttle,
      queue: storage.messages,
      outbox,
      events: storage.events,
      clock,
    }),
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
      throttle,
      tokens,
      clock,
    }),
    methods: loginMethods,
    proofs,
    schemas,
    throttle,
    secondFactors,
  });
  const settingsMethods = [passwordMethod];
  const etags = new TraitsEtags({ digests });
  const view = new SettingsView({ keeper, schemas, methods: settingsMethods, proofs, etags });
  const changes = { keeper, view, store: storage.settings, outbox, clock };
  const settingsFlows = new SettingsFlows({
    keeper,
    flows: storage.flows,
    methods: settingsMethods,
    view,
    profile: new ProfileSettings({ ...changes, flows: storage.flows, schemas, proofs, etags }),
    password: new PasswordSettings({ ...changes, throttle, tokens }),
    deletion: new AccountDeletion(changes),
    logins: loginFlows,
    clock,
  });
  const claims = new AccountClaims({
    keeper,
    flows: storage.flows,
    identities: storage.identities,
    logins: loginFlows,
    disowning: new AccountDisowning({
      keeper,
      flows: storage.flows,
      identities: storage.identities,
      schemas,
      settings: settingsFlows,
      outbox,
      clock,
    }),
    clock,
  });
  const verificationFlows = new VerificationFlows({ keeper, flows: storage.flows, proofs, claims, clock });
  const invitations = new Invitations({
    store: storage.invitations,
    schemas,
    tokens,
    pageTokens,
    outbox,
    clock,
  });
  const registrationMethods = [passwordMethod];
  const registrationFlows = new RegistrationFlows({
    keeper,
    flows: storage.flows,
    schemas,
    methods: registrationMethods,
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
  const recoveryFlows = new RecoveryFlows({
    keeper,
    flows: storage.flows,
    proofs,
    settings: settingsFlows,
    secondFactors,
    claims,
    outbox,
    throttle,
    tokens,
    clock,
  });
  const anyFlows = new AnyFlows({
    keeper,
    flows: storage.flows,
    kinds: {
      login: loginFlows,
      registration: registrationFlows,
      verification: verificationFlows,
      recovery: recoveryFlows,
      settings: settingsFlows,
    },
  });
  const tenantProfiles = new TenantProfiles({
    ...{ schemas, languages, loginMethods, registrationMethods, settingsMethods },
    proofs: proofs.forms,
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
    pageTokens,
    outbox,
    clock,
  });
  const addressVerifications = new AddressVerifications({ store: storage.identities, outbox, clock });
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
    anyFlows,
    flowAnswers,
    tenantProfiles,
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
    addressVerifications,
    passwordChecks,
    schemas,
    idempotency,
    throttleAdmin,
  };
}

/** The classes of the domain, for the wiring. */
export type Domain = ReturnType<typeof createDomain>;

/** The parts that call other servers. */
function createOutbound({ config, logger, clock = systemClock }: AppOptions) {
  const { allowedPrivateHosts, extraPorts, breachedPasswords } = config.config.server.outbound;
  const http = createGuardedFetch({ allowedPrivateHosts, extraPorts });
  return {
    http,
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
