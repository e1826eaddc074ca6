// SPDX-License-Identifier: Apache-2.0

/** The part of `node:crypto` that is used here, which Node, Deno, Bun and workers with its names have. */
interface CryptoModule {
  hash?(algorithm: "sha256", data: string, encoding: "base64url"): string;
  createHash(algorithm: "sha256"): { update(data: string): { digest(encoding: "base64url"): string } };
}
interface RuntimeWithModules {
  readonly process?: { getBuiltinModule?(name: "node:crypto"): CryptoModule | undefined };
}

const crypto = (globalThis as RuntimeWithModules).process?.getBuiltinModule?.("node:crypto");

/**
 * What a secret text is kept by: its digest, so that no token stands in memory for longer than its request. A runtime without a digest
 * that is ready at once keeps the text itself.
 */
export function keyOfText(text: string): string {
  if (crypto === undefined) return text;
  return (
    crypto.hash?.("sha256", text, "base64url") ?? crypto.createHash("sha256").update(text).digest("base64url")
  );
}
