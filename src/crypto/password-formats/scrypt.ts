import { type ScryptOptions, scryptSync } from "node:crypto";
import { isSameBytes } from "../../domain/bytes.ts";
import type { PasswordFormat } from "./format.ts";
import { decodeBase64, readParameters } from "./phc.ts";

/**
 * Scrypt (RFC 7914): `$scrypt$ln=15,r=8,p=1$salt$hash` as in the PHC string format, where ln is the logarithm of
 * N; and the form of Ory Kratos, where ln is N itself and base64 is padded: `$scrypt$ln=16384,r=8,p=1$…==$…=`. A
 * number that could be both (up to 31) is a logarithm, since an N of 16 is not in use. Costs up to N = 2^17, r = 32,
 * p = 10 and 128 MiB are verified.
 */
export const scryptFormat: PasswordFormat = {
  name: "scrypt",
  read: (text) => {
    const match = /^\$scrypt\$([a-z0-9=,]{1,64})\$([^$]+)\$([^$]+)$/.exec(text);
    const [, parametersText = "", saltText = "", hashText = ""] = match ?? [];
    const values = readParameters(parametersText, ["ln", "r", "p"]);
    const salt = decodeBase64(saltText, 1, 128);
    const hash = decodeBase64(hashText, 16, 128);
    if (values === undefined || salt === undefined || hash === undefined) return undefined;
    const options = readCost(values.ln, values.r, values.p);
    if (options === undefined) return undefined;
    return {
      algorithm: "scrypt",
      importable: true,
      verify: (password) => isSameBytes(scryptSync(password, salt, hash.length, options), hash),
    };
  },
};

function readCost(ln: number, r: number, p: number): ScryptOptions | undefined {
  const cost = ln <= 31 ? 2 ** ln : ln;
  const isPowerOfTwo = Number.isInteger(Math.log2(cost));
  if (!isPowerOfTwo || cost < 2 || cost > 2 ** 17) return undefined;
  if (r < 1 || r > 32 || p < 1 || p > 10 || cost * r > 2 ** 20) return undefined;
  // RFC 7914, section 2: N is less than 2^(128 * r / 8).
  if (cost >= 2 ** (16 * r)) return undefined;
  return { N: cost, r, p, maxmem: 128 * r * (cost + p + 2) + 1024 };
}
