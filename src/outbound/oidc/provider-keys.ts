import type { createLocalJWKSet, JSONWebKeySet, JWK } from "jose";
import type { Clock, Logger, OutgoingHttp } from "../../domain/ports.ts";
import type { Provider } from "../../domain/provider/provider.ts";
import { LookupCache } from "./lookup-cache.ts";
import { askProvider, objectOf } from "./provider-http.ts";
import type { ProviderMetadata } from "./provider-metadata.ts";
import { invalid } from "./provider-problem.ts";

/** The keys that a provider signs with. */
export interface ProviderKeySet {
  readonly keys: readonly JWK[];
  /** Finds the key that a token names. */
  readonly find: ReturnType<typeof createLocalJWKSet>;
}

interface ProviderKeysDeps {
  readonly http: OutgoingHttp;
  readonly clock: Clock;
  readonly logger: Logger;
}

const lifetimeMs = 300_000;
/** A key that was withdrawn ends, though the endpoint that would say so is down. */
const keptMs = 3_600_000;
const retryAfterMs = 5_000;
/** A token with an unknown key may be anyone's, and each would cause a request. */
const refreshNotWithinMs = 60_000;

/** Knows the public keys of providers, each set kept for five minutes. */
export class ProviderKeys {
  readonly #deps: ProviderKeysDeps;
  readonly #known: LookupCache<ProviderKeySet>;

  constructor(deps: ProviderKeysDeps) {
    this.#deps = deps;
    this.#known = new LookupCache({
      clock: deps.clock,
      lifetimeMs,
      keptMs,
      retryAfterMs,
      onChange: (key, problem) => {
        const [provider] = key.split(" ");
        if (problem === undefined) deps.logger.info({ provider }, "a provider's keys can be read again");
        else deps.logger.warn({ provider, detail: problem.message }, "a provider's keys cannot be read");
      },
    });
  }

  /** The keys. Throws ProviderProblem. */
  get(provider: Provider, { keysUrl }: ProviderMetadata): Promise<ProviderKeySet> {
    return this.#known.get(`${provider.id} ${keysUrl}`, () => this.#load(provider, keysUrl));
  }

  /**
   * The keys once more, because a token names one that is not among them.
   *
   * Security rule (SR-OIDC-8): they are asked for at most once a minute, however many such tokens come.
   */
  refresh(provider: Provider, { keysUrl }: ProviderMetadata): Promise<ProviderKeySet> {
    const load = () => this.#load(provider, keysUrl);
    return this.#known.refresh(`${provider.id} ${keysUrl}`, load, refreshNotWithinMs);
  }

  async #load({ timeoutMs }: Provider, keysUrl: string | undefined): Promise<ProviderKeySet> {
    if (keysUrl === undefined) throw invalid("the provider has no keys");
    const answer = await askProvider(this.#deps.http, "the key endpoint", keysUrl, { timeoutMs });
    const { keys } = objectOf("the key endpoint", answer);
    if (!Array.isArray(keys)) throw invalid("the key endpoint answered without keys");
    const set = { keys } as unknown as JSONWebKeySet;
    const jose = await import("jose");
    return { keys: set.keys, find: jose.createLocalJWKSet(set) };
  }
}
