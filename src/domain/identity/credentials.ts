import { domainError } from "../errors.ts";
import { type CallOrigin, newEvent } from "../event/event.ts";
import type { IdentityId } from "../ids.ts";
import type { Clock, Scope, Transactions } from "../ports.ts";
import type { SessionStore } from "../session/store.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { Credential, CredentialKind, Identity } from "./identity.ts";
import type { NewPassword, NewPasswords } from "./new-passwords.ts";
import type { IdentityStore } from "./store.ts";

interface CredentialsDependencies {
  readonly identities: IdentityStore;
  readonly sessions: SessionStore;
  readonly transactions: Transactions;
  readonly passwords: NewPasswords;
  readonly clock: Clock;
}

/** The rules of credentials, as operators manage them. */
export class Credentials {
  readonly #identities: IdentityStore;
  readonly #sessions: SessionStore;
  readonly #transactions: Transactions;
  readonly #passwords: NewPasswords;
  readonly #clock: Clock;

  constructor(dependencies: CredentialsDependencies) {
    this.#identities = dependencies.identities;
    this.#sessions = dependencies.sessions;
    this.#transactions = dependencies.transactions;
    this.#passwords = dependencies.passwords;
    this.#clock = dependencies.clock;
  }

  /** What an identity can sign in with, without secrets. Throws IDENTITY_NOT_FOUND. */
  async list(tenant: Tenant, id: IdentityId): Promise<readonly Credential[]> {
    await this.#get(tenant, id);
    return this.#identities.listCredentials(scopeOf(tenant), id);
  }

  /**
   * Removes a credential, also the last one, and ends the identity's sessions. Throws IDENTITY_NOT_FOUND,
   * CREDENTIAL_NOT_FOUND.
   */
  async delete(tenant: Tenant, origin: CallOrigin, id: IdentityId, kind: CredentialKind): Promise<void> {
    await this.#get(tenant, id);
    const at = this.#clock.now();
    const event = newEvent("credential.deleted", at, origin, { identityId: id, data: { kind } });
    await this.#transactions.transaction(scopeOf(tenant), async (tx) => {
      const deleted = await this.#identities.deleteCredential(tx, id, kind, [event]);
      if (!deleted) throw domainError("CREDENTIAL_NOT_FOUND", { kind });
      await this.#endSessions(tx, origin, id, at);
    });
  }

  /**
   * Sets or replaces the password. Whoever signed in with the old one is signed out, unless `keepSessions`, and no
   * device is known any more. Throws IDENTITY_NOT_FOUND, PASSWORD_REJECTED, PASSWORD_HASH_UNSUPPORTED,
   * BREACH_CHECK_UNAVAILABLE, SERVER_OVERLOADED.
   */
  async setPassword(
    tenant: Tenant,
    origin: CallOrigin,
    change: { readonly id: IdentityId; readonly password: NewPassword; readonly keepSessions: boolean },
  ): Promise<Credential> {
    const { id } = change;
    const { traits, identifiers } = await this.#get(tenant, id);
    const account = { traits, identifiers: identifiers.map((identifier) => identifier.value) };
    const record = await this.#passwords.make(tenant, change.password, account, "password");
    const at = this.#clock.now();
    const data = { kind: "password", imported: change.password.kind === "hash" };
    const event = newEvent("credential.set", at, origin, { identityId: id, data });
    return this.#transactions.transaction(scopeOf(tenant), async (tx) => {
      const credential = await this.#identities.setPassword(tx, id, record, at, [event]);
      if (credential === undefined) throw domainError("IDENTITY_NOT_FOUND", {});
      if (!change.keepSessions) await this.#endSessions(tx, origin, id, at);
      return credential;
    });
  }

  async #endSessions(scope: Scope, origin: CallOrigin, identityId: IdentityId, at: Date): Promise<void> {
    const data = { reason: "credential_changed", all: true };
    const event = newEvent("session.revoked", at, origin, { identityId, data });
    await this.#sessions.revokeAll(scope, identityId, { at, event });
  }

  async #get(tenant: Tenant, id: IdentityId): Promise<Identity> {
    const identity = await this.#identities.find(scopeOf(tenant), id);
    if (identity === undefined) throw domainError("IDENTITY_NOT_FOUND", {});
    return identity;
  }
}

function scopeOf(tenant: Tenant): Scope {
  return { tenantId: tenant.id };
}
