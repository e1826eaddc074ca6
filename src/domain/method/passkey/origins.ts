/** Which pages may call for passkeys of a domain. */

/** The domain that passkeys are made for: the configured one, else the host of the public URL; empty if there is none. */
export function rpIdOf(configured: string, publicUrl: string): string {
  if (configured !== "") return configured;
  return URL.canParse(publicUrl) ? new URL(publicUrl).hostname : "";
}

/** Whether a host is a domain or below it. */
export function isAtOrBelow(host: string, domain: string): boolean {
  return host === domain || host.endsWith(`.${domain}`);
}

/** The configured origins, else those of these pages at or below the domain. */
export function passkeyOrigins(
  configured: readonly string[],
  pages: readonly (string | undefined)[],
  rpId: string,
): readonly string[] {
  if (configured.length > 0) return configured;
  const own = pages.flatMap((page) => (page !== undefined && URL.canParse(page) ? [new URL(page)] : []));
  return [...new Set(own.filter(({ hostname }) => isAtOrBelow(hostname, rpId)).map(({ origin }) => origin))];
}

/** A fingerprint as platforms write it: pairs of upper-case hexadecimal digits between colons. */
export function writtenFingerprint(fingerprint: string): string {
  return (fingerprint.toUpperCase().match(/[0-9A-F]{2}/g) ?? []).join(":");
}

/** The origin that Apple's systems name for every app: that of the domain itself. */
export function appleOrigin(rpId: string): string {
  return `https://${rpId}`;
}

/** The origin of an Android app, by the SHA-256 fingerprint of the certificate that it is signed with. */
export function androidOrigin(fingerprint: string): string {
  const digest = Buffer.from(fingerprint.replaceAll(":", ""), "hex");
  return `android:apk-key-hash:${digest.toString("base64url")}`;
}
