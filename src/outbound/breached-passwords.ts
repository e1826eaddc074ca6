import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { BreachedPasswords } from "../domain/method/password/policy.ts";
import type { Clock, Logger, OutgoingHttp } from "../domain/ports.ts";
import type { Secret } from "../domain/secret.ts";

interface BreachedPasswordsOptions {
  /** The URL of the range service, without `/range`. Read at each look-up. */
  readonly url: () => Secret;
  readonly timeoutMs: number;
  readonly cacheLifetimeMs: number;
  readonly http: OutgoingHttp;
  readonly clock: Clock;
  readonly logger: Logger;
}

const prefixLength = 5;
/** The largest answer that is read. Have I Been Pwned answers with about 40 KiB. */
const maxAnswerBytes = 400 * 1024;
const maxCachedBytes = 16 * 1024 * 1024;
/** The number of failures in a row after which the service is not asked for `pauseMs`. */
const failuresUntilPause = 3;
const pauseMs = 10_000;

/**
 * Asks a range service (https://haveibeenpwned.com/API/v3#SearchingPwnedPasswordsByRange) how often passwords were
 * found in breaches.
 *
 * Security rule (SR-PASSWORD-2): of a password only the first five hexadecimal digits of its SHA-1 digest leave the process, which
 * about one in a million of all passwords shares. The answer is padded, so that its length does not tell an observer
 * which digits they were. Neither they nor anything else of the password is logged.
 */
export function createBreachedPasswords(
  options: BreachedPasswordsOptions,
): BreachedPasswords & { readonly figures: CacheFigures } {
  const ranges = new Ranges(options);
  return {
    get figures() {
      return ranges.figures;
    },

    async countOf(password) {
      // NFC, as it is hashed; the service has the digests of UTF-8 in capitals.
      const digest = createHash("sha1").update(password.normalize("NFC")).digest("hex").toUpperCase();
      const range = await ranges.find(digest.slice(0, prefixLength));
      return range === undefined ? undefined : countIn(range, digest.slice(prefixLength));
    },
  };
}

/** The figures of a cache. */
export interface CacheFigures {
  readonly hits: number;
  readonly misses: number;
  readonly entries: number;
}

/** The service's answers, each asked for once at a time and kept for a while. */
class Ranges {
  readonly #options: BreachedPasswordsOptions;
  readonly #outage: Outage;
  readonly #known: LRUCache<string, string>;
  readonly #underWay = new Map<string, Promise<string | undefined>>();
  #hits = 0;
  #misses = 0;

  constructor(options: BreachedPasswordsOptions) {
    this.#options = options;
    this.#outage = new Outage(options);
    this.#known = new LRUCache({
      maxSize: maxCachedBytes,
      sizeCalculation: (range) => range.length,
      ttl: options.cacheLifetimeMs,
      ttlResolution: 0,
      perf: { now: () => options.clock.now().getTime() },
    });
  }

  get figures(): CacheFigures {
    return { hits: this.#hits, misses: this.#misses, entries: this.#known.size };
  }

  /** The answer to a prefix; undefined if there is none at the moment. */
  async find(prefix: string): Promise<string | undefined> {
    const known = this.#known.get(prefix);
    if (known !== undefined) {
      this.#hits++;
      return known;
    }
    this.#misses++;
    let answer = this.#underWay.get(prefix);
    if (answer === undefined) {
      if (this.#outage.isPaused()) return undefined;
      answer = this.#ask(prefix).finally(() => this.#underWay.delete(prefix));
      this.#underWay.set(prefix, answer);
    }
    return answer;
  }

  async #ask(prefix: string): Promise<string | undefined> {
    try {
      const range = await this.#fetch(prefix);
      this.#known.set(prefix, range);
      this.#outage.succeeded();
      return range;
    } catch (error) {
      this.#outage.failed(error);
      return undefined;
    }
  }

  async #fetch(prefix: string): Promise<string> {
    const { url, timeoutMs, http } = this.#options;
    const response = await http.fetch(`${url().reveal().replace(/\/+$/, "")}/range/${prefix}`, {
      headers: { accept: "text/plain", "add-padding": "true" },
      timeoutMs,
      maxResponseBytes: maxAnswerBytes,
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`the service answered with status ${response.status}`);
    }
    const range = `\n${(await response.text()).trim().replaceAll("\r", "").toUpperCase()}\n`;
    // A login page of a captive network is no range. Neither is nothing: each prefix has hundreds of digests.
    if (!/^\n(?:[0-9A-F]{35}:\d{1,15}\n)+$/.test(range)) throw new Error("the service's answer is no range");
    return range;
  }
}

/** How often a digest is in a range. Padding is there as well, with the count 0. */
function countIn(range: string, suffix: string): number {
  const at = range.indexOf(`\n${suffix}:`);
  if (at === -1) return 0;
  const start = at + suffix.length + 2;
  return Number(range.slice(start, range.indexOf("\n", start)));
}

/** Tracks whether the service answers, and logs each change once. */
class Outage {
  readonly #options: BreachedPasswordsOptions;
  #failures = 0;
  #pausedUntil = 0;

  constructor(options: BreachedPasswordsOptions) {
    this.#options = options;
  }

  /** Whether the service is not asked for now, because it has failed several times. */
  isPaused(): boolean {
    return this.#options.clock.now().getTime() < this.#pausedUntil;
  }

  failed(error: unknown): void {
    this.#failures++;
    if (this.#failures >= failuresUntilPause)
      this.#pausedUntil = this.#options.clock.now().getTime() + pauseMs;
    if (this.#failures > 1) return;
    const message =
      "new passwords cannot be looked up among breached ones; tenant_defaults.password.breach_check.when_unavailable says what happens to them";
    this.#options.logger.warn({ service: this.#service(), err: error }, message);
  }

  succeeded(): void {
    if (this.#failures === 0) return;
    this.#options.logger.info(
      { service: this.#service(), failures: this.#failures },
      "new passwords can be looked up among breached ones again",
    );
    this.#failures = 0;
    this.#pausedUntil = 0;
  }

  /** The host alone, because the rest of the URL may hold a token. */
  #service(): string {
    return new URL(this.#options.url().reveal()).host;
  }
}
