import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { Code, type ConnectError } from "@connectrpc/connect";
import { parseTimeout as parseConnect } from "@connectrpc/connect/protocol-connect";
import { parseTimeout as parseGrpc } from "@connectrpc/connect/protocol-grpc";
import { type BodyLimits, type Exchange, type ResponseHeaders, tooLarge } from "../../net/exchange.ts";
import { protocolError } from "../errors.ts";
import { type Codec, malformed } from "./decode.ts";

/** The protocols, by the names that log and metrics use. */
export type ProtocolName = "connect" | "grpc" | "grpc-web";

/** A message as it is sent: JSON is still text. */
export type EncodedMessage = Uint8Array | string;

/** What is common to an answer, whatever its protocol. */
export interface AnswerHead {
  /** Headers so far; a wire adds its own to them. */
  readonly headers: ResponseHeaders;
  readonly trailers: ResponseHeaders;
}

/**
 * One way of writing a unary call on HTTP: a protocol and a codec. Wires have no state, so each exists once and
 * serves all calls.
 */
export interface Wire {
  readonly protocol: ProtocolName;
  readonly codec: Codec;
  /** The caller's deadline in milliseconds; undefined without one. Throws REQUEST_MALFORMED. */
  timeoutMs(exchange: Exchange): number | undefined;
  /** Reads the request's message, decompressed but not decoded. */
  readMessage(exchange: Exchange, limits: BodyLimits): Uint8Array | Promise<Uint8Array>;
  /** Answers with a message. */
  succeed(exchange: Exchange, head: AnswerHead, message: EncodedMessage): void;
  /** Answers with an error. `httpStatus` replaces the one that follows from the code, where HTTP can say it. */
  fail(exchange: Exchange, head: AnswerHead, error: ConnectError, httpStatus?: number): void;
}

/** The cap of deadlines: longer than any call may take, and what setTimeout can hold. */
export const longestTimeoutMs = 2 ** 31 - 1;

/**
 * The deadline of a Connect call in milliseconds (`Connect-Timeout-Ms`: a positive integer of at most ten digits), capped
 * at about 24 days; undefined without one. Throws REQUEST_MALFORMED, also for 0, which is no deadline that could be met.
 */
export function parseConnectTimeout(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const rule = "Connect-Timeout-Ms must be a positive integer of at most ten digits.";
  return deadlineOf(parseConnect(header, Number.POSITIVE_INFINITY).timeoutMs, rule);
}

/**
 * The deadline of a gRPC or gRPC-Web call in milliseconds (`grpc-timeout`: a positive integer of at most eight digits and
 * a unit), capped at about 24 days; undefined without one. Throws REQUEST_MALFORMED, also for 0.
 */
export function parseGrpcTimeout(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const rule = "grpc-timeout must be a positive integer of at most eight digits and one of H, M, S, m, u, n.";
  return deadlineOf(parseGrpc(header, Number.POSITIVE_INFINITY).timeoutMs, rule);
}

function deadlineOf(timeoutMs: number | undefined, rule: string): number {
  if (timeoutMs === undefined || timeoutMs === 0) throw malformed(rule);
  return Math.min(timeoutMs, longestTimeoutMs);
}

const gunzipAsync = promisify(gunzip);

/** The compressions of requests that are understood, for the headers that announce them. */
export const acceptedEncodings = "gzip";

/** Whether a named encoding compresses. Throws UNIMPLEMENTED for one that is not understood. */
export function isCompressed(encoding: string | undefined): boolean {
  if (encoding === undefined || encoding === "" || encoding === "identity") return false;
  if (encoding === "gzip") return true;
  throw protocolError(
    Code.Unimplemented,
    "REQUEST_MALFORMED",
    `The compression "${encoding.slice(0, 32)}" is not understood; use ${acceptedEncodings} or none.`,
  );
}

/**
 * Decompresses gzip. Throws REQUEST_TOO_LARGE as soon as the result would be beyond the limit, however small the
 * compressed form is, and REQUEST_MALFORMED if it is not gzip.
 */
export async function decompress(bytes: Uint8Array, limitBytes: number): Promise<Uint8Array> {
  if (bytes.length === 0) return bytes;
  try {
    return await gunzipAsync(bytes, { maxOutputLength: limitBytes });
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(limitBytes);
    throw malformed("The body is not valid gzip.", [], cause);
  }
}
