import { domainError } from "../../errors.ts";
import { button, type Node, type Section } from "../../form/form.ts";
import { traitNodes } from "../../form/trait-nodes.ts";
import { accountName } from "../../identity/account-name.ts";
import type { Credential, Identity } from "../../identity/identity.ts";
import { changeableNow, changeBetween } from "../../identity/merge-patch.ts";
import { mergeTraits, withoutWriteOnly } from "../../identity/own-traits.ts";
import { pendingActions, type RequiredAction } from "../../identity/required-actions.ts";
import { never } from "../../instant.ts";
import type { JsonObject } from "../../json.ts";
import {
  type Authentication,
  enabledMethods,
  type SettingsMethod,
  type SettingsStage,
  type SettingsStep,
} from "../../method/method.ts";
import type { Clock } from "../../ports.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import { addressesTitle } from "../../user-message/account-messages.ts";
import { actionPending, termsTitle } from "../../user-message/action-messages.ts";
import {
  backupCodesMissing,
  manageTitle,
  offerHelp,
  offerTitle,
  credentialGone as removedMeanwhile,
} from "../../user-message/factor-messages.ts";
import type { AwaitedChange } from "../../user-message/stage-messages.ts";
import * as headings from "../../user-message/stage-messages.ts";
import * as texts from "../../user-message/user-messages.ts";
import type { Challenges } from "../challenge/challenges.ts";
import { challengeStates } from "../challenge/states.ts";
import type { LoginFlows } from "../login/login-flows.ts";
import type { CreatedFlow, SettingsOffer } from "../shared/flow.ts";
import type { Typed } from "../shared/kept-outcome.ts";
import { offersOf } from "../shared/method-offers.ts";
import { bindingOf, type SecondFactors } from "../shared/second-factors.ts";
import type { ContextOf, FlowTable, StepResult, StepRule } from "../shared/table.ts";
import { documentOf, termsNodes } from "../shared/terms.ts";
import type { ActionSettings } from "./actions.ts";
import { addressesIn, addressNodes } from "./addresses.ts";
import { choiceOf, type SettingsAttempt } from "./change.ts";
import {
  type CredentialSettings,
  credentialGone,
  credentialNodes,
  removeNodes,
  renameNodes,
  secondFactorNodes,
} from "./credentials.ts";
import type { AccountDeletion } from "./deletion.ts";
import { deleteNode, deletionStep, keepNode } from "./deletion-step.ts";
import { filledIn, type ProfileSettings } from "./profile.ts";
import type { SecretSettings } from "./secret.ts";
import type { SettingsChange, SettingsState, SettingsTypes } from "./state.ts";

type State<At extends SettingsState["at"]> = Extract<SettingsState, { readonly at: At }>;
type Changing = Exclude<SettingsState, { readonly at: "enter_code" | "manage_credential" }>;
/** Where the changes of a flow are on offer. */
type Base = "change_settings" | "set_new_secret" | "create_passkey";
type Result = Promise<StepResult<SettingsTypes>>;

interface SettingsTableDependencies {
  readonly methods: readonly SettingsMethod[];
  readonly challenges: Challenges;
  readonly profile: ProfileSettings;
  readonly secret: SecretSettings;
  readonly credentials: CredentialSettings;
  readonly deletion: AccountDeletion;
  readonly actions: ActionSettings;
  readonly secondFactors: SecondFactors;
  readonly logins: LoginFlows;
  readonly clock: Clock;
}

