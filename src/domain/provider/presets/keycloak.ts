import type { ProviderPreset } from "../preset.ts";

/** Accounts of a realm of Keycloak; `domain` is the host and the path of the realm. https://www.keycloak.org/securing-apps/oidc-layers */
export const keycloak: ProviderPreset = {
  id: "keycloak",
  name: "Keycloak",
  logo: "keycloak",
  issuer: "https://{domain}",
  scopes: ["openid", "profile", "email"],
  claimsSource: "id_token",
  quirks: [],
  traits: {
    email: "claims.email",
    name: "claims.name",
    username: "claims.preferred_username",
  },
  verifiedAddresses: "claims.email_verified == true ? [claims.email] : []",
  account: "claims.preferred_username",
};
