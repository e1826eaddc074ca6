// SPDX-License-Identifier: Apache-2.0
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { UserMessageSchema } from "../../../../gen/ostiary/error/v1/error_detail_pb.js";
import { describeFailure } from "./describe-failure.ts";
import { translator } from "./texts.ts";

const refused = new ConnectError("refused", Code.ResourceExhausted);
const value = { id: 9000526, text: "There were too many attempts.", context: { name: "Ada" } };
refused.details = [
  { type: UserMessageSchema.typeName, value: toBinary(UserMessageSchema, create(UserMessageSchema, value)) },
];

describe("a submit that has failed is described", () => {
  test("by the server's sentence for people", () => {
    expect(describeFailure(refused, {})).toBe("There were too many attempts.");
  });

  test("in the language of the page, by the number", () => {
    const translate = translator({ 9000526: "Zu viele Versuche, {name}." });
    expect(describeFailure(refused, { translate })).toBe("Zu viele Versuche, Ada.");
  });

  test("by what the page says in its place", () => {
    expect(describeFailure(refused, { describeError: () => "No." })).toBe("No.");
  });

  test("as something that did not work, where no sentence is", () => {
    expect(describeFailure(new Error("no"), {})).toMatch(/^That did not work/);
    expect(describeFailure(new Error("no"), { texts: { failed: "Oh." } })).toBe("Oh.");
  });
});
