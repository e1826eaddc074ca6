import type { Logger } from "../domain/ports.ts";
import { sqlState } from "./database-errors.ts";

/** The pause between two lines of the log that say the same. */
const repeatMs = 30_000;

/**
 * The classes that say how the database is and not what a statement wanted: connection (08), read-only (25006) and time-outs in a
 * transaction (25), out of disk, memory or connections (53), locks (55), stopped or cut off (57). Their texts name no values of rows.
 */
const classes = /^(08|25|53|55|57)/;

/** The key of failures that have no SQLSTATE: those of the network and of the driver. */
const otherState = "_OTHER";

const meanings: Readonly<Record<string, string>> = {
  "25006": "the database is read-only: a standby, or default_transaction_read_only",
  "53100": "the database's disk is full",
  "53200": "the database is out of memory",
  "53300": "the database has no free connection",
  "53400": "the database has reached a limit of its configuration",
  "55P03": "a lock was not to be had in time",
  "57014": "a statement took too long or was cancelled",
  "57P01": "the database is shutting down, or an administrator ended the connection",
  "57P02": "the database has crashed and recovers",
  "57P03": "the database is starting up or shutting down",
};

/**
 * Says in the log why the database refuses, and counts it: the callers are only told that it does. Each SQLSTATE is said once, and
 * again every half a minute with how often it came meanwhile.
 */
export class DatabaseProblems {
  readonly #logger: Logger;
  readonly #counts = new Map<string, number>();
  readonly #said = new Map<string, { at: number; count: number }>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** How often each SQLSTATE came since the start. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** Notes a failure as the driver reported it. */
  report(error: unknown): void {
    const state = sqlState(error) ?? otherState;
    if (state !== otherState && !classes.test(state)) return;
    const count = (this.#counts.get(state) ?? 0) + 1;
    this.#counts.set(state, count);
    const said = this.#said.get(state);
    const now = performance.now();
    if (said !== undefined && now - said.at < repeatMs) return;
    this.#said.set(state, { at: now, count });
    const fields = {
      ...(state === otherState ? {} : { sqlState: state }),
      error: textOf(error),
      ...(said === undefined ? {} : { times: count - said.count }),
    };
    this.#logger.warn(fields, meanings[state] ?? meaningOfClass(state));
  }
}

function meaningOfClass(state: string): string {
  if (state === otherState || state.startsWith("08")) return "the database cannot be reached";
  if (state.startsWith("53")) return "the database lacks resources";
  return "the database refuses statements";
}

/** What the driver says, in one line. The attempts at several addresses of one host are joined. */
function textOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(textOf).join("; ");
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text
    .replace(/[\p{Cc}\u2028\u2029]+/gu, " ")
    .trim()
    .slice(0, 500);
}