/** Changing one's own account, as a table. After a recovery only a new secret is on offer. */
export function settingsTable(deps: SettingsTableDependencies): FlowTable<SettingsTypes> {
  const { methods, challenges, profile, secret, credentials, deletion, actions } = deps;
  /** What the account is asked to do. */
  const pendingIn = ({
    tenant,
    account,
  }: Pick<ContextOf<SettingsTypes>, "tenant" | "account">): readonly RequiredAction[] =>
    account === undefined ? [] : pendingActions(account.identity, tenant.settings, deps.clock.now());
  /** The documents among it. */
  const termsIn = (context: Pick<ContextOf<SettingsTypes>, "tenant" | "account">) =>
    pendingIn(context).flatMap(({ id, terms }) =>
      terms === undefined ? [] : [{ actionId: id, document: documentOf(context.tenant, terms) }],
    );

  const secretSteps = <S extends Changing>(
    base: Base,
    isUnderWay: (context: ContextOf<SettingsTypes, S>, kind: string) => boolean = () => true,
  ): Record<string, StepRule<SettingsTypes, S>> =>
    Object.fromEntries(
      methods.flatMap((method) =>
        Object.entries(method.settingsSteps)
          .filter(([, step]) => base !== "set_new_secret" || step.setsNewSecret !== undefined)
          .filter(() => base !== "create_passkey" || method.offerAfterLogin !== undefined)
          .map(([name, step]) => [name, secretStep(base, method, step, isUnderWay)]),
      ),
    );
  const secretStep = <S extends Changing>(
    base: Base,
    method: SettingsMethod,
    step: SettingsStep,
    isUnderWay: (context: ContextOf<SettingsTypes, S>, kind: string) => boolean,
  ): StepRule<SettingsTypes, S> => ({
    leadsTo: followingOf[base],
    ...(step.sendsTo && { limits: ["code_send", "code_check"] as const }),
    needs: needsOf.credential,
    isOffered: (context) =>
      enabledMethods([method], context.tenant).length > 0 &&
      (base !== "set_new_secret" || step.setsNewSecret?.(context.tenant) === true) &&
      isUnderWay(context, method.kind),
    nodes: (context) => {
      const stage = stageOf(context, method);
      if (context.state.at !== "change_settings") return step.nodes(stage);
      const isListed = method.listsCredentials && step === Object.values(method.settingsSteps)[0];
      const own = isListed
        ? stage.credentials.flatMap((each, index) =>
            credentialNodes(each, index, method.credentialNote?.(context.tenant, each)),
          )
        : [];
      return inSection(method.kind, [...own, ...step.nodes(stage)]);
    },
    take: async (attempt) => {
      // The login that offered it was fresh. If the account asks for more since, the offer is worth nothing.
      if (base === "create_passkey" && !attempt.isPrivileged) {
        throw domainError("STEP_NOT_OFFERED", { step: attempt.step.name });
      }
      const prepared = await secret.prepare(attempt, method, step);
      return prepared.kind === "prepared"
        ? apply(deps, attempt, prepared.change, prepared.authentication)
        : prepared;
    },
  });
  const managed = ({ account, state }: ContextOf<SettingsTypes, State<"manage_credential">>) =>
    account?.credentials.find(({ id }) => id === state.credentialId);
  const continuedSteps = <S extends State<"continue_method" | "continue_new_secret">>(
    base: "change_settings" | "set_new_secret",
  ): Record<string, StepRule<SettingsTypes, S>> => ({
    ...secretSteps<S>(base, ({ state }, kind) => "method" in state && state.method.kind === kind),
    back: {
      leadsTo: [base],
      nodes: () => [button("back", texts.backLabel("settings"), true)],
      take: async ({ flow, state }) => ({
        kind: "moved",
        state: { at: base, interrupted: state.interrupted },
        identityId: flow.identityId,
      }),
    },
  });
  const settable = (tenant: Tenant, has: (step: SettingsStep) => boolean) =>
    enabledMethods(methods, tenant)
      .filter(({ settingsSteps }) => Object.values(settingsSteps).some(has))
      .map(({ kind }) => ({ kind }));
  const newSecrets = (tenant: Tenant) => settable(tenant, (step) => step.setsNewSecret?.(tenant) === true);
  const canSetSecret = (tenant: Tenant) => newSecrets(tenant).length > 0;
  const offersIn = (context: ContextOf<SettingsTypes>) =>
    enabledMethods(methods, context.tenant)
      .filter(({ settingsSteps }) => Object.keys(settingsSteps).length > 0)
      .flatMap((method) => offersOf(method.kind, method.settingsOffer?.(stageOf(context, method))));
  const underWay = (
    context: ContextOf<SettingsTypes, State<"continue_method" | "continue_new_secret" | "create_passkey">>,
  ) =>
    methods
      .filter(({ kind }) => kind === context.state.method.kind)
      .flatMap((method) => offersOf(method.kind, method.settingsOffer?.(stageOf(context, method))));
  const manage = <S extends SettingsState>(
    step: "renameCredential" | "secondFactor" | "removeCredential",
    rule: Pick<StepRule<SettingsTypes, S>, "needs" | "take"> & Partial<StepRule<SettingsTypes, S>>,
  ): Record<string, StepRule<SettingsTypes, S>> => ({
    [step]: { leadsTo: ["change_settings"], nodes: () => [], ...rule },
  });
  const rename = (attempt: SettingsAttempt) => credentials.rename(attempt);
  const ask = async (attempt: SettingsAttempt): Result => {
    const change = credentials.secondFactorOf(attempt);
    return change.kind === "rejected" ? change : apply(deps, attempt, change);
  };
  const remove = async (attempt: SettingsAttempt): Result => {
    const removal = credentials.removalOf(attempt);
    return removal.kind === "rejected" ? removal : apply(deps, attempt, removal);
  };
  const resume = <S extends State<"change_settings" | "set_new_secret">>(
    rule: Pick<StepRule<SettingsTypes>, "leadsTo" | "limits">,
  ): StepRule<SettingsTypes, S> => ({
    ...rule,
    isOffered: ({ state }) => state.interrupted !== undefined,
    nodes: () => [button("resume", texts.resumeLabel(), true)],
    take: async (attempt) => {
      const { interrupted } = attempt.state;
      if (interrupted === undefined) throw new Error("only what was interrupted is resumed");
      return apply(deps, attempt, interrupted);
    },
  });
  const accountStep = (
    step: "deleteAccount" | "keepAccount",
    rule: Omit<StepRule<SettingsTypes, State<"change_settings">>, "isOffered">,
  ): StepRule<SettingsTypes, State<"change_settings">> => ({
    ...rule,
    isOffered: ({ tenant, account }) =>
      account !== undefined && deletionStep(tenant, account.identity) === step,
  });

  return {
    change_settings: {
      stage: "change_settings",
      facts: (context) => {
        const { tenant, account } = context;
        const offers: SettingsOffer[] = [{ kind: "profile" }, ...offersIn(context)];
        if (account !== undefined && deletionStep(tenant, account.identity) !== undefined) {
          const { purgeAt } = account.identity;
          offers.push({ kind: "deletion", purgeAt: purgeAt === never ? undefined : purgeAt });
        }
        const requiredActions = pendingIn({ tenant, account });
        const addresses = addressesIn(profile, context);
        return { offers, credentials: account?.credentials ?? [], requiredActions, addresses };
      },
      texts: (context) => {
        const { tenant, account } = context;
        const { identity } = account ?? {};
        const sections: Section[] = [
          { id: "profile", title: texts.profileTitle() },
          ...(addressesIn(profile, context).length === 0
            ? []
            : [{ id: "addresses", title: addressesTitle() }]),
          ...enabledMethods(methods, tenant).map((method) => ({
            id: method.kind,
            title: method.sectionTitle(),
          })),
        ];
        if (identity !== undefined && deletionStep(tenant, identity) === "deleteAccount") {
          sections.push({ id: "deletion", title: texts.deletionTitle() });
        }
        const asked = pendingIn({ tenant, account });
        if (asked.some(({ kind }) => kind === "accept_terms")) {
          sections.unshift({ id: "terms", title: termsTitle() });
        }
        return {
          title: headings.settingsTitle(),
          subtitle: headings.settingsHelp(),
          account: identity && texts.accountOf(accountName(identity)),
          sections,
          messages: [
            ...(identity === undefined || identity.purgeAt === never
              ? []
              : [texts.deletionScheduled(identity.purgeAt)]),
            ...[...new Set(asked.map(({ kind }) => kind))].map(actionPending),
            ...(lacksBackupCodes(tenant, methods, account?.credentials) ? [backupCodesMissing()] : []),
          ],
        };
      },
      steps: {
        keepAccount: accountStep("keepAccount", {
          leadsTo: [],
          nodes: () => [keepNode()],
          take: (attempt) => deletion.cancel(attempt),
        }),
        resume: resume({ leadsTo: ["enter_code", "continue_method", "completed"], limits: ["code_send"] }),
        acceptTerms: {
          leadsTo: [],
          isOffered: (context) => termsIn(context).length > 0,
          nodes: (context) => inSection("terms", termsIn(context).flatMap(termsNodes)),
          take: (attempt) => actions.acceptTerms(attempt),
        },
        profile: {
          leadsTo: ["enter_code"],
          limits: ["code_send"],
          needs: needsOf.profile,
          nodes: (context, typed) => [
            ...inSection("profile", profileNodes(context, typed)),
            ...inSection("addresses", addressNodes(context.tenant, addressesIn(profile, context))),
          ],
          take: (attempt) => takeProfile(deps, attempt),
        },
        ...secretSteps<State<"change_settings">>("change_settings"),
        // Each credential has a button of its own.
        manageCredential: {
          leadsTo: ["manage_credential"],
          nodes: () => [],
          take: async (attempt) => {
            const credential = credentials.named(attempt);
            if (credential === undefined) return credentialGone();
            const { flow, state } = attempt;
            return {
              kind: "moved",
              state: { at: "manage_credential", credentialId: credential.id, interrupted: state.interrupted },
              identityId: flow.identityId,
            };
          },
        },
        ...manage<State<"change_settings">>("renameCredential", { take: rename }),
        ...manage<State<"change_settings">>("secondFactor", { needs: needsOf.second_factor, take: ask }),
        ...manage<State<"change_settings">>("removeCredential", { needs: needsOf.removal, take: remove }),
        deleteAccount: accountStep("deleteAccount", {
          leadsTo: ["completed"],
          needs: needsOf.deletion,
          nodes: ({ tenant }) => [deleteNode(tenant)],
          take: (attempt) => apply(deps, attempt, { kind: "deletion" }),
        }),
      },
    },
    // Security rule (SR-FACTOR-3): what follows a recovery is a new secret, and nothing else before it.
    set_new_secret: {
      stage: "set_new_secret",
      facts: ({ tenant }) => ({ offers: newSecrets(tenant) }),
      texts: ({ tenant }) => ({
        ...newSecretTexts(tenant),
        messages: [texts.recoverySucceeded(), ...(canSetSecret(tenant) ? [] : [headings.noSecret()])],
      }),
      nodes: ({ tenant }) => (canSetSecret(tenant) ? [] : signInNodes(tenant)),
      steps: {
        ...secretSteps<State<"set_new_secret">>("set_new_secret"),
        resume: resume({ leadsTo: ["completed", "continue_new_secret"] }),
      },
    },
    // Security rule (SR-PASSKEY-8): what a login offers is to make a passkey, and nothing else.
    create_passkey: {
      stage: "create_passkey",
      facts: (context) => ({ offer: underWay(context)[0]?.facts ?? {} }),
      texts: () => ({ title: offerTitle(), subtitle: offerHelp() }),
      steps: secretSteps<State<"create_passkey">>(
        "create_passkey",
        ({ state }, kind) => state.method.kind === kind,
      ),
    },
    manage_credential: {
      stage: "manage_credential",
      facts: (context) => ({ credential: managed(context) }),
      texts: (context) => {
        const credential = managed(context);
        return {
          title: headings.settingsTitle(),
          subtitle: credential && manageTitle(credential.kind, credential.label),
          messages: credential === undefined ? [removedMeanwhile()] : [],
        };
      },
      steps: {
        ...manage<State<"manage_credential">>("renameCredential", {
          nodes: (context) => nodesOf(managed(context), renameNodes),
          take: rename,
        }),
        ...manage<State<"manage_credential">>("secondFactor", {
          needs: needsOf.second_factor,
          nodes: (context) => {
            const own = managed(context);
            return own !== undefined && credentials.hasChoice(context.tenant, own)
              ? secondFactorNodes(own)
              : [];
          },
          take: ask,
        }),
        ...manage<State<"manage_credential">>("removeCredential", {
          needs: needsOf.removal,
          nodes: (context) => nodesOf(managed(context), removeNodes),
          take: remove,
        }),
        back: {
          leadsTo: ["change_settings"],
          nodes: () => [button("back", texts.backLabel("settings"), true)],
          take: async ({ flow, state: { interrupted } }) => ({
            kind: "moved",
            state: { at: "change_settings", interrupted },
            identityId: flow.identityId,
          }),
        },
      },
    },
    continue_method: {
      stage: "change_settings",
      facts: (context) => ({
        offers: underWay(context),
        credentials: context.account?.credentials ?? [],
        requiredActions: pendingIn(context),
        addresses: addressesIn(profile, context),
      }),
      texts: () => ({ title: headings.settingsTitle(), subtitle: headings.settingsHelp() }),
      steps: continuedSteps<State<"continue_method">>("change_settings"),
    },
    continue_new_secret: {
      stage: "set_new_secret",
      facts: (context) => ({ offers: underWay(context) }),
      texts: ({ tenant }) => newSecretTexts(tenant),
      steps: continuedSteps<State<"continue_new_secret">>("set_new_secret"),
    },
    enter_code: challengeStates<SettingsTypes>({
      kind: "settings",
      challenges,
      leadsTo: ["change_settings"],
      backTo: ["change_settings"],
      back: ({ state: { interrupted, change } }) => ({
        at: "change_settings",
        interrupted,
        unproved: change,
      }),
      isFixed: () => true,
      prove: (attempt, proved) => profile.complete(attempt, attempt.state.change, proved),
    }).enter_code,
  };
}

