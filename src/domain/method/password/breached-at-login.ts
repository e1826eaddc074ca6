import { newEvent, serverOrigin } from "../../event/event.ts";
import type { Identity } from "../../identity/identity.ts";
import { actionData, newRequiredAction, type RequiredAction } from "../../identity/required-actions.ts";
import type { IdentityStore } from "../../identity/store.ts";
import type { CredentialId } from "../../ids.ts";
import { passwordForm } from "../../password-form.ts";
import type { Clock, Logger } from "../../ports.ts";
import type { Secret } from "../../secret.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import { LocalBuckets } from "../../throttle/local-buckets.ts";
import type { BreachedPasswords } from "./policy.ts";

/** A password that was right at a login. */
export interface UsedPassword {
  readonly identity: Pick<Identity, "id">;
  readonly credentialId: CredentialId;
  /** The stored hash, and the one in its place if there is one. Where it is none of them by the time of the answer, nothing is asked for. */
  readonly hashes: readonly string[];
  readonly password: Secret;
}

interface BreachedAtLoginDependencies {
  readonly breachedPasswords: BreachedPasswords;
  readonly identities: Pick<IdentityStore, "addRequiredAction">;
  readonly logger: Logger;
  readonly clock: Clock;
}

const oncePerDay = { count: 1, periodMs: 86_400_000 };
/** How many look-ups wait at most. Beyond, a password is looked up at a later login. */
const mostUnderWay = 64;

/**
 * Looks passwords up that became public in breaches after they were set, once they were right at a login, and asks for another
 * one.
 *
 * Security rule (SR-PASSWORD-5): the answer to a password does not wait for it, nor depend on it, so a guesser learns nothing from either.
 * Only a password that was right is looked up: by the last proof of a login, or before a second factor, which keeps nobody else out
 * of other systems that have the same password.
 */
export class BreachedAtLogin {
  readonly #deps: BreachedAtLoginDependencies;
  readonly #looked = new LocalBuckets();
  readonly #underWay = new Set<Promise<void>>();

  constructor(deps: BreachedAtLoginDependencies) {
    this.#deps = deps;
  }

  /** Looks a password up, each at most once a day in each process. */
  note(tenant: Tenant, used: UsedPassword): void {
    const { enabled, atLogin } = tenant.settings.password.breachCheck;
    if (!enabled || atLogin === "off" || this.#underWay.size >= mostUnderWay) return;
    const now = this.#deps.clock.now().getTime();
    if (this.#looked.take(`${tenant.tenantId} ${used.credentialId}`, oncePerDay, now) > 0) return;
    const lookUp = this.#lookUp(tenant, used, atLogin)
      .catch((error: unknown) => {
        this.#deps.logger.warn({ err: error }, "a breached password could not be recorded");
      })
      .finally(() => this.#underWay.delete(lookUp));
    this.#underWay.add(lookUp);
  }

  /** Waits for what is under way. */
  async flush(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #lookUp(
    tenant: Tenant,
    { identity, credentialId, hashes, password }: UsedPassword,
    timing: RequiredAction["timing"],
  ): Promise<void> {
    const count = await this.#deps.breachedPasswords.countOf(passwordForm(password.reveal()));
    if (count === undefined || count < tenant.settings.password.breachCheck.minCount) return;
    const at = this.#deps.clock.now();
    const source = { kind: "server", because: "breached_password" } as const;
    const action = newRequiredAction({ kind: "set_password", timing }, source, at);
    const data = { actions: [actionData(action)], because: source.because };
    await this.#deps.identities.addRequiredAction(tenant, identity.id, {
      action,
      credential: { id: credentialId, secrets: hashes },
      at,
      events: [
        newEvent("identity.required_actions_set", at, serverOrigin, { identityId: identity.id, data }),
      ],
    });
  }
}
