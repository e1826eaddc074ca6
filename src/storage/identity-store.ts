import { type DomainError, domainError } from "../domain/errors.ts";
import type { Event } from "../domain/event/event.ts";
import type { Credential, CredentialKind, Identity, IdentityState } from "../domain/identity/identity.ts";
import type {
  IdentityFilter,
  IdentityStore,
  IdentityTake,
  PasswordRecord,
  PendingEnd,
  VerificationChange,
} from "../domain/identity/store.ts";
import type { CredentialId, IdentityId } from "../domain/ids.ts";
import type { Page, PageRequest, Scope } from "../domain/ports.ts";
import { credentialIdOf } from "./credential-ids.ts";
import type { Database, Statement } from "./database.ts";
import { isDuplicate } from "./database-errors.ts";
import { eventsParameter } from "./event-sql.ts";
import { listIdentitiesQuery } from "./identity-list.ts";
import {
  addressesParameter,
  type IdentityRow,
  identifiersParameter,
  identityColumns,
  identityFromRow,
  identityParameter,
} from "./identity-row.ts";
import {
  cancelDeletionStatement,
  createIdentityStatement,
  deleteCredentialStatement,
  deleteIdentityStatement,
  endAccessStatement,
  endPendingStatement,
  rehashPasswordStatement,
  setPasswordStatement,
  setStateStatement,
  setVerificationStatement,
  updateIdentityStatement,
} from "./identity-statements.ts";
import { afterPosition, byCreation, type FittingRow, positionOf, toPage } from "./keyset.ts";
import { messagesParameter } from "./message-sql.ts";

/** Thrown to roll a change back, once it is known that identifiers of it are somebody else's. */
class IdentifiersTaken extends Error {
  override readonly name = "IdentifiersTaken";
}

const credentialColumns = `${credentialIdOf("c")} AS id, c.kind, c.created_at, c.updated_at, c.algorithm`;

interface CredentialRow {
  readonly id: CredentialId;
  readonly kind: CredentialKind;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly algorithm: string | null;
}

