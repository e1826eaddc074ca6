import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../../../gen/google/rpc/error_details_pb.js";
import { type CallErrorSchema, RemedySchema } from "../../../../gen/ostiary/error/v1/error_detail_pb.js";
import type { DomainError } from "../../../domain/errors.ts";
import { toConnectError } from "../errors.ts";

/** The error of one part of a call, with everything that the error of a separate call would say. */
export function toCallError(error: DomainError, callId: string): MessageInitShape<typeof CallErrorSchema> {
  const connectError = toConnectError(error, callId);
  return {
    code: connectError.code,
    message: connectError.rawMessage,
    errorInfo: connectError.findDetails(ErrorInfoSchema)[0],
    badRequest: connectError.findDetails(BadRequestSchema)[0],
    retryDelay: connectError.findDetails(RetryInfoSchema)[0]?.retryDelay,
    remedy: connectError.findDetails(RemedySchema)[0],
  };
}
