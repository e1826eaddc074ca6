import { beforeEach, describe, expect, test } from "vitest";
import { anIdentity, aSession, noon } from "../../../test/support/records.ts";
import type { EventType } from "../event/event.ts";
import type { FeedEvent } from "../event/feed.ts";
import type { IdentityId, SessionId, TenantId } from "../ids.ts";
import { SessionCache } from "./session-cache.ts";

/** A feed that is read when a test says so, and a clock that it moves. */
class HandFeed {
  heardAt = Number.NEGATIVE_INFINITY;
  position: { epoch: bigint; sequence: bigint } | undefined;
  nowMs = 1_000;
  /** How far the wall clock is ahead. */
  wallAheadMs = 1_700_000_000_000;
  readonly cache: SessionCache;

  constructor(limits: Partial<{ maxEntries: number; maxBytes: number }> = {}) {
    const clocks = { now: () => this.nowMs, wall: () => this.nowMs + this.wallAheadMs };
    const bounds = { maxEntries: 100, maxBytes: 10_000_000, maxStalenessMs: 1_000, ...limits };
    this.cache = new SessionCache(this, bounds, clocks);
  }

  read(...events: readonly FeedEvent[]): void {
    this.heardAt = this.nowMs;
    this.position = { epoch: 1n, sequence: (this.position?.sequence ?? 0n) + 1n };
    this.cache.heard(events);
  }
}

const identity = anIdentity();
const found = { session: aSession(identity.id), identity };
let feed: HandFeed;

beforeEach(() => {
  feed = new HandFeed();
  feed.read();
});

function event(type: EventType, about: { identityId?: IdentityId; sessionId?: SessionId } = {}): FeedEvent {
  const ids = { identityId: about.identityId, sessionId: about.sessionId };
  return { tenantId: "t1" as TenantId, type, ...ids, data: {}, sequence: 1n };
}

const revoked = event("session.revoked", { sessionId: found.session.id });

function keep(key: string, what = found): void {
  feed.cache.keep(key, feed.cache.begin(), what, noon);
}

function keepUnknown(key: string): void {
  feed.cache.keep(key, feed.cache.begin(), undefined, noon);
}

const knows = (key: string) => feed.cache.find(key, undefined) !== undefined;

