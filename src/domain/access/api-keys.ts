import { domainError } from "../errors.ts";
import { type CallOrigin, newEvent, serverOrigin } from "../event/event.ts";
import { type Expiration, endOfExpiration } from "../expiration.ts";
import { type ApiKeyId, newId } from "../ids.ts";
import { hasPassed, type Instant, type Never, never } from "../instant.ts";
import type { LastUseRecorder } from "../last-use-recorder.ts";
import { type PageAnswer, type PageAsk, type PageTokens, readPage } from "../paging/page-tokens.ts";
import type { Clock, TenantScope, Tokens, Transactions } from "../ports.ts";
import type { Secret } from "../secret.ts";
import type { Tenant, Tenants } from "../tenant/tenant.ts";
import type { ApiKey, ApiKeyMaker, NewApiKey } from "./api-key.ts";
import { scopesExceeding } from "./scopes.ts";
import type { ApiKeyStore } from "./store.ts";

/** Maker of keys, with the rights that it may hand on: an API key, or the holder of a client certificate. */
export interface KeyMaker {
  readonly maker: ApiKeyMaker;
  readonly scopes: readonly string[];
  readonly expiresAt: Instant | Never;
}

/** A key just made, with its secret, which is nowhere else. */
export interface CreatedApiKey {
  readonly apiKey: ApiKey;
  readonly secret: Secret;
}

interface Deps {
  readonly store: ApiKeyStore;
  readonly transactions: Transactions;
  readonly tokens: Tokens;
  readonly tenants: Tenants;
  readonly pageTokens: PageTokens;
  readonly uses: LastUseRecorder<ApiKeyId>;
  readonly clock: Clock;
}

/** A Timestamp ends here: a later time could be stored, and no list that holds it could be shown as JSON. */
const expirationLimits = {
  latest: new Date("9999-12-31T23:59:59.999Z"),
  description: "must lie in the future, before the year 10000",
};

