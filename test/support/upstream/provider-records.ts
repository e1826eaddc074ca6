import { compileMapping } from "../../../src/domain/provider/mapping.ts";
import type { Provider } from "../../../src/domain/provider/provider.ts";
import { Secret } from "../../../src/domain/secret.ts";

const compiled = compileMapping({
  ...{ traits: {}, verifiedAddresses: "[]", publicMetadata: {}, adminMetadata: {}, account: "''" },
});
if (!("mapping" in compiled)) throw new Error("the mapping that finds nothing is right");
const { mapping } = compiled;

/** The least that a test's provider says. */
export type ProviderInput = Partial<Provider> & Pick<Provider, "issuer" | "clientId">;

/** A provider as the configuration would make it, with discovery, PKCE, a client secret and a mapping that finds nothing. */
export function testProvider(
  input: ProviderInput & { readonly clientSecret?: string | undefined },
): Provider {
  const { clientSecret, ...given } = input;
  return {
    id: "acme",
    preset: "oidc",
    name: "Acme",
    logo: "",
    endpoints: { kind: "discovery" },
    authentication:
      clientSecret === undefined
        ? { kind: "none" }
        : { kind: "secret", secret: () => new Secret(clientSecret) },
    scopes: ["openid", "profile", "email"],
    pkce: true,
    parameters: {},
    claimsSource: "id_token",
    quirks: new Set(),
    mapping,
    updateOnLogin: "never",
    authoritativeDomains: new Set(),
    aal2: { acr: new Set(), amr: new Set() },
    keepTokens: false,
    logoutAtProvider: false,
    nativeClientIds: new Set(),
    timeoutMs: 5_000,
    ...given,
  };
}

/** The endpoints of a provider in the shape of GitHub's. */
export function gitHubEndpoints(url: string): Provider["endpoints"] {
  return {
    kind: "fixed",
    authorizationUrl: `${url}/login/oauth/authorize`,
    tokenUrl: `${url}/login/oauth/access_token`,
    userinfoUrl: `${url}/user`,
    subjectField: "id",
  };
}
