import { button } from "../../form/form.ts";
import type { FlowKind } from "../../kinds.ts";
import { claimHelp, claimTitle } from "../../user-message/stage-messages.ts";
import * as texts from "../../user-message/user-messages.ts";
import type { Flow } from "../shared/flow.ts";
import type { AttemptOf, ContextOf, KindTypes, StateRule, StepResult, StepRule } from "../shared/table.ts";
import type { AccountClaims, ClaimOutcome } from "./account-claims.ts";
import type { Claiming } from "./state.ts";

/** A kind of flow that asks whose account it is. */
type Claims<K extends KindTypes> = Extract<K["State"], Claiming>;

/** The state of the question whose account it is: sign in to it, or end what somebody else has set up, or go back. */
export function claimState<K extends KindTypes>(rules: {
  readonly kind: FlowKind;
  readonly claims: AccountClaims;
  /** Whether the holder can go back to the choice of a method. Default: they can. */
  hasBack?(context: ContextOf<K, Claims<K>>): boolean;
  /** What is given once it is answered. `settings`: the flow in which a new secret is set. */
  done(attempt: AttemptOf<K, Claims<K>>, settings: Flow | undefined): K["Done"];
}): StateRule<K, Claims<K>> {
  const { kind, claims, hasBack, done } = rules;
  const first = "choose_method" as K["State"]["at"];
  const settle = (attempt: AttemptOf<K, Claims<K>>, outcome: ClaimOutcome): StepResult<K> => {
    if (outcome.kind === "kept") return done(attempt, undefined);
    // Neither answer is worth anything any more, so the way back is all that there is to do.
    const isOver = outcome.kind === "rejected" && (hasBack?.(attempt) ?? true);
    if (isOver) return { ...outcome, goesTo: before(attempt.state) };
    return outcome.kind === "disowned" ? done(attempt, outcome.settings) : outcome;
  };
  const before = ({ typed }: Claiming) => ({ at: "choose_method", typed });
  const step = (
    rule: Pick<StepRule<K, Claims<K>>, "leadsTo" | "isOffered" | "nodes" | "take">,
  ): StepRule<K, Claims<K>> => rule;
  return {
    stage: "claim_account",
    facts: ({ state }) => ({ address: state.sentTo }),
    texts: ({ state }) => ({
      title: claimTitle(),
      subtitle: claimHelp(),
      messages: [texts.claimAccount(state.sentTo)],
    }),
    steps: {
      resume: step({
        leadsTo: ["completed", first],
        nodes: () => [button("resume", texts.claimLabel())],
        take: async (attempt) => settle(attempt, await claims.keep(attempt)),
      }),
      disown: step({
        leadsTo: ["completed", first],
        nodes: () => [button("disown", texts.disownLabel())],
        take: async (attempt) => settle(attempt, await claims.disown(attempt)),
      }),
      back: step({
        leadsTo: [first],
        isOffered: hasBack,
        nodes: () => [button("back", texts.backLabel(kind), true)],
        take: async ({ state }) => ({
          kind: "moved",
          state: before(state) as unknown as K["State"],
          identityId: undefined,
        }),
      }),
    },
  };
}
