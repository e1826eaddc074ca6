import type { Node } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { FlowSubmission, SubmittedStep } from "../../form/submission.ts";
import { type NormalisedIdentifier, normaliseIdentifier } from "../../identifier/normalise.ts";
import type { ProofTarget } from "../../identity/addresses.ts";
import type { FlowClient, FlowKind } from "../../kinds.ts";
import * as messages from "../../message/message.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { AddressProofs } from "../challenge/address-proofs.ts";
import type { FlowData } from "./flow.ts";
import { dataWith } from "./flow-answers.ts";
import type { FlowShape, FlowStart } from "./flow-keeper.ts";

/** The kinds of flows that begin with an address. */
type AddressKind = Extract<FlowKind, "verification" | "recovery">;

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
  readonly clientData?: FlowData["clientData"];
}

/**
 * What the flow begins with: nothing, or what an opened link leads on to. What an operator began says so in its data: it
 * works also where people cannot begin it themselves. Throws LINK_INVALID.
 */
export async function addressStart(
  tenant: Tenant,
  proofs: AddressProofs,
  kind: AddressKind,
  start: AddressStart,
): Promise<FlowStart> {
  const { client, returnTo, linkToken } = start;
  if (linkToken === "") return { client, returnTo, data: dataWith({}, start) };
  const { pending, parent } = await proofs.open(tenant, kind, linkToken);
  const { operator } = parent.data;
  return {
    client,
    returnTo: returnTo || parent.returnTo,
    data: dataWith({ pending, ...(operator && { operator }) }, start),
    identityId: pending.target?.identityId,
  };
}

/** A flow that asks for an address, then for what was sent to it. */
export function addressShape(
  kind: AddressKind,
  proofs: AddressProofs,
  lifetimeMs: (tenant: Tenant) => number,
): FlowShape {
  return {
    kind,
    lifetimeMs,
    stage: (tenant, flow) =>
      proofs.forms.stageOf(tenant, flow) ?? {
        kind: "choose_method",
        offers: proofs.forms.offers(tenant, kind),
      },
    form: (tenant, flow, { text = flow.data.typed ?? "" } = {}) => ({
      nodes: proofs.forms.nodesOf(flow) ?? addressNodes(tenant, kind, proofs, text),
      messages: proofs.forms.messagesOf(flow),
    }),
  };
}

/** The form that asks for the address. */
function addressNodes(
  tenant: Tenant,
  kind: AddressKind,
  proofs: AddressProofs,
  value: string,
): readonly Node[] {
  const address: Node = {
    name: "address",
    label: kind === "recovery" ? messages.recoveryNameLabel() : messages.addressLabel(),
    messages: [],
    element: { kind: "input", type: "text", value, required: true, autocomplete: "username", maxLength: 320 },
  };
  return [address, ...proofs.forms.requestNodes(tenant, kind)];
}

/** What is said of an address that nobody has, where the configuration prefers friendly answers to safe ones. */
export function nobodyHasIt(): StepRejected {
  const problems = { fields: [{ name: "address", message: messages.accountNotFound() }], form: [] };
  return { kind: "rejected", reason: "IDENTITY_NOT_FOUND", problems };
}

/** What was typed as an address, or what is wrong with it. */
export function toAddress(
  typed: string,
): Pick<ProofTarget, "kind" | "value"> | { readonly rejected: StepRejected } {
  const name = toAccountName(typed);
  if ("rejected" in name) return name;
  const { kind, value } = name;
  return kind === "username" ? { rejected: incomplete(messages.invalidAddress()) } : { kind, value };
}

/** What was typed as an address, or as something to sign in with; or what is wrong with it. */
export function toAccountName(typed: string): NormalisedIdentifier | { readonly rejected: StepRejected } {
  const normalised = normaliseIdentifier(typed);
  if (normalised.kind !== "problem") return normalised;
  const isEmpty = normalised.problem === "empty";
  return { rejected: incomplete(isEmpty ? messages.required("address") : messages.invalidAddress()) };
}

function incomplete(message: messages.Message): StepRejected {
  const problems = { fields: [{ name: "address", message }], form: [] };
  return { kind: "rejected", reason: "FORM_INCOMPLETE", problems };
}
