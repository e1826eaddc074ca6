import { type DomainError, domainError } from "../domain/errors.ts";
import type { Identity, NewCredential } from "../domain/identity/identity.ts";
import type { IdentityStore, PendingEnd } from "../domain/identity/store.ts";
import type { IdentityId } from "../domain/ids.ts";
import type { TenantScope } from "../domain/ports.ts";
import {
  type CredentialRow,
  credentialColumns,
  credentialFromRow,
  credentialsParameter,
} from "./credential-sql.ts";
import type { Database } from "./database.ts";
import { isDuplicate } from "./database-errors.ts";
import { eventsParameter } from "./event-sql.ts";
import { listIdentitiesQuery } from "./identity-list.ts";
import { type IdentityRow, identityColumns, identityFromRow, identityParameters } from "./identity-row.ts";
import {
  addRequiredActionStatement,
  cancelDeletionStatement,
  createIdentityStatement,
  deleteCredentialStatement,
  deleteIdentityStatement,
  endAccessStatement,
  endPendingStatement,
  importCredentialsStatement,
  replaceSecretStatement,
  setCredentialStatement,
  setRequiredActionsStatement,
  setStateStatement,
  setVerificationStatement,
  updateIdentityStatement,
} from "./identity-statements.ts";
import { afterPosition, byCreation, type FittingRow, positionOf, toPage } from "./keyset.ts";
import { messagesParameter } from "./message-sql.ts";
import { revokeAllStatement } from "./session-store.ts";

/** Thrown to roll a change back, once it is known that identifiers of it are somebody else's. */
class IdentifiersTaken extends Error {
  override readonly name = "IdentifiersTaken";
}

