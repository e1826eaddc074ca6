import type { ProviderPreset } from "../preset.ts";

/**
 * Any OpenID provider with discovery. Claims are read from user info, because an ID token of the code flow need not have them
 * (OpenID Connect Core 1.0, section 5.4).
 */
export const oidc: ProviderPreset = {
  id: "oidc",
  name: "",
  logo: "",
  issuer: "",
  scopes: ["openid", "profile", "email"],
  claimsSource: "userinfo",
  quirks: [],
  traits: {
    email: "claims.email",
    name: "claims.name",
    username: "claims.preferred_username",
  },
  verifiedAddresses: "claims.email_verified == true ? [claims.email] : []",
  account: "has(claims.preferred_username) ? claims.preferred_username : claims.email",
};
