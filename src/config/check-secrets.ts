import type { Database } from "../../gen/ostiary/config/v1/config_pb.js";
import { checkEndpoint, checkService } from "./check-urls.ts";
import type { Problem } from "./problems.ts";
import type { ResolvedSecrets } from "./secrets.ts";

/** Checks resolved secrets: at the start, and when they are read again. */
export function checkSecrets(resolved: ResolvedSecrets, rules: DatabaseRules): Problem[] {
  return [
    ...checkSealingLength(resolved),
    ...checkDatabase(resolved, rules),
    ...(resolved.smtp?.kind === "wrong" ? resolved.smtp.problems : []),
    ...checkCalledUrls(resolved),
    ...checkSigning(resolved),
  ];
}

type DatabaseRules = Pick<Database, "allowPlainTextBeyondLoopback"> | undefined;

/** The least length of a sealing secret: 32 characters, as much as a key of AES-256 has bytes. */
export const minSealingLength = 32;

/** Security rule (SR-SECRET-3): a short secret could be guessed offline from anything that it sealed. */
function checkSealingLength(resolved: ResolvedSecrets): Problem[] {
  return resolved.sealing
    .filter(({ secret }) => [...secret.reveal()].length < minSealingLength)
    .map(({ key }) => ({
      key,
      message: `must have at least ${minSealingLength} characters; \`openssl rand -base64 32\` makes one`,
      insecure: true,
    }));
}

/** Whether the database's URL is one that the driver understands, and whether what it carries is protected. */
function checkDatabase({ database }: ResolvedSecrets, rules: DatabaseRules): Problem[] {
  if (database === undefined) return [];
  if (database.kind === "wrong") return [{ key: "database.url", message: database.message }];
  // Security rule (SR-CONFIG-1): traits, hashes and the database's password do not cross a network in plain text, or to a server whose
  // certificate is not checked, unless the operator allows it.
  if (database.isProtected || rules?.allowPlainTextBeyondLoopback) return [];
  const message =
    "a database beyond this machine needs TLS: add ?sslmode=verify-full (and &sslrootcert=/path/to/ca.crt for an authority of its own), or set database.allow_plain_text_beyond_loopback";
  return [{ key: "database.url", message, insecure: true }];
}

/** Checks the URLs that the server calls: each must be well formed and encrypted. */
function checkCalledUrls({ mailUrl, smsUrl, breachedPasswordsUrl: service }: ResolvedSecrets): Problem[] {
  const endpoints = [mailUrl, smsUrl].filter((url) => url !== undefined);
  return [
    ...endpoints.flatMap(({ key, secret }) => checkEndpoint(key, secret.reveal())),
    ...(service === undefined ? [] : checkService(service.key, service.secret.reveal())),
  ];
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
