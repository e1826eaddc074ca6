import type { ProviderPreset } from "../preset.ts";

/** Accounts of Discord, by OAuth 2. https://discord.com/developers/docs/resources/user#user-object */
export const discord: ProviderPreset = {
  id: "discord",
  name: "Discord",
  logo: "discord",
  issuer: "https://discord.com",
  fixed: {
    authorizationUrl: "https://discord.com/oauth2/authorize",
    tokenUrl: "https://discord.com/api/oauth2/token",
    userinfoUrl: "https://discord.com/api/users/@me",
    subjectField: "id",
  },
  scopes: ["identify", "email"],
  claimsSource: "userinfo",
  quirks: [],
  traits: {
    email: "claims.email",
    name: "claims.global_name",
    username: "claims.username",
  },
  verifiedAddresses: "claims.verified == true ? [claims.email] : []",
  account: "claims.username",
};
