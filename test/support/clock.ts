import type { Clock } from "../../src/domain/ports.ts";

/** A clock that stands still until it is moved. */
export class TestClock implements Clock {
  #now = new Date("2026-11-24T12:00:00Z");

  now(): Date {
    return new Date(this.#now);
  }

  /** Moves the time forward. */
  advance(milliseconds: number): void {
    this.#now = new Date(this.#now.getTime() + milliseconds);
  }
}
