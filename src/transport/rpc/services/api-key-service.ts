import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { ApiKeySchema } from "../../../../gen/ostiary/access/v1/api_key_pb.js";
import {
  type ApiKeyService as Contract,
  type CreateApiKeyRequest,
  CreateApiKeyResponseSchema,
  type GetApiKeyRequest,
  type ListApiKeysRequest,
  type RevokeApiKeyRequest,
} from "../../../../gen/ostiary/access/v1/api_key_service_pb.js";
import type { ApiKey } from "../../../domain/access/api-key.ts";
import type { ApiKeys, KeyMaker } from "../../../domain/access/api-keys.ts";
import type { IdempotencyRunner } from "../../../domain/idempotency/idempotency.ts";
import type { ApiKeyId } from "../../../domain/ids.ts";
import type { Caller } from "../access.ts";
import { callOf } from "../call.ts";
import { fromExpiration, refuseUnserved, toTimestamp } from "../convert/common.ts";
import { runOnce } from "./idempotent.ts";

interface Deps {
  readonly apiKeys: ApiKeys;
  readonly idempotency: IdempotencyRunner;
}

/** ostiary.access.v1.ApiKeyService. */
export class ApiKeyService implements ServiceImpl<typeof Contract> {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  createApiKey(request: CreateApiKeyRequest, context: HandlerContext) {
    const call = callOf(context);
    const once = {
      method: "CreateApiKey",
      request,
      response: CreateApiKeyResponseSchema,
    };
    return runOnce(this.#deps.idempotency, call, once, async (scope) => {
      const { apiKey, secret } = await this.#deps.apiKeys.create(
        call.tenant,
        scope,
        call.origin,
        keyMakerOf(call.caller),
        { name: request.name, scopes: request.scopes, expiration: fromExpiration(request.expiration) },
      );
      return { apiKey: toApiKey(apiKey), secret: secret.reveal() };
    });
  }

  async getApiKey(request: GetApiKeyRequest, context: HandlerContext) {
    const { tenant } = callOf(context);
    refuseUnserved(request, "atLeast");
    return { apiKey: toApiKey(await this.#deps.apiKeys.get(tenant, request.apiKeyId as ApiKeyId)) };
  }

  async listApiKeys(request: ListApiKeysRequest, context: HandlerContext) {
    const { tenant } = callOf(context);
    refuseUnserved(request, "atLeast");
    const page = { size: request.pageSize, token: request.pageToken };
    const { items, nextToken } = await this.#deps.apiKeys.list(tenant, request.includeEnded, page);
    return { apiKeys: items.map(toApiKey), nextPageToken: nextToken };
  }

  async revokeApiKey(request: RevokeApiKeyRequest, context: HandlerContext) {
    const { tenant, origin, caller } = callOf(context);
    const wanted = {
      id: request.apiKeyId as ApiKeyId,
      includeDescendants: request.includeDescendants,
    };
    const { apiKey, descendants } = await this.#deps.apiKeys.revoke(
      tenant,
      origin,
      keyMakerOf(caller),
      wanted,
    );
    return { apiKey: toApiKey(apiKey), revokedDescendants: descendants.map(toApiKey) };
  }
}

function keyMakerOf(caller: Caller): KeyMaker {
  if (caller.kind === "api_key") {
    const { id, scopes, expiresAt } = caller.apiKey;
    return { maker: { kind: "api_key", apiKeyId: id }, scopes, expiresAt };
  }
  if (caller.kind === "certificate") {
    const { name, scopes, expiresAt } = caller;
    return { maker: { kind: "certificate", name }, scopes, expiresAt };
  }
  throw new Error("the access option lets only API keys and certificates through");
}

function toApiKey(key: ApiKey): MessageInitShape<typeof ApiKeySchema> {
  return {
    id: key.id,
    createTime: toTimestamp(key.createdAt),
    updateTime: toTimestamp(key.updatedAt),
    name: key.name,
    scopes: [...key.scopes],
    expireTime: toTimestamp(key.expiresAt),
    lastUseTime: toTimestamp(key.lastUsedAt),
    revokeTime: toTimestamp(key.revokedAt),
    bootstrap: key.bootstrap,
    maker: toMaker(key),
  };
}

function toMaker({ maker }: ApiKey): MessageInitShape<typeof ApiKeySchema>["maker"] {
  if (maker === undefined) return undefined;
  return maker.kind === "api_key"
    ? { case: "makerApiKeyId", value: maker.apiKeyId }
    : { case: "makerCertificate", value: maker.name };
}
