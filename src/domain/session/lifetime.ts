import { hasPassed, type Instant, instantOf, never } from "../instant.ts";
import type { TenantSettings } from "../tenant/tenant.ts";
import type { AssuranceLevel, Session } from "./session.ts";

type SessionSettings = TenantSettings["session"];

/** Reason why a session has ended; undefined while it is live. */
export type SessionEnd = "SESSION_REVOKED" | "SESSION_EXPIRED";

/** Whether and why a session has ended. */
export function sessionEnd(session: Session, settings: SessionSettings, now: Date): SessionEnd | undefined {
  if (session.revokedAt !== never) return "SESSION_REVOKED";
  if (hasPassed(session.expiresAt, now)) return "SESSION_EXPIRED";
  const idle = idleExpiry(session, settings);
  return idle !== undefined && idle <= now ? "SESSION_EXPIRED" : undefined;
}

/** Whether a session counts, or why it does not. */
export type SessionState = "active" | "expired" | "revoked";

/** The state of a session at a time. */
export function sessionState(session: Session, settings: SessionSettings, now: Date): SessionState {
  switch (sessionEnd(session, settings, now)) {
    case undefined:
      return "active";
    case "SESSION_EXPIRED":
      return "expired";
    case "SESSION_REVOKED":
      return "revoked";
  }
}

/** When the session ends if it is not used before; undefined where there is no idle limit. */
export function idleExpiry(session: Session, settings: SessionSettings): Date | undefined {
  const idleMs = idleTimeoutOf(session.assuranceLevel, settings);
  return idleMs === undefined ? undefined : new Date(session.lastUsedAt.getTime() + idleMs);
}

/** The time that a session of each level must have been used since to count as active; undefined where there is no limit. */
export type IdleSince = Readonly<Partial<Record<AssuranceLevel, Date | undefined>>>;

/** When sessions must have been used since to be active now. */
export function idleSince(settings: SessionSettings, now: Date): IdleSince {
  const since = (level: AssuranceLevel) => {
    const idleMs = idleTimeoutOf(level, settings);
    return idleMs === undefined ? undefined : new Date(now.getTime() - idleMs);
  };
  return { aal1: since("aal1"), aal2: since("aal2") };
}

/** The shorter one of those that there are. */
function idleTimeoutOf(level: AssuranceLevel, { idleTimeoutMs, aal2 }: SessionSettings): number | undefined {
  const limits = [idleTimeoutMs, level === "aal2" ? aal2.idleTimeoutMs : 0].filter((limit) => limit > 0);
  return limits.length === 0 ? undefined : Math.min(...limits);
}

/**
 * The longest time that a session lasts after its last authentication. Security rule (SR-SESSION-6): a session that is worth more ends
 * sooner (ASVS V7.3.1, V7.3.2; NIST SP 800-63B-4, section 2.2.3).
 */
export function longestOf(level: AssuranceLevel, { maxLifetimeMs, aal2 }: SessionSettings): number {
  return level === "aal2" ? Math.min(maxLifetimeMs, aal2.maxLifetimeMs) : maxLifetimeMs;
}

/**
 * When a session that is extended now ends: a full lifetime from now, at most the longest time after the last
 * authentication (ASVS V7.3.2: an absolute limit that no extension moves), and never earlier than it already does.
 */
export function extendedExpiry(session: Session, settings: SessionSettings, now: Date): Instant {
  const full = now.getTime() + settings.lifetimeMs;
  const limit = session.authenticatedAt.getTime() + longestOf(session.assuranceLevel, settings);
  return instantOf(new Date(Math.max(session.expiresAt.getTime(), Math.min(full, limit))));
}
