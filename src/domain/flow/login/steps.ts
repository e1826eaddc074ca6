import { button, type InputKind, type Node, ofMethod } from "../../form/form.ts";
import { maskAddress } from "../../identity/mask-address.ts";
import type { IdentitySchemas } from "../../identity/schemas.ts";
import type { ChallengeKind, MethodKind } from "../../kinds.ts";
import {
  enabledMethods,
  isWayIn,
  type LoginMethod,
  type LoginStage,
  methodsPlaying,
  type SettingsMethod,
  stepOf,
} from "../../method/method.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import { proveToLink } from "../../user-message/provider-messages.ts";
import * as headings from "../../user-message/stage-messages.ts";
import * as texts from "../../user-message/user-messages.ts";
import type { Challenges } from "../challenge/challenges.ts";
import { challengeStates, requestStep, withState } from "../challenge/states.ts";
import type { OAuth2HandOvers } from "../oauth2/hand-over.ts";
import { memoryAt } from "../shared/away.ts";
import type { MethodOffer } from "../shared/flow.ts";
import { offersOf } from "../shared/method-offers.ts";
import { bindingOf } from "../shared/second-factors.ts";
import type { FlowStore } from "../shared/store.ts";
import type { AttemptOf, ContextOf, FlowTable, NotAccepted, StepResult, StepRule } from "../shared/table.ts";
import { typedAt } from "../shared/typed-address.ts";
import { actionState } from "./action-steps.ts";
import type { LoginActions } from "./actions.ts";
import { handOverState } from "./hand-over-state.ts";
import { enteredIdentifier, isAnother, loginTarget } from "./identifier.ts";
import type { PendingActions } from "./pending-actions.ts";
import type { LoginProofs } from "./proofs.ts";
import { identifierDiffers, identifierRequired, nobodySignsIn, nobodyToSendTo } from "./rejections.ts";
import {
  demandedBy,
  type EnteredIdentifier,
  firstFactorOf,
  type LoginPurpose,
  type LoginState,
  type LoginTypes,
} from "./state.ts";

type Context<State = LoginState> = ContextOf<LoginTypes, State>;
type Attempt<State = LoginState> = AttemptOf<LoginTypes, State>;
type Choosing = Extract<LoginState, { at: "choose_method" }>;
type Entering = Extract<LoginState, { at: "enter_identifier" }>;
type InMethod = Extract<
  LoginState,
  { at: "enter_identifier" | "choose_method" | "continue_method" | "choose_second_factor" }
>;

interface LoginTableDependencies {
  readonly flows: Pick<FlowStore, "findForLogin">;
  readonly methods: readonly LoginMethod[];
  readonly challenges: Challenges;
  readonly proofs: LoginProofs;
  readonly settingsMethods: readonly SettingsMethod[];
  readonly pending: PendingActions;
  readonly actions: LoginActions;
  readonly handOvers: () => Pick<OAuth2HandOvers, "again">;
  readonly schemas: Pick<IdentitySchemas, "identifierTitles" | "current">;
}

/** Where a login begins: with the question who signs in, if that comes first and is not known. */
export function firstState({ settings }: Tenant, { kind }: LoginPurpose, typed?: string): LoginState {
  // Those who prove again who they are type nothing.
  if (kind !== "sign_in") return { at: "choose_method" };
  const at = settings.login.style === "identifier_first" ? "enter_identifier" : "choose_method";
  return { at, typed };
}

/** The choice of a method again, after one was tried: for whom it was said first, else with the identifier filled in. */
function choiceAgain(tenant: Tenant, purpose: LoginPurpose, state: LoginState): LoginState {
  const first = firstState(tenant, purpose, typedAt(state));
  const isChosen = first.at === "enter_identifier" && "identifier" in state && state.identifier !== undefined;
  return isChosen ? { at: "choose_method", identifier: state.identifier } : first;
}

