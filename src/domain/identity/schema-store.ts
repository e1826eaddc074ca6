import type { JsonObject } from "../json.ts";
import type { Page, PageRequest, TenantScope } from "../ports.ts";
import type { StoredSchema } from "./schema.ts";

/** Versions of identity schemas. Implemented in src/storage/schema-store.ts. */
export interface SchemaStore {
  /**
   * Makes `document` the current version of the schema: the newest version if it is the same document (compared
   * as canonical JSON), else a new one. Safe when several servers start at once.
   */
  save(scope: TenantScope, id: string, document: JsonObject, at: Date): Promise<StoredSchema>;
  /** One version; undefined if there is none. */
  find(scope: TenantScope, id: string, version: number): Promise<StoredSchema | undefined>;
  /** All versions, by id, newest version first. */
  list(scope: TenantScope, page: PageRequest): Promise<Page<StoredSchema>>;
}
