import type { ProviderPreset } from "../preset.ts";

/** Accounts of GitLab, also of a server of one's own (`domain`). ID tokens have no name. https://docs.gitlab.com/integration/openid_connect_provider/ */
export const gitlab: ProviderPreset = {
  id: "gitlab",
  name: "GitLab",
  logo: "gitlab",
  issuer: "https://{domain}",
  defaultDomain: "gitlab.com",
  scopes: ["openid", "profile", "email"],
  claimsSource: "userinfo",
  quirks: [],
  traits: {
    email: "claims.email",
    name: "claims.name",
    username: "claims.nickname",
  },
  verifiedAddresses: "claims.email_verified == true ? [claims.email] : []",
  account: "claims.nickname",
};
