import { hexOf } from "../domain/bytes.ts";
import type { FlowRecord } from "../domain/flow/shared/flow.ts";
import type { Challenge } from "../domain/method/method.ts";
import { type FlowRow, readFlow, writeFlow } from "./rows.generated.ts";

/** The columns of a challenge. */
export type ChallengeRow = Pick<
  FlowRow,
  "f_challenge_kind" | "f_challenge_digest" | "f_challenge_expires_at" | "f_challenge_attempts"
>;

/** The flow in a row. */
export function flowFromRow(row: FlowRow): FlowRecord {
  return { ...readFlow(row), challenge: challengeFromRow(row) };
}

/** The challenge in a row; undefined if there is none. */
export function challengeFromRow(row: ChallengeRow): Challenge | undefined {
  const { f_challenge_kind: kind, f_challenge_digest: digest, f_challenge_expires_at: expiresAt } = row;
  if (kind === null || digest === null || expiresAt === null) return undefined;
  return { kind, digest, expiresAt, attempts: row.f_challenge_attempts };
}

/** A new flow as one JSON parameter. */
export function flowParameter(flow: FlowRecord): string {
  const { challenge } = flow;
  return JSON.stringify({
    ...writeFlow({ ...flow, kept: undefined, answer: undefined }),
    challenge_kind: challenge?.kind,
    challenge_digest: challenge && hexOf(challenge.digest),
    challenge_expires_at: challenge?.expiresAt,
  });
}
