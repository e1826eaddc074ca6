import { encodeBase64 } from "./phc.ts";

/**
 * A hash as other software writes it, in the spelling that a format of this folder reads; as it stands if it has none of
 * these. Knows Django's `argon2$…`, `bcrypt$…`, `pbkdf2_sha256$…`, `pbkdf2_sha1$…` and `scrypt$…`, and better-auth's
 * `salt:key`. What is wrong within is for the format to refuse.
 */
export function respell(hash: string): string {
  for (const [pattern, spell] of spellings) {
    const match = pattern.exec(hash);
    if (match !== null) return spell(match.slice(1));
  }
  return hash;
}

type Spelling = readonly [pattern: RegExp, spell: (parts: readonly string[]) => string];

const spellings: readonly Spelling[] = [
  [/^argon2(\$argon2(?:id|i|d)\$.+)$/, ([rest = ""]) => rest],
  [/^bcrypt\$(\$2[aby]\$.+)$/, ([rest = ""]) => rest],
  // The salt is text, and its bytes are the salt.
  [
    /^pbkdf2_(sha1|sha256)\$([0-9]+)\$([^$]+)\$([^$]+)$/,
    ([digest = "", iterations = "", salt = "", hash = ""]) =>
      `$pbkdf2-${digest}$${iterations}$${base64(salt)}$${hash}`,
  ],
  [
    /^scrypt\$([0-9]+)\$([^$]+)\$([0-9]+)\$([0-9]+)\$([^$]+)$/,
    ([cost = "", salt = "", r = "", p = "", hash = ""]) =>
      `$scrypt$ln=${cost},r=${r},p=${p}$${base64(salt)}$${hash}`,
  ],
  // better-auth: the salt is the hexadecimal text, not the bytes that it stands for.
  [
    /^([0-9a-f]{32}):([0-9a-f]{128})$/,
    ([salt = "", key = ""]) =>
      `$scrypt$ln=14,r=16,p=1$${base64(salt)}$${encodeBase64(Buffer.from(key, "hex"))}`,
  ],
];

function base64(text: string): string {
  return encodeBase64(Buffer.from(text));
}
