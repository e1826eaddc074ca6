import { BlockList } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isPublicAddress } from "./public-address.ts";

/** IANA's special-purpose IPv4 registry, written out a second time and asked of another implementation. */
const special = new BlockList();
for (const range of [
  ..."0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24".split(" "),
  ..."192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24".split(" "),
  ..."198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 168.63.129.16/32".split(" "),
]) {
  const [network = "", bits] = range.split("/");
  special.addSubnet(network, Number(bits), "ipv4");
}

const hex = (bytes: readonly number[]) =>
  [0, 2].map((at) => (((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)).toString(16)).join(":");

describe("security rule (peers D 51): an address is public only if it is nothing else", () => {
  test.each([
    ["loopback", "127.0.0.1"],
    ["the end of loopback", "127.255.255.255"],
    ["this host", "0.0.0.0"],
    ["private, class A", "10.0.0.1"],
    ["private, class B", "172.16.0.1"],
    ["the end of class B", "172.31.255.255"],
    ["private, class C", "192.168.1.1"],
    ["link-local, where clouds keep credentials", "169.254.169.254"],
    ["shared by carriers", "100.64.0.1"],
    ["Alibaba's metadata, which is in there", "100.100.100.200"],
    ["Oracle's metadata", "192.0.0.192"],
    ["Azure's platform", "168.63.129.16"],
    ["documentation", "192.0.2.1"],
    ["documentation", "198.51.100.1"],
    ["documentation", "203.0.113.1"],
    ["benchmarking", "198.18.0.1"],
    ["6to4 relays", "192.88.99.1"],
    ["multicast", "224.0.0.1"],
    ["reserved", "240.0.0.1"],
    ["broadcast", "255.255.255.255"],
    ["IPv6 loopback", "::1"],
    ["unspecified", "::"],
    ["IPv6 link-local", "fe80::1"],
    ["IPv6 link-local with a zone", "fe80::1%eth0"],
    ["a public address with a zone", "2606:4700::1111%eth0"],
    ["site-local", "fec0::1"],
    ["unique-local", "fc00::1"],
    ["AWS's metadata, which is in there", "fd00:ec2::254"],
    ["IPv6 multicast", "ff02::1"],
    ["IPv6 documentation", "2001:db8::1"],
    ["IPv6 documentation, the newer one", "3fff::1"],
    ["discard", "100::1"],
    ["Teredo", "2001::1"],
    ["6to4 of a private address", "2002:0a00:0001::1"],
    ["6to4 of a public one", "2002:0808:0808::1"],
    ["IPv4-mapped loopback", "::ffff:127.0.0.1"],
    ["the same in hexadecimal", "::ffff:7f00:1"],
    ["the same written out", "0:0:0:0:0:ffff:7f00:0001"],
    ["IPv4-compatible loopback", "::127.0.0.1"],
    ["IPv4-compatible public", "::8.8.8.8"],
    ["IPv4-translated", "::ffff:0:8.8.8.8"],
    ["NAT64 of loopback", "64:ff9b::127.0.0.1"],
    ["NAT64 of the metadata", "64:ff9b::a9fe:a9fe"],
    ["the local NAT64 of a public address", "64:ff9b:1::8.8.8.8"],
    ["segment routing", "5f00::1"],
    ["not yet given out", "4000::1"],
  ])("%s: %s is not", (_name, address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  test.each([
    "",
    "localhost",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "08.8.8.8",
    "[::1]",
    "8.8.8.8 ",
  ])("%j, which is no address in the form of sockets, is not", (text) => {
    expect(isPublicAddress(text)).toBe(false);
  });

  // The control: the rule does not refuse everything.
  test.each(["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "169.253.0.1", "223.255.255.255"])(
    "%s is",
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
    },
  );

  test.each(["2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])(
    "%s is",
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
    },
  );
});

const anyByte = fc.integer({ min: 0, max: 255 });
/** Half of them begin like one of the special ranges, so that these are met. */
const ipv4 = fc.tuple(
  fc.oneof(anyByte, fc.constantFrom(0, 10, 100, 127, 168, 169, 172, 192, 198, 203, 224, 240, 255)),
  fc.oneof(anyByte, fc.constantFrom(0, 16, 18, 31, 51, 52, 63, 64, 88, 168, 175, 254)),
  fc.oneof(anyByte, fc.constantFrom(0, 2, 48, 99, 100, 113, 129, 193, 196)),
  fc.oneof(anyByte, fc.constantFrom(0, 1, 16, 254, 255)),
);

describe("any IPv4 address", () => {
  test("is public exactly if IANA's registry does not list it", () => {
    fc.assert(
      fc.property(ipv4, (bytes) => {
        const address = bytes.join(".");
        expect(isPublicAddress(address)).toBe(!special.check(address, "ipv4"));
      }),
      { numRuns: 2_000 },
    );
  });

  test("is judged the same where IPv6 stands for it, and never public in the other forms", () => {
    fc.assert(
      fc.property(ipv4, (bytes) => {
        const plain = bytes.join(".");
        const expected = isPublicAddress(plain);
        for (const form of [`::ffff:${plain}`, `::FFFF:${hex(bytes)}`, `64:ff9b::${hex(bytes)}`]) {
          expect([form, isPublicAddress(form)]).toEqual([form, expected]);
        }
        for (const form of [
          `::${plain}`,
          `::ffff:0:${plain}`,
          `2002:${hex(bytes)}::1`,
          `64:ff9b:1::${plain}`,
        ]) {
          expect([form, isPublicAddress(form)]).toEqual([form, false]);
        }
      }),
    );
  });
});

test("any other text is never taken for an address, and nothing throws", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."0123456789abcdefx.:%[]/ ") }), (text) => {
      const isPublic = isPublicAddress(text);
      expect(isPublic === true || isPublic === false).toBe(true);
      if (/[%[\]/ x]/.test(text)) expect(isPublic).toBe(false);
    }),
  );
});
