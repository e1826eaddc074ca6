import type { Problem } from "./problems.ts";
import type { ResolvedSecrets } from "./secrets.ts";

/** The least length of a sealing secret: 32 characters, as much as a key of AES-256 has bytes. */
export const minSealingLength = 32;

/** Security rule: a short secret could be guessed offline from anything that it sealed. */
export function checkSealingLength(resolved: ResolvedSecrets): Problem[] {
  return resolved.sealing
    .filter(({ secret }) => [...secret.reveal()].length < minSealingLength)
    .map(({ key }) => ({
      key,
      message: `must have at least ${minSealingLength} characters; \`openssl rand -base64 32\` makes one`,
      insecure: true,
    }));
}

/** Whether the database's URL is one that the driver understands. The message never contains the URL. */
export function checkDatabaseUrl(resolved: ResolvedSecrets): Problem[] {
  const text = resolved.databaseUrl?.reveal();
  if (text === undefined || isDatabaseUrl(text)) return [];
  const message = "must be a URL such as postgresql://user:password@host:5432/database";
  return [{ key: "database.url", message }];
}

function isDatabaseUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol } = new URL(text);
  return (protocol === "postgres:" || protocol === "postgresql:") && /^[a-z]+:\/\//.test(text);
}
