import type { ProviderPreset } from "../preset.ts";

/** Accounts of Google and of companies that use Google Workspace. https://developers.google.com/identity/openid-connect/openid-connect */
export const google: ProviderPreset = {
  id: "google",
  name: "Google",
  logo: "google",
  issuer: "https://accounts.google.com",
  scopes: ["openid", "profile", "email"],
  claimsSource: "id_token",
  quirks: [],
  traits: {
    email: "claims.email",
    name: "claims.name",
  },
  verifiedAddresses: "claims.email_verified == true ? [claims.email] : []",
  account: "claims.email",
};
