import { hasPassed, type Instant, instantOf, never } from "../instant.ts";
import type { TenantSettings } from "../tenant/tenant.ts";
import type { Session } from "./session.ts";

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
  if (settings.idleTimeoutMs === 0) return undefined;
  return new Date(session.lastUsedAt.getTime() + settings.idleTimeoutMs);
}

/** The time that a session must have been used since to count as active; undefined where there is no limit. */
export function idleSince(settings: SessionSettings, now: Date): Date | undefined {
  return settings.idleTimeoutMs === 0 ? undefined : new Date(now.getTime() - settings.idleTimeoutMs);
}

/**
 * When a session that is extended now ends: a full lifetime from now, at most `maxLifetimeMs` after the last
 * authentication (ASVS V7.3.2: an absolute limit that no extension moves), and never earlier than it already does.
 */
export function extendedExpiry(session: Session, settings: SessionSettings, now: Date): Instant {
  const full = now.getTime() + settings.lifetimeMs;
  const limit = session.authenticatedAt.getTime() + settings.maxLifetimeMs;
  return instantOf(new Date(Math.max(session.expiresAt.getTime(), Math.min(full, limit))));
}
