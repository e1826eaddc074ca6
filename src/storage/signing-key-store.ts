import type { SigningKeyStore } from "../domain/signed-token/store.ts";
import type { Database, Statement } from "./database.ts";
import { readSigningKey, type SigningKeyRow, signingKeyRow, writeSigningKey } from "./rows.generated.ts";

/** $1 tenant. */
const listStatement: Statement = {
  name: "list_signing_keys",
  text: `SELECT ${signingKeyRow.selected} FROM ostiary.signing_key k WHERE k.tenant_id = $1 ORDER BY k.ordinal DESC`,
};

/**
 * $1 tenant, $2 key, $3 its ordinal, $4 the latest end of the former keys. Of several processes that add a key at the same moment the
 * ordinal lets one; only that one moves the ends of the others.
 */
const addStatement: Statement = {
  text: `WITH added AS (
    INSERT INTO ostiary.signing_key (tenant_id, ${signingKeyRow.names})
    SELECT $1, ${signingKeyRow.given} FROM jsonb_to_record($2::jsonb) ${signingKeyRow.record}
    ON CONFLICT (tenant_id, ordinal) DO NOTHING
    RETURNING ordinal
  ), former AS (
    UPDATE ostiary.signing_key SET ends_at = $4
    WHERE tenant_id = $1 AND ordinal < $3 AND (ends_at IS NULL OR ends_at > $4) AND EXISTS (SELECT FROM added)
    RETURNING ordinal
  )
  SELECT ordinal FROM added`,
};

/** The keys that sign tokens, on PostgreSQL. */
export function createSigningKeyStore(database: Database): SigningKeyStore {
  return {
    async list(scope) {
      const rows = await database.query<SigningKeyRow>(scope, listStatement, [scope.tenantId]);
      return rows.map(readSigningKey);
    },

    async add(scope, key, formerEndsAt) {
      const values = [scope.tenantId, JSON.stringify(writeSigningKey(key)), key.ordinal, formerEndsAt];
      return (await database.query(scope, addStatement, values)).length > 0;
    },
  };
}