/** The rules of API keys. */
export class ApiKeys {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** The active key of a secret, and its tenant. Throws an API_KEY_ reason otherwise. One round trip. */
  async authenticate(text: string): Promise<{ readonly tenant: Tenant; readonly apiKey: ApiKey }> {
    const parsed = this.#deps.tokens.parse("api_key", text);
    if (parsed.kind === "other_kind") {
      throw domainError("API_KEY_KIND_MISMATCH", { expected: "api_key", actual: parsed.actual });
    }
    if (parsed.kind === "malformed") throw domainError("API_KEY_MALFORMED", {});
    const tenant = this.#deps.tenants.byName(parsed.tenantName);
    if (tenant === undefined) throw domainError("API_KEY_UNKNOWN", {});
    const apiKey = await this.#deps.store.findByTokenDigest(tenant, parsed.digest);
    if (apiKey === undefined) throw domainError("API_KEY_UNKNOWN", {});
    if (apiKey.revokedAt !== never) throw domainError("API_KEY_REVOKED", {});
    if (hasPassed(apiKey.expiresAt, this.#deps.clock.now())) throw domainError("API_KEY_EXPIRED", {});
    this.#deps.uses.note(tenant.tenantId, apiKey.id, apiKey.lastUsedAt);
    return { tenant, apiKey };
  }

  /**
   * Makes a key. It gets no scope that its maker lacks and no life beyond its maker's (API_KEY_SCOPE_EXCEEDED,
   * API_KEY_EXPIRY_EXCEEDED), so that a stolen narrow key cannot be widened or kept alive.
   */
  async create(
    tenant: Tenant,
    scope: TenantScope,
    origin: CallOrigin,
    maker: KeyMaker,
    wanted: {
      readonly name: string;
      readonly scopes: readonly string[];
      /** Undefined: the key ends with its maker. */
      readonly expiration: Expiration | undefined;
    },
  ): Promise<CreatedApiKey> {
    const exceeding = scopesExceeding(maker.scopes, wanted.scopes);
    if (exceeding !== undefined) throw domainError("API_KEY_SCOPE_EXCEEDED", { scope: exceeding });
    const expiresAt =
      wanted.expiration === undefined
        ? maker.expiresAt
        : endOfExpiration(wanted.expiration, this.#deps.clock.now(), expirationLimits);
    if (maker.expiresAt !== never && expiresAt !== never && expiresAt > maker.expiresAt) {
      throw domainError("API_KEY_EXPIRY_EXCEEDED", { expireTime: maker.expiresAt.toISOString() });
    }
    const { key, secret } = this.#newKey(tenant, {
      name: wanted.name,
      scopes: wanted.scopes,
      expiresAt,
      bootstrap: false,
      maker: maker.maker,
    });
    // Security rule (SR-ACCESS-3): a key that is revoked at this moment makes none that its revocation would have to end with it.
    if (!(await this.#deps.store.create(scope, key, this.#createdEvent(key, origin)))) {
      throw domainError("API_KEY_REVOKED", {});
    }
    return { apiKey: key, secret };
  }

  /**
   * Makes the first key of the server, with all scopes; undefined if one was ever made. `keep` gets the secret
   * before the key counts: if the process ends in between, the next start makes another one, and none is lost.
   */
  async createBootstrap(
    tenant: Tenant,
    keep: (secret: Secret) => Promise<void> = async () => {},
  ): Promise<CreatedApiKey | undefined> {
    if (await this.#deps.store.bootstrapped(tenant)) return undefined;
    const wanted = { name: "bootstrap", scopes: ["*"], expiresAt: never, bootstrap: true, maker: undefined };
    const { key, secret } = this.#newKey(tenant, wanted);
    await keep(secret);
    const created = await this.#deps.store.createBootstrap(
      tenant,
      key,
      this.#createdEvent(key, serverOrigin),
    );
    return created ? { apiKey: key, secret } : undefined;
  }

  /** The key with this id, ended or not. Throws API_KEY_NOT_FOUND. */
  async get(tenant: Tenant, id: ApiKeyId): Promise<ApiKey> {
    const apiKey = await this.#deps.store.find(tenant, id);
    if (apiKey === undefined) throw domainError("API_KEY_NOT_FOUND", {});
    return apiKey;
  }

  /** Keys, newest first. */
  list(tenant: Tenant, includeEnded: boolean, page: PageAsk): Promise<PageAnswer<ApiKey>> {
    const filter = { includeEnded, now: this.#deps.clock.now() };
    const list = { tenantId: tenant.tenantId, name: "api_keys", filters: { includeEnded } };
    return readPage(this.#deps.pageTokens, list, page, 500, (request) =>
      this.#deps.store.list(tenant, filter, request),
    );
  }

  /**
   * Ends a key at once, and its descendants if they are asked for. Throws API_KEY_NOT_FOUND.
   *
   * Security rule (SR-ACCESS-3): a key ends no key that may do more than itself (API_KEY_SCOPE_EXCEEDED), so that a stolen narrow one cannot
   * shut operators out. Descendants have no more scopes than the key that they come from.
   */
  async revoke(
    tenant: Tenant,
    origin: CallOrigin,
    revoker: Pick<KeyMaker, "scopes">,
    { id, includeDescendants }: { readonly id: ApiKeyId; readonly includeDescendants: boolean },
  ): Promise<{ readonly apiKey: ApiKey; readonly descendants: readonly ApiKey[] }> {
    const found = await this.get(tenant, id);
    const exceeding = scopesExceeding(revoker.scopes, found.scopes);
    if (exceeding !== undefined) throw domainError("API_KEY_SCOPE_EXCEEDED", { scope: exceeding });
    const at = this.#deps.clock.now();
    return this.#deps.transactions.transaction(tenant, async (tx) => {
      const apiKey = (await this.#end(tx, origin, id, at)) ?? found;
      const descendants = includeDescendants ? await this.#endDescendants(tx, origin, id, at) : [];
      return { apiKey, descendants };
    });
  }

  /**
   * The parents end first: making a key holds the one that it is made with, so after that no child can come that a look
   * at the children would miss.
   */
  async #endDescendants(tx: TenantScope, origin: CallOrigin, id: ApiKeyId, at: Date): Promise<ApiKey[]> {
    const ended: ApiKey[] = [];
    for (const child of await this.#deps.store.listMadeWith(tx, id)) {
      const revoked = child.revokedAt === never ? await this.#end(tx, origin, child.id, at) : undefined;
      if (revoked !== undefined) ended.push(revoked);
      ended.push(...(await this.#endDescendants(tx, origin, child.id, at)));
    }
    return ended;
  }

  async #end(scope: TenantScope, origin: CallOrigin, id: ApiKeyId, at: Date): Promise<ApiKey | undefined> {
    const event = newEvent("api_key.revoked", at, origin, { data: { apiKeyId: id } });
    return this.#deps.store.revoke(scope, id, at, event);
  }

  #newKey(
    tenant: Tenant,
    wanted: Pick<ApiKey, "name" | "scopes" | "expiresAt" | "bootstrap" | "maker">,
  ): { readonly key: NewApiKey; readonly secret: Secret } {
    const now = this.#deps.clock.now();
    const issued = this.#deps.tokens.issue("api_key", tenant.name);
    const key: NewApiKey = {
      ...wanted,
      id: newId<ApiKeyId>(now),
      createdAt: now,
      updatedAt: now,
      lastUsedAt: undefined,
      revokedAt: never,
      tokenDigest: issued.digest,
    };
    return { key, secret: issued.token };
  }

  #createdEvent(key: NewApiKey, origin: CallOrigin) {
    return newEvent("api_key.created", key.createdAt, origin, {
      data: { apiKeyId: key.id, scopes: [...key.scopes] },
    });
  }
}
