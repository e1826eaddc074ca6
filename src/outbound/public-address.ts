import { isIP, isIPv4 } from "node:net";
import ipaddr from "ipaddr.js";

/**
 * Whether an address is one of the public internet. Everything else is refused rather than listed: loopback, private
 * (RFC 1918), link-local (the clouds' metadata services), shared (CGNAT), unique-local, multicast, documentation,
 * benchmarking and reserved ranges, tunnels (6to4, Teredo), addresses with a zone, and what is no address in the one
 * form that sockets report.
 *
 * IPv4 within IPv6 counts as what it stands for where the network itself translates it: mapped (`::ffff:10.0.0.1`)
 * and NAT64 (`64:ff9b::10.0.0.1`; networks without IPv4 reach public hosts so).
 */
export function isPublicAddress(text: string): boolean {
  // Strictly first: ipaddr.js also reads the octal, hexadecimal and short forms of inet_aton, and zones.
  if (isIP(text) === 0 || text.includes("%")) return false;
  if (isIPv4(text)) return isPublicIpv4(ipaddr.IPv4.parse(text).toByteArray());
  // In hexadecimal alone: of `::8.8.8.8`, which is IPv4-compatible, ipaddr.js would make the mapped `::ffff:8.8.8.8`.
  const address = ipaddr.IPv6.parse(new URL(`http://[${text}]`).hostname.slice(1, -1));
  const bytes = address.toByteArray();
  switch (address.range()) {
    case "ipv4Mapped":
      return isPublicIpv4(bytes.slice(12));
    case "rfc6052":
      // 64:ff9b:1::/48 (RFC 8215) belongs to the local network, whatever stands in it.
      return bytes[5] === 0 && isPublicIpv4(bytes.slice(12));
    case "unicast":
      // Only 2000::/3 is given out by IANA as global; ::/96 (IPv4-compatible) and the rest are not.
      return (bytes[0] ?? 0) >> 5 === 1;
    default:
      return false;
  }
}

/** The Azure platform's own address: public by its number, but each virtual machine's host answers to it. */
const azurePlatform = "168.63.129.16";

function isPublicIpv4(bytes: number[]): boolean {
  const address = new ipaddr.IPv4(bytes);
  return address.range() === "unicast" && address.toString() !== azurePlatform;
}
