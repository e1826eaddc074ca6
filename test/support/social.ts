import { createHash, randomUUID } from "node:crypto";
import { startTestApp, type TestApp } from "./app.ts";
import { type Answer, Browser } from "./browser.ts";
import { TestClock } from "./clock.ts";
import {
  type SignInOptions,
  startUpstream,
  type Upstream,
  type UpstreamProvider,
} from "./upstream/upstream.ts";

/** The providers of a test server, by their ids there. */
export type ProviderId = "first" | "second" | "github";

/** A server that people sign in to with real providers in another process. */
export interface SocialApp extends TestApp {
  readonly upstream: Upstream;
  readonly providers: Readonly<Record<ProviderId, UpstreamProvider & ProviderClient>>;
  /** Starts another server on the same database, with these providers alone. */
  without(...gone: readonly ProviderId[]): Promise<SocialApp>;
}

interface ProviderClient {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** Starts the providers, and a server that knows them. `providers`: more of the configuration of one. */
export async function startSocialApp(
  options: {
    readonly tenant?: object;
    readonly oidc?: object;
    readonly providers?: Partial<Record<ProviderId, object>>;
    readonly publicUrl?: string;
    /** More hosts on this machine that the server may call. */
    readonly privateHosts?: readonly string[];
  } = {},
): Promise<SocialApp> {
  const clock = new TestClock();
  const upstream = await startUpstream({ clock });
  const clients = {
    first: { clientId: randomUUID(), clientSecret: randomUUID() },
    second: { clientId: randomUUID(), clientSecret: randomUUID() },
    github: { clientId: randomUUID(), clientSecret: randomUUID() },
  };
  const providerOf = (id: ProviderId) => ({
    id,
    client_id: clients[id].clientId,
    client_secret: clients[id].clientSecret,
    ...(id === "github"
      ? {
          preset: "github",
          issuer: upstream.github.url,
          authorization_url: `${upstream.github.url}/login/oauth/authorize`,
          token_url: `${upstream.github.url}/login/oauth/access_token`,
          userinfo_url: `${upstream.github.url}/user`,
        }
      : { issuer: upstream[id].url, claims_source: id === "first" ? "id_token" : "userinfo" }),
    ...options.providers?.[id],
  });
  const configOf = (ids: readonly ProviderId[]) => ({
    server: {
      outbound: {
        allowed_private_hosts: [
          ...[upstream.first.host, upstream.second.host, upstream.github.host],
          ...(options.privateHosts ?? []),
        ],
      },
    },
    tenant_defaults: {
      ...options.tenant,
      oidc: { providers: ids.map(providerOf), ...options.oidc },
    },
  });
  const all = ["first", "second", "github"] as const;
  const app = await startTestApp({ clock, config: configOf(all) });
  for (const id of ["first", "second", "github"] as const) {
    await upstream[id].setClient([`${app.publicUrl}/oidc/callback/${id}`], clients[id]);
  }
  const shared = {
    upstream,
    providers: {
      first: { ...upstream.first, ...clients.first },
      second: { ...upstream.second, ...clients.second },
      github: { ...upstream.github, ...clients.github },
    },
  };
  const without = async (...gone: readonly ProviderId[]): Promise<SocialApp> => {
    const left = all.filter((id) => !gone.includes(id));
    const another = await startTestApp({ clock, databaseUrl: app.databaseUrl, config: configOf(left) });
    return { ...another, ...shared, without };
  };
  return {
    ...app,
    ...shared,
    without,
    stop: async () => {
      await app.stop();
      await upstream.stop();
    },
  };
}

/** Which service begins and submits each kind of flow. */
const services = {
  login: "Login",
  registration: "Registration",
  settings: "Settings",
  recovery: "Recovery",
} as const;
type Kind = keyof typeof services;

/** A person in a browser. */
export class Visitor {
  readonly browser: Browser;
  readonly #app: SocialApp;
  /** The flow that is drawn now. */
  // biome-ignore lint/suspicious/noExplicitAny: the JSON of a flow, as a page's script would see it
  flow: any;
  #kind: Kind = "login";

  constructor(app: SocialApp) {
    this.#app = app;
    this.browser = new Browser(app.publicUrl, app.localUrl);
  }

  /** Begins a flow. */
  async begin(kind: Kind, more: object = {}): Promise<this> {
    await this.tryToBegin(kind, more);
    return this;
  }

