import { createHash } from "node:crypto";
import { domainError } from "../domain/errors.ts";
import type { StoredSchema } from "../domain/identity/schema.ts";
import type { SchemaStore } from "../domain/identity/schema-store.ts";
import { canonicalJson, type JsonObject } from "../domain/json.ts";
import type { Page, PageRequest, Scope } from "../domain/ports.ts";
import type { Database } from "./database.ts";
import { bytesOf, type FittingRow, rowsThatFit, toPage } from "./keyset.ts";

/** How often a version number is tried that another server takes first. */
const maxAttempts = 20;

interface SchemaRow {
  readonly id: string;
  readonly version: number;
  readonly created_at: Date;
  readonly document: JsonObject;
  readonly document_digest: Uint8Array;
}

const columns = "id, version, created_at, document, document_digest";

/** Versions of identity schemas on PostgreSQL. */
export class PostgresSchemaStore implements SchemaStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async save(scope: Scope, id: string, document: JsonObject, at: Date): Promise<StoredSchema> {
    const digest = createHash("sha256").update(canonicalJson(document)).digest();
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const newest = await this.#findNewest(scope, id);
      if (newest && Buffer.compare(newest.document_digest, digest) === 0) return schemaFromRow(newest);
      const [written] = await this.#database.query<SchemaRow>(
        scope,
        {
          text: `INSERT INTO ostiary.identity_schema (tenant_id, ${columns}) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (tenant_id, id, version) DO NOTHING
            RETURNING ${columns}`,
        },
        [scope.tenantId, id, (newest?.version ?? 0) + 1, at, JSON.stringify(document), digest],
      );
      if (written) return schemaFromRow(written);
      // Another server took the number: perhaps for the same document, so look again.
    }
    throw new Error(`the identity schema ${id} is being changed by several servers at once`);
  }

  async find(scope: Scope, id: string, version: number): Promise<StoredSchema | undefined> {
    const [row] = await this.#database.query<SchemaRow>(
      scope,
      {
        text: `SELECT ${columns} FROM ostiary.identity_schema WHERE tenant_id = $1 AND id = $2 AND version = $3`,
      },
      [scope.tenantId, id, version],
    );
    return row && schemaFromRow(row);
  }

  async list(scope: Scope, page: PageRequest): Promise<Page<StoredSchema>> {
    const [id, version] = page.after ?? [];
    const number = version === undefined ? undefined : Number(version);
    if (page.after !== undefined && (id === undefined || !Number.isSafeInteger(number))) {
      throw domainError("PAGE_TOKEN_INVALID", {});
    }
    const rows = await this.#database.query<SchemaRow & FittingRow>(
      scope,
      {
        text: rowsThatFit(
          `SELECT ${columns}, ${bytesOf("document")} FROM ostiary.identity_schema
          WHERE tenant_id = $1 AND ($2::text IS NULL OR id > $2 OR (id = $2 AND version < $3::int))
          ORDER BY id, version DESC LIMIT $4`,
          "id, version DESC",
        ),
      },
      [scope.tenantId, id, number, page.size + 1],
    );
    const positionOf = (schema: StoredSchema) => [schema.id, String(schema.version)];
    return toPage(rows.map(schemaFromRow), page.size, positionOf, rows[0]?.is_cut);
  }

  async #findNewest(scope: Scope, id: string): Promise<SchemaRow | undefined> {
    const [row] = await this.#database.query<SchemaRow>(
      scope,
      {
        text: `SELECT ${columns} FROM ostiary.identity_schema WHERE tenant_id = $1 AND id = $2
          ORDER BY version DESC LIMIT 1`,
      },
      [scope.tenantId, id],
    );
    return row;
  }
}

function schemaFromRow(row: SchemaRow): StoredSchema {
  return { id: row.id, version: row.version, createdAt: row.created_at, document: row.document };
}
