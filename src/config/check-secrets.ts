import { createPrivateKey, type KeyObject } from "node:crypto";
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
    ...checkBearer(resolved),
    ...checkReports(resolved),
    ...checkClients(resolved),
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

/** Security rule (SR-MAIL-9): a guessed password could mark any address that mail was sent to. */
function checkReports({ postmarkPassword: password }: ResolvedSecrets): Problem[] {
  if (password === undefined || /^[!-~]{16,200}$/.test(password.secret.reveal())) return [];
  const message =
    "must have 16 to 200 characters, printable ASCII without spaces; `openssl rand -base64 24` makes one";
  return [{ key: password.key, message, insecure: true }];
}

/** RFC 6750, section 2.1: what a header can carry as a bearer token. */
function checkBearer({ oauth2ApiKey }: ResolvedSecrets): Problem[] {
  const isToken = oauth2ApiKey === undefined || /^[A-Za-z0-9._~+/-]+=*$/.test(oauth2ApiKey.secret.reveal());
  const message = "must be a bearer token: letters, digits and -._~+/ on one line";
  return isToken ? [] : [{ key: oauth2ApiKey.key, message }];
}

/** The secrets by which providers know the server. */
function checkClients({ providers }: ResolvedSecrets): Problem[] {
  return providers.flatMap(({ secret, key }) => {
    // RFC 6749, appendix A.2.
    const isWritable = /^[ -~]*$/.test(secret?.secret.reveal() ?? "");
    const isKey = secret?.secret.reveal().startsWith("-----BEGIN ") ?? false;
    const hint = isKey ? "is a key, which belongs in client_key" : "must be printable ASCII on one line";
    const keyMessage = key && problemOfKey(key.secret.reveal());
    return [
      ...(secret !== undefined && !isWritable ? [{ key: secret.key, message: hint }] : []),
      ...(key !== undefined && keyMessage !== undefined ? [{ key: key.key, message: keyMessage }] : []),
    ];
  });
}

/** The curves of RFC 7518, section 3.4. */
const curves = ["prime256v1", "secp384r1", "secp521r1"];

/** The message names nothing of the key. */
function problemOfKey(pem: string): string | undefined {
  const key = readPrivateKey(pem);
  if (key === undefined) {
    return "must be a private key in PEM (PKCS #8) without a passphrase: `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` makes one";
  }
  const { modulusLength = 0, namedCurve = "" } = key.asymmetricKeyDetails ?? {};
  const { asymmetricKeyType: type } = key;
  // RFC 7518, section 3.3.
  if (type === "rsa" && modulusLength >= 2048) return undefined;
  if (type === "ed25519" || (type === "ec" && curves.includes(namedCurve))) return undefined;
  return "must be an RSA key of at least 2048 bits, one of the curves P-256, P-384 and P-521, or Ed25519";
}

/** A private key in PEM; undefined if it is none. */
export function readPrivateKey(pem: string): KeyObject | undefined {
  if (!pem.trimStart().startsWith("-----BEGIN PRIVATE KEY-----")) return undefined;
  try {
    return createPrivateKey({ key: pem, format: "pem" });
  } catch {
    // What the library says may hold parts of the key.
    return undefined;
  }
}
