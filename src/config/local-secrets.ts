import { randomBytes } from "node:crypto";
import { link, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { Secret } from "../domain/secret.ts";
import { minSealingLength } from "./check-secrets.ts";
import { describeFileError, readSecretFile } from "./files.ts";
import { ConfigError } from "./problems.ts";

/**
 * The sealing secret in a data directory: `sealing.key`, made at the first call (0600; a missing directory 0700)
 * and read at later ones. Two processes that start at once get the same one. Throws a ConfigError if the file
 * cannot be made or is damaged; it is never made anew then, because what it sealed would be lost.
 */
export async function ensureLocalSecrets(dataDirectory: string): Promise<Secret> {
  const path = join(dataDirectory, "sealing.key");
  const existing = readSecretFile(path);
  if (existing.kind === "wrong" && existing.message !== missing) throw unusable(path, existing.message);
  if (existing.kind === "wrong") await make(dataDirectory, path);
  // Read back also after making it: if another process was faster, its secret is the one.
  const secret = readSecretFile(path);
  if (secret.kind === "wrong") throw unusable(path, secret.message);
  if (secret.text.length < minSealingLength) throw unusable(path, "is damaged: it is too short");
  return new Secret(secret.text);
}

const missing = describeFileError(Object.assign(new Error(), { code: "ENOENT" }));

/** Writes the file whole beside its place and links it in: it never exists half, and an existing one wins. */
async function make(dataDirectory: string, path: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
    const file = await open(draft, "wx", 0o600);
    try {
      await file.writeFile(`${randomBytes(32).toString("base64url")}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw unusable(path, `cannot be made: ${(error as NodeJS.ErrnoException).code ?? "unknown error"}`);
    }
  } finally {
    await rm(draft, { force: true });
  }
}

function unusable(path: string, message: string): ConfigError {
  return new ConfigError([`the sealing secret ${path} ${message}`]);
}
