/** What flows that begin with an address have in common. */
import type { Node } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { FlowSubmission, SubmittedStep } from "../../form/submission.ts";
import { type NormalisedIdentifier, normaliseIdentifier } from "../../identifier/normalise.ts";
import { withCountryCode } from "../../identifier/phone.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import type { JsonObject } from "../../json.ts";
import type { FlowClient } from "../../kinds.ts";
import * as texts from "../../user-message/user-messages.ts";

/** What was submitted to a flow that begins with an address. */
export interface AddressSubmission extends FlowSubmission {
  readonly address: string;
  readonly step: SubmittedStep;
}

/** What a caller begins such a flow with. */
export interface AddressStart {
  readonly client: FlowClient;
  readonly returnTo: string;
  /** Of a link that was opened; else empty. */
  readonly linkToken: string;
  readonly clientData?: JsonObject | undefined;
}

/** Who began a flow for somebody, if an operator did: by a link that was sent, or by one that the operator vouches for. */
export interface OperatorPurpose {
  readonly operator?: "sends" | "vouches";
}

/** A state that may know what was typed to say whose flow it is. */
interface MayBeTyped {
  readonly at: string;
  readonly typed?: string;
  readonly sentTo?: string;
  readonly choice?: { readonly typed: string };
  readonly identifier?: { readonly typed: string };
}

/** What was typed to say whose flow it is, to fill a form in again; undefined if it is not known. */
export function typedAt({ at, typed, sentTo, choice, identifier }: MayBeTyped): string | undefined {
  // Only while a code or link is awaited the address is shown as it was typed.
  const awaited = at === "enter_code" || at === "link_sent" || at === "on_hold" ? sentTo : undefined;
  return choice?.typed ?? identifier?.typed ?? awaited ?? typed;
}

/** The field for the address. */
export function addressNode(label: texts.UserMessage, value: string): Node {
  return {
    name: "address",
    label,
    messages: [],
    element: { kind: "input", type: "text", value, required: true, autocomplete: "username", maxLength: 320 },
  };
}

/** What is said of an address that nobody has, where the configuration prefers friendly answers to safe ones. */
export function nobodyHasIt(): StepRejected {
  const problems = { fields: [{ name: "address", message: texts.accountNotFound() }], form: [] };
  return { kind: "rejected", reason: "IDENTITY_NOT_FOUND", problems };
}

/**
 * What was typed as an address, or what is wrong with it. `country`: the country whose telephone numbers need no country code; empty:
 * none.
 */
export function toAddress(
  typed: string,
  country: string,
): Pick<ContactAddress, "kind" | "value"> | { readonly rejected: StepRejected } {
  const name = toAccountName(typed, country);
  if ("rejected" in name) return name;
  const { kind, value } = name;
  return kind === "username" ? { rejected: incomplete(texts.invalidAddress()) } : { kind, value };
}

/** What was typed as an address, or as something to sign in with; or what is wrong with it. */
export function toAccountName(
  typed: string,
  country: string,
): NormalisedIdentifier | { readonly rejected: StepRejected } {
  const normalised = normaliseIdentifier(withCountryCode(typed, country));
  if (normalised.kind !== "problem") return normalised;
  const isEmpty = normalised.problem === "empty";
  return { rejected: incomplete(isEmpty ? texts.required("address") : texts.invalidAddress()) };
}

function incomplete(message: texts.UserMessage): StepRejected {
  const problems = { fields: [{ name: "address", message }], form: [] };
  return { kind: "rejected", reason: "FORM_INCOMPLETE", problems };
}
