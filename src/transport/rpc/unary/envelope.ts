import { Code } from "@connectrpc/connect";
import { compressedFlag } from "@connectrpc/connect/protocol";
import { type BodyLimits, type Exchange, tooLarge } from "../../net/exchange.ts";
import { protocolError } from "../errors.ts";
import { malformed } from "./decode.ts";
import { decompress } from "./wire.ts";

/** Flags and length before each message of gRPC and gRPC-Web. */
export const envelopeHeaderBytes = 5;

/**
 * The message in the body of a unary call: exactly one envelope. Throws REQUEST_MALFORMED if it is cut off or
 * followed by rubbish, REQUEST_TOO_LARGE if it declares more than the limit.
 */
export function openEnvelope(
  body: Uint8Array,
  compressed: boolean,
  limitBytes: number,
): Uint8Array | Promise<Uint8Array> {
  if (body.length === 0) throw countError("no message");
  if (body.length < envelopeHeaderBytes) throw malformed("The body ends within the envelope of its message.");
  const length = declaredMessageLength(body);
  if (length > limitBytes) throw tooLarge(limitBytes);
  const end = envelopeHeaderBytes + length;
  if (body.length < end) throw malformed("The body is shorter than its envelope declares.");
  if (body.length > end) {
    throw body.length >= end + envelopeHeaderBytes
      ? countError("more than one message")
      : malformed("The body is longer than its envelope declares.");
  }

  const flags = body[0] ?? 0;
  const message = body.subarray(envelopeHeaderBytes, end);
  if (flags === 0) return message;
  if (flags !== compressedFlag) throw malformed("The envelope has flags that a request cannot have.");
  if (!compressed) throw malformed("The message is compressed, but no header says how.");
  return decompress(message, limitBytes);
}

/** Puts a message into its envelope, with room for what follows. */
export function encloseMessage(content: Uint8Array | string, flags = 0): Buffer {
  const message = typeof content === "string" ? Buffer.from(content) : content;
  const envelope = Buffer.allocUnsafe(envelopeHeaderBytes + message.length);
  envelope[0] = flags;
  envelope.writeUInt32BE(message.length, 1);
  envelope.set(message, envelopeHeaderBytes);
  return envelope;
}

/** Reads a body of one envelope. A length beyond the limit is refused as soon as it is declared. */
export function readEnvelopedBody(exchange: Exchange, limits: BodyLimits): Uint8Array | Promise<Uint8Array> {
  const { maxBytes } = limits;
  return exchange.readBody({
    ...limits,
    overheadBytes: envelopeHeaderBytes,
    inspect: (start) => {
      const declares = start.length >= envelopeHeaderBytes;
      if (declares && declaredMessageLength(start) > maxBytes) throw tooLarge(maxBytes);
    },
  });
}

function declaredMessageLength(body: Uint8Array): number {
  return new DataView(body.buffer, body.byteOffset, envelopeHeaderBytes).getUint32(1);
}

function countError(what: string): Error {
  // The code that gRPC gives a stream of the wrong length for its method.
  return protocolError(
    Code.Unimplemented,
    "REQUEST_MALFORMED",
    `A unary call takes one message; got ${what}.`,
  );
}
