/**
 * The hosts of applications that a proxy asks this server about. A pattern is a host in lower case, with its port where that is not the
 * one of the scheme; `*.example.com` stands for every name below `example.com`, of any depth, and not for `example.com` itself.
 */
export type HostPattern = string;

/** Whether a pattern stands for a host. */
export function hostMatches(pattern: HostPattern, host: string): boolean {
  return pattern.startsWith("*.")
    ? host.length > pattern.length - 1 && host.endsWith(pattern.slice(1))
    : host === pattern;
}

/**
 * Whether an address lies at one of the hosts, so that a browser may be sent there after it has signed in.
 *
 * Security rule (SR-FORWARD-6): the text must be exactly what a browser makes of it. User info, backslashes, encoded line breaks and
 * look-alike hosts change when a URL is read, and so are refused. Plain http only where the server itself is reached so.
 */
export function isAtProtectedHost(
  text: string,
  patterns: readonly HostPattern[],
  publicUrl: string,
): boolean {
  if (patterns.length === 0 || !URL.canParse(text)) return false;
  const url = new URL(text);
  const isScheme = url.protocol === "https:" || (url.protocol === "http:" && publicUrl.startsWith("http:"));
  const isPlain = url.href === text && url.username === "" && url.password === "" && url.hash === "";
  return isScheme && isPlain && patterns.some((pattern) => hostMatches(pattern, url.host));
}
