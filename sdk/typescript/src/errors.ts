// SPDX-License-Identifier: Apache-2.0
import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  type ErrorInfo,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../../gen/google/rpc/error_details_pb.js";
import { RemedySchema, UserMessageSchema } from "../../../gen/ostiary/error/v1/error_detail_pb.js";
import { ErrorReason } from "../../../gen/ostiary/error/v1/error_reason_pb.js";
import { FieldViolationReason } from "../../../gen/ostiary/error/v1/field_violation_pb.js";
import type { NumberedMessage } from "./numbered-message.ts";

/** Every reason that an error of Ostiary can have, as the contract's enum names it. Reasons are permanent. */
export type ErrorReasonName = Exclude<keyof typeof ErrorReason, "UNSPECIFIED">;

/** Why a field is wrong, as the contract's enum names it. Permanent. */
export type FieldViolationReasonName = Exclude<keyof typeof FieldViolationReason, "UNSPECIFIED">;

/** What is wrong with one field of a request. */
export interface FieldViolation {
  /**
   * The path of the field in the JSON form of the request, written like the name of a form node: `traits.email`,
   * `requests.0.traits`. Empty for the request as a whole.
   */
  readonly field: string;
  /** A sentence for a developer, in English. */
  readonly description: string;
  /** `VALUE` also for a reason that is newer than this package. */
  readonly reason: FieldViolationReasonName;
}

/** The longest time to wait that is believed: a day. */
const longestWaitMs = 24 * 60 * 60 * 1000;

/**
 * Why a call was refused. Undefined if the error does not come from Ostiary (but from the network, a proxy, your
 * own code), or if its reason is newer than this package; `error.message` tells then.
 */
export function reasonOf(error: unknown): ErrorReasonName | undefined {
  const reason = errorInfoOf(error)?.reason;
  return reason !== undefined && isErrorReason(reason) ? reason : undefined;
}

/** Whether a text, for example the `reason` of a rejected submit, is a reason that this package knows. */
export function isErrorReason(text: string): text is ErrorReasonName {
  return isNameOf(ErrorReason, text);
}

/** Whether a text is the name of a value of one of our enums, other than UNSPECIFIED, which is never sent. */
function isNameOf(names: object, text: string): boolean {
  // The enum object maps numbers to names as well; only a name leads to a number.
  const known = typeof text === "string" && Object.hasOwn(names, text);
  const value: unknown = known ? Reflect.get(names, text) : undefined;
  return typeof value === "number" && value !== 0;
}

function isViolationReason(text: string): text is FieldViolationReasonName {
  return isNameOf(FieldViolationReason, text);
}

/** The values that go with the reason, for example `scope`. Empty if there are none. */
export function metadataOf(error: unknown): Readonly<Record<string, string>> {
  return errorInfoOf(error)?.metadata ?? {};
}

/** What can be done about the error: a sentence or two for a developer, in English. Undefined if nothing is known. */
export function remedyOf(error: unknown): string | undefined {
  const description = detailOf(error, RemedySchema)?.description;
  return description === "" ? undefined : description;
}

/**
 * What to tell the person who uses your client. Undefined if only a developer can help; then say that it did not work. If
 * `retryAfterOf` is defined, add when to try again.
 */
export function userMessageOf(error: unknown): NumberedMessage | undefined {
  const message = detailOf(error, UserMessageSchema);
  return message === undefined ? undefined : { id: message.id, text: message.text, context: message.context };
}

/** What is wrong with which fields of the request. Empty if the error is about something else. */
export function fieldViolationsOf(error: unknown): readonly FieldViolation[] {
  const violations = detailOf(error, BadRequestSchema)?.fieldViolations ?? [];
  return violations.map(({ field, description, reason }) => ({
    field,
    description,
    reason: isViolationReason(reason) ? reason : "VALUE",
  }));
}

/**
 * After how many milliseconds the call may be tried again: from 0 to a day, whatever the other end says, so that a timer
 * can take it. Undefined if the server does not say.
 */
export function retryAfterOf(error: unknown): number | undefined {
  const delay = detailOf(error, RetryInfoSchema)?.retryDelay;
  return delay === undefined ? undefined : boundedWaitMs(durationMs(delay));
}

/** A time to wait within sane bounds. */
export function boundedWaitMs(ms: number): number {
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(Math.ceil(ms), 0), longestWaitMs);
}

/** Other servers behind the same client send ErrorInfo too; the domain says whose reason it is. */
function errorInfoOf(error: unknown): ErrorInfo | undefined {
  const info = detailOf(error, ErrorInfoSchema);
  return info?.domain === "ostiary" ? info : undefined;
}

/**
 * Never throws, for it is asked where something has failed already. ConnectError knows its kind by its properties, so an
 * object of that form lends its details alone; what comes out is a message of our own making, or nothing.
 */
function detailOf<Desc extends DescMessage>(error: unknown, schema: Desc): MessageShape<Desc> | undefined {
  try {
    if (!(error instanceof ConnectError)) return undefined;
    const { details } = error;
    const [detail] = Object.assign(new ConnectError(""), { details }).findDetails(schema);
    return detail === undefined ? undefined : fromBinary(schema, toBinary(schema, detail));
  } catch {
    // Details that cannot be read tell as much as none.
    return undefined;
  }
}
