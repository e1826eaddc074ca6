import type { CredentialId, IdentityId } from "../ids.ts";
import type { Tenant } from "../tenant/tenant.ts";

/** What is given back elsewhere when credentials are removed here. Implemented in method/oidc/kept-tokens.ts. */
export interface CredentialReleases {
  /**
   * Reads what there is to give back of one credential, or of all of an identity. What is returned does so once they are gone: in the
   * background, as well as it can.
   */
  prepare(tenant: Tenant, id: IdentityId, credentialId?: CredentialId): Promise<() => void>;
}
