import { setTimeout as delay } from "node:timers/promises";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import type { EventType } from "../event/event.ts";
import type { EventFeed, FeedEvent, FeedFollower, FeedPosition } from "../event/feed.ts";
import type { IdentityId, SessionId, TenantId } from "../ids.ts";
import type { SessionChange } from "./session-change.ts";
import { type FeedMessage, SessionFeed, type SessionWatcher } from "./session-feed.ts";

const [tenant, other] = ["t1" as TenantId, "t2" as TenantId];
const patience = { timeout: 5_000, interval: 2 };

/** The log and its feed, as far as they are told here. */
class Log implements EventFeed {
  position: FeedPosition | undefined = { epoch: 1n, sequence: 100n };
  heardAt = performance.now();
  wakes = 0;
  /** What a read of the log finds, and what happens during it. */
  missed: readonly SessionChange[] | undefined = [];
  meanwhile = async () => {};
  reads = 0;
  #follower: FeedFollower | undefined;

  follow(follower: FeedFollower): () => void {
    this.#follower = follower;
    return () => {};
  }

  wake(): void {
    this.wakes++;
  }

  hear(events: readonly FeedEvent[], sequence = this.position?.sequence ?? 0n): void {
    const position = { epoch: this.position?.epoch ?? 1n, sequence };
    this.position = position;
    this.heardAt = performance.now();
    this.#follower?.heard(events, position);
  }

  reset(): void {
    this.#follower?.reset();
  }

  async changesAfter() {
    this.reads++;
    await this.meanwhile();
    return this.missed;
  }
}

const eventOf = (sequence: bigint, tenantId = tenant, type: EventType = "session.revoked"): FeedEvent => ({
  ...{ tenantId, type, sequence, data: {} },
  identityId: `i${sequence}` as IdentityId,
  sessionId: `s${sequence}` as SessionId,
});
const changeOf = (sequence: bigint): SessionChange => ({
  ...{ kind: "revoked", sequence },
  identityId: `i${sequence}` as IdentityId,
  sessionId: `s${sequence}` as SessionId,
});

let log: Log;
let feed: SessionFeed;
beforeEach(() => {
  log = new Log();
  feed = new SessionFeed({ feed: log, log, clock: { now: () => new Date() }, heartbeatIntervalMs: 50 });
  onTestFinished(() => feed.stop());
});

function watch(options: Partial<SessionWatcher> = {}) {
  const messages: FeedMessage[] = [];
  const leave = feed.watch({
    scope: { tenantId: tenant },
    filter: { kinds: [], identityIds: [] },
    after: undefined,
    receive: (message) => messages.push(message),
    ...options,
  });
  const told = () =>
    messages
      .flatMap(({ event }) => (event.kind === "changes" ? event.changes : []))
      .map((each) => each.sequence);
  const until = (isTrue: () => boolean) => vi.waitUntil(isTrue, patience);
  return { messages, leave, told, until };
}
const after = { epoch: 1n, sequence: 90n };

test("those with the same filter are told the same object, those of another tenant nothing of it", async () => {
  const [one, two, foreign] = [watch(), watch(), watch({ scope: { tenantId: other } })];
  await one.until(() => one.messages.length > 0);
  log.hear([eventOf(101n), eventOf(102n, other), eventOf(103n, tenant, "session.created")], 103n);
  await one.until(() => one.told().length > 0 && foreign.told().length > 0);
  expect([one.told(), two.told(), foreign.told()]).toEqual([[101n], [101n], [102n]]);
  const shared = (of: typeof one) => of.messages.find(({ event }) => event.kind === "changes");
  expect(shared(one)).toBe(shared(two));
  expect(shared(one)?.position?.sequence).toBe(103n);
});

