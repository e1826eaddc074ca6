import { describe, expect, test } from "vitest";
import { ProxyWatch } from "./proxy-watch.ts";

const minuteMs = 60_000;

function startWatch() {
  let now = Date.parse("2026-11-25T12:00:00Z");
  const warnings: string[] = [];
  const ignore = () => {};
  const watch = new ProxyWatch({
    clock: { now: () => new Date(now) },
    logger: {
      debug: ignore,
      info: ignore,
      error: ignore,
      warn: (_fields, message) => warnings.push(message),
    },
  });
  const calls = (count: number, address: string, forwarded = true, trustedProxy = false) => {
    const peer = { address, trustedProxy };
    const call = () => {
      watch.note(peer, forwarded);
      return watch.isUnlistedProxy(peer, forwarded);
    };
    return Array.from({ length: count }, call).at(-1);
  };
  return { calls, warnings, advance: (ms: number) => (now += ms) };
}

describe("limits by address", () => {
  test.each([
    "127.0.0.1",
    "::1",
    "10.1.2.3",
    "172.17.0.1",
    "192.168.0.9",
    "100.64.0.1",
    "fd00::1",
    "fe80::1",
  ])("are widened if everybody comes through %s, and the log says once what to do", (address) => {
    const { calls, warnings } = startWatch();
    expect(calls(19, address)).toBe(false);
    expect(calls(1, address)).toBe(true);
    expect(calls(100, address)).toBe(true);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(address);
    expect(warnings[0]).toContain("server.trusted_proxies");
  });

  // Security rule (SR-LIMIT-8): somebody on the internet who is alone on a quiet server gets out of nothing by sending a header.
  test.each(["203.0.113.5", "2001:db8::1", "8.8.8.8", "nonsense", ""])(
    "hold for %s, however alone it is",
    (address) => {
      const { calls, warnings } = startWatch();
      expect(calls(1000, address)).toBe(false);
      expect(warnings).toEqual([]);
    },
  );

  test("hold if the header was missing once", () => {
    const { calls } = startWatch();
    calls(50, "10.0.0.1");
    expect(calls(1, "10.0.0.1", false)).toBe(false);
    expect(calls(50, "10.0.0.1")).toBe(false);
  });

  test("hold again as soon as somebody else comes, and for five to ten minutes after", () => {
    const { calls, advance } = startWatch();
    expect(calls(50, "10.0.0.1")).toBe(true);
    expect(calls(1, "203.0.113.5", false)).toBe(false);
    expect(calls(50, "10.0.0.1")).toBe(false);
    advance(5 * minuteMs);
    expect(calls(50, "10.0.0.1")).toBe(false);
    advance(5 * minuteMs);
    expect(calls(50, "10.0.0.1")).toBe(true);
  });

  test("hold for an attacker within the network, as long as others come through a proxy that is trusted", () => {
    const { calls, advance } = startWatch();
    for (let minute = 0; minute < 30; minute++) {
      calls(1, "10.0.0.1", true, true);
      expect(calls(100, "10.0.0.66")).toBe(false);
      advance(minuteMs);
    }
  });

  test("are decided anew after a quiet time, and when the clock was set back", () => {
    const { calls, advance } = startWatch();
    calls(1, "203.0.113.5", false);
    advance(11 * minuteMs);
    expect(calls(20, "10.0.0.1")).toBe(true);
    advance(-60 * minuteMs);
    expect(calls(19, "10.0.0.1")).toBe(false);
    expect(calls(1, "10.0.0.1")).toBe(true);
  });
});
