import type { DerivedTraits } from "./identity.ts";

/** The name of an account for its owner: the one that its schema gives, else what they sign in with. */
export function accountName({
  displayName,
  identifiers,
}: {
  readonly displayName: string;
  readonly identifiers: readonly Pick<DerivedTraits["identifiers"][number], "value">[];
}): string {
  return displayName || (identifiers[0]?.value ?? "");
}
