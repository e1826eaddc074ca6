import { describe, expect, test } from "vitest";
import { clientIpSubject } from "./client-ip-subject.ts";

describe("a client IP is counted", () => {
  test.each([
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["2001:db8:1:2::1", "2001:db8:1:2::/64"],
    ["2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"],
    ["2001:0DB8:0001:0002:0:0:0:9", "2001:db8:1:2::/64"],
    ["::1", "0:0:0:0::/64"],
    ["/run/socket", "/run/socket"],
  ])("%s as %s", (address, expected) => {
    expect(clientIpSubject(address)).toBe(expected);
  });

  test("apart from its neighbours", () => {
    expect(clientIpSubject("192.0.2.8")).not.toBe(clientIpSubject("192.0.2.7"));
    expect(clientIpSubject("2001:db8:1:3::1")).not.toBe(clientIpSubject("2001:db8:1:2::1"));
  });
});
