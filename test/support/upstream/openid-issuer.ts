import type { IncomingMessage, ServerResponse } from "node:http";
import { exportJWK, generateKeyPair } from "jose";
import Provider, { type Configuration } from "oidc-provider";
import type { UpstreamAccount, UpstreamClient, UpstreamCommand } from "./commands.ts";
import { setTime, startProviderServer } from "./provider-server.ts";
import { readChoice, signInPage } from "./sign-in-page.ts";

/** What issuers differ by. */
export interface IssuerOptions {
  readonly name: string;
  /** Where claims of a scope are: in ID tokens, or in user info alone as OpenID Connect Core 1.0 section 5.4 has it. */
  readonly claimsIn: "id_token" | "userinfo";
  /** How clients with a secret may show it. */
  readonly secretsIn: readonly ("client_secret_basic" | "client_secret_post")[];
}

/** Starts `oidc-provider` on a port of its own. Gives its URL, which is its issuer, and what carries out commands. */
export async function startOpenIdIssuer({ name, claimsIn, secretsIn }: IssuerOptions) {
  const server = await startProviderServer();
  const accounts = new Map<string, UpstreamAccount>();
  const clients = new Map<string, UpstreamClient>();

  const start = async () => {
    const provider = new Provider(server.url, {
      ...(await keysOf(name)),
      claims: {
        openid: ["sub", "acr", "amr", "auth_time"],
        email: ["email", "email_verified"],
        profile: ["name", "preferred_username", ...otherClaims],
      },
      acrValues: ["urn:example:silver", "urn:example:gold"],
      conformIdTokenClaims: claimsIn === "userinfo",
      scopes: ["openid", "offline_access", "email", "profile"],
      responseTypes: ["code"],
      clientAuthMethods: [...secretsIn, "private_key_jwt", "none"],
      pkce: { required: () => false },
      // Cookies know no ports: without a name of its own an issuer would get those of the other one.
      cookies: {
        names: { session: `${name}_session`, interaction: `${name}_flow`, resume: `${name}_resume` },
        keys: [crypto.randomUUID()],
      },
      ttl: {
        AccessToken: 600,
        IdToken: 600,
        RefreshToken: 3600,
        Session: 3600,
        Interaction: 600,
        Grant: 3600,
      },
      issueRefreshToken: async (_context, client, code) =>
        client.grantTypeAllowed("refresh_token") && code.scopes.has("offline_access"),
      rotateRefreshToken: true,
      interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
      features: {
        devInteractions: { enabled: false },
        backchannelLogout: { enabled: true },
        revocation: { enabled: true },
        rpInitiatedLogout: {
          enabled: true,
          logoutSource: (context, form) => {
            context.body = logoutPage(form);
          },
          postLogoutSuccessSource: (context) => {
            context.body = "<!doctype html><title>Signed out</title><h1>Signed out</h1>";
          },
        },
      },
      // Its own fetch refuses loopback, where the tests are.
      fetch: (url, options) => {
        const { dispatcher: _, ...others } = (options ?? {}) as RequestInit & { dispatcher?: unknown };
        return fetch(url, others);
      },
      renderError: (context, out) => {
        context.type = "html";
        context.body = `<!doctype html><title>Error</title><h1>${out.error}</h1><p>${out.error_description ?? ""}</p>`;
      },
      findAccount: (_context, subject) => ({
        accountId: subject,
        claims: () => ({ ...accounts.get(subject)?.claims, sub: subject }),
      }),
    } satisfies Configuration);
    for (const client of clients.values()) await register(provider, client);
    const serveProvider = provider.callback();
    server.serve((request, response) => {
      keepCookiesWhileOpen(response);
      if (request.url?.startsWith("/interaction/")) {
        interact(provider, request, response).catch((error: unknown) =>
          response.writeHead(400).end(String(error)),
        );
      } else {
        serveProvider(request, response);
      }
    });
    return provider;
  };

  const interact = async (provider: Provider, request: IncomingMessage, response: ServerResponse) => {
    const { params, prompt, session } = await provider.interactionDetails(request, response);
    if (request.method !== "POST") {
      response.setHeader("content-type", "text/html; charset=utf-8");
      response.end(signInPage(`Sign in at ${name}`, { subject: session?.accountId }));
      return;
    }
    const choice = await readChoice(request);
    if (!choice.consents) {
      const error = { error: "access_denied", error_description: "the person has cancelled" };
      await provider.interactionFinished(request, response, error);
      return;
    }
    const accountId = prompt.name === "login" ? choice.subject : (session?.accountId ?? choice.subject);
    const grant = new provider.Grant({ accountId, clientId: String(params.client_id) });
    grant.addOIDCScope(String(params.scope));
    const { acr, amr } = accounts.get(accountId) ?? {};
    const login = {
      accountId,
      ...(acr === undefined ? {} : { acr }),
      ...(amr === undefined ? {} : { amr: [...amr] }),
    };
    await provider.interactionFinished(
      request,
      response,
      { login, consent: { grantId: await grant.save() } },
      { mergeWithLastSubmission: false },
    );
  };

  let provider = await start();
  return {
    url: server.url,
    carryOut: async (command: UpstreamCommand): Promise<unknown> => {
      switch (command.do) {
        case "set_account":
          accounts.set(command.account.subject, command.account);
          return {};
        case "set_client":
          clients.set(command.client.clientId, command.client);
          await register(provider, command.client);
          return {};
        case "set_down":
          server.setDown(command.down);
          return {};
        case "rotate_keys":
          provider = await start();
          return {};
        case "count_requests":
          return Object.fromEntries(server.counts);
        case "set_time":
          setTime(command.offsetMs);
          return {};
      }
    },
  };
}

