/** Characters that end or cut user and password in a URL unless they are written as RFC 3986 has it (section 2.1). */
const encodings = { "%": "%25", "/": "%2F", "#": "%23", "?": "%3F", "@": "%40" } as const;

/**
 * What is wrong with the user and password of a URL as they are written, and what to write instead; undefined if they
 * can be read. `userInfo` is all that the author can have meant by them: what stands before the last `@`. The message
 * names characters, never the text.
 */
export function credentialMistake(userInfo: string): string | undefined {
  if (/[\p{Cc}\u2028\u2029]/u.test(userInfo)) return "must not contain line breaks or control characters";
  const found = Object.entries(encodings).filter(([character]) =>
    character === "%" ? /%(?![0-9A-Fa-f]{2})/.test(userInfo) : userInfo.includes(character),
  );
  if (found.length > 0) {
    const remedies = found.map(([character, encoded]) => `${character} as ${encoded}`).join(", ");
    return `has characters in its user or password that must be percent-encoded: write ${remedies}`;
  }
  try {
    decodeURIComponent(userInfo);
  } catch {
    return "has a user or password whose percent-encoding is not UTF-8: write a percent sign as %25";
  }
  return undefined;
}
