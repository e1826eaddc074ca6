import type { FlowData, FlowRecord, FlowState } from "../domain/flow/shared/flow.ts";
import type { IdentityId } from "../domain/ids.ts";
import type { FlowClient, FlowKind } from "../domain/kinds.ts";
import type { Challenge } from "../domain/method/method.ts";

/** The columns of a challenge, as `flowColumns` names them. */
export interface ChallengeRow {
  readonly f_challenge_kind: Challenge["kind"] | null;
  readonly f_challenge_digest: Uint8Array | null;
  readonly f_challenge_expires_at: Date | null;
  readonly f_challenge_attempts: number;
}

/** A row of `flowColumns`. */
export interface FlowRow extends ChallengeRow {
  readonly f_digest: Uint8Array;
  readonly f_kind: FlowKind;
  readonly f_client: FlowClient;
  readonly f_state: FlowState;
  readonly f_created_at: Date;
  readonly f_expires_at: Date;
  readonly f_return_to: string | null;
  readonly f_browser_digest: Uint8Array | null;
  readonly f_identity_id: IdentityId | null;
  readonly f_revision: number;
  readonly f_data: FlowData;
  readonly f_kept: string | null;
  readonly f_answer: string | null;
}

/** The flow in a row. */
export function flowFromRow(row: FlowRow): FlowRecord {
  return {
    digest: row.f_digest,
    kind: row.f_kind,
    client: row.f_client,
    state: row.f_state,
    createdAt: row.f_created_at,
    expiresAt: row.f_expires_at,
    returnTo: row.f_return_to ?? undefined,
    browserDigest: row.f_browser_digest ?? undefined,
    identityId: row.f_identity_id ?? undefined,
    revision: row.f_revision,
    challenge: challengeFromRow(row),
    data: row.f_data,
    kept: row.f_kept ?? undefined,
    answer: row.f_answer ?? undefined,
  };
}

/** The challenge in a row; undefined if there is none. */
export function challengeFromRow(row: ChallengeRow): Challenge | undefined {
  const { f_challenge_kind: kind, f_challenge_digest: digest, f_challenge_expires_at: expiresAt } = row;
  if (kind === null || digest === null || expiresAt === null) return undefined;
  return { kind, digest, expiresAt, attempts: row.f_challenge_attempts };
}

/** A new flow as one JSON parameter; digests are hexadecimal. */
export function flowParameter(flow: FlowRecord): string {
  const { challenge } = flow;
  return JSON.stringify({
    digest: hex(flow.digest),
    kind: flow.kind,
    client: flow.client,
    state: flow.state,
    created_at: flow.createdAt,
    expires_at: flow.expiresAt,
    return_to: flow.returnTo,
    browser_digest: flow.browserDigest && hex(flow.browserDigest),
    identity_id: flow.identityId,
    challenge_kind: challenge?.kind,
    challenge_digest: challenge && hex(challenge.digest),
    challenge_expires_at: challenge?.expiresAt,
    data: flow.data,
  });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
