import { isIP, isIPv4 } from "node:net";

/** Whether a listener bound to this address can be reached from this machine only. */
export function isLoopbackAddress(host: string): boolean {
  const bare = bareHost(host);
  if (isIPv4(bare)) return bare.startsWith("127.");
  return bare === "::1" || bare === "localhost" || /^::ffff:127\.\d+\.\d+\.\d+$/.test(bare);
}

/**
 * Whether a URL's host is this machine, so that plain http crosses no network. Names below `localhost` always are
 * (RFC 6761, section 6.3).
 */
export function isLoopbackHost(host: string): boolean {
  const bare = bareHost(host);
  return (
    isLoopbackAddress(bare) ||
    bare.endsWith(".localhost") ||
    /^::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}$/.test(bare)
  );
}

/** Whether a listener bound to this address takes connections on all of them. */
export function isWildcardAddress(host: string): boolean {
  const bare = bareHost(host);
  return bare === "0.0.0.0" || /^[0:]+$/.test(bare);
}

/** Whether a host is an address rather than a name. */
export function isAddress(host: string): boolean {
  return isIP(bareHost(host)) !== 0;
}

/** An IP address or a CIDR range. */
export function isAddressRange(text: string): boolean {
  const [address = "", prefix, ...rest] = text.split("/");
  const bits = isIP(address) === 4 ? 32 : 128;
  if (isIP(address) === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits);
}

/** A host with its port, if it names one, as they are written: `hooks.internal:8080`, `[::1]`. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number | undefined;
}

/** Reads `host` or `host:port`, without wildcards; an IPv6 address in brackets. Undefined if it is neither. */
export function readHostAndPort(text: string): HostAndPort | undefined {
  const [, host = "", digits] = /^(\[[0-9A-Fa-f:.]+\]|[^:/?#@\\*\s[\]]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const port = digits === undefined ? undefined : Number(digits);
  const isPort = port === undefined || (port >= 1 && port <= 65_535);
  return host !== "" && isPort && URL.canParse(`http://${host}`) ? { host, port } : undefined;
}

/** A host in lower case and without the brackets of an IPv6 address in a URL. */
export function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
}
