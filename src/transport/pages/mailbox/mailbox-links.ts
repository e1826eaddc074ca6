import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** More links than this are never open; the oldest go first. */
const mostLinks = 100;

/** The links to the mailbox that were not opened yet. */
export interface MailboxLinks {
  add(token: string): void;
  /** Takes a link out; false if there is none, or another call was faster. */
  take(token: string): boolean;
}

/**
 * Keeps links as empty files of a folder that only the server's account can enter, named by their digests: a link of one worker
 * opens at another, and once.
 */
export function createLinkFiles(folder: string): MailboxLinks {
  const pathOf = (token: string) => join(folder, createHash("sha256").update(token).digest("hex"));
  return {
    add: (token) => {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const ages = readdirSync(folder).map((name) => {
        const path = join(folder, name);
        return { path, madeMs: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 };
      });
      ages.sort((left, right) => right.madeMs - left.madeMs);
      for (const { path } of ages.slice(mostLinks - 1)) rmSync(path, { force: true });
      writeFileSync(pathOf(token), "", { mode: 0o600 });
    },
    take: (token) => {
      try {
        unlinkSync(pathOf(token));
        return true;
      } catch {
        // Of several calls for one link the first removes the file.
        return false;
      }
    },
  };
}