/** Where a step that sets a secret leads to. */
const followingOf = {
  change_settings: ["change_settings", "continue_method"],
  set_new_secret: ["set_new_secret", "completed", "continue_new_secret"],
  create_passkey: ["completed"],
} as const satisfies Record<Base, StepRule<SettingsTypes>["leadsTo"]>;

/** What a change asks of the session in which it is made, at once or after it was interrupted. */
const needsOf: Readonly<Record<SettingsChange["kind"], StepRule<SettingsTypes>["needs"]>> = {
  credential: "fresh login",
  method: "fresh login",
  removal: "fresh login",
  second_factor: "fresh login",
  // Security rule (SR-SETTINGS-1): a session that somebody found open or stole deletes no account (ASVS V7.5.1).
  deletion: "fresh login",
  // Security rule (SR-SETTINGS-1): what somebody signs in or is recovered with changes only after a fresh login (ASVS V7.5.1).
  profile: "fresh login for addresses",
};

/** Carries out a change that was checked, or asks for a fresh login first, and keeps it until then. */
async function apply(
  deps: SettingsTableDependencies,
  attempt: SettingsAttempt,
  change: SettingsChange,
  shown?: Authentication,
): Result {
  const { identity, isPrivileged } = attempt;
  const isTooOld = needsOf[change.kind] === "fresh login" && !isPrivileged;
  switch (change.kind) {
    case "credential":
      return isTooOld ? loginFirst(deps, attempt, change) : deps.secret.change(attempt, change, shown);
    case "method":
      return isTooOld ? loginFirst(deps, attempt, change) : deps.secret.continue(attempt, change.method);
    case "second_factor":
      return isTooOld ? loginFirst(deps, attempt, change) : deps.credentials.setSecondFactor(attempt, change);
    case "removal":
      return isTooOld ? loginFirst(deps, attempt, change) : deps.credentials.remove(attempt, change);
    case "deletion":
      if (deletionStep(attempt.tenant, identity) !== "deleteAccount") {
        throw domainError("STEP_NOT_OFFERED", { step: "deleteAccount" });
      }
      return isTooOld ? loginFirst(deps, attempt, change) : deps.deletion.request(attempt);
    case "profile":
      return applyProfile(deps, attempt, changeableNow(change.change, identity.traits));
    default: {
      const unreachable: never = change;
      return unreachable;
    }
  }
}

