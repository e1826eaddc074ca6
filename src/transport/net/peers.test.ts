import { X509Certificate } from "node:crypto";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { describe, expect, test } from "vitest";
import { selfSignedCertificate } from "../../../test/support/certificate.ts";
import { Connections } from "./connections.ts";
import { createPeers, isInternal, isLoopback, parseTrustedProxies, plainIp } from "./peers.ts";

const x509 = new X509Certificate(selfSignedCertificate().cert);
const proxies = ["10.0.0.0/8", "192.0.2.1", "2001:db8:1::/48"];

function peersOf(trusted: readonly string[] = proxies) {
  return createPeers(trusted, new Connections({ total: 10, share: 10 }));
}

/** A socket, or a TLS socket with a certificate. */
function socketOf(remoteAddress: string | undefined): Socket {
  return Object.assign(new EventEmitter(), { remoteAddress }) as unknown as Socket;
}
function tlsOf(authorized: boolean, certificate: X509Certificate | undefined): Socket {
  const getPeerX509Certificate = () => certificate;
  const members = {
    remoteAddress: "192.0.2.9",
    authorized,
    authorizationError: "CERT_HAS_EXPIRED",
    getPeerX509Certificate,
  };
  return Object.create(
    TLSSocket.prototype,
    Object.fromEntries(Object.entries(members).map(([name, value]) => [name, { value }])),
  );
}

describe("the other end of a connection", () => {
  test.each([
    ["192.0.2.9", "192.0.2.9", "192.0.2.9", false],
    ["192.0.2.1", "192.0.2.1", "192.0.2.1", true],
    ["::ffff:10.1.2.3", "10.1.2.3", "10.1.2.3", true],
    ["11.0.0.1", "11.0.0.1", "11.0.0.1", false],
    ["2001:db8:1:2::3", "2001:db8:1:2::3", "2001:db8:1:2::/64", true],
    ["2001:db8:2::3", "2001:db8:2::3", "2001:db8:2:0::/64", false],
    [undefined, "", "", false],
  ])("%s is known by its address", (remoteAddress, address, subject, trustedProxy) => {
    expect(peersOf().of(socketOf(remoteAddress))).toMatchObject({
      ...{ address, subject, trustedProxy, encrypted: false },
      ...{ certificate: undefined, certificateProblem: undefined },
    });
  });

  test("is read once a connection", () => {
    const peers = peersOf();
    const socket = socketOf("192.0.2.9");
    expect(peers.of(socket)).toBe(peers.of(socket));
    expect(peers.of(socket)).not.toBe(peers.of(socketOf("192.0.2.9")));
  });

  test("is counted from the moment at which it is taken in, a proxy by nothing", () => {
    const connections = new Connections({ total: 10, share: 1 });
    const peers = createPeers(proxies, connections);
    const destroyed: string[] = [];
    const open = (remoteAddress: string, remotePort: number) => {
      const destroy = () => destroyed.push(remoteAddress);
      peers.accept(Object.assign(socketOf(remoteAddress), { remotePort, destroy }));
    };
    for (const remoteAddress of ["192.0.2.9", "192.0.2.9", "10.0.0.1", "10.0.0.1"]) {
      open(remoteAddress, destroyed.length + connections.open);
    }
    expect(destroyed).toEqual(["192.0.2.9"]);
    expect(connections.open).toBe(3);
  });

  // Security rule (SR-ACCESS-4): a certificate counts only if one of the listener's authorities signed it.
  test("shows a certificate that was signed, or why it does not count (SR-ACCESS-4)", () => {
    const of = (authorized: boolean, certificate: X509Certificate | undefined) => {
      const peer = peersOf().of(tlsOf(authorized, certificate));
      expect(peer.encrypted).toBe(true);
      return [peer.certificate, peer.certificateProblem];
    };
    expect(of(true, x509)).toEqual([x509, undefined]);
    expect(of(false, x509)).toEqual([undefined, "CERT_HAS_EXPIRED"]);
    expect(of(false, undefined)).toEqual([undefined, undefined]);
  });
});

