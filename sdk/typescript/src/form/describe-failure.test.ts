// SPDX-License-Identifier: Apache-2.0
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { RetryInfoSchema } from "../../../../gen/google/rpc/error_details_pb.js";
import { UserMessageSchema } from "../../../../gen/ostiary/error/v1/error_detail_pb.js";
import { describeFailure } from "./describe-failure.ts";
import { translator } from "./texts.ts";

const refused = new ConnectError("refused", Code.ResourceExhausted);
const value = { id: 9000526, text: "Too many attempts.", context: { name: "Ada" } };
refused.details = [
  { type: UserMessageSchema.typeName, value: toBinary(UserMessageSchema, create(UserMessageSchema, value)) },
];

function retryIn(seconds: number) {
  const info = create(RetryInfoSchema, { retryDelay: { seconds: BigInt(seconds) } });
  return { type: RetryInfoSchema.typeName, value: toBinary(RetryInfoSchema, info) };
}

describe("a submit that has failed is described", () => {
  test("by the server's sentence for people", () => {
    expect(describeFailure(refused, {})).toBe("Too many attempts.");
  });

  test("with when to try again, where the server says so", () => {
    const details = [...refused.details, retryIn(150)];
    const later = Object.assign(new ConnectError("refused", Code.ResourceExhausted), { details });
    expect(describeFailure(later, {})).toBe("Too many attempts. Try again in 3 minutes.");
    const german = { language: "de-CH", texts: { tryAgainIn: "Neuer Versuch in {time}." } };
    expect(describeFailure(later, german)).toBe("Too many attempts. Neuer Versuch in 3 Minuten.");
    later.details = [...refused.details, retryIn(0)];
    expect(describeFailure(later, {})).toBe("Too many attempts. Try again in 1 second.");
  });

  test("without it in a language that is none", () => {
    const later = Object.assign(new ConnectError("refused"), { details: [...refused.details, retryIn(1)] });
    expect(describeFailure(later, { language: "en-US@posix" })).toBe("Too many attempts.");
  });

  test("in the language of the page, by the number", () => {
    const translate = translator({ 9000526: "Zu viele Versuche, {name}." });
    expect(describeFailure(refused, { translate })).toBe("Zu viele Versuche, Ada.");
  });

  test("by what the page says in its place", () => {
    expect(describeFailure(refused, { describeError: () => "No." })).toBe("No.");
  });

  test("as something that did not work, where no sentence is", () => {
    expect(describeFailure(new Error("no"), {})).toMatch(/^That didn't work/);
    expect(describeFailure(new Error("no"), { texts: { failed: "Oh." } })).toBe("Oh.");
  });
});
