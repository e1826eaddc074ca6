import type { Event } from "../domain/event/event.ts";
import { classOf } from "../domain/event/event-class.ts";
import { Announced } from "./database.ts";
import { eventRow, writeEvent } from "./rows.generated.ts";

/** The column that says how long an event is kept: part of the row alone. */
const written = eventRow.with({ retention_class: "text" });

/** How the events of one statement are written. Each value is a piece of SQL that holds no input. */
interface EventInsertion {
  /** The parameter with the tenant: `$1`. */
  readonly tenant: string;
  /** The parameter made by `eventsParameter`: `$7`. */
  readonly events: string;
  /** Further sources: one row for each time that the events are to be written; none if not at all. */
  readonly from: string;
  /** Stand in for what the event does not say. */
  readonly identityId?: string;
  readonly sessionId?: string;
  /** Replaces the event's id where it is written more than once. */
  readonly id?: string;
}

/** The INSERT that writes events in the statement that makes them happen. */
export function insertEvents({ tenant, events, from, identityId, sessionId, id }: EventInsertion): string {
  const plain = written.without("id", "identity_id", "session_id");
  return `INSERT INTO ostiary.event (tenant_id, transaction_id, id, identity_id, session_id, ${plain.names})
    SELECT ${tenant}, pg_current_xact_id(), ${id ?? "given.id"},
      ${identityId ? `coalesce(given.identity_id, ${identityId})` : "given.identity_id"},
      ${sessionId ?? "given.session_id"}, ${plain.given}
    FROM ${from}, jsonb_to_recordset(${events}::jsonb) ${written.record}`;
}

/**
 * A UUIDv7 made by the database for rows whose number is known there only: the time of the given event's id, and
 * random bits. Not a function in an UPDATE: events are only ever inserted.
 */
export const derivedEventId =
  "overlay(gen_random_uuid()::text placing left(given.id::text, 15) from 1 for 15)::uuid";

/**
 * Events as one parameter. Followers are told of them once they are committed; `messages`: the statement writes or hastens messages as
 * well.
 */
export function eventsParameter(events: readonly Event[], { messages = false } = {}): Announced {
  const text = JSON.stringify(
    events.map((event) => ({
      ...writeEvent({ ...event, identityId: event.identityId, sessionId: event.sessionId }),
      retention_class: classOf(event),
    })),
  );
  return new Announced(text, { events, messages });
}
