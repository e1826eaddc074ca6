import type { PreviewState } from "../preview-state.ts";
import { email, longEmail, type Samples } from "../samples.ts";
import { statesOf } from "./flow-states.ts";

const state = statesOf("verification", {});

/** The states of a verification. */
export function verificationStates(samples: Samples): readonly PreviewState[] {
  const claiming = (sentTo: string) =>
    ({ at: "claim_account", sentTo, target: samples.target(), by: "code" }) as const;
  return [
    state("choose-method", "The address", () => ({ at: "choose_method" })),
    state("choose-method-typed", "The address, filled in", () => ({ at: "choose_method", typed: email })),
    state("enter-code", "A code was sent", () => samples.sent("enter_code", email)),
    state("enter-code-long", "A code was sent to a long address", () =>
      samples.sent("enter_code", longEmail),
    ),
    state("link-sent", "A link was sent", () => samples.sent("link_sent", email)),
    state("confirm-link", "A link was opened", () => samples.opened("a****@example.com")),
    state("claim-account", "Whose account it is", () => claiming(email)),
    state("claim-account-long", "The same, with a long address", () => claiming(longEmail)),
  ];
}
