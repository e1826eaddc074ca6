import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { passwordForm } from "../domain/password-form.ts";
import type { Argon2Parameters, PasswordHasher } from "../domain/ports.ts";
import type { Secret } from "../domain/secret.ts";
import {
  computeArgon2id,
  currentArgon2Version,
  formatArgon2id,
  parseArgon2,
} from "./password-formats/argon2.ts";
import { importableHash, readPasswordHash } from "./password-formats/index.ts";
import { WorkQueue, type WorkQueueFigures, type WorkQueueLimits } from "./work-queue.ts";

/**
 * Hashes with argon2id and verifies every format of password-formats/, in libuv's threads, with bounded
 * concurrency and a bounded queue.
 *
 * Passwords are hashed in the form of RFC 8265 (see `passwordForm`). Older hashes and imported ones may have been made of
 * another form of the same text, so a password that has several is compared in up to three of them, for every account;
 * `verifyDecoy` then does as much work.
 */
export function createPasswordHasher(
  limits: WorkQueueLimits,
): PasswordHasher & { readonly figures: WorkQueueFigures } {
  const queue = new WorkQueue(limits);
  return {
    get figures() {
      return queue.figures;
    },

    hash: (password, parameters) =>
      queue.run(async () => {
        const salt = randomBytes(saltLength);
        const form = Buffer.from(passwordForm(password.reveal()));
        const hash = await computeArgon2id(form, parameters, salt);
        return formatArgon2id(parameters, salt, hash);
      }),

    compare: async (password, hash, parameters) => {
      const readable = readPasswordHash(hash);
      if (readable === undefined) return noMatch;
      return queue.run(async () => {
        for (const { kind, bytes } of formsOf(password)) {
          // Security rule (SR-PASSWORD-3): hashes of ours are of no folded password. The work is done all the same, so that neither the
          // origin of a hash nor whether there is one shows in the time.
          const matches = await readable.verify(bytes);
          if (!matches || (kind === "folded" && !readable.imported)) continue;
          return { matches: true, needsRehash: kind !== "current" || !isCurrent(hash, parameters) };
        }
        return noMatch;
      });
    },

    // Security rule (SR-ENUM-3): an unknown account costs what a wrong password costs (ASVS V6.3.8). Computing a hash with a
    // fixed salt is exactly the work of a failed comparison, from the first call on, without a decoy hash to make.
    verifyDecoy: (password, parameters) =>
      queue.run(async () => {
        for (const { bytes } of formsOf(password)) await computeArgon2id(bytes, parameters, decoySalt);
      }),

    importable: importableHash,
  };
}

/** Default number of hashes that are computed at the same time: one for each core. */
export function availableHashingConcurrency(): number {
  return availableParallelism();
}

/**
 * The size for libuv's thread pool (UV_THREADPOOL_SIZE, set before the pool's first use): a thread for each hash
 * that runs, and libuv's usual four for name lookups and files, which must not wait behind passwords.
 */
export function recommendedThreadPoolSize(concurrency: number): number {
  return Math.min(concurrency + 4, maxThreadPoolSize);
}

// libuv's own upper limit.
const maxThreadPoolSize = 1024;
const saltLength = 16;
const decoySalt = Buffer.alloc(saltLength);

const noMatch = { matches: false, needsRehash: false } as const;

interface PasswordBytes {
  /**
   * `current`: as it is hashed today. `earlier`: by NFC alone, or as it was typed. `folded`: by NFKC, as some other systems
   * do (better-auth, Matrix Authentication Service).
   */
  readonly kind: "current" | "earlier" | "folded";
  readonly bytes: Buffer;
}

/** The forms to try, each text once: nearly always one. */
function formsOf(password: Secret): readonly PasswordBytes[] {
  const typed = password.reveal();
  const forms = new Map<string, PasswordBytes["kind"]>([[passwordForm(typed), "current"]]);
  const others = [
    [typed.normalize("NFC"), "earlier"],
    [typed, "earlier"],
    [typed.normalize("NFKC"), "folded"],
  ] as const;
  for (const [text, kind] of others) if (!forms.has(text)) forms.set(text, kind);
  return [...forms].slice(0, maxForms).map(([text, kind]) => ({ kind, bytes: Buffer.from(text) }));
}

// Bounds the work of one try. More forms has only a text that mixes decomposed letters, blanks and compatibility forms.
const maxForms = 3;

function isCurrent(hash: string, wanted: Argon2Parameters): boolean {
  const parsed = parseArgon2(hash);
  if (parsed === undefined) return false;
  const { type, version, parameters } = parsed;
  return (
    type === "argon2id" &&
    version === currentArgon2Version &&
    parameters.memoryKib === wanted.memoryKib &&
    parameters.iterations === wanted.iterations &&
    parameters.parallelism === wanted.parallelism
  );
}
