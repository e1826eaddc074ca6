import { LRUCache } from "lru-cache";
import type { EventType } from "../event/event.ts";
import type { EventFeed, FeedEvent, FeedFollower, FeedPosition } from "../event/feed.ts";
import type { IdentityId, SessionId } from "../ids.ts";
import { never } from "../instant.ts";
import type { AuthenticatedSession } from "./session.ts";
import { outdatedBy } from "./session-change.ts";
import { ToldIds } from "./told-ids.ts";

/** The bounds of a cache. */
export interface SessionCacheLimits {
  /** 0: nothing is kept. */
  readonly maxEntries: number;
  /** An estimate, of the sessions and their identities. 0: nothing is kept. */
  readonly maxBytes: number;
  /** How old the last read of the event log may be for an entry to be used. */
  readonly maxStalenessMs: number;
}

/** How fresh is what is known of a session. */
export interface Reading {
  /** Where the log stood that it includes; undefined if that is not known. */
  readonly position: FeedPosition | undefined;
  /** Whether it was read within the bound on staleness. Only then it may be the reason of a refusal. */
  readonly isRecent: boolean;
  /** Whether it was read from the database for this call alone. */
  readonly isStrong: boolean;
}

/** What is known of a token: its session, which may have ended; undefined if there is none. */
export interface KnownSession extends Reading {
  readonly found: AuthenticatedSession | undefined;
}

/** A read of the database that is about to begin. */
export interface BegunRead {
  readonly at: number;
  readonly mark: number;
}

/** The part of an event that says what it is about. */
export type AboutSessions = Pick<FeedEvent, "type"> & {
  readonly identityId?: IdentityId | undefined;
  readonly sessionId?: SessionId | undefined;
};

/** The figures of a cache. */
export interface SessionCacheFigures {
  readonly hits: number;
  readonly misses: number;
  readonly entries: number;
  readonly bytes: number;
}

interface Entry {
  readonly found: AuthenticatedSession | undefined;
  readonly readAt: number;
}

/** Milliseconds of a clock that is never set, and of one that goes on while the machine is suspended. */
interface Watches {
  readonly now: () => number;
  readonly wall: () => number;
}

const watches: Watches = { now: () => performance.now(), wall: () => Date.now() };

/**
 * How long an entry is used. The feed makes it shorter, not this: it bounds how old the time of the last use is that other processes have
 * noted, and what a change by hand in the database can do.
 */
const longestUseMs = 60_000;

/** The most tokens that are known to be of no live session. */
const mostRefused = 10_000;

/** Told in place of an id: a token that was unknown may be known from now on. */
const tokenReplaced = "token replaced";

/**
 * Sessions with their identities, by the digests of their tokens: what was read, while the event feed says that nothing of it has changed.
 *
 * The feed tells of what the clock cannot know. An entry is used only while the last read of the log that succeeded was begun within
 * `maxStalenessMs`: everything that was committed before that read has been told by then, and has dropped its entries. So what another
 * process has ended is refused at the latest this long after it has said so. What this process ends is dropped before it says so.
 *
 * Tokens without a live session are kept apart, so that a flood of made-up ones evicts no good entry. They are kept for `maxStalenessMs`
 * alone, and that a token is unknown is right for good: nobody has the token of a session before the session is committed. The one
 * exception is a token that follows from another one, which `session.token_replaced` tells of.
 */
export class SessionCache implements FeedFollower {
  readonly #feed: Pick<EventFeed, "position" | "heardAt">;
  readonly #limits: SessionCacheLimits;
  readonly #watches: Watches;
  readonly #live: LRUCache<string, Entry> | undefined;
  readonly #refused: LRUCache<string, Entry> | undefined;
  /** The keys of live entries by the ids of their session and identity. */
  readonly #keysOf = new Map<string, Set<string>>();
  readonly #reads = new Map<string, { readonly begun: BegunRead; readonly answer: Promise<unknown> }>();
  readonly #told = new ToldIds();
  /** The last read of the feed of which this cache was told, and how far the wall clock was ahead then. */
  #heard: { readonly at: number; readonly wallAhead: number } | undefined;
  /** When this process wrote something of which only the feed will say whom it is about. */
  #writtenUnnamedAt = Number.NEGATIVE_INFINITY;
  #hits = 0;
  #misses = 0;

