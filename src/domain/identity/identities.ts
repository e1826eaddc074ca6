import type { Outbox } from "../courier/outbox.ts";
import { DomainError, domainError, type ErrorReason, invalid } from "../errors.ts";
import { type CallOrigin, type Event, newEvent } from "../event/event.ts";
import { normaliseForLogin } from "../identifier/normalise.ts";
import type { IdentityId } from "../ids.ts";
import { never } from "../instant.ts";
import { type PageAnswer, type PageAsk, type PageTokens, readPage } from "../paging/page-tokens.ts";
import type { Clock, TenantScope } from "../ports.ts";
import { isStorableText } from "../storable-text.ts";
import type { Tenant } from "../tenant/tenant.ts";
import { ownsAlready, ownsEverything } from "./address-claims.ts";
import type { CompiledSchema } from "./compiled-schema.ts";
import type { CredentialReleases } from "./credential-releases.ts";
import { etagOf } from "./etag.ts";
import {
  type DerivedTraits,
  type Identity,
  type IdentityState,
  type NewCredential,
  newIdentity,
} from "./identity.ts";
import {
  assertMetadata,
  assertPatches,
  carriedAddresses,
  changedDocument,
  creationTime,
  deriveFrom,
  type IdentityChange,
  type IdentityQuery,
  type NewIdentity,
  ownedByNew,
  toExternalId,
  toFilter,
  vouchedAddresses,
} from "./identity-input.ts";
import type { CredentialImporter } from "./imported-credential.ts";
import type { PasswordMaker } from "./new-password.ts";
import { addressNotices, noticesTo } from "./notices.ts";
import { actionsOf, sourceOf } from "./operator-actions.ts";
import { planProfileChange } from "./profile-change.ts";
import {
  actionData,
  completedEvents,
  doneBy,
  type NewRequiredAction,
  newRequiredAction,
  without,
} from "./required-actions.ts";
import type { IdentitySchemas } from "./schemas.ts";
import type { IdentityStore, IdentityTake, PendingEnd } from "./store.ts";

/** An identity that is checked and only needs storing. Made by `prepare`. */
export interface PreparedIdentity {
  readonly schema: CompiledSchema;
  readonly input: NewIdentity;
  readonly derived: DerivedTraits;
  readonly credentials: readonly NewCredential[];
  readonly actions: readonly NewRequiredAction[];
}

/** What came of preparing one identity of a batch. */
export type PreparedItem =
  | { readonly kind: "prepared"; readonly prepared: PreparedIdentity }
  | { readonly kind: "failed"; readonly error: DomainError };

/** What came of one identity of a batch. */
export type BatchItem =
  | { readonly kind: "created"; readonly identity: Identity }
  | { readonly kind: "failed"; readonly error: DomainError };

interface IdentitiesDependencies {
  readonly store: IdentityStore;
  readonly schemas: IdentitySchemas;
  readonly passwords: PasswordMaker;
  readonly imports: CredentialImporter;
  readonly releases: CredentialReleases;
  readonly pageTokens: PageTokens;
  readonly outbox: Outbox;
  readonly clock: Clock;
}

/** The rules of identities, as operators manage them. Credentials have theirs in credentials.ts. */
export class Identities {
  readonly #deps: IdentitiesDependencies;

  constructor(deps: IdentitiesDependencies) {
    this.#deps = deps;
  }

