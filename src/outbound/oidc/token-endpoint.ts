import type { Configuration, CustomFetchOptions, TokenEndpointResponse } from "openid-client";
import { isObject, type JsonObject } from "../../domain/json.ts";
import type { Clock, OutgoingHttp } from "../../domain/ports.ts";
import type { Provider, ProviderCallback, ProviderTokens } from "../../domain/provider/provider.ts";
import { ClientAuthentications, serverMetadataOf } from "./client-authentication.ts";
import { askProvider } from "./provider-http.ts";
import type { ProviderMetadata } from "./provider-metadata.ts";
import { invalid, type ProviderProblem, problemOfCode, toProblem } from "./provider-problem.ts";

interface TokenEndpointDeps {
  readonly http: OutgoingHttp;
  readonly clock: Clock;
}

const what = "the token endpoint";

/**
 * Gets tokens from providers with `openid-client`, which checks `state`, `iss` (RFC 9207) and errors of a callback, and builds the
 * requests with the client's authentication and PKCE. ID tokens are kept from it: `checkIdToken` checks those of all sources, the
 * signature included, by one set of keys. Its own checks leave the signature out, or with `enableNonRepudiationChecks` use keys of
 * their own, know no issuers with a tenant in them, and are not there for the tokens of apps.
 */
export class TokenEndpoint {
  readonly #deps: TokenEndpointDeps;
  readonly #authentications: ClientAuthentications;

  constructor(deps: TokenEndpointDeps) {
    this.#deps = deps;
    this.#authentications = new ClientAuthentications(deps);
  }

  /** Exchanges the code of a callback. The ID token is not checked yet. Throws ProviderProblem. */
  exchangeCode(
    provider: Provider,
    metadata: ProviderMetadata,
    { query, state, codeVerifier, redirectUri }: ProviderCallback,
  ): Promise<ProviderTokens> {
    return this.#tokens(provider, metadata, async (configuration) => {
      const { authorizationCodeGrant } = await import("openid-client");
      const callback = new URL(redirectUri);
      callback.search = query;
      // Without discovery no issuer is announced, and what stands for it here is a name of our own: GitHub's answers name another
      // one. What keeps providers apart is that each has a callback path of its own (RFC 9700, section 4.4.2.2).
      if (provider.endpoints.kind === "fixed") callback.searchParams.delete("iss");
      // Security rule (SR-OIDC-10): the answer is of this login and of this issuer, or the code in it goes nowhere.
      return await authorizationCodeGrant(configuration, callback, {
        expectedState: state,
        ...(provider.pkce ? { pkceCodeVerifier: codeVerifier } : {}),
      });
    });
  }

  /** Asks for fresh tokens. The ID token, if there is one, is not checked yet. Throws ProviderProblem. */
  refresh(provider: Provider, metadata: ProviderMetadata, refreshToken: string): Promise<ProviderTokens> {
    return this.#tokens(provider, metadata, async (configuration) => {
      const { refreshTokenGrant } = await import("openid-client");
      return await refreshTokenGrant(configuration, refreshToken);
    });
  }

  /** Revokes a token. Throws ProviderProblem. */
  async revoke(provider: Provider, metadata: ProviderMetadata, token: string): Promise<void> {
    if (metadata.revocationUrl === undefined) return;
    const { tokenRevocation } = await import("openid-client");
    const configuration = await this.#configuration(provider, metadata, async (url, options) => {
      const { http } = this.#deps;
      const response = await http.fetch(url, {
        ...requestOf(options, provider),
        followsRedirects: false,
        maxResponseBytes: 64 * 1024,
      });
      await response.body?.cancel();
      if (response.status !== 200) {
        throw invalid(`the revocation endpoint answered with status ${response.status}`);
      }
      return new Response(null);
    });
    await tokenRevocation(configuration, token);
  }

  async #tokens(
    provider: Provider,
    metadata: ProviderMetadata,
    grant: (configuration: Configuration) => Promise<TokenEndpointResponse>,
  ): Promise<ProviderTokens> {
    let idToken: string | undefined;
    const configuration = await this.#configuration(provider, metadata, async (url, options) => {
      const { status, body } = await askProvider(this.#deps.http, what, url, requestOf(options, provider));
      if (!isObject(body)) throw invalid(`${what} answered with what is no JSON object`);
      // GitHub's errors have status 200.
      if (typeof body.error === "string") throw problemOfCode(what, body.error);
      if (status !== 200) throw invalid(`${what} answered with status ${status}`);
      const { id_token, ...others } = body as JsonObject;
      if (id_token !== undefined && typeof id_token !== "string") throw invalid("the ID token is no text");
      idToken = id_token;
      return Response.json(others);
    });
    const { access_token, refresh_token, expires_in, scope } = await grant(configuration).catch(
      async (error) => {
        throw await toGrantProblem(error);
      },
    );
    return {
      accessToken: access_token,
      refreshToken: refresh_token,
      idToken,
      expiresAt:
        expires_in === undefined
          ? undefined
          : new Date(this.#deps.clock.now().getTime() + Math.min(expires_in, maxLifetimeSeconds) * 1000),
      scope,
    };
  }

  async #configuration(
    provider: Provider,
    metadata: ProviderMetadata,
    fetch: (url: string, options: CustomFetchOptions) => Promise<Response>,
  ): Promise<Configuration> {
    const library = await import("openid-client");
    const configuration = new library.Configuration(
      serverMetadataOf(metadata),
      provider.clientId,
      { [library.clockSkew]: Math.round((this.#deps.clock.now().getTime() - Date.now()) / 1000) },
      await this.#authentications.of(provider, metadata),
    );
    configuration[library.customFetch] = fetch;
    // The guarded fetch has the time limit.
    configuration.timeout = 0;
    // Which servers may be called without TLS is decided by the configuration, and by the guarded fetch.
    if (metadata.tokenUrl.startsWith("http:")) library.allowInsecureRequests(configuration);
    return configuration;
  }
}

/** A token that lasts longer is taken for one that lasts so long. */
const maxLifetimeSeconds = 10 * 365 * 24 * 3_600;

function requestOf({ method, headers, body }: CustomFetchOptions, { timeoutMs }: Provider) {
  return { method, headers, body: String(body ?? ""), timeoutMs };
}

/** What the library finds wrong with a callback. Its messages are its own words, and those of their causes too. */
const callbackProblems: readonly (readonly [message: string, detail: string])[] = [
  ['unexpected "iss"', "the answer names another issuer"],
  ['parameter "iss" (issuer) missing', "the answer names no issuer"],
  ['"state"', "the answer is of another login: its state is another"],
];

async function toGrantProblem(error: unknown): Promise<ProviderProblem> {
  const { AuthorizationResponseError, ClientError } = await import("openid-client");
  if (error instanceof AuthorizationResponseError) return problemOfCode("the provider", error.error);
  const message = error instanceof ClientError && error.cause instanceof Error ? error.cause.message : "";
  const known = callbackProblems.find(([part]) => message.includes(part));
  return known === undefined ? toProblem(error) : invalid(known[1]);
}