/** Signing in, as a table. */
export function loginTable(deps: LoginTableDependencies): FlowTable<LoginTypes> {
  const { methods, challenges, proofs, actions } = deps;
  const first = methods.filter(({ factor }) => factor !== "second");
  const vouching = first.filter(({ isVouchedFor }) => isVouchedFor);
  const notVouching = first.filter(({ isVouchedFor }) => !isVouchedFor);

  // Security rule (SR-LINK-8): a link is opened by somebody who may not be the one who came by the account elsewhere: its owner, who takes
  // it for a sign-in, would let a stranger in for good. A code is typed where that account was shown.
  const sentFor = (tenant: Tenant, { kind }: LoginPurpose) =>
    challenges.offered(tenant, "login").filter((sent) => kind !== "link" || sent !== "link");
  const offered = ({ tenant, flow, state }: Context<Choosing>): readonly MethodKind[] => {
    const { purpose } = flow.data;
    const among = state.identifier?.methods ?? (purpose.kind === "owner" ? purpose.methods : undefined);
    const demanded = demandedBy(purpose);
    const own = methodsPlaying("first", methods, tenant)
      .filter(({ properties = [] }) => demanded.every((property) => properties.includes(property)))
      .map(({ kind }) => kind);
    const sent = demanded.length === 0 ? sentFor(tenant, purpose) : [];
    const all: readonly MethodKind[] = [...own, ...sent];
    return among === undefined ? all : all.filter((kind) => among.includes(kind));
  };
  /** Methods that find out by themselves who signs in. */
  const nameless = first.filter(needsNoName);
  const offeredNameless = ({ tenant }: Context<Entering>) =>
    methodsPlaying("first", nameless, tenant).map(({ kind }) => kind);
  /** Whether the browser can choose a credential that says who signs in, in the place of the identifier. */
  const isFilledIn = (kinds: readonly MethodKind[]) =>
    first.some(({ kind, lookupKey }) => lookupKey !== undefined && kinds.includes(kind));
  /** The offers of these kinds, as their methods make them. What was switched off since is none. */
  const offersAmong = (context: Context<InMethod>, kinds: readonly MethodKind[]) => {
    const own = enabledMethods(methods, context.tenant);
    return kinds.flatMap((kind): readonly MethodOffer[] => {
      if (kind === "code" || kind === "link") return [{ kind }];
      const method = own.find((each) => each.kind === kind);
      if (method === undefined) return [];
      return offersOf(kind, method.loginOffer?.(context.tenant, stageOf(context, method)));
    });
  };

  /** The step of a method. `among`: what is on offer at the state. */
  const methodStep = <State extends InMethod>(
    method: LoginMethod,
    among: (context: Context<State>) => readonly MethodKind[],
  ): StepRule<LoginTypes, State> => ({
    leadsTo: ["completed", "continue_method", "choose_second_factor", "required_action"],
    limits: method.sendsTo === undefined ? ["login"] : ["code_send", "login"],
    isOffered: (context) =>
      methodsPlaying(partAt(context), [method], context.tenant).length > 0 &&
      among(context).includes(method.kind),
    nodes: (context) => ofMethod(method.kind, method.loginNodes(context.tenant, stageOf(context, method))),
    take: async (attempt) => {
      const { tenant, step, state } = attempt;
      const memory = memoryAt(state, method.kind);
      const unreadable = method.unreadable?.(tenant, step, memory);
      if (unreadable !== undefined) return unreadable;
      const entered = enteredAt(attempt, needsNoName(method));
      if (entered.kind === "rejected") return entered;
      const { name } = entered;
      if (name === undefined && isUnknown(attempt) && !needsNoName(method)) return identifierRequired();
      return proofs.tryMethod(attempt, method, name);
    },
  });
  const stepsOf = <State extends InMethod>(
    own: readonly LoginMethod[],
    among: (context: Context<State>) => readonly MethodKind[],
  ) => Object.fromEntries(own.map((method) => [stepOf(method), methodStep(method, among)]));

  const sendStep = (kind: ChallengeKind): StepRule<LoginTypes, Choosing> =>
    requestStep<LoginTypes, Choosing>({ kind: "login", challenges }, kind, {
      isOffered: (context) => offered(context).includes(kind),
      take: async (attempt) => {
        const entered = enteredAt(attempt);
        if (entered.kind === "rejected") return entered;
        const { name } = entered;
        if (name === undefined && isUnknown(attempt)) return identifierRequired();
        const { flow, state, candidate, tenant } = attempt;
        const target = candidate === undefined ? undefined : loginTarget(candidate.identity, name?.value);
        if (target === undefined && !tenant.settings.enumerationSafe) return nobodyToSendTo();
        const sentTo = name?.typed ?? (target === undefined ? "" : maskAddress(target));
        const isFixed = isOwners(flow.data.purpose);
        const sent = await challenges.request(attempt, { kind, sentTo, target, isFixed });
        if (sent.kind === "rejected") return sent;
        const { identifier } = state;
        return withState<LoginTypes>(sent, { ...sent.state, identifier });
      },
    });

  const backTo = <State>(
    leadsTo: StepRule<LoginTypes>["leadsTo"],
    back: (attempt: Attempt<State>) => StepResult<LoginTypes>,
    isOffered?: (context: Context<State>) => boolean,
  ): StepRule<LoginTypes, State> => ({
    leadsTo,
    isOffered,
    nodes: () => [button("back", texts.backLabel("login"), true)],
    take: async (attempt) => back(attempt),
  });

  return {
    enter_identifier: {
      stage: "enter_identifier",
      facts: (context) => ({ offers: offersAmong(context, offeredNameless(context)) }),
      texts: () => ({ title: headings.signInTitle(), subtitle: headings.signInIdentifier() }),
      nodes: (context, { text = context.state.typed ?? "" }) => [
        identifierNode(deps, context.tenant, text, isFilledIn(offeredNameless(context))),
      ],
      typed: asTyped,
      steps: {
        identify: {
          leadsTo: ["choose_method"],
          nodes: () => [button("identify", texts.continueLabel())],
          take: async (attempt) => identify(attempt, first, challenges),
        },
        ...stepsOf<Entering>(nameless, offeredNameless),
      },
    },
    choose_method: {
      stage: "choose_method",
      facts: (context) => ({
        offers: offersAmong(context, offered(context)),
        secondFactor: false,
      }),
      texts: ({ flow, state: { identifier } }) => ({
        ...headingOf(flow.data.purpose),
        account: identifier && texts.signInAs(identifier.typed),
        messages: messagesOf(flow.data.purpose),
      }),
      nodes: (context, { text = context.state.typed ?? "" }) => {
        const { tenant, flow, state } = context;
        if (state.identifier !== undefined) return [chosenNode(state.identifier.typed)];
        if (flow.data.purpose.kind !== "sign_in") return [];
        return [identifierNode(deps, tenant, text, isFilledIn(offered(context)))];
      },
      typed: asTyped,
      steps: {
        ...stepsOf<Choosing>(notVouching, offered),
        sendCode: sendStep("code"),
        sendLink: sendStep("link"),
        // Below all that is done here.
        ...stepsOf<Choosing>(vouching, offered),
        back: backTo<Choosing>(
          ["enter_identifier"],
          ({ state: { identifier } }) => ({
            kind: "moved",
            state: { at: "enter_identifier", typed: identifier?.typed },
            identityId: undefined,
          }),
          ({ state }) => state.identifier !== undefined,
        ),
      },
    },
    continue_method: {
      stage: "choose_method",
      facts: (context) => ({
        offers: offersAmong(context, [context.state.method.kind]),
        secondFactor: context.state.firstFactor !== undefined,
      }),
      texts: ({ flow, state: { firstFactor, identifier } }) => ({
        ...(firstFactor === undefined ? headingOf(flow.data.purpose) : secondFactorTexts()),
        account: identifier && texts.signInAs(identifier.typed),
      }),
      nodes: ({ state: { identifier } }) => (identifier === undefined ? [] : [chosenNode(identifier.typed)]),
      typed: asTyped,
      steps: {
        ...stepsOf<Extract<LoginState, { at: "continue_method" }>>(methods, ({ state }) => [
          state.method.kind,
        ]),
        back: backTo(["choose_method", "enter_identifier", "choose_second_factor"], (attempt) => {
          const { tenant, flow, state } = attempt;
          const { firstFactor, typed } = state;
          return {
            kind: "moved",
            state:
              firstFactor === undefined
                ? choiceAgain(tenant, flow.data.purpose, state)
                : { at: "choose_second_factor", firstFactor, typed },
            identityId: flow.identityId,
          };
        }),
      },
    },
    choose_second_factor: {
      stage: "choose_method",
      facts: (context) => ({
        offers: offersAmong(context, context.state.firstFactor.methods),
        secondFactor: true,
      }),
      texts: secondFactorTexts,
      typed: asTyped,
      steps: {
        ...stepsOf<Extract<LoginState, { at: "choose_second_factor" }>>(
          methods.filter(({ factor }) => factor !== "first"),
          ({ state }) => state.firstFactor.methods,
        ),
        // Gives the first proof up.
        back: backTo(["enter_identifier", "choose_method"], ({ tenant, flow, state }) => ({
          kind: "moved",
          state: firstState(tenant, flow.data.purpose, state.typed),
          identityId: flow.data.purpose.kind === "sign_in" ? undefined : flow.identityId,
        })),
      },
    },
    required_action: actionState(deps, ({ tenant, flow, state }) => ({
      kind: "moved",
      state: firstState(tenant, flow.data.purpose, state.typed),
      identityId: flow.data.purpose.kind === "sign_in" ? undefined : flow.identityId,
    })),
    hand_over: handOverState(deps, ({ tenant, flow }) => ({
      kind: "moved",
      state: firstState(tenant, flow.data.purpose),
      identityId: undefined,
    })),
    ...challengeStates<LoginTypes>({
      kind: "login",
      challenges,
      leadsTo: ["completed", "choose_second_factor", "required_action"],
      backTo: ["choose_method", "enter_identifier", "required_action"],
      back: ({ tenant, flow, state }) => {
        const { proved, action, typed } = state;
        if (proved !== undefined) return { at: "required_action", proved, action, typed };
        return choiceAgain(tenant, flow.data.purpose, state);
      },
      // Once all is shown, the account is known.
      isFixed: ({ flow, state }) => isOwners(flow.data.purpose) || isProved(state),
      as: ({ state }) => (isProved(state) ? "verification" : undefined),
      lookUp: async ({ tenant, flow }, typed) => {
        const { value } = enteredIdentifier(typed, tenant) ?? {};
        const { candidate } = await deps.flows.findForLogin(tenant, flow.digest, value, undefined);
        return candidate && loginTarget(candidate.identity, value);
      },
      // Security rule (SR-FLOW-13): who opens the link may not be who began the change that waits for it, at a screen that was left open.
      leadsOn: ({ flow: { data } }) => {
        const change = awaitedBy(data.purpose);
        return change && headings.confirmAgain(change);
      },
      prove: (attempt, proved) =>
        isProved(attempt.state) ? actions.proveAddress(attempt, proved) : proofs.tryAddress(attempt, proved),
      failure: ({ caller, candidate, state }, { reason }, method) =>
        // It is no failed login any more.
        isProved(state) ? undefined : proofs.failureOf(caller, candidate, { reason, method }),
    }),
  };
}

