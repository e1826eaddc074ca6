import { parseDuration } from "../config/durations.ts";
import { calibrateArgon2 } from "../crypto/calibrate-argon2.ts";
import type { CommandContext, CommandOptions } from "./context.ts";
import { UserError } from "./describe-failure.ts";

/** `ostiary hash calibrate`: measures this machine and prints parameters to paste into the configuration. */
export async function calibrateHash(options: CommandOptions, context: CommandContext): Promise<void> {
  const targetMs = parseDuration(String(options.target));
  if (targetMs === undefined || targetMs < 1 || targetMs > 10_000) {
    throw new UserError("--target must be a duration of at most 10s, such as 250ms");
  }
  const memoryMib = Number(options.maxMemory);
  if (!Number.isInteger(memoryMib) || memoryMib < 19 || memoryMib > 4096) {
    throw new UserError("--max-memory must be a whole number of MiB from 19 to 4096");
  }
  const { parameters, durationMs } = calibrateArgon2({ targetMs, memoryKibMax: memoryMib * 1024 });
  const { memoryKib, iterations, parallelism } = parameters;
  context.print(
    `# One hash takes about ${Math.round(durationMs)} ms on this machine while nothing else runs.`,
  );
  if (durationMs > targetMs) {
    context.print("# That is longer than asked for, but less than this would be below the minimum of OWASP.");
  }
  context.print("tenant_defaults:");
  context.print("  password:");
  context.print("    argon2:");
  context.print(`      memory_kib: ${memoryKib}`);
  context.print(`      iterations: ${iterations}`);
  context.print(`      parallelism: ${parallelism}`);
}
