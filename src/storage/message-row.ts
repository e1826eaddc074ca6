import type { ClaimedMessage, KeptMessage } from "../domain/courier/store.ts";
import type { TenantId } from "../domain/ids.ts";
import { type MessageRow, messageRow, readMessage } from "./rows.generated.ts";

/** The columns of a message `m` with what it says, sealed. */
export const keptColumns = `${messageRow.selected}, m.sealed_data`;

/** The row of `keptColumns`. */
export interface KeptRow extends MessageRow {
  readonly sealed_data: string | null;
}

/** The columns of a message `m` that a worker needs. */
export const claimedColumns = `${keptColumns}, m.tenant_id, m.lease_token`;

/** The row of `claimedColumns`. */
export interface ClaimedRow extends KeptRow {
  readonly tenant_id: TenantId;
  readonly lease_token: string;
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
  };
}
