import { randomUUID } from "node:crypto";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import {
  type ContextValues,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import { domainError } from "../../domain/errors.ts";
import type { CallOrigin } from "../../domain/event/event.ts";
import type { FlowCaller } from "../../domain/flow/shared/flow.ts";
import type { FlowClient } from "../../domain/kinds.ts";
import type { TenantScope } from "../../domain/ports.ts";
import type { SessionCredential } from "../../domain/session/credential.ts";
import type { Session } from "../../domain/session/session.ts";
import type { ReadingWish } from "../../domain/session/session-reader.ts";
import type { Tenant } from "../../domain/tenant/tenant.ts";
import type { LimitedClientIp } from "../../domain/throttle/subjects.ts";
import {
  browserCookieName,
  deviceCookieName,
  findCookie,
  providerCookieName,
  sessionCookieName,
} from "../net/cookies.ts";
import type { Exchange, ResponseHeaders } from "../net/exchange.ts";
import { assertNotFromPage, assertOriginAllowed } from "../net/origin.ts";
import type { Admission } from "./access.ts";
import { anonymous, bearerOf, type Caller, namesOf, type SessionCaller } from "./access.ts";
import type { BrowserSessions } from "./browser-sessions.ts";
import type { Holding } from "./call-budgets.ts";
import type { Codec } from "./unary/decode.ts";
import type { SharedAnswer } from "./unary/shared-answer.ts";
import type { EncodedMessage, Wire } from "./unary/wire.ts";

/** What is known of a request when it comes in. */
interface Received {
  readonly exchange: Exchange;
  /** The tenant whose pages and cookies the request concerns. */
  readonly tenant: Tenant;
  readonly clientIp: string;
  /** The unchecked API key with which a server says for whom it calls; undefined if there is none. */
  readonly forwardingKey: string | undefined;
  /** The headers that every answer has. */
  readonly headers: ResponseHeaders;
}

/** The time of a call that was not let through yet. */
const epoch = new Date(0);

/**
 * What is kept of a User-Agent header, in characters. Security rule (SR-INPUT-1): anybody can send one of many kilobytes, and what events
 * keep of it stays (test/journeys/login-history.test.ts).
 */
const maxUserAgentLength = 512;

/**
 * One call: who calls, with what, and what its answer has besides the message. It is made when the request comes in; the pipeline
 * notes in it what it finds out. Services get it by `callOf`, the rules of flows as their `FlowCaller`, and on the unary path it
 * is Connect's HandlerContext as well. What few handlers ask for (Headers, signals) is made when it is asked for: together that
 * would cost more than serving a call.
 */
export class Call implements FlowCaller, HandlerContext {
  /** The id that log, events and the answer name the call by: the header X-Request-Id. */
  readonly id: string;
  readonly exchange: Exchange;
  /** The headers of the answer so far. */
  readonly headers: ResponseHeaders;
  /** The Set-Cookie headers of the answer, an error too. */
  readonly setCookies: string[] = [];
  /** From performance.now(). */
  readonly startedAt = performance.now();
  readonly forwardingKey: string | undefined;
  /** The client's IP address: the peer's, or the one that a trusted proxy or a server with a key (pipeline.ts) names. */
  clientIp: string;
  /** The client's User-Agent, or the one that a server with a key names. */
  userAgent: string | undefined;
  /** The server, by its checked key, that calls for somebody. */
  forwarder: Extract<Caller, { kind: "api_key" }> | undefined;
  /** What the call holds of the budgets. */
  holding: Holding | undefined;
  /** The work of a unary call, which may outlast its answer. Undefined before it begins, and for a stream. */
  work: Promise<unknown> | undefined;
  /** The client IP as limits count it; undefined where it is not known. */
  limitedClientIp: LimitedClientIp | undefined;
  tenant: Tenant;
  /** Who calls. Anonymous until the pipeline has let the call through. */
  caller: Caller = anonymous;
  /** The session that a handler asked for where the method's rule does not, for the log. */
  shownCaller: SessionCaller | undefined;
  /** When the last message of the request was there as a whole, by the server's clock. */
  now = epoch;
  /** The device token of a native client's request; empty if it has none. */
  deviceToken = "";
  /** The answer of the handler if it is the same for every caller. Set by share(). */
  shared: SharedAnswer | undefined;
  /** The answer of the handler if it is encoded already. Set by answerWithParts(). */
  encoded: EncodedMessage | undefined;
  #admission: Admission | undefined;
  #origin: CallOrigin | undefined;

  constructor({ exchange, tenant, clientIp, forwardingKey, headers }: Received, id: string) {
    this.id = id;
    this.exchange = exchange;
    this.tenant = tenant;
    this.clientIp = clientIp;
    this.forwardingKey = forwardingKey;
    this.headers = headers;
    this.userAgent = exchange.header("user-agent");
  }

  /** Notes who was let through. Only the pipeline does this. */
  admit(admission: Admission, now: Date): void {
    this.#admission = admission;
    this.now = now;
    this.tenant = admission.tenant;
    this.caller = admission.caller;
  }

  // Who calls, from where.

  /** The tenant, as stores take it. */
  get scope(): TenantScope {
    return this.tenant;
  }

  /** Where a change came from, for its event. */
  get origin(): CallOrigin {
    this.#origin ??= {
      actor: namesOf(this.caller).actor,
      requestId: this.id,
      ipAddress: this.clientIp === "" ? undefined : this.clientIp,
      userAgent: this.userAgent?.slice(0, maxUserAgentLength),
    };
    return this.#origin;
  }

  /** The languages that the caller reads: the Accept-Language header. */
  get languages(): string | undefined {
    return this.exchange.header("accept-language");
  }

  /**
   * The caller's session. Throws a SESSION_ reason if there is none. Only for methods whose access option admits session
   * holders or has `with_session`.
   *
   * Security rule (SR-FLOW-2): a native flow takes the Authorization header alone. A cookie goes wherever a page sends it, without the
   * page knowing it, and a native flow has no form token that the page would have to know.
   */
  async session(client?: FlowClient): Promise<SessionCaller> {
    const caller = this.caller.kind === "session" ? this.caller : await this.#admitted.session?.();
    if (caller === undefined) throw new Error("the method's access option does not let it look at sessions");
    this.shownCaller = caller;
    if (client === "native" && caller.credential === "cookie") {
      const message =
        "A native flow takes the session's token in the Authorization header; a cookie is none.";
      throw domainError("SESSION_CREDENTIAL_MISSING", {}, { message });
    }
    return caller;
  }

  /**
   * Authenticates the caller once more, in a method that only sessions may call, because of what its request asks for. Throws a SESSION_
   * reason, and POSITION_NOT_INCLUDED.
   */
  async authenticateAgain(wish: ReadingWish): Promise<SessionCaller> {
    const caller = await this.#admitted.again?.(wish);
    if (caller === undefined) throw new Error("the method's access option asks for no session");
    this.caller = caller;
    return caller;
  }

  /** Whether the call has an Authorization header for a session: then its cookies do not count. */
  get hasBearerToken(): boolean {
    return bearerOf(this.exchange).kind !== "absent";
  }

  shownSession(client: FlowClient): SessionCredential | undefined {
    if (client === "native") {
      const bearer = bearerOf(this.exchange);
      return bearer.kind === "token" ? { kind: "session", text: bearer.text } : undefined;
    }
    const text = this.cookie(sessionCookieName(this.tenant));
    return text === undefined ? undefined : { kind: "session_cookie", text };
  }

  /** The session cookies of the browser that calls. Throws for methods that no browser calls. */
  get browser(): BrowserSessions {
    const browser = this.#admitted.browser?.();
    if (browser === undefined) throw new Error("no browser calls the method");
    return browser;
  }

  async browserSessions(): Promise<readonly Session[]> {
    // A bearer token wins over a cookie, and is not the browser's.
    if (this.hasBearerToken) return [];
    // What is stale is no reason not to sign in.
    return (await this.browser.live()).map(({ session }) => session);
  }

  shownDevice(client: FlowClient): string | undefined {
    return client === "browser" ? this.cookie(deviceCookieName(this.tenant)) : this.deviceToken;
  }

  get browserToken(): string | undefined {
    return this.cookie(browserCookieName(this.tenant));
  }

  get lastProvider(): string | undefined {
    return this.cookie(providerCookieName(this.tenant));
  }

  /** The value of a cookie of the request; undefined if it was not sent. */
  cookie(name: string): string | undefined {
    const cookie = findCookie(this.exchange.header("cookie"), name);
    return cookie.kind === "value" ? cookie.value : undefined;
  }

  /** Adds a Set-Cookie header to the response. */
  setCookie(header: string): void {
    this.setCookies.push(header);
  }

  /**
   * Throws ORIGIN_NOT_ALLOWED if `Origin` or `Sec-Fetch-Site` is present and not allowed. Sessions shown by cookie are checked
   * when they are authenticated; browser flows call it themselves.
   */
  assertOriginAllowed(): void {
    assertOriginAllowed(this.exchange, this.tenant.settings.allowedOrigins);
  }

  /** Throws FLOW_CLIENT_MISMATCH if a web page makes the call, unless it is one of `server.native_origins`. */
  assertNotFromPage(): void {
    assertNotFromPage(this.exchange, this.tenant.settings.nativeOrigins);
  }

  get #admitted(): Admission {
    if (this.#admission === undefined) throw new Error("the pipeline has not let the call through");
    return this.#admission;
  }

  // What Connect's HandlerContext has besides.

  #method: DescMethod | undefined;
  #wire: Pick<Wire, "protocol" | "codec"> | undefined;
  #deadline: number | undefined;
  #values: ContextValues | undefined;
  #abortController: AbortController | undefined;
  #abortReason: unknown;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;

  /** Notes which method is called, how, and how long its caller waits. */
  begin(method: DescMethod, wire: Pick<Wire, "protocol" | "codec">, timeoutMs: number | undefined): void {
    this.#method = method;
    this.#wire = wire;
    this.#deadline = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
  }

  get method(): DescMethod {
    if (this.#method === undefined) throw new Error("the call has not begun");
    return this.#method;
  }

  get service(): DescService {
    return this.method.parent;
  }

  get protocolName(): string {
    return this.#wire?.protocol ?? "";
  }

  /** How the answer of a unary call is encoded. */
  get codec(): Codec {
    if (this.#wire === undefined) throw new Error("the call is not unary");
    return this.#wire.codec;
  }

  get values(): ContextValues {
    this.#values ??= createContextValues();
    return this.#values;
  }

  // Handlers may take the context apart; a method on the prototype would lose its `this`.
  readonly timeoutMs = (): number | undefined =>
    this.#deadline === undefined ? undefined : this.#deadline - performance.now();

  get requestMethod(): string {
    return this.exchange.method;
  }

  get url(): string {
    const { peer, host = "localhost", path, query } = this.exchange;
    return `${peer.encrypted ? "https" : "http"}://${host}${path}${query === "" ? "" : `?${query}`}`;
  }

  get signal(): AbortSignal {
    if (this.#abortController === undefined) {
      this.#abortController = new AbortController();
      if (this.#abortReason !== undefined) this.#abortController.abort(this.#abortReason);
      else this.exchange.onGone(() => this.abort(domainError("REQUEST_CANCELED", {})));
    }
    return this.#abortController.signal;
  }

  /** Tells the handler that nobody waits for it any more. */
  abort(reason: unknown): void {
    this.#abortReason ??= reason;
    this.#abortController?.abort(reason);
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= this.exchange.allHeaders();
    return this.#requestHeader;
  }

  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }

  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }

  /** Adds to the headers of the answer what the handler and the cookies of the call add to them. */
  completeHeaders(): void {
    this.#responseHeader?.forEach((value, name) => {
      if (name !== "set-cookie") this.headers[name] = value;
    });
    if (this.#responseHeader === undefined && this.setCookies.length === 0) return;
    const cookies = [...(this.#responseHeader?.getSetCookie() ?? []), ...this.setCookies];
    // Unlike all others they cannot be joined.
    if (cookies.length > 0) this.headers["set-cookie"] = cookies;
  }

  /** The trailers that the handler set. */
  trailers(): ResponseHeaders {
    const trailers: ResponseHeaders = {};
    this.#responseTrailer?.forEach((value, name) => {
      trailers[name] = value;
    });
    return trailers;
  }
}

const callKey = createContextKey<Call | undefined>(undefined, { description: "the call being served" });

/** Context values that hold a call, for what Connect's own handlers serve. */
export function valuesWith(call: Call): ContextValues {
  return createContextValues().set(callKey, call);
}

/** The call that a service method serves. */
export function callOf(context: Pick<HandlerContext, "values">): Call {
  const call = context instanceof Call ? context : context.values.get(callKey);
  if (call === undefined) throw new Error("the pipeline did not run");
  return call;
}

/**
 * The id of a call. A trusted proxy may choose it, so that one id runs through all its logs; anyone else could plant confusing
 * ones.
 */
export function callIdOf(exchange: Exchange): string {
  const proposed = exchange.peer.trustedProxy ? exchange.header("x-request-id") : undefined;
  return proposed !== undefined && /^[A-Za-z0-9_.:-]{8,128}$/.test(proposed) ? proposed : randomUUID();
}
