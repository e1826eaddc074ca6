/** The states of waiting for a code or link, which are the same in all kinds of flows. */
import type { Event } from "../../event/event.ts";
import { ofMethod, sideButton } from "../../form/form.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import type { ChallengeKind, FlowKind } from "../../kinds.ts";
import { longCodeLength } from "../../method/typed-code.ts";
import type { ThrottledAction } from "../../throttle/limits.ts";
import { anotherAddressLabel } from "../../user-message/account-messages.ts";
import {
  codeTitle,
  linkTitle,
  lookForCode,
  lookForLink,
  oneMoreClick,
} from "../../user-message/stage-messages.ts";
import type { UserMessage } from "../../user-message/user-message.ts";
import * as texts from "../../user-message/user-messages.ts";
import type {
  AttemptOf,
  ContextOf,
  KindTypes,
  Moved,
  NotAccepted,
  StateRule,
  StepResult,
  StepRule,
} from "../shared/table.ts";
import { titleOf } from "../shared/titles.ts";
import { assertNoChoice, type Challenges, type ProvedAddress } from "./challenges.ts";
import type { Awaiting, Confirming } from "./state.ts";

/** A kind of flow that waits for codes or links. */
type Awaits<K extends KindTypes> = Extract<K["State"], Awaiting>;
type Confirms<K extends KindTypes> = Extract<K["State"], Confirming>;
type At<K extends KindTypes> = K["State"]["at"] | "completed";

/** What a kind of flow says of its codes and links. */
interface ChallengeRules<K extends KindTypes> {
  readonly kind: FlowKind;
  readonly challenges: Challenges;
  /** What may follow from a proof. */
  readonly leadsTo: readonly At<K>[];
  /** Where the holder may go back to. */
  readonly backTo: readonly At<K>[];
  /** The state before, with what was filled in. */
  back(context: ContextOf<K, Awaits<K>>): K["State"];
  /** Whether what is typed in the flow decides nothing about whose it is. */
  isFixed(context: ContextOf<K>): boolean;
  /** The kind of flow that the message is like. Default: this one. */
  as?(attempt: AttemptOf<K>): FlowKind | undefined;
  /** Where what was typed leads now. Default: where the last secret went. */
  lookUp?(attempt: AttemptOf<K>, typed: string): Promise<ContactAddress | undefined>;
  /** Why nothing is done in this attempt. Default: it is done. */
  refuse?(attempt: AttemptOf<K>): NotAccepted | undefined;
  /** What follows from a proof. */
  prove(attempt: AttemptOf<K, Awaits<K> | Confirms<K>>, proved: ProvedAddress): Promise<StepResult<K>>;
  /** What else the click on an opened link leads to. Default: nothing. */
  leadsOn?(context: ContextOf<K, Confirms<K>>): UserMessage | undefined;
  /** What is recorded of a secret that was not accepted. Default: nothing. */
  failure?(attempt: AttemptOf<K>, rejected: NotAccepted, method: ChallengeKind): Event | undefined;
}

