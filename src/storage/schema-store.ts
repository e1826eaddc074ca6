import { createHash } from "node:crypto";
import { isSameBytes } from "../domain/bytes.ts";
import { domainError } from "../domain/errors.ts";
import type { StoredSchema } from "../domain/identity/schema.ts";
import type { SchemaStore } from "../domain/identity/schema-store.ts";
import { canonicalJson } from "../domain/json.ts";
import type { TenantScope } from "../domain/ports.ts";
import type { Database } from "./database.ts";
import { bytesOf, type FittingRow, rowsThatFit, toPage } from "./keyset.ts";
import { type IdentitySchemaRow, identitySchemaRow, readIdentitySchema } from "./rows.generated.ts";

/** How often a version number is tried that another server takes first. */
const maxAttempts = 20;

/** The table with its alias. */
const from = "ostiary.identity_schema d";
const columns = identitySchemaRow.selected;

/** Versions of identity schemas on PostgreSQL. */
export function createSchemaStore(database: Database): SchemaStore {
  return {
    async save(scope, id, document, at) {
      const digest = createHash("sha256").update(canonicalJson(document)).digest();
      for (let attempt = 0; attempt < maxAttempts; attempt++) {
        const newest = await findNewest(database, scope, id);
        if (newest && isSameBytes(newest.document_digest, digest)) return readIdentitySchema(newest);
        const [written] = await database.query<IdentitySchemaRow>(
          scope,
          {
            text: `INSERT INTO ostiary.identity_schema AS d (tenant_id, ${identitySchemaRow.names}, document_digest)
              VALUES ($1, $2, $3, $4, $5, $6)
              ON CONFLICT (tenant_id, id, version) DO NOTHING
              RETURNING ${columns}`,
          },
          [scope.tenantId, id, (newest?.d_version ?? 0) + 1, at, JSON.stringify(document), digest],
        );
        if (written) return readIdentitySchema(written);
        // Another server took the number: perhaps for the same document, so look again.
      }
      throw new Error(`the identity schema ${id} is being changed by several servers at once`);
    },

    async find(scope, id, version) {
      const [row] = await database.query<IdentitySchemaRow>(
        scope,
        { text: `SELECT ${columns} FROM ${from} WHERE tenant_id = $1 AND id = $2 AND version = $3` },
        [scope.tenantId, id, version],
      );
      return row && readIdentitySchema(row);
    },

    async list(scope, page) {
      const [id, version] = page.after ?? [];
      const number = version === undefined ? undefined : Number(version);
      if (page.after !== undefined && (id === undefined || !Number.isSafeInteger(number))) {
        throw domainError("PAGE_TOKEN_INVALID", {});
      }
      const rows = await database.query<IdentitySchemaRow & FittingRow>(
        scope,
        {
          text: rowsThatFit(
            `SELECT ${columns}, ${bytesOf("document")} FROM ${from}
            WHERE tenant_id = $1 AND ($2::text IS NULL OR id > $2 OR (id = $2 AND version < $3::int))
            ORDER BY id, version DESC LIMIT $4`,
            "d_id, d_version DESC",
          ),
        },
        [scope.tenantId, id, number, page.size + 1],
      );
      const positionOf = (schema: StoredSchema) => [schema.id, String(schema.version)];
      return toPage(rows.map(readIdentitySchema), page.size, positionOf, rows[0]?.is_cut);
    },
  };
}

async function findNewest(database: Database, scope: TenantScope, id: string) {
  const [row] = await database.query<IdentitySchemaRow & { readonly document_digest: Uint8Array }>(
    scope,
    {
      text: `SELECT ${columns}, d.document_digest FROM ${from} WHERE tenant_id = $1 AND id = $2
        ORDER BY version DESC LIMIT 1`,
    },
    [scope.tenantId, id],
  );
  return row;
}
