import type { ContactAddress } from "../../domain/identity/addresses.ts";
import type { PreviewState } from "../preview-state.ts";
import { email, longEmail, phone, type Samples } from "../samples.ts";
import { statesOf } from "./flow-states.ts";

const state = statesOf("recovery", {});

/** The states of a recovery. */
export function recoveryStates(samples: Samples): readonly PreviewState[] {
  const addresses: readonly ContactAddress[] = [
    { kind: "email", value: email },
    { kind: "email", value: longEmail },
    { kind: "phone", value: phone },
  ];
  const choice = { typed: "ada", addresses, preferred: "1", kind: "code" } as const;
  const until = samples.daysFromNow(3).toISOString();
  return [
    state("choose-method", "Who wants to get back in", () => ({ at: "choose_method" })),
    state("choose-address", "A choice of addresses", () => ({ at: "choose_address", choice })),
    state("enter-code", "A code was sent", () => samples.sent("enter_code", email)),
    state("enter-code-chosen", "A code was sent to the address that was chosen", () => ({
      ...samples.sent("enter_code", "a****@example.com"),
      choice,
    })),
    state("link-sent", "A link was sent", () => samples.sent("link_sent", email)),
    state("confirm-link", "A link was opened", () => samples.opened("a****@example.com")),
    state("claim-account", "Whose account it is", () => ({
      at: "claim_account",
      sentTo: email,
      target: samples.target(),
      by: "code",
    })),
    state("on-hold", "The recovery waits", () => ({ at: "on_hold", until, sentTo: email })),
    state("stop-recovery", "The owner can stop it", () => ({
      ...samples.opened("a****@example.com"),
      at: "stop_recovery",
      until,
    })),
  ];
}