  /** Begins a flow, which may be refused. */
  async tryToBegin(kind: Kind, more: object = {}): Promise<Answer> {
    this.#kind = kind;
    const answer = await this.#call(`Create${services[kind]}Flow`, {
      client: "CLIENT_KIND_BROWSER",
      ...more,
    });
    this.flow = answer.body.flow;
    return answer;
  }

  /** Submits a step. */
  async submit(step: object, more: object = {}): Promise<Answer> {
    const { id: flowId, csrfToken } = this.flow;
    const answer = await this.#call(`Submit${services[this.#kind]}Flow`, {
      ...{ flowId, csrfToken },
      ...step,
      ...more,
    });
    this.flow = answer.body.flow ?? this.flow;
    return answer;
  }

  /** Presses the button of a provider, and gives where the browser goes. */
  async leave(provider: ProviderId, more: object = {}): Promise<string> {
    const { body } = await this.submit({ oidc: { provider } }, more);
    if (body.redirect === undefined) throw new Error(`no redirect: ${JSON.stringify(body)}`);
    return body.redirect.url;
  }

  /** Signs in there, and gives where the browser is sent back to. */
  async signIn(provider: ProviderId, as: SignInOptions, more: object = {}): Promise<string> {
    return this.#app.upstream.signInAt(await this.leave(provider, more), as);
  }

  /** Comes back, and gives where it goes on. The flow there is drawn. */
  async comeBack(url: string): Promise<CameBack> {
    const { pathname, search } = new URL(url);
    const answer = await this.browser.open(pathname + search);
    const location = answer.headers.get("location") ?? "";
    const id = /#flow=(.*)$/.exec(location)?.[1];
    if (id !== undefined) {
      const { body } = await this.browser.post("/ostiary.flow.v1.FlowService/GetFlow", {
        flowId: decodeURIComponent(id),
      });
      this.flow = body.flow;
      this.#kind = String(this.flow.kind).replace("FLOW_KIND_", "").toLowerCase() as Kind;
    }
    return { status: answer.status, location, text: answer.text };
  }

  /** All of it: begins, leaves, signs in, comes back. */
  async by(
    provider: ProviderId,
    as: SignInOptions,
    { kind = "login", start = {} }: { readonly kind?: Kind; readonly start?: object } = {},
  ): Promise<CameBack> {
    await this.begin(kind, start);
    return this.comeBack(await this.signIn(provider, as));
  }

  /** The session that the browser shows; undefined if none. */
  async session() {
    const { body } = await this.browser.post("/ostiary.session.v1.SessionService/GetCurrentSession", {});
    return body.session;
  }

  #call(method: string, message: object): Promise<Answer> {
    return this.browser.post(`/ostiary.flow.v1.${services[this.#kind]}Service/${method}`, message);
  }
}

/** What the callback has answered. */
export interface CameBack {
  readonly status: number;
  readonly location: string;
  readonly text: string;
}

/** Somebody at a provider whom no other test has, with a verified address. */
export function somebody(change: { readonly email?: string; readonly verified?: boolean } = {}) {
  const subject = randomUUID();
  const email = change.email ?? `${subject}@example.com`;
  const claims = { email, email_verified: change.verified ?? true, name: "Ada Lovelace" };
  return { subject, email, claims };
}

/** An ID token that an app gets from the first provider by itself, for a nonce. */
export async function idTokenFor(app: SocialApp, nonce: string, as: SignInOptions): Promise<string> {
  const { url, clientId, clientSecret } = app.providers.first;
  const redirectUri = `${app.publicUrl}/oidc/callback/first`;
  const verifier = randomUUID() + randomUUID();
  const { authorization_endpoint: endpoint, token_endpoint: tokenEndpoint } = await (
    await fetch(`${url}/.well-known/openid-configuration`)
  ).json();
  const request = new URLSearchParams({
    ...{ client_id: clientId, redirect_uri: redirectUri, response_type: "code", nonce },
    ...{ scope: "openid profile email", state: "s", code_challenge_method: "S256" },
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
  });
  const callback = new URL(await app.upstream.signInAt(`${endpoint}?${request}`, as));
  const response = await fetch(tokenEndpoint, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString("base64")}` },
    body: new URLSearchParams({
      ...{ grant_type: "authorization_code", redirect_uri: redirectUri, code_verifier: verifier },
      code: callback.searchParams.get("code") ?? "",
    }),
  });
  return (await response.json()).id_token;
}

/** What comes to an app once the system's browser has signed in at a provider. */
export async function exchangeCodeOf(app: SocialApp, url: string, as: SignInOptions): Promise<string> {
  const { pathname, search } = new URL(await app.upstream.signInAt(url, as));
  const response = await fetch(app.localUrl + pathname + search, { redirect: "manual" });
  return new URL(response.headers.get("location") ?? "").searchParams.get("exchange_code") ?? "";
}
