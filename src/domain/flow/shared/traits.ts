/** The rejections of traits and credentials, in registrations and settings. */
import type { StepRejected } from "../../form/rejection.ts";
import { traitProblems } from "../../form/trait-problems.ts";
import type { DerivedTraits } from "../../identity/identity.ts";
import * as factorTexts from "../../user-message/factor-messages.ts";
import * as texts from "../../user-message/user-messages.ts";

/** Traits that do not follow the schema, as what is wrong with a form. `country` as in traitProblems. */
export function traitsInvalid(
  violations: Parameters<typeof traitProblems>[0],
  country: string,
): StepRejected {
  return { kind: "rejected", reason: "TRAITS_INVALID", problems: traitProblems(violations, country) };
}

/** Identifiers that somebody else has. */
export function identifiersTaken(derived: DerivedTraits, taken: ReadonlySet<string>): StepRejected {
  const fields = derived.identifiers
    .filter(({ value }) => taken.has(value))
    .map((identifier) => ({
      // The path is escaped as the names of nodes are.
      name: `traits.${identifier.path}`,
      message: texts.duplicateIdentifier(),
    }));
  // The other account may be gone again by now; the form must say something all the same.
  const form = fields.length === 0 ? [texts.duplicateIdentifier()] : [];
  return { kind: "rejected", reason: "IDENTIFIER_TAKEN", problems: { fields, form } };
}

/** Several new addresses at once: each needs a proof of its own. */
export function oneAddressAtATime(): StepRejected {
  const problems = { fields: [], form: [texts.oneAddressAtATime()] };
  return { kind: "rejected", reason: "TRAITS_INVALID", problems };
}

/** The rejection of a credential that another account has. */
export function credentialTaken(): StepRejected {
  return {
    kind: "rejected",
    reason: "CREDENTIAL_TAKEN",
    problems: { fields: [], form: [factorTexts.credentialTaken()] },
  };
}
