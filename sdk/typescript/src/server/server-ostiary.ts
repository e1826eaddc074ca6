// SPDX-License-Identifier: Apache-2.0
import { ConnectError, type Transport } from "@connectrpc/connect";
import { reachNames } from "../check-reach.ts";
import { type Ostiary, publicClients } from "../client.ts";
import { type OptionNames, refuseUnknownOptions } from "../options.ts";
import { openTransport, type Reach, withHeaders } from "../transport.ts";
import { type Applied, addCookies, type CookieTarget } from "./add-cookies.ts";
import { clientAddressOf } from "./client-address.ts";
import { CookieJar } from "./cookie-jar.ts";
import { cookieNameOf } from "./cookies.ts";
import { mayAct } from "./may-act.ts";
import { comesFromAllowedOrigin, originSet } from "./origin.ts";
import { originRefusal } from "./refusal.ts";
import { type FetchRequest, headOf, type NodeRequest } from "./request-head.ts";

/** Whose behalf a server-rendered app calls on, and how Ostiary is reached. */
export type ServerOstiaryOptions = Reach & {
  /** Origins of other pages that may make changing requests to your app with cookies. Default: none. */
  readonly allowedOrigins?: readonly string[] | undefined;
  /** The server's `session.cookie.name`. Default: `ostiary_session`. */
  readonly cookieName?: string | undefined;
  /**
   * An API key of your app with the scope `client:forward`. With it Ostiary believes the IP address and user agent of the user
   * that your app sends, on any host and behind any proxy. Without it that depends on `server.trusted_proxies`. A secret: for
   * code that runs on your server only.
   */
  readonly apiKey?: string | undefined;
} & (UserRequest | UserNodeRequest);

/** A request of any kind, with the user's address. */
export interface UserRequest {
  /** The user's request, of Fetch or of node:http. */
  readonly request: FetchRequest | NodeRequest;
  /**
   * The user's address, for the session's device data and for limits: what your runtime, or the framework that reads
   * your proxy's headers, makes of it. A request of Fetch does not tell it, so it must be given. Ostiary believes it
   * of apps with an `apiKey`, and of those whose own address is among its `server.trusted_proxies`; without either, all
   * users of the app would share one address, and one limit.
   */
  readonly clientAddress: string;
}

/** A request of node:http, and so of Express; with Fastify give `request.raw`. */
export interface UserNodeRequest {
  /** The user's request. */
  readonly request: NodeRequest;
  /**
   * The user's address, as above. Default: that of the request's socket. Behind a proxy that is the proxy's address, so
   * there it must be given, for example as Express' `request.ip`: if a header says that the request was forwarded,
   * calls without it fail with a TypeError.
   */
  readonly clientAddress?: string | undefined;
}

/** Clients that speak for the user of one request. Never keep it for another one. */
export interface ServerOstiary extends Ostiary {
  /**
   * The Set-Cookie headers that the user's browser must get so far. An app that sends them without `applyTo` also sends
   * `Cache-Control: private, no-store`.
   */
  readonly setCookies: readonly string[];
  /**
   * Adds these headers to an answer: `Headers`, a `Response`, or a response of node:http or Express. Gives the answer to
   * send, which is a copy if it is a Response whose headers cannot be changed, such as `Response.redirect(…)`. With a
   * cookie the answer also gets `Cache-Control: private, no-store`, whatever it had, so apply it last.
   */
  applyTo<Target extends CookieTarget>(target: Target): Applied<Target>;
}

const optionNames: OptionNames<ServerOstiaryOptions> = {
  ...reachNames,
  request: true,
  clientAddress: true,
  allowedOrigins: true,
  cookieName: true,
  apiKey: true,
};

/**
 * Makes clients for a server-rendered app that is Ostiary's go-between to its user's browser: Ostiary's cookies of
 * the user's request go along, no others; so do the user agent and address; and the cookies that Ostiary sets are
 * kept for the answer. Throws a TypeError for options that cannot be meant.
 *
 * Security rule (SR-SDK-7): `Origin` and `Sec-Fetch-Site` are not forwarded, for they speak of the app's own page (a link from
 * elsewhere to a page of the app is cross-site and harmless). The app is the one that can judge them, so this does
 * it: on a request that may change something and that another site has started, every call throws
 * ORIGIN_NOT_ALLOWED; on any other request that another site has started, those calls that change something do.
 */
export function createServerOstiary(options: ServerOstiaryOptions): ServerOstiary {
  refuseUnknownOptions("createServerOstiary", options, optionNames);
  const head = headOf(options.request);
  const origins = originSet(options.allowedOrigins ?? []);
  const allowed = comesFromAllowedOrigin(head, origins);
  const clientAddress = clientAddressOf(options);
  const { apiKey } = options;
  checkApiKey(apiKey);
  const jar = new CookieJar(head.header("cookie"), cookieNameOf(options.cookieName));
  const userAgent = head.header("user-agent");

  const transport = withHeaders(collecting(openTransport(options), jar), (headers, method) => {
    const cookie = jar.header;
    if (!allowed || (cookie !== undefined && !mayAct(head, origins, method))) {
      throw originRefusal(head, "the option allowedOrigins of createServerOstiary").toConnectError();
    }
    if (cookie !== undefined) headers.set("cookie", cookie);
    if (userAgent !== undefined) headers.set("user-agent", userAgent);
    if (apiKey === undefined) headers.set("x-forwarded-for", clientAddress());
    else {
      headers.set("ostiary-api-key", apiKey);
      headers.set("ostiary-client-address", clientAddress());
      if (userAgent !== undefined) headers.set("ostiary-client-user-agent", userAgent);
    }
  });
  return {
    ...publicClients(transport),
    get setCookies() {
      return jar.setCookies;
    },
    applyTo<Target extends CookieTarget>(target: Target) {
      // Only a Response becomes another one, which is what the type says; the compiler cannot follow.
      return addCookies(target, jar.setCookies) as Applied<Target>;
    },
  };
}

/**
 * Refuses a text that cannot be a key, also an empty one. An environment variable that is not set is undefined, so it looks like no
 * key at all: the app itself must check for that. The error never shows the value.
 */
function checkApiKey(apiKey: unknown): void {
  if (apiKey !== undefined && (typeof apiKey !== "string" || !/^[!-~]+$/.test(apiKey))) {
    throw new TypeError("apiKey must be an API key, as ApiKeyService made it");
  }
}

/** Keeps the cookies of all answers, also of those that are errors: a session that is over has its cookie cleared. */
function collecting(transport: Transport, jar: CookieJar): Transport {
  const keep = async <Answer extends { readonly header: Headers }>(
    call: Promise<Answer>,
  ): Promise<Answer> => {
    try {
      const answer = await call;
      jar.accept(answer.header);
      return answer;
    } catch (error) {
      if (error instanceof ConnectError && error.metadata instanceof Headers) jar.accept(error.metadata);
      throw error;
    }
  };
  return {
    unary: (...call) => keep(transport.unary(...call)),
    stream: (...call) => keep(transport.stream(...call)),
  };
}