  /**
   * Checks a new identity, hashes its password and reads its imported credentials, so that no transaction is open meanwhile;
   * `create` stores it.
   * Throws TRAITS_INVALID, SCHEMA_NOT_FOUND, REQUEST_INVALID, PASSWORD_REJECTED, PASSWORD_HASH_UNSUPPORTED,
   * BREACH_CHECK_UNAVAILABLE, SERVER_OVERLOADED.
   */
  async prepare(tenant: Tenant, input: NewIdentity): Promise<PreparedIdentity> {
    const schemaId = input.schemaId === "" ? tenant.settings.defaultSchemaId : input.schemaId;
    const schema = this.#deps.schemas.current(tenant, schemaId);
    const derived = deriveFrom(schema, input.traits, ownedByNew(input));
    const { publicMetadata, adminMetadata } = input;
    assertMetadata({ publicMetadata, adminMetadata });
    toExternalId(input.externalId);
    const now = this.#deps.clock.now();
    vouchedAddresses(derived, input.verifiedAddresses, now);
    creationTime(input, now);
    const actions = actionsOf(tenant, input.requiredActions);
    const identifiers = derived.identifiers.map((identifier) => identifier.value);
    const account = { traits: input.traits, identifiers };
    const { password } = input;
    const passwords =
      password === undefined
        ? []
        : [await this.#deps.passwords.make(tenant, password, account, "credentials.password")];
    const imported = await this.#deps.imports.read(tenant, input.imported ?? [], []);
    return { schema, input, derived, credentials: [...passwords, ...imported], actions };
  }

  /**
   * Stores a prepared identity; joins the transaction if the scope is one. Throws IDENTIFIER_TAKEN,
   * EXTERNAL_ID_TAKEN, CREDENTIAL_TAKEN, and then stores nothing.
   */
  async create(scope: TenantScope, origin: CallOrigin, prepared: PreparedIdentity): Promise<Identity> {
    const at = this.#deps.clock.now();
    const { schema, input, derived, actions } = prepared;
    const identity = newIdentity(schema, at, {
      ...derived,
      createdAt: creationTime(input, at),
      externalId: toExternalId(input.externalId),
      state: input.state,
      traits: input.traits,
      publicMetadata: input.publicMetadata,
      adminMetadata: input.adminMetadata,
      verifiableAddresses: vouchedAddresses(derived, input.verifiedAddresses, at),
      requiredActions: actions.map((action) => newRequiredAction(action, sourceOf(origin), at)),
    });
    const { id: identityId, requiredActions } = identity;
    const events: Event[] = [newEvent("identity.created", at, origin, { identityId })];
    if (requiredActions.length > 0) {
      const data = { actions: requiredActions.map(actionData) };
      events.push(newEvent("identity.required_actions_set", at, origin, { identityId, data }));
    }
    for (const { kind } of prepared.credentials) {
      const data = { kind, imported: kind !== "password" || input.password?.kind === "hash" };
      events.push(newEvent("credential.set", at, origin, { identityId, data }));
    }
    await this.#deps.store.create(scope, identity, prepared.credentials, events);
    return identity;
  }

  /**
   * Prepares each identity of a batch by itself. Passwords are hashed one after the other: a batch takes one place
   * in the queue of hashes, so it neither fills it nor keeps logins waiting. Throws SERVER_OVERLOADED and
   * BREACH_CHECK_UNAVAILABLE, before anything is stored.
   */
  async prepareBatch(tenant: Tenant, inputs: readonly NewIdentity[]): Promise<readonly PreparedItem[]> {
    const items: PreparedItem[] = [];
    for (const input of inputs) {
      items.push(
        await orFailed(async () => ({ kind: "prepared", prepared: await this.prepare(tenant, input) })),
      );
    }
    return items;
  }

  /** Stores the identities of a batch, each on its own: one that fails does not stop the others. In their order. */
  async createBatch(
    scope: TenantScope,
    origin: CallOrigin,
    items: readonly PreparedItem[],
  ): Promise<readonly BatchItem[]> {
    const results: BatchItem[] = [];
    for (const item of items) {
      if (item.kind === "failed") results.push(item);
      else {
        results.push(
          await orFailed(async () => ({
            kind: "created",
            identity: await this.create(scope, origin, item.prepared),
          })),
        );
      }
    }
    return results;
  }

  /** The identity with this id. Throws IDENTITY_NOT_FOUND. */
  async get(tenant: Tenant, id: IdentityId): Promise<Identity> {
    return found(await this.#deps.store.find(tenant, id));
  }

  /** The identity with an identifier, as a person would type it, or an external id. Throws IDENTITY_NOT_FOUND. */
  async lookUp(
    tenant: Tenant,
    by: { readonly identifier: string } | { readonly externalId: string },
  ): Promise<Identity> {
    if ("externalId" in by) {
      if (!isStorableText(by.externalId)) throw domainError("IDENTITY_NOT_FOUND", {});
      return found(await this.#deps.store.findByExternalId(tenant, by.externalId));
    }
    const identifier = normaliseForLogin(by.identifier);
    if (identifier === undefined) throw domainError("IDENTITY_NOT_FOUND", {});
    return found(await this.#deps.store.findByIdentifier(tenant, identifier));
  }

  /**
   * Identities, newest first; 50 a page, at most 500. `take` says how much of each is read. Throws PAGE_TOKEN_INVALID,
   * REQUEST_INVALID.
   */
  async list(
    tenant: Tenant,
    query: IdentityQuery,
    page: PageAsk,
    take: IdentityTake,
  ): Promise<PageAnswer<Identity>> {
    const filter = toFilter(query);
    if (filter === undefined) return { items: [], nextToken: "" };
    const { identifierPrefix, state = null, schemaId, traits } = query;
    const filters = {
      identifierPrefix,
      state,
      schemaId,
      traits: traits.map(({ path, value }) => ({ path, value })),
    };
    const list = { tenantId: tenant.tenantId, name: "identities", filters };
    return readPage(this.#deps.pageTokens, list, page, 500, (request) =>
      this.#deps.store.list(tenant, filter, request, take),
    );
  }

  /**
   * Changes an identity. New traits are validated with the current version of the schema. Without an etag a concurrent change
   * of somebody else is kept: a patch is merged into the traits that the row holds when it is written. If identifiers or
   * addresses change, the codes, links and flows of the identity end, its sessions as well unless `keepSessions` is set, and
   * the owner is told. Throws IDENTITY_NOT_FOUND, TRAITS_INVALID, SCHEMA_NOT_FOUND, REQUEST_INVALID, IDENTIFIER_TAKEN,
   * EXTERNAL_ID_TAKEN, ETAG_MISMATCH.
   */
  async update(tenant: Tenant, origin: CallOrigin, change: IdentityChange): Promise<Identity> {
    if (change.schemaId !== undefined && change.traits === undefined) {
      throw invalid({
        field: "schemaId",
        description: "can only change together with traits",
        reason: "NOT_ALLOWED",
      });
    }
    assertPatches(change);
    const { id, etag, keepSessions, allowUnverifiedAddressAsUserName: _allowed, ...wanted } = change;
    const fields = Object.entries(wanted).flatMap(([name, value]) => (value === undefined ? [] : [name]));
    for (let round = 0; round < mostRounds; round++) {
      const before = await this.get(tenant, id);
      if (etag !== "" && etag !== etagOf(before)) throw domainError("ETAG_MISMATCH", {});
      if (fields.length === 0) return before;
      const at = this.#deps.clock.now();
      const after = this.#changed(tenant, before, change, at);
      assertMetadata({
        publicMetadata: change.publicMetadata && after.publicMetadata,
        adminMetadata: change.adminMetadata && after.adminMetadata,
      });
      const events = [
        newEvent("identity.updated", at, origin, { identityId: id, data: { fields } }),
        ...completedEvents(
          id,
          change.traits === undefined ? [] : doneBy(before, "complete_traits"),
          at,
          origin,
        ),
      ];
      const end = this.#pendingEnd(tenant, origin, before, after, keepSessions);
      if (await this.#deps.store.update(tenant, after, before.revision, events, end)) return after;
    }
    throw domainError("ETAG_MISMATCH", {});
  }

  /** Lets an identity sign in again. Throws IDENTITY_NOT_FOUND. */
  activate(tenant: Tenant, origin: CallOrigin, id: IdentityId): Promise<Identity> {
    return this.#setState(tenant, origin, id, "active");
  }

  /** Ends an identity's sessions and open flows at once and keeps it from signing in. Throws IDENTITY_NOT_FOUND. */
  deactivate(tenant: Tenant, origin: CallOrigin, id: IdentityId): Promise<Identity> {
    return this.#setState(tenant, origin, id, "inactive");
  }

  /**
   * Keeps an identity that its owner wanted deleted, and tells the owner. Does nothing if no deletion is scheduled. Throws
   * IDENTITY_NOT_FOUND.
   */
  async cancelDeletion(tenant: Tenant, origin: CallOrigin, id: IdentityId): Promise<Identity> {
    const identity = await this.get(tenant, id);
    if (identity.purgeAt === never) return identity;
    const at = this.#deps.clock.now();
    const content = { template: "account_kept", data: {} } as const;
    await this.#deps.store.cancelDeletion(tenant, id, {
      at,
      messages: noticesTo(this.#deps.outbox, identity, content, { at, language: "" }),
      events: [newEvent("identity.deletion_cancelled", at, origin, { identityId: id })],
    });
    return this.get(tenant, id);
  }

  /** Removes an identity with everything of it, for good. Throws IDENTITY_NOT_FOUND. */
  async delete(tenant: Tenant, origin: CallOrigin, id: IdentityId): Promise<void> {
    const event = newEvent("identity.deleted", this.#deps.clock.now(), origin, { identityId: id });
    const release = await this.#deps.releases.prepare(tenant, id);
    const deleted = await this.#deps.store.delete(tenant, id, [event]);
    if (!deleted) throw domainError("IDENTITY_NOT_FOUND", {});
    release();
  }

  async #setState(
    tenant: Tenant,
    origin: CallOrigin,
    id: IdentityId,
    state: IdentityState,
  ): Promise<Identity> {
    const at = this.#deps.clock.now();
    const type = state === "active" ? "identity.activated" : "identity.deactivated";
    const event = newEvent(type, at, origin, { identityId: id });
    return found(await this.#deps.store.setState(tenant, id, state, at, [event]));
  }

  /**
   * Security rule (SR-OWNER-10): no code, link or session outlives the identifier or address that it rests on, and the owner is told at
   * the old ones, which the person who changed them may not read (ASVS V6.3.7).
   */
  #pendingEnd(
    tenant: Tenant,
    origin: CallOrigin,
    before: Identity,
    after: Identity,
    keepSessions: boolean,
  ): PendingEnd | undefined {
    if (after.traits === before.traits) return undefined;
    const schema = this.#deps.schemas.current(tenant, after.schemaId);
    const plan = planProfileChange(before, schema, after.traits, after);
    if (!plan.isSensitive) return undefined;
    const at = after.updatedAt;
    const data = { reason: "credential_changed", all: true } as const;
    return {
      at,
      endsSessions: !keepSessions,
      messages: addressNotices(this.#deps.outbox, before, plan, { at, language: "" }),
      revocationEvent: newEvent("session.revoked", at, origin, { identityId: before.id, data }),
    };
  }

  #changed(tenant: Tenant, before: Identity, change: IdentityChange, at: Date): Identity {
    const changed: Identity = {
      ...before,
      updatedAt: at,
      revision: before.revision + 1,
      externalId: change.externalId === undefined ? before.externalId : toExternalId(change.externalId),
      publicMetadata: changedDocument(before.publicMetadata, change.publicMetadata),
      adminMetadata: changedDocument(before.adminMetadata, change.adminMetadata),
    };
    if (change.traits === undefined) return changed;
    const schema = this.#deps.schemas.current(tenant, change.schemaId ?? before.schemaId);
    const owns = change.allowUnverifiedAddressAsUserName ? ownsEverything : ownsAlready(before, []);
    const traits = changedDocument(before.traits, change.traits);
    const derived = deriveFrom(schema, traits, owns);
    return {
      ...changed,
      ...derived,
      schemaId: schema.id,
      schemaVersion: schema.version,
      traits,
      requiredActions: without(before, doneBy(before, "complete_traits")),
      verifiableAddresses: carriedAddresses(derived, before.verifiableAddresses),
    };
  }
}

// Of n changes at the same moment one is made in each round.
const mostRounds = 64;

/** What one identity of a batch can fail for without the others; all else is no fault of the identity. */
const itemReasons: ReadonlySet<ErrorReason> = new Set([
  "TRAITS_INVALID",
  "SCHEMA_NOT_FOUND",
  "REQUEST_INVALID",
  "PASSWORD_REJECTED",
  "PASSWORD_HASH_UNSUPPORTED",
  "IDENTIFIER_TAKEN",
  "EXTERNAL_ID_TAKEN",
  "CREDENTIAL_TAKEN",
]);

async function orFailed<T>(
  work: () => Promise<T>,
): Promise<T | { readonly kind: "failed"; readonly error: DomainError }> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DomainError && itemReasons.has(error.reason)) return { kind: "failed", error };
    throw error;
  }
}

function found(identity: Identity | undefined): Identity {
  if (identity === undefined) throw domainError("IDENTITY_NOT_FOUND", {});
  return identity;
}
