import type { Completion } from "../domain/flow/shared/store.ts";
import type { TenantScope } from "../domain/ports.ts";
import type { Database, Statement } from "./database.ts";
import { endFlows } from "./end-flows.ts";
import { lockFlows } from "./flow-statements.ts";

// Of n logins and changes at the same moment one is through in each round.
const mostRounds = 64;

/*
 * What statements share that change what an account signs in with, and then end its sessions and what is on its way for it.
 * In all of them $1 is the tenant, $2 the flows with $3 their revisions, and $4 the identity.
 */

/**
 * Locks the identity, then the flows: `all_open` has a row if all of them were still as they were read. Two of these statements
 * that only locked their flows would each wait for the other's, which it is to close, until PostgreSQL finds the deadlock a
 * second later.
 */
export const ownFlowParts = `owner AS MATERIALIZED (
    SELECT FROM ostiary.identity WHERE tenant_id = $1 AND id = $4 FOR NO KEY UPDATE
  ), ${lockFlows("AND EXISTS (SELECT FROM owner)")}`;

/**
 * Reads the identity, $4, as the statement's snapshot has it, if the flow is open and `condition` holds; `isSeen` is then
 * the condition of the part that changes it.
 *
 * The parts of one statement see the same snapshot, and a session that a login writes at the same moment is not in it. But
 * every login, and every change of what can sign in, raises `login_sequence`, and every other change raises `revision`. So
 * where the row that is locked for the change is still the one that was seen, the snapshot includes every earlier login,
 * and the part that ends sessions finds all of them. Where it is not, nothing is changed, and the statement is sent again.
 */
export function seenPart(condition: string): string {
  return `seen AS MATERIALIZED (
    SELECT i.login_sequence, i.revision FROM ostiary.identity i
    WHERE i.tenant_id = $1 AND i.id = $4 AND i.state = 'active' AND ${condition} AND EXISTS (SELECT FROM all_open)
  )`;
}

/**
 * A condition of `seenPart`: whether the identity still has the revision that was read, a parameter that may be null.
 *
 * Security rule (SR-ACTION-1): where a session is written, what comes before it was looked for in that revision.
 */
export function isOfRevision(revision: string): string {
  return `(${revision}::int IS NULL OR i.revision = ${revision})`;
}

/** The condition of the part that changes the identity, whose row is `i`. */
export const isSeen = `i.tenant_id = $1 AND i.id = $4 AND i.state = 'active' AND i.login_sequence = seen.login_sequence
      AND i.revision = seen.revision`;

/** What a change, the part `changed`, says of itself. `current`: only another change at the same moment was in its way. */
export const changeResult = `SELECT EXISTS (SELECT FROM all_open) AS flow_open, EXISTS (SELECT FROM seen) AS current,
    EXISTS (SELECT FROM changed) AS completed`;

/** Ends whatever else is on its way for an identity. */
export const endOtherFlows = endFlows(
  "tenant_id = $1 AND identity_id = $4 AND digest <> ALL ($2::bytea[]) AND EXISTS (SELECT FROM changed)",
);

/** What a changing statement says of itself. */
interface ResultRow {
  readonly flow_open: boolean;
  readonly current: boolean;
  readonly completed: boolean;
  /** Of statements that refuse: whether this one did. */
  readonly refused?: boolean;
}

/** Sends a changing statement until no login or other change of the account comes in between. */
export async function changeAccount(
  database: Database,
  scope: TenantScope,
  statement: Statement,
  values: readonly unknown[],
): Promise<Completion | "identity_changed"> {
  const result = await tryChangeAccount(database, scope, statement, values);
  return result === "refused" ? "identity_changed" : result;
}

/** As `changeAccount`, of a statement that may refuse. */
export async function tryChangeAccount(
  database: Database,
  scope: TenantScope,
  statement: Statement,
  values: readonly unknown[],
): Promise<Completion | "identity_changed" | "refused"> {
  for (let round = 0; round < mostRounds; round++) {
    const [row] = await database.query<ResultRow>(scope, statement, values);
    if (row?.completed) return "completed";
    if (!row?.flow_open) return "flow_taken";
    if (!row.current) return "identity_changed";
    if (row.refused) return "refused";
  }
  return "identity_changed";
}
