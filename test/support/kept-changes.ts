import type { EventType } from "../../src/domain/event/event.ts";
import type { IdentityId, SessionId } from "../../src/domain/ids.ts";
import { outdatedBy, sessionChangeOf } from "../../src/domain/session/session-change.ts";
import { administer } from "./postgres.ts";

const tables = [
  "session",
  "identity",
  "identity_identifier",
  "identity_verifiable_address",
  "identity_recovery_address",
] as const;

/**
 * Has a database note each change of what is kept of sessions in memory: of a session but its last use, of an identity but its number of
 * logins, and of its identifiers and addresses.
 */
export async function noteKeptChanges(databaseUrl: string): Promise<void> {
  await administer(databaseUrl, async (query) => {
    await query(
      "CREATE TABLE public.kept_change (transaction_id xid8, kind text, operation text, row jsonb)",
    );
    await query(`CREATE FUNCTION public.note_kept_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF TG_OP = 'UPDATE' AND to_jsonb(OLD) - '{last_used_at,login_sequence}'::text[]
          = to_jsonb(NEW) - '{last_used_at,login_sequence}'::text[] THEN RETURN NULL; END IF;
        INSERT INTO public.kept_change VALUES (pg_current_xact_id(), TG_TABLE_NAME, TG_OP,
          CASE TG_OP WHEN 'INSERT' THEN to_jsonb(NEW) ELSE to_jsonb(OLD) END);
        RETURN NULL;
      END $$`);
    for (const table of tables) {
      await query(`CREATE TRIGGER note_kept_change AFTER INSERT OR UPDATE OR DELETE ON ostiary.${table}
        FOR EACH ROW EXECUTE FUNCTION public.note_kept_change()`);
    }
  });
}

interface Written {
  readonly kind: (typeof tables)[number];
  readonly operation: "INSERT" | "UPDATE" | "DELETE";
  readonly identityId: string;
  readonly sessionId: string | null;
  /** The events of the same transaction. */
  readonly events: readonly {
    readonly type: EventType;
    readonly identityId: IdentityId | null;
    readonly sessionId: SessionId | null;
  }[];
}

/**
 * How many changes were noted, which came without an event that drops what is kept of them, and which changes of sessions without an event
 * of which watchers are told.
 */
export async function keptChanges(databaseUrl: string): Promise<{
  readonly count: number;
  readonly unnoticed: readonly string[];
  readonly untold: readonly string[];
}> {
  const changes = await administer(databaseUrl, (query) =>
    query<Written>(`SELECT c.kind, c.operation,
        coalesce(c.row ->> 'identity_id', c.row ->> 'id') AS "identityId",
        CASE c.kind WHEN 'session' THEN c.row ->> 'id' END AS "sessionId",
        coalesce((SELECT json_agg(json_build_object('type', e.type, 'identityId', e.identity_id, 'sessionId', e.session_id))
          FROM ostiary.event e WHERE e.transaction_id = c.transaction_id), '[]') AS events
      FROM public.kept_change c
      -- Nothing is known yet of what begins in the same transaction.
      WHERE NOT EXISTS (SELECT FROM public.kept_change made WHERE made.transaction_id = c.transaction_id
        AND made.operation = 'INSERT' AND made.kind IN ('session', 'identity')
        AND made.row ->> 'id' IN (c.row ->> 'id', c.row ->> 'identity_id'))`),
  );
  const without = (isThere: (change: Written) => boolean) =>
    changes.filter((change) => !isThere(change)).map((change) => JSON.stringify(change));
  return {
    count: changes.length,
    unnoticed: without(isNoticed),
    untold: without((change) => change.kind !== "session" || isTold(change)),
  };
}

function isNoticed({ identityId, sessionId, events }: Written): boolean {
  return events.some((event) => {
    const outdated = outdatedBy(event.type);
    if (outdated === "nothing") return false;
    const isOfSession = outdated === "session" && event.sessionId !== null;
    return isOfSession ? event.sessionId === sessionId : event.identityId === identityId;
  });
}

function isTold({ identityId, sessionId, events }: Written): boolean {
  return events.some(({ type, ...about }) => {
    const ids = { identityId: about.identityId ?? undefined, sessionId: about.sessionId ?? undefined };
    const change = sessionChangeOf({ type, ...ids, sequence: 0n });
    if (change?.sessionId !== undefined) return change.sessionId === sessionId;
    return change?.identityId === identityId;
  });
}
