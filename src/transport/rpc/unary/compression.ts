import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { Code } from "@connectrpc/connect";
import { tooLarge } from "../../net/body-reader.ts";
import { protocolError } from "../errors.ts";
import { malformed } from "./decode.ts";

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