/** Identities on PostgreSQL. The statements are in identity-statements.ts. */
export function createIdentityStore(database: Database): IdentityStore {
  async function findOne(
    scope: TenantScope,
    condition: string,
    value: string,
  ): Promise<Identity | undefined> {
    const text = `SELECT ${identityColumns} FROM ostiary.identity i WHERE i.tenant_id = $1 AND ${condition}`;
    const [row] = await database.query<IdentityRow>(scope, { text }, [scope.tenantId, value]);
    return row && identityFromRow(row);
  }

  async function endPending(scope: TenantScope, id: IdentityId, end: PendingEnd): Promise<void> {
    await database.query(scope, endPendingStatement, [
      scope.tenantId,
      id,
      end.at,
      end.endsSessions,
      messagesParameter(end.messages),
      eventsParameter([end.revocationEvent]),
    ]);
  }

  return {
    async create(scope, identity, credentials, events) {
      await naming(database, scope, { identity, credentials }, (guarded) =>
        database.query(guarded, createIdentityStatement, [
          scope.tenantId,
          ...identityParameters(identity),
          credentialsParameter(credentials),
          identity.updatedAt,
          eventsParameter(events),
        ]),
      );
    },

    find: (scope, id) => findOne(scope, "i.id = $2", id),

    findByIdentifier: (scope, identifier) =>
      findOne(
        scope,
        `i.id = (
          SELECT n.identity_id FROM ostiary.identity_identifier n WHERE n.tenant_id = $1 AND n.value = $2
        )`,
        identifier,
      ),

    findByExternalId: (scope, externalId) => findOne(scope, "i.external_id = $2", externalId),

    async list(scope, filter, page, take) {
      const { text, values } = listIdentitiesQuery(scope, filter, page, take);
      const rows = await database.query<IdentityRow & Partial<FittingRow>>(scope, { text }, values);
      return toPage(rows.map(identityFromRow), page.size, byCreation, rows[0]?.is_cut);
    },

    async update(scope, identity, expectedRevision, events, end) {
      const values = [
        scope.tenantId,
        ...identityParameters(identity),
        expectedRevision,
        eventsParameter(events),
      ];
      return naming(database, scope, { identity, credentials: [] }, (guarded) =>
        database.transaction(guarded, async (tx) => {
          const [row] = await database.query<{ readonly updated: boolean; readonly complete: boolean }>(
            tx,
            updateIdentityStatement,
            values,
          );
          if (row?.updated !== true) return false;
          if (!row.complete) throw new IdentifiersTaken();
          if (end !== undefined) await endPending(tx, identity.id, end);
          return true;
        }),
      );
    },

    async setState(scope, id, state, at, events) {
      return database.transaction(scope, async (tx) => {
        const values = [scope.tenantId, id, state, at, eventsParameter(events)];
        const changed = await database.query(tx, setStateStatement, values);
        // A statement of its own: it sees the session of a login that the one before had to wait for.
        if (changed.length > 0 && state === "inactive") {
          await database.query(tx, endAccessStatement, [scope.tenantId, id, at]);
        }
        return findOne(tx, "i.id = $2", id);
      });
    },

    async setRequiredActions(scope, id, { actions, endSessions, at, events, revocationEvent }) {
      return database.transaction(scope, async (tx) => {
        const values = [scope.tenantId, id, JSON.stringify(actions), at, eventsParameter(events)];
        const changed = await database.query(tx, setRequiredActionsStatement, values);
        // A statement of its own: it sees the session of a login that the one before had to wait for.
        if (changed.length > 0 && endSessions) {
          const end = [scope.tenantId, id, at, undefined, eventsParameter([revocationEvent])];
          await database.query(tx, revokeAllStatement, end);
        }
        return findOne(tx, "i.id = $2", id);
      });
    },

    async addRequiredAction(scope, id, { action, credential, at, events }) {
      await database.query(scope, addRequiredActionStatement, [
        scope.tenantId,
        id,
        JSON.stringify([action]),
        action.kind,
        credential.id,
        credential.secrets,
        at,
        eventsParameter(events),
        action.timing,
      ]);
    },

    async setVerification(scope, id, { address, verifiedAt, doneActions, at, messages, events, end }) {
      return database.transaction(scope, async (tx) => {
        const change = [scope.tenantId, id, address.kind, address.value, verifiedAt, at];
        const values = [...change, messagesParameter(messages), eventsParameter(events), doneActions ?? []];
        const changed = await database.query(tx, setVerificationStatement, values);
        if (changed.length === 0) return false;
        if (end !== undefined) await endPending(tx, id, end);
        return true;
      });
    },

    async cancelDeletion(scope, id, { at, messages, events }) {
      const values = [scope.tenantId, id, at, messagesParameter(messages), eventsParameter(events)];
      return (await database.query(scope, cancelDeletionStatement, values)).length > 0;
    },

    async delete(scope, id, events) {
      const values = [scope.tenantId, id, eventsParameter(events)];
      return (await database.query(scope, deleteIdentityStatement, values)).length > 0;
    },

    async credentialsOf(scope, id) {
      const rows = await database.query<CredentialRow>(
        scope,
        {
          name: "credentials_of",
          text: `SELECT ${credentialColumns} FROM ostiary.identity_credential c
            WHERE c.tenant_id = $1 AND c.identity_id = $2 ORDER BY c.created_at, c.id`,
        },
        [scope.tenantId, id],
      );
      return rows.map(credentialFromRow);
    },

    async listCredentials(scope, id, page) {
      const position = positionOf(page);
      const rows = await database.query<CredentialRow>(
        scope,
        {
          text: `SELECT ${credentialColumns} FROM ostiary.identity_credential c
            WHERE c.tenant_id = $1 AND c.identity_id = $2 AND ${afterPosition("c", "$3", "$4")}
            ORDER BY c.created_at DESC, c.id DESC LIMIT $5`,
        },
        [scope.tenantId, id, position.createdAt, position.id, page.size + 1],
      );
      return toPage(rows.map(credentialFromRow), page.size, byCreation);
    },

    async findCredential(scope, id, credentialId) {
      const [row] = await database.query<CredentialRow>(
        scope,
        {
          text: `SELECT ${credentialColumns} FROM ostiary.identity_credential c
            WHERE c.tenant_id = $1 AND c.identity_id = $2 AND c.id = $3`,
        },
        [scope.tenantId, id, credentialId],
      );
      return row && credentialFromRow(row);
    },

    async findSecret(scope, id, kind) {
      const [row] = await database.query<{ readonly secret: string }>(
        scope,
        {
          name: "find_secret",
          text: `SELECT secret FROM ostiary.identity_credential
            WHERE tenant_id = $1 AND identity_id = $2 AND kind = $3`,
        },
        [scope.tenantId, id, kind],
      );
      return row?.secret;
    },

    async secretsOf(scope, id, kind) {
      const rows = await database.query<CredentialRow & { readonly secret: string }>(
        scope,
        {
          text: `SELECT ${credentialColumns}, c.secret FROM ostiary.identity_credential c
            WHERE c.tenant_id = $1 AND c.identity_id = $2 AND c.kind = $3 ORDER BY c.created_at, c.id`,
        },
        [scope.tenantId, id, kind],
      );
      return rows.map((row) => ({ ...credentialFromRow(row), secret: row.secret }));
    },

    async setCredential(scope, id, credential, at, events) {
      const values = [scope.tenantId, id, credentialsParameter([credential]), at, eventsParameter(events)];
      const [row] = await database.query<CredentialRow>(scope, setCredentialStatement, values);
      return row && credentialFromRow(row);
    },

    async importCredentials(scope, id, credentials, at, events) {
      const values = [scope.tenantId, id, credentialsParameter(credentials), at, eventsParameter(events)];
      const rows = await database
        .transaction(scope, (tx) => database.query<CredentialRow>(tx, importCredentialsStatement, values))
        .catch(async (cause: unknown) => {
          if (!isDuplicate(cause)) throw cause;
          // The other identity may be gone by now.
          const credentialId = (await takenKey(database, scope, credentials)) ?? "";
          throw domainError("CREDENTIAL_TAKEN", { credentialId }, { cause });
        });
      if (rows.length === 0 && (await findOne(scope, "i.id = $2", id)) === undefined) return [];
      const written = new Map(rows.map((row) => [`${row.kind} ${row.lookup_key}`, row]));
      return credentials.map(({ kind, lookupKey = "" }) => {
        const row = written.get(`${kind} ${lookupKey}`);
        if (row === undefined) throw domainError("CREDENTIAL_TAKEN", { credentialId: lookupKey });
        return credentialFromRow(row);
      });
    },

    async replaceSecret(scope, id, previous, { secret, facts }, at) {
      const values = [scope.tenantId, id, previous.kind, previous.secret, secret, JSON.stringify(facts), at];
      return (await database.query(scope, replaceSecretStatement, values)).length > 0;
    },

    endPending,

    async deleteCredential(scope, id, credentialId, events) {
      const values = [scope.tenantId, id, credentialId, eventsParameter(events)];
      return (await database.query(scope, deleteCredentialStatement, values)).length > 0;
    },
  };
}

