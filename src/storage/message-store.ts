import type { CourierStore, Lease, MessageFilter } from "../domain/courier/store.ts";
import type { Event } from "../domain/event/event.ts";
import type { MessageId } from "../domain/ids.ts";
import { Announced, type Database, type Statement } from "./database.ts";
import { eventsParameter, insertEvents } from "./event-sql.ts";
import { afterPosition, byCreation, positionOf, toPage } from "./keyset.ts";
import {
  type ClaimedRow,
  claimedColumns,
  claimedFromRow,
  type KeptRow,
  keptColumns,
  keptFromRow,
  markColumn,
} from "./message-row.ts";
import { insertMessages, messagesParameter } from "./message-sql.ts";
import { type MessageRow, messageRow, readMessage } from "./rows.generated.ts";

const enqueueStatement: Statement = {
  name: "enqueue_messages",
  text: `WITH always AS (SELECT) ${insertMessages({ tenant: "$1", messages: "$2", from: "always" })}`,
};

/** A lease of $n milliseconds from now, by the database's clock. */
const leaseEnd = (milliseconds: string) =>
  `statement_timestamp() + ${milliseconds} * interval '1 millisecond'`;

/**
 * $1 now, $2 length of the lease, $3 its token, $4 how many, $5 ids that are left to others. While a message is being sent, `next_attempt_at` is the end
 * of the lease: so what waits and what a dead worker left are found by the same index. A lease has ended when the database
 * says so: by the clocks of two processes that are apart, both would hold the message.
 */
const claimStatement: Statement = {
  name: "claim_messages",
  text: `WITH due AS MATERIALIZED (
    SELECT tenant_id, id FROM ostiary.message
    WHERE state IN ('queued', 'sending') AND next_attempt_at <= greatest($1, statement_timestamp())
      AND next_attempt_at <= CASE state WHEN 'queued' THEN $1 ELSE statement_timestamp() END
      AND id <> ALL ($5::uuid[])
    ORDER BY next_attempt_at LIMIT $4 FOR UPDATE SKIP LOCKED
  )
  UPDATE ostiary.message m SET state = 'sending', attempts = attempts + 1, lease_token = $3,
    next_attempt_at = ${leaseEnd("$2")}, updated_at = $1
  FROM due WHERE m.tenant_id = due.tenant_id AND m.id = due.id
  RETURNING ${claimedColumns}, ${markColumn}`,
};

/** $1 to $3: tenants, ids and lease tokens; they select what is still held. */
const held = `FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS given(tenant_id, id, lease_token)
  WHERE m.tenant_id = given.tenant_id AND m.id = given.id AND m.lease_token = given.lease_token
    AND m.state = 'sending'`;

/** $1 tenant, $2 id. One message that is not suppressed. */
const shown = "FROM ostiary.message m WHERE m.tenant_id = $1 AND m.id = $2 AND m.state <> 'suppressed'";

const renewStatement: Statement = {
  text: `UPDATE ostiary.message m SET next_attempt_at = ${leaseEnd("$4")} ${held} RETURNING m.id`,
};

/** Due at once, by whichever clock is behind. */
const releaseStatement: Statement = {
  text: `UPDATE ostiary.message m SET state = 'queued', attempts = m.attempts - 1,
    next_attempt_at = least($4, statement_timestamp()), updated_at = $4, lease_token = NULL ${held}`,
};

/**
 * $1 tenant, $2 id, $3 lease token, $4 now, $5 the new state, $6 the next attempt or null, $7 the end or null, $8 the
 * error or null, $9 whether the content is forgotten, $10 events, $11 how many attempts are taken back.
 */
const recordStatement: Statement = {
  name: "record_attempt_at_message",
  text: `WITH changed AS (
    UPDATE ostiary.message SET state = $5, updated_at = $4, next_attempt_at = $6, ended_at = $7, last_error = $8,
      attempts = attempts - $11, lease_token = NULL, sealed_data = CASE WHEN $9 THEN NULL ELSE sealed_data END
    WHERE tenant_id = $1 AND id = $2 AND lease_token = $3 AND state = 'sending'
    RETURNING id
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$10", from: "changed" })}
  )
  SELECT id FROM changed`,
};

