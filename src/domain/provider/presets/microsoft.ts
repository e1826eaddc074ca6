import type { ProviderPreset } from "../preset.ts";

/**
 * Accounts of Microsoft Entra. `domain` is the id of one tenant; `common` is all accounts, `organizations` all but personal ones, and then
 * each account has the issuer of its own tenant. https://learn.microsoft.com/entra/identity-platform/optional-claims-reference
 */
export const microsoft: ProviderPreset = {
  id: "microsoft",
  name: "Microsoft",
  logo: "microsoft",
  issuer: "https://login.microsoftonline.com/{domain}/v2.0",
  defaultDomain: "common",
  scopes: ["openid", "profile", "email"],
  claimsSource: "id_token",
  quirks: ["tenant_in_issuer"],
  traits: {
    email: "claims.email",
    name: "claims.name",
  },
  // Every tenant's operator writes the `email` of its accounts as they like. The optional claim says that the domain is the tenant's own.
  verifiedAddresses: "claims.xms_edov == true ? [claims.email] : []",
  account: "claims.preferred_username",
};
