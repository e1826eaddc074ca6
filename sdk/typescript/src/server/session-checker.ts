// SPDX-License-Identifier: Apache-2.0
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import type { IdentityProfile } from "../../../../gen/ostiary/identity/v1/identity_pb.js";
import {
  AddressKind,
  AssuranceLevel,
  type DemandSchema,
  FreshnessClass,
  MethodProperty,
} from "../../../../gen/ostiary/option/v1/demand_pb.js";
import type { Session } from "../../../../gen/ostiary/session/v1/session_pb.js";
import { SessionView } from "../../../../gen/ostiary/session/v1/session_service_pb.js";
import { publicClients } from "../client.ts";
import { metadataOf, reasonOf, remedyOf, retryAfterOf } from "../errors.ts";
import { openTransport } from "../transport.ts";
import { type Credential, credentialOf } from "./credential.ts";
import {
  type CheckSettings,
  type GuardOptions,
  type GuardReach,
  type GuardSettings,
  type GuardView,
  readGuardOptions,
} from "./guard-options.ts";
import { comesFromAllowedOrigin } from "./origin.ts";
import { removePlantedCookies } from "./planted-cookies.ts";
import { originRefusal, SessionRefusedError } from "./refusal.ts";
import type { RequestHead } from "./request-head.ts";
import { tell } from "./tell.ts";
import { vouchedFor } from "./vouched.ts";

/** Whose request it is. */
export interface SignedIn<View extends GuardView = GuardView> {
  /** The session. */
  readonly session: Session;
  /** Whose it is. Undefined with the view `session`; without a type argument the compiler wants it looked at. */
  readonly identity: View extends "identity" ? IdentityProfile : undefined;
  /** How the session was shown. */
  readonly credential: "bearer" | "cookie";
}

/** What a credential is once there is one. */
type Shown = Extract<Credential, { readonly kind: "bearer" | "cookie" }>;

/** One condition that a session must meet, as it is sent. */
type DemandInit = MessageInitShape<typeof DemandSchema>;

/** Finds out whose request it is. Rejects with a SessionRefusedError, and nothing else, unless that is certain. */
export type CheckRequest<View extends GuardView> = (
  readHead: () => RequestHead,
  signal?: AbortSignal,
) => Promise<SignedIn<View>>;

/** The same for demands that are given with each request. */
export type CheckDemands<View extends GuardView> = (
  readHead: () => RequestHead,
  demands: readonly DemandInit[],
  signal?: AbortSignal,
) => Promise<SignedIn<View>>;

const levels = {
  aal1: AssuranceLevel.AAL1,
  aal2: AssuranceLevel.AAL2,
};
const properties = {
  phishing_resistant: MethodProperty.PHISHING_RESISTANT,
  user_verified: MethodProperty.USER_VERIFIED,
};
const addressKinds = {
  any: AddressKind.UNSPECIFIED,
  email: AddressKind.EMAIL,
  phone: AddressKind.PHONE,
};

/** Makes the check of a guard whose options say what it demands. Throws a TypeError for options that cannot be meant. */
export function createCheck<View extends GuardView>(options: GuardOptions<View>): CheckRequest<View> {
  const settings = readGuardOptions(options);
  const demands = demandsOf(settings);
  const check = createDemandsCheck<View>(options, settings);
  return (readHead, signal) => check(readHead, demands, signal);
}

/**
 * Makes a check of demands that are given with each request. The head is read within the check, so an error that a stranger's
 * request causes there is a refusal as well.
 */
export function createDemandsCheck<View extends GuardView>(
  reach: GuardReach,
  settings: CheckSettings,
): CheckDemands<View> {
  const { sessions } = reach.ostiary ?? publicClients(openTransport(reach, { format: "binary" }));
  const view = settings.withIdentity ? SessionView.FULL : SessionView.BASIC;
  const { timeoutMs } = settings;

  async function ask(
    shown: Shown,
    demands: readonly DemandInit[],
    signal: AbortSignal | undefined,
  ): Promise<SignedIn<View>> {
    const asked = shown.kind === "bearer" ? { token: shown.text } : { cookies: [...shown.pairs] };
    const call = sessions.checkSession(
      // The list itself, so that a verifier need not look at the same one twice.
      { demands: demands as DemandInit[], view, ...asked },
      { timeoutMs, ...(signal && { signal }) },
    );
    const assuranceLevel = leastLevel(demands);
    const vouched = vouchedFor(await inTime(call, timeoutMs), { assuranceLevel, view });
    return { ...vouched, credential: shown.kind } as SignedIn<View>;
  }

  return async (readHead, demands, signal) => {
    let head: RequestHead | undefined;
    try {
      head = readHead();
      const shown = presentOrRefuse(credentialOf(head, settings.cookies));
      // Security: a browser adds the cookie to what any page asks of it, so the page must be an allowed one.
      if (shown.kind === "cookie" && !comesFromAllowedOrigin(head, settings.allowedOrigins))
        throw originRefusal(head, "the guard's option allowedOrigins");
      return await ask(shown, demands, signal);
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal.reason === "SESSION_COOKIE_AMBIGUOUS" && head !== undefined) {
        throw refusal.withCookies(removePlantedCookies(head, settings.cookies.cookieName));
      }
      // A caller that has hung up gets no answer, and that says nothing about Ostiary's health.
      if (refusal.status === 503 && signal?.aborted !== true) void tell(settings.onUnavailable, refusal);
      throw refusal;
    }
  };
}

