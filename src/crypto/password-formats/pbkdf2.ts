import { pbkdf2Sync } from "node:crypto";
import { isSameBytes } from "../../domain/bytes.ts";
import type { PasswordFormat } from "./format.ts";
import { decodeBase64, readParameters } from "./phc.ts";

/**
 * PBKDF2 (RFC 8018) with SHA-1, SHA-256 or SHA-512: the form of Ory Kratos,
 * `$pbkdf2-sha256$i=100000,l=32$salt$hash`, and that of passlib, `$pbkdf2-sha256$29000$salt$hash` (with `.` for
 * `+`; SHA-1 has no suffix). The length `l` is not needed and not compared with the hash's: Kratos does not, and
 * hashes with a length in bits are about. At most 10 million iterations, counted for each block of output.
 */
export const pbkdf2Format: PasswordFormat = {
  name: "pbkdf2",
  read: (text) => {
    const match = /^\$pbkdf2(?:-(sha1|sha256|sha512))?\$([a-z0-9=,]{1,64})\$([^$]+)\$([^$]+)$/.exec(text);
    if (match === null) return undefined;
    const [, digest = "sha1", costText = "", saltText = "", hashText = ""] = match;
    const iterations = readIterations(costText);
    const salt = decodeBase64(saltText.replaceAll(".", "+"), 1, 128);
    const hash = decodeBase64(hashText.replaceAll(".", "+"), 16, 128);
    if (iterations === undefined || salt === undefined || hash === undefined) return undefined;
    const blocks = Math.ceil(hash.length / (digestLengths.get(digest) ?? 1));
    if (iterations < 1 || iterations * blocks > maxIterations) return undefined;
    return {
      algorithm: `pbkdf2-${digest}`,
      importable: true,
      verify: (password) => isSameBytes(pbkdf2Sync(password, salt, iterations, hash.length, digest), hash),
    };
  },
};

const maxIterations = 10_000_000;
const digestLengths: ReadonlyMap<string, number> = new Map([
  ["sha1", 20],
  ["sha256", 32],
  ["sha512", 64],
]);

function readIterations(text: string): number | undefined {
  if (/^[1-9][0-9]{0,9}$/.test(text)) return Number(text);
  return readParameters(text, ["i"], ["l"])?.i;
}
