import type { Invitation, NewInvitation } from "../domain/invitation/invitation.ts";
import type { InvitationStore } from "../domain/invitation/store.ts";
import type { Database, Statement } from "./database.ts";
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
import { type InvitationRow, invitationRow, readInvitation, writeInvitation } from "./rows.generated.ts";

/** The table with its alias. */
const from = "ostiary.invitation v";
const columns = invitationRow.selected;

/** $1 tenant, $2 digest of the token, $3 invitation, $4 event, $5 messages. It ends when it expires. */
const createStatement: Statement = {
  text: `WITH written AS (
    INSERT INTO ostiary.invitation (tenant_id, token_digest, ${invitationRow.names}, ends_at)
    SELECT $1, $2::bytea, ${invitationRow.given}, given.expires_at FROM jsonb_to_record($3::jsonb) ${invitationRow.record}
    RETURNING id
  ), sent AS (
    ${insertMessages({ tenant: "$1", messages: "$5", from: "written" })}
  )
  ${insertEvents({ tenant: "$1", events: "$4", from: "written" })}`,
};

/** $1 tenant, $2 digest of the token. */
const findByTokenDigestStatement: Statement = {
  name: "find_invitation_by_token_digest",
  text: `SELECT ${columns} FROM ${from} WHERE tenant_id = $1 AND token_digest = $2`,
};

/** $1 tenant, $2 invitation, $3 now, $4 event. A row if it was pending. */
const revokeStatement: Statement = {
  text: `WITH ended AS (
    UPDATE ${from} SET revoked_at = $3, ends_at = $3
    WHERE tenant_id = $1 AND id = $2 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $3
    RETURNING ${columns}
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$4", from: "ended" })}
  )
  SELECT * FROM ended`,
};

/** $1 tenant, $2 and $3 position, $4 count, $5 state or null, $6 now, $7 address or null. */
const listStatement: Statement = {
  text: rowsThatFit(
    `SELECT ${columns}, ${bytesOf("traits", "public_metadata", "admin_metadata")} FROM ${from}
    WHERE tenant_id = $1 AND ${afterPosition("v", "$2", "$3")}
      AND ($7::text IS NULL OR address = $7)
      AND ($5::text IS NULL OR $5 = CASE
        WHEN used_at IS NOT NULL THEN 'used'
        WHEN revoked_at IS NOT NULL THEN 'revoked'
        WHEN expires_at <= $6 THEN 'expired'
        ELSE 'pending'
      END)
    ORDER BY created_at DESC, id DESC LIMIT $4`,
    "v_created_at DESC, v_id DESC",
  ),
};

/** Invitations on PostgreSQL. */
export function createInvitationStore(database: Database): InvitationStore {
  return {
    async create(scope, invitation, event, messages) {
      await database.query(scope, createStatement, [
        scope.tenantId,
        invitation.tokenDigest,
        invitationParameter(invitation),
        eventsParameter([event]),
        messagesParameter(messages),
      ]);
    },

    async find(scope, id) {
      const statement = { text: `SELECT ${columns} FROM ${from} WHERE tenant_id = $1 AND id = $2` };
      const [row] = await database.query<InvitationRow>(scope, statement, [scope.tenantId, id]);
      return row && invitationFromRow(row);
    },

    async findByTokenDigest(scope, digest) {
      const values = [scope.tenantId, digest];
      const [row] = await database.query<InvitationRow>(scope, findByTokenDigestStatement, values);
      return row && invitationFromRow(row);
    },

    async list(scope, filter, page) {
      const { createdAt, id } = positionOf(page);
      const values = [scope.tenantId, createdAt, id, page.size + 1, filter.state, filter.now, filter.address];
      const rows = await database.query<InvitationRow & FittingRow>(scope, listStatement, values);
      return toPage(rows.map(invitationFromRow), page.size, byCreation, rows[0]?.is_cut);
    },

    async revoke(scope, id, at, event) {
      const values = [scope.tenantId, id, at, eventsParameter([event])];
      const [row] = await database.query<InvitationRow>(scope, revokeStatement, values);
      return row && invitationFromRow(row);
    },
  };
}

function invitationFromRow(row: InvitationRow): Invitation {
  const { v_address_kind: kind, v_address: value } = row;
  return { ...readInvitation(row), address: kind === null || value === null ? undefined : { kind, value } };
}

function invitationParameter(invitation: NewInvitation): string {
  const { address } = invitation;
  return JSON.stringify({
    ...writeInvitation(invitation),
    address_kind: address?.kind,
    address: address?.value,
  });
}