/**
 * Changes traits as they were filled in. If a trait in the patch was changed elsewhere since the form was drawn, nothing is
 * saved: the form shows its new value, with the typed value beside it.
 */
async function takeProfile(deps: SettingsTableDependencies, attempt: SettingsAttempt): Result {
  const { tenant, identity, traits: patch, traitsEtag } = attempt;
  const conflict =
    traitsEtag === "" ? undefined : deps.profile.conflictOf(tenant, identity, patch, traitsEtag);
  return conflict === undefined
    ? applyProfile(deps, attempt, patch)
    : filledIn(attempt, conflict.rejected, conflict.merged);
}

/** Changes traits by a merge patch of those that the account has now. */
async function applyProfile(
  deps: SettingsTableDependencies,
  attempt: SettingsAttempt,
  patch: JsonObject,
): Result {
  const { tenant, identity, isPrivileged } = attempt;
  const { plan, merged } = deps.profile.plan(tenant, identity, patch);
  if (plan.kind === "rejected") return filledIn(attempt, plan, merged);
  if (plan.isSensitive && !isPrivileged) {
    const change = changeBetween(identity.traits, plan.traits);
    return loginFirst(deps, attempt, { kind: "profile", change });
  }
  return deps.profile.change(attempt, plan);
}

/** Keeps the change, and begins the login that it waits for. */
function loginFirst(
  { logins, secondFactors }: SettingsTableDependencies,
  { caller, tenant, flow, state, identity, credentials, session }: SettingsAttempt,
  interrupted: SettingsChange,
): StepResult<SettingsTypes> {
  const { client, returnTo } = flow;
  const { purpose, clientData } = flow.data;
  const begin = (): Promise<CreatedFlow> => {
    // Those who were recovered show what is missing; the holder of a session proves again who they are.
    if (purpose.kind === "recovery") {
      return logins.createSecondFactor(
        caller,
        { client, returnTo, clientData },
        identity.id,
        purpose.recovery,
      );
    }
    if (session === undefined) throw domainError("SESSION_CREDENTIAL_MISSING", {});
    const stepsUpTo = secondFactors.highestLevel(tenant, credentials);
    return logins.createRefresh(caller, {
      ...{ client, returnTo, clientData, session, stepsUpTo },
      changesAccount: true,
      isFor: kindOf(interrupted),
    });
  };
  const at = choiceOf(state);
  return {
    kind: "login_first",
    moved: { kind: "moved", state: { at, interrupted }, identityId: identity.id },
    begin,
  };
}