/**
 * Remembers who signs in, unless nobody does so with it and that may be told.
 *
 * Security rule (SR-ENUM-1): unless `enumeration_safe` is switched off, the answer, the work and the methods that are offered next are
 * the same for each name (ASVS V6.3.8).
 */
function identify(
  { tenant, typed, candidate }: Attempt,
  first: readonly LoginMethod[],
  challenges: Challenges,
): StepResult<LoginTypes> {
  if (typed === undefined) return identifierRequired();
  const methods = tenant.settings.enumerationSafe
    ? undefined
    : [
        ...ownMethods(tenant, methodsPlaying("first", first, tenant), candidate),
        ...(candidate !== undefined && loginTarget(candidate.identity, typed.value) !== undefined
          ? challenges.offered(tenant, "login")
          : []),
      ];
  if (methods?.length === 0) return nobodySignsIn();
  const identifier = { ...typed, methods };
  // Whose flow it is stays open until something is sent or proven.
  return { kind: "moved", state: { at: "choose_method", identifier }, identityId: undefined };
}

/** The methods that an active account has a credential for. */
function ownMethods(
  tenant: Tenant,
  methods: readonly LoginMethod[],
  candidate: Pick<NonNullable<Attempt["candidate"]>, "identity" | "credentials"> | undefined,
): readonly MethodKind[] {
  if (candidate?.identity.state !== "active") return [];
  return methodsFor(tenant, methods, candidate.credentials);
}

