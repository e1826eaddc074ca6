import { once } from "node:events";
import type { PackedFigures } from "../../app-metrics.ts";
import type { RunningApp, StopOptions } from "../../app-types.ts";
import { appOptionsFrom, type CommandContext, type CommandOptions, loadFrom } from "../context.ts";
import { describeFailure } from "../describe-failure.ts";
import { readyLines, startOrExplain } from "../serve-command.ts";
import type { ParentMessage, StartMessage, WorkerMessage } from "./messages.ts";

/**
 * A worker of `ostiary serve --workers`: waits for the parent's word, serves, and ends when it is told to. Without its parent it
 * ends at once (node:cluster sees to that). Resolves with the exit code.
 */
export async function serveAsWorker(options: CommandOptions, context: CommandContext): Promise<number> {
  const ended = Promise.withResolvers<StopOptions>();
  // It is awaited once the server serves.
  ended.promise.catch(() => {});
  // A signal may come to the whole group: from a terminal, or from systemd. The parent acts on it, and the worker on the parent's
  // word. One that is meant for this worker alone ends it in order, and the parent starts another one.
  for (const name of ["SIGTERM", "SIGINT"]) process.on(name, () => ended.resolve({}));
  for (const name of ["SIGHUP", "SIGUSR2"]) process.on(name, () => {});
  try {
    const start = await firstMessage();
    let allServe = false;
    const asked = new FiguresAsked();
    const place = { ...start, allServe: () => allServe, serverFigures: () => asked.ask() };
    const config = loadFrom(options, context, start.fileText);
    if (start.renewedText !== undefined) config.renew(start.renewedText)();
    const appOptions = appOptionsFrom(config, context, place);
    const { logger } = appOptions;
    const fail = (error: unknown, message: string) => {
      logger.error({ err: error }, message);
      ended.reject(error);
    };
    process.on("uncaughtException", (error) => fail(error, "an error that nobody caught"));
    // Security rule (SR-INPUT-2): it comes from one request or one round of a worker, and must not end all others.
    process.on("unhandledRejection", (error) => {
      logger.error({ err: error }, "a rejection that nobody handled");
    });
    const app = await startOrExplain(appOptions);
    const renewals = new Renewals(app);
    process.on("message", (message: ParentMessage) => {
      switch (message.kind) {
        case "start":
          break;
        case "workers":
          allServe = message.allServe;
          break;
        case "figures":
          tell({ kind: "own-figures", id: message.id, figures: app.figures() });
          break;
        case "all-figures":
          asked.answer(message.id, message.figures);
          break;
        case "renew":
          tell({ kind: "renewal", id: message.id, problems: renewals.prepare(message.fileText) });
          break;
        case "settle":
          tell({ kind: "renewal", id: message.id, problems: renewals.settle(message.use) });
          break;
        case "stop":
          ended.resolve({ patienceMs: message.patienceMs });
          break;
        default:
          message satisfies never;
      }
    });
    tell({ kind: "serving", lines: readyLines(app, appOptions, context) });
    let stopOptions: StopOptions = {};
    let code = 0;
    try {
      stopOptions = await ended.promise;
    } catch {
      code = 1;
    }
    await app.stop(stopOptions);
    await told({ kind: "own-figures", id: undefined, figures: app.figures() });
    return code;
  } catch (error) {
    await told({ kind: "failed", lines: describeFailure(error) });
    return 1;
  }
}

/** The questions for the figures of all workers that the parent has not answered yet. */
class FiguresAsked {
  readonly #open = new Map<number, (figures: PackedFigures) => void>();
  #lastId = 0;

  ask(): Promise<PackedFigures> {
    const id = ++this.#lastId;
    const { promise, resolve } = Promise.withResolvers<PackedFigures>();
    this.#open.set(id, resolve);
    tell({ kind: "server-figures", id });
    return promise;
  }

  answer(id: number, figures: PackedFigures): void {
    this.#open.get(id)?.(figures);
    this.#open.delete(id);
  }
}

/** What was read at a reload and is not used yet. */
class Renewals {
  readonly #app: RunningApp;
  #use: (() => void) | undefined;

  constructor(app: RunningApp) {
    this.#app = app;
  }

  prepare(fileText: string | undefined): readonly string[] {
    return this.#attempt(() => {
      this.#use = this.#app.renew(fileText);
    });
  }

  settle(use: boolean): readonly string[] {
    return this.#attempt(() => {
      if (use) this.#use?.();
      this.#use = undefined;
    });
  }

  #attempt(work: () => void): readonly string[] {
    try {
      work();
      return [];
    } catch (error) {
      this.#use = undefined;
      return describeFailure(error);
    }
  }
}

async function firstMessage(): Promise<StartMessage> {
  const [message] = (await once(process, "message")) as [ParentMessage];
  if (message.kind !== "start") throw new Error(`a worker begins with its start, not with ${message.kind}`);
  return message;
}

function tell(message: WorkerMessage): void {
  void told(message);
}

/** Resolves when it is sent, or the parent is gone: then this process ends as well. */
function told(message: WorkerMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, undefined, undefined, () => resolve());
  });
}
