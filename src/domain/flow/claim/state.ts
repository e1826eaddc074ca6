import type { ContactAddress } from "../../identity/addresses.ts";
import type { MethodKind } from "../../kinds.ts";

/** The answer whose account it is, once the address was proven. */
export interface Claiming {
  readonly at: "claim_account";
  /** As its holder is told. */
  readonly sentTo: string;
  readonly target: ContactAddress;
  /** What was typed before, to fill the form in again. */
  readonly typed?: string;
  /** What the address was proven by. */
  readonly by: MethodKind;
}