describe("what is kept of a session", () => {
  test("is used while the feed was read within the bound (SR-CACHE-2)", () => {
    keep("a");
    feed.nowMs += 1_000;
    expect(feed.cache.find("a", undefined)).toMatchObject({ found, position: { epoch: 1n, sequence: 1n } });
    feed.nowMs += 1;
    expect(knows("a")).toBe(false);
    feed.read();
    expect(knows("a")).toBe(true);
  });

  test("is not used before the feed was read, nor kept", () => {
    feed = new HandFeed();
    const before = feed.cache.begin();
    feed.cache.keep("a", before, found, noon);
    feed.read();
    feed.cache.keep("b", before, found, noon);
    expect([knows("a"), knows("b")]).toEqual([false, false]);
    keep("c");
    expect(knows("c")).toBe(true);
  });

  test("is not used once the machine was suspended, until the feed was read again (SR-CACHE-2)", () => {
    keep("a");
    feed.wallAheadMs += 3_600_000;
    expect(knows("a")).toBe(false);
    feed.nowMs += 1;
    feed.read();
    expect(knows("a")).toBe(true);
    feed.wallAheadMs -= 3_600_000;
    expect(knows("a")).toBe(true);
  });

  test("is used for a minute, because other processes note its use as well", () => {
    keep("a");
    feed.nowMs += 60_000;
    feed.read();
    expect(knows("a")).toBe(true);
    feed.nowMs += 1;
    expect(knows("a")).toBe(false);
  });

  test.each([
    ["its session was ended", revoked, false],
    ["its identity was changed", event("identity.updated", { identityId: identity.id }), false],
    [
      "a session of its identity was ended, nobody says which",
      event("session.revoked", { identityId: identity.id }),
      false,
    ],
    ["nobody says what was ended", event("session.revoked"), false],
    [
      "a newer server tells of its identity",
      event("identity.cloned" as EventType, { identityId: identity.id }),
      false,
    ],
    ["another session was ended", event("session.revoked", { sessionId: aSession(identity.id).id }), true],
    ["a session of its identity was made", event("session.created", { identityId: identity.id }), true],
    ["a login of its identity failed", event("login.failed", { identityId: identity.id }), true],
  ])("when the feed tells that %s", (_what, told, stays) => {
    keep("a");
    feed.read(told);
    expect(knows("a")).toBe(stays);
  });

  test("is forgotten when the feed may have missed something", () => {
    keep("a");
    const before = feed.cache.begin();
    feed.cache.reset();
    expect(knows("a")).toBe(false);
    feed.cache.keep("a", before, found, noon);
    expect(knows("a")).toBe(false);
  });

  test("is not what was read before an event and arrives after it (SR-CACHE-3)", () => {
    const other = anIdentity();
    const before = feed.cache.begin();
    feed.read(revoked);
    feed.cache.keep("a", before, found, noon);
    feed.cache.keep("b", before, { session: aSession(other.id), identity: other }, noon);
    expect([knows("a"), knows("b")]).toEqual([false, true]);
  });

  test("is nothing that was read before so many events that nobody knows (SR-CACHE-3)", () => {
    const before = feed.cache.begin();
    feed.read(revoked);
    for (let count = 0; count < 5_000; count++)
      feed.read(event("identity.updated", { identityId: anIdentity().id }));
    feed.cache.keep("a", before, found, noon);
    expect(knows("a")).toBe(false);
  });

  test("is what includes a position that is asked for", () => {
    keep("a");
    const asked = (epoch: bigint, sequence: bigint) =>
      feed.cache.find("a", { epoch, sequence }) !== undefined;
    expect([asked(1n, 1n), asked(1n, 2n), asked(2n, 1n)]).toEqual([true, false, false]);
  });

  test("says when it was used, in place of when it was known to be", () => {
    keep("a");
    const usedAt = new Date(noon.getTime() + 61_000);
    feed.cache.noteUse(found.session.id, usedAt);
    expect(feed.cache.find("a", undefined)?.found?.session.lastUsedAt).toEqual(usedAt);
    feed.read(revoked);
    expect(knows("a")).toBe(false);
  });
});

describe("what the process itself has written", () => {
  test("drops what it is about before the feed tells of it (SR-CACHE-4)", () => {
    keep("a");
    const before = feed.cache.begin();
    feed.cache.noteOwn([revoked]);
    expect(knows("a")).toBe(false);
    feed.cache.keep("a", before, found, noon);
    expect(knows("a")).toBe(false);
  });

  test("lets nothing be used until the feed has told, where nobody knows whom it is about (SR-CACHE-4)", () => {
    keep("a");
    feed.cache.noteOwn([event("session.revoked")]);
    expect(knows("a")).toBe(false);
    feed.read(event("session.revoked", { sessionId: aSession(identity.id).id }));
    // It was begun in the same millisecond, so perhaps before.
    expect(knows("a")).toBe(false);
    feed.nowMs += 1;
    feed.read();
    expect(knows("a")).toBe(true);
  });

  test("takes a read that was begun before from those who ask afterwards (SR-CACHE-4)", () => {
    const read = new Promise(() => {});
    feed.cache.share("a", feed.cache.begin(), read);
    expect(feed.cache.joinable("a")).toBe(read);
    feed.cache.noteOwn([event("login.failed")]);
    expect(feed.cache.joinable("a")).toBe(read);
    feed.cache.noteOwn([event("session.revoked", { sessionId: aSession(identity.id).id })]);
    expect(feed.cache.joinable("a")).toBeUndefined();
  });
});

test("a read that takes longer than the bound is joined by nobody", () => {
  feed.cache.share("a", feed.cache.begin(), new Promise(() => {}));
  feed.nowMs += 1_001;
  expect(feed.cache.joinable("a")).toBeUndefined();
});

