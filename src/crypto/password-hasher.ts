import { availableParallelism } from "node:os";
import { passwordForm } from "../domain/password-form.ts";
import type { Argon2Parameters, PasswordHasher } from "../domain/ports.ts";
import type { Secret } from "../domain/secret.ts";
import { type HashLaneFigures, HashQueue, type HashQueueLimits } from "./hash-queue.ts";
import { HashThreads } from "./hash-threads.ts";
import type { PasswordText } from "./hash-work.ts";
import { currentArgon2Version, parseArgon2 } from "./password-formats/argon2.ts";
import { importableHash, readPasswordHash } from "./password-formats/index.ts";

/** The hasher of a process. */
export interface OwnPasswordHasher extends PasswordHasher {
  readonly figures: readonly HashLaneFigures[];
  /** Ends its threads. */
  close(): Promise<void>;
}

/**
 * Hashes with argon2id and verifies every format of password-formats/, in threads of its own (`HashThreads`), with bounded
 * concurrency and a bounded, fair queue (`HashQueue`).
 *
 * Passwords are hashed in the form of RFC 8265 (see `passwordForm`). Older hashes and imported ones may have been made of
 * another form of the same text, so a password that has several is compared in up to three of them, for every account;
 * `verifyDecoy` then does as much work.
 */
export function createPasswordHasher(limits: HashQueueLimits): OwnPasswordHasher {
  const queue = new HashQueue(limits);
  const threads = new HashThreads();
  return {
    get figures() {
      return queue.figures;
    },

    close: () => threads.close(),

    hash: async (password, parameters, asker) => {
      const text = passwordForm(password.reveal());
      const hash = await queue.run(asker, () => threads.run({ kind: "hash", text, parameters }));
      if (hash === undefined) throw new Error("a thread gave no hash");
      return hash;
    },

    compare: async (password, hash, parameters, asker) => {
      if (readPasswordHash(hash) === undefined) return noMatch;
      const forms = formsOf(password);
      const kind = await queue.run(asker, () => threads.run({ kind: "compare", hash, forms }));
      if (kind === undefined) return noMatch;
      return { matches: true, needsRehash: kind !== "current" || !isCurrent(hash, parameters) };
    },

    // Security rule (SR-ENUM-3): an unknown account costs what a wrong password costs (ASVS V6.3.8), waits in the same queue, and is
    // refused and dropped there in the same way. Computing a hash with a fixed salt is exactly the work of a failed comparison, from the
    // first call on, without a decoy hash to make.
    verifyDecoy: async (password, parameters, asker) => {
      const forms = formsOf(password);
      await queue.run(asker, () => threads.run({ kind: "decoy", forms, parameters }));
    },

    importable: importableHash,
  };
}

/**
 * Default number of hashes that are computed at the same time: one for each core but one, which is left to all else; one on a machine
 * with one core. `cores` are those that this process may use: Linux counts those it is bound to and the CPU limit of its cgroup.
 */
export function availableHashingConcurrency(cores: number = availableParallelism()): number {
  return Math.max(1, cores - 1);
}

const noMatch = { matches: false, needsRehash: false } as const;

/** The forms to try, each text once: nearly always one. */
function formsOf(password: Secret): readonly PasswordText[] {
  const typed = password.reveal();
  const forms = new Map<string, PasswordText["kind"]>([[passwordForm(typed), "current"]]);
  const others = [
    [typed.normalize("NFC"), "earlier"],
    [typed, "earlier"],
    [typed.normalize("NFKC"), "folded"],
  ] as const;
  for (const [text, kind] of others) if (!forms.has(text)) forms.set(text, kind);
  return [...forms].slice(0, maxForms).map(([text, kind]) => ({ kind, text }));
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
