import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Level } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { ExplainThrottleRequestSchema } from "../../gen/ostiary/access/v1/throttle_service_pb.js";
import { ListMessagesRequestSchema } from "../../gen/ostiary/courier/v1/courier_service_pb.js";
import { SubmitLoginFlowRequestSchema } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { LookUpIdentityRequestSchema } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import {
  CreateInvitationRequestSchema,
  ListInvitationsRequestSchema,
} from "../../gen/ostiary/identity/v1/invitation_service_pb.js";
import { services } from "../../src/app-services.ts";
import { casesWith } from "../support/cases.ts";

const methods = services.flatMap((service) =>
  service.methods.map((method) => [`${service.name}.${method.name}`, method] as const),
);

// The level goes into the clients that people generate, and proxies go by it.
describe("the idempotency level of every method", () => {
  // Security rule (SR-INPUT-4): NO_SIDE_EFFECTS allows GET, and URLs stand in the logs of proxies and in the history of browsers.
  const byGet = casesWith(methods, ([, { idempotency }]) => idempotency === Level.NO_SIDE_EFFECTS);
  test.each(byGet)("%s has nothing of a person and no secret in a URL", (_name, method) => {
    expect(sensitiveFields(method.input)).toEqual([]);
  });

  // Who leaves an optional field unset makes one more with each repetition, whatever a label said.
  const withId = casesWith(methods, ([, { input }]) =>
    input.fields.some(({ name }) => name === "request_id"),
  );
  test.each(withId)("%s promises no idempotency that rests on a request_id", (_name, method) => {
    expect(method.idempotency).toBe(Level.IDEMPOTENCY_UNKNOWN);
  });

  test("is held against what is found in a request", () => {
    expect(sensitiveFields(ListMessagesRequestSchema)).toEqual(["recipient"]);
    expect(sensitiveFields(ExplainThrottleRequestSchema)).toEqual(["identifier", "ip_address"]);
    expect(sensitiveFields(ListInvitationsRequestSchema)).toEqual(["address"]);
    expect(sensitiveFields(LookUpIdentityRequestSchema)).toEqual(["identifier", "external_id"]);
    expect(sensitiveFields(CreateInvitationRequestSchema)).toEqual([
      ...["address", "traits", "public_metadata", "admin_metadata"],
    ]);
    expect(sensitiveFields(SubmitLoginFlowRequestSchema)).toContain("password.password");
  });
});

/** Names of fields that say who somebody is, or that hold a secret, marked as one or not. */
const sensitiveNames =
  /(^|_)(identifiers?|identifier_prefix|external_ids?|address(es)?|recipients?|emails?|phones?|user_agent|names?|traits?|metadata|client_data|values?|token|secret|password|hash|cookies?|code|flow_id)$/;

function isSensitive(field: DescField): boolean {
  // Sealed by the server.
  if (field.name === "page_token") return false;
  // Whatever is in it.
  if (field.message?.typeName.match(/^google\.protobuf\.(Struct|Value|ListValue|Any)$/)) return true;
  // Of a message it is what it holds that counts.
  if (field.message !== undefined) return false;
  return field.proto.options?.debugRedact === true || sensitiveNames.test(field.name);
}

/** The sensitive fields of a request, by path. */
function sensitiveFields(message: DescMessage, prefix = "", seen: readonly string[] = []): string[] {
  if (seen.includes(message.typeName)) return [];
  return message.fields.flatMap((field) => {
    const path = prefix + field.name;
    if (isSensitive(field)) return [path];
    const inner = field.message;
    return inner === undefined ? [] : sensitiveFields(inner, `${path}.`, [...seen, message.typeName]);
  });
}
