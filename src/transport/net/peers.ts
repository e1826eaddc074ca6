import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import ipaddr from "ipaddr.js";
import { clientIpSubject } from "../../domain/throttle/client-ip-subject.ts";
import type { Connections } from "./connections.ts";
import type { Peer } from "./exchange.ts";

/** Knows who is at the other end of a connection, and which of them are proxies to believe. */
export interface Peers {
  /** Read once a connection, then remembered. */
  of(socket: Socket): Peer;
  /** Takes in a new connection, or destroys its socket, before anything is read of it. */
  accept(socket: Socket): void;
  /**
   * The client IP: the peer's own address, or, if the peer is a trusted proxy, the right-most address of
   * X-Forwarded-For that is not one. What stands left of it is whatever the client sent.
   */
  clientIpOf(peer: Peer, forwardedFor: string | undefined): string;
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = [Address, number];

const maxForwardedHops = 32;

/** Reads `server.trusted_proxies`: addresses and CIDR ranges. Throws a RangeError for anything else. */
export function parseTrustedProxies(trustedProxies: readonly string[]): readonly Range[] {
  return trustedProxies.map(parseRange);
}

/** Makes it from `server.trusted_proxies`. Throws a RangeError for what is neither an address nor a range. */
export function createPeers(trustedProxies: readonly string[], connections: Connections): Peers {
  const ranges = parseTrustedProxies(trustedProxies);
  const known = new WeakMap<Socket, Peer>();

  const isTrusted = (address: Address) =>
    ranges.some(
      ([network, bits]) => network.kind() === address.kind() && address.match([network, bits] as never),
    );

  const addressOf = (socket: Socket) => {
    const address = parseAddress(socket.remoteAddress ?? "");
    const text = address?.toString() ?? "";
    return {
      address: text,
      subject: clientIpSubject(text),
      trustedProxy: address !== undefined && isTrusted(address),
    };
  };
  const read = (socket: Socket): Peer => ({
    ...addressOf(socket),
    connection: connections.of(socket),
    encrypted: socket instanceof TLSSocket,
    certificate: certificateOf(socket),
    certificateProblem: certificateProblemOf(socket),
  });

  return {
    accept: (socket) => connections.accept(socket, addressOf(socket)),
    of(socket) {
      let peer = known.get(socket);
      if (peer === undefined) {
        peer = read(socket);
        known.set(socket, peer);
      }
      return peer;
    },
    clientIpOf(peer, forwardedFor) {
      if (!peer.trustedProxy || forwardedFor === undefined) return peer.address;
      let client = peer.address;
      for (const hop of forwardedFor.split(",").slice(-maxForwardedHops).reverse()) {
        const address = parseAddress(stripPort(hop.trim()));
        // What is no address was not written by a proxy to be trusted: the last good one is the best known.
        if (address === undefined) return client;
        client = address.toString();
        if (!isTrusted(address)) return client;
      }
      return client;
    },
  };
}

/** Whether a peer is a proxy that the listener believes: by its address, or by a certificate that holds now. */
export function isBelieved({ trustedProxy, certificate }: Peer, now: Date): boolean {
  return trustedProxy || (certificate !== undefined && dateProblemOf(certificate, now) === undefined);
}

/**
 * Why a certificate does not count now, as OpenSSL names it; undefined if it does. The handshake's check may be hours old on a connection
 * that stays open.
 */
export function dateProblemOf(certificate: X509Certificate, now: Date): string | undefined {
  // Asked for what must hold: of an invalid date neither "before" nor "after" is true.
  if (!(now >= certificate.validFromDate)) return "CERT_NOT_YET_VALID";
  return now <= certificate.validToDate ? undefined : "CERT_HAS_EXPIRED";
}

/** Whether an address is one of the machine itself. */
export function isLoopback(address: string): boolean {
  return parseAddress(address)?.range() === "loopback";
}

/** Whether an address is one of the machine itself or of a network that the internet does not reach. */
export function isInternal(address: string): boolean {
  return internalRanges.has(parseAddress(address)?.range() ?? "");
}

/**
 * An IP address as it is stored: IPv4-mapped IPv6 as IPv4, and without a zone, which has a meaning on one machine only.
 * Undefined if the text is no IP address.
 */
export function plainIp(text: string): string | undefined {
  return parseAddress(text.replace(/%[0-9a-z]+$/i, ""))?.toString();
}

const internalRanges: ReadonlySet<string> = new Set(
  "loopback private linkLocal uniqueLocal carrierGradeNat".split(" "),
);

function parseAddress(text: string): Address | undefined {
  // Strictly four decimals: ipaddr.js would also take the octal and short forms of inet_aton.
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  if (!ipaddr.IPv6.isValid(text)) return undefined;
  const address = ipaddr.IPv6.parse(text);
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

function parseRange(text: string): Range {
  const [host = "", bits] = text.split("/", 2);
  const address = parseAddress(host);
  const width = address?.kind() === "ipv4" ? 32 : 128;
  const length = bits === undefined ? width : Number(bits);
  if (address === undefined || bits === "" || !Number.isInteger(length) || length < 0 || length > width) {
    throw new RangeError(`server.trusted_proxies: "${text}" is neither an address nor a CIDR range`);
  }
  return [address, length];
}

/** Some proxies write `203.0.113.7:51312` or `[2001:db8::1]:51312`. */
function stripPort(hop: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(hop)?.[1];
  if (bracketed !== undefined) return bracketed;
  return /^[\d.]+:\d+$/.test(hop) ? hop.slice(0, hop.indexOf(":")) : hop;
}

function certificateOf(socket: Socket): X509Certificate | undefined {
  // Security rule (SR-ACCESS-4): a certificate counts only if one of the listener's authorities signed it. The handshake lets
  // others through, so that API keys work without a certificate.
  return socket instanceof TLSSocket && socket.authorized ? socket.getPeerX509Certificate() : undefined;
}

function certificateProblemOf(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket) || socket.authorized) return undefined;
  // Without a certificate there is an authorization error as well, which is nobody's mistake.
  if (socket.getPeerX509Certificate() === undefined) return undefined;
  // Typed as an Error, and a text in fact.
  return String(socket.authorizationError);
}
