// SPDX-License-Identifier: Apache-2.0
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import type { IdentityProfile } from "../../../../gen/ostiary/identity/v1/identity_pb.js";
import { AssuranceLevel, type Session } from "../../../../gen/ostiary/session/v1/session_pb.js";
import {
  type CheckSessionRequestSchema,
  SessionView,
} from "../../../../gen/ostiary/session/v1/session_service_pb.js";
import { type Ostiary, publicClients } from "../client.ts";
import { metadataOf, reasonOf, remedyOf, retryAfterOf } from "../errors.ts";
import { openTransport, type Reach } from "../transport.ts";
import { cookieNameOf } from "./cookies.ts";
import { type Credential, credentialOf } from "./credential.ts";
import { comesFromAllowedOrigin, originSet } from "./origin.ts";
import { originRefusal, SessionRefusedError } from "./refusal.ts";
import type { RequestHead } from "./request-head.ts";
import { type Span, spanMs } from "./span.ts";

/** How much is asked for: the session alone, or with whose it is. */
export type GuardView = "session" | "identity";

/** Whose request it is. */
export interface SignedIn<View extends GuardView = "identity"> {
  /** The session. */
  readonly session: Session;
  /** Whose it is. Undefined with the view `session`. */
  readonly identity: View extends "identity" ? IdentityProfile : undefined;
  /** How the session was shown. */
  readonly credential: "bearer" | "cookie";
}

/** What a guard demands, and where it asks: the public listener, or clients of it that there are already. */
export type GuardOptions<View extends GuardView = "identity"> = GuardRules<View> &
  ((Reach & { readonly ostiary?: undefined }) | { readonly ostiary: Pick<Ostiary, "sessions"> });

/** What a guard demands. */
export interface GuardRules<View extends GuardView = "identity"> {
  /** The least assurance level that will do. Default: any. */
  readonly assuranceLevel?: "aal1" | "aal2" | undefined;
  /** How long ago the person may have proved who they are, at least a second. Default: any time. */
  readonly maxAge?: Span | undefined;
  /**
   * What to ask for. Default: `identity`, the session and whose it is. Traits are personal data, so `session` is the
   * better choice where the identity's id is enough.
   */
  readonly view?: View | undefined;
  /**
   * Origins of other pages that may make requests with a cookie, for example `https://app.example.com`. Default:
   * none but the request's own. Bearer tokens need none: no browser adds them by itself.
   */
  readonly allowedOrigins?: readonly string[] | undefined;
  /** The server's `session.cookie.name`. Default: `ostiary_session`. */
  readonly cookieName?: string | undefined;
  /**
   * Whether the session cookie without `__Host-` or `__Secure-` counts, which Ostiary sets where its `public_url` is http.
   * Any page of a sibling host could set it. Default: only for requests of this machine to this machine that no proxy has
   * passed on.
   */
  readonly allowInsecureCookies?: boolean | undefined;
  /** How long a check may take. Default: 5 seconds. */
  readonly checkTimeout?: Span | undefined;
  /** Told of each check that failed for a reason that is not the request's, before 503 is answered; for the log. */
  readonly onUnavailable?: ((error: SessionRefusedError) => void) | undefined;
}

/** Finds out whose request it is. Throws a SessionRefusedError, and nothing else, unless that is certain. */
export type CheckRequest<View extends GuardView> = (
  head: RequestHead,
  signal?: AbortSignal,
) => Promise<SignedIn<View>>;

const levels = { aal1: AssuranceLevel.AAL1, aal2: AssuranceLevel.AAL2 };
const defaultTimeout = "5s";

