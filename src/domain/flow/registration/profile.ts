/** The traits of a registration: what was given, what is missing, what is wrong with them. */
import type { MailReach } from "../../courier/mail-reach.ts";
import type { StepRejected } from "../../form/rejection.ts";
import { type OwnsAddress, ownsEverything, ownsProven } from "../../identity/address-claims.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import type { CompiledSchema } from "../../identity/compiled-schema.ts";
import type { DerivedTraits } from "../../identity/identity.ts";
import { isSameJson } from "../../identity/merge-patch.ts";
import { checkChange, mergeTraits } from "../../identity/own-traits.ts";
import { withCountryCodes } from "../../identity/trait-phones.ts";
import type { JsonObject } from "../../json.ts";
import * as texts from "../../user-message/user-messages.ts";
import type { RecordOf } from "../shared/table.ts";
import { traitsInvalid } from "../shared/traits.ts";
import { provenByInvitation } from "./invited.ts";
import type { RegistrationTypes } from "./state.ts";

type RegistrationFlow = RecordOf<RegistrationTypes>;

/** Traits that an account can be made of. */
export interface Profile {
  readonly kind: "valid";
  readonly schema: CompiledSchema;
  readonly traits: JsonObject;
  readonly derived: DerivedTraits;
}

/** What was filled in so far, in the flow or in the invitation: what is submitted next is a patch of it. */
export function givenTraits({ data: { state, purpose } }: RegistrationFlow): JsonObject {
  return ("traits" in state ? state.traits : undefined) ?? purpose.invitation?.traits ?? {};
}

/** Whether traits that were sent would change those that were accepted; they need not be sent again. */
export function isChanged(
  sent: JsonObject,
  flow: RegistrationFlow,
  { fields }: Pick<CompiledSchema, "fields">,
  country: string,
): boolean {
  if (Object.keys(sent).length === 0) return false;
  const accepted = givenTraits(flow);
  const { merged, beyondLimits } = mergeTraits(accepted, sent);
  return beyondLimits !== undefined || !isSameJson(withCountryCodes(fields, merged, country), accepted);
}

/** What an account with these traits signs in with; undefined if they do not follow the schema. */
export function usernameIn(schema: CompiledSchema, traits: JsonObject): string | undefined {
  const checked = schema.validate(traits, ownsEverything);
  return checked.valid ? checked.derived.identifiers[0]?.value : undefined;
}

/** Traits that follow the schema and hold something to sign in with, or what is wrong with them. */
export function profileOf(
  schema: CompiledSchema,
  flow: RegistrationFlow,
  patch: JsonObject,
  rules: {
    readonly owns: OwnsAddress;
    readonly country: string;
    readonly reach?: Pick<MailReach, "reaches">;
  },
): Profile | StepRejected {
  const { country } = rules;
  const checked = checkChange(schema, givenTraits(flow), patch, rules);
  if (!checked.valid) return traitsInvalid(checked.violations, country);
  const { derived, merged: traits } = checked;
  return derived.identifiers.length === 0 ? noIdentifier() : { kind: "valid", schema, traits, derived };
}

/** What of traits that somebody vouches for follows the schema by itself; the rest is asked for. */
export function fittingTraits(schema: CompiledSchema, traits: JsonObject): JsonObject {
  const checked = schema.validate(traits, ownsEverything);
  if (checked.valid) return traits;
  const wrong = new Set(
    checked.violations.filter(({ rule }) => rule !== "required").map(({ path: [name = ""] }) => name),
  );
  return Object.fromEntries(Object.entries(traits).filter(([name]) => !wrong.has(name)));
}

/** What a username may be while nothing is proven: an address of the invitation, or the one that is proven before all else. */
export function ownedBefore({ data }: RegistrationFlow, isProof: boolean): OwnsAddress {
  const { addresses = [] } = ("vouched" in data.state && data.state.vouched) || {};
  return (claim, derived) => {
    const first = isProof ? addressOf(derived) : undefined;
    const proven = [...provenByInvitation(data.purpose), ...addresses];
    return ownsProven([...proven, ...(first === undefined ? [] : [first])])(claim, derived);
  };
}

/** The address that is proven: the first one that the account signs in with, else the first that can be verified. */
export function addressOf(derived: DerivedTraits): ContactAddress | undefined {
  const isAddress = ({ kind }: { kind: string }) => kind === "email" || kind === "phone";
  const first = derived.identifiers.find(isAddress) ?? derived.verifiableAddresses[0];
  return first === undefined
    ? undefined
    : { kind: first.kind === "phone" ? "phone" : "email", value: first.value };
}

/** Whether an account would have other addresses than the one that is proven. */
export function hasOtherAddresses(derived: DerivedTraits, proven: ContactAddress): boolean {
  const { identifiers, verifiableAddresses, recoveryAddresses } = derived;
  const addresses = [
    ...identifiers.filter(({ kind }) => kind !== "username"),
    ...verifiableAddresses,
    ...recoveryAddresses,
  ];
  return addresses.some(({ value }) => value !== proven.value);
}

/** Traits that hold nothing to sign in with. */
export function noIdentifier(): StepRejected {
  return invalidForm(texts.identifierMissing());
}

/** Traits that are not those that were accepted before. */
export function traitsChanged(): StepRejected {
  return invalidForm(texts.traitsMismatch());
}

/** Several addresses, of which a link would prove one. */
export function oneAddressForLink(): StepRejected {
  return invalidForm(texts.oneAddressForLink());
}

function invalidForm(message: texts.UserMessage): StepRejected {
  return { kind: "rejected", reason: "TRAITS_INVALID", problems: { fields: [], form: [message] } };
}
