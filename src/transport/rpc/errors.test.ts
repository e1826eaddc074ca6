import { expect, test } from "vitest";
import { BadRequestSchema, ErrorInfoSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { domainError } from "../../domain/errors.ts";
import { toConnectError } from "./errors.ts";

// Security rule (SR-INPUT-2): no half of a surrogate pair is left, whatever a client has sent, or the error could not be sent.
test.each<[string, string]>([
  ["what a client has sent", "a\ud800b"],
  ["where a text is cut", `${"x".repeat(510)}\u{1f600}${"x".repeat(10)}`],
])("no half of a surrogate pair is in an error: %s", (_, text) => {
  const violations = [{ field: text, description: text, reason: "VALUE" }] as const;
  const thrown = domainError("API_KEY_SCOPE_MISSING", { scope: text }, { message: text, violations });
  const error = toConnectError(thrown, "request");
  const [info] = error.findDetails(ErrorInfoSchema);
  const [violation] = error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations);
  const texts = [error.rawMessage, info?.metadata.scope, violation?.field, violation?.description];
  expect(texts).toEqual(Array(4).fill(expect.stringContaining("\ufffd")));
  for (const sent of texts) expect(sent?.isWellFormed()).toBe(true);
});
