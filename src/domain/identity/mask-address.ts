import type { AddressKind } from "./identity.ts";

/**
 * An address as it may be shown to a person who might not know it: an email address by its first character and
 * its domain, a telephone number by its first three and last two characters.
 */
export function maskAddress({ kind, value }: { readonly kind: AddressKind; readonly value: string }): string {
  if (kind === "phone") return `${value.slice(0, 3)}****${value.slice(-2)}`;
  const at = value.lastIndexOf("@");
  return `${[...value.slice(0, at)][0] ?? ""}****${value.slice(at)}`;
}
