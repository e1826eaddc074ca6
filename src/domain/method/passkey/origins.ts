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