test("a read is joined until it has its answer, or has failed", async () => {
  const reads = [Promise.resolve(1), Promise.reject(new Error("lost"))];
  for (const [index, read] of reads.entries()) {
    feed.cache.share(`${index}`, feed.cache.begin(), read);
    expect(feed.cache.joinable(`${index}`)).toBe(read);
    await read.catch(() => {});
    expect(feed.cache.joinable(`${index}`)).toBeUndefined();
  }
});

describe("tokens without a live session", () => {
  test("are known for as long as the bound", () => {
    keepUnknown("unknown");
    keep("ended", { session: aSession(identity.id, { revokedAt: noon }), identity });
    keep("inactive", { session: aSession(identity.id), identity: anIdentity({ state: "inactive" }) });
    feed.nowMs += 1_000;
    expect([knows("unknown"), knows("ended"), knows("inactive")]).toEqual([true, true, true]);
    feed.nowMs += 1;
    feed.read();
    expect([knows("unknown"), knows("ended"), knows("inactive")]).toEqual([false, false, false]);
  });

  test("evict no session, however many there are, and are bounded (SR-CACHE-5)", () => {
    feed = new HandFeed({ maxEntries: 2 });
    feed.read();
    keep("a");
    for (let count = 0; count < 20_000; count++) keepUnknown(`unknown ${count}`);
    expect(knows("a")).toBe(true);
    expect(knows("unknown 0")).toBe(false);
    expect(feed.cache.figures.entries).toBeLessThanOrEqual(10_001);
  });

  test("may be known once a token was replaced, by one that follows from it", () => {
    keepUnknown("next");
    const before = feed.cache.begin();
    feed.cache.noteOwn([event("session.token_replaced", { sessionId: found.session.id })]);
    expect(knows("next")).toBe(false);
    feed.cache.keep("next", before, undefined, noon);
    expect(knows("next")).toBe(false);
  });

  test("take the place of a session that is kept", () => {
    keep("a");
    keepUnknown("a");
    expect(feed.cache.find("a", undefined)?.found).toBeUndefined();
    keep("a");
    expect(feed.cache.find("a", undefined)?.found).toBe(found);
  });
});

describe("the bounds", () => {
  test("hold for entries and for bytes, and what is evicted leaves nothing behind (SR-CACHE-5)", () => {
    feed = new HandFeed({ maxEntries: 3 });
    feed.read();
    for (const key of ["a", "b", "c", "d"]) keep(key);
    expect([knows("a"), knows("d"), feed.cache.figures.entries]).toEqual([false, true, 3]);
    const { bytes } = feed.cache.figures;
    feed = new HandFeed({ maxBytes: bytes / 3 });
    feed.read();
    keep("a");
    keep("b");
    expect([knows("a"), knows("b"), feed.cache.figures.entries]).toEqual([false, true, 1]);
    expect(feed.cache.figures.bytes).toBeLessThanOrEqual(bytes / 3);
    const large = anIdentity({ traits: { text: "x".repeat(bytes) } });
    keep("b", { session: aSession(large.id), identity: large });
    expect([knows("b"), feed.cache.figures.entries, feed.cache.figures.bytes]).toEqual([false, 0, 0]);
  });

  test.each([{ maxEntries: 0 }, { maxBytes: 0 }])("%o: nothing is kept or joined", (limits) => {
    feed = new HandFeed(limits);
    feed.read();
    keep("a");
    keepUnknown("b");
    feed.cache.share("c", feed.cache.begin(), new Promise(() => {}));
    expect([knows("a"), knows("b"), feed.cache.joinable("c")]).toEqual([false, false, undefined]);
    expect(feed.cache.isFollowed).toBe(true);
  });
});

test("hits and misses are counted", () => {
  keep("a");
  for (const key of ["a", "a", "b"]) knows(key);
  expect(feed.cache.figures).toMatchObject({ hits: 2, misses: 1, entries: 1 });
});
