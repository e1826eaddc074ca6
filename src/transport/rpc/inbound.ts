import { randomUUID } from "node:crypto";
import type { CallOrigin, EventActor } from "../../domain/event/event.ts";
import type { ApiKeyId } from "../../domain/ids.ts";
import type { Scope } from "../../domain/ports.ts";
import type { Tenant } from "../../domain/tenant/tenant.ts";
import type { LimitedAddress } from "../../domain/throttle/subjects.ts";
import { findCookie } from "../net/cookies.ts";
import type { Exchange, ResponseHeaders } from "../net/exchange.ts";
import { assertNotFromPage, assertOriginAllowed } from "../net/origin.ts";
import { type Admission, bearerOf } from "./access.ts";
import type { BrowserSessions } from "./browser-sessions.ts";
import type { Call, Caller } from "./call.ts";

/** What is known of a request before it is known what it asks for. */
export interface Inbound {
  readonly exchange: Exchange;
  readonly requestId: string;
  /** The client's IP address: the peer's, or the one that a trusted proxy or a server with a key (admit-call.ts) names. */
  address: string;
  /** The client's User-Agent, or the one that a server with a key names. */
  userAgent: string | undefined;
  /** The unchecked API key with which a server says for whom it calls; undefined if there is none. */
  readonly forwardingKey: string | undefined;
  /** The checked key of a server that calls for somebody. Set by admit-call.ts. */
  forwardedBy: ApiKeyId | undefined;
  /** The address that limits count the call for; undefined where it is not known. Set by address-limits.ts. */
  limitedAddress: LimitedAddress | undefined;
  /** The headers of the answer so far. */
  readonly headers: ResponseHeaders;
  /** From performance.now(). */
  readonly startedAt: number;
  /** Who calls, once that is known; for the log. */
  caller: Caller | undefined;
}

/**
 * The id that log, events and the answer name a request by. A trusted proxy may choose it, so that one id runs
 * through all its logs; anyone else could plant confusing ones.
 */
export function requestIdOf(exchange: Exchange): string {
  const proposed = exchange.peer.trustedProxy ? exchange.header("x-request-id") : undefined;
  return proposed !== undefined && /^[A-Za-z0-9_.:-]{8,128}$/.test(proposed) ? proposed : randomUUID();
}

/**
 * What is kept of a User-Agent header, in characters. Security rule: anybody can send one of many kilobytes, and what events
 * keep of it stays (test/journeys/login-history.test.ts).
 */
const maxUserAgentLength = 512;

/** Makes what a service method knows of its call. */
export function createCall(inbound: Inbound, admission: Admission, now: Date, setCookies: string[]): Call {
  return new InboundCall(inbound, admission, now, setCookies);
}

class InboundCall implements Call {
  readonly requestId: string;
  readonly now: Date;
  readonly tenant: Tenant;
  readonly scope: Scope;
  readonly caller: Caller;
  readonly origin: CallOrigin;
  readonly limitedAddress: LimitedAddress | undefined;
  readonly #exchange: Exchange;
  readonly #setCookies: string[];
  readonly #session: Admission["session"];
  readonly #browser: BrowserSessions | undefined;

  constructor(inbound: Inbound, admission: Admission, now: Date, setCookies: string[]) {
    const { tenant, caller } = admission;
    const { exchange, requestId, address, userAgent } = inbound;
    this.requestId = requestId;
    this.now = now;
    this.tenant = tenant;
    this.scope = { tenantId: tenant.id };
    this.caller = caller;
    this.origin = {
      actor: actorOf(caller),
      requestId,
      ipAddress: address === "" ? undefined : address,
      userAgent: userAgent?.slice(0, maxUserAgentLength),
    };
    this.limitedAddress = inbound.limitedAddress;
    this.#exchange = exchange;
    this.#setCookies = setCookies;
    this.#session = admission.session;
    this.#browser = admission.browser;
  }

  get languages(): string | undefined {
    return this.#exchange.header("accept-language");
  }

  get bearerToken(): string | undefined {
    const bearer = bearerOf(this.#exchange);
    return bearer.kind === "token" ? bearer.text : undefined;
  }

  async session(): ReturnType<Call["session"]> {
    if (this.caller.kind === "session") return this.caller;
    if (this.#session === undefined)
      throw new Error("the method's access option does not let it look at sessions");
    return this.#session();
  }

  get hasBearerToken(): boolean {
    return bearerOf(this.#exchange).kind !== "absent";
  }

  get browser(): BrowserSessions {
    if (this.#browser === undefined) throw new Error("no browser calls the method");
    return this.#browser;
  }

  cookie(name: string): string | undefined {
    const cookie = findCookie(this.#exchange.header("cookie"), name);
    return cookie.kind === "value" ? cookie.value : undefined;
  }

  setCookie(header: string): void {
    this.#setCookies.push(header);
  }

  assertOriginAllowed(): void {
    assertOriginAllowed(this.#exchange, this.tenant.settings.allowedOrigins);
  }

  assertNotFromPage(): void {
    assertNotFromPage(this.#exchange, this.tenant.settings.nativeOrigins);
  }
}

function actorOf(caller: Caller): EventActor {
  switch (caller.kind) {
    case "anonymous":
      return { kind: "anonymous" };
    case "session":
      return { kind: "identity", identityId: caller.identity.id };
    case "api_key":
      return { kind: "api_key", apiKeyId: caller.apiKey.id };
    case "certificate":
      return { kind: "certificate", name: caller.name };
    default: {
      const unreachable: never = caller;
      return unreachable;
    }
  }
}
