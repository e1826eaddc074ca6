import { domainError } from "../../errors.ts";
import { type ProviderClient, providerOf } from "../../provider/provider.ts";
import type { Session } from "../../session/session.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { KeptTokens } from "./kept-tokens.ts";

interface ProviderSignOutsDependencies {
  readonly providers: Pick<ProviderClient, "logoutUrl">;
  readonly tokens: Pick<KeptTokens, "idTokenOf">;
}

/** Signing out at the provider as well (OpenID Connect RP-Initiated Logout 1.0). */
export class ProviderSignOuts {
  readonly #deps: ProviderSignOutsDependencies;

  constructor(deps: ProviderSignOutsDependencies) {
    this.#deps = deps;
  }

  /**
   * Throws RETURN_TO_NOT_ALLOWED. Security rule (SR-OIDC-23): nobody is led from here to where the operator does not want them, also not
   * by way of a provider that takes more.
   */
  assertReturnTo({ settings }: Tenant, returnTo: string): void {
    if (returnTo !== "" && !settings.postLogoutRedirectUrls.includes(returnTo)) {
      throw domainError("RETURN_TO_NOT_ALLOWED", { returnTo });
    }
  }

  /** Where a browser goes next whose sessions have ended; empty: nowhere. Of several providers the one of the latest login. */
  async urlAfter(tenant: Tenant, sessions: readonly Session[], returnTo: string): Promise<string> {
    const { providers: configured, postLogoutRedirectUrls } = tenant.settings;
    const { providers, tokens } = this.#deps;
    const proofs = sessions.flatMap(({ identityId, authenticationMethods }) =>
      authenticationMethods.map((method) => ({ ...method, identityId })),
    );
    proofs.sort((one, other) => other.completedAt.getTime() - one.completedAt.getTime());
    for (const { identityId, provider: id, providerAccount } of proofs) {
      const provider = providerOf(configured, id);
      if (provider === undefined || !provider.logoutAtProvider) continue;
      const idToken =
        provider.keepTokens && providerAccount !== undefined
          ? await tokens.idTokenOf(tenant, identityId, providerAccount)
          : undefined;
      const to = returnTo || postLogoutRedirectUrls[0];
      const url = await providers.logoutUrl(provider, { idToken, returnTo: to });
      if (url !== undefined) return url;
    }
    return "";
  }
}
