import { domainError } from "../../../domain/errors.ts";
import type { CreatedFlow, Flow, FlowCaller, FlowClient } from "../../../domain/flow/flow.ts";
import type { SubmittedStep } from "../../../domain/method/method.ts";
import type { SessionCredential } from "../../../domain/session/credential.ts";
import type { Session } from "../../../domain/session/session.ts";
import { browserCookie, browserCookieName, deviceCookieName, sessionCookieName } from "../../net/cookies.ts";
import type { Call } from "../call.ts";

/** The call, as the flows' rules see it. `deviceToken` is a native client's; empty if it has none. */
export function flowCallerOf(call: Call, deviceToken = ""): FlowCaller {
  return {
    tenant: call.tenant,
    origin: call.origin,
    languages: call.languages,
    session: (client) => sessionOf(call, client),
    browserSessions: () => browserSessionsOf(call),
    limitedAddress: call.limitedAddress,
    shownSession: (client) => shownSessionOf(call, client),
    shownDevice: (client) =>
      client === "browser" ? call.cookie(deviceCookieName(call.tenant)) : deviceToken,
    browserToken: call.cookie(browserCookieName(call.tenant)),
    assertOriginAllowed: () => call.assertOriginAllowed(),
    assertNotFromPage: () => call.assertNotFromPage(),
  };
}

/**
 * Security rule: a native flow takes the Authorization header alone. A cookie goes wherever a page sends it, without the
 * page knowing it, and a native flow has no form token that the page would have to know.
 */
async function sessionOf(call: Call, client: FlowClient) {
  const caller = await call.session();
  if (client === "native" && caller.credential === "cookie") {
    const message = "A native flow takes the session's token in the Authorization header; a cookie is none.";
    throw domainError("SESSION_CREDENTIAL_MISSING", {}, { message });
  }
  return caller;
}

function shownSessionOf(call: Call, client: FlowClient): SessionCredential | undefined {
  const text = client === "browser" ? call.cookie(sessionCookieName(call.tenant)) : call.bearerToken;
  return text === undefined ? undefined : { kind: client === "browser" ? "session_cookie" : "session", text };
}

async function browserSessionsOf(call: Call): Promise<readonly Session[]> {
  // A bearer token wins over a cookie, and is not the browser's.
  if (call.hasBearerToken) return [];
  // What is stale is no reason not to sign in.
  return (await call.browser.live()).map(({ session }) => session);
}

/** The step that was submitted: the name of the field that is set, and the fields within. */
export function stepOf(step: { case: string | undefined; value?: object }): SubmittedStep {
  if (step.case === undefined) throw new Error("validation lets no request without a step through");
  const { $typeName: _name, ...fields } = { $typeName: "", ...step.value };
  return { name: step.case, fields };
}

/** Sets the browser cookie where one was made for the flow, and gives the flow. */
export function acceptCreated(call: Call, { flow, newBrowserToken }: CreatedFlow): Flow {
  if (newBrowserToken !== undefined) call.setCookie(browserCookie(call.tenant, newBrowserToken.reveal()));
  return flow;
}
