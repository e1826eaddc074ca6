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

/** `host` or `host:port`, without wildcards; an IPv6 address in brackets. */
export function isHostAndPort(text: string): boolean {
  const [, host = "", port = "1"] =
    /^(\[[0-9A-Fa-f:.]+\]|[^:/?#@\\*\s[\]]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  return host !== "" && URL.canParse(`http://${host}`) && Number(port) >= 1 && Number(port) <= 65_535;
}

/** Without the brackets of an IPv6 address in a URL. */
function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
}
