import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { IdentitySchemaVersionSchema } from "../../../../gen/ostiary/identity/v1/identity_schema_pb.js";
import type {
  IdentitySchemaService as Contract,
  GetIdentitySchemaVersionRequest,
  ListIdentitySchemaVersionsRequest,
} from "../../../../gen/ostiary/identity/v1/identity_schema_service_pb.js";
import type { IdentitySchemas, SchemaVersion } from "../../../domain/identity/schemas.ts";
import { callOf } from "../call.ts";
import { toTimestamp } from "../convert/common.ts";

interface Deps {
  readonly schemas: IdentitySchemas;
}

/** ostiary.identity.v1.IdentitySchemaService. */
export class IdentitySchemaService implements ServiceImpl<typeof Contract> {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  async listIdentitySchemaVersions(request: ListIdentitySchemaVersionsRequest, context: HandlerContext) {
    const page = { size: request.pageSize, token: request.pageToken };
    const { items, nextToken } = await this.#deps.schemas.list(callOf(context).scope, page);
    return { versions: items.map(toSchemaVersion), nextPageToken: nextToken };
  }

  async getIdentitySchemaVersion(request: GetIdentitySchemaVersionRequest, context: HandlerContext) {
    const { scope } = callOf(context);
    return {
      version: toSchemaVersion(await this.#deps.schemas.get(scope, request.schemaId, request.version)),
    };
  }
}

function toSchemaVersion({
  schema,
  current,
}: SchemaVersion): MessageInitShape<typeof IdentitySchemaVersionSchema> {
  return {
    schemaId: schema.id,
    version: schema.version,
    createTime: toTimestamp(schema.createdAt),
    document: schema.document,
    current,
  };
}
