import { button, type Node, nodeName } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { SubmittedStep } from "../../form/submission.ts";
import type { NormalisedIdentifier } from "../../identifier/normalise.ts";
import type { ProofTarget } from "../../identity/addresses.ts";
import { isSameAddress, verifiedAddresses } from "../../identity/addresses.ts";
import type { Identity } from "../../identity/identity.ts";
import { maskAddress } from "../../identity/mask-address.ts";
import * as messages from "../../message/message.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { AddressProofs } from "../challenge/address-proofs.ts";
import { addressShape } from "../shared/address-form.ts";
import type { AddressChoice, OfferedAddress } from "../shared/flow.ts";
import type { FlowShape } from "../shared/flow-keeper.ts";
import type { RecoveryOwner } from "../shared/store.ts";

/** Where recovery flows stand, and what is drawn there. */
export function recoveryShape(proofs: AddressProofs): FlowShape {
  const shape = addressShape("recovery", proofs, ({ settings }) => settings.recovery.lifetimeMs);
  return {
    ...shape,
    stage: (tenant, flow) => {
      const { choice, pending } = flow.data;
      if (choice === undefined || pending !== undefined) return shape.stage(tenant, flow);
      return {
        kind: "choose_address",
        offers: proofs.forms.offers(tenant, "recovery", offeredAddresses(choice)),
      };
    },
    form: (tenant, flow, typed) => {
      const { choice, pending } = flow.data;
      if (choice === undefined || pending !== undefined) return shape.form(tenant, flow, typed);
      return { nodes: choiceNodes(tenant, proofs, choice), messages: [] };
    },
  };
}

/**
 * The addresses by which somebody gets back in: those that the schema recovers by and that were verified, in the order of
 * the schema.
 *
 * Security rule: an address that nobody has shown to be theirs recovers nothing (ASVS V6.3.8, peers D4 5).
 */
export function recoverableAddresses(identity: Identity): readonly ProofTarget[] {
  const verified = verifiedAddresses(identity);
  return identity.recoveryAddresses.flatMap(
    (address) => verified.find((candidate) => isSameAddress(candidate, address)) ?? [],
  );
}

/**
 * The addresses that recover an account which nobody has claimed: any that the schema verifies and recovers by. What comes of
 * a proof is not the account, but the question whose it is.
 */
function claimableAddresses(identity: Identity): readonly ProofTarget[] {
  if (identity.verifiableAddresses.some(({ verifiedAt }) => verifiedAt !== undefined)) return [];
  return identity.recoveryAddresses
    .filter((address) => identity.verifiableAddresses.some((each) => isSameAddress(each, address)))
    .map(({ kind, value }) => ({ kind, value, identityId: identity.id }));
}

/** Whether the proof of an address leads to the question whose account it is. */
export function isClaimable(identity: Identity, address: Pick<ProofTarget, "kind" | "value">): boolean {
  return claimableAddresses(identity).some((candidate) => isSameAddress(candidate, address));
}

/** Whether an address is one of them. */
export function isRecoverable(identity: Identity, address: Pick<ProofTarget, "kind" | "value">): boolean {
  return recoverableAddresses(identity).some((candidate) => isSameAddress(candidate, address));
}

/**
 * Where a code goes for what was typed: to that address if it is one of the account's that recover, else, where it only
 * names the account, to the first of them. In an unclaimed account to the address that was typed, and nowhere else: nobody
 * has shown that any of them is its owner's. Undefined where there is none.
 */
export function recoveryTarget(
  owner: RecoveryOwner | undefined,
  typed: NormalisedIdentifier,
): ProofTarget | undefined {
  if (owner?.state !== "active") return undefined;
  const isTyped = ({ kind, value }: ProofTarget) => kind === typed.kind && value === typed.value;
  if (owner.unclaimed) return claimableAddresses(owner).find(isTyped);
  const addresses = recoverableAddresses(owner);
  return addresses.find(isTyped) ?? addresses[0];
}

/** The choice among several addresses, with one of them preferred. */
export function choiceAmong(
  addresses: readonly ProofTarget[],
  preferred: ProofTarget,
  typed: string,
): AddressChoice {
  const place = addresses.findIndex((address) => isSameAddress(address, preferred));
  return { typed, addresses, preferred: idOf(place) };
}

/** The address that an id stands for; undefined if it stands for none that was offered. */
export function chosenAddress(choice: AddressChoice, id: string): ProofTarget | undefined {
  return choice.addresses.find((_address, place) => idOf(place) === id);
}

/** None of the addresses was chosen. */
export function addressIdRequired(step: SubmittedStep): StepRejected {
  return refused(step, messages.required(nodeName(step.name, "addressId")));
}

/** What was chosen was not offered, or is no longer an address to recover by. */
export function addressNotOffered(step: SubmittedStep): StepRejected {
  return refused(step, messages.addressNotOffered());
}

function refused({ name }: SubmittedStep, message: messages.Message): StepRejected {
  const problems = { fields: [{ name: nodeName(name, "addressId"), message }], form: [] };
  return { kind: "rejected", reason: "FORM_INCOMPLETE", problems };
}

/** The choices of addresses, apart for codes and links, because not every address can get both. */
function choiceNodes(tenant: Tenant, proofs: AddressProofs, choice: AddressChoice): readonly Node[] {
  const ways = proofs.forms.requestNodes(tenant, "recovery").flatMap((way) => {
    const name = nodeName(way.step ?? "", "addressId");
    const choices = offeredAddresses(choice).map(({ id, masked }) => ({
      value: id,
      label: messages.choiceLabel({ text: masked, translations: {} }, name, id),
    }));
    const address: Node = {
      name,
      step: way.step,
      label: messages.chooseAddressLabel(),
      messages: [],
      element: { kind: "input", type: "text", value: choice.preferred, required: true, choices },
    };
    return [address, way];
  });
  return [...ways, button("back", messages.backLabel("recovery"), true)];
}

function offeredAddresses({ addresses }: AddressChoice): readonly OfferedAddress[] {
  return addresses.map((address, place) => ({
    id: idOf(place),
    masked: maskAddress(address),
    kind: address.kind,
  }));
}

/** Opaque to callers: it says nothing of the address, and means nothing in another flow. */
function idOf(place: number): string {
  return String(place + 1);
}