test("what comes within 20 ms is one message, in its order, and a heartbeat never overtakes it", async () => {
  const watcher = watch();
  await watcher.until(() => watcher.messages.length > 0);
  for (let sequence = 101n; sequence <= 105n; sequence++) log.hear([eventOf(sequence)], sequence);
  await watcher.until(() => watcher.told().length === 5);
  expect(watcher.told()).toEqual([101n, 102n, 103n, 104n, 105n]);
  expect(watcher.messages.filter(({ event }) => event.kind === "changes").length).toBeLessThanOrEqual(2);
  for (const { position, event } of watcher.messages) {
    if (event.kind === "heartbeat") expect([100n, 105n]).toContain(position?.sequence);
  }
});

test("who goes on is told what the log has, and then what was heard meanwhile, before anything says that this is all", async () => {
  log.missed = [changeOf(91n), changeOf(95n)];
  log.meanwhile = async () => {
    log.hear([eventOf(101n)], 101n);
    // The watcher is told meanwhile that it is connected, and nothing of how far.
    await delay(120);
  };
  const watcher = watch({ after });
  await watcher.until(() => watcher.told().length === 3);
  expect(watcher.told()).toEqual([91n, 95n, 101n]);
  const before = watcher.messages.slice(
    0,
    watcher.messages.findIndex(({ event }) => event.kind === "changes"),
  );
  expect(before.length).toBeGreaterThan(0);
  expect(before.map(({ position, ageMs }) => [position, ageMs])).toEqual(
    before.map(() => [undefined, undefined]),
  );
});

test("all who go on at the same position share one read", async () => {
  log.meanwhile = () => delay(20);
  const watchers = [1, 2, 3].map(() => watch({ after }));
  for (const { until, messages } of watchers)
    await until(() => messages.some(({ position }) => position !== undefined));
  expect(log.reads).toBe(1);
});

test.each<[string, (of: Log) => void]>([
  [
    "more than can be told",
    (of) => {
      of.missed = undefined;
    },
  ],
  [
    "events that were lost while it was read",
    (of) => {
      of.meanwhile = async () => of.reset();
    },
  ],
])("who has missed %s begins anew", async (_name, arrange) => {
  arrange(log);
  const watcher = watch({ after });
  await watcher.until(() => watcher.messages.some(({ event }) => event.kind === "reset"));
  log.hear([eventOf(101n)], 101n);
  await watcher.until(() => watcher.told().length > 0);
  expect(watcher.told()).toEqual([101n]);
});

test("who is ahead of this server by a moment goes on, who is so for good begins anew", async () => {
  const ahead = watch({ after: { epoch: 1n, sequence: 110n } });
  const forged = watch({ after: { epoch: 1n, sequence: 10n ** 12n } });
  await ahead.until(() => log.wakes === 2);
  log.hear([], 105n);
  log.hear([], 111n);
  await ahead.until(() => ahead.messages.some(({ position }) => position?.sequence === 111n));
  await forged.until(() => forged.messages.some(({ event }) => event.kind === "reset"));
  expect(ahead.messages.some(({ event }) => event.kind === "reset")).toBe(false);
});

test("many changes come in several messages, of which the last says where the feed stands", async () => {
  log.missed = Array.from({ length: 1_200 }, (_, index) => changeOf(BigInt(index)));
  const watcher = watch({ after });
  await watcher.until(() => watcher.told().length === 1_200);
  const changes = watcher.messages.filter(({ event }) => event.kind === "changes");
  expect(changes.map(({ position, ageMs }) => [position?.sequence, ageMs === undefined])).toEqual([
    [undefined, true],
    [undefined, true],
    [100n, false],
  ]);
});

test("a feed that has lost its place has everybody begin anew, before it goes on", async () => {
  const watcher = watch();
  await watcher.until(() => watcher.messages.length > 0);
  log.hear([eventOf(101n)], 101n);
  log.reset();
  log.position = { epoch: 2n, sequence: 5n };
  log.hear([eventOf(6n)], 6n);
  await watcher.until(() => watcher.told().includes(6n));
  const kinds = watcher.messages.map(({ event }) => event.kind);
  expect(kinds.indexOf("reset")).toBeLessThan(kinds.lastIndexOf("changes"));
  expect(watcher.messages.find(({ event }) => event.kind === "reset")?.position?.epoch).toBe(2n);
  watcher.leave();
  expect(feed.watchers).toBe(0);
});
