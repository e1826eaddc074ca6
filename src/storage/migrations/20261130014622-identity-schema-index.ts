import { ConcurrentIndex } from "./concurrent-index.ts";

/** Lists the identities of one schema without reading those of the others. */
export class IdentitySchemaIndex extends ConcurrentIndex {
  protected override readonly index = [
    "identity_list_by_schema",
    "ostiary.identity (tenant_id, schema_id, created_at DESC, id DESC)",
  ] as const;
}