/** What a change is, in a word for the login that it waits for. */
function kindOf(change: SettingsChange): AwaitedChange {
  if (change.kind === "credential" && change.credential.kind === "password") return "password";
  return change.kind === "credential" || change.kind === "method" ? "credential" : change.kind;
}

function profileNodes(
  { account, state }: ContextOf<SettingsTypes, State<"change_settings">>,
  { traits: typed }: Typed,
): readonly Node[] {
  if (account === undefined) return [];
  const { schema, identity } = account;
  const { traits } = identity;
  const saved = withoutWriteOnly(schema, traits);
  const waiting =
    state.unproved ?? (state.interrupted?.kind === "profile" ? state.interrupted.change : undefined);
  const patch = typed ?? (waiting && changeableNow(waiting, traits));
  const wanted = patch && withoutWriteOnly(schema, mergeTraits(traits, patch).merged);
  const options = { saved, hidden: schema.writeOnlyIn(traits), step: "profile" };
  return [...traitNodes(schema.fields, wanted ?? saved, options), button("profile", texts.saveLabel())];
}

/**
 * What somebody signs in with; after a recovery, which shows nothing of the account, as far as they have shown it themselves. An app keeps the
 * password by itself, and anyone with the id of its flow sees the form: there the name is left out.
 */
function usernameFor(
  { client, data }: ContextOf<SettingsTypes>["flow"],
  identity: Identity | undefined,
): string | undefined {
  const { purpose } = data;
  if (purpose.kind !== "recovery") return identity?.identifiers[0]?.value;
  return client === "browser" ? purpose.username : undefined;
}

