import { domainError } from "../errors.ts";
import type { TenantId } from "../ids.ts";
import type { JsonObject } from "../json.ts";
import { type PageAnswer, type PageAsk, type PageTokens, readPage } from "../paging/page-tokens.ts";
import type { Clock, TenantScope } from "../ports.ts";
import { isStorableText } from "../storable-text.ts";
import { assertSchemaDocument, type CompiledSchema, compileSchema } from "./compiled-schema.ts";
import { defaultSchemaDocument } from "./default-schema.ts";
import type { Identity } from "./identity.ts";
import { withoutWriteOnly } from "./own-traits.ts";
import type { StoredSchema } from "./schema.ts";
import { SchemaDocumentError } from "./schema-document-error.ts";
import type { SchemaStore } from "./schema-store.ts";
import type { SchemaText } from "./schema-texts.ts";

/** A schema that the configuration names. */
export interface ConfiguredSchema {
  readonly id: string;
  readonly document: JsonObject;
}

/** A version of a schema, as the admin API shows it. */
export interface SchemaVersion {
  readonly schema: StoredSchema;
  /** Whether new identities are validated with it. */
  readonly current: boolean;
}

interface Deps {
  readonly store: SchemaStore;
  readonly pageTokens: PageTokens;
  readonly clock: Clock;
}

/**
 * The identity schemas of each tenant. The current versions are those of the configuration and are kept compiled;
 * other versions are compiled on first use, and the last 64 are kept.
 */
export class IdentitySchemas {
  readonly #deps: Deps;
  readonly #current = new Map<TenantId, ReadonlyMap<string, CurrentSchema>>();
  readonly #others = new Map<string, Promise<CompiledSchema>>();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /**
   * Makes the configured schemas the current ones; a document that changed becomes a new version. Throws
   * SchemaDocumentError, and then nothing is stored and what was current stays so. Safe when several servers start at
   * once.
   */
  async load(scope: TenantScope, configured: readonly ConfiguredSchema[]): Promise<void> {
    // Before anything is stored, so that a broken document never becomes a version.
    const compiled = configured.map(compileConfiguredSchema);
    const current = new Map<string, CurrentSchema>();
    for (const schema of compiled) {
      const stored = await this.#deps.store.save(scope, schema.id, schema.document, this.#deps.clock.now());
      current.set(schema.id, { stored, compiled: { ...schema, version: stored.version } });
    }
    this.#current.set(scope.tenantId, current);
  }

  /** The version that new traits are validated with. Throws SCHEMA_NOT_FOUND. */
  current(scope: TenantScope, id: string): CompiledSchema {
    const schema = this.#current.get(scope.tenantId)?.get(id);
    if (schema === undefined) throw notFound(id);
    return schema.compiled;
  }

  /** The titles of the traits that people sign in with, in all current schemas, each title once. */
  identifierTitles({ tenantId }: TenantScope): readonly SchemaText[] {
    const titles = new Map<string, SchemaText>();
    for (const { compiled } of this.#current.get(tenantId)?.values() ?? []) {
      for (const { title } of compiled.identifiers)
        if (!titles.has(title.text)) titles.set(title.text, title);
    }
    return [...titles.values()];
  }

  /** Any version, compiled. Throws SCHEMA_NOT_FOUND. */
  async version(scope: TenantScope, id: string, version: number): Promise<CompiledSchema> {
    const current = this.#current.get(scope.tenantId)?.get(id);
    if (current?.compiled.version === version) return current.compiled;
    const key = JSON.stringify([scope.tenantId, id, version]);
    // Taken out and put back, so that the first entry is the one not used for longest.
    const kept = this.#others.get(key) ?? this.#compileStored(scope, id, version);
    this.#others.delete(key);
    this.#others.set(key, kept);
    kept.catch(() => this.#others.delete(key));
    const [oldest] = this.#others.keys();
    if (this.#others.size > maxKept && oldest !== undefined) this.#others.delete(oldest);
    return kept;
  }

  /**
   * Traits as their owner sees them. Security rule (SR-TRAIT-2): what the version that they follow calls write-only is hidden, and what the
   * current one does.
   */
  async traitsForOwner(
    scope: TenantScope,
    { schemaId, schemaVersion, traits }: Pick<Identity, "schemaId" | "schemaVersion" | "traits">,
  ): Promise<JsonObject> {
    const own = await this.version(scope, schemaId, schemaVersion);
    const current = this.#current.get(scope.tenantId)?.get(schemaId)?.compiled ?? own;
    const shown = withoutWriteOnly(own, traits);
    return current === own ? shown : withoutWriteOnly(current, shown);
  }

  /** Any version, as it is stored; version 0 is the current one. Throws SCHEMA_NOT_FOUND. */
  async get(scope: TenantScope, id: string, version: number): Promise<SchemaVersion> {
    const current = this.#current.get(scope.tenantId)?.get(id)?.stored;
    if (version === 0 || version === current?.version) {
      if (current === undefined) throw notFound(id);
      return { schema: current, current: true };
    }
    return { schema: await this.#find(scope, id, version), current: false };
  }

  /** All versions of all schemas, by id, newest version first. */
  async list(scope: TenantScope, page: PageAsk): Promise<PageAnswer<SchemaVersion>> {
    const list = { tenantId: scope.tenantId, name: "identity_schemas", filters: {} };
    const { items, nextToken } = await readPage(this.#deps.pageTokens, list, page, 500, (request) =>
      this.#deps.store.list(scope, request),
    );
    const current = this.#current.get(scope.tenantId);
    const versions = items.map((schema) => ({
      schema,
      current: current?.get(schema.id)?.stored.version === schema.version,
    }));
    return { items: versions, nextToken };
  }

  async #compileStored(scope: TenantScope, id: string, version: number): Promise<CompiledSchema> {
    return compileSchema(await this.#find(scope, id, version));
  }

  async #find(scope: TenantScope, id: string, version: number): Promise<StoredSchema> {
    const stored = isStorableText(id) ? await this.#deps.store.find(scope, id, version) : undefined;
    if (stored === undefined) throw notFound(id);
    return stored;
  }
}

interface CurrentSchema {
  readonly stored: StoredSchema;
  readonly compiled: CompiledSchema;
}

const maxKept = 64;

/** Compiles a schema of the configuration. Throws SchemaDocumentError. The configuration is checked by it as well. */
export function compileConfiguredSchema({ id, document }: ConfiguredSchema): CompiledSchema {
  try {
    // The built-in document is right, and the check would cost every start some 50 ms.
    if (document !== defaultSchemaDocument) assertSchemaDocument(document);
    return compileSchema({ id, version: 0, createdAt: new Date(0), document });
  } catch (error) {
    if (!(error instanceof SchemaDocumentError)) throw error;
    throw new SchemaDocumentError(`identity schema ${JSON.stringify(id)}: ${error.message}`, {
      cause: error,
    });
  }
}

function notFound(id: string) {
  return domainError("SCHEMA_NOT_FOUND", { schemaId: id });
}
