import { button, type Node } from "../../form/form.ts";
import { traitNodes } from "../../form/trait-nodes.ts";
import { maskAddress } from "../../identity/mask-address.ts";
import { mergeTraits, withoutWriteOnly } from "../../identity/own-traits.ts";
import type { IdentitySchemas } from "../../identity/schemas.ts";
import { enabledMethods, type SettingsMethod, type SettingsStep } from "../../method/method.ts";
import * as actions from "../../user-message/action-messages.ts";
import * as texts from "../../user-message/user-messages.ts";
import type { Typed } from "../shared/kept-outcome.ts";
import { offersOf } from "../shared/method-offers.ts";
import { bindingOf } from "../shared/second-factors.ts";
import type { ContextOf, StateRule, StepResult, StepRule } from "../shared/table.ts";
import { documentOf, termsNodes } from "../shared/terms.ts";
import type { ActionAttempt, LoginActions } from "./actions.ts";
import type { PendingActions } from "./pending-actions.ts";
import { actionOf, type LoginState, type LoginTypes } from "./state.ts";

type ActionState = Extract<LoginState, { at: "required_action" }>;
type Context = ContextOf<LoginTypes, ActionState>;
type Rule = StepRule<LoginTypes, ActionState>;

interface ActionStepsDependencies {
  readonly settingsMethods: readonly SettingsMethod[];
  readonly pending: PendingActions;
  readonly actions: LoginActions;
  readonly schemas: Pick<IdentitySchemas, "current">;
}

/** Where a login begins. */
const again = ["enter_identifier", "choose_method"] as const;

/** What is done before the session, as a state of the login. `giveUp`: where the login begins again. */
export function actionState(
  deps: ActionStepsDependencies,
  giveUp: (attempt: ActionAttempt) => StepResult<LoginTypes>,
): StateRule<LoginTypes, ActionState> {
  /** The methods that are on offer: of several steps the one that is under way alone. */
  const settable = ({ tenant, state: { action, method } }: Context): readonly SettingsMethod[] => {
    if (action?.kind === "set_password")
      return deps.settingsMethods.filter(({ kind }) => kind === "password");
    if (action?.kind !== "enrol_factor") return [];
    return deps.pending.enrolling(tenant).filter(({ kind }) => method === undefined || kind === method.kind);
  };
  /** The login begins again where a second factor has come that is shown first, and ends where nobody is asked any more. */
  const guarded =
    (take: (attempt: ActionAttempt) => Promise<StepResult<LoginTypes>>) => async (attempt: ActionAttempt) => {
      switch (deps.actions.standing(attempt)) {
        case "too_little":
          return giveUp(attempt);
        case "not_asked":
          return deps.actions.finish(attempt);
        default:
          return take(attempt);
      }
    };
  const secretStep = (method: SettingsMethod, step: SettingsStep): Rule => ({
    leadsTo: ["completed", ...again],
    ...(step.sendsTo && { limits: ["code_send", "code_check"] as const }),
    isOffered: (context) =>
      enabledMethods([method], context.tenant).length > 0 && settable(context).includes(method),
    nodes: (context) => {
      const nodes = step.nodes(stageOf(context, method));
      return settable(context).length > 1 ? nodes.map((node) => ({ ...node, section: method.kind })) : nodes;
    },
    take: guarded((attempt) => deps.actions.setSecret(attempt, method, step)),
  });
  const secretSteps = Object.fromEntries(
    deps.settingsMethods
      .filter(({ kind }) => kind === "password" || deps.pending.canEnrol(kind))
      .flatMap((method) =>
        Object.entries(method.settingsSteps).map(([name, step]) => [name, secretStep(method, step)]),
      ),
  );
  const whereKind = (kind: NonNullable<ActionState["action"]>["kind"]) => (context: Context) =>
    context.state.action?.kind === kind;

  return {
    stage: "required_action",
    facts: (context) => ({
      ...actionOf(context.state),
      offers: settable(context).flatMap((method) =>
        offersOf(method.kind, method.settingsOffer?.(stageOf(context, method))),
      ),
      terms: context.state.action?.terms && documentOf(context.tenant, context.state.action.terms),
    }),
    texts: (context) => {
      const { action } = context.state;
      const several = settable(context);
      return {
        title: actions.oneThingFirst(),
        ...(action && { subtitle: actions.actionAsked(action.kind) }),
        ...(action === undefined && { messages: [actions.allDone()] }),
        ...(several.length > 1 && {
          sections: several.map((method) => ({ id: method.kind, title: method.sectionTitle() })),
        }),
      };
    },
    steps: {
      ...secretSteps,
      profile: {
        leadsTo: ["completed", "enter_code", ...again],
        limits: ["code_send"],
        isOffered: whereKind("complete_traits"),
        nodes: (context, typed) => profileNodes(deps, context, typed),
        take: guarded((attempt) => deps.actions.completeTraits(attempt)),
      },
      sendCode: {
        leadsTo: ["enter_code", "completed", ...again],
        limits: ["code_send"],
        isOffered: whereKind("verify_address"),
        nodes: ({ state: { action } }) => [
          button("sendCode", actions.sendCodeTo(action?.address ? maskAddress(action.address) : "")),
        ],
        take: guarded((attempt) => deps.actions.sendCode(attempt)),
      },
      acceptTerms: {
        leadsTo: ["completed", ...again],
        isOffered: whereKind("accept_terms"),
        nodes: ({ tenant, state: { action } }) =>
          action?.terms === undefined
            ? []
            : termsNodes({ actionId: action.id, document: documentOf(tenant, action.terms) }),
        take: guarded((attempt) => deps.actions.acceptTerms(attempt)),
      },
      resume: {
        leadsTo: ["completed", ...again],
        isOffered: ({ state }) => state.action === undefined,
        nodes: () => [button("resume", texts.continueLabel())],
        take: guarded((attempt) => deps.actions.finish(attempt)),
      },
      back: {
        leadsTo: again,
        // Below the sections, where there are several: what belongs to none comes first.
        nodes: (context) => {
          const back = button("back", texts.backLabel("login"), true);
          const several = settable(context);
          return [several.length > 1 ? { ...back, section: several.at(-1)?.kind } : back];
        },
        take: async (attempt) => {
          const { flow, state } = attempt;
          if (state.method === undefined) return giveUp(attempt);
          const { method: _method, ...before } = state;
          return { kind: "moved", state: before, identityId: flow.identityId };
        },
      },
    },
  };
}

function profileNodes(
  { schemas }: ActionStepsDependencies,
  { tenant, state: { action } }: Context,
  { traits: typed }: Typed,
): readonly Node[] {
  if (action?.profile === undefined) return [];
  const { schemaId, traits } = action.profile;
  const schema = schemas.current(tenant, schemaId);
  const saved = withoutWriteOnly(schema, traits);
  const wanted = typed && withoutWriteOnly(schema, mergeTraits(traits, typed).merged);
  const options = { saved, hidden: schema.writeOnlyIn(traits), step: "profile" };
  return [...traitNodes(schema.fields, wanted ?? saved, options), button("profile", texts.saveLabel())];
}

/** Where the nodes of a method are drawn. */
function stageOf({ tenant, flow, state }: Context, { kind }: SettingsMethod) {
  const memory = state.method?.kind === kind ? state.method.memory : undefined;
  const { typed: username } = state;
  return { tenant, credentials: [], former: [], name: "", username, binding: bindingOf(flow), memory };
}
