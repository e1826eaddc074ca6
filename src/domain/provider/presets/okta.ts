import type { ProviderPreset } from "../preset.ts";

/**
 * Accounts of a company at Okta; `domain` is its host, with the path of an authorization server of its own where there is one. ID tokens beside
 * an access token have no profile. https://developer.okta.com/docs/api/openapi/okta-oauth/guides/overview/
 */
export const okta: ProviderPreset = {
  id: "okta",
  name: "Okta",
  logo: "okta",
  issuer: "https://{domain}",
  scopes: ["openid", "profile", "email"],
  claimsSource: "userinfo",
  quirks: [],
  traits: {
    email: "claims.email",
    name: "claims.name",
    username: "claims.preferred_username",
  },
  verifiedAddresses: "claims.email_verified == true ? [claims.email] : []",
  account: "claims.preferred_username",
};
