/** One attempt to send a message: how it is ended from outside, and how far it has come. */
export class Attempt {
  readonly #ending = new AbortController();
  #answerBy: number | undefined;

  /** Aborted when there is no more time for the attempt. One that was handed over goes on waiting for its answer. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /**
   * Says that the other side may have the message from now on, whether or not its answer reaches us. Called by transports before the
   * byte that decides it, with the longest time that they wait for the answer.
   */
  handOver(answerWithinMs: number): void {
    this.#answerBy = performance.now() + answerWithinMs;
  }

  /** The time that is left for the answer to a message that was handed over; undefined: it was not. */
  get answerInMs(): number | undefined {
    return this.#answerBy === undefined ? undefined : Math.max(0, this.#answerBy - performance.now());
  }

  /** Ends the attempt. */
  end(): void {
    this.#ending.abort();
  }
}
