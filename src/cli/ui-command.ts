import { startPreview } from "../app-preview.ts";
import { type CommandContext, type CommandOptions, loadFrom } from "./context.ts";
import { UserError } from "./describe-failure.ts";

/**
 * `ostiary ui preview`: serves every state of the self-service pages with sample data, to this machine alone and without a database, until
 * a signal ends it. Name, colours and providers are those of the configuration.
 */
export async function previewPages(options: CommandOptions, context: CommandContext): Promise<void> {
  const wanted = String(options.port);
  const port = Number(wanted);
  if (!/^\d+$/.test(wanted) || port > 65_535) {
    throw new UserError(`--port must be a whole number from 0 to 65535, not ${wanted}`);
  }
  const preview = await startPreview({ config: loadFrom(options, context), port });
  const ended = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  context.print(`Every state of the pages: http://localhost:${preview.port}/ (Ctrl-C ends the preview)`);
  await ended;
  await preview.stop();
}
