import type { ContactAddress } from "../../identity/addresses.ts";

/** A code is to be entered, or a link to be opened. */
export interface Awaiting {
  readonly at: "enter_code" | "link_sent";
  /** As its holder is told. */
  readonly sentTo: string;
  /** Where it really went; absent where nothing was sent, which the holder must not notice. */
  readonly target?: ContactAddress;
  readonly sentAt: string;
}

/** One click uses the link that was opened. */
export interface Confirming {
  readonly at: "confirm_link";
  /** The flow that holds the challenge. */
  readonly parent: string;
  /** The digest of the link that was opened; no other one of that flow is used. */
  readonly opened: string;
  /** Masked. */
  readonly sentTo: string;
  readonly target: ContactAddress;
}
