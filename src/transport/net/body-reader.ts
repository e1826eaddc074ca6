import type { Readable } from "node:stream";
import { domainError } from "../../domain/errors.ts";
import { type BodyLimits, declaredLength } from "./exchange.ts";

const empty: Buffer = Buffer.alloc(0);

/**
 * Reads a stream to its end. Throws REQUEST_TOO_LARGE at the first byte beyond the limit, REQUEST_TIMEOUT if the
 * end does not come in time, and REQUEST_CANCELED if it never comes.
 *
 * Security rule (SR-LIMIT-12): what is held is no more than twice what has arrived. A chunk is a part of what was read from the socket at once,
 * and would keep all of that in memory, so it is copied (test/process/budgets.test.ts).
 */
export function readBounded(stream: Readable, limits: BodyLimits, timeoutMs: number): Promise<Uint8Array> {
  const limit = limits.maxBytes + (limits.overheadBytes ?? 0);
  return new Promise((resolve, reject) => {
    let body: Buffer = empty;
    let length = 0;

    const timer = setTimeout(() => fail(domainError("REQUEST_TIMEOUT", {})), timeoutMs);
    const onData = (chunk: Buffer) => {
      const before = length;
      length += chunk.length;
      if (length > limit) return fail(tooLarge(limits.maxBytes));
      try {
        limits.grow?.(length);
        if (before === 0) limits.inspect?.(chunk);
      } catch (error) {
        return fail(error);
      }
      // Nearly all bodies are one chunk.
      if (before === 0) body = Buffer.from(chunk);
      else {
        if (length > body.length) body = grown(body, before, Math.min(2 * length, limit));
        chunk.copy(body, before);
      }
    };
    const onEnd = () => {
      release();
      resolve(body.subarray(0, length));
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
      body = empty;
      reject(error);
    };

    // It may have ended while the caller was looked up, and nothing would tell then.
    if (stream.destroyed) return onGone();
    stream.on("data", onData).on("end", onEnd).on("error", onGone).on("close", onGone).on("aborted", onGone);
  });
}

function grown(body: Buffer, length: number, size: number): Buffer {
  const larger = Buffer.allocUnsafe(size);
  body.copy(larger, 0, 0, length);
  return larger;
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
