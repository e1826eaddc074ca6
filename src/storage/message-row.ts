import type { MessageChannel, MessageTemplate } from "../domain/courier/message.ts";
import type { ClaimedMessage, KeptMessage, MessageRecord, MessageState } from "../domain/courier/store.ts";
import type { IdentityId, MessageId, TenantId } from "../domain/ids.ts";
import { endOf } from "./ends.ts";

/** The columns of a message `m` that are shown. */
export const messageColumns = `m.id, m.created_at, m.updated_at, m.state, m.channel, m.template, m.recipient,
  m.language, m.identity_id, m.attempts, m.next_attempt_at, m.expires_at, m.ended_at, m.last_error`;

/** The row of `messageColumns`. */
export interface MessageRow {
  readonly id: MessageId;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly state: MessageState;
  readonly channel: MessageChannel;
  readonly template: MessageTemplate;
  readonly recipient: string;
  readonly language: string;
  readonly identity_id: IdentityId | null;
  readonly attempts: number;
  readonly next_attempt_at: Date | null;
  readonly expires_at: Date | null;
  readonly ended_at: Date | null;
  readonly last_error: string | null;
}

/** The columns of a message `m` that a worker needs. */
export const claimedColumns = `m.tenant_id, m.id, m.created_at, m.channel, m.template, m.recipient, m.language,
  m.identity_id, m.expires_at, m.attempts, m.lease_token, m.sealed_data`;

/** The row of `claimedColumns`. */
export interface ClaimedRow
  extends Pick<
    MessageRow,
    | "id"
    | "created_at"
    | "channel"
    | "template"
    | "recipient"
    | "language"
    | "identity_id"
    | "expires_at"
    | "attempts"
  > {
  readonly tenant_id: TenantId;
  readonly lease_token: string;
  readonly sealed_data: string | null;
}

export function messageFromRow(row: MessageRow): MessageRecord {
  return {
    id: row.id,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    state: row.state,
    channel: row.channel,
    template: row.template,
    recipient: row.recipient,
    language: row.language,
    identityId: row.identity_id ?? undefined,
    attempts: row.attempts,
    nextAttemptAt: row.next_attempt_at ?? undefined,
    expiresAt: endOf(row.expires_at),
    endedAt: row.ended_at ?? undefined,
    lastError: row.last_error ?? undefined,
  };
}

export function keptFromRow(row: MessageRow & { readonly sealed_data: string | null }): KeptMessage {
  return { ...messageFromRow(row), sealedData: row.sealed_data ?? undefined };
}

export function claimedFromRow(row: ClaimedRow): ClaimedMessage {
  return {
    tenantId: row.tenant_id,
    id: row.id,
    createdAt: row.created_at,
    channel: row.channel,
    template: row.template,
    recipient: row.recipient,
    language: row.language,
    identityId: row.identity_id ?? undefined,
    suppressed: false,
    expiresAt: endOf(row.expires_at),
    attempts: row.attempts,
    leaseToken: row.lease_token,
    sealedData: row.sealed_data ?? "",
  };
}