  constructor(feed: Pick<EventFeed, "position" | "heardAt">, limits: SessionCacheLimits, clocks = watches) {
    this.#feed = feed;
    this.#limits = limits;
    this.#watches = clocks;
    const { maxEntries, maxBytes } = limits;
    if (maxEntries === 0 || maxBytes === 0) return;
    this.#live = new LRUCache<string, Entry>({
      max: maxEntries,
      maxSize: maxBytes,
      sizeCalculation: sizeOf,
      dispose: ({ found }, key) => this.#forgetKey(key, found),
    });
    const most = { max: mostRefused, maxSize: Math.ceil(maxBytes / 8) };
    this.#refused = new LRUCache<string, Entry>({ ...most, sizeCalculation: sizeOf });
  }

  /** Whether something is kept at all. */
  get isOn(): boolean {
    return this.#live !== undefined;
  }

  /** The figures so far. */
  get figures(): SessionCacheFigures {
    const kept = [this.#live, this.#refused];
    const sum = (figure: "size" | "calculatedSize") =>
      kept.reduce((total, each) => total + (each?.[figure] ?? 0), 0);
    return { hits: this.#hits, misses: this.#misses, entries: sum("size"), bytes: sum("calculatedSize") };
  }

  /**
   * Where the log stood that what is kept includes; undefined while it cannot be used.
   *
   * Security rule (SR-CACHE-2): without news of the log for longer than the bound nothing that is kept is used, whatever the reason: a
   * lost database, a feed that hangs, a process or machine that was stopped for a while.
   */
  get #position(): FeedPosition | undefined {
    const { heardAt, position } = this.#feed;
    if (this.#heard === undefined || heardAt <= this.#writtenUnnamedAt) return undefined;
    const now = this.#watches.now();
    // While a machine is suspended only the wall clock goes on. Where that was set back it says nothing.
    const suspendedMs = Math.max(0, this.#watches.wall() - now - this.#heard.wallAhead);
    return now - heardAt + suspendedMs <= this.#limits.maxStalenessMs ? position : undefined;
  }

  /** Whether answers may be kept by those who follow the feed. */
  get isFollowed(): boolean {
    return this.#position !== undefined;
  }

  /** What is kept of a token; undefined: it must be read. `atLeast`: what it must include. */
  find(key: string, atLeast: FeedPosition | undefined): KnownSession | undefined {
    const known = this.#find(key, atLeast);
    if (known === undefined) this.#misses++;
    else this.#hits++;
    return known;
  }

  #find(key: string, atLeast: FeedPosition | undefined): KnownSession | undefined {
    const position = this.#position;
    if (position === undefined || !includesPosition(position, atLeast)) return undefined;
    const live = this.#live?.get(key);
    const entry = live ?? this.#refused?.get(key);
    if (entry === undefined) return undefined;
    const age = this.#watches.now() - entry.readAt;
    const isRecent = age <= this.#limits.maxStalenessMs;
    if (age > longestUseMs || (live === undefined && !isRecent)) return undefined;
    return { found: entry.found, position, isRecent, isStrong: false };
  }

  /** Notes that a read of the database begins now: called before it, for `keep`. */
  begin(): BegunRead {
    return { at: this.#watches.now(), mark: this.#told.mark };
  }

  /**
   * The answer that a read of this token that is under way will give; undefined if a new one must begin: there is none, or something has
   * changed since it was begun, or it takes too long.
   */
  joinable<Answer>(key: string): Promise<Answer> | undefined {
    const read = this.#reads.get(key);
    const isRecent = read !== undefined && this.#watches.now() - read.begun.at <= this.#limits.maxStalenessMs;
    return isRecent ? (read.answer as Promise<Answer>) : undefined;
  }

  /** Lets others join a read until it has its answer. */
  share(key: string, begun: BegunRead, answer: Promise<unknown>): void {
    if (!this.isOn) return;
    const read = { begun, answer };
    this.#reads.set(key, read);
    const end = () => {
      if (this.#reads.get(key) === read) this.#reads.delete(key);
    };
    answer.then(end, end);
  }

  /**
   * Keeps what a read has found, or that it has found nothing. Security rule (SR-CACHE-3): not if an event of the session or its identity
   * was told of since the read was begun: it may have been committed after the read, and is not told of again.
   */
  keep(key: string, begun: BegunRead, found: AuthenticatedSession | undefined, now: Date): void {
    if (this.#heard === undefined) return;
    const ids = found === undefined ? [tokenReplaced] : idsOf(found);
    if (this.#told.toldSince(begun.mark, ids)) return;
    const entry = { found, readAt: begun.at };
    if (found !== undefined && isLive(found, now)) {
      this.#refused?.delete(key);
      this.#setLive(key, entry, found);
    } else {
      this.#live?.delete(key);
      this.#refused?.set(key, entry);
    }
  }

  /** Notes that a session was used, in what is kept of it. */
  noteUse(session: SessionId, at: Date): void {
    for (const key of [...(this.#keysOf.get(session) ?? [])]) {
      const entry = this.#live?.peek(key);
      if (entry?.found === undefined || entry.found.session.lastUsedAt >= at) continue;
      const found = { ...entry.found, session: { ...entry.found.session, lastUsedAt: at } };
      this.#setLive(key, { ...entry, found }, found);
    }
  }

  /**
   * Takes the events that this process has written, before the writer is told that they are committed.
   *
   * Security rule (SR-CACHE-4): what a process has ended it refuses from then on. Where only the database knows whom an event is about,
   * nothing that is kept is used until a later read of the log has told.
   */
  readonly noteOwn = (events: readonly AboutSessions[]): void => {
    for (const event of events) {
      if (!this.#apply(event)) this.#writtenUnnamedAt = this.#watches.now();
    }
  };

  heard(events: readonly FeedEvent[]): void {
    // What was begun before may have missed events of which this cache was not told.
    if (this.#heard === undefined) this.#told.addAll();
    for (const event of events) if (!this.#apply(event)) this.reset();
    const { heardAt: at } = this.#feed;
    const { now, wall } = this.#watches;
    if (at !== this.#heard?.at) this.#heard = { at, wallAhead: wall() - now() };
  }

  reset(): void {
    this.#told.addAll();
    this.#reads.clear();
    this.#live?.clear();
    this.#refused?.clear();
  }

  /** Drops what an event outdates. False: it outdates something, and does not say what. */
  #apply({ type, sessionId, identityId }: AboutSessions): boolean {
    const outdated = outdatedBy(type as EventType);
    if (outdated === "nothing") return true;
    // A read that was begun before is not for those who ask from now on.
    this.#reads.clear();
    if (type === "session.token_replaced") {
      this.#told.add(tokenReplaced);
      this.#refused?.clear();
    }
    const id = outdated === "session" ? (sessionId ?? identityId) : (identityId ?? sessionId);
    if (id === undefined) return false;
    this.#told.add(id);
    for (const key of [...(this.#keysOf.get(id) ?? [])]) this.#live?.delete(key);
    return true;
  }

  #setLive(key: string, entry: Entry, found: AuthenticatedSession): void {
    // First: it removes the ids of the entry whose place it takes.
    this.#live?.set(key, entry);
    // One that is larger than the whole cache is not there.
    if (this.#live?.peek(key) !== entry) return;
    for (const id of idsOf(found)) {
      const keys = this.#keysOf.get(id);
      if (keys === undefined) this.#keysOf.set(id, new Set([key]));
      else keys.add(key);
    }
  }

  #forgetKey(key: string, found: AuthenticatedSession | undefined): void {
    for (const id of found === undefined ? [] : idsOf(found)) {
      const keys = this.#keysOf.get(id);
      keys?.delete(key);
      if (keys?.size === 0) this.#keysOf.delete(id);
    }
  }
}

/** Whether a position includes another one, if there is one; positions of another log never do. */
export function includesPosition(
  position: FeedPosition | undefined,
  atLeast: FeedPosition | undefined,
): boolean {
  return (
    atLeast === undefined || (position?.epoch === atLeast.epoch && position.sequence >= atLeast.sequence)
  );
}

function idsOf({ session, identity }: AuthenticatedSession): readonly string[] {
  return [session.id, identity.id];
}

/** Whether a session has not ended for good. Whether it has been idle for too long is decided each time. */
function isLive({ session, identity }: AuthenticatedSession, now: Date): boolean {
  return session.revokedAt === never && identity.state === "active" && session.expiresAt > now;
}

/**
 * About the memory that an entry takes with its key: objects take twice as much as their JSON, and the answers that are encoded once it is
 * used as much again.
 */
function sizeOf({ found }: Entry): number {
  return found === undefined ? 400 : 2_000 + 3 * JSON.stringify(found).length;
}
