// SPDX-License-Identifier: Apache-2.0
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../../gen/google/rpc/error_details_pb.js";
import { RemedySchema } from "../../../gen/ostiary/error/v1/error_detail_pb.js";
import { ErrorReasonSchema } from "../../../gen/ostiary/error/v1/error_reason_pb.js";
import { fieldViolationsOf, isErrorReason, metadataOf, reasonOf, remedyOf, retryAfterOf } from "./errors.ts";

describe("the readers of errors", () => {
  test("read each detail of an error that came over the wire", () => {
    const error = received(
      detail(ErrorInfoSchema, {
        reason: "FLOW_EXPIRED",
        domain: "ostiary",
        metadata: { replacement_flow_id: "ost_flw_2" },
      }),
      detail(RemedySchema, { description: "Go on with the replacement flow." }),
      detail(BadRequestSchema, { fieldViolations: [{ field: "traits.email", description: "is missing" }] }),
      detail(RetryInfoSchema, { retryDelay: { seconds: 1n, nanos: 500_000_000 } }),
    );
    expect(reasonOf(error)).toBe("FLOW_EXPIRED");
    expect(metadataOf(error)).toEqual({ replacement_flow_id: "ost_flw_2" });
    expect(remedyOf(error)).toBe("Go on with the replacement flow.");
    expect(fieldViolationsOf(error)).toEqual([{ field: "traits.email", description: "is missing" }]);
    expect(retryAfterOf(error)).toBe(1500);
  });

  test.each([
    ["an error without details", new ConnectError("no", Code.Internal)],
    ["an error of another kind", new Error("no")],
    ["something that is no error", "no"],
    ["nothing", undefined],
    [
      "an error of another server",
      received(
        detail(ErrorInfoSchema, { reason: "INTERNAL", domain: "other.example", metadata: { a: "b" } }),
      ),
    ],
    [
      "a detail that cannot be read",
      received({ type: "google.rpc.ErrorInfo", value: new Uint8Array([255]) }),
    ],
  ])("find nothing in %s", (_, error) => {
    expect(reasonOf(error)).toBeUndefined();
    expect(metadataOf(error)).toEqual({});
    expect(remedyOf(error)).toBeUndefined();
    expect(fieldViolationsOf(error)).toEqual([]);
    expect(retryAfterOf(error)).toBeUndefined();
  });

  test("know every reason of the contract, and no other text", () => {
    const names = ErrorReasonSchema.values.map((value) => value.localName);
    expect(names.filter((name) => !isErrorReason(name))).toEqual(["UNSPECIFIED"]);
    expect(["1", "0", "toString", "__proto__", "", "NEWER"].filter(isErrorReason)).toEqual([]);
  });

  test("do not claim to know a reason that is newer than the package", () => {
    const error = received(
      detail(ErrorInfoSchema, { reason: "NEWER", domain: "ostiary", metadata: { a: "b" } }),
    );
    expect(reasonOf(error)).toBeUndefined();
    expect(metadataOf(error)).toEqual({ a: "b" });
  });
});

function received(...details: { type: string; value: Uint8Array }[]): ConnectError {
  const error = new ConnectError("refused", Code.FailedPrecondition);
  error.details = details;
  return error;
}

function detail<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>) {
  return { type: schema.typeName, value: toBinary(schema, create(schema, init)) };
}
