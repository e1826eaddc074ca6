// SPDX-License-Identifier: Apache-2.0
// By which a script knows that nothing has changed since it ran.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Digest of the names and contents of files, and of all in folders but unit tests. */
export function digestOf(paths: readonly string[]): string {
  const hash = createHash("sha256");
  const files = paths.flatMap(filesIn).filter((name) => !name.includes(".test."));
  for (const file of files.sort()) hash.update(`${file}\0`).update(readFileSync(file)).update("\0");
  return hash.digest("hex");
}

/** The files of a folder and its folders, or the file itself; none if there is no such thing. */
export function filesIn(path: string): string[] {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Runs a build, unless both what goes into it and what it makes are as they were after the last one. */
export function buildIfChanged(
  { name, inputs, outputs }: { name: string; inputs: readonly string[]; outputs: readonly string[] },
  build: () => void,
): void {
  const file = `.cache/built/${name}`;
  const digest = () => digestOf([...inputs, ...outputs]);
  if (existsSync(file) && readFileSync(file, "utf8") === digest()) return;
  rmSync(file, { force: true });
  build();
  mkdirSync(".cache/built", { recursive: true });
  writeFileSync(file, digest());
}
