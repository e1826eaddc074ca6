import { createContextKey, type HandlerContext } from "@connectrpc/connect";
import type { ApiKey } from "../../domain/access/api-key.ts";
import type { CallOrigin } from "../../domain/event/event.ts";
import type { Identity } from "../../domain/identity/identity.ts";
import type { Instant } from "../../domain/instant.ts";
import type { Scope } from "../../domain/ports.ts";
import type { Session } from "../../domain/session/session.ts";
import type { Tenant } from "../../domain/tenant/tenant.ts";
import type { LimitedAddress } from "../../domain/throttle/subjects.ts";
import type { BrowserSessions } from "./browser-sessions.ts";

/** Who makes a call, once it is authenticated. */
export type Caller =
  | { readonly kind: "anonymous" }
  | SessionCaller
  | { readonly kind: "api_key"; readonly apiKey: ApiKey }
  | {
      readonly kind: "certificate";
      readonly name: string;
      readonly scopes: readonly string[];
      /** When the certificate ends; what its holder makes does not outlive it. */
      readonly expiresAt: Instant;
    };

/** Somebody who is signed in. */
export type SessionCaller = {
  readonly kind: "session";
  readonly session: Session;
  readonly identity: Identity;
} & (
  | { readonly credential: "bearer" }
  /** What a cookie authenticates must come from an allowed origin. */
  | {
      readonly credential: "cookie";
      /** The value that counts, and whether another one was of a session of another identity. */
      readonly cookie: { readonly value: string; readonly otherIdentity: boolean };
    }
);

/** What a service method knows of the call that it serves. Made by the access interceptor. */
export interface Call {
  readonly requestId: string;
  /** When the call was let through, by the server's clock. */
  readonly now: Date;
  readonly tenant: Tenant;
  /** The tenant, as stores take it. */
  readonly scope: Scope;
  readonly caller: Caller;
  /** Where a change came from, for its event. */
  readonly origin: CallOrigin;
  /** What the caller says of the languages that they read: the Accept-Language header. */
  readonly languages: string | undefined;
  /**
   * The caller's session. Throws a SESSION_ reason if there is none. Only for methods whose access option admits session
   * holders or has `with_session`.
   */
  session(): Promise<SessionCaller>;
  /** Whether the call has an Authorization header for a session: then its cookies do not count. */
  readonly hasBearerToken: boolean;
  /** The token of the Authorization header, unread; undefined if there is none. */
  readonly bearerToken: string | undefined;
  /** The session cookies of the browser that calls. Throws for methods that no browser calls. */
  readonly browser: BrowserSessions;
  /** The address that limits count the call for; undefined where it is not known. */
  readonly limitedAddress: LimitedAddress | undefined;
  /** The value of a cookie of the request; undefined if it was not sent. */
  cookie(name: string): string | undefined;
  /** Adds a Set-Cookie header to the response. */
  setCookie(header: string): void;
  /**
   * Throws ORIGIN_NOT_ALLOWED if `Origin` or `Sec-Fetch-Site` is present and not allowed. The interceptor calls
   * it for sessions shown by cookie; browser flows call it themselves.
   */
  assertOriginAllowed(): void;
  /** Throws FLOW_CLIENT_MISMATCH if a web page makes the call, unless it is one of `server.native_origins`. */
  assertNotFromPage(): void;
}

const callKey = createContextKey<Call | undefined>(undefined, { description: "the call being served" });

/** Remembers the call for the service method. Only the interceptor does this. */
export function setCall(context: HandlerContext, call: Call): void {
  context.values.set(callKey, call);
}

/** The call that a service method serves. Throws if the interceptor did not run: nothing is served without it. */
export function callOf(context: HandlerContext): Call {
  const call = context.values.get(callKey);
  if (call === undefined) throw new Error("the access interceptor did not run");
  return call;
}
