import type { CreatedFlow, Flow, FlowCaller, FlowCompleted, FlowOutcome } from "../../domain/flow/flow.ts";
import {
  browserCookie,
  browserCookieName,
  deviceCookie,
  deviceCookieName,
  sessionCookie,
} from "../http/cookies.ts";
import type { Call } from "./call.ts";
import { toFlow } from "./convert/flow.ts";
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

/** What came of a submit, as the response of every kind of flow says it. */
export function toOutcome(call: Call, outcome: FlowOutcome<FlowCompleted>) {
  switch (outcome.kind) {
    case "completed":
      return { case: "completed" as const, value: toCompleted(call, outcome.completed) };
    case "rejected": {
      const { reason, flow } = outcome;
      return { case: "rejected" as const, value: { reason, flow: toFlow(flow) } };
    }
    case "expired": {
      const replacement = toFlow(acceptCreated(call, outcome.replacement));
      return { case: "expired" as const, value: { replacement } };
    }
    default: {
      const unreachable: never = outcome;
      return unreachable;
    }
  }
}

/** What a completed flow answers; a browser gets the session as a cookie, everyone else as a token. */
function toCompleted(call: Call, completed: FlowCompleted) {
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
