import { countryOfPhone } from "../identifier/phone.ts";
import type { IdentityId } from "../ids.ts";
import type { Clock, KeyedDigests, Logger, TenantScope, TextMessageRefusal } from "../ports.ts";
import type { SmsSettings, Tenant } from "../tenant/tenant.ts";
import { inMicroseconds } from "./counter-keys.ts";
import { LocalBuckets } from "./local-buckets.ts";
import type { ThrottleStore } from "./store.ts";

const dayMs = 86_400_000;
/** As many notices of one kind to one account; the mails of them are not counted. */
const noticeLimit = { count: 5, periodMs: dayMs };
/** At most one line of a country in this time. */
const logLimit = { count: 1, periodMs: 60_000 };

interface SmsLimitsDependencies {
  readonly store: Pick<ThrottleStore, "take" | "read">;
  readonly digests: KeyedDigests;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A text message that is handed on. */
interface HandedOn {
  readonly recipient: string;
  readonly template: string;
  /** Whether it carries no code and no link. */
  readonly isNotice: boolean;
  readonly identityId: IdentityId | undefined;
  /** Which try it is, from 1 on. */
  readonly attempts: number;
}

/**
 * Where text messages go, and how many.
 *
 * Security rule (SR-SMS-3): no text message goes to a country that the configuration does not name, and to each of them no more in a day
 * than its budget, by all servers together. Otherwise anybody could have the server send as many as they like to numbers that earn
 * them money. Counted is what is really sent. A refusal depends on the country alone, so it does not tell who has an account.
 */
export class SmsLimits {
  readonly #deps: SmsLimitsDependencies;
  readonly #logged = new LocalBuckets();

  constructor(deps: SmsLimitsDependencies) {
    this.#deps = deps;
  }

  /** Why no text message can be sent to a number now; undefined if one can. Counts nothing. One round trip. */
  async refusalOf(tenant: Tenant, number: string): Promise<TextMessageRefusal | undefined> {
    const { sms } = tenant.settings;
    const country = servedCountry(sms, number);
    if (country === undefined) return "country";
    const { costUs, periodUs } = budgetOf(sms);
    const atUs = this.#deps.clock.now().getTime() * 1000;
    const [counter] = await this.#deps.store.read(tenant, [this.#keyOf(country)], atUs);
    const isLeft = counter === undefined || counter.spentUntilUs + costUs <= atUs + periodUs;
    return isLeft ? undefined : this.#usedUp(country);
  }

  /**
   * Counts a text message that is handed on; gives why it must not be. One round trip.
   *
   * Security rule (SR-SMS-5): of each kind of notice an account gets a few by text message in a day, or its owner could use up the budget
   * of a country by what they are told of. Each kind by itself: no flood of one hides another.
   */
  async take(
    scope: TenantScope,
    sms: SmsSettings,
    message: HandedOn,
  ): Promise<TextMessageRefusal | "notices" | undefined> {
    const country = servedCountry(sms, message.recipient);
    if (country === undefined) return "country";
    const noticeKey = this.#noticeKeyOf(message);
    const each = { own: undefined, unlessOwn: false } as const;
    const budget = { ...each, ...budgetOf(sms), key: this.#keyOf(country), stage: 2 } as const;
    const notice =
      noticeKey && ({ ...each, ...inMicroseconds(noticeLimit), key: noticeKey, stage: 1 } as const);
    const { refused } = await this.#deps.store.take(scope, {
      atUs: this.#deps.clock.now().getTime() * 1000,
      attempts: notice === undefined ? [budget] : [notice, budget],
      identityId: undefined,
      devices: [],
      session: undefined,
      idleSince: undefined,
    });
    if (refused.length === 0) return undefined;
    return notice !== undefined && refused.some(({ place }) => place === 0)
      ? "notices"
      : this.#usedUp(country);
  }

  /** Of a notice to an account that is handed on for the first time: another try of it is not another one. */
  #noticeKeyOf({ template, isNotice, identityId, attempts }: HandedOn): Uint8Array | undefined {
    if (identityId === undefined || !isNotice || attempts > 1) return undefined;
    return this.#deps.digests.make("throttle", `sms notices\0${identityId}\0${template}`);
  }

  #keyOf(country: string): Uint8Array {
    return this.#deps.digests.make("throttle", `sms country\0${country}`);
  }

  #usedUp(country: string): "budget" {
    if (this.#logged.take(country, logLimit, this.#deps.clock.now().getTime()) === 0) {
      const message = "the text messages of the day to a country are used up: courier.sms.daily_budget";
      this.#deps.logger.warn({ country }, message);
    }
    return "budget";
  }
}

/** The country of a number, if text messages are sent there. A number without a country is in no list. */
function servedCountry({ countries }: SmsSettings, number: string): string | undefined {
  const country = countryOfPhone(number) ?? "";
  return countries === undefined || countries.has(country) ? country : undefined;
}

function budgetOf({ dailyBudget }: SmsSettings) {
  return inMicroseconds({ count: dailyBudget, periodMs: dayMs });
}
