import { button } from "../../form/form.ts";
import * as texts from "../../user-message/oauth2-messages.ts";
import type { OAuth2HandOvers } from "../oauth2/hand-over.ts";
import type { AttemptOf, StateRule, StepResult } from "../shared/table.ts";
import type { LoginState, LoginTypes } from "./state.ts";

type HandOverState = Extract<LoginState, { at: "hand_over" }>;
type Attempt = AttemptOf<LoginTypes, HandOverState>;

/** The session is there, and the OAuth2 server has yet to be told. `again`: where somebody without that session begins. */
export function handOverState(
  deps: { readonly handOvers: () => Pick<OAuth2HandOvers, "again"> },
  again: (attempt: Attempt) => StepResult<LoginTypes>,
): StateRule<LoginTypes, HandOverState> {
  return {
    stage: "hand_over",
    texts: ({ flow }) => ({
      title: texts.handOverTitle(),
      subtitle: texts.handOverHelp(flow.data.oauth2?.client.name ?? ""),
    }),
    steps: {
      resume: {
        leadsTo: ["enter_identifier", "choose_method"],
        nodes: () => [button("resume", texts.handOverAgain())],
        take: async (attempt) => {
          const { caller, flow, state } = attempt;
          const answer = await deps.handOvers().again(caller, flow, state.session);
          if (answer.kind === "ended") return again(attempt);
          if (answer.kind === "told")
            return { kind: "moved", state, identityId: flow.identityId, url: answer.url };
          const problems = { fields: [], form: [texts.handOverFailed()] };
          return { kind: "rejected", reason: "OAUTH2_SERVER_UNAVAILABLE", problems };
        },
      },
    },
  };
}
