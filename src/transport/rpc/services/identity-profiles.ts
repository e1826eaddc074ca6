import type { MessageInitShape } from "@bufbuild/protobuf";
import type { IdentityProfileSchema } from "../../../../gen/ostiary/identity/v1/identity_pb.js";
import type { Identity } from "../../../domain/identity/identity.ts";
import type { IdentitySchemas } from "../../../domain/identity/schemas.ts";
import type { TenantScope } from "../../../domain/ports.ts";
import { toIdentityProfile } from "../convert/identity.ts";

/** Makes the profile of an identity, as its owner sees it. */
export type ProfileOf = (identity: Identity) => Promise<MessageInitShape<typeof IdentityProfileSchema>>;

interface Deps {
  readonly schemas: IdentitySchemas;
}

/** The profiles of identities: what their schemas let their owners, and services that ask for them, see. */
export class IdentityProfiles {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** For the identities of a tenant. */
  in({ scope }: { readonly scope: TenantScope }): ProfileOf {
    return async (identity) => {
      const traits = await this.#deps.schemas.traitsForOwner(scope, identity);
      return toIdentityProfile({ ...identity, traits });
    };
  }
}
