import type { ApiKey, ApiKeyMaker, NewApiKey } from "../domain/access/api-key.ts";
import type { ApiKeyStore } from "../domain/access/store.ts";
import type { Event } from "../domain/event/event.ts";
import type { Scope } from "../domain/ports.ts";
import type { Database, Statement } from "./database.ts";
import { eventsParameter, insertEvents } from "./event-sql.ts";
import { afterPosition, byCreation, positionOf, toPage } from "./keyset.ts";
import { type ApiKeyRow, apiKeyRow, readApiKey, writeApiKey } from "./rows.generated.ts";
import { latestUses, recordUseStatement } from "./use.ts";

/** The table with its alias. */
const from = "ostiary.api_key k";
const columns = apiKeyRow.selected;
const maker = "($3::jsonb ->> 'maker_api_key_id')::uuid";

/** $1 tenant, $2 digest of the token, $3 key, $4 event. `when` decides whether it is written. */
function insertApiKey(when: string): string {
  return `written AS (
    INSERT INTO ostiary.api_key (tenant_id, token_digest, ${apiKeyRow.names})
    SELECT $1, $2::bytea, ${apiKeyRow.given} FROM ${when}, jsonb_to_record($3::jsonb) ${apiKeyRow.record}
    RETURNING id
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$4", from: "written" })}
  )
  SELECT id FROM written`;
}

/** The key that it is made with is held until the end: its revocation waits, or was first and lets nothing be made. */
const createStatement: Statement = {
  text: `WITH maker AS MATERIALIZED (
    SELECT id FROM ostiary.api_key WHERE tenant_id = $1 AND id = ${maker} AND revoked_at IS NULL FOR SHARE
  ), allowed AS (
    SELECT WHERE ${maker} IS NULL OR EXISTS (SELECT FROM maker)
  ), ${insertApiKey("allowed")}`,
};

const createBootstrapStatement: Statement = {
  text: `WITH marker AS (
    INSERT INTO ostiary.api_key_bootstrap (tenant_id, api_key_id, created_at)
    SELECT $1, given.id, given.created_at FROM jsonb_to_record($3::jsonb) ${apiKeyRow.record}
    ON CONFLICT (tenant_id) DO NOTHING
    RETURNING api_key_id
  ), ${insertApiKey("marker")}`,
};

/** $1 tenant, $2 key, $3 now, $4 event. `s` is the key as it is afterwards. */
const revokeStatement: Statement = {
  text: `WITH ended AS (
    UPDATE ${from} SET revoked_at = $3, updated_at = $3
    WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL
    RETURNING ${columns}
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$4", from: "ended" })}
  )
  SELECT * FROM ended
  UNION ALL
  SELECT ${columns} FROM ${from}
  WHERE tenant_id = $1 AND id = $2 AND NOT EXISTS (SELECT FROM ended)`,
};

const findByTokenDigestStatement: Statement = {
  name: "find_api_key_by_token_digest",
  text: `SELECT ${columns} FROM ${from} WHERE tenant_id = $1 AND token_digest = $2`,
};

/** API keys on PostgreSQL. */
export function createApiKeyStore(database: Database): ApiKeyStore {
  return {
    async create(scope, key, event) {
      return (await database.query(scope, createStatement, values(scope, key, event))).length > 0;
    },

    async createBootstrap(scope, key, event) {
      return (await database.query(scope, createBootstrapStatement, values(scope, key, event))).length > 0;
    },

    async bootstrapped(scope) {
      const statement = { text: "SELECT api_key_id FROM ostiary.api_key_bootstrap WHERE tenant_id = $1" };
      return (await database.query(scope, statement, [scope.tenantId])).length > 0;
    },

    async find(scope, id) {
      const statement = { text: `SELECT ${columns} FROM ${from} WHERE tenant_id = $1 AND id = $2` };
      const [row] = await database.query<ApiKeyRow>(scope, statement, [scope.tenantId, id]);
      return row && apiKeyFromRow(row);
    },

    async listMadeWith(scope, id) {
      const statement = {
        text: `SELECT ${columns} FROM ${from} WHERE tenant_id = $1 AND maker_api_key_id = $2 ORDER BY id`,
      };
      const rows = await database.query<ApiKeyRow>(scope, statement, [scope.tenantId, id]);
      return rows.map(apiKeyFromRow);
    },

    async findByTokenDigest(scope, digest) {
      const statementValues = [scope.tenantId, digest];
      const [row] = await database.query<ApiKeyRow>(scope, findByTokenDigestStatement, statementValues);
      return row && apiKeyFromRow(row);
    },

    async list(scope, filter, page) {
      const { createdAt, id } = positionOf(page);
      const rows = await database.query<ApiKeyRow>(
        scope,
        {
          text: `SELECT ${columns} FROM ${from}
            WHERE tenant_id = $1 AND ${afterPosition("k", "$2", "$3")}
              AND ($5 OR (revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $6)))
            ORDER BY created_at DESC, id DESC LIMIT $4`,
        },
        [scope.tenantId, createdAt, id, page.size + 1, filter.includeEnded, filter.now],
      );
      return toPage(rows.map(apiKeyFromRow), page.size, byCreation);
    },

    async revoke(scope, id, at, event) {
      const statementValues = [scope.tenantId, id, at, eventsParameter([event])];
      const [row] = await database.query<ApiKeyRow>(scope, revokeStatement, statementValues);
      return row && apiKeyFromRow(row);
    },

    async recordUse(uses) {
      if (uses.length === 0) return;
      await database.query(undefined, recordUseStatement("api_key"), latestUses(uses));
    },
  };
}

function values(scope: Scope, key: NewApiKey, event: Event): readonly unknown[] {
  const { maker } = key;
  const parameter = JSON.stringify({
    ...writeApiKey(key),
    maker_api_key_id: maker?.kind === "api_key" ? maker.apiKeyId : undefined,
    maker_certificate: maker?.kind === "certificate" ? maker.name : undefined,
  });
  return [scope.tenantId, key.tokenDigest, parameter, eventsParameter([event])];
}

function apiKeyFromRow(row: ApiKeyRow): ApiKey {
  return { ...readApiKey(row), maker: makerFromRow(row) };
}

function makerFromRow(row: ApiKeyRow): ApiKeyMaker | undefined {
  if (row.k_maker_api_key_id !== null) return { kind: "api_key", apiKeyId: row.k_maker_api_key_id };
  return row.k_maker_certificate === null
    ? undefined
    : { kind: "certificate", name: row.k_maker_certificate };
}
