import type { ApiKey, ApiKeyMaker, NewApiKey } from "../domain/access/api-key.ts";
import type { ApiKeyStore } from "../domain/access/store.ts";
import type { Event } from "../domain/event/event.ts";
import type { ApiKeyId, TenantId } from "../domain/ids.ts";
import type { Page, PageRequest, Scope } from "../domain/ports.ts";
import type { Database, Statement } from "./database.ts";
import { endColumn, endOf } from "./ends.ts";
import { eventsParameter, insertEvents } from "./event-sql.ts";
import { afterPosition, byCreation, positionOf, toPage } from "./keyset.ts";
import { latestUses, recordUseStatement } from "./use.ts";

interface ApiKeyRow {
  readonly id: ApiKeyId;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly expires_at: Date | null;
  readonly last_used_at: Date | null;
  readonly revoked_at: Date | null;
  readonly bootstrap: boolean;
  readonly maker_api_key_id: ApiKeyId | null;
  readonly maker_certificate: string | null;
}

const columns = `id, created_at, updated_at, name, scopes, expires_at, last_used_at, revoked_at, bootstrap,
    maker_api_key_id, maker_certificate`;

/** $1 tenant, $2 to $13 the key, $14 event. `from` decides whether it is written. */
function insertApiKey(from: string): string {
  return `written AS (
    INSERT INTO ostiary.api_key (tenant_id, token_digest, ${columns})
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::uuid, $13 FROM ${from}
    RETURNING id
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$14", from: "written" })}
  )
  SELECT id FROM written`;
}

/** The key that it is made with is held until the end: its revocation waits, or was first and lets nothing be made. */
const createStatement: Statement = {
  text: `WITH maker AS MATERIALIZED (
    SELECT id FROM ostiary.api_key WHERE tenant_id = $1 AND id = $12::uuid AND revoked_at IS NULL FOR SHARE
  ), allowed AS (
    SELECT WHERE $12::uuid IS NULL OR EXISTS (SELECT FROM maker)
  ), ${insertApiKey("allowed")}`,
};

const createBootstrapStatement: Statement = {
  text: `WITH marker AS (
    INSERT INTO ostiary.api_key_bootstrap (tenant_id, api_key_id, created_at) VALUES ($1, $3, $4)
    ON CONFLICT (tenant_id) DO NOTHING
    RETURNING api_key_id
  ), ${insertApiKey("marker")}`,
};

/** $1 tenant, $2 key, $3 now, $4 event. `s` is the key as it is afterwards. */
const revokeStatement: Statement = {
  text: `WITH ended AS (
    UPDATE ostiary.api_key SET revoked_at = $3, updated_at = $3
    WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL
    RETURNING ${columns}
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$4", from: "ended" })}
  )
  SELECT ${columns} FROM ended
  UNION ALL
  SELECT ${columns} FROM ostiary.api_key
  WHERE tenant_id = $1 AND id = $2 AND NOT EXISTS (SELECT FROM ended)`,
};

const findByTokenDigestStatement: Statement = {
  name: "find_api_key_by_token_digest",
  text: `SELECT ${columns} FROM ostiary.api_key WHERE tenant_id = $1 AND token_digest = $2`,
};

/** API keys on PostgreSQL. */
export class PostgresApiKeyStore implements ApiKeyStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async create(scope: Scope, key: NewApiKey, event: Event): Promise<boolean> {
    return (await this.#database.query(scope, createStatement, values(scope, key, event))).length > 0;
  }

