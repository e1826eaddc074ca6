import type { Arrivals } from "../courier/arrivals.ts";
import type { MailReach } from "../courier/mail-reach.ts";
import type { Outbox } from "../courier/outbox.ts";
import type { FailedAttempts } from "../event/failed-attempts.ts";
import type { CredentialReleases } from "../identity/credential-releases.ts";
import type { IdentitySchemas } from "../identity/schemas.ts";
import type { IdentityStore } from "../identity/store.ts";
import type { TraitsEtags } from "../identity/traits-etags.ts";
import type { Invitations } from "../invitation/invitations.ts";
import type { Methods } from "../method/method.ts";
import type { OAuth2Server } from "../oauth2/oauth2-server.ts";
import type { Clock, FormTokens, KeyedDigests, Sealer, Tokens } from "../ports.ts";
import type { SessionStore } from "../session/store.ts";
import type { SmsLimits } from "../throttle/sms-limits.ts";
import type { Throttle } from "../throttle/throttle.ts";
import { AnyFlows } from "./any-flows.ts";
import { Challenges } from "./challenge/challenges.ts";
import type { NoticeQueue } from "./challenge/wrong-codes.ts";
import { WrongCodeNotices } from "./challenge/wrong-codes.ts";
import { AccountClaims } from "./claim/account-claims.ts";
import { AccountDisowning } from "./claim/account-disowning.ts";
import { AccountLinks } from "./linking/account-links.ts";
import { OtherFlows } from "./linking/other-flows.ts";
import { ProfileUpdates } from "./linking/profile-updates.ts";
import { LoginActions } from "./login/actions.ts";
import { LoginCompletions } from "./login/complete.ts";
import { LoginExplanations } from "./login/explanation.ts";
import { LoginFlows } from "./login/login-flows.ts";
import { LoginNotices } from "./login/notices.ts";
import { PendingActions } from "./login/pending-actions.ts";
import { LoginProofs } from "./login/proofs.ts";
import { loginTable } from "./login/steps.ts";
import { VouchedLogins } from "./login/vouched.ts";
import { OAuth2HandOvers } from "./oauth2/hand-over.ts";
import { OAuth2Flows } from "./oauth2/oauth2-flows.ts";
import { OperatorFlows } from "./operator/operator-flows.ts";
import { ProviderCallbacks } from "./provider-callbacks.ts";
import { RecoveryCompletions } from "./recovery/complete.ts";
import { RecoveryHolds } from "./recovery/holds.ts";
import { RecoveryFlows } from "./recovery/recovery-flows.ts";
import { recoveryTable } from "./recovery/steps.ts";
import { NewAccounts } from "./registration/complete.ts";
import { RegistrationFlows } from "./registration/registration-flows.ts";
import { SignUp } from "./registration/sign-up.ts";
import type { SchemaOf } from "./registration/state.ts";
import { registrationTable } from "./registration/steps.ts";
import { ActionSettings } from "./settings/actions.ts";
import { CredentialSettings } from "./settings/credentials.ts";
import { AccountDeletion } from "./settings/deletion.ts";
import { ProfileSettings } from "./settings/profile.ts";
import { SecretSettings } from "./settings/secret.ts";
import { SettingsFlows } from "./settings/settings-flows.ts";
import { settingsTable } from "./settings/steps.ts";
import type { SettingsStore } from "./settings/store.ts";
import { CodeMessages } from "./shared/code-messages.ts";
import { FlowAccess } from "./shared/flow-access.ts";
import { FlowAnswers } from "./shared/flow-answers.ts";
import { FlowEngine, type StepTaken } from "./shared/flow-engine.ts";
import { SecondFactors } from "./shared/second-factors.ts";
import { SecretSteps } from "./shared/secret-steps.ts";
import type { FlowStore } from "./shared/store.ts";
import { VerificationCompletions } from "./verification/complete.ts";
import { verificationTable } from "./verification/steps.ts";
import { VerificationFlows } from "./verification/verification-flows.ts";

/** What the flows are made of. */
interface FlowParts {
  readonly methods: Methods;
  readonly stores: {
    readonly flows: FlowStore;
    readonly settings: SettingsStore;
    readonly identities: IdentityStore;
    readonly sessions: SessionStore;
    readonly messages: NoticeQueue;
  };
  readonly schemas: IdentitySchemas;
  readonly etags: TraitsEtags;
  readonly invitations: Pick<Invitations, "open">;
  readonly throttle: Throttle;
  readonly failedAttempts: Pick<FailedAttempts, "note">;
  readonly smsLimits: SmsLimits;
  readonly mailReach: MailReach;
  readonly arrivals: Pick<Arrivals, "isOpenlyBounced" | "prove">;
  readonly releases: CredentialReleases;
  readonly oauth2: OAuth2Server;
  readonly outbox: Outbox;
  readonly sealer: Sealer;
  readonly digests: KeyedDigests;
  readonly tokens: Tokens;
  readonly formTokens: FormTokens;
  readonly clock: Clock;
  /** Told of each step that was taken. */
  readonly onStep?: ((taken: StepTaken) => void) | undefined;
}

