import { randomBytes } from "node:crypto";
import { type Ask, inTransaction } from "./ask.ts";
import { sqlStateOf } from "./database-errors.ts";

/** Transaction ids below this one are reserved by PostgreSQL: no running transaction ever has one. */
const beforeAllTransactions = "2";

interface Place {
  /** The cluster that the database is in, and its number there. */
  readonly database_identity: string;
  /** Which history of the cluster this is: a standby that takes over begins another one, as does a restore to a point in time. */
  readonly timeline: string;
}

/**
 * Begins a new epoch of the event log if this is not the database, or not the history of it, that the last one began in: a dump was
 * restored, the database was copied, or the cluster was set back or taken over by a standby, which may lack the last transactions.
 * Positions of the former epoch are worth nothing here. Safe when several servers do it at once.
 */
export async function ensureEpoch(ask: Ask): Promise<void> {
  const here = await placeOf(ask);
  const [before] = await ask<Place>("SELECT database_identity, timeline FROM ostiary.event_epoch");
  if (before?.database_identity === here.database_identity && before.timeline === here.timeline) return;
  await inTransaction(ask, async () => {
    await ask("SET LOCAL statement_timeout = 0");
    const changed = await ask(
      `INSERT INTO ostiary.event_epoch AS p ("only", epoch, database_identity, timeline, created_at, removed_through)
        VALUES (1, $1, $2, $3, $4, '0')
        ON CONFLICT ("only") DO UPDATE SET epoch = excluded.epoch, database_identity = excluded.database_identity,
          timeline = excluded.timeline, created_at = excluded.created_at,
          removed_through = CASE WHEN p.database_identity = excluded.database_identity THEN p.removed_through ELSE '0' END
          WHERE p.database_identity <> excluded.database_identity OR p.timeline <> excluded.timeline
        RETURNING epoch`,
      [newEpoch(), here.database_identity, here.timeline, new Date()],
    );
    const isOfAnother = before !== undefined && before.database_identity !== here.database_identity;
    if (isOfAnother && changed.length > 0) await makeOldEventsReadable(ask);
  });
}

/** 62 random bits: a number that is positive in every language. */
function newEpoch(): string {
  return (randomBytes(8).readBigUInt64BE() >> 2n).toString();
}

/**
 * The restored events carry transaction ids of the other cluster, which may lie ahead of this one's: they would
 * stay invisible until it gets there, and stand among its own. So they are put before everything of this one.
 */
async function makeOldEventsReadable(ask: Ask): Promise<void> {
  await ask("UPDATE ostiary.event SET transaction_id = $1::xid8", [beforeAllTransactions]);
}

async function placeOf(ask: Ask): Promise<Place> {
  const [row] = await ask<Pick<Place, "database_identity">>(
    `SELECT (SELECT system_identifier::text FROM pg_control_system()) || '/' || d.oid::text AS database_identity
      FROM pg_database d WHERE d.datname = current_database()`,
  );
  return { database_identity: row?.database_identity ?? "", timeline: await timelineOf(ask) };
}

async function timelineOf(ask: Ask): Promise<string> {
  try {
    const [row] = await ask<Pick<Place, "timeline">>(
      "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8) AS timeline",
    );
    return row?.timeline ?? "";
  } catch (error) {
    // The privilege was taken away, or it is a service that has no such log; then a takeover is noticed by the numbers alone.
    const state = sqlStateOf(error);
    if (state === "42501" || state === "0A000") return "";
    throw error;
  }
}
