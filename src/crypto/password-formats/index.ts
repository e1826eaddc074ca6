import { argon2Format } from "./argon2.ts";
import { bcryptFormat } from "./bcrypt.ts";
import type { PasswordFormat, ReadableHash } from "./format.ts";
import { pbkdf2Format } from "./pbkdf2.ts";
import { scryptFormat } from "./scrypt.ts";

/** Every format that can be verified. Formats are never removed: old hashes must verify forever. */
export const passwordFormats: readonly PasswordFormat[] = [
  argon2Format,
  bcryptFormat,
  scryptFormat,
  pbkdf2Format,
];

/** The hash, understood by the one format that it is of; undefined if there is none. Bounded for huge texts. */
export function readPasswordHash(hash: string): ReadableHash | undefined {
  if (hash.length > maxHashLength) return undefined;
  for (const format of passwordFormats) {
    const readable = format.read(hash);
    if (readable !== undefined) return readable;
  }
  return undefined;
}

// As long as the contract lets an imported hash be (ostiary.identity.v1).
const maxHashLength = 1024;
