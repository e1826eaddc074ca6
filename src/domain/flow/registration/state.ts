import type { JsonObject } from "../../json.ts";
import type { MethodKind } from "../../kinds.ts";
import type { MethodMemory, RegistrationProved } from "../../method/method.ts";
import type { Awaiting, Confirming } from "../challenge/state.ts";
import type { FlowCompleted, SessionWaits } from "../shared/flow.ts";
import type { FlowInvitation } from "./invited.ts";

/** What a registration was begun for. */
export interface RegistrationPurpose {
  readonly schemaId: string;
  /** The invitation that it began with. */
  readonly invitation?: FlowInvitation;
}

/** Where methods are on offer: with the traits, or once they were accepted. */
type Choice = "fill_form" | "choose_method";

/** Where a registration stands. Traits are those that were accepted so far. */
export type RegistrationState =
  /** The traits come first. */
  | { readonly at: "fill_profile"; readonly traits?: JsonObject }
  | { readonly at: "choose_method"; readonly traits: JsonObject }
  /** The traits come with the method. */
  | { readonly at: "fill_form"; readonly traits?: JsonObject }
  /** A method that asks more than once: it alone goes on. */
  | {
      readonly at: "continue_method";
      readonly from: Choice;
      readonly traits: JsonObject;
      readonly method: { readonly kind: MethodKind; readonly memory: MethodMemory };
    }
  /** The address is proven last. */
  | (Awaiting & {
      readonly from: Choice;
      readonly traits: JsonObject;
      /** What was proven before the address, and the credential, if one was chosen. */
      readonly account: Omit<RegistrationProved, "kind">;
    })
  | Confirming;

/** The types of a registration. */
export interface RegistrationTypes {
  readonly State: RegistrationState;
  readonly Purpose: RegistrationPurpose;
  readonly Context: object;
  readonly Attempt: {
    /** A merge patch of what the flow has already. */
    readonly traits: JsonObject;
  };
  readonly Done: { readonly kind: "completed"; readonly completed: FlowCompleted } | SessionWaits;
}
