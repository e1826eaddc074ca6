// SPDX-License-Identifier: Apache-2.0
import { ConnectError, type Transport } from "@connectrpc/connect";
import { type Ostiary, publicClients } from "../client.ts";
import { openTransport, type Reach, withHeaders } from "../transport.ts";
import { CookieJar } from "./cookie-jar.ts";
import { cookieNameOf } from "./cookies.ts";
import { comesFromAllowedOrigin, originSet } from "./origin.ts";
import { originRefusal } from "./refusal.ts";
import { type FetchRequest, headOf, isFetch, type NodeRequest } from "./request-head.ts";

/** Whose behalf a server-rendered app calls on, and how Ostiary is reached. */
export type ServerOstiaryOptions = Reach & {
  /** The user's request, of Fetch or of node:http (and so of Express; with Fastify give `request.raw`). */
  readonly request: FetchRequest | NodeRequest;
  /**
   * The user's address, for the session's device data and for limits. Default: the address of a node:http request's
   * socket. Behind a proxy give what your framework makes of it, for example Express' `request.ip`. Ostiary
   * believes it only of apps whose own address is among its `trusted_proxies`.
   */
  readonly clientAddress?: string | undefined;
  /** Origins of other pages that may make changing requests to your app with cookies. Default: none. */
  readonly allowedOrigins?: readonly string[] | undefined;
  /** The server's `session.cookie.name`. Default: `ostiary_session`. */
  readonly cookieName?: string | undefined;
};

/** Clients that speak for the user of one request. Never keep it for another one. */
export interface ServerOstiary extends Ostiary {
  /** The Set-Cookie headers that the user's browser must get, as of now. */
  readonly setCookies: readonly string[];
  /** Adds these headers to an answer: `Headers`, a `Response`, or a response of node:http or Express. */
  applyTo(target: Headers | { readonly headers: Headers } | NodeCookieTarget): void;
}

/** The part of node:http's `ServerResponse` that takes cookies. */
export interface NodeCookieTarget {
  appendHeader(name: string, value: string): unknown;
}

/**
 * Makes clients for a server-rendered app that is Ostiary's go-between to its user's browser: Ostiary's cookies of
 * the user's request go along, no others; so do the user agent and address; and the cookies that Ostiary sets are
 * kept for the answer.
 *
 * Security: `Origin` and `Sec-Fetch-Site` are not forwarded, for they speak of the app's own page (a link from
 * elsewhere to a page of the app is cross-site and harmless). The app is the one that can judge them, so this does
 * it: on a request that may change something and that another site has started, every call throws
 * ORIGIN_NOT_ALLOWED.
 */
export function createServerOstiary(options: ServerOstiaryOptions): ServerOstiary {
  const { request, clientAddress = socketAddress(options.request) } = options;
  const head = headOf(request);
  const allowed = comesFromAllowedOrigin(head, originSet(options.allowedOrigins ?? []));
  const jar = new CookieJar(head.header("cookie"), cookieNameOf(options.cookieName));
  const userAgent = head.header("user-agent");

  const transport = withHeaders(collecting(openTransport(options, undefined), jar), (headers) => {
    if (!allowed)
      throw originRefusal(head, "the option allowedOrigins of createServerOstiary").toConnectError();
    if (jar.header !== undefined) headers.set("cookie", jar.header);
    if (userAgent !== undefined) headers.set("user-agent", userAgent);
    if (clientAddress !== undefined) headers.set("x-forwarded-for", clientAddress);
  });
  return {
    ...publicClients(transport),
    get setCookies() {
      return jar.setCookies;
    },
    applyTo(target) {
      for (const header of jar.setCookies) {
        if ("appendHeader" in target) target.appendHeader("set-cookie", header);
        else ("headers" in target ? target.headers : target).append("set-cookie", header);
      }
    },
  };
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
      if (error instanceof ConnectError) jar.accept(error.metadata);
      throw error;
    }
  };
  return {
    unary: (...call) => keep(transport.unary(...call)),
    stream: (...call) => keep(transport.stream(...call)),
  };
}

function socketAddress(request: FetchRequest | NodeRequest): string | undefined {
  return isFetch(request) ? undefined : request.socket?.remoteAddress;
}