/** The methods for accounts with these credentials. */
export function methodsFor(
  tenant: Tenant,
  methods: readonly LoginMethod[],
  credentials: NonNullable<Attempt["candidate"]>["credentials"],
): readonly MethodKind[] {
  return methods
    .filter((method) => credentials.some((own) => isWayIn(method, own, tenant)))
    .map(({ kind }) => kind);
}

/**
 * Who is said to sign in: as the flow remembers, else as it was typed. After a first proof it is the account of that proof, and
 * nothing that is typed counts. For a method that finds out by itself nothing that is typed beside it counts either.
 */
function enteredAt(
  { state, typed }: Attempt<InMethod>,
  isNameless = false,
): { readonly kind: "named"; readonly name: EnteredIdentifier | undefined } | NotAccepted {
  if (firstFactorOf(state) !== undefined) return { kind: "named", name: undefined };
  const identifier = "identifier" in state ? state.identifier : undefined;
  if (isNameless) return { kind: "named", name: identifier };
  if (identifier !== undefined && typed !== undefined && isAnother(typed, identifier)) {
    return identifierDiffers(identifier.typed);
  }
  return { kind: "named", name: identifier ?? typed };
}

/** Whether a method finds out by itself who signs in. */
function needsNoName({ isVouchedFor = false, lookupKey }: LoginMethod): boolean {
  return isVouchedFor || lookupKey !== undefined;
}

