import type { SessionId } from "../../ids.ts";
import type { Awaiting, Confirming } from "../challenge/state.ts";
import type { Claiming } from "../claim/state.ts";
import type { Flow } from "../shared/flow.ts";
import type { OperatorPurpose } from "../shared/typed-address.ts";

/** What a verification was begun for. */
export interface VerificationPurpose extends OperatorPurpose {
  /** The session in which the flow was begun. A code that is entered in this flow is entered in that session. */
  readonly session?: SessionId;
}

/** Where a verification stands. */
export type VerificationState =
  /** `typed`: what was typed before. It fills the form in, no more. */
  | { readonly at: "choose_method"; readonly typed?: string }
  | Awaiting
  | Confirming
  /** The address is one of an account that nobody has claimed. */
  | Claiming;

/** What a completed verification gives. */
export interface VerificationCompleted {
  readonly returnTo: string | undefined;
  /** The address that was verified, as it is shown to the holder of the flow. */
  readonly verifiedAddress: string;
  /** The flow in which a new secret is set, where the account was set up by somebody else. */
  readonly settings?: Flow | undefined;
}

/** The types of a verification. */
export interface VerificationTypes {
  readonly State: VerificationState;
  readonly Purpose: VerificationPurpose;
  readonly Context: object;
  readonly Attempt: { readonly address: string };
  readonly Done: { readonly kind: "completed"; readonly completed: VerificationCompleted };
}
