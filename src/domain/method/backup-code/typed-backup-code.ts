/** 80 bits: five in each character. */
export const backupCodeLength = 16;

/** Characters that are read as the one that they look like (Crockford's Base32). */
const alike: Readonly<Record<string, string>> = { O: "0", I: "1", L: "1" };
const hidden = /[\p{Default_Ignorable_Code_Point}\p{Cc}\s\p{Pd}\u2212]/gu;

/** A backup code as somebody typed or pasted it; undefined if it can be none. */
export function readBackupCode(text: string): string | undefined {
  const plain = text.normalize("NFKC").replace(hidden, "").toUpperCase();
  const code = plain.replace(/[OIL]/g, (letter) => alike[letter] ?? letter);
  return /^[0-9A-HJKMNP-TV-Z]+$/.test(code) && code.length === backupCodeLength ? code : undefined;
}

/** A backup code as people read it, in groups of four. */
export function writeBackupCode(code: string): string {
  return code.replace(/.{4}(?=.)/g, "$&-");
}
