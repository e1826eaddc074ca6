import { constants } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { DomainError, domainError } from "../../../domain/errors.ts";
import { type Exchange, type NodePair, tooLarge } from "../../net/exchange.ts";
import { malformed } from "../unary/decode.ts";
import { longestTimeoutMs, parseConnectTimeout, parseGrpcTimeout } from "../unary/wire.ts";

/** What bounds the reading of one message of a stream. */
interface ReadLimits {
  /** Named in the error if Connect has found the message too large. */
  readonly maxRequestBytes: number;
  /** Thrown if the message does not come in time. */
  readonly late: { readonly afterMs: number; readonly reason: "REQUEST_TIMEOUT" | "STREAM_IDLE" };
  /** Ends the wait with what it was aborted with. */
  readonly signal: AbortSignal;
}

/** Reads the next message of a stream, within limits. */
export function readNext<T>(
  iterator: AsyncIterator<T>,
  { maxRequestBytes, late, signal }: ReadLimits,
): Promise<IteratorResult<T>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(domainError(late.reason, {})), late.afterMs);
    const onAbort = () => fail(endOf(signal));
    const release = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    };
    const fail = (error: unknown) => {
      release();
      reject(error);
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort);
    iterator.next().then(
      (next) => {
        release();
        resolve(next);
      },
      (error: unknown) => fail(signal.aborted ? endOf(signal) : readingError(error, maxRequestBytes)),
    );
  });
}

/** Why a stream was ended from outside, in our own words. */
export function endOf(signal: AbortSignal): unknown {
  const { reason } = signal;
  if (isEnded(signal)) return reason;
  // A reset, with whatever code the client chose, or a connection that is gone.
  return domainError("REQUEST_CANCELED", {}, { cause: reason });
}

/** Whether a stream was ended by the server or by the deadline of its caller, so that the caller is there to be told. */
export function isEnded({ reason }: AbortSignal): boolean {
  return (
    reason instanceof DomainError || (reason instanceof ConnectError && reason.code === Code.DeadlineExceeded)
  );
}

/** Ends a stream whose client does not read, without another word: it would not read that either. */
export function cutOff({ response }: NodePair): void {
  if ("stream" in response) response.stream.close(constants.NGHTTP2_CANCEL);
  else response.destroy();
}

/** Throws REQUEST_MALFORMED if the deadline that the client sent cannot be read. */
export function assertDeadline(exchange: Exchange): void {
  deadlineOf((name) => exchange.header(name));
}

/**
 * Puts the cap that unary calls have in the place of a longer deadline that the client sent: Connect's own timer would end the
 * stream at once.
 */
export function capDeadline(header: Headers): void {
  const { name, timeoutMs } = deadlineOf((name) => header.get(name) ?? undefined);
  if (timeoutMs !== longestTimeoutMs) return;
  // Of gRPC in seconds, because milliseconds would have more than its eight digits.
  const isConnect = name === "connect-timeout-ms";
  header.set(name, isConnect ? String(longestTimeoutMs) : `${Math.floor(longestTimeoutMs / 1000)}S`);
}

function deadlineOf(headerOf: (name: string) => string | undefined) {
  const isConnect = headerOf("content-type")?.toLowerCase().startsWith("application/connect") === true;
  return isConnect
    ? { name: "connect-timeout-ms", timeoutMs: parseConnectTimeout(headerOf("connect-timeout-ms")) }
    : { name: "grpc-timeout", timeoutMs: parseGrpcTimeout(headerOf("grpc-timeout")) };
}

/** What Connect throws while it reads is about what the client sent; its own words for it are for a server's author. */
function readingError(error: unknown, maxRequestBytes: number): unknown {
  if (error instanceof DomainError) return error;
  // Of the socket: the client went away.
  if (!(error instanceof ConnectError)) return domainError("REQUEST_CANCELED", {}, { cause: error });
  switch (error.code) {
    case Code.Internal:
      return malformed("A message of the stream could not be read.", [], error);
    case Code.ResourceExhausted:
      return tooLarge(maxRequestBytes);
    default:
      return error;
  }
}
