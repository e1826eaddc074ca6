import type { CreatedFlow, Flow, FlowCaller, FlowCompleted } from "../../domain/flow/flow.ts";
import {
  browserCookie,
  browserCookieName,
  deviceCookie,
  deviceCookieName,
  sessionCookie,
} from "../http/cookies.ts";
import type { Call } from "./call.ts";
import { toIdentityProfile } from "./convert/identity.ts";
import { toSession } from "./convert/session.ts";

/** The call, as the flows' rules see it. */
export function flowCallerOf(call: Call): FlowCaller {
  return {
    tenant: call.tenant,
    origin: call.origin,
    limitedAddress: call.limitedAddress,
    deviceCookie: call.cookie(deviceCookieName(call.tenant)),
    browserToken: call.cookie(browserCookieName(call.tenant)),
    assertOriginAllowed: () => call.assertOriginAllowed(),
  };
}

/** Sets the browser cookie where one was made for the flow, and gives the flow. */
export function acceptCreated(call: Call, { flow, newBrowserToken }: CreatedFlow): Flow {
  if (newBrowserToken !== undefined) call.setCookie(browserCookie(call.tenant, newBrowserToken.reveal()));
  return flow;
}

/** What a completed flow answers; a browser gets the session as a cookie, everyone else as a token. */
export function toCompleted(call: Call, completed: FlowCompleted) {
  const { session, identity, client, token, device } = completed;
  if (client === "browser") {
    call.setCookie(
      sessionCookie(call.tenant, token.reveal(), { now: call.now, expiresAt: session.expiresAt }),
    );
    if (device !== undefined) call.setCookie(deviceCookie(call.tenant, device.reveal()));
  }
  return {
    session: toSession(session, call.tenant, session.id),
    sessionToken: client === "native" ? token.reveal() : "",
    identity: toIdentityProfile(identity),
    returnTo: completed.returnTo ?? "",
    deviceToken: client === "native" && device !== undefined ? device.reveal() : "",
  };
}