/** The part that a method plays where a login stands. */
function partAt({ state }: Context<InMethod>): "first" | "second" {
  return firstFactorOf(state) === undefined ? "first" : "second";
}

/** Where in a login the nodes of a method are drawn. */
function stageOf({ flow, state }: Context<InMethod>, { kind }: LoginMethod): LoginStage {
  const firstFactor = firstFactorOf(state);
  return {
    factor: firstFactor === undefined ? "first" : "second",
    demanded: demandedBy(flow.data.purpose),
    binding: bindingOf(flow),
    username: firstFactor === undefined ? usernameOf(flow) : undefined,
    noted: firstFactor?.notes?.[kind],
    memory: memoryAt(state, kind),
  };
}

/**
 * What somebody signs in with who links an account elsewhere: the address that it has there, which they have shown to be theirs, and nothing of
 * the account here. An app keeps the password by itself, and anyone with the id of its flow sees the form: there it is left out.
 */
function usernameOf({ client, data: { purpose } }: Context<InMethod>["flow"]): string | undefined {
  return client === "browser" && purpose.kind === "link" ? purpose.vouched.addresses[0]?.value : undefined;
}

/** Whether the account is known: nothing that is typed decides whose it is. */
function isOwners({ kind }: LoginPurpose): boolean {
  return kind === "refresh" || kind === "link";
}

/** Whether all that was asked for is shown. */
function isProved(state: LoginState): boolean {
  return "proved" in state && state.proved !== undefined;
}

/** Whether nothing but what is typed says who signs in. */
function isUnknown({ flow, state }: Context<InMethod>): boolean {
  return flow.data.purpose.kind === "sign_in" && firstFactorOf(state) === undefined;
}

function messagesOf(purpose: LoginPurpose) {
  if (purpose.kind === "sign_in") return [];
  return [purpose.kind === "link" ? proveToLink(purpose.vouched.by) : texts.confirmIdentity()];
}

/** The change that waits for a login; undefined if none does. */
function awaitedBy(purpose: LoginPurpose) {
  return purpose.kind === "refresh" ? purpose.isFor : undefined;
}

function headingOf(purpose: LoginPurpose) {
  const { kind } = purpose;
  // Who links an account elsewhere signs in; those who have a session show again who they are.
  return kind === "sign_in" || kind === "link"
    ? { title: headings.signInTitle(), subtitle: headings.signInMethod() }
    : {
        title: headings.confirmTitle(),
        subtitle: headings.confirmAgain(awaitedBy(purpose)),
      };
}

function secondFactorTexts() {
  const title = headings.confirmTitle();
  return { title, subtitle: headings.confirmSecond(), messages: [texts.secondFactor()] };
}

function asTyped({ identifier }: Attempt<unknown>) {
  return { text: identifier };
}

function identifierNode(
  { schemas }: LoginTableDependencies,
  tenant: Tenant,
  value: string,
  isByPasskey: boolean,
): Node {
  const autocomplete = isByPasskey ? "username webauthn" : "username";
  return {
    ...identifierInput({ type: "text", value, required: true, maxLength: 320, autocomplete }),
    label: texts.identifierLabel(schemas.identifierTitles(tenant)),
  };
}

/** Not to be changed, and there for programs that keep passwords: they look for a name beside each of them. */
function chosenNode(value: string): Node {
  return identifierInput({ type: "hidden", value });
}

function identifierInput(input: Omit<InputKind, "kind">): Node {
  const element = { kind: "input", autocomplete: "username", ...input } as const;
  return { name: "identifier", messages: [], element };
}
