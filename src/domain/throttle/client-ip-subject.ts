import ipaddr from "ipaddr.js";

/**
 * What a client IP is counted as: an IPv4 address by itself, an IPv6 address by its /64, which is what one customer
 * has at least (RFC 6177). Counted singly, one customer would have 2^64 of them.
 */
export function clientIpSubject(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  if (parsed.kind() === "ipv4") return parsed.toString();
  const [first, second, third, fourth] = (parsed as ipaddr.IPv6).parts;
  return `${[first, second, third, fourth].map((part) => (part ?? 0).toString(16)).join(":")}::/64`;
}
