import type { MessageContent } from "../courier/message.ts";
import type { Outbox } from "../courier/outbox.ts";
import { domainError } from "../errors.ts";
import { type CallOrigin, newEvent } from "../event/event.ts";
import type { CredentialId, IdentityId } from "../ids.ts";
import { type PageAnswer, type PageAsk, type PageTokens, readPage } from "../paging/page-tokens.ts";
import type { Clock, TenantScope, Transactions } from "../ports.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { CredentialReleases } from "./credential-releases.ts";
import type { Credential, Identity } from "./identity.ts";
import type { CredentialImporter, ImportedCredential } from "./imported-credential.ts";
import type { NewPassword, PasswordMaker } from "./new-password.ts";
import { noticesTo } from "./notices.ts";
import type { IdentityStore } from "./store.ts";

interface Deps {
  readonly identities: IdentityStore;
  readonly transactions: Transactions;
  readonly passwords: PasswordMaker;
  readonly imports: CredentialImporter;
  readonly releases: CredentialReleases;
  readonly pageTokens: PageTokens;
  readonly outbox: Outbox;
  readonly clock: Clock;
}

/** The rules of credentials, as operators manage them. */
export class Credentials {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** The credentials of an identity, newest first, without secrets. Throws IDENTITY_NOT_FOUND, PAGE_TOKEN_INVALID. */
  async list(tenant: Tenant, id: IdentityId, page: PageAsk): Promise<PageAnswer<Credential>> {
    await this.#get(tenant, id);
    const list = { tenantId: tenant.tenantId, name: "credentials", filters: { identityId: id } };
    return readPage(this.#deps.pageTokens, list, page, 200, (request) =>
      this.#deps.identities.listCredentials(tenant, id, request),
    );
  }

