import type { IdempotencyStore } from "../domain/idempotency/store.ts";
import type { Database, Statement } from "./database.ts";

/** How often a record is looked for that is removed at the same moment. */
const maxAttempts = 5;

/**
 * Takes the key unless a record that still counts has it; waits for a transaction that is taking it. $1 tenant,
 * $2 to $4 key, $5 now, $6 end.
 */
const claimStatement: Statement = {
  text: `INSERT INTO ostiary.idempotency_record AS r
      (tenant_id, caller, method, request_id, outcome, created_at, expires_at)
    VALUES ($1, $2, $3, $4, NULL, $5, $6)
    ON CONFLICT (tenant_id, caller, method, request_id) DO UPDATE
      SET outcome = NULL, created_at = excluded.created_at, expires_at = excluded.expires_at
      WHERE r.expires_at <= excluded.created_at OR r.outcome IS NULL
    RETURNING request_id`,
};

const whereKey = "tenant_id = $1 AND caller = $2 AND method = $3 AND request_id = $4";

/** Request ids on PostgreSQL. */
export function createIdempotencyStore(database: Database): IdempotencyStore {
  return {
    async claim(scope, key, at, expiresAt) {
      if (!database.isTransaction(scope)) {
        throw new Error("a request id is claimed within the transaction that does what it stands for");
      }
      const keyValues = [scope.tenantId, key.caller, key.method, key.requestId];
      for (let attempt = 0; attempt < maxAttempts; attempt++) {
        const claimed = await database.query(scope, claimStatement, [...keyValues, at, expiresAt]);
        if (claimed.length > 0) return undefined;
        const [row] = await database.query<{ readonly outcome: string }>(
          scope,
          { text: `SELECT outcome FROM ostiary.idempotency_record WHERE ${whereKey}` },
          keyValues,
        );
        if (row) return row.outcome;
      }
      throw new Error("a request id kept vanishing while it was being claimed");
    },

    async complete(scope, key, outcome) {
      await database.query(
        scope,
        { text: `UPDATE ostiary.idempotency_record SET outcome = $5 WHERE ${whereKey}` },
        [scope.tenantId, key.caller, key.method, key.requestId, outcome],
      );
    },
  };
}
