import { createHmac, hash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";
import type { IssuedToken, ParsedToken, TokenKind, Tokens } from "../domain/ports.ts";
import { Secret } from "../domain/secret.ts";

/**
 * Makes and reads tokens of the form `<prefix>_<tenant>_<secret><checksum>`, for example
 * `ost_ses_default_` and 49 more characters. The secret is 256 random bits as 43 base62 characters; the checksum
 * is the CRC32 of all before it as 6, so that secret scanners and typing errors are told apart from real tokens
 * without I/O. Base62 keeps a token one word for a double click, in a URL and in a header.
 */
export function createTokens(): Tokens {
  return { issue: issueToken, following: followingToken, parse: parseToken };
}

const prefixes: Readonly<Record<TokenKind, string>> = {
  session: "ost_ses_",
  session_cookie: "ost_cki_",
  api_key: "ost_key_",
  flow: "ost_flw_",
  browser: "ost_brw_",
  link: "ost_lnk_",
  known_device: "ost_dev_",
  trusted_device: "ost_tdv_",
  invitation: "ost_inv_",
};
const kinds: ReadonlyMap<string, TokenKind> = new Map(
  (Object.entries(prefixes) as [TokenKind, string][]).map(([kind, prefix]) => [prefix, kind]),
);

const tenantNamePattern = /^[a-z][a-z0-9-]{0,31}$/;
const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const prefixLength = 8;
const secretBytes = 32;
// 62^43 is the first power of 62 above 2^256, and 62^6 the first above 2^32.
const secretLength = 43;
const checksumLength = 6;
const tailLength = secretLength + checksumLength;
const underscore = 0x5f;

const malformed: ParsedToken = { kind: "malformed" };
const otherKinds = Object.fromEntries(
  Object.keys(prefixes).map((kind) => [kind, { kind: "other_kind", actual: kind }]),
) as Readonly<Record<TokenKind, ParsedToken>>;

/** The value of each base62 character by its code; -1 for every other ASCII character. */
const digitValues = new Int8Array(128).fill(-1);
for (const [value, digit] of [...alphabet].entries()) digitValues[digit.charCodeAt(0)] = value;

function issueToken(kind: TokenKind, tenantName: string): IssuedToken {
  return tokenOf(kind, tenantName, randomBytes(secretBytes));
}

// The key is the token itself, of 256 random bits. So the following token cannot be derived without it, not even from the
// database. A rotation of the sealing secrets changes nothing.
function followingToken(kind: TokenKind, token: string, tenantName: string): IssuedToken {
  return tokenOf(kind, tenantName, createHmac("sha256", token).update("ostiary following token").digest());
}

function tokenOf(kind: TokenKind, tenantName: string, bytes: Buffer): IssuedToken {
  if (!tenantNamePattern.test(tenantName)) throw new TypeError("The tenant's name cannot stand in a token.");
  const secret = BigInt(`0x${bytes.toString("hex")}`);
  const body = `${prefixes[kind]}${tenantName}_${encodeBase62(secret, secretLength)}`;
  const token = body + encodeBase62(BigInt(crc32(body)), checksumLength);
  return { token: new Secret(token), digest: digestOf(token) };
}

// Runs on each session check, on unchecked input: nothing before the checksum looks at more than the beginning and the last
// characters, and the pattern of the tenant's name bounds the rest.
function parseToken(expected: TokenKind, text: string): ParsedToken {
  const kind = kinds.get(text.slice(0, prefixLength));
  if (kind === undefined) return malformed;

  const secretStart = text.length - tailLength;
  const checksumStart = text.length - checksumLength;
  if (text.charCodeAt(secretStart - 1) !== underscore || !isBase62(text, secretStart)) return malformed;
  const tenantName = text.slice(prefixLength, secretStart - 1);
  if (!tenantNamePattern.test(tenantName)) return malformed;
  // Everything is ASCII by now. The checksum is no secret, so comparing it may stop early.
  if (decodeBase62(text, checksumStart) !== crc32(text.slice(0, checksumStart))) return malformed;

  // Security rule (SR-TOKEN-1): a token of one kind is never accepted as another, however valid it is.
  if (kind !== expected) return otherKinds[kind];
  return { kind: "valid", digest: digestOf(text), tenantName };
}

function digestOf(token: string): Buffer {
  return hash("sha256", token, "buffer");
}

function isBase62(text: string, start: number): boolean {
  for (let index = start; index < text.length; index++) {
    if ((digitValues[text.charCodeAt(index)] ?? -1) < 0) return false;
  }
  return true;
}

function decodeBase62(text: string, start: number): number {
  let value = 0;
  for (let index = start; index < text.length; index++) {
    value = value * 62 + (digitValues[text.charCodeAt(index)] ?? 0);
  }
  return value;
}

function encodeBase62(value: bigint, length: number): string {
  let rest = value;
  let text = "";
  for (let index = 0; index < length; index++) {
    text = `${alphabet[Number(rest % 62n)]}${text}`;
    rest /= 62n;
  }
  return text;
}
