import { setTimeout } from "node:timers/promises";
import { domainError } from "../../errors.ts";
import { type CallOrigin, newEvent } from "../../event/event.ts";
import type { EventStore } from "../../event/store.ts";
import type { CredentialReleases } from "../../identity/credential-releases.ts";
import type { CredentialWithSecret } from "../../identity/identity.ts";
import type { IdentityStore } from "../../identity/store.ts";
import type { CredentialId, IdentityId } from "../../ids.ts";
import type { Clock, Logger, Sealer } from "../../ports.ts";
import type { Provider, ProviderClient, ProviderTokens } from "../../provider/provider.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import { type KeptProviderTokens, openTokens, providerOfAccount, sealTokens } from "./provider-credential.ts";

interface KeptTokensDependencies {
  readonly identities: Pick<IdentityStore, "secretsOf" | "replaceSecret">;
  readonly events: Pick<EventStore, "append">;
  readonly providers: Pick<ProviderClient, "refresh" | "revoke">;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A linked account whose tokens are kept. */
interface Kept {
  readonly provider: Provider;
  readonly credential: CredentialWithSecret;
  readonly tokens: KeptProviderTokens;
}

/** How long an access token must be good for at least, if it can be renewed. */
const leastLifetimeMs = 30_000;
/** The most requests that a renewal makes: for discovery, tokens, keys, and keys once more. Each has the provider's own time limit. */
const mostRequests = 4;
/** How long a renewal may take beside its requests. */
const renewalMarginMs = 5_000;
const waitMs = 200;

/**
 * The tokens of providers that are kept with linked accounts.
 *
 * Security rule (SR-OIDC-24): they are sealed, are sent to the issuer alone that has given them, and end with the link.
 */
export class KeptTokens implements CredentialReleases {
  readonly #deps: KeptTokensDependencies;
  readonly #renewals = new Map<CredentialId, Promise<Kept>>();

  constructor(deps: KeptTokensDependencies) {
    this.#deps = deps;
  }

