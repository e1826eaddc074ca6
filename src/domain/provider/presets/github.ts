import type { ProviderPreset } from "../preset.ts";

/** Accounts of GitHub, by OAuth 2. The client adds the list of addresses as `emails`. https://docs.github.com/en/rest/users/emails */
export const github: ProviderPreset = {
  id: "github",
  name: "GitHub",
  logo: "github",
  issuer: "https://github.com",
  fixed: {
    authorizationUrl: "https://github.com/login/oauth/authorize",
    tokenUrl: "https://github.com/login/oauth/access_token",
    userinfoUrl: "https://api.github.com/user",
    subjectField: "id",
  },
  scopes: ["read:user", "user:email"],
  claimsSource: "userinfo",
  quirks: ["github_emails"],
  traits: {
    email: "claims.emails.filter(e, e.primary == true)[0].email",
    name: "claims.name",
    username: "claims.login",
  },
  // The profile's own `email` is whatever its owner shows, so it counts for nothing.
  verifiedAddresses: "claims.emails.filter(e, e.verified == true).map(e, e.email)",
  account: "claims.login",
};
