import { expect, test } from "vitest";
import { DomainError, errorReasons, errorTexts } from "../../../domain/errors.ts";
import { toConnectError } from "../errors.ts";
import { statusTrailers } from "./grpc-status.ts";

const sizeOf = (trailers: Readonly<Record<string, unknown>>) =>
  Object.entries(trailers).reduce((sum, [name, value]) => sum + name.length + String(value).length + 32, 0);
const detailsOf = (trailers: Readonly<Record<string, unknown>>) =>
  Buffer.from(String(trailers["grpc-status-details-bin"]), "base64").toString("latin1");

// Security rule (SR-INPUT-2): grpc-java and grpcio refuse metadata beyond 8 KiB, so clients would see another error in place of one that is
// too long.
test.each(errorReasons)("the trailers of %s are small, for all that a client may have sent", (reason) => {
  const long = "\u{1f600}".repeat(600);
  const metadata = Object.fromEntries(errorTexts[reason].metadata.map((key) => [key, long]));
  const violations = Array.from({ length: 300 }, () => ({
    field: long,
    description: long,
    reason: "VALUE" as const,
  }));
  const error = new DomainError(reason, metadata, { violations, message: long, retryAfterMs: 1 });
  const trailers = statusTrailers(toConnectError(error, "018f0000-0000-7000-8000-000000000000"));
  expect(sizeOf(trailers)).toBeLessThanOrEqual(6 * 1024);
  expect(detailsOf(trailers)).toContain(reason);
});

test("what a person is told is kept, where what developers read is left out", () => {
  const description = "x".repeat(512);
  const violations = Array.from({ length: 100 }, () => ({
    field: description,
    description,
    reason: "VALUE" as const,
  }));
  const error = toConnectError(new DomainError("REQUEST_INVALID", {}, { violations }), "");
  const details = detailsOf(statusTrailers(error));
  expect(details).toContain("BadRequest");
  expect(details).toContain("ostiary.error.v1.UserMessage");
});
