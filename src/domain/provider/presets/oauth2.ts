import type { ProviderPreset } from "../preset.ts";

/** Any OAuth 2 server with user info; the operator configures where it is. */
export const oauth2: ProviderPreset = {
  id: "oauth2",
  name: "",
  logo: "",
  issuer: "",
  fixed: {
    authorizationUrl: "",
    tokenUrl: "",
    userinfoUrl: "",
    subjectField: "sub",
  },
  scopes: [],
  claimsSource: "userinfo",
  quirks: [],
  traits: {
    email: "claims.email",
    name: "claims.name",
    username: "claims.preferred_username",
  },
  // No specification says what an OAuth 2 server means by a field, so nothing is verified unless the operator says how.
  verifiedAddresses: "",
  account: "has(claims.preferred_username) ? claims.preferred_username : claims.email",
};
