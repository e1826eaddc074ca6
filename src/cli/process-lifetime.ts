import { closeSync, openSync } from "node:fs";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { AppOptions } from "../app-types.ts";
import { formatDuration } from "../config/durations.ts";
import { ConfigError } from "../config/problems.ts";
import type { CommandContext } from "./context.ts";
import { describeFailure, UserError } from "./describe-failure.ts";

/** Why a process ends. */
export type End =
  | { readonly kind: "asked" }
  | { readonly kind: "failed"; readonly error: unknown; readonly message: string };

/** The life of a process that serves. */
export interface Lifetime {
  /** Resolves when the process should end, and why. */
  readonly ended: Promise<End>;
  isEnding(): boolean;
  /** Whether a signal asked for the end. */
  wasAsked(): boolean;
  fail(error: unknown, message: string): void;
  /** Says that the server serves, and what signals do from now on. */
  onServing(actions: SignalActions): void;
  close(): void;
}

/** What signals do to a server. */
interface SignalActions {
  /** SIGHUP. */
  reload(): Promise<void>;
  /** SIGUSR2. */
  restart(): Promise<void>;
}

/** Turns signals and uncaught errors into an end, a reload or a rolling restart. */
export function watchProcess({ config, logger }: AppOptions, context: CommandContext): Lifetime {
  const { embedded } = config;
  const { promise: ended, resolve: end } = Promise.withResolvers<End>();
  const graceMs = durationMs(config.config.server.shutdownTimeout);
  let ending = false;
  let asked = false;
  let serving = false;
  let actions: SignalActions | undefined;
  const begin = (how: End) => {
    if (ending) return;
    ending = true;
    // What cannot be stopped in good time is left behind: the next start recovers it.
    setTimeout(() => leave(context, 1, "stopping takes too long"), graceMs + stopAllowanceMs).unref();
    end(how);
  };
  const stop = () => {
    if (ending) leave(context, 130, "stopping at once");
    const database = embedded ? ", then the database" : "";
    context.print(
      `Stopping: finishing calls under way (at most ${formatDuration(graceMs)})${database}. Again: at once.`,
    );
    asked = !ending;
    begin({ kind: "asked" });
  };
  const hangUp = () => {
    // A closed terminal and a request to reload are the same signal.
    if (hasTerminal && terminalIsGone()) return stop();
    void reloadNow().catch(() => {});
  };
  const reloadNow = async () => {
    try {
      await actions?.reload();
      logger.info({}, "secrets, certificates and files of the branding were read again");
    } catch (error) {
      for (const line of describeFailure(error)) logger.error(fieldsOf(error), `not reloaded: ${line}`);
    }
  };
  const restartNow = async () => {
    try {
      await actions?.restart();
    } catch (error) {
      for (const line of describeFailure(error)) logger.error(fieldsOf(error), `not restarted: ${line}`);
    }
  };
  const fail = (error: unknown, message: string) => {
    if (ending) logger.error({ err: error }, message);
    else begin({ kind: "failed", error, message });
  };
  // Security rule (SR-INPUT-2): an unhandled rejection comes from one request or one round of a worker, and must not end
  // all others. Before the server serves, it is part of the start, which has then failed.
  const forget = (error: unknown) => {
    if (serving) logger.error({ err: error }, "a rejection that nobody handled");
    else fail(error, "a rejection that nobody handled");
  };
  const listeners: readonly [string, (value: unknown) => void][] = [
    ["SIGINT", stop],
    ["SIGTERM", stop],
    ["SIGHUP", hangUp],
    ["SIGUSR2", () => void restartNow().catch(() => {})],
    ["uncaughtException", (error) => fail(error, "an error that nobody caught")],
    ["unhandledRejection", (error) => forget(error)],
  ];
  for (const [name, listener] of listeners) process.on(name, listener);
  return {
    ended,
    isEnding: () => ending,
    wasAsked: () => asked,
    fail,
    onServing: (given) => {
      serving = true;
      actions = given;
    },
    close: () => {
      for (const [name, listener] of listeners) process.off(name, listener);
    },
  };
}

/** No stack for what an operator can put right. */
function fieldsOf(error: unknown): object {
  return error instanceof ConfigError || error instanceof UserError ? {} : { err: error };
}

/** For the database's own stop, beyond the time that calls are given. */
export const stopAllowanceMs = 20_000;
const hasTerminal = process.stdin.isTTY === true;

function leave(context: CommandContext, code: number, why: string): never {
  context.warn(`ostiary: ${why}; calls under way are cut off`);
  process.exit(code);
}

function terminalIsGone(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return false;
  } catch {
    return true;
  }
}
