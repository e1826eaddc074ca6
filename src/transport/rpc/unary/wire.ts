import type { ConnectError } from "@connectrpc/connect";
import type { Exchange, ResponseHeaders } from "../../net/exchange.ts";
import type { Codec } from "./decode.ts";

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
  readMessage(exchange: Exchange, limitBytes: number): Promise<Uint8Array>;
  /** Answers with a message. */
  succeed(exchange: Exchange, head: AnswerHead, message: EncodedMessage): void;
  /** Answers with an error. `httpStatus` replaces the one that follows from the code, where HTTP can say it. */
  fail(exchange: Exchange, head: AnswerHead, error: ConnectError, httpStatus?: number): void;
}
