/** How much there is of a resource. */
export interface BudgetLimits {
  /** For all holders of this process together. */
  readonly total: number;
  /** The most that one holder may have. */
  readonly share: number;
}

/** What a budget has no more of: for the one holder, or at all. */
export type Shortage = "share" | "total";

/** Counts who holds how much of a resource. All that is taken must be given back, whatever ends the holding. */
export class Budget {
  readonly #limits: BudgetLimits;
  readonly #byHolder = new Map<string, number>();
  #held = 0;
  #refused = 0;

  constructor(limits: BudgetLimits) {
    this.#limits = limits;
  }

  /** How much is held at the moment. */
  get held(): number {
    return this.#held;
  }

  /** How often something was not given. */
  get refused(): number {
    return this.#refused;
  }

  /** What would be missing if a holder took more; `factor`: how many shares the holder has. Takes nothing. */
  shortageOf(holder: string, amount: number, factor = 1): Shortage | undefined {
    const { total, share } = this.#limits;
    if ((this.#byHolder.get(holder) ?? 0) + amount > Math.min(share * factor, total)) return "share";
    return this.#held + amount > total ? "total" : undefined;
  }

  /** Takes more, or nothing if something is missing. */
  take(holder: string, amount: number, factor = 1): Shortage | undefined {
    const shortage = this.shortageOf(holder, amount, factor);
    if (shortage === undefined) this.#add(holder, amount);
    else this.#refused++;
    return shortage;
  }

  /** Gives back what was taken. */
  giveBack(holder: string, amount: number): void {
    this.#add(holder, -amount);
  }

  #add(holder: string, amount: number): void {
    const held = (this.#byHolder.get(holder) ?? 0) + amount;
    // So that the holders of this moment are all that is remembered.
    if (held > 0) this.#byHolder.set(holder, held);
    else this.#byHolder.delete(holder);
    this.#held += amount;
  }
}
