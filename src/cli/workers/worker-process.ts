import cluster, { type Worker } from "node:cluster";
import { setTimeout as delay } from "node:timers/promises";
import type { PackedFigures } from "../../app-metrics.ts";
import { UserError } from "../describe-failure.ts";
import type { ParentMessage, StartMessage, WorkerMessage } from "./messages.ts";

/** How long a worker may take to read its files again. */
const renewalTimeoutMs = 30_000;

/** How long a worker may take to tell its figures; then those it told last count. */
const figuresTimeoutMs = 1_000;

/** A worker as its parent sees it. */
export class WorkerProcess {
  readonly index: number;
  readonly pid: number | undefined;
  /** What it has to tell when it serves; rejects if it ends before. */
  readonly serving: Promise<readonly string[]>;
  /** How it ended. */
  readonly ended: Promise<string>;
  readonly #worker: Worker;
  readonly #answers = new Map<number, (problems: readonly string[]) => void>();
  #state: "starting" | "serving" | "stopping" | "ended" = "starting";
  readonly #figuresAsked = new Map<number, () => void>();
  #figures: PackedFigures = [];
  #lastId = 0;

  /** `onServerFigures` gives the figures of all workers, for which this one asks. */
  constructor(start: StartMessage, onServerFigures: () => Promise<PackedFigures>) {
    this.index = start.index;
    const worker = cluster.fork();
    this.#worker = worker;
    this.pid = worker.process.pid;
    const serving = Promise.withResolvers<readonly string[]>();
    this.serving = serving.promise;
    serving.promise.catch(() => {});
    let problem: UserError | undefined;
    worker.on("message", (message: WorkerMessage) => {
      switch (message.kind) {
        case "serving":
          if (this.#state === "starting") this.#state = "serving";
          serving.resolve(message.lines);
          break;
        case "failed":
          problem = new UserError(message.lines.join(" "));
          break;
        case "own-figures":
          this.#figures = message.figures;
          if (message.id !== undefined) this.#figuresAsked.get(message.id)?.();
          break;
        case "server-figures":
          void onServerFigures().then((figures) =>
            this.tell({ kind: "all-figures", id: message.id, figures }),
          );
          break;
        case "renewal":
          this.#answers.get(message.id)?.(message.problems);
          break;
        default:
          message satisfies never;
      }
    });
    // The channel breaks when the worker dies; that is told by its exit.
    worker.on("error", () => {});
    this.ended = new Promise((resolve) => {
      worker.once("exit", (code: number | null, signal: string | null) => {
        this.#state = "ended";
        const how = signal === null || signal === "" ? `code ${code}` : signal;
        for (const answer of this.#answers.values()) answer([]);
        for (const answer of this.#figuresAsked.values()) answer();
        serving.reject(
          problem ?? new UserError(`worker ${start.index + 1} ended with ${how} before it served`),
        );
        resolve(how);
      });
    });
    this.tell({ kind: "start", ...start });
  }

  /** Whether it takes calls. */
  get serves(): boolean {
    return this.#state === "serving";
  }

  /** Says something to it, if it is still there. */
  tell(message: ParentMessage): void {
    // Not answered: it may be gone by now, which its exit tells.
    if (this.#worker.isConnected()) this.#worker.send(message, () => {});
  }

  /** Its figures: as it tells them now, or told them at last. */
  async figures(): Promise<PackedFigures> {
    if (this.#state !== "ended" && this.#state !== "starting") {
      const id = ++this.#lastId;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#figuresAsked.set(id, resolve);
      this.tell({ kind: "figures", id });
      const late = setTimeout(resolve, figuresTimeoutMs);
      await promise;
      clearTimeout(late);
      this.#figuresAsked.delete(id);
    }
    return this.#figures;
  }

  /** Has it read its files again. Gives what is wrong, one line each; nothing of one that has ended. */
  renew(fileText: string | undefined): Promise<readonly string[]> {
    return this.#ask((id) => ({ kind: "renew", id, fileText }));
  }

  /** Has it use what it has read, or forget it. */
  settle(use: boolean): Promise<readonly string[]> {
    return this.#ask((id) => ({ kind: "settle", id, use }));
  }

  /** Ends it in order; by force if that takes longer than `forceMs`. */
  async stop(forceMs: number, patienceMs?: number): Promise<void> {
    if (this.#state !== "ended") this.#state = "stopping";
    this.tell({ kind: "stop", patienceMs });
    const force = setTimeout(() => this.#worker.process.kill("SIGKILL"), forceMs);
    await this.ended;
    clearTimeout(force);
  }

  async #ask(message: (id: number) => ParentMessage): Promise<readonly string[]> {
    if (this.#state === "ended") return [];
    const id = ++this.#lastId;
    const { promise, resolve } = Promise.withResolvers<readonly string[]>();
    this.#answers.set(id, resolve);
    const timeout = new AbortController();
    this.tell(message(id));
    const late = delay(renewalTimeoutMs, [`worker ${this.index + 1} does not answer`], {
      signal: timeout.signal,
    }).catch(() => []);
    const problems = await Promise.race([promise, late]);
    timeout.abort();
    this.#answers.delete(id);
    return problems;
  }
}
