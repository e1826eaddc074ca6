import type { ProviderPreset } from "../preset.ts";

/**
 * Accounts of Apple. The client adds the name as `user`, which comes at the first login alone.
 * https://developer.apple.com/documentation/signinwithapple/authenticating-users-with-sign-in-with-apple
 */
export const apple: ProviderPreset = {
  id: "apple",
  name: "Apple",
  logo: "apple",
  issuer: "https://appleid.apple.com",
  scopes: ["openid", "name", "email"],
  claimsSource: "id_token",
  quirks: ["form_post", "signed_secret"],
  traits: {
    email: "claims.email",
    name: "((has(claims.user.name.firstName) ? claims.user.name.firstName : '') + ' ' + (has(claims.user.name.lastName) ? claims.user.name.lastName : '')).trim()",
  },
  // Apple documents both the boolean and the text.
  verifiedAddresses: 'claims.email_verified == true || claims.email_verified == "true" ? [claims.email] : []',
  account: "claims.email",
};