/** The headings where a new secret is set. */
function newSecretTexts({ settings }: Tenant) {
  const title = settings.password.enabled ? headings.newSecretTitle() : headings.newWayTitle();
  return { title, subtitle: headings.newSecretHelp() };
}

/** The link to the page where people sign in. */
function signInNodes({ settings }: Tenant): readonly Node[] {
  const { login: url } = settings.uiUrls;
  if (url === undefined) return [];
  return [{ name: "signIn", label: headings.signInLink(), messages: [], element: { kind: "anchor", url } }];
}

/** Where in the settings the nodes of a method are drawn. */
function stageOf(
  { tenant, flow, account, state }: ContextOf<SettingsTypes>,
  { kind }: SettingsMethod,
): SettingsStage {
  const { credentials = [], former = credentials, identity } = account ?? {};
  const isOwn = (own: Credential) => own.kind === kind;
  const memory = "method" in state ? state.method.memory : undefined;
  return {
    ...{ tenant, credentials: credentials.filter(isOwn), former: former.filter(isOwn) },
    ...{ name: identity === undefined ? "" : accountName(identity), binding: bindingOf(flow), memory },
    username: usernameFor(flow, identity),
  };
}

/** Whether a second factor is asked for, and nothing helps those who lose it. */
function lacksBackupCodes(
  tenant: Tenant,
  methods: readonly SettingsMethod[],
  credentials: readonly Credential[] = [],
): boolean {
  const isOn = enabledMethods(methods, tenant).some(({ kind }) => kind === "backup_code");
  const has = credentials.some(({ kind, facts }) => kind === "backup_code" && Number(facts.remaining) > 0);
  return isOn && !has && credentials.some(({ isSecondFactor }) => isSecondFactor);
}

function nodesOf(
  credential: Credential | undefined,
  draw: (credential: Credential) => readonly Node[],
): readonly Node[] {
  return credential === undefined ? [] : draw(credential);
}

function inSection(section: string, nodes: readonly Node[]): readonly Node[] {
  return nodes.map((node) => ({ ...node, section }));
}
