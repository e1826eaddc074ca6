import { hexOf } from "../bytes.ts";
import { domainError } from "../errors.ts";
import type { FeedPosition } from "../event/feed.ts";
import type { Clock, TenantScope } from "../ports.ts";
import type { AuthenticatedSession } from "./session.ts";
import type { KnownSession, Reading, SessionCache } from "./session-cache.ts";
import type { SessionStore, SessionsRead } from "./store.ts";

/**
 * How what is known of a session may be read.
 *
 * - `bounded`: from memory as well, where the event feed vouches for it, at most `session.max_staleness` old. For checks.
 * - `strong`: from the database, by a read that is begun for this call. For what leads to a change.
 */
export type Consistency = "bounded" | "strong";

/** How sessions are to be read. */
export interface ReadingWish {
  readonly consistency: Consistency;
  /** A position of the event log that the answer is to include. Default: any. */
  readonly atLeast?: FeedPosition | undefined;
}

/** A session that counts, and how fresh that is. */
export interface ReadSession extends AuthenticatedSession {
  readonly reading: Reading;
}

/** What is known of several tokens. */
export interface KnownSessions extends Reading {
  /** By `hexOf` the digest; those that there are. */
  readonly found: ReadonlyMap<string, AuthenticatedSession>;
}

/** From the database, for this call alone. */
export const strongly: ReadingWish = { consistency: "strong" };

/** From memory as well, where that is vouched for. */
export const bounded: ReadingWish = { consistency: "bounded" };

interface Deps {
  readonly store: Pick<SessionStore, "findByTokenDigests">;
  readonly cache: SessionCache;
  readonly clock: Clock;
}

/** Finds sessions by their tokens: in the cache, or by one statement that those share who ask for the same at the same time. */
export class SessionReader {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** What is known of one token. Throws POSITION_NOT_INCLUDED. At most one round trip. */
  async find(
    scope: TenantScope,
    digest: Uint8Array,
    { consistency, atLeast }: ReadingWish,
  ): Promise<KnownSession> {
    const { cache } = this.#deps;
    const key = keyOf(scope, hexOf(digest));
    if (consistency === "strong") return this.#readOne(scope, digest, key, atLeast);
    const known = cache.find(key, atLeast);
    if (known !== undefined) return known;
    // What others read may have begun before the position was there.
    const joined = atLeast === undefined ? cache.joinable<KnownSession>(key) : undefined;
    if (joined !== undefined) return { ...(await joined), isStrong: false };
    return this.#readOne(scope, digest, key, atLeast);
  }

  /** The same of several tokens. */
  async findAll(
    scope: TenantScope,
    digests: readonly Uint8Array[],
    wish: ReadingWish,
  ): Promise<KnownSessions> {
    const [first, ...others] = digests;
    if (first === undefined) return { found: new Map(), position: undefined, isRecent: true, isStrong: true };
    if (others.length === 0) {
      const { found, ...known } = await this.find(scope, first, wish);
      return { found: new Map(found && [[hexOf(first), found]]), ...known };
    }
    return (
      (wish.consistency === "bounded" && this.#findKept(scope, digests, wish)) ||
      this.#readAll(scope, digests, wish)
    );
  }

  /** Only where all of them are kept: one statement reads as many as there are. */
  #findKept(
    scope: TenantScope,
    digests: readonly Uint8Array[],
    { atLeast }: ReadingWish,
  ): KnownSessions | undefined {
    const found = new Map<string, AuthenticatedSession>();
    let reading: Reading = { position: undefined, isRecent: true, isStrong: false };
    for (const hex of digests.map(hexOf)) {
      const known = this.#deps.cache.find(keyOf(scope, hex), atLeast);
      if (known === undefined) return undefined;
      if (known.found !== undefined) found.set(hex, known.found);
      reading = { ...known, isRecent: reading.isRecent && known.isRecent };
    }
    return { ...reading, found };
  }

  #readOne(
    scope: TenantScope,
    digest: Uint8Array,
    key: string,
    atLeast: FeedPosition | undefined,
  ): Promise<KnownSession> {
    const { cache, store, clock } = this.#deps;
    const begun = cache.begin();
    const answer = store.findByTokenDigests(scope, [digest], atLeast).then((read) => {
      const [session] = read.sessions;
      const found = session && { session: session.session, identity: session.identity };
      cache.keep(key, begun, found, clock.now());
      return { found, ...readingOf(read, atLeast) };
    });
    cache.share(key, begun, answer);
    return answer;
  }

  async #readAll(
    scope: TenantScope,
    digests: readonly Uint8Array[],
    { atLeast }: ReadingWish,
  ): Promise<KnownSessions> {
    const { cache, store, clock } = this.#deps;
    const begun = cache.begin();
    const read = await store.findByTokenDigests(scope, digests, atLeast);
    const found = new Map<string, AuthenticatedSession>();
    for (const { digest, session, identity } of read.sessions)
      found.set(hexOf(digest), { session, identity });
    for (const hex of digests.map(hexOf)) cache.keep(keyOf(scope, hex), begun, found.get(hex), clock.now());
    return { found, ...readingOf(read, atLeast) };
  }
}

/** Throws POSITION_NOT_INCLUDED. */
function readingOf({ position, includesAsked }: SessionsRead, atLeast: FeedPosition | undefined): Reading {
  if (atLeast !== undefined && !includesAsked) {
    throw domainError("POSITION_NOT_INCLUDED", {
      epoch: String(position?.epoch ?? 0n),
      sequence: String(position?.sequence ?? 0n),
    });
  }
  return { position, isRecent: true, isStrong: true };
}

function keyOf({ tenantId }: TenantScope, hex: string): string {
  return `${tenantId}/${hex}`;
}
