import type { CredentialId } from "../ids.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { CredentialWithSecret, Identity } from "./identity.ts";

/** What is kept with credentials here and was given elsewhere, where it is given back. Implemented in method/oidc/kept-tokens.ts. */
export interface CredentialReleases {
  /**
   * Reads what there is to give back of one credential, or of all of an identity. What is returned does so once they are gone: in the
   * background, as well as it can.
   */
  prepare(
    tenant: Tenant,
    id: Identity["id"],
    credential?: { readonly id: CredentialId; readonly kind: string },
  ): Promise<() => void>;
  /** What is kept with a linked account after a login by it that has brought `secret`. */
  secretAfterLogin(
    tenant: Tenant,
    former: Pick<CredentialWithSecret, "secret" | "facts">,
    secret: string,
  ): string;
}