/** Makes the check of a guard. Throws a TypeError for options that cannot be meant. */
export function createCheck<View extends GuardView>(options: GuardOptions<View>): CheckRequest<View> {
  const { sessions } = options.ostiary ?? publicClients(openTransport(options, undefined, "binary"));
  const timeoutMs = spanMs("checkTimeout", options.checkTimeout ?? defaultTimeout, 1);
  const allowedOrigins = originSet(options.allowedOrigins ?? []);
  const demands = demandsOf(options);
  const cookieRules = {
    cookieName: cookieNameOf(options.cookieName),
    allowInsecureCookies: options.allowInsecureCookies,
  };
  const withIdentity = demands.view !== SessionView.SESSION;

  return async (head, signal) => {
    const shown = presentOrRefuse(credentialOf(head, cookieRules));
    // Security: a browser adds the cookie to what any page asks of it, so the page must be an allowed one.
    if (shown.kind === "cookie" && !comesFromAllowedOrigin(head, allowedOrigins))
      throw originRefusal(head, "the guard's option allowedOrigins");
    const asked =
      shown.kind === "bearer"
        ? { credential: { case: "token" as const, value: shown.text } }
        : { cookies: [...shown.pairs] };
    try {
      const answer = await sessions.checkSession(
        { ...demands, ...asked },
        { timeoutMs, ...(signal && { signal }) },
      );
      const { session, identity } = answer;
      if (session === undefined || (withIdentity && identity === undefined)) {
        throw new Error("the answer of CheckSession is incomplete");
      }
      return {
        session,
        identity: withIdentity ? identity : undefined,
        credential: shown.kind,
      } as SignedIn<View>;
    } catch (error) {
      const refusal = refusalOf(error);
      // Whoever has hung up gets no answer, and says nothing about Ostiary's health.
      if (refusal.status === 503 && signal?.aborted !== true) tell(options.onUnavailable, refusal);
      throw refusal;
    }
  };
}

function demandsOf({
  assuranceLevel,
  maxAge,
  view,
}: GuardRules<GuardView>): MessageInitShape<typeof CheckSessionRequestSchema> {
  // Security: a misspelt demand from untyped code must not become no demand.
  if (assuranceLevel !== undefined && !Object.hasOwn(levels, assuranceLevel)) {
    throw new TypeError(`assuranceLevel must be "aal1" or "aal2": ${assuranceLevel}`);
  }
  return {
    requiredAssuranceLevel:
      assuranceLevel === undefined ? AssuranceLevel.UNSPECIFIED : levels[assuranceLevel],
    ...(maxAge !== undefined && { maxAuthenticationAge: durationFromMs(spanMs("maxAge", maxAge, 1000)) }),
    view: view === "session" ? SessionView.SESSION : SessionView.WITH_IDENTITY,
  };
}

function presentOrRefuse(
  credential: Credential,
): Extract<Credential, { readonly kind: "bearer" | "cookie" }> {
  switch (credential.kind) {
    case "bearer":
    case "cookie":
      return credential;
    case "malformed":
      throw new SessionRefusedError({
        status: 401,
        reason: "SESSION_TOKEN_MALFORMED",
        message: "What was sent is not a session token: its form or checksum is wrong.",
        remedy: "Log in, and send the token unchanged.",
      });
    case "missing":
      throw new SessionRefusedError({
        status: 401,
        reason: "SESSION_CREDENTIAL_MISSING",
        message: "The call has neither a bearer token nor a session cookie.",
        remedy: missingRemedy(credential.ignoredCookie),
      });
    default: {
      const unreachable: never = credential;
      return unreachable;
    }
  }
}

function missingRemedy(ignoredCookie: string | undefined): string {
  const remedy =
    "Log in, and send the session cookie or the header Authorization: Bearer with the session token.";
  if (ignoredCookie === undefined) return remedy;
  return `${remedy} The cookie ${ignoredCookie} does not count for a request that a proxy has passed on or that is not this machine's; where there is no other, set the guard's option allowInsecureCookies.`;
}

/** What the log throws must not replace the refusal: where it is caught decides what the caller is answered. */
function tell(listener: GuardRules["onUnavailable"], refusal: SessionRefusedError): void {
  try {
    listener?.(refusal);
  } catch {
    // The refusal itself goes on, and there is nobody else to tell.
  }
}

/** Security: whatever is not a clear answer about the request's own session is 503, never a pass. */
function refusalOf(error: unknown): SessionRefusedError {
  const reason = reasonOf(error);
  if (
    error instanceof ConnectError &&
    error.code === Code.Unauthenticated &&
    reason?.startsWith("SESSION_")
  ) {
    return new SessionRefusedError({
      status: 401,
      reason,
      message: error.rawMessage,
      remedy: remedyOf(error) ?? "",
      metadata: metadataOf(error),
      cause: error,
    });
  }
  return new SessionRefusedError({
    status: 503,
    // The name alone: messages and metadata of a failure inside are not for strangers.
    reason: reason ?? "OSTIARY_UNAVAILABLE",
    message: "The session could not be checked.",
    remedy: "Try again later.",
    retryAfterMs: retryAfterOf(error),
    cause: error,
  });
}
