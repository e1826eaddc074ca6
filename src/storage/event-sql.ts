import type { Event, EventActor } from "../domain/event/event.ts";
import type { JsonObject } from "../domain/json.ts";
import { unpaired } from "./json.ts";

/** The columns of an event that a writer fills in, in the order of `insertEvents`. */
const columns = `tenant_id, transaction_id, id, created_at, type, identity_id, session_id, actor, request_id,
    ip_address, user_agent, data`;

/** What `eventsParameter` unfolds to within a statement. */
const recordset = `AS given(id uuid, created_at timestamptz, type text, identity_id uuid, session_id uuid,
      actor jsonb, request_id text, ip_address text, user_agent text, data jsonb)`;

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
export function insertEvents(options: EventInsertion): string {
  const identityId = options.identityId
    ? `coalesce(given.identity_id, ${options.identityId})`
    : "given.identity_id";
  return `INSERT INTO ostiary.event (${columns})
    SELECT ${options.tenant}, pg_current_xact_id(), ${options.id ?? "given.id"}, given.created_at, given.type,
      ${identityId}, ${options.sessionId ?? "given.session_id"}, given.actor, given.request_id,
      given.ip_address, given.user_agent, given.data
    FROM ${options.from}, jsonb_to_recordset(${options.events}::jsonb) ${recordset}`;
}

/**
 * A UUIDv7 made by the database for rows whose number is known there only: the time of the given event's id, and
 * random bits. Not a function in an UPDATE: events are only ever inserted.
 */
export const derivedEventId =
  "overlay(gen_random_uuid()::text placing left(given.id::text, 15) from 1 for 15)::uuid";

/** Events as one parameter. */
export function eventsParameter(events: readonly Event[]): string {
  return JSON.stringify(
    events.map((event) => ({
      id: event.id,
      created_at: event.createdAt,
      type: event.type,
      identity_id: event.identityId,
      session_id: event.sessionId,
      actor: actorToJson(event.origin.actor),
      request_id: unpaired(event.origin.requestId),
      ip_address: event.origin.ipAddress,
      user_agent: event.origin.userAgent === undefined ? undefined : unpaired(event.origin.userAgent),
      data: event.data,
    })),
  );
}

function actorToJson(actor: EventActor): JsonObject {
  return actor.kind === "certificate" ? { ...actor, name: unpaired(actor.name) } : { ...actor };
}
