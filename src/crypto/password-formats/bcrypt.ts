import { createHash } from "node:crypto";
import bcrypt from "bcrypt";
import { isSameText } from "../../domain/bytes.ts";
import type { PasswordFormat } from "./format.ts";

/**
 * Bcrypt: `$2a$`, `$2b$` and `$2y$` with cost 4 to 15. The three names are one algorithm for passwords up to 72
 * bytes, and what is longer is cut there, as every implementation does. `$2x$` (hashes of a broken
 * implementation), `$2z$` and `$2$` are refused.
 */
export const bcryptFormat: PasswordFormat = {
  name: "bcrypt",
  read: (hash) => {
    const match = /^\$2[aby]\$(0[4-9]|1[0-5])\$([./A-Za-z0-9]{22})([./A-Za-z0-9]{31})$/.exec(hash);
    const [, cost, salt, digest] = match ?? [];
    if (cost === undefined || salt === undefined || digest === undefined) return undefined;
    const settings = `$2b$${cost}$${withoutStrayBits(salt, 0x30)}`;
    const expected = settings + withoutStrayBits(digest, 0x3c);
    return {
      algorithm: "bcrypt",
      importable: true,
      verify: (password) => {
        const actual = bcrypt.hashSync(password.subarray(0, significantBytes), settings);
        return isSameText(actual, expected);
      },
    };
  },
};

/**
 * Django's `bcrypt_sha256$$2b$12$…`: bcrypt of the SHA-256 of the password in hexadecimal, so that no byte of a long one is
 * cut. Costs as in bcrypt.
 */
export const bcryptSha256Format: PasswordFormat = {
  name: "bcrypt-sha256",
  read: (hash) => {
    if (!hash.startsWith(sha256Prefix)) return undefined;
    const inner = bcryptFormat.read(hash.slice(sha256Prefix.length));
    return (
      inner && {
        ...inner,
        algorithm: "bcrypt-sha256",
        verify: (password) => inner.verify(Buffer.from(createHash("sha256").update(password).digest("hex"))),
      }
    );
  },
};

const sha256Prefix = "bcrypt_sha256$";
const significantBytes = 72;
const alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

// 22 characters hold 132 bits of a 128 bit salt, 31 hold 186 of a 184 bit digest. Some libraries (older PHP) fill
// the rest with noise, which no implementation reads but which a comparison of text would trip over.
function withoutStrayBits(text: string, mask: number): string {
  const last = alphabet.indexOf(text.slice(-1));
  return text.slice(0, -1) + alphabet.charAt(last & mask);
}
