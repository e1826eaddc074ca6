import type { ClaimedMessage, KeptMessage } from "../domain/courier/store.ts";
import type { TenantId } from "../domain/ids.ts";
import { readTime } from "./column-types.ts";
import { type MessageRow, messageRow, readMessage } from "./rows.generated.ts";

/** The columns of a message `m` with what it says, sealed. */
export const keptColumns = `${messageRow.selected}, m.sealed_data`;

/** The row of `keptColumns`. */
export interface KeptRow extends MessageRow {
  readonly sealed_data: string | null;
}

/** The columns of a message `m` that a worker needs. */
export const claimedColumns = `${keptColumns}, m.tenant_id, m.lease_token`;

/** What is known of the recipient of a message `m`. */
export const markColumn = `(
  SELECT json_build_object('bouncedAt', k.bounced_at, 'openAt', k.open_at, 'complainedAt', k.complained_at)
  FROM ostiary.address_mark k
  WHERE k.tenant_id = m.tenant_id AND k.value = m.recipient AND m.channel = 'email'
) AS mark`;

/** The row of `claimedColumns` and `markColumn`. */
export interface ClaimedRow extends KeptRow {
  readonly tenant_id: TenantId;
  readonly lease_token: string;
  readonly mark: {
    readonly bouncedAt: string | null;
    readonly openAt: string | null;
    readonly complainedAt: string | null;
  } | null;
}

export function keptFromRow(row: KeptRow): KeptMessage {
  return { ...readMessage(row), sealedData: row.sealed_data ?? undefined };
}

export function claimedFromRow(row: ClaimedRow): ClaimedMessage {
  return {
    ...readMessage(row),
    tenantId: row.tenant_id,
    suppressed: false,
    leaseToken: row.lease_token,
    sealedData: row.sealed_data ?? "",
    mark: row.mark === null ? undefined : markFrom(row.mark),
  };
}

function markFrom({ bouncedAt, openAt, complainedAt }: NonNullable<ClaimedRow["mark"]>) {
  const timeOf = (text: string | null) => (text === null ? undefined : readTime(text));
  return { bouncedAt: timeOf(bouncedAt), openAt: timeOf(openAt), complainedAt: timeOf(complainedAt) };
}
