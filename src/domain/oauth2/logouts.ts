import type { Tenant } from "../tenant/tenant.ts";
import type { OAuth2Server } from "./oauth2-server.ts";
import { assertHasServer, refusalOf } from "./refusals.ts";

interface OAuth2LogoutsDependencies {
  readonly oauth2: Pick<OAuth2Server, "logoutRequest" | "acceptLogout">;
}

/** Logouts that the OAuth2 server asks for. */
export class OAuth2Logouts {
  readonly #deps: OAuth2LogoutsDependencies;

  constructor(deps: OAuth2LogoutsDependencies) {
    this.#deps = deps;
  }

  /**
   * Signs out by `signOut`, then has the OAuth2 server do the same, and gives the address at which the browser goes on. Throws
   * FEATURE_OFF and OAUTH2_CHALLENGE_INVALID before anything is done. Throws OAUTH2_SERVER_UNAVAILABLE before or after; the same
   * call can be made again.
   */
  async run(tenant: Tenant, challenge: string, signOut: () => Promise<unknown>): Promise<string> {
    const { oauth2 } = this.#deps;
    assertHasServer(tenant, "logout_challenge");
    const request = await oauth2.logoutRequest(tenant, challenge);
    if (request.kind !== "found") throw refusalOf(request);
    await signOut();
    const answer = await oauth2.acceptLogout(tenant, challenge);
    if (answer.kind !== "answered") throw refusalOf(answer);
    return answer.url;
  }
}
