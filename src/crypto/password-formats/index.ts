import { argon2Format } from "./argon2.ts";
import { bcryptFormat, bcryptSha256Format } from "./bcrypt.ts";
import type { PasswordFormat, ReadableHash } from "./format.ts";
import { pbkdf2Format } from "./pbkdf2.ts";
import { respell } from "./respell.ts";
import { scryptFormat } from "./scrypt.ts";

/** Every format that can be verified. Formats are never removed: old hashes must verify forever. */
export const passwordFormats: readonly PasswordFormat[] = [
  argon2Format,
  bcryptFormat,
  bcryptSha256Format,
  scryptFormat,
  pbkdf2Format,
];

/** A stored hash, understood. */
export interface StoredHash extends ReadableHash {
  /** Whether another system made it. */
  readonly imported: boolean;
}

/** The hash, understood by the one format that it is of; undefined if there is none. Bounded for huge texts. */
export function readPasswordHash(hash: string): StoredHash | undefined {
  const isMarked = hash.startsWith(`${importedMark}$argon2`);
  const readable = readFormat(isMarked ? hash.slice(importedMark.length) : hash);
  // Of the formats that are written otherwise we make none.
  return readable && { ...readable, imported: isMarked || !readable.algorithm.startsWith("argon2") };
}

/**
 * What to store of a hash that another system made: in the spelling of one of the formats. An argon2 hash is marked as
 * imported until the first login replaces it, since nothing else tells it from ours. Undefined if it cannot be taken.
 */
export function importableHash(
  hash: string,
): { readonly hash: string; readonly algorithm: string } | undefined {
  if (hash.length > maxHashLength) return undefined;
  const spelled = respell(hash);
  const readable = readFormat(spelled);
  if (!readable?.importable) return undefined;
  const { algorithm } = readable;
  return { hash: algorithm.startsWith("argon2") ? `${importedMark}${spelled}` : spelled, algorithm };
}

function readFormat(hash: string): ReadableHash | undefined {
  if (hash.length > maxHashLength) return undefined;
  for (const format of passwordFormats) {
    const readable = format.read(hash);
    if (readable !== undefined) return readable;
  }
  return undefined;
}

const importedMark = "$imported";
// As long as the contract lets an imported hash be (ostiary.identity.v1).
const maxHashLength = 1024;
