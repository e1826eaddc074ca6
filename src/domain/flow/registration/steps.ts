import { button, type Node, ofMethod } from "../../form/form.ts";
import { traitNodes } from "../../form/trait-nodes.ts";
import { mergeTraits, withoutWriteOnly } from "../../identity/own-traits.ts";
import type { ChallengeKind } from "../../kinds.ts";
import {
  methodsPlaying,
  type RegistrationMethod,
  type RegistrationStage,
  stepOf,
} from "../../method/method.ts";
import {
  almostThereHelp,
  almostThereTitle,
  createAccountLabel,
} from "../../user-message/provider-messages.ts";
import * as headings from "../../user-message/stage-messages.ts";
import * as texts from "../../user-message/user-messages.ts";
import type { Challenges } from "../challenge/challenges.ts";
import { challengeStates, requestStep } from "../challenge/states.ts";
import { memoryAt } from "../shared/away.ts";
import type { Typed } from "../shared/kept-outcome.ts";
import { offersOf } from "../shared/method-offers.ts";
import { bindingOf } from "../shared/second-factors.ts";
import type { AttemptOf, ContextOf, FlowTable, StepRule } from "../shared/table.ts";
import { givenTraits, traitsChanged, usernameIn } from "./profile.ts";
import type { SignUp } from "./sign-up.ts";
import { firstState, type RegistrationState, type RegistrationTypes, type SchemaOf } from "./state.ts";

type State<At extends RegistrationState["at"]> = Extract<RegistrationState, { readonly at: At }>;
type Choosing = State<"fill_form" | "choose_method">;
type InMethod = State<"fill_form" | "choose_method" | "continue_method">;

interface RegistrationTableDependencies {
  readonly methods: readonly RegistrationMethod[];
  readonly challenges: Challenges;
  readonly signUp: SignUp;
  readonly schemaOf: SchemaOf;
}