  /**
   * Removes a credential, also the last one; ends the identity's sessions and what is on its way for it, and tells the
   * owner. Throws IDENTITY_NOT_FOUND, CREDENTIAL_NOT_FOUND.
   */
  async delete(
    tenant: Tenant,
    origin: CallOrigin,
    { id, credentialId }: { readonly id: IdentityId; readonly credentialId: CredentialId },
  ): Promise<void> {
    const identity = await this.#get(tenant, id);
    const credential = await this.#deps.identities.findCredential(tenant, id, credentialId);
    if (credential === undefined) throw domainError("CREDENTIAL_NOT_FOUND", { credentialId });
    const at = this.#deps.clock.now();
    const { kind, label } = credential;
    const data = { kind, credentialId };
    // Where the operator sits is not the owner's business.
    const notice = { template: "credential_removed", data: { kind, label, time: at, device: "" } } as const;
    const event = newEvent("credential.deleted", at, origin, { identityId: id, data });
    const release = await this.#deps.releases.prepare(tenant, id, credential);
    await this.#deps.transactions.transaction(tenant, async (tx) => {
      const deleted = await this.#deps.identities.deleteCredential(tx, id, credentialId, [event]);
      if (!deleted) throw domainError("CREDENTIAL_NOT_FOUND", { credentialId });
      await this.#endPending(tx, origin, identity, { at, notices: [notice], endsSessions: true });
    });
    release();
  }

  /**
   * Sets or replaces the password, ends what is on its way for the identity, and tells the owner. Sessions
   * of the old one end, unless `keepSessions`, and no device is known any more. Throws IDENTITY_NOT_FOUND,
   * PASSWORD_REJECTED, PASSWORD_HASH_UNSUPPORTED, BREACH_CHECK_UNAVAILABLE, SERVER_OVERLOADED.
   */
  async setPassword(
    tenant: Tenant,
    origin: CallOrigin,
    change: { readonly id: IdentityId; readonly password: NewPassword; readonly keepSessions: boolean },
  ): Promise<Credential> {
    const { id } = change;
    const identity = await this.#get(tenant, id);
    const { traits, identifiers } = identity;
    const account = { traits, identifiers: identifiers.map((identifier) => identifier.value) };
    const record = await this.#deps.passwords.make(tenant, change.password, account, "password");
    const at = this.#deps.clock.now();
    const notice = { template: "password_changed", data: {} } as const;
    const data = { kind: "password", imported: change.password.kind === "hash" };
    const event = newEvent("credential.set", at, origin, { identityId: id, data });
    return this.#deps.transactions.transaction(tenant, async (tx) => {
      const credential = await this.#deps.identities.setCredential(tx, id, record, at, [event]);
      if (credential === undefined) throw domainError("IDENTITY_NOT_FOUND", {});
      await this.#endPending(tx, origin, identity, {
        at,
        notices: [notice],
        endsSessions: !change.keepSessions,
      });
      return credential;
    });
  }

  /**
   * Adds credentials of another system, ends what is on its way for the identity, and tells the owner, of each kind once.
   * Sessions end, unless `keepSessions`, and no device is known any more. Throws IDENTITY_NOT_FOUND, REQUEST_INVALID,
   * CREDENTIAL_TAKEN, CREDENTIALS_TOO_MANY, and then stores nothing.
   */
  async import(
    tenant: Tenant,
    origin: CallOrigin,
    {
      id,
      imported,
      keepSessions,
    }: {
      readonly id: IdentityId;
      readonly imported: readonly ImportedCredential[];
      readonly keepSessions: boolean;
    },
  ): Promise<readonly Credential[]> {
    const { identities, imports, transactions, clock } = this.#deps;
    const identity = await this.#get(tenant, id);
    const given = await imports.read(tenant, imported, await identities.credentialsOf(tenant, id));
    const at = clock.now();
    const events = given.map(({ kind }) =>
      newEvent("credential.set", at, origin, { identityId: id, data: { kind, imported: true } }),
    );
    const kinds = [...new Set(given.map(({ kind }) => kind))];
    const notices = kinds.map((kind) => {
      const labels = given.flatMap((each) => (each.kind === kind && each.label ? [each.label] : []));
      const data = { kind, label: labels.join(", "), time: at, device: "" };
      return { template: "credential_added", data } as const;
    });
    return transactions.transaction(tenant, async (tx) => {
      const credentials = await identities.importCredentials(tx, id, given, at, events);
      if (credentials.length === 0) throw domainError("IDENTITY_NOT_FOUND", {});
      // The identity is locked by now: of two imports at the same moment the second one finds what the first one added.
      imports.assertNumber(await identities.credentialsOf(tx, id));
      await this.#endPending(tx, origin, identity, { at, notices, endsSessions: !keepSessions });
      return credentials;
    });
  }

  /**
   * Security rule (SR-OWNER-10): nothing that was begun with the old secret outlives it: no code or link that was sent, no recovery that
   * is under way (ASVS V7.4.3). The owner is told at every address of theirs (V6.3.7).
   */
  async #endPending(
    scope: TenantScope,
    origin: CallOrigin,
    identity: Identity,
    {
      at,
      notices,
      endsSessions,
    }: { readonly at: Date; readonly notices: readonly MessageContent[]; readonly endsSessions: boolean },
  ): Promise<void> {
    const data = { reason: "credential_changed", all: true } as const;
    await this.#deps.identities.endPending(scope, identity.id, {
      at,
      endsSessions,
      messages: notices.flatMap((notice) =>
        noticesTo(this.#deps.outbox, identity, notice, { at, language: "" }),
      ),
      revocationEvent: newEvent("session.revoked", at, origin, { identityId: identity.id, data }),
    });
  }

  async #get(tenant: Tenant, id: IdentityId): Promise<Identity> {
    const identity = await this.#deps.identities.find(tenant, id);
    if (identity === undefined) throw domainError("IDENTITY_NOT_FOUND", {});
    return identity;
  }
}
