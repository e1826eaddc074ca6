// SPDX-License-Identifier: Apache-2.0
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../../gen/google/rpc/error_details_pb.js";
import { RemedySchema, UserMessageSchema } from "../../../gen/ostiary/error/v1/error_detail_pb.js";
import { ErrorReasonSchema } from "../../../gen/ostiary/error/v1/error_reason_pb.js";
import {
  fieldViolationsOf,
  isErrorReason,
  metadataOf,
  reasonOf,
  remedyOf,
  retryAfterOf,
  userMessageOf,
} from "./errors.ts";

describe("the readers of errors", () => {
  test("read each detail of an error that came over the wire", () => {
    const error = received(
      detail(ErrorInfoSchema, {
        reason: "FLOW_COMPLETED",
        domain: "ostiary",
        metadata: { scope: "account" },
      }),
      detail(RemedySchema, { description: "Go on with the replacement flow." }),
      detail(UserMessageSchema, { id: 9000500, text: "Tell us 7.", context: { request_id: "7" } }),
      detail(BadRequestSchema, {
        fieldViolations: [
          { field: "traits.email", description: "is missing", reason: "REQUIRED" },
          { field: "traits.age", description: "is odd", reason: "NEWER" },
        ],
      }),
      detail(RetryInfoSchema, { retryDelay: { seconds: 1n, nanos: 500_000_000 } }),
    );
    expect(reasonOf(error)).toBe("FLOW_COMPLETED");
    expect(metadataOf(error)).toEqual({ scope: "account" });
    expect(remedyOf(error)).toBe("Go on with the replacement flow.");
    expect(userMessageOf(error)).toEqual({ id: 9000500, text: "Tell us 7.", context: { request_id: "7" } });
    expect(fieldViolationsOf(error)).toEqual([
      { field: "traits.email", description: "is missing", reason: "REQUIRED" },
      { field: "traits.age", description: "is odd", reason: "VALUE" },
    ]);
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
    expect(userMessageOf(error)).toBeUndefined();
    expect(fieldViolationsOf(error)).toEqual([]);
    expect(retryAfterOf(error)).toBeUndefined();
  });

  test("know every reason of the contract, and no other text", () => {
    const names = ErrorReasonSchema.values.map((value) => value.localName);
    expect(names.filter((name) => !isErrorReason(name))).toEqual(["UNSPECIFIED"]);
    expect(["1", "0", "toString", "__proto__", "", "NEWER"].filter(isErrorReason)).toEqual([]);
  });

  // Security rule (SR-SDK-1): they are asked where something has failed already, and must not fail in turn.
  test.each<[string, unknown]>([
    ["no findDetails", looksLikeConnectError({})],
    ["a findDetails that throws", looksLikeConnectError({ findDetails: fail })],
    ["a findDetails that makes things up", looksLikeConnectError({ findDetails: () => [madeUp] })],
    ["null for a detail", looksLikeConnectError({ details: [null] })],
    ["details that are numbers", looksLikeConnectError({ details: [1, {}] })],
    [
      "a detail whose value is no bytes",
      looksLikeConnectError({ details: [{ type: infoType, value: "x" }] }),
    ],
    [
      "a detail that throws when it is read",
      looksLikeConnectError({
        details: [
          {
            type: infoType,
            get value() {
              return fail();
            },
          },
        ],
      }),
    ],
    [
      "an outgoing detail of another form",
      looksLikeConnectError({
        details: [{ desc: ErrorInfoSchema, value: { domain: "ostiary", reason: 5 } }],
      }),
    ],
    ["a proxy that throws", new Proxy(new ConnectError("no"), { get: fail, getPrototypeOf: fail })],
    ["a proxy that was revoked", revoked()],
    ["null", null],
    ["a symbol", Symbol("no")],
  ])("find nothing in %s, and do not throw", (_, error) => {
    expect(reasonOf(error)).toBeUndefined();
    expect(metadataOf(error)).toEqual({});
    expect(remedyOf(error)).toBeUndefined();
    expect(userMessageOf(error)).toBeUndefined();
    expect(fieldViolationsOf(error)).toEqual([]);
    expect(retryAfterOf(error)).toBeUndefined();
  });

  test("read the errors of another copy of Connect", () => {
    const info = detail(ErrorInfoSchema, { reason: "FLOW_COMPLETED", domain: "ostiary" });
    expect(reasonOf(looksLikeConnectError({ details: [info] }))).toBe("FLOW_COMPLETED");
  });

  test.each([
    [-128n, 0],
    [0n, 0],
    [2n, 2000],
    [9_223_372_036_854_775_807n, 86_400_000],
  ])("give a time to wait of %s seconds as one that a timer can take", (seconds, expected) => {
    expect(retryAfterOf(received(detail(RetryInfoSchema, { retryDelay: { seconds } })))).toBe(expected);
  });

  test("know no reason in what is no text", () => {
    const odd: readonly unknown[] = [5, null, undefined, {}, Symbol("FLOW_COMPLETED"), ["FLOW_COMPLETED"]];
    expect(odd.filter((value) => isErrorReason(value as string))).toEqual([]);
  });

  test("do not claim to know a reason that is newer than the package", () => {
    const error = received(
      detail(ErrorInfoSchema, { reason: "NEWER", domain: "ostiary", metadata: { a: "b" } }),
    );
    expect(reasonOf(error)).toBeUndefined();
    expect(metadataOf(error)).toEqual({ a: "b" });
  });
});

const infoType = ErrorInfoSchema.typeName;
const madeUp = {
  domain: "ostiary",
  reason: "FLOW_COMPLETED",
  metadata: null,
  description: 1,
  fieldViolations: [null],
};

function fail(): never {
  throw new Error("hostile");
}

/** An error that ConnectError takes for one of its own, by its form. */
function looksLikeConnectError(more: object): unknown {
  const form = {
    name: "ConnectError",
    code: 9,
    metadata: new Headers(),
    details: [],
    rawMessage: "no",
    cause: 1,
  };
  return Object.assign(new Error("no"), form, more);
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable(new ConnectError("no"), {});
  revoke();
  return proxy;
}

function received(...details: { type: string; value: Uint8Array }[]): ConnectError {
  const error = new ConnectError("refused", Code.FailedPrecondition);
  error.details = details;
  return error;
}

function detail<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>) {
  return { type: schema.typeName, value: toBinary(schema, create(schema, init)) };
}