/** $1 tenant, $2 id, $3 now, $4 recipient or null, $5 event. */
const requeueStatement: Statement = {
  text: `WITH m AS (
    UPDATE ostiary.message SET state = 'queued', updated_at = $3, attempts = 0, next_attempt_at = $3,
      ended_at = NULL, last_error = NULL, recipient = coalesce($4, recipient),
      arrival = NULL, arrival_at = NULL, arrival_reason = NULL
    WHERE tenant_id = $1 AND id = $2 AND state = 'failed'
    RETURNING *
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$5", from: "m" })}
  )
  SELECT ${messageRow.selected} FROM m`,
};

/** The queue of messages on PostgreSQL. It is never distributed, so workers may look at all tenants at once. */
export function createMessageStore(database: Database): CourierStore {
  return {
    async enqueue(scope, messages) {
      if (messages.length === 0) return;
      await database.query(scope, enqueueStatement, [scope.tenantId, messagesParameter(messages)]);
    },

    async claim(request) {
      const values = [request.now, request.leaseMs, request.leaseToken, request.limit, request.except];
      const rows = await database.query<ClaimedRow>(undefined, claimStatement, values);
      // UPDATE returns rows in any order; the oldest go first.
      return rows.map(claimedFromRow).sort((left, right) => (left.id < right.id ? -1 : 1));
    },

    async renew(leases, leaseMs) {
      if (leases.length === 0) return new Set();
      const values = [...leaseValues(leases), leaseMs];
      const rows = await database.query<{ readonly id: MessageId }>(undefined, renewStatement, values);
      return new Set(rows.map((row) => row.id));
    },

    async release(leases, now) {
      await database.query(undefined, releaseStatement, [...leaseValues(leases), now]);
    },

    recordSent(lease, change) {
      const { at, keepData, event } = change;
      return record(database, lease, { at, state: "sent", endedAt: at, forget: !keepData, events: [event] });
    },

    recordRetry(lease, change) {
      const { at, nextAttemptAt, error, isCounted } = change;
      return record(database, lease, {
        at,
        state: "queued",
        nextAttemptAt,
        error,
        forget: false,
        events: [],
        takenBack: isCounted ? 0 : 1,
      });
    },

    recordFailed(lease, change) {
      const { at, error, event } = change;
      return record(database, lease, {
        at,
        state: "failed",
        endedAt: at,
        error,
        forget: false,
        events: [event],
      });
    },

    async find(scope, id) {
      const statement = { text: `SELECT ${messageRow.selected} ${shown}` };
      const [row] = await database.query<MessageRow>(scope, statement, [scope.tenantId, id]);
      return row && readMessage(row);
    },

    async list(scope, filter, page) {
      const { createdAt, id } = positionOf(page);
      const values: unknown[] = [scope.tenantId, createdAt, id, page.size + 1];
      const conditions = [
        "m.tenant_id = $1",
        "m.state <> 'suppressed'",
        afterPosition("m", "$2", "$3"),
        ...conditionsOf(filter, values),
      ];
      const rows = await database.query<MessageRow>(
        scope,
        {
          text: `SELECT ${messageRow.selected} FROM ostiary.message m
            WHERE ${conditions.join(" AND ")} ORDER BY m.created_at DESC, m.id DESC LIMIT $4`,
        },
        values,
      );
      return toPage(rows.map(readMessage), page.size, byCreation);
    },

    async listRetryable(scope, filter, { now, limit }) {
      const values: unknown[] = [scope.tenantId, now, limit];
      const conditions = ["m.tenant_id = $1", "m.state = 'failed'", unended, ...conditionsOf(filter, values)];
      const text = `SELECT ${messageRow.selected} FROM ostiary.message m WHERE ${conditions.join(" AND ")}
        ORDER BY m.created_at, m.id LIMIT $3`;
      return (await database.query<MessageRow>(scope, { text }, values)).map(readMessage);
    },

    async hasten(scope, filter, now) {
      const values: unknown[] = [scope.tenantId, new Announced(now.toISOString(), { messages: true })];
      const waiting = ["m.tenant_id = $1", "m.state = 'queued'", "m.next_attempt_at > $2", unended];
      const conditions = [...waiting, ...conditionsOf(filter, values)].join(" AND ");
      const text = `WITH hastened AS (
          UPDATE ostiary.message m SET next_attempt_at = $2, updated_at = $2 WHERE ${conditions} RETURNING m.id
        )
        SELECT count(*)::int AS count FROM hastened`;
      const [row] = await database.query<{ readonly count: number }>(scope, { text }, values);
      return row?.count ?? 0;
    },

    async listKept(scope, limit, recipient = "") {
      const rows = await database.query<KeptRow>(
        scope,
        {
          text: `SELECT ${keptColumns} FROM ostiary.message m
            WHERE m.tenant_id = $1 AND m.state <> 'suppressed' AND position(lower($3) IN lower(m.recipient)) > 0
            ORDER BY m.created_at DESC, m.id DESC LIMIT $2`,
        },
        [scope.tenantId, limit, recipient],
      );
      return rows.map(keptFromRow);
    },

    async findKept(scope, id) {
      const statement = { text: `SELECT ${keptColumns} ${shown}` };
      const [row] = await database.query<KeptRow>(scope, statement, [scope.tenantId, id]);
      return row && keptFromRow(row);
    },

    async requeue(scope, id, change) {
      const recorded = eventsParameter([change.event], { messages: true });
      const values = [scope.tenantId, id, change.at, change.recipient, recorded];
      const [row] = await database.query<MessageRow>(scope, requeueStatement, values);
      return row && readMessage(row);
    },
  };
}

