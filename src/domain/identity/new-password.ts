import type { JsonObject } from "../json.ts";
import type { HashAsker } from "../ports.ts";
import type { Secret } from "../secret.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { NewCredential } from "./identity.ts";

/** A password to store: in plain text, or as a hash that another system made. */
export type NewPassword =
  | { readonly kind: "plain"; readonly password: Secret }
  | { readonly kind: "hash"; readonly hash: Secret };

/** Makes the credentials that operators' passwords are stored as. Implemented in method/password/new-passwords.ts. */
export interface PasswordMaker {
  /**
   * The credential of a new password. Throws PASSWORD_REJECTED, PASSWORD_HASH_UNSUPPORTED (both name the field, below
   * `field`), BREACH_CHECK_UNAVAILABLE, SERVER_OVERLOADED, or the reason of the asker's signal. Never call it within a transaction: it takes as long as
   * hashing takes, and may ask another server before that.
   */
  make(
    tenant: Tenant,
    password: NewPassword,
    account: { readonly traits: JsonObject; readonly identifiers: readonly string[] },
    field: string,
    asker: HashAsker,
  ): Promise<NewCredential>;
}
