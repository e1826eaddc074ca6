import type { Argon2Parameters } from "../domain/ports.ts";
import { computeArgon2id } from "./password-formats/argon2.ts";

/** Result of a calibration. */
export interface Argon2Calibration {
  readonly parameters: Argon2Parameters;
  /** How long one hash with them took on this machine while nothing else ran. */
  readonly durationMs: number;
}

/** Target of a calibration. */
export interface Argon2Target {
  /** About how long a hash should take, in milliseconds; OWASP advises less than a second. */
  readonly targetMs: number;
  /** The memory that one hash may use. All hashes that run at once need it. */
  readonly memoryKibMax: number;
}

/**
 * The least that OWASP's Password Storage Cheat Sheet accepts for argon2id: 19 MiB, two passes, one lane. Also the
 * default of the configuration.
 */
export const minimumArgon2Parameters: Argon2Parameters = { memoryKib: 19_456, iterations: 2, parallelism: 1 };

/**
 * Measures this machine and recommends parameters of argon2id. Memory comes first, because it is what makes an
 * attacker's hardware expensive (RFC 9106, section 4); passes follow when the memory is used up. One lane: logins
 * already run beside each other. Never below the OWASP minimum, even if that takes longer than the target.
 */
export function calibrateArgon2({ targetMs, memoryKibMax }: Argon2Target): Argon2Calibration {
  let parameters = minimumArgon2Parameters;
  let durationMs = measure(parameters);
  // The time grows almost in line with the memory, a little faster beyond the caches: each round corrects the one before.
  for (let round = 0; round < maxRounds; round++) {
    const next = scale(parameters, (targetMs * headroom) / durationMs, memoryKibMax);
    if (isSame(next, parameters)) break;
    parameters = next;
    durationMs = measure(parameters);
    if (durationMs <= targetMs && durationMs >= targetMs * 0.8) break;
  }
  return { parameters, durationMs };
}

const maxRounds = 5;
const headroom = 0.95;
const runsPerMeasure = 3;
// What the import of such a hash into another Ostiary would still accept.
const maxIterations = 10;
const maxMemoryKib = 2 ** 20;
const memoryStepKib = 1024;

function scale(from: Argon2Parameters, factor: number, memoryKibMax: number): Argon2Parameters {
  const { memoryKib: leastMemory, iterations: leastIterations } = minimumArgon2Parameters;
  const mostMemory = Math.max(leastMemory, Math.min(memoryKibMax, maxMemoryKib));
  const work = from.memoryKib * from.iterations * factor;
  const wantedMemory = Math.floor(work / leastIterations / memoryStepKib) * memoryStepKib;
  const memoryKib = Math.min(mostMemory, Math.max(leastMemory, wantedMemory));
  const iterations = Math.min(maxIterations, Math.max(leastIterations, Math.floor(work / memoryKib)));
  return { memoryKib, iterations, parallelism: 1 };
}

function measure(parameters: Argon2Parameters): number {
  const durations: number[] = [];
  for (let run = 0; run < runsPerMeasure; run++) {
    const startedAt = performance.now();
    computeArgon2id(Buffer.from("a password to measure with"), parameters, Buffer.alloc(16));
    durations.push(performance.now() - startedAt);
  }
  // The fastest run is the one that least else was in the way of.
  return Math.min(...durations);
}

function isSame(left: Argon2Parameters, right: Argon2Parameters): boolean {
  return left.memoryKib === right.memoryKib && left.iterations === right.iterations;
}
