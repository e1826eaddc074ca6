import type { StepRejected } from "../../form/rejection.ts";
import type { DerivedTraits } from "../../identity/identity.ts";
import * as traitTexts from "../../user-message/trait-messages.ts";

/** A code or link that is not sent, because mail to the address that was typed comes back. */
export function addressBounced(): StepRejected {
  const problems = { fields: [], form: [traitTexts.bouncedEmail()] };
  return { kind: "rejected", reason: "ADDRESS_BOUNCED", problems };
}

/** A rejection of an address that comes from traits, said at its field. Others stay as they are. */
export function saidAtField(
  rejected: StepRejected,
  { identifiers, verifiableAddresses }: DerivedTraits,
  address: string,
): StepRejected {
  if (rejected.reason !== "ADDRESS_BOUNCED") return rejected;
  const own = [...identifiers, ...verifiableAddresses].find(({ value }) => value === address);
  if (own === undefined || own.path === "") return rejected;
  // The path is escaped as the names of nodes are.
  const fields = [{ name: `traits.${own.path}`, message: traitTexts.bouncedEmail() }];
  return { ...rejected, problems: { fields, form: [] } };
}
