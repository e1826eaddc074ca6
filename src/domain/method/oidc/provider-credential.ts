/** An account at a provider as it is stored: looked up by issuer and subject, the provider's tokens as the secret part. */
import { normaliseIdentifier } from "../../identifier/normalise.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import type { Credential } from "../../identity/identity.ts";
import type { Sealer } from "../../ports.ts";
import {
  type Provider,
  type ProviderAnswer,
  type ProviderTokens,
  providerOf,
} from "../../provider/provider.ts";
import type { VouchedAccount } from "../method.ts";
import { labelOf, lookupKeyOf } from "../vouched-credential.ts";

/** What is stored of an account, but its secret part. */
export function linkOf(
  provider: Pick<Provider, "id" | "name">,
  {
    issuer,
    subject,
    account,
  }: { readonly issuer: string; readonly subject: string; readonly account: string },
) {
  return {
    kind: "oidc",
    lookupKey: lookupKeyOf(issuer, subject),
    label: labelOf(provider.name, account),
    facts: { provider: provider.id, name: provider.name, issuer, subject, account },
  } as const;
}

/** What a provider vouches for, as flows know it. */
export function vouchedBy(provider: Provider, answer: ProviderAnswer, sealer: Sealer): VouchedAccount {
  const { issuer, subject, claims, tokens } = answer;
  const mapped = provider.mapping.apply(claims);
  const { account } = mapped;
  return {
    credential: {
      ...linkOf(provider, { issuer, subject, account }),
      secret: provider.keepTokens && tokens !== undefined ? sealTokens(sealer, tokens) : "",
    },
    authentication: {
      kind: "oidc",
      assuranceLevel: isTwoFactors(provider, answer) ? "aal2" : "aal1",
      provider: provider.id,
      providerAccount: lookupKeyOf(issuer, subject),
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

/**
 * The provider that an account is at: the one of the name, with the issuer that the account is known by. Undefined: it is not
 * configured any more.
 *
 * Security rule (SR-OIDC-24): where the same name stands for another issuer by now, nothing of the account goes there.
 */
export function providerOfAccount(
  providers: readonly Provider[],
  { facts }: Pick<Credential, "facts">,
): Provider | undefined {
  const provider = providerOf(providers, facts.provider);
  return provider !== undefined && isIssuerOf(provider, String(facts.issuer)) ? provider : undefined;
}

/** Whether a provider can have named itself so: exactly, but for the tenant in it. */
export function isIssuerOf({ issuer, quirks }: Provider, named: string): boolean {
  if (!quirks.has("tenant_in_issuer")) return named === issuer;
  const [before = "", after = ""] = issuer.split("{tenantid}");
  const isAround = named.startsWith(before) && named.endsWith(after);
  return isAround && /^[0-9a-f-]{36}$/.test(named.slice(before.length, named.length - after.length));
}

/** Tokens as they are kept. */
export interface KeptProviderTokens extends ProviderTokens {
  /** Until when a server that renews them has the time to. Default: none does. */
  readonly renewedUntil?: Date;
}

/** Seals the tokens of a provider, as the secret part of the credential. */
export function sealTokens(sealer: Sealer, tokens: KeptProviderTokens): string {
  return sealer.seal("oidc_tokens", Buffer.from(JSON.stringify(tokens)));
}

/** The tokens in the secret part of a credential; undefined if there are none. */
export function openTokens(sealer: Sealer, secret: string): KeptProviderTokens | undefined {
  const plain = secret === "" ? undefined : sealer.open("oidc_tokens", secret);
  if (plain === undefined) return undefined;
  const kept: Record<"accessToken", string> & Partial<Record<keyof KeptProviderTokens, string>> = JSON.parse(
    Buffer.from(plain).toString(),
  );
  const { accessToken, refreshToken, idToken, scope, expiresAt, renewedUntil } = kept;
  return {
    ...{ accessToken, refreshToken, idToken, scope },
    expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt),
    ...(renewedUntil !== undefined && { renewedUntil: new Date(renewedUntil) }),
  };
}

/** Security rule (SR-SOCIAL-9): one factor, unless the operator has said which `acr` or `amr` of this provider are two (ASVS V6.8.4). */
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
