import { createHash } from "node:crypto";
import { isObject, type JsonObject, type JsonValue } from "../../domain/json.ts";
import type { Clock, Logger, OutgoingHttp } from "../../domain/ports.ts";
import type {
  Provider,
  ProviderAnswer,
  ProviderCallback,
  ProviderClient,
  ProviderFailure,
  ProviderLogout,
  ProviderRequest,
  ProviderTokens,
} from "../../domain/provider/provider.ts";
import { checkIdToken, type IdToken } from "./id-token.ts";
import { checkLogoutToken } from "./logout-token.ts";
import { isDeeperThan } from "./provider-http.ts";
import { ProviderKeys } from "./provider-keys.ts";
import { type ProviderMetadata, ProviderMetadataCache } from "./provider-metadata.ts";
import { invalid, ProviderProblem, toProblem } from "./provider-problem.ts";
import { textClaim } from "./signed-token.ts";
import { TokenEndpoint } from "./token-endpoint.ts";
import { readAccount, readUserInfo } from "./user-info.ts";

interface ProviderClientDeps {
  readonly http: OutgoingHttp;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The largest claims that are handed on, as JSON. */
const maxClaimsBytes = 32 * 1024;
const maxClaimsDepth = 32;
const maxMethods = 16;

/** Makes the client. Its libraries are loaded when a provider is first used: they take time and memory. */
export function createProviderClient(deps: ProviderClientDeps): ProviderClient {
  return new OpenIdProviderClient(deps);
}

class OpenIdProviderClient implements ProviderClient {
  readonly #deps: ProviderClientDeps;
  readonly #metadata: ProviderMetadataCache;
  readonly #keys: ProviderKeys;
  readonly #tokenEndpoint: TokenEndpoint;

  constructor(deps: ProviderClientDeps) {
    this.#deps = deps;
    this.#metadata = new ProviderMetadataCache(deps);
    this.#keys = new ProviderKeys(deps);
    this.#tokenEndpoint = new TokenEndpoint(deps);
  }

  begin(
    provider: Provider,
    request: ProviderRequest,
  ): Promise<{ readonly kind: "url"; readonly url: string } | ProviderFailure> {
    return answering(async () => {
      const metadata = await this.#metadata.get(provider);
      return { kind: "url", url: authorizationUrl(provider, metadata, request) };
    });
  }

  finish(provider: Provider, callback: ProviderCallback): Promise<ProviderAnswer | ProviderFailure> {
    return answering(async () => {
      const metadata = await this.#metadata.get(provider);
      const tokens = await this.#tokenEndpoint.exchangeCode(provider, metadata, callback);
      const { http } = this.#deps;
      if (provider.endpoints.kind === "fixed") {
        const account = await readAccount(http, provider, tokens.accessToken);
        return answerOf({ issuer: provider.issuer, ...account }, {}, tokens);
      }
      if (tokens.idToken === undefined) throw invalid("there is no ID token");
      const idToken = await checkIdToken(this.#tokenDeps(), provider, metadata, tokens.idToken, {
        audiences: [provider.clientId],
        nonces: [callback.nonce],
        accessToken: tokens.accessToken,
      });
      const userInfo =
        provider.claimsSource === "userinfo"
          ? await readUserInfo(http, provider, metadata, tokens.accessToken, idToken.subject)
          : {};
      const beside = provider.quirks.has("form_post") ? nameBeside(callback.query) : {};
      // What is signed before what is not.
      const claims = { ...beside, ...userInfo, ...idToken.claims };
      return answerOf({ ...idToken, claims }, idToken.claims, tokens);
    });
  }

