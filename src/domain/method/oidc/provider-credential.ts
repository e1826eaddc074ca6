/** An account at a provider as it is stored: looked up by issuer and subject, the provider's tokens as the secret part. */
import { createHash } from "node:crypto";
import { normaliseIdentifier } from "../../identifier/normalise.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import type { Credential } from "../../identity/identity.ts";
import type { JsonObject } from "../../json.ts";
import type { Sealer } from "../../ports.ts";
import type { Provider, ProviderAnswer, ProviderTokens } from "../../provider/provider.ts";
import type { VouchedAccount } from "../method.ts";

/**
 * What an account at a provider is looked up by.
 *
 * Security rule (SR-LINK-1): issuer and subject, each with its length, so that no two pairs give the same text. Never an address, which
 * changes hands (OpenID Connect Core 1.0, section 5.7).
 */
export function lookupKeyOf(issuer: string, subject: string): string {
  return createHash("sha256")
    .update(`${Buffer.byteLength(issuer)}:${issuer}${Buffer.byteLength(subject)}:${subject}`)
    .digest("base64url");
}

/** What a provider vouches for, as flows know it. */
export function vouchedBy(provider: Provider, answer: ProviderAnswer, sealer: Sealer): VouchedAccount {
  const { issuer, subject, claims, tokens } = answer;
  const mapped = provider.mapping.apply(claims);
  const { account } = mapped;
  const lookupKey = lookupKeyOf(issuer, subject);
  return {
    credential: {
      kind: "oidc",
      lookupKey,
      label: account === "" ? provider.name : `${provider.name}: ${account}`.slice(0, 64),
      secret: provider.keepTokens && tokens !== undefined ? sealTokens(sealer, tokens) : "",
      facts: { provider: provider.id, name: provider.name, issuer, subject, account },
    },
    authentication: {
      kind: "oidc",
      assuranceLevel: isTwoFactors(provider, answer) ? "aal2" : "aal1",
      provider: provider.id,
      providerAccount: lookupKey,
      ...(answer.session !== undefined && { providerSession: answer.session }),
    },
    by: provider.name,
    traits: mapped.traits,
    publicMetadata: mapped.publicMetadata,
    adminMetadata: mapped.adminMetadata,
    addresses: mapped.verifiedAddresses.flatMap((text) => addressOf(provider, text)),
    updates: provider.updateOnLogin,
  };
}

/** Whether the provider that an account is at is configured still, as it was. */
export function isThere(providers: readonly Provider[], { facts }: Pick<Credential, "facts">): boolean {
  return providers.some(({ id }) => id === facts.provider);
}

/** Seals the tokens of a provider, as the secret part of the credential. */
function sealTokens(sealer: Sealer, tokens: ProviderTokens): string {
  const { expiresAt, ...texts } = tokens;
  const kept: JsonObject = JSON.parse(JSON.stringify({ ...texts, expiresAt: expiresAt?.toISOString() }));
  return sealer.seal("oidc_tokens", Buffer.from(JSON.stringify(kept)));
}

/** Security rule (SR-OIDC-9): one factor, unless the operator has said which `acr` or `amr` of this provider are two (ASVS V6.8.4). */
function isTwoFactors({ aal2 }: Provider, { acr, amr }: ProviderAnswer): boolean {
  return (acr !== undefined && aal2.acr.has(acr)) || amr.some((value) => aal2.amr.has(value));
}

function addressOf(
  { authoritativeDomains }: Provider,
  text: string,
): readonly (ContactAddress & { readonly isAuthoritative: boolean })[] {
  const address = normaliseIdentifier(text);
  if (address.kind !== "email" && address.kind !== "phone") return [];
  const { kind, value } = address;
  const domain = value.slice(value.lastIndexOf("@") + 1);
  return [{ kind, value, isAuthoritative: kind === "email" && authoritativeDomains.has(domain) }];
}
