/** The wiring of the figures: which part of the server each is read from. */
import type { CourierStore } from "./domain/courier/store.ts";
import type { EventFeed } from "./domain/event/feed.ts";
import type { StepTaken } from "./domain/flow/shared/flow-engine.ts";
import type { Clock } from "./domain/ports.ts";
import * as metric from "./transport/metrics/catalogue.ts";
import type { Metrics } from "./transport/metrics/metrics.ts";

export { type PackedFigures, ServerFigures } from "./transport/metrics/several-processes.ts";

/** Interval of counting what waits in the queue of messages. */
const backlogIntervalMs = 15_000;

/** The connections of a pool. */
interface Pool {
  readonly name: string;
  readonly used: number;
  readonly idle: number;
  readonly limit: number;
  readonly waiting: number;
}

/** Counts the steps of flows. */
export function countSteps(metrics: Metrics): (taken: StepTaken) => void {
  return ({ kind, step, outcome, reason }) =>
    metrics.count(metric.flowSteps, { kind, method: step, outcome, reason });
}

/** Adds the figures of the feed that other services follow. */
export function watchSessionFeed(metrics: Metrics, feed: { readonly watchers: number }): void {
  metrics.watch(metric.sessionWatchers, () => feed.watchers);
}

/** Adds the figures of the domain's parts. */
export function watchDomain(
  metrics: Metrics,
  domain: {
    readonly hasher: {
      readonly figures: {
        readonly running: number;
        readonly waiting: number;
        readonly waitingLimit: number;
        readonly refused: number;
      };
    };
    readonly outbound: {
      readonly breachedPasswords: {
        readonly figures: { readonly hits: number; readonly misses: number; readonly entries: number };
      };
    };
  },
): void {
  const { hasher, outbound } = domain;
  metrics.watch(metric.hashRunning, () => hasher.figures.running);
  metrics.watch(metric.hashWaiting, () => hasher.figures.waiting);
  metrics.watch(metric.hashWaitingLimit, () => hasher.figures.waitingLimit);
  metrics.watch(metric.hashRefused, () => hasher.figures.refused);
  const cache = "breached_passwords";
  metrics.watch(metric.cacheRequests, () => {
    const { hits, misses } = outbound.breachedPasswords.figures;
    return [
      { labels: { cache, result: "hit" }, value: hits },
      { labels: { cache, result: "miss" }, value: misses },
    ];
  });
  metrics.watch(metric.cacheEntries, () => [
    { labels: { cache }, value: outbound.breachedPasswords.figures.entries },
  ]);
}

/** Adds the figures of the database. */
export function watchStorage(
  metrics: Metrics,
  storage: { pool(): Pool; problems(): ReadonlyMap<string, number> },
  isUp: () => boolean,
): void {
  metrics.watch(metric.databaseUp, () => (isUp() ? 1 : 0));
  metrics.watch(metric.databaseErrors, () =>
    Array.from(storage.problems(), ([state, value]) => ({
      labels: { "db.response.status_code": state },
      value,
    })),
  );
  watchPool(metrics, () => storage.pool());
}

/** Adds the figures of the reader of the event log. */
export function watchFeed(metrics: Metrics, feed: EventFeed): void {
  let events = 0;
  let resets = 0;
  feed.follow({
    heard: (heard) => {
      events += heard.length;
    },
    reset: () => {
      resets++;
    },
  });
  metrics.watch(metric.feedAge, () => {
    const ageMs = performance.now() - feed.heardAt;
    return Number.isFinite(ageMs) ? [{ labels: {}, value: ageMs / 1_000 }] : [];
  });
  metrics.watch(metric.feedEvents, () => events);
  metrics.watch(metric.feedResets, () => resets);
}

/** Adds the figures of a pool; of none while there is none. */
function watchPool(metrics: Metrics, figures: () => Pool | undefined): void {
  const read = <Sample>(
    samples: (pool: Pool, label: { "db.client.connection.pool.name": string }) => Sample[],
  ) => {
    const pool = figures();
    return pool === undefined ? [] : samples(pool, { "db.client.connection.pool.name": pool.name });
  };
  metrics.watch(metric.poolConnections, () =>
    read(({ used, idle }, pool) => [
      { labels: { ...pool, "db.client.connection.state": "used" }, value: used },
      { labels: { ...pool, "db.client.connection.state": "idle" }, value: idle },
    ]),
  );
  metrics.watch(metric.poolLimit, () => read(({ limit }, pool) => [{ labels: pool, value: limit }]));
  metrics.watch(metric.poolWaiting, () => read(({ waiting }, pool) => [{ labels: pool, value: waiting }]));
}

/** Adds the figures of the jobs. `onRun` is to be told of each run. */
export function watchJobs(metrics: Metrics, names: readonly string[], clock: Clock) {
  const lastSuccess = new Map(names.map((name) => [name, 0]));
  metrics.watch(metric.jobLastSuccess, () =>
    Array.from(lastSuccess, ([job_name, value]) => ({ labels: { job_name }, value })),
  );
  return {
    onRun: ({ job, outcome }: { readonly job: string; readonly outcome: string }) => {
      metrics.count(metric.jobRuns, { job_name: job, outcome });
      if (outcome === "succeeded") lastSuccess.set(job, clock.now().getTime() / 1000);
    },
    /** Adds the connections of the jobs. */
    watchPool: (figures: () => Pool | undefined) => watchPool(metrics, figures),
  };
}

/** What waits in the queue of messages. */
interface Backlog {
  readonly queued: number;
  readonly retrying: number;
  readonly sending: number;
  readonly failed: number;
  readonly oldestAt: Date | undefined;
}

/**
 * Counts what waits in the queue of messages, now and then, and not when somebody looks: it costs the same however many look. While
 * the database is away there is no figure. Returns what ends it.
 */
export function watchBacklog(metrics: Metrics, count: () => Promise<Backlog>, clock: Clock): () => void {
  let latest: Backlog | undefined;
  let asking = false;
  const ask = async () => {
    if (asking) return;
    asking = true;
    // Why the database does not answer is in the log.
    latest = await count().catch(() => undefined);
    asking = false;
  };
  metrics.watch(metric.courierMessages, () => {
    if (latest === undefined) return [];
    const { queued, retrying, sending, failed } = latest;
    return Object.entries({ queued, retrying, sending, failed }).map(([state, value]) => ({
      labels: { state },
      value,
    }));
  });
  metrics.watch(metric.courierOldest, () => {
    if (latest === undefined) return undefined;
    const { oldestAt } = latest;
    return oldestAt === undefined ? 0 : Math.max(0, (clock.now().getTime() - oldestAt.getTime()) / 1000);
  });
  void ask();
  const timer = setInterval(() => void ask(), backlogIntervalMs);
  return () => clearInterval(timer);
}

/** The queue as it is, whose notes of attempts are counted. */
export function countingAttempts(store: CourierStore, metrics: Metrics): CourierStore {
  const counted =
    <Arguments extends unknown[], Result>(
      outcome: string,
      record: (...values: Arguments) => Promise<Result>,
    ) =>
    async (...values: Arguments): Promise<Result> => {
      const result = await record(...values);
      metrics.count(metric.courierAttempts, { outcome });
      return result;
    };
  return {
    ...store,
    recordSent: counted("sent", (...values) => store.recordSent(...values)),
    recordRetry: counted("retried", (...values) => store.recordRetry(...values)),
    recordFailed: counted("failed", (...values) => store.recordFailed(...values)),
  };
}