/** Identities on PostgreSQL. The statements are in identity-statements.ts. */
export class PostgresIdentityStore implements IdentityStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async create(
    scope: Scope,
    identity: Identity,
    password: PasswordRecord | undefined,
    events: readonly Event[],
  ): Promise<void> {
    await this.#naming(scope, identity, (guarded) =>
      this.#database.query(guarded, createIdentityStatement, [
        scope.tenantId,
        identityParameter(identity),
        identifiersParameter(identity.identifiers),
        addressesParameter(identity.verifiableAddresses),
        addressesParameter(identity.recoveryAddresses),
        password?.hash,
        password?.algorithm,
        identity.updatedAt,
        eventsParameter(events),
      ]),
    );
  }

  async find(scope: Scope, id: IdentityId): Promise<Identity | undefined> {
    return this.#findOne(scope, "i.tenant_id = $1 AND i.id = $2", id);
  }

  async findByIdentifier(scope: Scope, identifier: string): Promise<Identity | undefined> {
    return this.#findOne(
      scope,
      `i.tenant_id = $1 AND i.id = (
        SELECT n.identity_id FROM ostiary.identity_identifier n WHERE n.tenant_id = $1 AND n.value = $2
      )`,
      identifier,
    );
  }

  async findByExternalId(scope: Scope, externalId: string): Promise<Identity | undefined> {
    return this.#findOne(scope, "i.tenant_id = $1 AND i.external_id = $2", externalId);
  }

  async list(
    scope: Scope,
    filter: IdentityFilter,
    page: PageRequest,
    take: IdentityTake,
  ): Promise<Page<Identity>> {
    const { text, values } = listIdentitiesQuery(scope, filter, page, take);
    const rows = await this.#database.query<IdentityRow & Partial<FittingRow>>(scope, { text }, values);
    return toPage(rows.map(identityFromRow), page.size, byCreation, rows[0]?.is_cut);
  }

  async update(
    scope: Scope,
    identity: Identity,
    expectedRevision: number,
    events: readonly Event[],
    end?: PendingEnd,
  ): Promise<boolean> {
    const values = [
      scope.tenantId,
      identityParameter(identity),
      expectedRevision,
      identifiersParameter(identity.identifiers),
      addressesParameter(identity.verifiableAddresses),
      addressesParameter(identity.recoveryAddresses),
      eventsParameter(events),
    ];
    return this.#naming(scope, identity, (guarded) =>
      this.#database.transaction(guarded, async (tx) => {
        const [row] = await this.#database.query<{ readonly updated: boolean; readonly complete: boolean }>(
          tx,
          updateIdentityStatement,
          values,
        );
        if (row?.updated !== true) return false;
        if (!row.complete) throw new IdentifiersTaken();
        if (end !== undefined) await this.endPending(tx, identity.id, end);
        return true;
      }),
    );
  }

  async setState(
    scope: Scope,
    id: IdentityId,
    state: IdentityState,
    at: Date,
    events: readonly Event[],
  ): Promise<Identity | undefined> {
    return this.#database.transaction(scope, async (tx) => {
      const changed = await this.#database.query(tx, setStateStatement, [
        scope.tenantId,
        id,
        state,
        at,
        eventsParameter(events),
      ]);
      // A statement of its own: it sees the session of a login that the one before had to wait for.
      if (changed.length > 0 && state === "inactive") {
        await this.#database.query(tx, endAccessStatement, [scope.tenantId, id, at]);
      }
      return this.find(tx, id);
    });
  }

  async setVerification(
    scope: Scope,
    id: IdentityId,
    { address, verifiedAt, at, messages, events, end }: VerificationChange,
  ): Promise<boolean> {
    return this.#database.transaction(scope, async (tx) => {
      const changed = await this.#database.query(tx, setVerificationStatement, [
        ...[scope.tenantId, id, address.kind, address.value, verifiedAt, at],
        messagesParameter(messages),
        eventsParameter(events),
      ]);
      if (changed.length === 0) return false;
      if (end !== undefined) await this.endPending(tx, id, end);
      return true;
    });
  }

  async cancelDeletion(
    scope: Scope,
    id: IdentityId,
    { at, messages, events }: Parameters<IdentityStore["cancelDeletion"]>[2],
  ): Promise<boolean> {
    const values = [scope.tenantId, id, at, messagesParameter(messages), eventsParameter(events)];
    return (await this.#database.query(scope, cancelDeletionStatement, values)).length > 0;
  }

  async delete(scope: Scope, id: IdentityId, events: readonly Event[]): Promise<boolean> {
    const values = [scope.tenantId, id, eventsParameter(events)];
    return (await this.#database.query(scope, deleteIdentityStatement, values)).length > 0;
  }

  async listCredentials(scope: Scope, id: IdentityId, page: PageRequest): Promise<Page<Credential>> {
    const position = positionOf(page);
    const rows = await this.#database.query<CredentialRow>(
      scope,
      {
        text: `SELECT ${credentialColumns} FROM ostiary.identity_credential c
          WHERE c.tenant_id = $1 AND c.identity_id = $2 AND ${afterPosition("c", "$3", "$4")}
          ORDER BY c.created_at DESC, c.id DESC LIMIT $5`,
      },
      [scope.tenantId, id, position.createdAt, position.id, page.size + 1],
    );
    return toPage(rows.map(credentialFromRow), page.size, byCreation);
  }

  async findCredential(
    scope: Scope,
    id: IdentityId,
    credentialId: CredentialId,
  ): Promise<Credential | undefined> {
    const [row] = await this.#database.query<CredentialRow>(
      scope,
      {
        text: `SELECT ${credentialColumns} FROM ostiary.identity_credential c
          WHERE c.tenant_id = $1 AND c.identity_id = $2 AND ${credentialIdOf("c")} = $3`,
      },
      [scope.tenantId, id, credentialId],
    );
    return row && credentialFromRow(row);
  }

  async findPassword(scope: Scope, id: IdentityId): Promise<PasswordRecord | undefined> {
    const [row] = await this.#database.query<{ readonly secret: string; readonly algorithm: string | null }>(
      scope,
      {
        name: "find_password",
        text: `SELECT secret, algorithm FROM ostiary.identity_credential
          WHERE tenant_id = $1 AND identity_id = $2 AND kind = 'password'`,
      },
      [scope.tenantId, id],
    );
    return row && { hash: row.secret, algorithm: row.algorithm ?? "" };
  }

  async setPassword(
    scope: Scope,
    id: IdentityId,
    password: PasswordRecord,
    at: Date,
    events: readonly Event[],
  ): Promise<Credential | undefined> {
    const [row] = await this.#database.query<CredentialRow>(scope, setPasswordStatement, [
      scope.tenantId,
      id,
      password.hash,
      password.algorithm,
      at,
      eventsParameter(events),
    ]);
    return row && credentialFromRow(row);
  }

  async rehashPassword(
    scope: Scope,
    id: IdentityId,
    previous: string,
    password: PasswordRecord,
    at: Date,
  ): Promise<void> {
    const values = [scope.tenantId, id, previous, password.hash, password.algorithm, at];
    await this.#database.query(scope, rehashPasswordStatement, values);
  }

  async endPending(scope: Scope, id: IdentityId, end: PendingEnd): Promise<void> {
    await this.#database.query(scope, endPendingStatement, [
      scope.tenantId,
      id,
      end.at,
      end.endsSessions,
      messagesParameter(end.messages),
      eventsParameter([end.revocationEvent]),
    ]);
  }

  async deleteCredential(
    scope: Scope,
    id: IdentityId,
    credentialId: CredentialId,
    events: readonly Event[],
  ): Promise<boolean> {
    const values = [scope.tenantId, id, credentialId, eventsParameter(events)];
    return (await this.#database.query(scope, deleteCredentialStatement, values)).length > 0;
  }

  async #findOne(scope: Scope, condition: string, value: string): Promise<Identity | undefined> {
    const statement: Statement = {
      text: `SELECT ${identityColumns} FROM ostiary.identity i WHERE ${condition}`,
    };
    const [row] = await this.#database.query<IdentityRow>(scope, statement, [scope.tenantId, value]);
    return row && identityFromRow(row);
  }

  /**
   * Runs a change that may meet another identity's identifiers or external id, and names the one it met. Within a
   * transaction the change gets a savepoint, because its failure would end the transaction.
   */
  async #naming<T>(scope: Scope, identity: Identity, change: (scope: Scope) => Promise<T>): Promise<T> {
    try {
      return this.#database.isTransaction(scope)
        ? await this.#database.transaction(scope, change)
        : await change(scope);
    } catch (error) {
      if (!isDuplicate(error) && !(error instanceof IdentifiersTaken)) throw error;
      throw await this.#nameTaken(scope, identity, error);
    }
  }

  async #nameTaken(scope: Scope, identity: Identity, cause: unknown): Promise<DomainError> {
    const rows = await this.#database.query<{ readonly value: string | null }>(
      scope,
      {
        text: `SELECT value FROM ostiary.identity_identifier
            WHERE tenant_id = $1 AND value = ANY ($2) AND identity_id <> $3
          UNION ALL
          SELECT NULL FROM ostiary.identity WHERE tenant_id = $1 AND external_id = $4 AND id <> $3`,
      },
      [scope.tenantId, identity.identifiers.map(({ value }) => value), identity.id, identity.externalId],
    );
    const taken = new Set(rows.map((row) => row.value));
    const identifier = identity.identifiers.find(({ value }) => taken.has(value));
    if (identifier === undefined && taken.has(null)) {
      return domainError("EXTERNAL_ID_TAKEN", { field: "external_id" }, { cause });
    }
    // Whoever had it may be gone by now; then it was an identifier if there is one.
    const path = identifier?.path ?? identity.identifiers[0]?.path;
    return path === undefined
      ? domainError("EXTERNAL_ID_TAKEN", { field: "external_id" }, { cause })
      : domainError("IDENTIFIER_TAKEN", { field: `traits.${path}` }, { cause });
  }
}

function credentialFromRow(row: CredentialRow): Credential {
  return {
    id: row.id,
    kind: row.kind,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    hashAlgorithm: row.algorithm ?? undefined,
  };
}