/** The states of a flow that waits for a code, for a link, and for the click that uses an opened link. */
export function challengeStates<K extends KindTypes>(rules: ChallengeRules<K>) {
  const { kind, challenges } = rules;

  const use = (
    method: ChallengeKind,
    limits: readonly ThrottledAction[],
  ): StepRule<K, Awaits<K> | Confirms<K>> => ({
    leadsTo: rules.leadsTo,
    limits,
    nodes: ({ tenant }) => ofMethod(method, challenges.method(method).useNodes(kind, tenant)),
    take: async (attempt) => {
      const refused = rules.refuse?.(attempt);
      if (refused !== undefined) return refused;
      const result = await challenges.check(attempt, attempt.state, rules.isFixed(attempt));
      if (result.kind === "proved") return rules.prove(attempt, result);
      const failed = rules.failure?.(attempt, result, method);
      return { ...result, events: failed && [failed] };
    },
  });

  const waiting: StateRule<K, Awaits<K>>["steps"] = {
    resend: {
      leadsTo: [],
      limits: ["code_send"],
      // A link leads to a page, which may be configured no more.
      isOffered: ({ tenant, state: { at } }) =>
        at === "enter_code" || challenges.offered(tenant, kind).includes("link"),
      nodes: ({ tenant, state }) => [
        sideButton(
          "resend",
          texts.resendLabel(state.at === "enter_code" ? "code" : "link"),
          challenges.resendWaitMs(tenant, state),
        ),
      ],
      take: async (attempt) => {
        const refused = rules.refuse?.(attempt);
        if (refused !== undefined) return refused;
        const { state } = attempt;
        const { lookUp } = rules;
        const sent = await challenges.resend(attempt, state, {
          isFixed: rules.isFixed(attempt),
          as: rules.as?.(attempt),
          lookUp: lookUp && ((typed) => lookUp(attempt, typed)),
        });
        // What the flow remembers beside the secret stays.
        return sent.kind === "rejected" ? sent : withState<K>(sent, { ...remembered(state), ...sent.state });
      },
    },
    back: {
      leadsTo: rules.backTo,
      nodes: (context) => {
        // Only what somebody has typed can be another one.
        const isTyped = kind === "settings" || !rules.isFixed(context);
        return [sideButton("back", isTyped ? anotherAddressLabel() : texts.backLabel(kind))];
      },
      take: async (attempt) => {
        const refused = rules.refuse?.(attempt);
        if (refused !== undefined) return refused;
        const identityId = rules.isFixed(attempt) ? attempt.flow.identityId : undefined;
        return { kind: "moved", state: rules.back(attempt), identityId };
      },
    },
  };

  const awaited = ({ tenant, flow, state }: ContextOf<K, Awaits<K>>) => ({
    sentTo: state.sentTo,
    expiresAt: flow.challenge?.expiresAt ?? new Date(state.sentAt),
    resendAt: challenges.resendAt(tenant, state),
    codeLength: tenant.settings.code.length,
    longCodeLength,
  });

  const enterCode: StateRule<K, Awaits<K>> = {
    stage: "enter_code",
    facts: awaited,
    texts: ({ state: { sentTo } }) => ({
      title: codeTitle(),
      subtitle: lookForCode(sentTo),
      messages: [texts.codeSent(kind, sentTo)],
    }),
    steps: { code: use("code", ["code_check", "late_check"]), ...waiting },
  };
  const linkSent: StateRule<K, Awaits<K>> = {
    stage: "link_sent",
    facts: awaited,
    texts: ({ state: { sentTo } }) => ({
      title: linkTitle(),
      subtitle: lookForLink(sentTo),
      messages: [texts.linkSent(kind, sentTo)],
    }),
    // A link is used in the flow that it opens, not in the one that waits for it.
    steps: waiting,
  };
  const confirmLink: StateRule<K, Confirms<K>> = {
    stage: "confirm_link",
    facts: ({ state }) => ({ address: state.sentTo }),
    texts: (context) => {
      const also = rules.leadsOn?.(context);
      return {
        title: titleOf(kind),
        subtitle: oneMoreClick(),
        messages: [texts.confirmLink(kind, context.state.sentTo), ...(also === undefined ? [] : [also])],
      };
    },
    steps: { confirmLink: use("link", ["link_check", "late_check"]) },
  };
  return { enter_code: enterCode, link_sent: linkSent, confirm_link: confirmLink };
}

/** A step that asks for a code or link; none where the tenant does not offer it. */
export function requestStep<K extends KindTypes, State>(
  { kind, challenges }: Pick<ChallengeRules<K>, "kind" | "challenges">,
  method: ChallengeKind,
  {
    hasChoice = false,
    ...rule
  }: Pick<StepRule<K, State>, "take"> &
    Partial<StepRule<K, State>> & {
      /** Whether there are addresses to choose from. Default: there are none. */
      readonly hasChoice?: boolean;
    },
): StepRule<K, State> {
  return {
    leadsTo: [method === "code" ? "enter_code" : "link_sent"] as readonly At<K>[],
    limits: ["code_send"],
    nodes: () => ofMethod(method, challenges.method(method).requestNodes(kind)),
    ...rule,
    isOffered: (context) =>
      challenges.offered(context.tenant, kind).includes(method) && (rule.isOffered?.(context) ?? true),
    take: (attempt) => {
      if (!hasChoice) assertNoChoice(attempt.step);
      return rule.take(attempt);
    },
  };
}

/** A move, with the state of a kind. */
export function withState<K extends KindTypes>(moved: Moved<Awaiting>, state: object): Moved<K["State"]> {
  return { ...moved, state: state as K["State"] };
}

function remembered({ target: _target, ...rest }: Awaiting): object {
  return rest;
}
