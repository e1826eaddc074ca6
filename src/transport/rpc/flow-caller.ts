import { domainError } from "../../domain/errors.ts";
import type {
  CreatedFlow,
  Flow,
  FlowCaller,
  FlowClient,
  FlowCompleted,
  FlowOutcome,
  LoginComesFirst,
} from "../../domain/flow/flow.ts";
import type { SubmittedStep } from "../../domain/method/method.ts";
import type { SessionCredential } from "../../domain/session/credential.ts";
import type { Session } from "../../domain/session/session.ts";
import {
  browserCookie,
  browserCookieName,
  deviceCookie,
  deviceCookieName,
  sessionCookie,
  sessionCookieName,
} from "../http/cookies.ts";
import type { Call } from "./call.ts";
import { toFlow } from "./convert/flow.ts";
import { toSession } from "./convert/session.ts";

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

/** What every outcome but `completed` answers. */
export function toOutcome(call: Call, outcome: Exclude<FlowOutcome<never>, { kind: "completed" }>) {
  switch (outcome.kind) {
    case "next_step":
      return { case: "nextStep" as const, value: { flow: toFlow(outcome.flow) } };
    case "rejected":
      return { case: "rejected" as const, value: { reason: outcome.reason, flow: toFlow(outcome.flow) } };
    case "expired":
      return {
        case: "expired" as const,
        value: { replacement: toFlow(acceptCreated(call, outcome.replacement)) },
      };
    default: {
      const unreachable: never = outcome;
      return unreachable;
    }
  }
}

/** The outcome of a submit that waits for a login. */
export function toLoginRequired(call: Call, { loginFlow, flow }: LoginComesFirst) {
  const value = { loginFlow: toFlow(acceptCreated(call, loginFlow)), flow: toFlow(flow) };
  return { case: "loginRequired" as const, value };
}

/**
 * A new session as it is handed over: a browser gets it as a cookie, in the place of all that it had, everyone else as a
 * token.
 */
export async function handOverSession(
  call: Call,
  { session, token, client }: Pick<FlowCompleted, "session" | "token" | "client">,
) {
  if (client === "browser") {
    const span = { now: call.now, expiresAt: session.expiresAt };
    await call.browser.replace(call.origin, sessionCookie(call.tenant, token.reveal(), span));
  }
  return {
    session: toSession(session, call, session.id),
    sessionToken: client === "native" ? token.reveal() : "",
  };
}

/** What the client keeps to be known by, handed over likewise. */
export function handOverDevice(call: Call, { client, device }: Pick<FlowCompleted, "client" | "device">) {
  if (client === "browser" && device !== undefined)
    call.setCookie(deviceCookie(call.tenant, device.reveal()));
  return { deviceToken: client === "native" && device !== undefined ? device.reveal() : "" };
}

/** Flows to go on with. */
export function toContinueWith(flows: {
  readonly verification?: Flow | undefined;
  readonly settings?: Flow | undefined;
}) {
  const { verification, settings } = flows;
  return [
    ...(verification === undefined
      ? []
      : [{ action: { case: "verification" as const, value: { flow: toFlow(verification) } } }]),
    ...(settings === undefined
      ? []
      : [{ action: { case: "settings" as const, value: { flow: toFlow(settings) } } }]),
  ];
}
