import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { inspectFile } from "./files.ts";

/** What keeps a file of certificate authorities from being used, with the file's name; undefined if nothing does. */
export function describeAuthorities(path: string): string | undefined {
  const { message } = inspectFile(path);
  if (message !== undefined) return `the file ${path} ${message}`;
  const text = readFileSync(path, "utf8");
  // OpenSSL takes a file without any certificate as an empty list, which would refuse every peer without a word.
  if (!text.includes("-----BEGIN CERTIFICATE-----")) return `the file ${path} has no certificate in PEM form`;
  try {
    createSecureContext({ ca: text });
  } catch (error) {
    return `the file ${path} cannot be used: ${reasonOf(error)}`;
  }
  return undefined;
}

/** What keeps `sslcert` and `sslkey` of a database URL from being used; undefined if nothing does. */
export function checkKeyPair(certificate: string | undefined, key: string | undefined): string | undefined {
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate === undefined || key === undefined) return "needs both sslcert and sslkey, or neither";
  for (const [name, path] of [
    ["sslcert", certificate],
    ["sslkey", key],
  ] as const) {
    const { message } = inspectFile(path);
    if (message !== undefined) return `has an ${name} that cannot be used: the file ${path} ${message}`;
  }
  try {
    createSecureContext({ cert: readFileSync(certificate), key: readFileSync(key) });
  } catch (error) {
    return `has an sslcert and sslkey that cannot be used: ${reasonOf(error)}`;
  }
  return undefined;
}

/** OpenSSL's words for what is wrong; they name no content. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown error";
  return "reason" in error && typeof error.reason === "string" ? error.reason : error.message.slice(0, 200);
}
