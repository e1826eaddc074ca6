import type { Readable } from "node:stream";
import { domainError } from "../../domain/errors.ts";
import { type BodyLimits, declaredLength } from "./exchange.ts";

const empty = Buffer.alloc(0);

/**
 * Reads a stream to its end. Throws REQUEST_TOO_LARGE at the first byte beyond the limit, REQUEST_TIMEOUT if the
 * end does not come in time, and REQUEST_CANCELED if it never comes. Holds no more than the limit in memory.
 */
export function readBounded(stream: Readable, limits: BodyLimits, timeoutMs: number): Promise<Buffer> {
  const limit = limits.maxBytes + (limits.overheadBytes ?? 0);
  return new Promise((resolve, reject) => {
    let first: Buffer | undefined;
    let chunks: Buffer[] | undefined;
    let length = 0;

    const timer = setTimeout(() => fail(domainError("REQUEST_TIMEOUT", {})), timeoutMs);
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      if (length > limit) return fail(tooLarge(limits.maxBytes));
      try {
        limits.grow?.(length);
        if (first === undefined) limits.inspect?.(chunk);
      } catch (error) {
        return fail(error);
      }
      // Nearly all bodies are one chunk; only the others pay for a list.
      if (first === undefined) first = chunk;
      else if (chunks === undefined) chunks = [first, chunk];
      else chunks.push(chunk);
    };
    const onEnd = () => {
      release();
      resolve(chunks === undefined ? (first ?? empty) : Buffer.concat(chunks, length));
    };
    const onGone = () => fail(domainError("REQUEST_CANCELED", {}));
    const release = () => {
      clearTimeout(timer);
      stream
        .off("data", onData)
        .off("end", onEnd)
        .off("error", onGone)
        .off("close", onGone)
        .off("aborted", onGone);
    };
    const fail = (error: unknown) => {
      release();
      first = undefined;
      chunks = undefined;
      reject(error);
    };

    // It may have ended while the caller was looked up, and nothing would tell then.
    if (stream.destroyed) return onGone();
    stream.on("data", onData).on("end", onEnd).on("error", onGone).on("close", onGone).on("aborted", onGone);
  });
}

/** Throws REQUEST_TOO_LARGE if the declared length is beyond the limit, so that not a byte of it is read. */
export function refuseDeclared(contentLength: string | undefined, limits: BodyLimits): void {
  const declared = declaredLength(contentLength);
  if (declared !== undefined && declared > limits.maxBytes + (limits.overheadBytes ?? 0)) {
    throw tooLarge(limits.maxBytes);
  }
}

/** The error of a request beyond the limit. */
export function tooLarge(limitBytes: number): Error {
  return domainError("REQUEST_TOO_LARGE", { limitBytes: String(limitBytes) });
}
