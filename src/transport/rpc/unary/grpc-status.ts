import { ConnectError } from "@connectrpc/connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../../../gen/google/rpc/error_details_pb.js";
import { UserMessageSchema } from "../../../../gen/ostiary/error/v1/error_detail_pb.js";
import type { ResponseHeaders } from "../../net/exchange.ts";

// grpc-java and grpcio refuse metadata beyond 8 KiB; the rest is for request id, cookies and CORS.
const maxStatusBytes = 6 * 1024;
const maxMessageLength = 1024;

/**
 * The trailers of a failed call: grpc-status, grpc-message and grpc-status-details-bin. If they would be more than
 * clients take, details are left out rather than the status: first field violations, then what developers read, then all but the
 * reason.
 */
export function statusTrailers(error: ConnectError): ResponseHeaders {
  for (const candidate of everSmaller(error)) {
    const trailers = toTrailers(candidate);
    if (sizeOf(trailers) <= maxStatusBytes) return trailers;
  }
  return { "grpc-status": String(error.code), "grpc-message": "" };
}

function* everSmaller(error: ConnectError): Generator<ConnectError> {
  const message = error.rawMessage.slice(0, maxMessageLength).toWellFormed();
  const withDetails = (details: ConnectError["details"]) => {
    const smaller = new ConnectError(message, error.code, error.metadata);
    smaller.details = details;
    return smaller;
  };
  yield withDetails(error.details);
  const { fieldViolations = [] } = error.findDetails(BadRequestSchema)[0] ?? {};
  for (let count = Math.floor(fieldViolations.length / 2); count > 0; count = Math.floor(count / 2)) {
    const value = { fieldViolations: fieldViolations.slice(0, count) };
    yield withDetails(
      error.details.map((detail) =>
        "desc" in detail && detail.desc.typeName === BadRequestSchema.typeName
          ? { desc: BadRequestSchema, value }
          : detail,
      ),
    );
  }
  // The details that a client acts on, and the sentence for a person.
  const kept: ReadonlySet<string> = new Set([
    ErrorInfoSchema.typeName,
    RetryInfoSchema.typeName,
    UserMessageSchema.typeName,
  ]);
  yield withDetails(error.details.filter((detail) => kept.has(typeNameOf(detail))));
  const { reason = "", domain = "" } = error.findDetails(ErrorInfoSchema)[0] ?? {};
  yield withDetails([{ desc: ErrorInfoSchema, value: { reason, domain } }]);
}

function typeNameOf(detail: ConnectError["details"][number]): string {
  return "desc" in detail ? detail.desc.typeName : detail.type;
}

function toTrailers(error: ConnectError): ResponseHeaders {
  const trailers: ResponseHeaders = {};
  setTrailerStatus(new Headers(), error).forEach((value, name) => {
    trailers[name] = value;
  });
  return trailers;
}

function sizeOf(trailers: ResponseHeaders): number {
  let size = 0;
  // 32 bytes a field, as HTTP/2 counts a header list (RFC 9113, section 10.5.1).
  for (const [name, value] of Object.entries(trailers)) size += name.length + value.length + 32;
  return size;
}
