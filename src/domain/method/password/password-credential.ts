import type { NewCredential } from "../../identity/identity.ts";

/** A password as it is stored: its hash, of which the algorithm may be shown. */
export function passwordCredential({
  hash,
  algorithm,
}: {
  readonly hash: string;
  readonly algorithm: string;
}): NewCredential {
  return { kind: "password", secret: hash, facts: { algorithm } };
}