/** Makes the flows of all kinds. */
export function createFlows(parts: FlowParts) {
  const { methods, stores, schemas } = parts;
  const { flows, identities, sessions } = stores;
  const answers = new FlowAnswers({ ...parts, flows, sessions });
  const access = new FlowAccess(parts);
  const engine = new FlowEngine({ ...parts, flows, access, answers });
  const wrongCodes = new WrongCodeNotices({ ...parts, queue: stores.messages });
  const challenges = new Challenges({ ...parts, methods: methods.challenges, flows, wrongCodes });
  const secondFactors = new SecondFactors({ ...parts, methods: methods.login, challenges });
  const codeMessages = new CodeMessages(parts);
  const secrets = new SecretSteps({ ...parts, codeMessages, identities });
  const common = {
    ...parts,
    codeMessages,
    secrets,
    flows,
    identities,
    access,
    engine,
    challenges,
    secondFactors,
  };

  const profile = new ProfileSettings({ ...common, store: stores.settings });
  const pending = new PendingActions({ ...common, methods: methods.settings, profile });
  const deps = { ...common, pending };
  const changes = { ...deps, store: stores.settings };

  const notices = new LoginNotices({ ...parts, queue: stores.messages });
  const completions: LoginCompletions = new LoginCompletions({
    ...deps,
    notices,
    verifications: () => verification,
    offers: { draftAfterLogin: (caller, start) => settings.draftAfterLogin(caller, start) },
  });
  const links = new AccountLinks(deps);
  const others = new OtherFlows(() => ({ login, registration, recovery }));
  const vouched = new VouchedLogins({ ...deps, links, others, profiles: new ProfileUpdates(deps) });
  const proofs = new LoginProofs({ ...deps, completions, notices, vouched });
  const actions = new LoginActions({ ...changes, profile, completions });
  const loginRules = loginTable({
    ...deps,
    methods: methods.login,
    settingsMethods: methods.settings,
    proofs,
    actions,
    handOvers: () => handOvers,
  });
  const login: LoginFlows = new LoginFlows({
    ...deps,
    methods: methods.login,
    table: loginRules,
    handOvers: () => handOvers,
  });
  const handOvers = new OAuth2HandOvers({ ...parts, logins: login });
  const explanations = new LoginExplanations({ ...deps, methods: methods.login, table: loginRules });

  const settingsRules = settingsTable({
    ...deps,
    methods: methods.settings,
    profile,
    secret: new SecretSettings({ ...changes, logins: login }),
    credentials: new CredentialSettings({ ...changes, logins: methods.login }),
    deletion: new AccountDeletion(changes),
    actions: new ActionSettings(changes),
    logins: login,
  });
  const settings: SettingsFlows = new SettingsFlows({
    ...deps,
    table: settingsRules,
    methods: methods.settings,
    recoveryView: () => recovery.view,
  });

  const disowning = new AccountDisowning({ ...deps, settings });
  const claims = new AccountClaims({ ...deps, logins: login, disowning });
  const verifying = new VerificationCompletions(deps);
  const verificationRules = verificationTable({ ...deps, claims, completions: verifying });
  const verification: VerificationFlows = new VerificationFlows({ ...deps, table: verificationRules });

  const schemaOf: SchemaOf = (tenant, { data }) => schemas.current(tenant, data.purpose.schemaId);
  const accounts = new NewAccounts({ ...deps, verifications: verification, logins: login });
  const signUp = new SignUp({ ...deps, accounts, links, others, schemaOf });
  const registrationRules = registrationTable({ ...deps, methods: methods.registration, signUp, schemaOf });
  const registration: RegistrationFlows = new RegistrationFlows({
    ...deps,
    ...{ schemaOf, signUp, handOvers, table: registrationRules },
  });

  const recovering = new RecoveryCompletions({ ...deps, settings });
  const holds = new RecoveryHolds(deps);
  const recoveryRules = recoveryTable({ ...deps, claims, holds, completions: recovering });
  const recovery: RecoveryFlows = new RecoveryFlows({ ...deps, table: recoveryRules });

  const kinds = { login, registration, verification, recovery, settings };
  const any = new AnyFlows({ ...deps, kinds });
  return {
    ...kinds,
    any,
    callbacks: new ProviderCallbacks({ ...deps, flows: any }),
    operator: new OperatorFlows(deps),
    explanations,
    oauth2: new OAuth2Flows({ ...common, handOvers, logins: login, registrations: registration }),
    answers,
    tables: {
      login: loginRules,
      registration: registrationRules,
      verification: verificationRules,
      recovery: recoveryRules,
      settings: settingsRules,
    },
  };
}
