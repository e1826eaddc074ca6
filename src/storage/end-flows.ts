/**
 * Whether a flow waits for a code or link that anybody may have asked for, by an address or name. Its holder has shown nothing
 * yet. Every other flow of an identity is its owner's, or of somebody who has shown something.
 */
const waits = `(kind IN ('login', 'recovery', 'verification') AND (challenge_digest IS NOT NULL OR data #>> '{state,at}' = 'choose_address')
    AND NOT data -> 'state' ?| '{firstFactor,proved}' AND NOT data -> 'purpose' ? 'operator'
    AND data #>> '{purpose,kind}' IS DISTINCT FROM 'refresh')`;

/** Whether a flow is the recovery of an account that waits (`flows.recovery.hold`): one that nobody is shown. */
export const isHeldRecovery =
  "kind = 'recovery' AND data #>> '{state,at}' = 'on_hold' AND data #> '{state,target}' IS NOT NULL";

/**
 * What a flow that waits becomes: one like those of an address that nobody has. Its code or link is dead twice over, by its
 * digest (which no code and no link has) and because it proves no address.
 */
const becomesNobodys = {
  identity_id: "NULL",
  challenge_digest: "sha256(challenge_digest)",
  data: "data #- '{state,target}'",
};

/**
 * Ends what is on its way for an identity: codes and links that were sent, changes that were begun. Nothing of it may outlive
 * a new secret or address. `condition`: which flows, as a part of a WHERE clause.
 *
 * Security rule (SR-ENUM-6): the flow of a stranger who has asked for a code goes on as if nothing had happened, and as it would for an
 * address that nobody has. If it ended, it would tell that the address has an account, and when its owner does something (ASVS V6.3.8).
 */
export function endFlows(condition: string): string {
  const columns = Object.entries(becomesNobodys).map(
    ([column, value]) => `${column} = CASE WHEN ${waits} THEN ${value} ELSE ${column} END`,
  );
  return `UPDATE ostiary.flow SET revision = revision + 1, kept = NULL,
      state = CASE WHEN ${waits} THEN state ELSE 'completed' END, ${columns.join(", ")}
    WHERE state = 'active' AND ${condition}`;
}

/**
 * The same for flows that wait, of an account that is deleted: the others go with it by their foreign keys.
 */
export function leaveWaitingFlows(condition: string): string {
  const columns = Object.entries(becomesNobodys).map(([column, value]) => `${column} = ${value}`);
  return `UPDATE ostiary.flow SET revision = revision + 1, kept = NULL, ${columns.join(", ")}
    WHERE ${waits} AND ${condition}`;
}
