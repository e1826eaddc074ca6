import { closeSync, openSync } from "node:fs";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { startApp } from "../app.ts";
import type { AppOptions, RunningApp } from "../app-types.ts";
import { formatDuration } from "../config/durations.ts";
import { ConfigError } from "../config/problems.ts";
import { appOptionsFrom, type CommandContext, type CommandOptions, loadFrom } from "./context.ts";
import { describeFailure, UserError } from "./describe-failure.ts";

/**
 * `ostiary serve`: starts the server, says where it is, and runs until a signal asks it to stop. Resolves with the
 * exit code: 0 after a clean stop, 1 if something failed. A second signal ends the process at once.
 */
export async function serve(options: CommandOptions, context: CommandContext): Promise<number> {
  const config = loadFrom(options, context);
  const appOptions = appOptionsFrom(config, context);
  const lifetime = watchProcess(appOptions, context, config.embedded);
  try {
    const app = await start(appOptions);
    const giveUp = (error: unknown) => {
      // Stopping ends the database as well, which is then no failure.
      if (!lifetime.isEnding()) lifetime.fail(error, "the server can no longer serve");
    };
    void app.failed.then(giveUp).catch(giveUp);
    lifetime.onServing(() => app.reload());
    // In one write, so that a program that waits for the URLs gets the other lines at the same time.
    if (!lifetime.isEnding()) context.print(readyLines(app, appOptions, context).join("\n"));
    const end = await lifetime.ended;
    if (end.kind === "failed") {
      appOptions.logger.error({ err: end.error }, end.message);
      for (const line of describeFailure(end.error)) context.warn(`ostiary: ${line}`);
    }
    await app.stop();
    if (end.kind === "asked") context.print("Stopped.");
    return end.kind === "asked" ? 0 : 1;
  } catch (error) {
    // A start that was interrupted may fail for it, for example because the database got the same Ctrl-C.
    if (!lifetime.isEnding()) throw error;
    appOptions.logger.warn({ err: error }, "did not stop cleanly");
    return lifetime.wasAsked() ? 0 : 1;
  } finally {
    lifetime.close();
  }
}

async function start(options: AppOptions): Promise<RunningApp> {
  try {
    return await startApp(options);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const { server } = options.config.config;
    const ports = { publicPort: server.public.port, adminPort: server.admin.port };
    throw new UserError(describeFailure(error, ports).join(" "), { cause: error });
  }
}

type End =
  | { readonly kind: "asked" }
  | { readonly kind: "failed"; readonly error: unknown; readonly message: string };

interface Lifetime {
  /** Resolves when the process should end, and why. */
  readonly ended: Promise<End>;
  isEnding(): boolean;
  /** Whether a signal asked for the end. */
  wasAsked(): boolean;
  fail(error: unknown, message: string): void;
  /** Says that the server serves, and what a reload does. */
  onServing(reload: () => Promise<void> | undefined): void;
  close(): void;
}

/** Turns signals and uncaught errors into an end, or into a reload. */
function watchProcess({ config, logger }: AppOptions, context: CommandContext, embedded: boolean): Lifetime {
  const { promise: ended, resolve: end } = Promise.withResolvers<End>();
  const graceMs = durationMs(config.config.server.shutdownTimeout);
  let ending = false;
  let asked = false;
  let serving = false;
  let reload: () => Promise<void> | undefined = () => undefined;
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
      await reload();
      logger.info({}, "secrets, certificates and files of the branding were read again");
    } catch (error) {
      const fields = error instanceof ConfigError ? {} : { err: error };
      for (const line of describeFailure(error)) logger.error(fields, `not reloaded: ${line}`);
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
    ["uncaughtException", (error) => fail(error, "an error that nobody caught")],
    ["unhandledRejection", (error) => forget(error)],
  ];
  for (const [name, listener] of listeners) process.on(name, listener);
  return {
    ended,
    isEnding: () => ending,
    wasAsked: () => asked,
    fail,
    onServing: (action) => {
      serving = true;
      reload = action;
    },
    close: () => {
      for (const [name, listener] of listeners) process.off(name, listener);
    },
  };
}

// For the database's own stop, beyond the time that calls are given.
const stopAllowanceMs = 20_000;
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

function readyLines(app: RunningApp, { version, config }: AppOptions, context: CommandContext): string[] {
  const { key, file } = app.bootstrapKey;
  const keyLines: string[] = [];
  if (file !== undefined) keyLines.push(`  Admin API key    in ${file}`);
  // Security rule (SR-ACCESS-8): the first key is shown once, at the start that made it, and only to a person at a terminal.
  if (key !== undefined && context.isTerminal)
    keyLines.push(`                   ${key.reveal()} (shown this once)`);
  // Security rule (SR-MAIL-5): the link lets one browser read everybody's codes, so it goes to a person and into no log.
  const mailbox = context.isTerminal ? app.mailboxLink : "`ostiary mailbox --link` prints a link to it";
  if (!config.embedded && keyLines.length === 0) {
    keyLines.push("  Admin API key    `ostiary keys bootstrap` makes the first one");
  }
  return [
    "",
    `Ostiary ${version} is ready.${config.config.dev ? " DEVELOPMENT MODE: insecure settings are accepted." : ""}`,
    `  Public API       ${app.publicUrl}`,
    `  Admin API        ${app.adminUrl}`,
    ...keyLines,
    ...(app.mailboxLink === undefined ? [] : [`  Mailbox          ${mailbox}`]),
    "",
    ...(app.pagesUrl === undefined ? [] : [`Open in a browser: ${app.pagesUrl}`, ""]),
    "Try it: begin a registration.",
    `  curl -s -H 'Content-Type: application/json' -d '{"client":"CLIENT_KIND_NATIVE"}' \\`,
    `    ${app.publicUrl}/ostiary.flow.v1.RegistrationService/CreateRegistrationFlow`,
  ];
}
