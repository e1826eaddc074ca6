import { LRUCache } from "lru-cache";
import type { Clock } from "../ports.ts";
import type { Secret } from "../secret.ts";
import type { AuthenticatedSession } from "../session/session.ts";
import type { Tenant } from "../tenant/tenant.ts";

/** Signs tokens of sessions. Implemented by domain/signed-token/signed-tokens.ts. */
export interface TokenSigner {
  issueFor(
    tenant: Tenant,
    shown: AuthenticatedSession,
    ask: { readonly audience: string; readonly lifetimeMs: number; readonly template: string },
  ): Promise<{ readonly token: Secret; readonly expiresAt: Date }>;
}

/** What the token of a rule is for. */
export interface ForwardedTokenAsk {
  readonly audience: string;
  /** The name of a template of claims. Empty: the usual one. */
  readonly template: string;
}

/**
 * How long a token is valid: for as long as its request may wait on its way through proxies. It is checked anew for each request whether
 * there is a session, so a longer one would be worth nothing.
 */
const lifetimeMs = 60_000;
/** A token is given out again while at least so much of its life is left. */
const leastLeftMs = 30_000;
/** How many are kept. Each is about a kilobyte. */
const mostKept = 10_000;

interface Deps {
  readonly signer: TokenSigner;
  readonly clock: Clock;
}

/** The tokens that applications behind a proxy get: a page asks for dozens of things at once, and a signature costs more than a check. */
export class ForwardedTokens {
  readonly #deps: Deps;
  readonly #kept = new LRUCache<string, { readonly token: Secret; readonly expiresAt: Date }>({
    max: mostKept,
  });

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** A token that says what the session and its identity are now. */
  async tokenFor(tenant: Tenant, shown: AuthenticatedSession, ask: ForwardedTokenAsk): Promise<string> {
    const { session, identity } = shown;
    const { audience, template } = ask;
    const versions = [session.updatedAt.getTime(), identity.updatedAt.getTime()];
    const key = JSON.stringify([tenant.tenantId, session.id, ...versions, template, audience]);
    const kept = this.#kept.get(key);
    const leastEnd = this.#deps.clock.now().getTime() + leastLeftMs;
    if (kept !== undefined && kept.expiresAt.getTime() >= leastEnd) return kept.token.reveal();
    const signed = await this.#deps.signer.issueFor(tenant, shown, { audience, template, lifetimeMs });
    this.#kept.set(key, signed);
    return signed.token.reveal();
  }
}
