import { domainError } from "../../errors.ts";
import { button, type Section } from "../../form/form.ts";
import { accountName } from "../../identity/account-name.ts";
import { pendingActions, type RequiredAction } from "../../identity/required-actions.ts";
import { never } from "../../instant.ts";
import { enabledMethods, type SettingsMethod, type SettingsStep } from "../../method/method.ts";
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
import * as headings from "../../user-message/stage-messages.ts";
import * as texts from "../../user-message/user-messages.ts";
import { challengeStates } from "../challenge/states.ts";
import type { SettingsOffer } from "../shared/flow.ts";
import { offersOf } from "../shared/method-offers.ts";
import type { ContextOf, FlowTable, StepResult, StepRule } from "../shared/table.ts";
import { documentOf, termsNodes } from "../shared/terms.ts";
import { addressesIn, addressNodes } from "./addresses.ts";
import { apply, needsOf, type SettingsTableDependencies, takeProfile } from "./apply.ts";
import type { SettingsAttempt } from "./change.ts";
import {
  credentialGone,
  credentialNodes,
  removeNodes,
  renameNodes,
  secondFactorNodes,
} from "./credentials.ts";
import { deleteNode, deletionStep, keepNode } from "./deletion-step.ts";
import {
  inSection,
  lacksBackupCodes,
  newSecretTexts,
  nodesOf,
  profileNodes,
  signInNodes,
  stageOf,
} from "./drawing.ts";
import type { SettingsState, SettingsTypes } from "./state.ts";

type State<At extends SettingsState["at"]> = Extract<SettingsState, { readonly at: At }>;
type Changing = Exclude<SettingsState, { readonly at: "enter_code" | "manage_credential" }>;
/** Where the changes of a flow are on offer. */
type Base = "change_settings" | "set_new_secret" | "create_passkey";
type Result = Promise<StepResult<SettingsTypes>>;

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
  type UnderWay = ContextOf<
    SettingsTypes,
    State<"continue_method" | "continue_new_secret" | "create_passkey">
  >;
  const methodUnderWay = ({ state }: UnderWay) => methods.filter(({ kind }) => kind === state.method.kind);
  const underWay = (context: UnderWay) =>
    methodUnderWay(context).flatMap((method) =>
      offersOf(method.kind, method.settingsOffer?.(stageOf(context, method))),
    );
  const sectionUnderWay = (context: UnderWay) => methodUnderWay(context)[0]?.sectionTitle();
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
      // One thing alone is drawn: what it is about stands where else it says that there are several.
      texts: (context) => ({ title: headings.settingsTitle(), subtitle: sectionUnderWay(context) }),
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