/** Making an account, as a table. */
export function registrationTable(deps: RegistrationTableDependencies): FlowTable<RegistrationTypes> {
  const { methods, challenges, signUp, schemaOf } = deps;

  const profileNodes = (
    { tenant, flow }: ContextOf<RegistrationTypes>,
    { traits }: Typed,
  ): readonly Node[] => {
    const schema = schemaOf(tenant, flow);
    const given = givenTraits(flow);
    const saved = withoutWriteOnly(schema, given);
    const submitted = traits && withoutWriteOnly(schema, mergeTraits(given, traits).merged);
    // A default of the schema is filled in once, and not again after the person has taken it out.
    const { state } = flow.data;
    const isNew = submitted === undefined && !("traits" in state && state.traits !== undefined);
    return traitNodes(schema.fields, submitted ?? saved, { saved, isNew, hidden: schema.writeOnlyIn(given) });
  };

  /** Where in a registration the nodes of a method are drawn. */
  const stageOf = (
    { tenant, flow, state }: ContextOf<RegistrationTypes>,
    { kind }: RegistrationMethod,
  ): RegistrationStage => ({
    binding: bindingOf(flow),
    memory: memoryAt(state, kind),
    // Otherwise it is in the form itself.
    username:
      state.at === "choose_method" ? usernameIn(schemaOf(tenant, flow), givenTraits(flow)) : undefined,
  });

  const vouching = methods.filter(({ isVouchedFor }) => isVouchedFor);
  const stepsOf = <S extends InMethod>(
    among: readonly RegistrationMethod[],
    isUnderWay?: (context: ContextOf<RegistrationTypes, S>, kind: string) => boolean,
  ) =>
    Object.fromEntries(
      among.map((method) => [
        stepOf(method),
        {
          leadsTo: method.isVouchedFor
            ? ["completed", "complete_profile", "enter_code", "fill_profile", "fill_form"]
            : ["completed", "continue_method", "enter_code"],
          limits: ["registration", "registration_sending", "code_send"],
          isOffered: (context) =>
            methodsPlaying("first", [method], context.tenant).length > 0 &&
            (isUnderWay?.(context, method.kind) ?? true),
          nodes: (context) =>
            ofMethod(method.kind, method.registrationNodes(context.tenant, stageOf(context, method))),
          take: (attempt) => signUp.takeMethod(attempt, method),
        } satisfies StepRule<RegistrationTypes, S> as StepRule<RegistrationTypes, S>,
      ]),
    );
  const sendStep = (kind: ChallengeKind): StepRule<RegistrationTypes, Choosing> =>
    requestStep<RegistrationTypes, Choosing>({ kind: "registration", challenges }, kind, {
      limits: ["registration", "code_send"],
      take: (attempt) => signUp.takeChallenge(attempt, kind),
    });
  const choices = {
    ...stepsOf<Choosing>(methods.filter(({ isVouchedFor }) => !isVouchedFor)),
    sendCode: sendStep("code"),
    sendLink: sendStep("link"),
    // Below all that is done here.
    ...stepsOf<Choosing>(vouching),
  };
  const offersAmong = (own: readonly RegistrationMethod[], context: ContextOf<RegistrationTypes>) =>
    methodsPlaying("first", own, context.tenant).flatMap((method) =>
      offersOf(method.kind, method.registrationOffer?.(context.tenant, stageOf(context, method))),
    );
  const offers = (context: ContextOf<RegistrationTypes>) => ({
    offers: [...offersAmong(methods, context), ...challenges.offers(context.tenant, "registration")],
  });
  const leadsTo = ["completed", "complete_profile", "enter_code", "fill_profile", "fill_form"] as const;
  const limits = ["registration", "registration_sending", "code_send"] as const;
  const vouchingStep = (method: RegistrationMethod): StepRule<RegistrationTypes, State<"fill_profile">> => ({
    ...{ leadsTo, limits },
    isOffered: ({ tenant }) => methodsPlaying("first", [method], tenant).length > 0,
    nodes: (context) =>
      ofMethod(method.kind, method.registrationNodes(context.tenant, stageOf(context, method))),
    take: (attempt) => signUp.takeVouching(attempt, method),
  });
  const vouchedStep = (
    method: RegistrationMethod,
  ): StepRule<RegistrationTypes, State<"complete_profile">> => ({
    ...{ leadsTo, limits },
    isOffered: ({ tenant, state }) =>
      state.vouched.credential.kind === method.kind && methodsPlaying("first", [method], tenant).length > 0,
    nodes: () => [button(stepOf(method), createAccountLabel())],
    take: (attempt) => signUp.takeVouched(attempt),
  });
  const typed = ({ traits }: AttemptOf<RegistrationTypes, unknown>) => ({ traits });
  const back = button("back", texts.backLabel("registration"), true);

  return {
    fill_profile: {
      stage: "fill_profile",
      facts: (context) => ({ offers: offersAmong(vouching, context) }),
      texts: () => ({ title: headings.signUpTitle(), subtitle: headings.signUpProfile() }),
      nodes: profileNodes,
      typed,
      steps: {
        profile: {
          leadsTo: ["choose_method"],
          nodes: () => [button("profile", texts.continueLabel())],
          take: (attempt) => signUp.takeProfile(attempt),
        },
        ...Object.fromEntries(vouching.map((method) => [stepOf(method), vouchingStep(method)])),
      },
    },
    complete_profile: {
      stage: "fill_profile",
      facts: (context) => ({
        offers: offersAmong(
          vouching.filter(({ kind }) => kind === context.state.vouched.credential.kind),
          context,
        ),
      }),
      texts: ({ state }) => ({ title: almostThereTitle(), subtitle: almostThereHelp(state.vouched.by) }),
      nodes: profileNodes,
      typed,
      steps: {
        ...Object.fromEntries(vouching.map((method) => [stepOf(method), vouchedStep(method)])),
        // Gives up what was vouched for.
        back: {
          leadsTo: ["fill_profile", "fill_form"],
          nodes: () => [back],
          take: async ({ tenant, flow, state }) => ({
            kind: "moved",
            state: firstState(tenant, state.traits),
            identityId: flow.identityId,
          }),
        },
      },
    },
    choose_method: {
      stage: "choose_method",
      facts: offers,
      texts: () => ({ title: headings.signUpTitle(), subtitle: headings.signUpMethodNext() }),
      typed,
      steps: {
        ...choices,
        // To the traits, as they were filled in. What was chosen for them is forgotten.
        back: {
          leadsTo: ["fill_profile"],
          nodes: () => [back],
          take: async ({ flow, state: { traits } }) => ({
            kind: "moved",
            state: { at: "fill_profile", traits },
            identityId: flow.identityId,
          }),
        },
      },
    },
    fill_form: {
      stage: "choose_method",
      facts: offers,
      texts: () => ({ title: headings.signUpTitle(), subtitle: headings.signUpMethod() }),
      nodes: profileNodes,
      typed,
      steps: choices,
    },
    continue_method: {
      stage: "choose_method",
      facts: (context) => {
        const { kind } = context.state.method;
        const own = methods.filter((each) => each.kind === kind);
        return { offers: offersAmong(own, context) };
      },
      texts: () => ({ title: headings.signUpTitle(), subtitle: headings.signUpMethodNext() }),
      typed,
      steps: {
        ...stepsOf<State<"continue_method">>(methods, ({ state }, kind) => state.method.kind === kind),
        back: {
          leadsTo: ["choose_method", "fill_form"],
          nodes: () => [back],
          take: async ({ flow, state: { from, traits } }) => ({
            kind: "moved",
            state: { at: from, traits },
            identityId: flow.identityId,
          }),
        },
      },
    },
    ...challengeStates<RegistrationTypes>({
      kind: "registration",
      challenges,
      leadsTo: ["completed"],
      backTo: ["choose_method", "fill_form", "complete_profile"],
      back: ({ tenant, state }) => {
        const { from, traits, vouched } = state;
        if (from !== "complete_profile") return { at: from, traits };
        return vouched === undefined ? firstState(tenant, state.traits) : { at: from, traits, vouched };
      },
      isFixed: () => false,
      // Security rule (SR-FLOW-8): what was checked is what is stored. Traits that come with the code are not another chance.
      refuse: (attempt) => (signUp.changes(attempt) ? { ...traitsChanged(), typed: {} } : undefined),
      prove: (attempt, proved) => signUp.takeProof(attempt, proved),
    }),
  };
}
