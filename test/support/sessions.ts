import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import type { TenantScope } from "../../src/domain/ports.ts";
import type { AuthenticatedSession } from "../../src/domain/session/session.ts";
import { type Reading, SessionCache } from "../../src/domain/session/session-cache.ts";
import type { SessionStore } from "../../src/domain/session/store.ts";
import type { TestApp } from "./app.ts";

/** Whether the session of a token still counts. */
export function isLive(app: TestApp, token: string): Promise<boolean> {
  return app
    .client(SessionService)
    .checkSession({ token })
    .then(
      () => true,
      () => false,
    );
}

/** The stored session of one token; undefined if there is none. */
export async function findByDigest(
  store: Pick<SessionStore, "findByTokenDigests">,
  scope: TenantScope,
  digest: Uint8Array,
): Promise<AuthenticatedSession | undefined> {
  const [found] = (await store.findByTokenDigests(scope, [digest])).sessions;
  return found && { session: found.session, identity: found.identity };
}

/** A reading of the database that was made for the call. */
export const strongReading: Reading = { position: undefined, isRecent: true, isStrong: true };

/** A cache that keeps nothing. */
export function offCache(): SessionCache {
  return new SessionCache(
    { position: undefined, heardAt: Number.NEGATIVE_INFINITY },
    { maxEntries: 0, maxBytes: 0, maxStalenessMs: 0 },
  );
}

/** Waits until a server has read the event log, by a read that begins after the call. */
export function untilHeard({ eventFeed }: Pick<TestApp, "eventFeed">): Promise<void> {
  const calledAt = performance.now();
  return new Promise((resolve) => {
    const stop = eventFeed.follow({
      heard: () => {
        if (eventFeed.heardAt <= calledAt) return;
        stop();
        resolve();
      },
      reset() {},
    });
    eventFeed.wake();
  });
}
