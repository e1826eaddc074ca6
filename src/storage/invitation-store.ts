import type { SealedMessage } from "../domain/courier/outbox.ts";
import type { Event } from "../domain/event/event.ts";
import type { AddressKind } from "../domain/identity/identity.ts";
import type { IdentityId, InvitationId } from "../domain/ids.ts";
import { instantOf } from "../domain/instant.ts";
import type { Invitation, NewInvitation } from "../domain/invitation/invitation.ts";
import type { InvitationFilter, InvitationStore } from "../domain/invitation/store.ts";
import type { JsonObject } from "../domain/json.ts";
import type { Page, PageRequest, Scope } from "../domain/ports.ts";
import type { Database, Statement } from "./database.ts";
import { endColumn, endOf } from "./ends.ts";
import { eventsParameter, insertEvents } from "./event-sql.ts";
import {
  afterPosition,
  byCreation,
  bytesOf,
  type FittingRow,
  positionOf,
  rowsThatFit,
  toPage,
} from "./keyset.ts";
import { insertMessages, messagesParameter } from "./message-sql.ts";

interface InvitationRow {
  readonly id: InvitationId;
  readonly created_at: Date;
  readonly expires_at: Date;
  readonly address_kind: AddressKind | null;
  readonly address: string | null;
  readonly schema_id: string;
  readonly traits: JsonObject;
  readonly public_metadata: JsonObject;
  readonly admin_metadata: JsonObject;
  readonly used_at: Date | null;
  readonly identity_id: IdentityId | null;
  readonly revoked_at: Date | null;
}

const columns = `id, created_at, expires_at, address_kind, address, schema_id, traits, public_metadata,
  admin_metadata, used_at, identity_id, revoked_at`;

/** $1 tenant, $2 digest of the token, $3 to $14 the invitation, $15 event, $16 messages. It ends when it expires. */
const createStatement: Statement = {
  text: `WITH written AS (
    INSERT INTO ostiary.invitation (tenant_id, token_digest, ${columns}, ends_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $5)
    RETURNING id
  ), sent AS (
    ${insertMessages({ tenant: "$1", messages: "$16", from: "written" })}
  )
  ${insertEvents({ tenant: "$1", events: "$15", from: "written" })}`,
};

/** $1 tenant, $2 digest of the token. */
const findByTokenDigestStatement: Statement = {
  name: "find_invitation_by_token_digest",
  text: `SELECT ${columns} FROM ostiary.invitation WHERE tenant_id = $1 AND token_digest = $2`,
};

/** $1 tenant, $2 invitation, $3 now, $4 event. A row if it was pending. */
const revokeStatement: Statement = {
  text: `WITH ended AS (
    UPDATE ostiary.invitation SET revoked_at = $3, ends_at = $3
    WHERE tenant_id = $1 AND id = $2 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $3
    RETURNING ${columns}
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$4", from: "ended" })}
  )
  SELECT ${columns} FROM ended`,
};

/** $1 tenant, $2 and $3 position, $4 count, $5 state or null, $6 now, $7 address or null. */
const listStatement: Statement = {
  text: rowsThatFit(
    `SELECT ${columns}, ${bytesOf("traits", "public_metadata", "admin_metadata")} FROM ostiary.invitation
    WHERE tenant_id = $1 AND ${afterPosition("invitation", "$2", "$3")}
      AND ($7::text IS NULL OR address = $7)
      AND ($5::text IS NULL OR $5 = CASE
        WHEN used_at IS NOT NULL THEN 'used'
        WHEN revoked_at IS NOT NULL THEN 'revoked'
        WHEN expires_at <= $6 THEN 'expired'
        ELSE 'pending'
      END)
    ORDER BY created_at DESC, id DESC LIMIT $4`,
    "created_at DESC, id DESC",
  ),
};

/** Invitations on PostgreSQL. */
export class PostgresInvitationStore implements InvitationStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async create(
    scope: Scope,
    invitation: NewInvitation,
    event: Event,
    messages: readonly SealedMessage[],
  ): Promise<void> {
    await this.#database.query(scope, createStatement, [
      ...[scope.tenantId, invitation.tokenDigest, invitation.id, invitation.createdAt, invitation.expiresAt],
      ...[invitation.address?.kind, invitation.address?.value, invitation.schemaId],
      JSON.stringify(invitation.traits),
      JSON.stringify(invitation.publicMetadata),
      JSON.stringify(invitation.adminMetadata),
      ...[endColumn(invitation.usedAt), invitation.identityId, endColumn(invitation.revokedAt)],
      eventsParameter([event]),
      messagesParameter(messages),
    ]);
  }

  async find(scope: Scope, id: InvitationId): Promise<Invitation | undefined> {
    const statement = { text: `SELECT ${columns} FROM ostiary.invitation WHERE tenant_id = $1 AND id = $2` };
    const [row] = await this.#database.query<InvitationRow>(scope, statement, [scope.tenantId, id]);
    return row && invitationFromRow(row);
  }

  async findByTokenDigest(scope: Scope, digest: Uint8Array): Promise<Invitation | undefined> {
    const values = [scope.tenantId, digest];
    const [row] = await this.#database.query<InvitationRow>(scope, findByTokenDigestStatement, values);
    return row && invitationFromRow(row);
  }

  async list(scope: Scope, filter: InvitationFilter, page: PageRequest): Promise<Page<Invitation>> {
    const { createdAt, id } = positionOf(page);
    const rows = await this.#database.query<InvitationRow & FittingRow>(scope, listStatement, [
      ...[scope.tenantId, createdAt, id, page.size + 1],
      ...[filter.state, filter.now, filter.address],
    ]);
    return toPage(rows.map(invitationFromRow), page.size, byCreation, rows[0]?.is_cut);
  }

  async revoke(scope: Scope, id: InvitationId, at: Date, event: Event): Promise<Invitation | undefined> {
    const values = [scope.tenantId, id, at, eventsParameter([event])];
    const [row] = await this.#database.query<InvitationRow>(scope, revokeStatement, values);
    return row && invitationFromRow(row);
  }
}

function invitationFromRow(row: InvitationRow): Invitation {
  const { address_kind: kind, address: value } = row;
  return {
    id: row.id,
    createdAt: row.created_at,
    expiresAt: instantOf(row.expires_at),
    address: kind === null || value === null ? undefined : { kind, value },
    schemaId: row.schema_id,
    traits: row.traits,
    publicMetadata: row.public_metadata,
    adminMetadata: row.admin_metadata,
    usedAt: endOf(row.used_at),
    identityId: row.identity_id ?? undefined,
    revokedAt: endOf(row.revoked_at),
  };
}
