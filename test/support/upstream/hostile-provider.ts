import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import type { Clock } from "../../../src/domain/ports.ts";
import { startOtherServer } from "../http-server.ts";
import { readBody } from "./sign-in-page.ts";

/** What can be answered otherwise. */
export type HostileEndpoint = "discovery" | "token" | "keys" | "userinfo" | "revocation";

/** A key pair that the provider signs with, and whose public half is among its keys. */
export interface ProviderKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}

/** An OpenID provider that answers each endpoint as a test says, and signs what a test wants. */
export interface HostileProvider {
  readonly url: string;
  readonly host: string;
  /** How often an endpoint was asked. */
  count(endpoint: HostileEndpoint): number;
  /** The last request of an endpoint. */
  lastRequest(endpoint: HostileEndpoint): {
    readonly headers: IncomingMessage["headers"];
    readonly body: string;
  };
  /** Replaces the answer of an endpoint; undefined brings back its own. */
  answer(endpoint: HostileEndpoint, listener: RequestListener | undefined): void;
  /** Changes members of the answer of an endpoint; those that are undefined are left out. */
  change(endpoint: HostileEndpoint, members: Readonly<Record<string, unknown>>): void;
  /** Everything as it was at first. */
  reset(): void;
  /** The key of an algorithm. */
  key(alg: "RS256" | "ES256" | "EdDSA"): ProviderKey;
  /** Claims of a right ID token of `alice` for the client, changed. */
  claims(change?: Readonly<Record<string, unknown>>): JWTPayload;
  /** Signs claims with a key of its own; RS256 unless it is said otherwise. */
  sign(
    claims: JWTPayload,
    options?: { readonly key?: ProviderKey; readonly header?: object },
  ): Promise<string>;
  stop(): Promise<void>;
}

/** The client that its tokens are for, and the nonce of the login. */
export const hostileClient = { clientId: "the-client", nonce: "the-nonce" };

const paths: Readonly<Record<string, HostileEndpoint>> = {
  "/.well-known/openid-configuration": "discovery",
  "/organizations/v2.0/.well-known/openid-configuration": "discovery",
  "/token": "token",
  "/keys": "keys",
  "/userinfo": "userinfo",
  "/revoke": "revocation",
};

/** Starts one on a free port. It answers as it should until it is told otherwise. */
export async function startHostileProvider({ clock }: { readonly clock: Clock }): Promise<HostileProvider> {
  const keys = new Map<string, ProviderKey>();
  for (const alg of ["RS256", "ES256", "EdDSA"]) keys.set(alg, await makeProviderKey(alg));
  const keyOf = (alg: string): ProviderKey => {
    const key = keys.get(alg);
    if (key === undefined) throw new Error(`there is no key for ${alg}`);
    return key;
  };
  const answers = new Map<HostileEndpoint, RequestListener>();
  const changes = new Map<HostileEndpoint, Readonly<Record<string, unknown>>>();
  const counts = new Map<HostileEndpoint, number>();
  const last = new Map<HostileEndpoint, { headers: IncomingMessage["headers"]; body: string }>();
  const server = await startOtherServer(async (request, response) => {
    const endpoint = paths[(request.url ?? "").split("?")[0] ?? ""];
    if (endpoint === undefined) return send(response, 404, {});
    counts.set(endpoint, (counts.get(endpoint) ?? 0) + 1);
    last.set(endpoint, { headers: request.headers, body: await readBody(request) });
    const answer = answers.get(endpoint);
    if (answer !== undefined) return answer(request, response);
    send(response, 200, { ...(await usual[endpoint]()), ...changes.get(endpoint) });
  });
  const seconds = () => Math.floor(clock.now().getTime() / 1000);
  const claims = (change: Readonly<Record<string, unknown>> = {}) => ({
    iss: server.url,
    sub: "alice",
    aud: hostileClient.clientId,
    iat: seconds(),
    exp: seconds() + 600,
    nonce: hostileClient.nonce,
    ...change,
  });
  const sign: HostileProvider["sign"] = (payload, { key = keyOf("RS256"), header = {} } = {}) =>
    new SignJWT(payload).setProtectedHeader({ alg: key.alg, kid: key.kid, ...header }).sign(key.privateKey);
  const usual: Record<HostileEndpoint, () => object | Promise<object>> = {
    discovery: () => ({
      issuer: server.url,
      authorization_endpoint: `${server.url}/authorize`,
      token_endpoint: `${server.url}/token`,
      jwks_uri: `${server.url}/keys`,
      userinfo_endpoint: `${server.url}/userinfo`,
      revocation_endpoint: `${server.url}/revoke`,
      end_session_endpoint: `${server.url}/logout`,
      id_token_signing_alg_values_supported: ["RS256", "ES256", "EdDSA", "HS256", "none"],
      token_endpoint_auth_methods_supported: ["client_secret_post"],
    }),
    keys: () => ({ keys: [...keys.values()].map(({ jwk }) => jwk) }),
    token: async () => ({
      access_token: "the-access-token",
      token_type: "Bearer",
      expires_in: 600,
      id_token: await sign(claims()),
    }),
    userinfo: () => ({ sub: "alice", email: "alice@example.com" }),
    revocation: () => ({}),
  };
  return {
    url: server.url,
    host: `127.0.0.1:${server.port}`,
    count: (endpoint) => counts.get(endpoint) ?? 0,
    lastRequest: (endpoint) => last.get(endpoint) ?? { headers: {}, body: "" },
    answer: (endpoint, listener) => {
      if (listener === undefined) answers.delete(endpoint);
      else answers.set(endpoint, listener);
    },
    change: (endpoint, members) => {
      changes.set(endpoint, members);
    },
    reset: () => {
      answers.clear();
      changes.clear();
      counts.clear();
    },
    key: keyOf,
    claims,
    sign,
    stop: server.stop,
  };
}

/** A key pair for an algorithm. */
export async function makeProviderKey(alg: string, kid = `key-${alg}`): Promise<ProviderKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
