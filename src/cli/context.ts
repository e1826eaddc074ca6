import { LogLevel } from "../../gen/ostiary/config/v1/config_pb.js";
import type { AppOptions, WorkerPlace } from "../app-types.ts";
import { configFlags, type FlagValues } from "../config/flags.ts";
import { type LoadedConfig, loadConfig } from "../config/load-config.ts";
import { createLogger, type LogLevelName, LogOutput } from "./logger.ts";
import { readVersion } from "./version.ts";

/** The parts of the process that a command may use. */
export interface CommandContext {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether standard output is a terminal, with a person before it. */
  readonly isTerminal: boolean;
  /** Reads standard input to its end, or a little further than so many bytes. */
  readInput(maxBytes: number): Promise<string>;
  /** Writes a line to standard output: what the user asked for. */
  print(line: string): void;
  /** Writes a line to standard error: what the user should know beside it. */
  warn(line: string): void;
}

/** The options of commander by their camel-case names: each flag of a key, and `config`. */
export type CommandOptions = Readonly<Record<string, unknown>>;

/** Loads the configuration that a command line asks for. `fileText` is what its file says, where it was read before. */
export function loadFrom(options: CommandOptions, context: CommandContext, fileText?: string): LoadedConfig {
  const flags: FlagValues = {};
  for (const { path, name } of configFlags) {
    const value = options[camelCase(name)];
    if (value !== undefined) flags[path] = String(value);
  }
  const file = configFileOf(options, context);
  return loadConfig({ file, fileText, environment: context.environment, flags });
}

/** The configuration file that a command line asks for; undefined if none. */
export function configFileOf(options: CommandOptions, { environment }: CommandContext): string | undefined {
  const file = typeof options.config === "string" ? options.config : environment.OSTIARY_CONFIG;
  return file === "" ? undefined : file;
}

/** Options of src/app.ts, which logs the warnings of the configuration itself. A worker names itself in each line of its log. */
export function appOptionsFrom(
  config: LoadedConfig,
  { environment }: CommandContext,
  worker?: WorkerPlace,
): AppOptions {
  const logLines = new LogOutput();
  const everywhere = worker === undefined ? undefined : { worker: worker.index + 1 };
  const logger = createLogger(levelNames[config.config.log.level], logLines, everywhere);
  return { config, logger, logLines, version: readVersion(), environment, worker };
}

const levelNames: Readonly<Record<LogLevel, LogLevelName>> = {
  [LogLevel.UNSPECIFIED]: "info",
  [LogLevel.DEBUG]: "debug",
  [LogLevel.INFO]: "info",
  [LogLevel.WARN]: "warn",
  [LogLevel.ERROR]: "error",
};

function camelCase(flag: string): string {
  return flag.slice(2).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
