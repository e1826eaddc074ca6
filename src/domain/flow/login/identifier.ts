import { normaliseForLogin, normaliseIdentifier } from "../../identifier/normalise.ts";
import { withCountryCode } from "../../identifier/phone.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import { verifiedAddresses } from "../../identity/addresses.ts";
import type { Identity } from "../../identity/identity.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { EnteredIdentifier } from "./state.ts";

/** No identifier normalises to the empty one, so this finds nobody. */
const nobody = "";

/** What somebody typed to sign in with; undefined if that is nothing. A telephone number of the tenant's country needs no country code. */
export function enteredIdentifier(
  text: string,
  { settings }: Pick<Tenant, "settings">,
): EnteredIdentifier | undefined {
  const typed = text.trim();
  if (typed === "") return undefined;
  return { typed, value: normaliseForLogin(withCountryCode(typed, settings.defaultCountry)) ?? nobody };
}

/** Whether what was typed names somebody else than what the flow remembers. */
export function isAnother(typed: EnteredIdentifier, chosen: EnteredIdentifier): boolean {
  return nameOf(typed) !== nameOf(chosen);
}

/**
 * What the attempts of an account are counted by: what was typed, whether or not anybody has it. Owners who prove again
 * who they are type nothing; then it is each identifier that they have.
 */
export function countedNames(
  entered: EnteredIdentifier | undefined,
  identity: Identity | undefined,
): readonly string[] {
  if (entered !== undefined) return [nameOf(entered)];
  if (identity === undefined) return [];
  const names = identity.identifiers.map(({ value }) => value);
  return names.length > 0 ? names : [identity.id];
}

/**
 * Where the code of a login goes: to the address that was typed, or, where a username was typed, to the first one.
 *
 * Security rule (SR-OWNER-1): only to verified addresses of active identities. Otherwise somebody who registered with an address of
 * somebody else, and knows its password, would be let into what its owner does there later.
 */
export function loginTarget(identity: Identity, identifier: string | undefined): ContactAddress | undefined {
  if (identity.state !== "active") return undefined;
  const addresses = verifiedAddresses(identity);
  const typed = addresses.find((address) => address.value === identifier);
  if (typed !== undefined) return typed;
  const isAddress = identifier !== undefined && normaliseIdentifier(identifier).kind !== "username";
  return isAddress ? undefined : addresses[0];
}

function nameOf({ typed, value }: EnteredIdentifier): string {
  return value === nobody ? typed : value;
}
