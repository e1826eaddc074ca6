import type { EventFeed, FeedEvent, FeedFollower, FeedPosition } from "../event/feed.ts";
import type { IdentityId, TenantId } from "../ids.ts";
import type { Clock, TenantScope } from "../ports.ts";
import { type SessionChange, type SessionChangeKind, sessionChangeOf } from "./session-change.ts";

/** What watchers are told. Watchers with the same filter get the same object. */
export interface FeedMessage {
  readonly event:
    | { readonly kind: "changes"; readonly changes: readonly SessionChange[] }
    | { readonly kind: "heartbeat"; readonly intervalMs: number }
    | { readonly kind: "reset" };
  /** Where a watcher that has handled the message goes on; undefined while the log was not read yet. */
  readonly position: FeedPosition | undefined;
  /** How long ago all that is told was everything; undefined: more is to come before that can be said. */
  readonly ageMs: number | undefined;
  /** In milliseconds of `performance.now()`. */
  readonly sentAt: number;
  readonly serverTime: Date;
}

/** Changes that a watcher wants to hear of. Empty: all. */
export interface ChangeFilter {
  readonly kinds: readonly SessionChangeKind[];
  readonly identityIds: readonly IdentityId[];
}

/** One who watches the sessions of a tenant. */
export interface SessionWatcher {
  readonly scope: TenantScope;
  readonly filter: ChangeFilter;
  /** Where it goes on; undefined: with what happens from now on. */
  readonly after: FeedPosition | undefined;
  /** Called synchronously; must not throw. */
  receive(message: FeedMessage): void;
}

/** Reads changes back from the log. Implemented in src/storage/session-change-log.ts. */
export interface SessionChangeLog {
  /**
   * The changes that transactions after this one have made, oldest first. Undefined if there are more than `limit`, or if some may have
   * been removed from the log. One round trip.
   */
  changesAfter(
    scope: TenantScope,
    sequence: bigint,
    limit: number,
  ): Promise<readonly SessionChange[] | undefined>;
}

interface Deps {
  readonly feed: EventFeed;
  readonly log: SessionChangeLog;
  readonly clock: Clock;
  /** The longest time between two messages. */
  readonly heartbeatIntervalMs: number;
}

/** The longest time that a change waits for others to be told with it. */
const batchMs = 20;
/** How many changes one message has at most: about 45 KB. */
const mostInMessage = 500;
/** How many changes a watcher that goes on is told at most; one that has missed more begins anew. */
const mostMissed = 5_000;

/** A change as it was heard here. */
interface Heard {
  readonly tenantId: TenantId;
  readonly change: SessionChange;
}

/** The watchers of a tenant with the same filter, who are told the same. */
interface Group {
  readonly tenantId: TenantId;
  readonly wants: (change: SessionChange) => boolean;
  readonly watchers: Set<SessionWatcher>;
  /** Whether something was told since the last heartbeat was due. */
  told: boolean;
}

/** What is heard for a watcher while the log is read for it. */
interface Arrival {
  readonly changes: SessionChange[];
  /** Whether something was not heard. */
  isLost: boolean;
}

/**
 * Tells any number of watchers of changes to sessions. It follows the event feed once, gathers what it hears for at most 20 ms, and
 * makes one message of it for all watchers with the same filter. One timer serves all of them.
 *
 * A watcher never misses a change: it is told all that is heard once it has come, and before that all that the log has after the
 * position that it came with. It may be told some twice.
 */
