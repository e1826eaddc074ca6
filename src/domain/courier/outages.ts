import type { Logger } from "../ports.ts";

interface Outage {
  readonly since: number;
  failures: number;
  lastFailure: number;
}

/**
 * Says in the log when messages begin to wait for something that somebody must put right, and when that is over: once each, however
 * many messages wait.
 */
export class Outages {
  readonly #logger: Logger;
  readonly #forgetAfterMs: number;
  readonly #current = new Map<string, Outage>();

  /** What has not failed for `forgetAfterMs` is said anew: nothing may be left that could have shown its end. */
  constructor(logger: Logger, forgetAfterMs: number) {
    this.#logger = logger;
    this.#forgetAfterMs = forgetAfterMs;
  }

  /** Notes that a message waits. `what` names the same thing at its end. */
  failed(what: string, about: { readonly error: string }): void {
    const now = performance.now();
    const known = this.#current.get(what);
    if (known !== undefined && now - known.lastFailure < this.#forgetAfterMs) {
      known.failures++;
      known.lastFailure = now;
      return;
    }
    this.#current.set(what, { since: now, failures: 1, lastFailure: now });
    this.#logger.warn({ what, ...about }, "messages wait, and are tried again until this is put right");
  }

  /** Notes that it works. */
  works(what: string): void {
    const outage = this.#current.get(what);
    if (outage === undefined) return;
    this.#current.delete(what);
    const seconds = Math.round((performance.now() - outage.since) / 1000);
    const { failures } = outage;
    this.#logger.warn({ what, seconds, failures }, "messages that waited are sent again");
  }
}
