import { countryOfPhone } from "../identifier/phone.ts";
import type { Clock, KeyedDigests, Logger, TenantScope, TextMessageRefusal } from "../ports.ts";
import type { SmsSettings, Tenant } from "../tenant/tenant.ts";
import { inMicroseconds } from "./counter-keys.ts";
import { LocalBuckets } from "./local-buckets.ts";
import type { ThrottleStore } from "./store.ts";

const dayMs = 86_400_000;
/** At most one line of a country in this time. */
const logLimit = { count: 1, periodMs: 60_000 };

interface SmsLimitsDependencies {
  readonly store: Pick<ThrottleStore, "take" | "read">;
  readonly digests: KeyedDigests;
  readonly clock: Clock;
  readonly logger: Logger;
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

  /** Counts a text message that is handed on; gives why it must not be. One round trip. */
  async take(scope: TenantScope, sms: SmsSettings, number: string): Promise<TextMessageRefusal | undefined> {
    const country = servedCountry(sms, number);
    if (country === undefined) return "country";
    const attempt = {
      ...budgetOf(sms),
      key: this.#keyOf(country),
      stage: 1,
      own: undefined,
      unlessOwn: false,
    } as const;
    const { refused } = await this.#deps.store.take(scope, {
      atUs: this.#deps.clock.now().getTime() * 1000,
      attempts: [attempt],
      identityId: undefined,
      devices: [],
      session: undefined,
      idleSince: undefined,
    });
    return refused.length === 0 ? undefined : this.#usedUp(country);
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
