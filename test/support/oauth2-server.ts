import { randomUUID } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { createOAuth2Server } from "../../src/outbound/oauth2-server.ts";
import { type OtherServer, startOtherServer } from "./http-server.ts";
import { silentLogger } from "./postgres.ts";

/** The port of a server that knows no OAuth2 server. */
export const noOAuth2Server = createOAuth2Server({
  apiKey: () => undefined,
  http: { fetch: () => Promise.reject(new Error("nothing is called here")) },
  logger: silentLogger,
});

/** What an application asks for. */
export interface Asked {
  /** Parameters of the authorisation request. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** The account that the OAuth2 server remembers in this browser. */
  readonly subject?: string;
  readonly acrValues?: readonly string[];
  readonly loginHint?: string;
}

/** What became of a request. */
export interface Told {
  readonly action: "accept" | "reject";
  // biome-ignore lint/suspicious/noExplicitAny: the JSON that the server was sent
  readonly body: any;
}

interface Asking extends Asked {
  readonly requestUrl: string;
  readonly told: Told[];
  isUsed: boolean;
  isExpired: boolean;
}

/** An answer that is not as it should be: what it is about, and how it is given. */
export type Misbehaviour = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * A server in the shape of Ory Hydra: the login and logout requests of its admin API, with answers as its published API describes
 * them. Applications and their authorisation requests are left out: `ask` stands for them.
 */
export class OAuth2TestServer {
  readonly #server: OtherServer;
  readonly #requests = new Map<string, Asking>();
  /** The bearer token that the admin API asks for; empty: none. */
  apiKey = "";
  /** What it does in the place of an answer, where it returns true. */
  misbehaves: Misbehaviour = () => false;

  private constructor(server: OtherServer, publicUrl: string) {
    this.#server = server;
    this.publicUrl = publicUrl;
  }

  /** With `forBrowsers` it also answers browsers, which see where they have come to. */
  static async start({ forBrowsers = false } = {}): Promise<OAuth2TestServer> {
    const server = await startOtherServer();
    const own = new OAuth2TestServer(server, forBrowsers ? server.url : "http://localhost:4444");
    server.answer(own.#answer);
    return own;
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }

  /** The configuration of a server that people sign in at for this one. */
  get config() {
    return {
      server: { outbound: { allowed_private_hosts: [`127.0.0.1:${this.#server.port}`] } },
      tenant_defaults: { oauth2_provider: { admin_url: this.#server.url, public_url: this.publicUrl } },
    };
  }

  /** The origin that browsers reach it at. */
  readonly publicUrl: string;

  /** The paths that were called, with the method. */
  get calls(): readonly string[] {
    return this.#server.requests.map(({ method, url }) => `${method} ${url?.split("?")[0]}`);
  }

  /** Has an application ask for a login, and gives the challenge. */
  ask(asked: Asked = {}): string {
    const challenge = `${randomUUID()}~=_-.`;
    const query = new URLSearchParams({ client_id: "shop", response_type: "code", ...asked.parameters });
    const requestUrl = `${this.publicUrl}/oauth2/auth?${query}`;
    this.#requests.set(challenge, { ...asked, requestUrl, told: [], isUsed: false, isExpired: false });
    return challenge;
  }

  /** What the server was told of a request. */
  toldOf(challenge: string): readonly Told[] {
    return this.#find(challenge).told;
  }

  requestUrlOf(challenge: string): string {
    return this.#find(challenge).requestUrl;
  }

  /** The browser came back with the answer: it is answered once and for all. */
  use(challenge: string): void {
    this.#find(challenge).isUsed = true;
  }

  expire(challenge: string): void {
    this.#find(challenge).isExpired = true;
  }

  #find(challenge: string): Asking {
    const found = this.#requests.get(challenge);
    if (found === undefined) throw new Error("there is no such challenge");
    return found;
  }

  readonly #answer: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (this.misbehaves(request, response)) return;
      const url = new URL(request.url ?? "", this.#server.url);
      if (!url.pathname.startsWith("/admin/")) {
        response
          .setHeader("content-type", "text/html")
          .end("<title>OAuth2</title><p>The application goes on.");
        return;
      }
      const reply = this.#reply(request, url, Buffer.concat(chunks).toString());
      response.writeHead(reply.status, { "content-type": "application/json" });
      response.end(JSON.stringify(reply.body));
    });
  };

  #reply(request: IncomingMessage, url: URL, body: string): { status: number; body: object } {
    if (this.apiKey !== "" && request.headers.authorization !== `Bearer ${this.apiKey}`) {
      return { status: 401, body: { error: "The request could not be authorized" } };
    }
    const [, kind = "", action] =
      /^\/admin\/oauth2\/auth\/requests\/(login|logout)(?:\/(accept|reject))?$/.exec(url.pathname) ?? [];
    const challenge = url.searchParams.get(`${kind}_challenge`) ?? "";
    const asked = this.#requests.get(challenge);
    if (asked === undefined) return errorOf(404, "Not Found", "Unable to locate the resource");
    if (asked.isExpired) {
      return errorOf(401, "request_unauthorized", "The request could not be authorized. It has expired.");
    }
    if (action === undefined) {
      if (asked.isUsed) return { status: 410, body: { redirect_to: asked.requestUrl } };
      return {
        status: 200,
        body: kind === "login" ? loginRequest(challenge, asked) : logoutRequest(challenge),
      };
    }
    if (asked.isUsed) return errorOf(409, "conflict", "The request was already used");
    const told = { action: action as Told["action"], body: body === "" ? undefined : JSON.parse(body) };
    if (kind === "login" && action === "accept") {
      const known = asked.subject ?? "";
      if (told.body.subject === "" || (known !== "" && told.body.subject !== known)) {
        return errorOf(
          400,
          "invalid_request",
          "Field 'subject' does not match subject from previous authentication.",
        );
      }
    }
    asked.told.push(told);
    const next =
      kind === "login"
        ? `${asked.requestUrl}&login_verifier=${randomUUID()}`
        : `${this.publicUrl}/oauth2/sessions/logout?logout_verifier=${randomUUID()}`;
    return { status: 200, body: { redirect_to: next } };
  }
}

function loginRequest(challenge: string, { requestUrl, subject = "", acrValues, loginHint }: Asking) {
  return {
    challenge,
    requested_scope: ["openid"],
    requested_access_token_audience: [],
    skip: subject !== "",
    subject,
    oidc_context: {
      ...(acrValues && { acr_values: acrValues }),
      ...(loginHint && { login_hint: loginHint }),
    },
    client: { client_id: "shop", client_name: "The Shop", metadata: {} },
    request_url: requestUrl,
    session_id: randomUUID(),
  };
}

function logoutRequest(challenge: string) {
  return {
    challenge,
    subject: randomUUID(),
    sid: randomUUID(),
    request_url: "/oauth2/sessions/logout",
    rp_initiated: true,
  };
}

function errorOf(status: number, error: string, description: string) {
  return { status, body: { error, error_description: description } };
}