export class SessionFeed implements FeedFollower {
  readonly #deps: Deps;
  readonly #groups = new Map<string, Group>();
  /** Watchers that are not told yet what they have missed, but only that they are still connected. */
  readonly #arrivals = new Map<SessionWatcher, Arrival>();
  #pending: Heard[] = [];
  #isReset = false;
  #flushTimer: NodeJS.Timeout | undefined;
  #flushedAt = Number.NEGATIVE_INFINITY;
  #awaitedReads: { reads: number; readonly resolve: () => void }[] = [];
  /** Reads of the log that are under way, so that all who were cut off at the same position share one. */
  readonly #reading = new Map<string, Promise<readonly SessionChange[] | undefined>>();
  readonly #unfollow: () => void;
  readonly #heartbeat: NodeJS.Timeout;

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#unfollow = deps.feed.follow(this);
    this.#heartbeat = setInterval(() => this.#beat(), deps.heartbeatIntervalMs);
  }

  /** How many watch. */
  get watchers(): number {
    let count = this.#arrivals.size;
    for (const { watchers } of this.#groups.values()) count += watchers.size;
    return count;
  }

  /** Watches from now on; returns what ends it. */
  watch(watcher: SessionWatcher): () => void {
    this.#arrivals.set(watcher, { changes: [], isLost: false });
    void this.#begin(watcher);
    return () => this.#leave(watcher);
  }

  /** Ends the work. Watchers are not told: the server that serves them ends their streams. */
  stop(): void {
    this.#unfollow();
    clearInterval(this.#heartbeat);
    clearTimeout(this.#flushTimer);
  }

  heard(events: readonly FeedEvent[]): void {
    for (const event of events) {
      const change = sessionChangeOf(event);
      if (change === undefined) continue;
      this.#pending.push({ tenantId: event.tenantId, change });
      for (const [{ scope }, arrival] of this.#arrivals) {
        if (scope.tenantId === event.tenantId) note(arrival, change);
      }
    }
    if (this.#pending.length > 0 || this.#isReset) this.#flushSoon();
    const awaited = this.#awaitedReads;
    this.#awaitedReads = awaited.filter((each) => --each.reads > 0);
    for (const { reads, resolve } of awaited) if (reads === 0) resolve();
  }

  reset(): void {
    this.#pending = [];
    this.#isReset = true;
    for (const arrival of this.#arrivals.values()) arrival.isLost = true;
  }

  async #begin(watcher: SessionWatcher): Promise<void> {
    const { feed } = this.#deps;
    const { after } = watcher;
    // Where the feed stands is known once the log was read.
    if (feed.position === undefined) await this.#reads(1);
    if (after === undefined) return this.#join(watcher, [this.#message(this.#aHeartbeat())]);
    if (this.#isAhead(after)) {
      // Another server may have read more by a moment. The second read from now was begun after this one.
      feed.wake();
      await this.#reads(2);
    }
    while (this.#arrivals.has(watcher)) {
      if (after.epoch !== feed.position?.epoch || this.#isAhead(after)) return this.#restart(watcher);
      const arrival: Arrival = { changes: [], isLost: false };
      this.#arrivals.set(watcher, arrival);
      try {
        const missed = await this.#read(watcher.scope, after);
        if (missed === undefined || arrival.isLost) return this.#restart(watcher);
        const wanted = [...missed, ...arrival.changes].filter(wantsOf(watcher.filter));
        const told = wanted.length === 0 ? [this.#message(this.#aHeartbeat())] : this.#messagesOf(wanted);
        return this.#join(watcher, told);
      } catch {
        // The database is away, which the feed notices and logs. Nothing can be told until it is back.
        await this.#reads(1);
      }
    }
  }

  #isAhead({ epoch, sequence }: FeedPosition): boolean {
    const { position } = this.#deps.feed;
    return position !== undefined && epoch === position.epoch && sequence > position.sequence;
  }

  /** Has a watcher begin anew. */
  #restart(watcher: SessionWatcher): void {
    this.#join(watcher, [this.#message({ kind: "reset" })]);
  }

  /** Tells an arriving watcher what it has missed; from then on it is told what is heard. In one turn, so that nothing gets in between. */
  #join(watcher: SessionWatcher, missed: readonly FeedMessage[]): void {
    // It may have left meanwhile.
    if (!this.#arrivals.delete(watcher)) return;
    const key = groupKeyOf(watcher);
    let group = this.#groups.get(key);
    if (group === undefined) {
      const { tenantId } = watcher.scope;
      group = { tenantId, wants: wantsOf(watcher.filter), watchers: new Set(), told: true };
      this.#groups.set(key, group);
    }
    group.watchers.add(watcher);
    // Last, because a watcher that is cut off by it leaves.
    for (const message of missed) watcher.receive(message);
  }

  #leave(watcher: SessionWatcher): void {
    this.#arrivals.delete(watcher);
    const key = groupKeyOf(watcher);
    const group = this.#groups.get(key);
    group?.watchers.delete(watcher);
    if (group?.watchers.size === 0) this.#groups.delete(key);
  }

  /** Reads the log; all who ask for the same meanwhile share the answer. */
  #read({ tenantId }: TenantScope, after: FeedPosition): Promise<readonly SessionChange[] | undefined> {
    const key = `${tenantId} ${after.epoch} ${after.sequence}`;
    let reading = this.#reading.get(key);
    if (reading === undefined) {
      reading = this.#deps.log.changesAfter({ tenantId }, after.sequence, mostMissed);
      this.#reading.set(key, reading);
      const finished = () => this.#reading.delete(key);
      reading.then(finished, finished);
    }
    return reading;
  }

  /** Resolves after so many reads of the log. */
  #reads(reads: number): Promise<void> {
    return new Promise((resolve) => this.#awaitedReads.push({ reads, resolve }));
  }

  #flushSoon(): void {
    const waitMs = Math.max(0, this.#flushedAt + batchMs - performance.now());
    this.#flushTimer ??= setTimeout(() => this.#flush(), waitMs);
  }

  #flush(): void {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    this.#flushedAt = performance.now();
    const pending = this.#pending;
    this.#pending = [];
    if (this.#isReset) {
      this.#isReset = false;
      const reset = this.#message({ kind: "reset" });
      for (const group of this.#groups.values()) tell(group, [reset]);
    }
    if (pending.length === 0) return;
    for (const group of this.#groups.values()) {
      const wanted = pending.filter(
        ({ tenantId, change }) => tenantId === group.tenantId && group.wants(change),
      );
      if (wanted.length > 0) tell(group, this.#messagesOf(wanted.map(({ change }) => change)));
    }
  }

  /** Says to all who have heard nothing lately how the feed stands. */
  #beat(): void {
    // What a heartbeat says is true once all that was heard has been told.
    if (this.#flushTimer !== undefined) this.#flush();
    const message = this.#message(this.#aHeartbeat());
    for (const group of this.#groups.values()) {
      if (!group.told) tell(group, [message]);
      group.told = false;
    }
    const nothing = { ...message, position: undefined, ageMs: undefined };
    for (const watcher of this.#arrivals.keys()) watcher.receive(nothing);
  }

  #aHeartbeat(): FeedMessage["event"] {
    return { kind: "heartbeat", intervalMs: 2 * this.#deps.heartbeatIntervalMs };
  }

  /** Messages for changes. Only the last one says where the feed stands: before it not all has been told. */
  #messagesOf(changes: readonly SessionChange[]): FeedMessage[] {
    const messages: FeedMessage[] = [];
    for (let start = 0; start < changes.length; start += mostInMessage) {
      const some = changes.slice(start, start + mostInMessage);
      const message = this.#message({ kind: "changes", changes: some });
      const isLast = start + mostInMessage >= changes.length;
      messages.push(isLast ? message : { ...message, position: undefined, ageMs: undefined });
    }
    return messages;
  }

  #message(event: FeedMessage["event"]): FeedMessage {
    const { feed, clock } = this.#deps;
    const sentAt = performance.now();
    const ageMs = sentAt - feed.heardAt;
    return {
      event,
      position: feed.position,
      ageMs: Number.isFinite(ageMs) ? ageMs : undefined,
      sentAt,
      serverTime: clock.now(),
    };
  }
}

function note(arrival: Arrival, change: SessionChange): void {
  if (arrival.changes.length < mostMissed) arrival.changes.push(change);
  else arrival.isLost = true;
}

function tell(group: Group, messages: readonly FeedMessage[]): void {
  group.told = true;
  // A watcher that is cut off leaves the set meanwhile.
  for (const watcher of [...group.watchers]) for (const message of messages) watcher.receive(message);
}

function groupKeyOf({ scope, filter }: SessionWatcher): string {
  return [scope.tenantId, [...filter.kinds].sort().join(), [...filter.identityIds].sort().join()].join(" ");
}

function wantsOf({ kinds, identityIds }: ChangeFilter): (change: SessionChange) => boolean {
  if (kinds.length === 0 && identityIds.length === 0) return () => true;
  const [wantedKinds, wantedIds] = [new Set(kinds), new Set<string | undefined>(identityIds)];
  return ({ kind, identityId }) =>
    (wantedKinds.size === 0 || wantedKinds.has(kind)) && (wantedIds.size === 0 || wantedIds.has(identityId));
}
