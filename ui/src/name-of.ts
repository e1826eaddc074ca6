import type { IdentityProfile } from "@ostiary/sdk/v1/identity";

/** A name to show for an account: the schema's, else the first trait that is a text. */
export function nameOf(identity: Pick<IdentityProfile, "displayName" | "traits"> | undefined): string {
  const { displayName = "", traits = {} } = identity ?? {};
  if (displayName !== "") return displayName;
  return Object.values(traits).find((value) => typeof value === "string") ?? "";
}