/** Ends the waiting even if the transport, which may be anybody's, heeds no time-out. */
async function inTime<Answer>(call: Promise<Answer>, timeoutMs: number): Promise<Answer> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the check took too long")), timeoutMs);
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
  }
}

function demandsOf(settings: GuardSettings): readonly DemandInit[] {
  const { assuranceLevel, maxAgeMs, methodProperties, verifiedAddress, noPendingActions } = settings;
  const demands: DemandInit["demand"][] = [];
  if (assuranceLevel !== undefined) demands.push({ case: "assuranceLevel", value: levels[assuranceLevel] });
  if (maxAgeMs !== undefined) {
    const within =
      maxAgeMs === "privileged"
        ? { case: "freshnessClass" as const, value: FreshnessClass.PRIVILEGED }
        : { case: "maxAge" as const, value: durationFromMs(maxAgeMs) };
    demands.push({ case: "freshness", value: { within } });
  }
  for (const property of methodProperties) {
    demands.push({ case: "methodProperty", value: properties[property] });
  }
  if (verifiedAddress !== undefined) {
    demands.push({ case: "verifiedAddress", value: { kind: addressKinds[verifiedAddress] } });
  }
  if (noPendingActions) demands.push({ case: "noPendingActions", value: {} });
  return demands.map((demand) => ({ demand }));
}

/** The highest level that is demanded. */
function leastLevel(demands: readonly DemandInit[]): AssuranceLevel {
  const demanded = demands.map(({ demand }) =>
    demand?.case === "assuranceLevel" ? demand.value : AssuranceLevel.UNSPECIFIED,
  );
  return Math.max(AssuranceLevel.UNSPECIFIED, ...demanded);
}

function presentOrRefuse(credential: Credential): Shown {
  switch (credential.kind) {
    case "bearer":
    case "cookie":
      return credential;
    case "malformed":
      throw new SessionRefusedError({
        status: 401,
        reason: "SESSION_TOKEN_MALFORMED",
        message: "The text is not a session token: its form or checksum is wrong.",
        remedy: "Log in, and send the token unchanged.",
      });
    case "ambiguous":
      throw new SessionRefusedError({
        status: 401,
        reason: "SESSION_COOKIE_AMBIGUOUS",
        message: "The browser sent several session cookies, of which none can be believed.",
        remedy: "Log in again.",
      });
    case "missing":
      throw new SessionRefusedError({
        status: 401,
        reason: "SESSION_CREDENTIAL_MISSING",
        message: "The call has neither a bearer token nor a session cookie.",
        remedy: missingRemedy(credential.ignoredCookie),
      });
    default:
      return credential satisfies never;
  }
}

function missingRemedy(ignoredCookie: string | undefined): string {
  const remedy =
    "Log in, and send the session cookie or the header Authorization: Bearer with the session token.";
  if (ignoredCookie === undefined) return remedy;
  return `${remedy} The cookie ${ignoredCookie} does not count for a request that a proxy has passed on or that is not this machine's; where there is no other, set the guard's option allowInsecureCookies.`;
}

/** Security: whatever is not a clear answer about the request's own session is 503, never a pass. */
function refusalOf(error: unknown): SessionRefusedError {
  try {
    if (error instanceof SessionRefusedError) return error;
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
    return unavailable(error);
  } catch (unreadable) {
    // An error that throws when it is looked at.
    return unavailable(unreadable);
  }
}

function unavailable(cause: unknown): SessionRefusedError {
  return new SessionRefusedError({
    status: 503,
    // The name alone: messages and metadata of a failure inside are not for strangers.
    reason: reasonOf(cause) ?? "OSTIARY_UNAVAILABLE",
    message: "The session could not be checked.",
    remedy: "Try again later.",
    retryAfterMs: retryAfterOf(cause),
    cause,
  });
}
