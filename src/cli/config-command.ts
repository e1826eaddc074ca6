import { prepare } from "../app-prepare.ts";
import { printConfig } from "../config/print-config.ts";
import { type CommandContext, type CommandOptions, loadFrom } from "./context.ts";

/**
 * `ostiary config check`: OK, or every problem (thrown as a ConfigError). Runs what a start runs before it opens anything;
 * makes, changes and connects to nothing.
 */
export async function checkConfig(options: CommandOptions, context: CommandContext): Promise<void> {
  const config = loadFrom(options, context);
  await prepare({ config, environment: context.environment });
  for (const warning of config.warnings) context.warn(`warning: ${warning}`);
  context.print("OK");
}

/** `ostiary config print`: the effective configuration as YAML, secrets hidden. */
export function showConfig(options: CommandOptions, context: CommandContext): void {
  context.print(printConfig(loadFrom(options, context), { sources: options.sources === true }).trimEnd());
}
