import type { SealedMessage } from "../domain/courier/outbox.ts";
import { endColumn } from "./column-values.ts";
import { Announced } from "./database.ts";
import { messageRow } from "./rows.generated.ts";

/** What a message brings along; the other columns follow from it. */
const brought = messageRow
  .without("updated_at", "attempts", "state", "next_attempt_at", "ended_at", "last_error")
  .without("arrival", "arrival_at", "arrival_reason")
  .with({ sealed_data: "text" });

/** How the messages of one statement are written. Each value is a piece of SQL that holds no input. */
interface MessageInsertion {
  /** The parameter with the tenant: `$1`. */
  readonly tenant: string;
  /** The parameter made by `messagesParameter`: `$7`. */
  readonly messages: string;
  /** Further sources: one row for the messages to be written; none if they are not. */
  readonly from: string;
}

/**
 * The INSERT that writes messages in the statement that makes them necessary.
 *
 * Security rule (SR-ENUM-4): a suppressed message is written, and announced after the commit, like any other; only its state differs. So a
 * statement does the same work for an address that somebody has and for one that nobody has.
 *
 * A message whose id is there already was written before: a notice that is sent once a day.
 */
export function insertMessages({ tenant, messages, from }: MessageInsertion): string {
  return `INSERT INTO ostiary.message (tenant_id, ${brought.names}, updated_at, attempts, state, next_attempt_at, ended_at)
    SELECT ${tenant}, ${brought.given}, given.created_at, 0,
      CASE WHEN given.suppressed THEN 'suppressed' ELSE 'queued' END,
      CASE WHEN given.suppressed THEN NULL ELSE given.created_at END,
      CASE WHEN given.suppressed THEN given.created_at END
    FROM ${from}, jsonb_to_recordset(${messages}::jsonb) ${brought.with({ suppressed: "boolean" }).record}
    ON CONFLICT (tenant_id, id) DO NOTHING`;
}

/** Messages as one parameter. Workers are told of them once they are committed. */
export function messagesParameter(messages: readonly SealedMessage[]): string | Announced {
  if (messages.length === 0) return "[]";
  const parameter = JSON.stringify(
    messages.map((message) => ({
      id: message.id,
      created_at: message.createdAt,
      channel: message.channel,
      template: message.template,
      recipient: message.recipient,
      language: message.language,
      identity_id: message.identityId,
      suppressed: message.suppressed,
      expires_at: endColumn(message.expiresAt),
      sealed_data: message.sealedData,
    })),
  );
  return new Announced(parameter, { messages: true });
}