/**
 * Runs a change that may meet another identity's identifiers, external id or passkeys, and names the one it met. Within a
 * transaction the change gets a savepoint, because its failure would end the transaction.
 */
async function naming<T>(
  database: Database,
  scope: TenantScope,
  given: GivenAccount,
  change: (scope: TenantScope) => Promise<T>,
): Promise<T> {
  try {
    return database.isTransaction(scope) ? await database.transaction(scope, change) : await change(scope);
  } catch (error) {
    if (!isDuplicate(error) && !(error instanceof IdentifiersTaken)) throw error;
    throw await nameTaken(database, scope, given, error);
  }
}

/** What a change writes of an identity, where it has to be unique. */
interface GivenAccount {
  readonly identity: Identity;
  readonly credentials: readonly NewCredential[];
}

async function nameTaken(
  database: Database,
  scope: TenantScope,
  { identity, credentials }: GivenAccount,
  cause: unknown,
): Promise<DomainError> {
  const rows = await database.query<{ readonly value: string | null }>(
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
  if (identifier === undefined) {
    const lookupKey = await takenKey(database, scope, credentials);
    if (lookupKey !== undefined)
      return domainError("CREDENTIAL_TAKEN", { credentialId: lookupKey }, { cause });
  }
  // The other identity may be gone by now; then it was an identifier if there is one.
  const path = identifier?.path ?? identity.identifiers[0]?.path;
  return path === undefined
    ? domainError("EXTERNAL_ID_TAKEN", { field: "external_id" }, { cause })
    : domainError("IDENTIFIER_TAKEN", { field: `traits.${path}` }, { cause });
}

/** The key of the first of these credentials that is there already; undefined if none is. */
async function takenKey(
  database: Database,
  scope: TenantScope,
  credentials: readonly NewCredential[],
): Promise<string | undefined> {
  const keys = credentials.flatMap(({ lookupKey }) => lookupKey ?? []);
  if (keys.length === 0) return undefined;
  const rows = await database.query<{ readonly lookup_key: string }>(
    scope,
    {
      text: `SELECT lookup_key FROM ostiary.identity_credential
        WHERE tenant_id = $1 AND kind = ANY ($2) AND lookup_key = ANY ($3)`,
    },
    [scope.tenantId, [...new Set(credentials.map(({ kind }) => kind))], keys],
  );
  const taken = new Set(rows.map(({ lookup_key }) => lookup_key));
  return keys.find((key) => taken.has(key));
}
