import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { IdentitySchemaVersionSchema } from "../../../gen/ostiary/identity/v1/identity_pb.js";
import type {
  IdentitySchemaService as Contract,
  GetIdentitySchemaRequest,
  ListIdentitySchemasRequest,
} from "../../../gen/ostiary/identity/v1/identity_schema_service_pb.js";
import type { IdentitySchemas, SchemaVersion } from "../../domain/identity/schemas.ts";
import { callOf } from "./call.ts";
import { toTimestamp } from "./convert/common.ts";

/** ostiary.identity.v1.IdentitySchemaService. */
export class IdentitySchemaService implements ServiceImpl<typeof Contract> {
  readonly #schemas: IdentitySchemas;

  constructor({ schemas }: { schemas: IdentitySchemas }) {
    this.#schemas = schemas;
  }

  async listIdentitySchemas(request: ListIdentitySchemasRequest, context: HandlerContext) {
    const page = { size: request.pageSize, token: request.pageToken };
    const { items, nextToken } = await this.#schemas.list(callOf(context).scope, page);
    return { schemas: items.map(toSchemaVersion), nextPageToken: nextToken };
  }

  async getIdentitySchema(request: GetIdentitySchemaRequest, context: HandlerContext) {
    const { scope } = callOf(context);
    return { schema: toSchemaVersion(await this.#schemas.get(scope, request.schemaId, request.version)) };
  }
}

function toSchemaVersion({
  schema,
  current,
}: SchemaVersion): MessageInitShape<typeof IdentitySchemaVersionSchema> {
  return {
    id: schema.id,
    version: schema.version,
    createTime: toTimestamp(schema.createdAt),
    document: schema.document,
    current,
  };
}
