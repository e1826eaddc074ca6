import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import type { Argon2Parameters, PasswordHasher } from "../domain/ports.ts";
import type { Secret } from "../domain/secret.ts";
import {
  computeArgon2id,
  currentArgon2Version,
  formatArgon2id,
  parseArgon2,
} from "./password-formats/argon2.ts";
import { readPasswordHash } from "./password-formats/index.ts";
import { WorkQueue, type WorkQueueLimits } from "./work-queue.ts";

/**
 * Hashes with argon2id and verifies every format of password-formats/, in libuv's threads, with bounded
 * concurrency and a bounded queue.
 *
 * Passwords are brought to Unicode's NFC before they are hashed (RFC 8265, section 4.2), so that the same
 * password typed on another system is the same bytes. Hashes that were imported may have been made without, so a
 * password that NFC changes is verified both ways; `verifyDecoy` then does the work twice as well.
 */
export function createPasswordHasher(limits: WorkQueueLimits): PasswordHasher {
  const queue = new WorkQueue(limits);
  return {
    hash: (password, parameters) =>
      queue.run(async () => {
        const salt = randomBytes(saltLength);
        const hash = await computeArgon2id(normalized(password), parameters, salt);
        return formatArgon2id(parameters, salt, hash);
      }),

    verify: async (password, hash) => {
      const readable = readPasswordHash(hash);
      if (readable === undefined) return false;
      return queue.run(async () => {
        for (const form of formsOf(password)) {
          if (await readable.verify(form)) return true;
        }
        return false;
      });
    },

    // Security rule: an unknown account costs what a wrong password costs (ASVS V6.3.8). Computing a hash with a
    // fixed salt is exactly the work of a failed verify, from the first call on, without a decoy hash to make.
    verifyDecoy: (password, parameters) =>
      queue.run(async () => {
        for (const form of formsOf(password)) await computeArgon2id(form, parameters, decoySalt);
      }),

    needsRehash: (hash, parameters) => !isCurrent(hash, parameters),

    importableAlgorithm: (hash) => {
      const readable = readPasswordHash(hash);
      return readable?.importable ? readable.algorithm : undefined;
    },
  };
}

/** How many hashes to compute at the same time where the configuration names no number: one for each core. */
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

function normalized(password: Secret): Buffer {
  return Buffer.from(password.reveal().normalize("NFC"));
}

/** What to try: the NFC form, and the password as given where that differs. */
function formsOf(password: Secret): readonly Buffer[] {
  const given = Buffer.from(password.reveal());
  const form = normalized(password);
  return form.equals(given) ? [form] : [form, given];
}

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
