import type { Problem } from "./problems.ts";
import type { ResolvedSecrets } from "./secrets.ts";

/** Everything that can be said of secrets once they are known; also after they were read again. */
export function checkSecrets(resolved: ResolvedSecrets): Problem[] {
  return [
    ...checkSealingLength(resolved),
    ...checkDatabaseUrl(resolved),
    ...checkSmtpUrl(resolved),
    ...checkSigning(resolved),
  ];
}

/** The least length of a sealing secret: 32 characters, as much as a key of AES-256 has bytes. */
export const minSealingLength = 32;

/** Security rule: a short secret could be guessed offline from anything that it sealed. */
function checkSealingLength(resolved: ResolvedSecrets): Problem[] {
  return resolved.sealing
    .filter(({ secret }) => [...secret.reveal()].length < minSealingLength)
    .map(({ key }) => ({
      key,
      message: `must have at least ${minSealingLength} characters; \`openssl rand -base64 32\` makes one`,
      insecure: true,
    }));
}

/** Whether the database's URL is one that the driver understands. The message never contains the URL. */
function checkDatabaseUrl(resolved: ResolvedSecrets): Problem[] {
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

/** Whether the SMTP server's URL can be used. The message never contains the URL. */
function checkSmtpUrl({ smtpUrl }: ResolvedSecrets): Problem[] {
  const text = smtpUrl?.reveal();
  if (text === undefined || isSmtpUrl(text)) return [];
  const message = "must be a URL such as smtp://user:password@mail.example.com:587 or smtps://…:465";
  return [{ key: "tenant_defaults.courier.smtp.url", message }];
}

function isSmtpUrl(text: string): boolean {
  if (!/^smtps?:\/\/[^/]/.test(text) || !URL.canParse(text)) return false;
  const { hostname, pathname, search, hash } = new URL(text);
  return hostname !== "" && ["", "/"].includes(pathname) && search === "" && hash === "";
}

/** Standard Webhooks 1.0.0, "Signature scheme": 24 to 64 bytes. */
function checkSigning({ mailSigning, smsSigning }: ResolvedSecrets): Problem[] {
  return [...mailSigning, ...smsSigning].flatMap(({ key, secret }) => {
    const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret.reveal())?.[1];
    const length = encoded === undefined ? 0 : Buffer.from(encoded, "base64").length;
    if (length >= 24 && length <= 64) return [];
    return [{ key, message: "must be whsec_ and the base64 form of 24 to 64 random bytes" }];
  });
}
