import { domainError } from "../../domain/errors.ts";
import type { Tenant } from "../../domain/tenant/tenant.ts";
import { clientIpSubject } from "../../domain/throttle/client-ip-subject.ts";
import type { LimitedClientIp } from "../../domain/throttle/subjects.ts";
import type { BudgetLimits } from "../net/connections.ts";
import type { Exchange } from "../net/exchange.ts";
import { type Caller, namesOf } from "./access.ts";

/** How much calls may hold. Callers who show nothing valid and those who do have as much each. */
export interface CallBudgetLimits {
  /** Bytes of requests under way. */
  readonly requestBytes: BudgetLimits;
  /** Open streams. */
  readonly streams: BudgetLimits;
}

/** The least that a call under way counts as, in bytes: its objects, and what arrives of its request before it is read. */
const callBytes = 16 * 1024;

/** How much calls may hold that wait for their credentials to be looked up while strangers have used up their budget. */
const lookupBytes: BudgetLimits = { total: 1024 * callBytes, share: 64 * callBytes };

const retryAfterMs = 1_000;

/**
 * What calls hold of the process: bytes of their requests, and open streams.
 *
 * Security rule (SR-LIMIT-12): what is taken before the caller is known has a budget, for each client IP and for the process. A caller with a
 * valid credential has another one, for each identity, so strangers cannot use that up. A call gives back what it holds once:
 * when its exchange is closed and its handler has ended (test/transport/budgets.test.ts).
 */
export class CallBudgets {
  readonly strangers: Budgets;
  readonly known: Budgets;
  readonly lookups = new Budget(lookupBytes);

  constructor(limits: CallBudgetLimits) {
    this.strangers = budgetsOf(limits);
    this.known = budgetsOf(limits);
  }
}

/** The budgets of one kind of callers. */
interface Budgets {
  readonly bytes: Budget;
  readonly streams: Budget;
}

function budgetsOf({ requestBytes, streams }: CallBudgetLimits): Budgets {
  return { bytes: new Budget(requestBytes), streams: new Budget(streams) };
}

/** What must be known of a call to hold something for it. */
interface HeldCall {
  readonly exchange: Exchange;
  readonly clientIp: string;
  readonly limitedClientIp: LimitedClientIp | undefined;
  readonly tenant: Tenant;
}

/** The share of the budgets that one call holds. */
export class Holding {
  readonly #budgets: CallBudgets;
  readonly #exchange: Exchange;
  #budget: Budget;
  #holder = "";
  /** How many shares the holder has: several for a proxy whose clients cannot be told apart. */
  #factor = 1;
  #amount = 0;
  #isKnown = false;
  #given = false;

  /** Takes what each call costs. Throws RATE_LIMITED or SERVER_OVERLOADED. */
  constructor(budgets: CallBudgets, call: HeldCall, showsCredential: boolean) {
    this.#budgets = budgets;
    this.#exchange = call.exchange;
    this.#budget = budgets.strangers.bytes;
    this.#countFor(call, showsCredential);
  }

  /** Counts the call for the client IP that a server with an API key names. Throws RATE_LIMITED or SERVER_OVERLOADED. */
  forward(call: HeldCall): void {
    this.#countFor(call, true);
  }

