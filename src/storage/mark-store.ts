import type { AddressMark, MarkStore } from "../domain/courier/store.ts";
import { domainError } from "../domain/errors.ts";
import type { Database, Statement } from "./database.ts";
import { eventsParameter, insertEvents } from "./event-sql.ts";
import { type AddressMarkRow, addressMarkRow, readAddressMark } from "./rows.generated.ts";

/** How much a report says: one that says less than what is known changes nothing. */
const weight = (arrival: string) =>
  `coalesce(array_position(ARRAY['delivered', 'bounced', 'complained'], ${arrival}), 0)`;

/** Whether an account has the address of the message `m`. */
const isHad = `(
  EXISTS (
    SELECT FROM ostiary.identity_verifiable_address v
    WHERE v.tenant_id = $1 AND v.kind = 'email' AND v.value = m.recipient
  ) OR EXISTS (SELECT FROM ostiary.identity_identifier n WHERE n.tenant_id = $1 AND n.value = m.recipient)
)`;

/**
 * Whether the message `m` is one that any address gets, whether or not somebody has it.
 *
 * Security rule (SR-MAIL-8): only what came of such a message may be told to who typed the address. Codes for a login or a recovery go
 * to addresses of accounts alone; so does a verification, unless it is of a new address.
 */
const isOpen = `(m.template LIKE 'registration\\_%' OR (m.template LIKE 'verification\\_%' AND NOT ${isHad}))`;

/** Whether the address was proven after the message `m` was made: what comes back of it then is older than the proof. */
const isProvenSince = `EXISTS (
  SELECT FROM ostiary.identity_verifiable_address v
  WHERE v.tenant_id = $1 AND v.kind = 'email' AND v.value = m.recipient AND v.verified_at > m.created_at
)`;

/**
 * $1 tenant, $2 message, $3 what became of it, $4 now, $5 reason or null, $6 recipient or null, $7 events.
 *
 * A provider may tell of a message before it is noted here that it was sent.
 *
 * Security rule (SR-MAIL-7): a report marks the recipient of the message that it names, and nobody else.
 */
const recordStatement: Statement = {
  text: `WITH m AS (
    UPDATE ostiary.message SET arrival = $3, arrival_at = $4, arrival_reason = $5, updated_at = $4
    WHERE tenant_id = $1 AND id = $2 AND channel = 'email' AND state <> 'suppressed' AND attempts > 0
      AND ${weight("arrival")} < ${weight("$3::text")}
    RETURNING id, recipient, template, created_at
  ), marked AS (
    INSERT INTO ostiary.address_mark AS k
      (tenant_id, value, updated_at, bounced_at, bounce_reason, open_at, complained_at)
    SELECT $1, m.recipient, $4,
      CASE $3 WHEN 'bounced' THEN $4::timestamptz END, CASE $3 WHEN 'bounced' THEN $5 END,
      CASE WHEN $3 = 'bounced' AND ${isOpen} THEN $4::timestamptz END,
      CASE $3 WHEN 'complained' THEN $4::timestamptz END
    FROM m
    WHERE m.recipient = $6 AND ($3 = 'complained' OR ($3 = 'bounced' AND NOT ${isProvenSince}))
    ON CONFLICT (tenant_id, value) DO UPDATE SET updated_at = excluded.updated_at,
      bounced_at = coalesce(excluded.bounced_at, k.bounced_at),
      bounce_reason = CASE WHEN excluded.bounced_at IS NULL THEN k.bounce_reason ELSE excluded.bounce_reason END,
      open_at = coalesce(excluded.open_at, k.open_at),
      complained_at = coalesce(excluded.complained_at, k.complained_at)
    RETURNING k.value
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$7", from: "m" })}
  )
  SELECT EXISTS (SELECT FROM marked) AS is_marked FROM m`,
};

/** A row from which nothing was taken back. */
const counts = "(k.bounced_at IS NOT NULL OR k.complained_at IS NOT NULL)";

/** $1 tenant, $2 addresses. */
const findStatement: Statement = {
  name: "find_address_mark",
  text: `SELECT ${addressMarkRow.selected} FROM ostiary.address_mark k WHERE k.tenant_id = $1 AND k.value = ANY ($2::text[]) AND ${counts}`,
};

/** $1 tenant, $2 address, $3 now, $4 whether a complaint stays, $5 events. */
const clearStatement: Statement = {
  text: `WITH changed AS (
    UPDATE ostiary.address_mark k SET updated_at = $3, bounced_at = NULL, bounce_reason = NULL, open_at = NULL,
      complained_at = CASE WHEN $4 THEN complained_at END
    WHERE k.tenant_id = $1 AND k.value = $2 AND (k.bounced_at IS NOT NULL OR (k.complained_at IS NOT NULL AND NOT $4))
    RETURNING k.value
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$5", from: "changed" })}
  )
  SELECT value FROM changed`,
};

/** $1 tenant, $2 the address that the page before ended at or null, $3 how many. */
const listStatement: Statement = {
  text: `SELECT ${addressMarkRow.selected} FROM ostiary.address_mark k
    WHERE k.tenant_id = $1 AND ($2::text IS NULL OR k.value > $2) AND ${counts} ORDER BY k.value LIMIT $3`,
};

/** What is known of addresses, on PostgreSQL. */
export function createMarkStore(database: Database): MarkStore {
  return {
    async record(scope, { messageId, arrival, recipient, reason }, { at, event }) {
      const events = eventsParameter(event === undefined ? [] : [event]);
      const values = [scope.tenantId, messageId, arrival, at, reason, recipient, events];
      const [row] = await database.query<{ readonly is_marked: boolean }>(scope, recordStatement, values);
      return row && { isMarked: row.is_marked };
    },

    async find(scope, values) {
      const rows = await database.query<AddressMarkRow>(scope, findStatement, [scope.tenantId, values]);
      return rows.map(readAddressMark);
    },

    async clear(scope, value, { at, bounceOnly, event }) {
      const events = eventsParameter(event === undefined ? [] : [event]);
      const values = [scope.tenantId, value, at, bounceOnly, events];
      return (await database.query(scope, clearStatement, values)).length > 0;
    },

    async list(scope, page) {
      const [after] = page.after ?? [];
      if (page.after !== undefined && after === undefined) throw domainError("PAGE_TOKEN_INVALID", {});
      const values = [scope.tenantId, after, page.size + 1];
      const rows = await database.query<AddressMarkRow>(scope, listStatement, values);
      const items = rows.slice(0, page.size).map(readAddressMark);
      const positionOf = ({ value }: AddressMark) => [value];
      const last = items.at(-1);
      const next = rows.length > page.size && last !== undefined ? positionOf(last) : undefined;
      return { items, next, positionOf };
    },
  };
}
