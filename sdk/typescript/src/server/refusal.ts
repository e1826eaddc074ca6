// SPDX-License-Identifier: Apache-2.0
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "../../../../gen/google/rpc/error_details_pb.js";
import { RemedySchema } from "../../../../gen/ostiary/error/v1/error_detail_pb.js";
import { boundedWaitMs, type ErrorReasonName } from "../errors.ts";
import type { RequestHead } from "./request-head.ts";

/**
 * Why a guard let a request not through: a reason of the contract, or `OSTIARY_UNAVAILABLE`, which is the guard's own
 * and means that no answer, or none that can be relied on, came back.
 */
export type RefusalReason = ErrorReasonName | "OSTIARY_UNAVAILABLE";

/** What the body of an HTTP answer holds, as JSON. */
export interface RefusalBody {
  readonly code: "unauthenticated" | "permission_denied" | "unavailable";
  readonly reason: RefusalReason;
  readonly message: string;
  readonly remedy: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** What a refusal is made of. */
export interface RefusalInit {
  readonly status: 401 | 403 | 503;
  readonly reason: RefusalReason;
  readonly message: string;
  readonly remedy: string;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly setCookies?: readonly string[] | undefined;
  /** What has failed, for the log; it never goes into an answer. */
  readonly cause?: unknown;
}

const codes = {
  401: { name: "unauthenticated", code: Code.Unauthenticated },
  403: { name: "permission_denied", code: Code.PermissionDenied },
  503: { name: "unavailable", code: Code.Unavailable },
} as const;

/** A request that a guard did not let through: 401 without a good session, 403 from a wrong page, else 503. */
export class SessionRefusedError extends Error {
  override readonly name = "SessionRefusedError";
  /** The HTTP status to answer with. */
  readonly status: 401 | 403 | 503;
  /** Why. */
  readonly reason: RefusalReason;
  /** What can be done about it: a sentence or two for a developer. */
  readonly remedy: string;
  /** The values that go with the reason. */
  readonly metadata: Readonly<Record<string, string>>;
  /** After how long to try again, at most a day, if that is known. */
  readonly retryAfterMs: number | undefined;
  /** Set-Cookie headers of the answer: they remove cookies that were planted on paths of the app. Usually none. */
  readonly setCookies: readonly string[];

  constructor({ status, reason, message, remedy, metadata, retryAfterMs, setCookies, cause }: RefusalInit) {
    super(message, { cause });
    this.status = status;
    this.reason = reason;
    this.remedy = remedy;
    this.metadata = metadata ?? {};
    this.retryAfterMs = retryAfterMs === undefined ? undefined : boundedWaitMs(retryAfterMs);
    this.setCookies = setCookies ?? [];
  }

  /** The same, with Set-Cookie headers. */
  withCookies(setCookies: readonly string[]): SessionRefusedError {
    const { status, reason, message, remedy, metadata, retryAfterMs, cause } = this;
    return new SessionRefusedError({
      status,
      reason,
      message,
      remedy,
      metadata,
      retryAfterMs,
      cause,
      setCookies,
    });
  }

  /** The answer's body, for JSON. */
  toBody(): RefusalBody {
    const { reason, message, remedy, metadata } = this;
    return { code: codes[this.status].name, reason, message, remedy, metadata };
  }

  /** The answer's headers; with a 401 they say what is asked for, as RFC 9110 wants it. */
  toHeaders(): Record<string, string> {
    return {
      "content-type": "application/json",
      "cache-control": "no-store",
      ...(this.status === 401 && { "www-authenticate": this.#challenge() }),
      ...(this.status === 503 && { "retry-after": this.#retryAfterSeconds() }),
    };
  }

  /** The answer, for servers that speak Fetch. */
  toResponse(): Response {
    const headers = new Headers(this.toHeaders());
    for (const cookie of this.setCookies) headers.append("set-cookie", cookie);
    return new Response(JSON.stringify(this.toBody()), { status: this.status, headers });
  }

  /** The same as an error that a Connect service throws, with its details. */
  toConnectError(): ConnectError {
    const { reason, metadata, remedy, retryAfterMs } = this;
    return new ConnectError(
      this.message,
      codes[this.status].code,
      this.setCookies.map((cookie): [string, string] => ["set-cookie", cookie]),
      [
        { desc: ErrorInfoSchema, value: { reason, domain: "ostiary", metadata: { ...metadata } } },
        ...(remedy === "" ? [] : [{ desc: RemedySchema, value: { description: remedy } }]),
        ...(retryAfterMs === undefined
          ? []
          : [{ desc: RetryInfoSchema, value: { retryDelay: durationFromMs(retryAfterMs) } }]),
      ],
      this.cause,
    );
  }

  /** Whole seconds, at least one: RFC 9110, section 10.2.3. */
  #retryAfterSeconds(): string {
    return String(Math.max(1, Math.ceil((this.retryAfterMs ?? 0) / 1000)));
  }

  /** RFC 6750, section 3, and RFC 9470 for those who are signed in, but not well or lately enough. */
  #challenge(): string {
    switch (this.reason) {
      case "SESSION_CREDENTIAL_MISSING":
        return "Bearer";
      case "SESSION_ASSURANCE_TOO_LOW":
        return insufficient("acr_values", this.metadata.required);
      case "SESSION_METHOD_INSUFFICIENT":
        return insufficient("acr_values", this.metadata.property);
      case "SESSION_AUTHENTICATION_TOO_OLD":
        return insufficient("max_age", this.metadata.maxAgeSeconds);
      default:
        return 'Bearer error="invalid_token"';
    }
  }
}

/** RFC 9470, section 3: what is missing. A value is one of ours, a word or a number. */
function insufficient(name: "acr_values" | "max_age", value: string | undefined): string {
  const error = 'Bearer error="insufficient_user_authentication"';
  return value !== undefined && /^\w+$/.test(value) ? `${error}, ${name}="${value}"` : error;
}

/** The refusal of a request that a page has started which may not; `option` says where to allow it. */
export function originRefusal(head: RequestHead, option: string): SessionRefusedError {
  return new SessionRefusedError({
    status: 403,
    reason: "ORIGIN_NOT_ALLOWED",
    message: "The request comes from a web page whose origin is not allowed.",
    remedy: `Add the page's origin to ${option}.`,
    metadata: { origin: head.header("origin") ?? "" },
  });
}
