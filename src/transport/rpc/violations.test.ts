import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { describe, expect, test } from "vitest";
import { CreateApiKeyRequestSchema } from "../../../gen/ostiary/access/v1/api_key_service_pb.js";
import { SubmitLoginFlowRequestSchema } from "../../../gen/ostiary/flow/v1/login_service_pb.js";
import type { IdentityState } from "../../../gen/ostiary/identity/v1/identity_pb.js";
import {
  BatchCreateIdentitiesRequestSchema,
  GetIdentityRequestSchema,
  ListIdentitiesRequestSchema,
} from "../../../gen/ostiary/identity/v1/identity_service_pb.js";
import { DomainError } from "../../domain/errors.ts";
import { locateJsonError } from "./unary/json-path.ts";
import { invalidRequest } from "./validation.ts";

const validator = createValidator();

/** What is wrong with a request, as `field REASON`. */
function wrong<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): readonly string[] {
  const result = validator.validate(schema, create(schema, init));
  if (result.kind === "valid") return [];
  const error = invalidRequest(schema, result);
  if (!(error instanceof DomainError)) throw error;
  return error.violations.map(({ field, reason }) => `${field} ${reason}`);
}

describe("what breaks the contract is told by the contract's own reasons", () => {
  test("of a field", () => {
    expect(wrong(GetIdentityRequestSchema, { identityId: "no uuid" })).toEqual(["identityId FORMAT"]);
    expect(wrong(GetIdentityRequestSchema, {})).toEqual(["identityId REQUIRED"]);
    const long = { name: "x".repeat(10_000), scopes: ["identity:read"] };
    expect(wrong(CreateApiKeyRequestSchema, long)).toEqual(["name TOO_LONG"]);
    expect(wrong(ListIdentitiesRequestSchema, { state: 99 as IdentityState })).toEqual(["state VALUE"]);
  });

  test("of a oneof, by its name", () => {
    expect(wrong(SubmitLoginFlowRequestSchema, { flowId: "ost_flw_x" })).toEqual(["step REQUIRED"]);
  });

  test("of the items of a list, by their index", () => {
    const requests = [{}, { requestId: "1" }];
    expect(wrong(BatchCreateIdentitiesRequestSchema, { requests })).toEqual(["requests.1 NOT_ALLOWED"]);
  });
});

describe("what JSON gets wrong is told by the same reasons", () => {
  test.each([
    ['{"identityId":7}', "identityId", "TYPE"],
    ['{"identityId":"x","identity_id":"y"}', "", "CONFLICT"],
    ["[]", "", "TYPE"],
    ['{"identity":"x"}', "identity", "UNKNOWN_FIELD"],
    ['{"a.b\\\\c":1}', "a\\.b\\\\c", "UNKNOWN_FIELD"],
  ])("%s", (json, field, reason) => {
    expect(locateJsonError(GetIdentityRequestSchema, json)).toMatchObject({ field, reason });
  });
});
