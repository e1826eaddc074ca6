import type { CompiledSchema } from "../../identity/compiled-schema.ts";
import type { JsonObject } from "../../json.ts";
import type { RegistrationProved, VouchedAccount } from "../../method/method.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { Awaiting, Confirming } from "../challenge/state.ts";
import type { Away, ContinuedMethod } from "../shared/away.ts";
import type { SignedIn } from "../shared/table.ts";
import type { FlowInvitation } from "./invited.ts";

/** What a registration was begun for. */
export interface RegistrationPurpose {
  readonly schemaId: string;
  /** The invitation that it began with. */
  readonly invitation?: FlowInvitation;
}

/** The schema of a registration, as it is now. */
export type SchemaOf = (
  tenant: Tenant,
  flow: { readonly data: { readonly purpose: RegistrationPurpose } },
) => CompiledSchema;

/** Where methods are on offer: with the traits, or once they were accepted. */
type Choice = "fill_form" | "choose_method";

/** Where a registration stands. Traits are those that were accepted so far. */
export type RegistrationState =
  /** The traits come first. */
  | ({ readonly at: "fill_profile"; readonly traits?: JsonObject } & Away)
  | ({ readonly at: "choose_method"; readonly traits: JsonObject } & Away)
  /** The traits come with the method. */
  | ({ readonly at: "fill_form"; readonly traits?: JsonObject } & Away)
  /** Somebody has vouched for an account elsewhere, and filled the traits in: what is missing of them is asked for. */
  | { readonly at: "complete_profile"; readonly traits: JsonObject; readonly vouched: VouchedAccount }
  /** A method that asks more than once: it alone goes on. */
  | {
      readonly at: "continue_method";
      readonly from: Choice;
      readonly traits: JsonObject;
      readonly method: ContinuedMethod;
    }
  /** The address is proven last. */
  | (Awaiting & {
      readonly from: Choice | "complete_profile";
      readonly traits: JsonObject;
      /** The account elsewhere, where it goes on from `complete_profile`. */
      readonly vouched?: VouchedAccount | undefined;
      /** What was proven before the address, and the credential, if one was chosen. */
      readonly account: Omit<RegistrationProved, "kind">;
    })
  | Confirming;

/** Where a registration begins: with the traits alone, or with all that is asked. `traits`: those that were given. */
export function firstState({ settings }: Tenant, traits?: JsonObject): RegistrationState {
  const at = settings.registration.style === "profile_first" ? "fill_profile" : "fill_form";
  return { at, ...(traits && { traits }) };
}

/** The types of a registration. */
export interface RegistrationTypes {
  readonly State: RegistrationState;
  readonly Purpose: RegistrationPurpose;
  readonly Context: object;
  readonly Attempt: {
    /** A merge patch of what the flow has already. */
    readonly traits: JsonObject;
  };
  readonly Done: SignedIn;
}
