import { DomainError, domainError } from "../../errors.ts";
import { type CallOrigin, newEvent } from "../../event/event.ts";
import type { EventStore } from "../../event/store.ts";
import type { Identity } from "../../identity/identity.ts";
import type { IdentityStore } from "../../identity/store.ts";
import type { IdentityId } from "../../ids.ts";
import type { Clock, PasswordHasher } from "../../ports.ts";
import type { Secret } from "../../secret.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { Throttle } from "../../throttle/throttle.ts";
import { passwordCredential } from "./password-credential.ts";
import { longestPassword, passwordLength } from "./policy.ts";

interface PasswordChecksDependencies {
  readonly identities: IdentityStore;
  readonly events: EventStore;
  readonly throttle: Throttle;
  readonly hasher: PasswordHasher;
  readonly clock: Clock;
}

/** Checking a password on behalf of somebody, without signing them in. */
export class PasswordChecks {
  readonly #deps: PasswordChecksDependencies;

  constructor(deps: PasswordChecksDependencies) {
    this.#deps = deps;
  }

  /**
   * Whether a password is the identity's, recorded as an event with its outcome. False, after the same work, if it
   * has none or cannot sign in. A hash with other parameters than the configured ones is replaced when the password
   * is right. Throws IDENTITY_NOT_FOUND, SERVER_OVERLOADED, RATE_LIMITED.
   */
  async check(
    tenant: Tenant,
    origin: CallOrigin,
    { id, password }: { readonly id: IdentityId; readonly password: Secret },
  ): Promise<boolean> {
    const identity = await this.#deps.identities.find(tenant, id);
    if (identity === undefined) throw domainError("IDENTITY_NOT_FOUND", {});
    // Security rule (SR-LIMIT-5): every way to try a password is counted in the same counters as a login (CVE-2026-9798 was one
    // that was not). Those of all its identifiers, because a login is counted by the one that it was tried with.
    const names = identity.identifiers.map(({ value }) => value);
    const accounts = names.length > 0 ? names : [id];
    const ticket = await this.#deps.throttle.take(tenant, origin, "password_check", {
      accounts,
      identityId: id,
    });
    const matches = await this.#verify(tenant, identity, password);
    if (matches) await this.#deps.throttle.release(tenant, ticket);
    const data = { outcome: matches ? "matched" : "not_matched" } as const;
    const event = newEvent("password.checked", this.#deps.clock.now(), origin, { identityId: id, data });
    await this.#deps.events.append(tenant, [event]);
    return matches;
  }

  async #verify(tenant: Tenant, { id, state }: Identity, password: Secret): Promise<boolean> {
    const { argon2 } = tenant.settings.password;
    // What is longer than any password can be is not hashed, for any account.
    if (passwordLength(password.reveal()) > longestPassword) return false;
    const stored = await this.#deps.identities.findSecret(tenant, id, "password");
    if (stored === undefined || state !== "active") {
      // Security rule (SR-ENUM-3): the time of the answer does not tell these from a wrong password (ASVS V6.3.8).
      await this.#deps.hasher.verifyDecoy(password, argon2);
      return false;
    }
    const { matches, needsRehash } = await this.#deps.hasher.compare(password, stored, argon2);
    if (needsRehash) await this.#rehash(tenant, id, stored, password);
    return matches;
  }

  async #rehash(tenant: Tenant, id: IdentityId, previous: string, password: Secret): Promise<void> {
    try {
      const hash = await this.#deps.hasher.hash(password, tenant.settings.password.argon2);
      const former = { kind: "password", secret: previous } as const;
      const credential = passwordCredential({ hash, algorithm: "argon2id" });
      await this.#deps.identities.replaceSecret(tenant, id, former, credential, this.#deps.clock.now());
    } catch (error) {
      // The question is answered already; the hash is replaced the next time that the machine is less busy.
      if (!(error instanceof DomainError && error.reason === "SERVER_OVERLOADED")) throw error;
    }
  }
}