  readIdToken(
    provider: Provider,
    idToken: string,
    nonces: readonly string[],
  ): Promise<ProviderAnswer | ProviderFailure> {
    return answering(async () => {
      const metadata = await this.#metadata.get(provider);
      const checked = await checkIdToken(this.#tokenDeps(), provider, metadata, idToken, {
        audiences: [provider.clientId, ...provider.nativeClientIds],
        nonces,
        accessToken: undefined,
      });
      return answerOf(checked, checked.claims, undefined);
    });
  }

  readLogoutToken(provider: Provider, token: string): Promise<ProviderLogout | ProviderFailure> {
    return answering(async () => {
      const metadata = await this.#metadata.get(provider);
      return await checkLogoutToken(this.#tokenDeps(), provider, metadata, token);
    });
  }

  async logoutUrl(
    provider: Provider,
    { idToken, returnTo }: { readonly idToken: string | undefined; readonly returnTo: string | undefined },
  ): Promise<string | undefined> {
    const endSessionUrl = await this.#metadata.get(provider).then(
      (metadata) => metadata.endSessionUrl,
      () => undefined,
    );
    if (endSessionUrl === undefined) return undefined;
    const url = new URL(endSessionUrl);
    url.searchParams.set("client_id", provider.clientId);
    if (idToken !== undefined) url.searchParams.set("id_token_hint", idToken);
    if (returnTo !== undefined) url.searchParams.set("post_logout_redirect_uri", returnTo);
    return url.href;
  }

  refresh(
    provider: Provider,
    refreshToken: string,
    account: Pick<ProviderAnswer, "issuer" | "subject">,
  ): Promise<{ readonly kind: "refreshed"; readonly tokens: ProviderTokens } | ProviderFailure> {
    return answering(async () => {
      const metadata = await this.#metadata.get(provider);
      const tokens = await this.#tokenEndpoint.refresh(provider, metadata, refreshToken).catch((error) => {
        const problem = toProblem(error);
        // RFC 6749, section 5.2: it was revoked, or has expired.
        if (problem.code === "invalid_grant") throw new ProviderProblem("denied", problem.message);
        throw problem;
      });
      const idToken = await this.#refreshedIdToken(provider, metadata, tokens, account);
      return { kind: "refreshed", tokens: { ...tokens, idToken } };
    });
  }

  /**
   * The ID token that came with refreshed tokens; undefined if it cannot be checked now, which is no reason to lose the others: the refresh
   * token that got them is used up. Throws ProviderProblem.
   *
   * Security rule (SR-OIDC-24): it is of the same account (OpenID Connect Core 1.0, section 12.2), or none of the tokens is taken.
   */
  async #refreshedIdToken(
    provider: Provider,
    metadata: ProviderMetadata,
    { idToken, accessToken }: ProviderTokens,
    { issuer, subject }: Pick<ProviderAnswer, "issuer" | "subject">,
  ): Promise<string | undefined> {
    if (idToken === undefined || provider.endpoints.kind !== "discovery") return idToken;
    const expected = { audiences: [provider.clientId], nonces: undefined, accessToken };
    try {
      const checked = await checkIdToken(this.#tokenDeps(), provider, metadata, idToken, expected);
      if (checked.issuer === issuer && checked.subject === subject) return idToken;
    } catch (error) {
      const { problem, message } = toProblem(error);
      if (problem === "unavailable") return undefined;
      throw new ProviderProblem("denied", message);
    }
    throw new ProviderProblem("denied", "the ID token: it is of another account");
  }

  async revoke(provider: Provider, token: string): Promise<void> {
    const revoked = await answering(async () => {
      await this.#tokenEndpoint.revoke(provider, await this.#metadata.get(provider), token);
      return { kind: "revoked" } as const;
    });
    if (revoked.kind === "revoked") return;
    const fields = { provider: provider.id, detail: revoked.detail };
    this.#deps.logger.warn(fields, "a token could not be revoked at its provider");
  }

  isAvailable(provider: Provider): boolean {
    return this.#metadata.isAvailable(provider);
  }

  #tokenDeps() {
    return { keys: this.#keys, clock: this.#deps.clock };
  }
}

/** What a provider does is a value, whatever it is. */
async function answering<T>(work: () => Promise<T>): Promise<T | ProviderFailure> {
  try {
    return await work();
  } catch (error) {
    return toProblem(error).toFailure();
  }
}

function authorizationUrl(
  provider: Provider,
  { authorizationUrl }: ProviderMetadata,
  { state, nonce, codeVerifier, redirectUri, parameters }: ProviderRequest,
): string {
  const url = new URL(authorizationUrl);
  const own: Readonly<Record<string, string>> = {
    client_id: provider.clientId,
    response_type: "code",
    redirect_uri: redirectUri,
    scope: provider.scopes.join(" "),
    state,
    ...(provider.endpoints.kind === "discovery" ? { nonce } : {}),
    ...(provider.quirks.has("form_post") ? { response_mode: "form_post" } : {}),
    ...(provider.pkce
      ? {
          code_challenge: createHash("sha256").update(codeVerifier).digest("base64url"),
          code_challenge_method: "S256",
        }
      : {}),
  };
  // Ours last, so that no other parameter replaces one of them.
  for (const [name, value] of Object.entries({ ...provider.parameters, ...parameters, ...own })) {
    url.searchParams.set(name, value);
  }
  return url.href;
}

/**
 * The name that Apple posts beside the code at the first login. Nobody has signed it, so it is a name and nothing else.
 * https://developer.apple.com/documentation/signinwithapple/configuring-your-webpage-for-sign-in-with-apple
 */
function nameBeside(query: string): JsonObject {
  const text = new URLSearchParams(query).get("user");
  if (text === null || text.length > 4_096) return {};
  try {
    const user = JSON.parse(text) as JsonValue;
    if (!isObject(user) || !isObject(user.name)) return {};
    const { firstName, lastName } = user.name;
    const name = Object.fromEntries(
      Object.entries({ firstName, lastName }).filter(([, part]) => typeof part === "string"),
    );
    return { user: { name } as JsonObject };
  } catch {
    return {};
  }
}

/** The answer. How the person signed in is what the ID token says of it, and nothing without one. */
function answerOf(
  { issuer, subject, claims }: IdToken,
  { acr, amr, auth_time: authTime, sid }: JsonObject,
  tokens: ProviderTokens | undefined,
): ProviderAnswer {
  if (isDeeperThan(claims, maxClaimsDepth)) throw invalid("the claims are too deep");
  if (Buffer.byteLength(JSON.stringify(claims)) > maxClaimsBytes) throw invalid("the claims are too large");
  return {
    kind: "answered",
    issuer,
    subject,
    claims,
    acr: textClaim(acr),
    amr: Array.isArray(amr) ? amr.flatMap((method) => textClaim(method) ?? []).slice(0, maxMethods) : [],
    authTime: typeof authTime === "number" && authTime > 0 ? dateOf(authTime) : undefined,
    session: textClaim(sid),
    tokens,
  };
}

/** Undefined: no date has so many seconds. */
function dateOf(seconds: number): Date | undefined {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
