import { type EventClass, eventClasses } from "../domain/event/event-class.ts";
import { type Ask, inTransaction } from "./ask.ts";
import type { Database } from "./database.ts";
import { sqlStateOf } from "./database-errors.ts";

/**
 * The partitions of the event log: `ostiary.event_<class>_<year>_<month>`, and for each class `ostiary.event_<class>_default` for months
 * that nobody has made one for. Months are those of UTC.
 */

/** How many months there are ahead of this one: a server may be away for as long. */
const monthsAhead = 2;

/**
 * Longest wait for a lock. The log's readers and writers wait behind it, so it is short; what is not done now is done at the next
 * time. A dump of the database holds such locks for as long as it takes.
 */
const lockTimeout = "100ms";

/** Only one server at a time does it. */
const lockKey = 0x6f737470;

interface Month {
  readonly year: number;
  /** From 0, and beyond 11 of a later year. */
  readonly month: number;
}

/** Makes the partitions of this month and of those to come, where they are missing. Returns how many it made. */
export async function makeMonths(database: Database, now: Date): Promise<number> {
  const months = Array.from({ length: monthsAhead + 1 }, (_, ahead) => ({
    year: now.getUTCFullYear(),
    month: now.getUTCMonth() + ahead,
  }));
  const present = new Set((await listMonths(database)).map(({ name }) => name));
  let made = 0;
  for (const eventClass of eventClasses) {
    for (const month of months) {
      if (present.has(nameOf(eventClass, month))) continue;
      if (await unlessBusy(database, (ask) => makeMonth(ask, eventClass, month))) made++;
    }
  }
  return made;
}

/** Drops the months that have ended before their class is kept from. Returns how many months there were. */
export async function dropMonths(
  database: Database,
  keptFrom: (eventClass: EventClass) => Date,
): Promise<number> {
  let dropped = 0;
  for (const { name, eventClass, end } of await listMonths(database)) {
    if (end.getTime() > keptFrom(eventClass).getTime()) continue;
    if (await unlessBusy(database, (ask) => dropMonth(ask, name))) dropped++;
  }
  return dropped;
}

/** The table of a class for months that nobody has made a partition for. */
export function defaultPartition(eventClass: EventClass): string {
  return `ostiary.event_${eventClass}_default`;
}

interface ListedMonth {
  readonly name: string;
  readonly eventClass: EventClass;
  readonly end: Date;
}

async function listMonths(database: Database): Promise<readonly ListedMonth[]> {
  const rows = await database.query<{ readonly name: string }>(
    undefined,
    {
      text: `SELECT c.relname AS name FROM pg_class c
        WHERE c.relnamespace = 'ostiary'::regnamespace AND c.relispartition AND c.relkind = 'r' ORDER BY c.relname`,
    },
    [],
  );
  return rows.flatMap(({ name }) => {
    const [, found, year, month] = /^event_([a-z_]+)_(\d{4})_(\d{2})$/.exec(name) ?? [];
    const eventClass = eventClasses.find((each) => each === found);
    if (eventClass === undefined) return [];
    return [{ name, eventClass, end: startOf({ year: Number(year), month: Number(month) }) }];
  });
}

/** Events of that month which came before it are moved out of the default partition. */
async function makeMonth(ask: Ask, eventClass: EventClass, month: Month): Promise<void> {
  const name = `ostiary.${nameOf(eventClass, month)}`;
  const others = defaultPartition(eventClass);
  const [from, to] = [startOf(month), startOf({ ...month, month: month.month + 1 })].map(
    (date) => `'${date.toISOString()}'`,
  );
  await ask(
    `CREATE TABLE ${name} (LIKE ostiary.event INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)`,
  );
  await ask(`LOCK TABLE ${others} IN SHARE ROW EXCLUSIVE MODE`);
  await ask(`WITH moved AS (
      DELETE FROM ${others} WHERE created_at >= ${from} AND created_at < ${to} RETURNING *
    )
    INSERT INTO ${name} SELECT * FROM moved`);
  await ask(
    `ALTER TABLE ostiary.event_${eventClass} ATTACH PARTITION ${name} FOR VALUES FROM (${from}) TO (${to})`,
  );
}

async function dropMonth(ask: Ask, name: string): Promise<void> {
  await ask(noteRemoved(`(SELECT max(transaction_id) FROM ostiary.${name})`));
  await ask(`DROP TABLE ostiary.${name}`);
}

/** The statement that notes up to which transaction events were removed, so that who reads from before it is told so. */
export function noteRemoved(transactionId: string): string {
  return `UPDATE ostiary.event_epoch SET removed_through = ${transactionId}
    WHERE "only" = 1 AND removed_through < ${transactionId}`;
}

/** Does something to the partitions in a transaction. Returns false where another server does, or somebody holds a lock. */
async function unlessBusy(database: Database, work: (ask: Ask) => Promise<void>): Promise<boolean> {
  try {
    return await database.withConnection((ask) =>
      inTransaction(ask, async () => {
        await ask(`SET LOCAL lock_timeout = '${lockTimeout}'`);
        const [row] = await ask<{ readonly taken: boolean }>(
          "SELECT pg_try_advisory_xact_lock($1) AS taken",
          [lockKey],
        );
        if (row?.taken !== true) return false;
        await work(ask);
        return true;
      }),
    );
  } catch (error) {
    // The error of a lock that was not to be had is that of a database which cannot be used.
    const state = sqlStateOf(error) ?? (error instanceof Error ? sqlStateOf(error.cause) : undefined);
    // Not in time, or another server was faster.
    if (state === "55P03" || state === "42P07" || state === "42P01") return false;
    throw error;
  }
}

function nameOf(eventClass: EventClass, month: Month): string {
  return `event_${eventClass}_${startOf(month).toISOString().slice(0, 7).replace("-", "_")}`;
}

function startOf({ year, month }: Month): Date {
  return new Date(Date.UTC(year, month));
}
