import { type CallOrigin, newEvent } from "../../event/event.ts";
import { ownsEverything } from "../../identity/address-claims.ts";
import type { Identity } from "../../identity/identity.ts";
import { isSameJson } from "../../identity/merge-patch.ts";
import { checkChange } from "../../identity/own-traits.ts";
import { changedIdentity, planProfileChange } from "../../identity/profile-change.ts";
import type { IdentitySchemas } from "../../identity/schemas.ts";
import type { IdentityStore } from "../../identity/store.ts";
import type { VouchedAccount } from "../../method/method.ts";
import type { Clock } from "../../ports.ts";
import type { Tenant } from "../../tenant/tenant.ts";

interface ProfileUpdatesDependencies {
  readonly identities: Pick<IdentityStore, "update">;
  readonly schemas: Pick<IdentitySchemas, "current">;
  readonly clock: Clock;
}

/** Traits that a login at a provider brings up to date, where the operator wants that. */
export class ProfileUpdates {
  readonly #deps: ProfileUpdatesDependencies;

  constructor(deps: ProfileUpdatesDependencies) {
    this.#deps = deps;
  }

  /**
   * The identity as it is then. No round trip where nothing changes. A change that somebody else makes at the same moment wins; what does
   * not follow the schema is left out as a whole.
   *
   * Security rule (SR-LINK-7): nothing that the account signs in with, is verified or recovered by changes this way. Another address at
   * the provider would lead somebody else into the account.
   */
  async bring(
    tenant: Tenant,
    identity: Identity,
    { traits, updates, credential }: VouchedAccount,
    origin: CallOrigin,
  ): Promise<Identity> {
    if (updates === "never") return identity;
    const schema = this.#deps.schemas.current(tenant, identity.schemaId);
    const wanted = Object.entries(traits).filter(
      ([name]) => updates === "always" || identity.traits[name] === undefined,
    );
    const annotated = new Set(
      [identity.traits, { ...identity.traits, ...Object.fromEntries(wanted) }]
        .flatMap((each) => schema.annotatedIn(each))
        .filter(
          ({ annotation: { identifier, verifiable, recovery } }) => identifier ?? verifiable ?? recovery,
        )
        .map(({ path: [name = ""] }) => name),
    );
    const patch = Object.fromEntries(wanted.filter(([name]) => !annotated.has(name)));
    const checked = checkChange(schema, identity.traits, patch, { owns: ownsEverything });
    if (!checked.valid || isSameJson(checked.merged, identity.traits)) return identity;
    const plan = planProfileChange(identity, schema, checked.merged, checked.derived);
    if (plan.isSensitive) return identity;
    const at = this.#deps.clock.now();
    const changed = changedIdentity(identity, plan, undefined, at);
    const about = { identityId: identity.id, data: { fields: ["traits"], method: credential.kind } };
    const event = newEvent("identity.updated", at, origin, about);
    const isWritten = await this.#deps.identities.update(tenant, changed, identity.revision, [event]);
    return isWritten ? changed : identity;
  }
}
