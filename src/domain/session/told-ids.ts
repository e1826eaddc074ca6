/** The most ids that are remembered. Beyond it half of them are forgotten, the oldest. */
const most = 4096;

/**
 * The ids of sessions and identities that events have told of, in their order: what was read before an event and arrives after it is not
 * kept. Bounded; of what was forgotten everything may have been told.
 */
export class ToldIds {
  #ids: string[] = [];
  #forgotten = 0;

  /** A mark of now, for `toldSince`. */
  get mark(): number {
    return this.#forgotten + this.#ids.length;
  }

  /** Notes an id that an event tells of. */
  add(id: string): void {
    this.#ids.push(id);
    if (this.#ids.length > most) this.#forget(most / 2);
  }

  /** Notes that anything may have been told. */
  addAll(): void {
    this.#forget(this.#ids.length);
    this.#forgotten++;
  }

  /** Whether one of the ids was told of since the mark, or that is not known any more. */
  toldSince(mark: number, ids: readonly string[]): boolean {
    if (mark < this.#forgotten) return true;
    for (let index = mark - this.#forgotten; index < this.#ids.length; index++) {
      if (ids.includes(this.#ids[index] ?? "")) return true;
    }
    return false;
  }

  #forget(count: number): void {
    this.#ids = this.#ids.slice(count);
    this.#forgotten += count;
  }
}
