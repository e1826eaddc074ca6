import type { ContactAddress } from "../../identity/addresses.ts";
import type { Credential, Identity } from "../../identity/identity.ts";
import type { Awaiting, Confirming } from "../challenge/state.ts";
import type { Claiming } from "../claim/state.ts";
import type { Flow, FlowCompleted } from "../shared/flow.ts";
import type { OperatorPurpose } from "../shared/typed-address.ts";
import type { AddressChoice } from "./choice.ts";

/** The address was proven, and the account can be recovered later. */
export interface OnHold {
  readonly at: "on_hold";
  readonly until: string;
  /** What was typed; of the flow that waits the address, masked. */
  readonly sentTo: string;
  /** Only of the flow that waits for all: the address that was proven. */
  readonly target?: ContactAddress;
}

/** A recovery that waits can be stopped, by a link that was opened. */
export interface Stopping extends Omit<Confirming, "at"> {
  readonly at: "stop_recovery";
  readonly until: string;
}

/** Where a recovery stands. */
export type RecoveryState =
  /** `typed`: what was typed before. It fills the form in, no more. */
  | { readonly at: "choose_method"; readonly typed?: string }
  | { readonly at: "choose_address"; readonly choice: AddressChoice }
  /** `choice`: what the address was chosen from. */
  | (Awaiting & { readonly choice?: AddressChoice })
  | Confirming
  /** The address is one of an account that nobody has claimed. */
  | Claiming
  | OnHold
  | Stopping;

/** What a completed recovery gives. */
export interface RecoveryCompleted {
  /** The flow in which the new secret is set; undefined where somebody signed in, and keeps what they had set up. */
  readonly settings: Flow | undefined;
  /** Only where the configuration gives the session at once. */
  readonly session: Pick<FlowCompleted, "session" | "token" | "client" | "identity" | "device"> | undefined;
}

/** What a recovery was begun for. */
export interface RecoveryPurpose extends OperatorPurpose {
  /** Whether it only asks whose the account is whose address was shown elsewhere. */
  readonly asksWhose?: boolean;
}

/** The types of a recovery. */
export interface RecoveryTypes {
  readonly State: RecoveryState;
  readonly Purpose: RecoveryPurpose;
  readonly Context: object;
  readonly Attempt: {
    readonly address: string;
    /** Whose flow it is, as far as that is known. */
    readonly identity: Identity | undefined;
    readonly credentials: readonly Credential[];
  };
  readonly Done: { readonly kind: "completed"; readonly completed: RecoveryCompleted };
}
