import { printConfig } from "../config/print-config.ts";
import { type CommandContext, type CommandOptions, loadFrom } from "./context.ts";

/** `ostiary config check`: OK, or every problem (thrown as a ConfigError). Makes and changes nothing. */
export function checkConfig(options: CommandOptions, context: CommandContext): void {
  const { warnings } = loadFrom(options, context);
  for (const warning of warnings) context.warn(`warning: ${warning}`);
  context.print("OK");
}

/** `ostiary config print`: the effective configuration as YAML, secrets hidden. */
export function showConfig(options: CommandOptions, context: CommandContext): void {
  context.print(printConfig(loadFrom(options, context), { sources: options.sources === true }).trimEnd());
}