/** $2 now: the code or link has not ended. */
const unended = "(m.expires_at IS NULL OR m.expires_at > $2)";

/** The conditions of a filter on a message `m`, whose values are added to the given ones. */
function conditionsOf(filter: MessageFilter, values: unknown[]): readonly string[] {
  const columns = {
    state: filter.state,
    recipient: filter.recipient,
    identity_id: filter.identityId,
    template: filter.template,
    channel: filter.channel,
  };
  const conditions = Object.entries(columns).flatMap(([column, value]) =>
    value === undefined ? [] : [`m.${column} = $${values.push(value)}`],
  );
  const { errorContains } = filter;
  if (errorContains !== undefined) {
    conditions.push(`position(lower($${values.push(errorContains)}) IN lower(m.last_error)) > 0`);
  }
  return conditions;
}

interface AttemptResult {
  readonly at: Date;
  readonly state: "sent" | "queued" | "failed";
  readonly nextAttemptAt?: Date;
  readonly endedAt?: Date;
  readonly error?: string;
  readonly forget: boolean;
  readonly events: readonly Event[];
  readonly takenBack?: number;
}

async function record(
  database: Database,
  { tenantId, id, leaseToken }: Lease,
  { at, state, nextAttemptAt, endedAt, error, forget, events, takenBack = 0 }: AttemptResult,
): Promise<boolean> {
  const attempt = [tenantId, id, leaseToken, at, state, nextAttemptAt, endedAt, error, forget];
  const values = [...attempt, eventsParameter(events), takenBack];
  return (await database.query({ tenantId }, recordStatement, values)).length > 0;
}

function leaseValues(leases: readonly Lease[]): readonly [string[], string[], string[]] {
  return [
    leases.map(({ tenantId }) => tenantId),
    leases.map(({ id }) => id),
    leases.map(({ leaseToken }) => leaseToken),
  ];
}