  /**
   * The tokens of an account, renewed if they have expired. Throws CREDENTIAL_NOT_FOUND, PROVIDER_NOT_FOUND, PROVIDER_TOKENS_NOT_KEPT,
   * PROVIDER_TOKENS_EXPIRED, PROVIDER_UNAVAILABLE.
   */
  async get(
    tenant: Tenant,
    origin: CallOrigin,
    { id, credentialId }: { readonly id: IdentityId; readonly credentialId: CredentialId },
  ): Promise<Pick<ProviderTokens, "accessToken" | "expiresAt" | "scope">> {
    const found = await this.#find(tenant, id, credentialId);
    const { provider, tokens } = this.#isDue(found) ? await this.#renewOnce(tenant, id, found) : found;
    const at = this.#deps.clock.now();
    const data = { kind: "oidc", credentialId, provider: provider.id };
    // Security rule (SR-OIDC-25): written down before anything is handed out.
    await this.#deps.events.append(tenant, [
      newEvent("credential.tokens_read", at, origin, { identityId: id, data }),
    ]);
    return tokens;
  }

  /** The ID token of an account, which tells a provider whose session is to end; undefined if it is not kept. */
  async idTokenOf(tenant: Tenant, id: IdentityId, lookupKey: string): Promise<string | undefined> {
    const secrets = await this.#deps.identities.secretsOf(tenant, id, "oidc");
    const credential = secrets.find((each) => each.lookupKey === lookupKey);
    return credential && openTokens(this.#deps.sealer, credential.secret)?.idToken;
  }

  async prepare(
    tenant: Tenant,
    id: IdentityId,
    only?: { readonly id: CredentialId; readonly kind: string },
  ): Promise<() => void> {
    const isOthers = only !== undefined && only.kind !== "oidc";
    if (isOthers || tenant.settings.providers.length === 0) return () => {};
    const secrets = await this.#deps.identities.secretsOf(tenant, id, "oidc");
    const gone = secrets.filter((credential) => only === undefined || credential.id === only.id);
    return () => this.revoke(tenant, gone);
  }

  /**
   * Tokens of a login take the place of those before. An app's ID token brings none, and many providers give a refresh token at the first
   * login alone: then what is there stays.
   */
  secretAfterLogin(
    tenant: Tenant,
    former: Pick<CredentialWithSecret, "secret" | "facts">,
    secret: string,
  ): string {
    const { sealer } = this.#deps;
    if (!providerOfAccount(tenant.settings.providers, former)?.keepTokens) return "";
    if (secret === "") return former.secret;
    const [before, after] = [openTokens(sealer, former.secret), openTokens(sealer, secret)];
    if (before?.refreshToken === undefined || after === undefined || after.refreshToken !== undefined)
      return secret;
    return sealTokens(sealer, { ...after, refreshToken: before.refreshToken });
  }

  /** Revokes the tokens of accounts that are not linked any more. Where that fails it is logged. */
  revoke(tenant: Tenant, credentials: readonly Pick<CredentialWithSecret, "secret" | "facts">[]): void {
    const { sealer, providers } = this.#deps;
    for (const credential of credentials) {
      const provider = providerOfAccount(tenant.settings.providers, credential);
      const tokens = openTokens(sealer, credential.secret);
      // With a refresh token the access token goes as well (RFC 7009, section 2.1).
      if (provider && tokens) void providers.revoke(provider, tokens.refreshToken ?? tokens.accessToken);
    }
  }

  async #find(tenant: Tenant, id: IdentityId, credentialId: CredentialId): Promise<Kept> {
    const secrets = await this.#deps.identities.secretsOf(tenant, id, "oidc");
    const credential = secrets.find((each) => each.id === credentialId);
    if (credential === undefined) throw domainError("CREDENTIAL_NOT_FOUND", { credentialId });
    const provider = providerOfAccount(tenant.settings.providers, credential);
    if (provider === undefined) {
      throw domainError("PROVIDER_NOT_FOUND", { providerId: String(credential.facts.provider) });
    }
    const tokens = provider.keepTokens ? openTokens(this.#deps.sealer, credential.secret) : undefined;
    if (tokens === undefined) throw domainError("PROVIDER_TOKENS_NOT_KEPT", {});
    return { provider, credential, tokens };
  }

  #isDue({ tokens: { expiresAt, refreshToken } }: Kept): boolean {
    const least = refreshToken === undefined ? 0 : leastLifetimeMs;
    return expiresAt !== undefined && expiresAt.getTime() <= this.#deps.clock.now().getTime() + least;
  }

  /**
   * Renews tokens. Security rule (SR-OIDC-26): of several calls at once one does, the others get what it got. A refresh token is good
   * once at many providers, and those who send it twice lose all.
   */
  async #renewOnce(tenant: Tenant, id: IdentityId, found: Kept): Promise<Kept> {
    const { id: credentialId } = found.credential;
    const underWay = this.#renewals.get(credentialId);
    if (underWay !== undefined) return underWay;
    const renewal = this.#renew(tenant, id, found).finally(() => this.#renewals.delete(credentialId));
    this.#renewals.set(credentialId, renewal);
    return renewal;
  }

  async #renew(tenant: Tenant, id: IdentityId, found: Kept): Promise<Kept> {
    const { providers, clock } = this.#deps;
    const { provider, tokens } = found;
    if (tokens.refreshToken === undefined) throw domainError("PROVIDER_TOKENS_EXPIRED", {});
    const at = clock.now().getTime();
    const isOthers = (tokens.renewedUntil?.getTime() ?? 0) > at;
    const renewedUntil = new Date(at + mostRequests * provider.timeoutMs + renewalMarginMs);
    const claimed = isOthers ? undefined : await this.#store(tenant, id, found, { ...tokens, renewedUntil });
    if (claimed === undefined) return this.#awaitOthers(tenant, id, found);
    const { issuer, subject } = found.credential.facts;
    const account = { issuer: String(issuer), subject: String(subject) };
    const refreshed = await providers.refresh(provider, tokens.refreshToken, account);
    if (refreshed.kind === "failed") {
      const { problem, detail } = refreshed;
      // What was used up or refused is not sent once more; what may not have come through is.
      const left = problem === "denied" ? { ...tokens, refreshToken: undefined } : tokens;
      await this.#store(tenant, id, claimed, left);
      this.#deps.logger.warn({ provider: provider.id, problem, detail }, "tokens could not be renewed");
      if (problem === "denied") throw domainError("PROVIDER_TOKENS_EXPIRED", {});
      throw domainError("PROVIDER_UNAVAILABLE", { providerId: provider.id });
    }
    const { accessToken, expiresAt, scope, refreshToken, idToken } = refreshed.tokens;
    const renewed = await this.#store(tenant, id, claimed, {
      accessToken,
      expiresAt,
      scope: scope ?? tokens.scope,
      refreshToken: refreshToken ?? tokens.refreshToken,
      idToken: idToken ?? tokens.idToken,
    });
    if (renewed !== undefined) return renewed;
    // Its owner has signed in there again, or the link is gone.
    void providers.revoke(provider, refreshToken ?? accessToken);
    return this.#find(tenant, id, found.credential.id);
  }

  /** Another server renews the tokens: waits until it has. */
  async #awaitOthers(tenant: Tenant, id: IdentityId, { provider, credential }: Kept): Promise<Kept> {
    for (let waited = 0; waited < provider.timeoutMs; waited += waitMs) {
      const found = await this.#find(tenant, id, credential.id);
      if (!this.#isDue(found)) return found;
      await setTimeout(waitMs, undefined, { ref: false });
    }
    throw domainError("PROVIDER_UNAVAILABLE", { providerId: provider.id });
  }

  /** Puts tokens in the place of those that were read; undefined if others are there by now. */
  async #store(
    tenant: Tenant,
    id: IdentityId,
    { provider, credential }: Kept,
    tokens: KeptProviderTokens,
  ): Promise<Kept | undefined> {
    const { identities, sealer, clock } = this.#deps;
    const { facts } = credential;
    const secret = sealTokens(sealer, tokens);
    const isStored = await identities.replaceSecret(tenant, id, credential, { secret, facts }, clock.now());
    return isStored ? { provider, credential: { ...credential, secret }, tokens } : undefined;
  }
}
