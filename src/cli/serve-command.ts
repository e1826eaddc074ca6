import cluster from "node:cluster";
import { availableParallelism } from "node:os";
import { startApp } from "../app.ts";
import type { AppOptions, RunningApp } from "../app-types.ts";
import { readFileText } from "../config/load-config.ts";
import { ConfigError } from "../config/problems.ts";
import {
  appOptionsFrom,
  type CommandContext,
  type CommandOptions,
  configFileOf,
  loadFrom,
} from "./context.ts";
import { describeFailure, UserError } from "./describe-failure.ts";
import { watchProcess } from "./process-lifetime.ts";

/**
 * `ostiary serve`: starts the server, says where it is, and runs until a signal asks it to stop. Resolves with the
 * exit code: 0 after a clean stop, 1 if something failed. A second signal ends the process at once.
 */
export async function serve(options: CommandOptions, context: CommandContext): Promise<number> {
  if (cluster.isWorker) return (await import("./workers/worker.ts")).serveAsWorker(options, context);
  const config = loadFrom(options, context);
  const appOptions = appOptionsFrom(config, context);
  const count = config.config.server.workers || availableParallelism();
  if (count === 1) return serveAlone(appOptions, context);
  const { serveByWorkers } = await import("./workers/parent.ts");
  return serveByWorkers(appOptions, context, {
    count,
    load: () => loadFrom(options, context),
    readText: () => readFileText({ file: configFileOf(options, context) }),
  });
}

async function serveAlone(appOptions: AppOptions, context: CommandContext): Promise<number> {
  const lifetime = watchProcess(appOptions, context);
  try {
    const app = await startOrExplain(appOptions);
    const giveUp = (error: unknown) => {
      // Stopping ends the database as well, which is then no failure.
      if (!lifetime.isEnding()) lifetime.fail(error, "the server can no longer serve");
    };
    void app.failed.then(giveUp).catch(giveUp);
    lifetime.onServing({
      reload: () => app.reload(),
      restart: async () => {
        throw new UserError("there are no workers to replace one by one (server.workers)");
      },
    });
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

/** Starts the server. Throws an error with one line for people. */
export async function startOrExplain(options: AppOptions): Promise<RunningApp> {
  try {
    return await startApp(options);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const { server } = options.config.config;
    const ports = { publicPort: server.public.port, adminPort: server.admin.port };
    throw new UserError(describeFailure(error, ports).join(" "), { cause: error });
  }
}

/** What a server that serves says to the one who has started it. */
export function readyLines(
  app: RunningApp,
  { version, config }: AppOptions,
  context: CommandContext,
): string[] {
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
    ...(app.forwardAuthUrl === undefined ? [] : [`  Forward auth     ${app.forwardAuthUrl}`]),
    ...keyLines,
    ...(app.mailboxLink === undefined ? [] : [`  Mailbox          ${mailbox}`]),
    "",
    ...(app.pagesUrl === undefined ? [] : [`Open in a browser: ${app.pagesUrl}`, ""]),
    "Try it: begin a registration.",
    `  curl -s -H 'Content-Type: application/json' -d '{"client":"CLIENT_KIND_NATIVE"}' \\`,
    `    ${app.publicUrl}/ostiary.flow.v1.RegistrationService/CreateRegistrationFlow`,
  ];
}
