/**
 * A format of password hashes. One file each in this folder, and one line in index.ts. Hashes come from other
 * systems and from people, so `read` is strict, never throws, and costs no more than looking at the text.
 */
export interface PasswordFormat {
  /** The family: `argon2`, `bcrypt`. */
  readonly name: string;
  /** The hash, understood; undefined if it is not of this format, is malformed, or too expensive to verify. */
  read(hash: string): ReadableHash | undefined;
}

/** A hash that can be verified. */
export interface ReadableHash {
  /** Name of the algorithm, as it is stored and shown: `argon2id`, `pbkdf2-sha256`. */
  readonly algorithm: string;
  /** Whether its cost is one that an import may bring. Our own parameters may be set higher than that. */
  readonly importable: boolean;
  /** Does the work, in the thread that calls it, and compares in constant time. */
  verify(password: Buffer): boolean;
}