// Security rule (SR-LIMIT-8): a header lets nobody out of the limits by IP address.
describe("the client IP (SR-LIMIT-8)", () => {
  const of = (address: string, forwardedFor: string | undefined) => {
    const peers = peersOf();
    return peers.clientIpOf(peers.of(socketOf(address)), forwardedFor);
  };

  test.each([
    ["192.0.2.9", "203.0.113.7", "192.0.2.9"],
    ["192.0.2.1", undefined, "192.0.2.1"],
    ["192.0.2.1", "203.0.113.7", "203.0.113.7"],
    ["192.0.2.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"],
    ["192.0.2.1", "198.51.100.1,203.0.113.7 , 10.0.0.5", "203.0.113.7"],
    ["192.0.2.1", "203.0.113.7, unknown, 10.0.0.5", "10.0.0.5"],
    ["192.0.2.1", "unknown", "192.0.2.1"],
    ["192.0.2.1", "", "192.0.2.1"],
    ["192.0.2.1", "10.0.0.5, 10.0.0.6", "10.0.0.5"],
    ["192.0.2.1", "203.0.113.7:51312", "203.0.113.7"],
    ["192.0.2.1", "[2001:db8::1]:51312", "2001:db8::1"],
    ["192.0.2.1", "[2001:db8::1]", "2001:db8::1"],
    ["192.0.2.1", "[2001:db8::1]x", "192.0.2.1"],
    ["192.0.2.1", "x[2001:db8::1]", "192.0.2.1"],
    ["192.0.2.1", "[2001:db8::1]:x", "192.0.2.1"],
    ["192.0.2.1", "2001:db8::1", "2001:db8::1"],
    ["192.0.2.1", "2001:db8::7:80", "2001:db8::7:80"],
    ["192.0.2.1", "::ffff:203.0.113.7", "203.0.113.7"],
    ["192.0.2.1", "203.0.113.7:", "192.0.2.1"],
    ["192.0.2.1", "203.0.113.7:80x", "192.0.2.1"],
    ["192.0.2.1", "x203.0.113.7:80", "192.0.2.1"],
    ["192.0.2.1", "0313.0.113.7", "192.0.2.1"],
    ["192.0.2.1", "203.7", "192.0.2.1"],
  ])("of %s with X-Forwarded-For %s is %s", (address, forwardedFor, clientIp) => {
    expect(of(address, forwardedFor)).toBe(clientIp);
  });

  test("is looked for among the last 32 hops", () => {
    const hops = (count: number) =>
      `203.0.113.7, ${Array.from({ length: count }, () => "10.0.0.5").join(", ")}`;
    expect(of("192.0.2.1", hops(31))).toBe("203.0.113.7");
    expect(of("192.0.2.1", hops(32))).toBe("10.0.0.5");
  });
});

describe("trusted proxies", () => {
  test.each([
    "192.0.2.0/33",
    "2001:db8::/129",
    "192.0.2.1/",
    "192.0.2.1/x",
    "192.0.2.1/1.5",
    "192.0.2.1/-1",
    "localhost",
    "",
  ])("are no %s", (text) => {
    expect(() => parseTrustedProxies([text])).toThrow(RangeError);
  });

  test.each([
    ["192.0.2.1/32", 32],
    ["192.0.2.1", 32],
    ["0.0.0.0/0", 0],
    ["2001:db8::", 128],
    ["2001:db8::/128", 128],
  ])("may be %s", (text, bits) => {
    expect(parseTrustedProxies([text])).toMatchObject([[expect.anything(), bits]]);
  });

  test("of one family are none of the other", () => {
    const peers = peersOf(["::/0"]);
    expect(peers.of(socketOf("192.0.2.1")).trustedProxy).toBe(false);
    expect(peers.of(socketOf("2001:db8::1")).trustedProxy).toBe(true);
  });
});

test.each([
  ["127.0.0.1", true, true],
  ["127.9.9.9", true, true],
  ["::1", true, true],
  ["10.1.2.3", false, true],
  ["169.254.1.1", false, true],
  ["100.64.0.1", false, true],
  ["fd00::1", false, true],
  ["fe80::1", false, true],
  ["192.0.2.1", false, false],
  ["203.0.113.7", false, false],
  ["2a00::1", false, false],
  ["", false, false],
])("%s is an address of the machine: %s, or of a network within: %s", (address, loopback, internal) => {
  expect(isLoopback(address)).toBe(loopback);
  expect(isInternal(address)).toBe(internal);
});

test.each([
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["fe80::1%eth0", "fe80::1"],
  ["fe80::1%ETH0", "fe80::1"],
  ["192.0.2.1", "192.0.2.1"],
  ["192.0.2.1:80", undefined],
  ["fe80::1%eth0%", undefined],
  ["192%x.0.2.1", undefined],
  ["nothing", undefined],
])("%s is stored as %s", (text, stored) => {
  expect(plainIp(text)).toBe(stored);
});