  async createBootstrap(scope: Scope, key: NewApiKey, event: Event): Promise<boolean> {
    return (
      (await this.#database.query(scope, createBootstrapStatement, values(scope, key, event))).length > 0
    );
  }

  async bootstrapped(scope: Scope): Promise<boolean> {
    const statement = { text: "SELECT api_key_id FROM ostiary.api_key_bootstrap WHERE tenant_id = $1" };
    return (await this.#database.query(scope, statement, [scope.tenantId])).length > 0;
  }

  async find(scope: Scope, id: ApiKeyId): Promise<ApiKey | undefined> {
    const statement = { text: `SELECT ${columns} FROM ostiary.api_key WHERE tenant_id = $1 AND id = $2` };
    const [row] = await this.#database.query<ApiKeyRow>(scope, statement, [scope.tenantId, id]);
    return row && apiKeyFromRow(row);
  }

  async listMadeWith(scope: Scope, id: ApiKeyId): Promise<readonly ApiKey[]> {
    const statement = {
      text: `SELECT ${columns} FROM ostiary.api_key WHERE tenant_id = $1 AND maker_api_key_id = $2 ORDER BY id`,
    };
    const rows = await this.#database.query<ApiKeyRow>(scope, statement, [scope.tenantId, id]);
    return rows.map(apiKeyFromRow);
  }

  async findByTokenDigest(scope: Scope, digest: Uint8Array): Promise<ApiKey | undefined> {
    const statementValues = [scope.tenantId, digest];
    const [row] = await this.#database.query<ApiKeyRow>(scope, findByTokenDigestStatement, statementValues);
    return row && apiKeyFromRow(row);
  }

  async list(
    scope: Scope,
    filter: { readonly includeEnded: boolean; readonly now: Date },
    page: PageRequest,
  ): Promise<Page<ApiKey>> {
    const { createdAt, id } = positionOf(page);
    const rows = await this.#database.query<ApiKeyRow>(
      scope,
      {
        text: `SELECT ${columns} FROM ostiary.api_key
          WHERE tenant_id = $1 AND ${afterPosition("api_key", "$2", "$3")}
            AND ($5 OR (revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $6)))
          ORDER BY created_at DESC, id DESC LIMIT $4`,
      },
      [scope.tenantId, createdAt, id, page.size + 1, filter.includeEnded, filter.now],
    );
    return toPage(rows.map(apiKeyFromRow), page.size, byCreation);
  }

  async revoke(scope: Scope, id: ApiKeyId, at: Date, event: Event): Promise<ApiKey | undefined> {
    const statementValues = [scope.tenantId, id, at, eventsParameter([event])];
    const [row] = await this.#database.query<ApiKeyRow>(scope, revokeStatement, statementValues);
    return row && apiKeyFromRow(row);
  }

  async recordUse(
    uses: readonly { readonly tenantId: TenantId; readonly id: ApiKeyId; readonly usedAt: Date }[],
  ): Promise<void> {
    if (uses.length === 0) return;
    await this.#database.query(undefined, recordUseStatement("api_key"), latestUses(uses));
  }
}

function values(scope: Scope, key: NewApiKey, event: Event): readonly unknown[] {
  const { maker } = key;
  return [
    ...[scope.tenantId, key.tokenDigest, key.id, key.createdAt, key.updatedAt, key.name, key.scopes],
    ...[endColumn(key.expiresAt), key.lastUsedAt, endColumn(key.revokedAt), key.bootstrap],
    ...[maker?.kind === "api_key" ? maker.apiKeyId : null, maker?.kind === "certificate" ? maker.name : null],
    eventsParameter([event]),
  ];
}

function makerFromRow(row: ApiKeyRow): ApiKeyMaker | undefined {
  if (row.maker_api_key_id !== null) return { kind: "api_key", apiKeyId: row.maker_api_key_id };
  return row.maker_certificate === null ? undefined : { kind: "certificate", name: row.maker_certificate };
}

function apiKeyFromRow(row: ApiKeyRow): ApiKey {
  return {
    id: row.id,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    name: row.name,
    scopes: row.scopes,
    expiresAt: endOf(row.expires_at),
    lastUsedAt: row.last_used_at ?? undefined,
    revokedAt: endOf(row.revoked_at),
    bootstrap: row.bootstrap,
    maker: makerFromRow(row),
  };
}
