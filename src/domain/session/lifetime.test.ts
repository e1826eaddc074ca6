import { describe, expect, test } from "vitest";
import type { IdentityId, SessionId } from "../ids.ts";
import { instantOf, never } from "../instant.ts";
import { extendedExpiry, idleExpiry, idleSince, longestOf, sessionEnd } from "./lifetime.ts";
import type { Session } from "./session.ts";

const hourMs = 3_600_000;
const start = instantOf(new Date("2026-11-24T00:00:00Z"));
const hoursLater = (hours: number) => instantOf(new Date(start.getTime() + hours * hourMs));
const settings = {
  lifetimeMs: 24 * hourMs,
  maxLifetimeMs: 72 * hourMs,
  idleTimeoutMs: 0,
  aal2: { maxLifetimeMs: 12 * hourMs, idleTimeoutMs: 0 },
  maxParallel: 50,
  cookie: { name: "ostiary_session", domain: undefined, persistent: true },
};
const session: Session = {
  id: "s" as SessionId,
  identityId: "i" as IdentityId,
  createdAt: start,
  updatedAt: start,
  assuranceLevel: "aal1",
  authenticationMethods: [],
  authenticatedAt: start,
  expiresAt: hoursLater(24),
  lastUsedAt: start,
  revokedAt: never,
  device: { ipAddress: undefined, userAgent: undefined },
};

describe("a session", () => {
  test("holds until the moment of its end, and not at it", () => {
    expect(sessionEnd(session, settings, new Date(hoursLater(24).getTime() - 1))).toBeUndefined();
    expect(sessionEnd(session, settings, hoursLater(24))).toBe("SESSION_EXPIRED");
  });

  test("that was revoked says so even after its end", () => {
    expect(sessionEnd({ ...session, revokedAt: start }, settings, hoursLater(48))).toBe("SESSION_REVOKED");
  });

  test("that is not used ends with the idle time-out (ASVS V7.3.1)", () => {
    const idle = { ...settings, idleTimeoutMs: hourMs };
    expect(idleExpiry(session, idle)).toEqual(hoursLater(1));
    expect(sessionEnd(session, idle, hoursLater(0.9))).toBeUndefined();
    expect(sessionEnd(session, idle, hoursLater(1))).toBe("SESSION_EXPIRED");
    expect(sessionEnd({ ...session, lastUsedAt: hoursLater(1) }, idle, hoursLater(1.5))).toBeUndefined();
  });

  test("has no idle limit unless one is set", () => {
    expect(idleExpiry(session, settings)).toBeUndefined();
    expect(idleSince(settings, hoursLater(3))).toEqual({ aal1: undefined, aal2: undefined });
  });

  // Security rule (SR-SESSION-6): a session that is worth more ends sooner.
  test("of two factors has limits of its own where they are shorter (SR-SESSION-6)", () => {
    const strong = { ...session, assuranceLevel: "aal2" } as const;
    const own = { ...settings, aal2: { maxLifetimeMs: 12 * hourMs, idleTimeoutMs: hourMs } };
    expect([idleExpiry(session, own), idleExpiry(strong, own)]).toEqual([undefined, hoursLater(1)]);
    expect(idleSince(own, hoursLater(3))).toEqual({ aal1: undefined, aal2: hoursLater(2) });
    const shorter = { ...own, idleTimeoutMs: hourMs / 2 };
    expect([idleExpiry(session, shorter), idleExpiry(strong, shorter)]).toEqual([
      hoursLater(0.5),
      hoursLater(0.5),
    ]);
    expect([longestOf("aal1", own), longestOf("aal2", own)]).toEqual([72 * hourMs, 12 * hourMs]);
    expect(longestOf("aal2", { ...own, maxLifetimeMs: hourMs })).toBe(hourMs);
    const extended = extendedExpiry({ ...strong, expiresAt: hoursLater(2) }, own, hoursLater(1));
    expect(extended).toEqual(hoursLater(12));
  });
});

describe("an extension", () => {
  test("gives a full lifetime from now", () => {
    expect(extendedExpiry(session, settings, hoursLater(10))).toEqual(hoursLater(34));
  });

  test("never goes beyond the absolute limit after the last authentication (ASVS V7.3.2)", () => {
    expect(extendedExpiry({ ...session, expiresAt: hoursLater(71) }, settings, hoursLater(70))).toEqual(
      hoursLater(72),
    );
  });

  test("never shortens a session", () => {
    expect(extendedExpiry({ ...session, expiresAt: hoursLater(100) }, settings, hoursLater(1))).toEqual(
      hoursLater(100),
    );
  });
});