/** Claims beside the usual ones that tests may set. */
const otherClaims = ["given_name", "family_name", "picture", "groups", "hd", "tid", "xms_edov"];

async function register(provider: Provider, client: UpstreamClient): Promise<void> {
  const isConfidential = client.clientSecret !== undefined;
  const metadata = {
    client_id: client.clientId,
    client_secret: client.clientSecret,
    redirect_uris: [...client.redirectUris],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: isConfidential ? "client_secret_basic" : "none",
    backchannel_logout_session_required: true,
    require_auth_time: true,
    ...client.metadata,
  };
  const written = Object.entries(metadata).filter(([, value]) => value !== undefined);
  // Checked by the library when it is read.
  const { Client } = provider as unknown as {
    readonly Client: { readonly adapter: { upsert(id: string, metadata: object): Promise<void> } };
  };
  await Client.adapter.upsert(client.clientId, Object.fromEntries(written));
}

/**
 * Leaves out when cookies expire: the provider's time may be another than the browser's, which would drop them at once. That is done
 * last, because the library writes the time of its session into headers that were set already.
 */
function keepCookiesWhileOpen(response: ServerResponse): void {
  const writeHead = response.writeHead.bind(response) as (...parameters: unknown[]) => ServerResponse;
  const changed = (...parameters: unknown[]) => {
    const cookies = response.getHeader("set-cookie");
    if (Array.isArray(cookies)) response.setHeader("set-cookie", cookies.map(withoutExpiry));
    return writeHead(...parameters);
  };
  response.writeHead = changed as ServerResponse["writeHead"];
}

/** A cookie without its end, unless it is one that is taken away. */
function withoutExpiry(cookie: string): string {
  return /^[^=]+=;/.test(cookie) ? cookie : cookie.replace(/; expires=[^;]*/i, "");
}

async function keysOf(name: string) {
  const keys = await Promise.all(
    (["RS256", "ES256", "PS256"] as const).map(async (alg) => {
      const { privateKey } = await generateKeyPair(alg, { extractable: true });
      const kid = `${name}-${alg}-${crypto.randomUUID()}`;
      return { ...(await exportJWK(privateKey)), alg, use: "sig", kid };
    }),
  );
  return { jwks: { keys } };
}

function logoutPage(form: string): string {
  const button = '<button form="op.logoutForm" name="logout" value="yes">Sign out</button>';
  return `<!doctype html><html lang="en"><title>Sign out</title><h1>Sign out?</h1>${form}${button}</html>`;
}
