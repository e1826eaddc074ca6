/** The choice among several addresses to recover by. Only where answers may tell who has an account. */
import { type Node, nodeName } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { SubmittedStep } from "../../form/submission.ts";
import { type ContactAddress, isSameAddress } from "../../identity/addresses.ts";
import { maskAddress } from "../../identity/mask-address.ts";
import type { ChallengeKind } from "../../kinds.ts";
import * as texts from "../../user-message/user-messages.ts";
import type { OfferedAddress } from "../shared/flow.ts";

/** The addresses that a recovery offered to choose from. */
export interface AddressChoice {
  /** What they were found by. */
  readonly typed: string;
  readonly addresses: readonly ContactAddress[];
  /** The id of the one to begin with. */
  readonly preferred: string;
  /** What was asked for. The form asks for the address once, for that. */
  readonly kind?: ChallengeKind;
}

/** The choice among several addresses, with one of them preferred. */
export function choiceAmong(
  addresses: readonly ContactAddress[],
  preferred: ContactAddress,
  { typed, kind }: Required<Pick<AddressChoice, "typed" | "kind">>,
): AddressChoice {
  const place = addresses.findIndex((address) => isSameAddress(address, preferred));
  return { typed, addresses, preferred: idOf(place), kind };
}

/** The address that an id stands for; undefined if it stands for none that was offered. */
export function chosenAddress(choice: AddressChoice, id: string): ContactAddress | undefined {
  return choice.addresses.find((_address, place) => idOf(place) === id);
}

/** None of the addresses was chosen. */
export function addressIdRequired(step: SubmittedStep): StepRejected {
  return refused(step, texts.required(nodeName(step.name, "addressId")));
}

/** What was chosen was not offered, or is no longer an address to recover by. */
export function addressNotOffered(step: SubmittedStep): StepRejected {
  return refused(step, texts.addressNotOffered());
}

function refused({ name }: SubmittedStep, message: texts.UserMessage): StepRejected {
  const problems = { fields: [{ name: nodeName(name, "addressId"), message }], form: [] };
  return { kind: "rejected", reason: "FORM_INCOMPLETE", problems };
}

/** The field for the choice of an address. */
export function choiceNode(step: string, choice: AddressChoice): Node {
  const name = nodeName(step, "addressId");
  const choices = offeredAddresses(choice).map(({ id, masked }) => ({
    value: id,
    label: texts.choiceLabel({ text: masked, translations: {} }, name, id),
  }));
  return {
    name,
    step,
    label: texts.chooseAddressLabel(),
    messages: [],
    element: { kind: "input", type: "text", value: choice.preferred, required: true, choices },
  };
}

/** The addresses as their owner sees them. */
export function offeredAddresses({ addresses }: AddressChoice): readonly OfferedAddress[] {
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
