import { randomBytes } from "node:crypto";
import type { Argon2Parameters } from "../domain/ports.ts";
import { computeArgon2id, formatArgon2id } from "./password-formats/argon2.ts";
import { readPasswordHash } from "./password-formats/index.ts";

/** One form of a password's text, to try. */
export interface PasswordText {
  /**
   * `current`: as it is hashed today. `earlier`: by NFC alone, or as it was typed. `folded`: by NFKC, as some other systems
   * do (better-auth, Matrix Authentication Service).
   */
  readonly kind: "current" | "earlier" | "folded";
  readonly text: string;
}

/** Work for a thread: what goes there and comes back is copied. */
export type HashWork =
  /** Gives the hash in PHC form. */
  | { readonly kind: "hash"; readonly text: string; readonly parameters: Argon2Parameters }
  /** Gives the kind of the form that has the hash; undefined if none has. */
  | { readonly kind: "compare"; readonly hash: string; readonly forms: readonly PasswordText[] }
  /** Gives undefined. */
  | {
      readonly kind: "decoy";
      readonly forms: readonly PasswordText[];
      readonly parameters: Argon2Parameters;
    };

/** What comes of work. */
export type HashResult = string | undefined;

/** Does the work in the thread that calls it, which does nothing else meanwhile. */
export function doHashWork(work: HashWork): HashResult {
  switch (work.kind) {
    case "hash": {
      const salt = randomBytes(saltLength);
      return formatArgon2id(
        work.parameters,
        salt,
        computeArgon2id(Buffer.from(work.text), work.parameters, salt),
      );
    }
    case "compare":
      return compare(work.hash, work.forms);
    case "decoy":
      for (const { text } of work.forms) computeArgon2id(Buffer.from(text), work.parameters, decoySalt);
      return undefined;
    default:
      return work satisfies never;
  }
}

function compare(hash: string, forms: readonly PasswordText[]): PasswordText["kind"] | undefined {
  const readable = readPasswordHash(hash);
  for (const { kind, text } of forms) {
    // Security rule (SR-PASSWORD-3): hashes of ours are of no folded password. The work is done all the same, so that neither the
    // origin of a hash nor whether there is one shows in the time.
    const matches = readable?.verify(Buffer.from(text)) === true;
    if (matches && (kind !== "folded" || readable?.imported === true)) return kind;
  }
  return undefined;
}

const saltLength = 16;
const decoySalt = Buffer.alloc(saltLength);
