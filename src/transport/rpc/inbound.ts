import { randomUUID } from "node:crypto";
import type { CallOrigin, EventActor } from "../../domain/event/event.ts";
import type { Scope } from "../../domain/ports.ts";
import type { Tenant } from "../../domain/tenant/tenant.ts";
import { findCookie } from "../http/cookies.ts";
import type { Exchange, ResponseHeaders } from "../http/exchange.ts";
import { assertNotFromPage, assertOriginAllowed } from "../http/origin.ts";
import type { Admission } from "./access.ts";
import type { Call, Caller } from "./call.ts";

/** What is known of a request before it is known what it asks for. */
export interface Inbound {
  readonly exchange: Exchange;
  readonly requestId: string;
  /** The client's address, behind trusted proxies the one that they name. */
  readonly address: string;
  /** The address that limits count the call for; undefined where they stand aside. Set by address-limits.ts. */
  limitedAddress: string | undefined;
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
  readonly limitedAddress: string | undefined;
  readonly #exchange: Exchange;
  readonly #setCookies: string[];
  readonly #session: Admission["session"];

  constructor(inbound: Inbound, { tenant, caller, session }: Admission, now: Date, setCookies: string[]) {
    const { exchange, requestId, address } = inbound;
    this.requestId = requestId;
    this.now = now;
    this.tenant = tenant;
    this.scope = { tenantId: tenant.id };
    this.caller = caller;
    this.origin = {
      actor: actorOf(caller),
      requestId,
      ipAddress: address === "" ? undefined : address,
      userAgent: exchange.header("user-agent"),
    };
    this.limitedAddress = inbound.limitedAddress;
    this.#exchange = exchange;
    this.#setCookies = setCookies;
    this.#session = session;
  }

  get languages(): string | undefined {
    return this.#exchange.header("accept-language");
  }

  async session(): ReturnType<Call["session"]> {
    if (this.caller.kind === "session") return this.caller;
    if (this.#session === undefined)
      throw new Error("the method's access option does not let it look at sessions");
    return this.#session();
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
