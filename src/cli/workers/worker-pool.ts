import { setTimeout as delay } from "node:timers/promises";
import { type PackedFigures, ServerFigures } from "../../app-metrics.ts";
import { ConfigError } from "../../config/problems.ts";
import { keepRunning } from "../../domain/keep-running.ts";
import type { Logger } from "../../domain/ports.ts";
import { UserError } from "../describe-failure.ts";
import type { StartMessage } from "./messages.ts";
import { WorkerProcess } from "./worker-process.ts";

/** A worker that has served for so long is no longer counted as one that fails again and again. */
const settledMs = 10_000;

interface PoolOptions {
  readonly count: number;
  readonly fileText: string | undefined;
  readonly embeddedUrl: string | undefined;
  /** How long a worker is kept that does not end (`server.shutdown_timeout`, and some more). */
  readonly forceMs: number;
  /** How long a worker that is replaced keeps connections without a call. */
  readonly patienceMs: number;
  readonly logger: Logger;
}

/** The place of a worker, and who has it. */
interface Place {
  current: WorkerProcess | undefined;
  /** Serves already, and takes the place when the current one has ended. */
  next: WorkerProcess | undefined;
}

/** The workers of a server: keeps so many running, and replaces and renews them. */
export class WorkerPool {
  readonly #options: PoolOptions;
  readonly #places: readonly Place[];
  readonly #alive = new Set<WorkerProcess>();
  readonly #figures = new ServerFigures();
  readonly #stopping = new AbortController();
  #keepers: readonly Promise<void>[] = [];
  #files: Pick<StartMessage, "fileText" | "renewedText">;
  #renewals = 0;
  /** One reload or restart after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#files = { fileText: options.fileText, renewedText: undefined };
    this.#places = Array.from({ length: options.count }, () => ({ current: undefined, next: undefined }));
  }

  /**
   * Starts the first worker, which migrates the database and makes what a first start makes, and then the others. Gives what the
   * first one has to tell; throws if it cannot serve.
   */
  async start(): Promise<readonly string[]> {
    const [first, ...others] = this.#places;
    if (first === undefined) throw new Error("a pool has one worker or more");
    first.next = this.#launch(0);
    const lines = await first.next.serving;
    for (const [index, place] of others.entries()) place.next = this.#launch(index + 1);
    // One that fails is tried again later, like one that dies.
    await Promise.allSettled(others.map(({ next }) => next?.serving));
    this.#keepers = this.#places.map((place, index) => this.#keep(place, index));
    return lines;
  }

  /** Has all workers read secrets and certificates again; if one of them cannot, none changes anything, and this throws. */
  renew(fileText: string | undefined): Promise<void> {
    return this.#inTurn(async () => {
      const workers = [...this.#alive].filter(({ serves }) => serves);
      const problems = (await Promise.all(workers.map((worker) => worker.renew(fileText)))).flat();
      if (problems.length > 0) {
        await Promise.all(workers.map((worker) => worker.settle(false)));
        throw new ConfigError([...new Set(problems)]);
      }
      this.#files = { ...this.#files, renewedText: fileText };
      this.#renewals++;
      await Promise.all(workers.map((worker) => worker.settle(true)));
    });
  }

  /**
   * Replaces the workers one by one: each new one serves before the old one ends, so that no call is refused. Throws if a new one
   * cannot serve; then the old ones that are left stay.
   */
  replace(fileText: string | undefined): Promise<void> {
    return this.#inTurn(async () => {
      const { logger, forceMs, patienceMs } = this.#options;
      const before = this.#files;
      this.#files = { fileText, renewedText: undefined };
      for (const [index, place] of this.#places.entries()) {
        if (this.#stopping.signal.aborted) return;
        const next = this.#launch(index);
        try {
          await next.serving;
        } catch (error) {
          if (index === 0) this.#files = before;
          throw error;
        }
        const old = place.current;
        place.next = next;
        await old?.stop(forceMs, patienceMs);
        logger.info({ worker: index + 1, pid: next.pid }, "a worker was replaced");
      }
    });
  }

  /** Ends all workers in order. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#alive].map((worker) => worker.stop(this.#options.forceMs)));
    await Promise.all(this.#keepers);
  }

  /** Keeps somebody in a place until the pool stops. */
  async #keep(place: Place, index: number): Promise<void> {
    const { logger } = this.#options;
    const { signal } = this.#stopping;
    const work = async (succeeded: () => void) => {
      const worker = place.next ?? this.#launch(index);
      place.current = worker;
      place.next = undefined;
      await worker.serving;
      const settled = new AbortController();
      void delay(settledMs, undefined, { signal: settled.signal }).then(succeeded, () => {});
      const how = await worker.ended;
      settled.abort();
      if (place.next === undefined) throw new UserError(`it ended with ${how}`);
    };
    await keepRunning(work, {
      signal,
      firstPauseMs: 250,
      longestPauseMs: 10_000,
      onFailure: (error, failures) =>
        logger.error({ worker: index + 1, failures, error }, "a worker ended; starting it again"),
    });
  }

  #launch(index: number): WorkerProcess {
    const { count, embeddedUrl } = this.#options;
    const renewals = this.#renewals;
    const start = { index, count, embeddedUrl, ...this.#files };
    const worker = new WorkerProcess(start, () => this.#serverFigures());
    this.#alive.add(worker);
    const tellAll = () => this.#tellAll();
    worker.serving.then(async () => {
      tellAll();
      // There was a reload while it started.
      if (renewals !== this.#renewals && (await worker.renew(this.#files.renewedText)).length === 0)
        await worker.settle(true);
    }, tellAll);
    void worker.ended.then(async () => {
      this.#figures.keep(await worker.figures());
      this.#alive.delete(worker);
      tellAll();
    });
    return worker;
  }

  async #serverFigures(): Promise<PackedFigures> {
    const all = await Promise.all(
      [...this.#alive].map(async (worker) => ({ worker, figures: await worker.figures() })),
    );
    // Those of one that has ended meanwhile are kept already.
    const living = all.filter(({ worker }) => this.#alive.has(worker));
    return this.#figures.together(living.map(({ figures }) => figures));
  }

  #tellAll(): void {
    const serving = new Set([...this.#alive].filter(({ serves }) => serves).map(({ index }) => index));
    const allServe = serving.size === this.#options.count;
    for (const worker of this.#alive) worker.tell({ kind: "workers", allServe });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }
}