  /** Refuses a stranger whose credential was looked up in vain, and for whom there was no room. Throws RATE_LIMITED. */
  stay(): void {
    if (this.#budget !== this.#budgets.lookups) return;
    // Security rule (SR-LIMIT-14): places for look-ups are for calls that wait for one, and this one has been answered.
    this.#giveBack();
    throw this.#exhausted("share", "request bytes");
  }

  /** Whether a stranger has room for a request of this size at most, or for a stream. */
  hasRoomFor(bytes: number, isStream: boolean): boolean {
    const { strangers } = this.#budgets;
    if (this.#budget !== strangers.bytes) return false;
    const shortage = isStream
      ? strangers.streams.shortageOf(this.#holder, 1, this.#factor)
      : strangers.bytes.shortageOf(this.#holder, Math.max(0, bytes - this.#amount), this.#factor);
    return shortage === undefined;
  }

  /** Moves what is held to the budget of those with a valid credential. Throws RATE_LIMITED or SERVER_OVERLOADED. */
  moveTo(caller: Caller): void {
    this.#isKnown = true;
    // A key or certificate is an operator's, who may have it all; a session is anybody's who may register.
    const holder = `${caller.kind} ${namesOf(caller).id}`;
    const factor = caller.kind === "session" ? 1 : Number.POSITIVE_INFINITY;
    const shortage = this.#move(this.#budgets.known.bytes, holder, factor, this.#amount);
    if (shortage !== undefined) throw this.#exhausted(shortage, "request bytes", "device");
  }

  /** Takes more as a request arrives; `bytes` of it are there. Throws RATE_LIMITED or SERVER_OVERLOADED. */
  grow(bytes: number): void {
    // Once the exchange has been closed nothing would give it back.
    if (this.#given || bytes <= this.#amount) return;
    const more = bytes - this.#amount;
    const shortage = this.#budget.take(this.#holder, more, this.#factor);
    if (shortage !== undefined) throw this.#exhausted(shortage, "request bytes");
    this.#amount = bytes;
  }

  /** Holds an open stream from now on. Throws RATE_LIMITED or SERVER_OVERLOADED. */
  becomeStream(): void {
    const { streams } = this.#isKnown ? this.#budgets.known : this.#budgets.strangers;
    const shortage = this.#move(streams, this.#holder, this.#factor, 1);
    if (shortage !== undefined) throw this.#exhausted(shortage, "streams");
  }

  /** Gives everything back, for good. */
  release(): void {
    this.#giveBack();
    this.#given = true;
  }

  #countFor(call: HeldCall, showsCredential: boolean): void {
    const { strangers, lookups } = this.#budgets;
    const { peer } = call.exchange;
    const holder = call.clientIp === peer.address ? peer.subject : clientIpSubject(call.clientIp);
    const factor = call.limitedClientIp?.isShared ? call.tenant.settings.throttle.unlistedProxyFactor : 1;
    const shortage = this.#move(strangers.bytes, holder, factor, callBytes);
    if (shortage === undefined) return;
    if (!showsCredential) throw this.#exhausted(shortage, "request bytes");
    const none = this.#move(lookups, holder, factor, callBytes);
    if (none !== undefined) throw this.#exhausted(none, "credentials to look up");
  }

  /** Holds another amount, of another budget or for another holder. If something is missing it holds what it held. */
  #move(budget: Budget, holder: string, factor: number, amount: number): Shortage | undefined {
    if (this.#given) return undefined;
    const shortage = budget.take(holder, amount, factor);
    if (shortage !== undefined) return shortage;
    this.#giveBack();
    this.#budget = budget;
    this.#holder = holder;
    this.#factor = factor;
    this.#amount = amount;
    return undefined;
  }

  #giveBack(): void {
    if (this.#amount > 0) this.#budget.giveBack(this.#holder, this.#amount);
    this.#amount = 0;
  }

  #exhausted(shortage: Shortage, what: string, scope: "address" | "device" = "address"): Error {
    // The answer to a stranger for whom there was no room is not held for long.
    if (!this.#isKnown) this.#exchange.hurry();
    return exhausted(shortage, what, scope);
  }
}

function exhausted(shortage: Shortage, what: string, scope: "address" | "device"): Error {
  if (shortage === "share") {
    const message = `Too many ${what} of this caller are under way.`;
    return domainError("RATE_LIMITED", { scope }, { message, retryAfterMs });
  }
  return domainError("SERVER_OVERLOADED", {}, { message: `Too many ${what} are under way.`, retryAfterMs });
}

/** What a budget has no more of: for the one holder, or at all. */
type Shortage = "share" | "total";

/** Counts who holds how much of a resource. All that is taken must be given back. */
class Budget {
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
