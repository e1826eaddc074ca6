import { type CallOrigin, newEvent } from "../../event/event.ts";
import type { Clock, Logger } from "../../ports.ts";
import { type ProviderClient, providerOf } from "../../provider/provider.ts";
import type { SessionStore } from "../../session/store.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import { lookupKeyOf } from "../vouched-credential.ts";

interface ProviderLogoutsDependencies {
  readonly providers: Pick<ProviderClient, "readLogoutToken">;
  readonly sessions: Pick<SessionStore, "revokeByProvider">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Logouts that a provider tells of by itself (OpenID Connect Back-Channel Logout 1.0). */
export class ProviderLogouts {
  readonly #deps: ProviderLogoutsDependencies;

  constructor(deps: ProviderLogoutsDependencies) {
    this.#deps = deps;
  }

  /**
   * Ends the sessions that a logout token is about. Says whether the token was taken; it was as well if none of them was there.
   *
   * Security rule (SR-OIDC-20): those sessions end that have a proof of the very session at this provider (`sid`), or of the very account
   * (`sub`), of both if the token names both; no others of the same person.
   */
  async take(tenant: Tenant, origin: CallOrigin, providerId: string, token: string): Promise<boolean> {
    const { providers, sessions, clock } = this.#deps;
    const provider = providerOf(tenant.settings.providers, providerId);
    if (provider === undefined) return false;
    const logout = await providers.readLogoutToken(provider, token);
    if (logout.kind === "failed") return this.#refuse(providerId, logout.detail);
    const at = clock.now();
    // The provider has signed it, so this is no stranger's doing.
    const by = { ...origin, actor: { kind: "server" } } as const;
    const data = { reason: "provider_logout", provider: providerId } as const;
    const ended = await sessions.revokeByProvider(
      tenant,
      { provider: providerId, id: logout.id, knownUntil: logout.expiresAt },
      {
        ...(logout.subject !== undefined && {
          providerAccount: lookupKeyOf(logout.issuer, logout.subject),
        }),
        ...(logout.session !== undefined && { providerSession: logout.session }),
      },
      { at, event: newEvent("session.revoked", at, by, { data }) },
    );
    return ended === undefined ? this.#refuse(providerId, "the logout token was taken before") : true;
  }

  #refuse(provider: string, detail: string): false {
    this.#deps.logger.warn({ provider, detail }, "a logout of a provider was refused");
    return false;
  }
}
