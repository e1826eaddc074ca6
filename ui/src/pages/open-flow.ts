import { reasonOf, stepUp } from "@ostiary/sdk";
import { createFlow, FlowClientError, type FlowName, type FoundFlow, getFlow } from "@ostiary/sdk/form";
import { ClientKind, type Flow, FlowKind, FlowState } from "@ostiary/sdk/v1/flow";
import {
  clearFragment,
  flowIdInAddress,
  invitationTokenInAddress,
  keepFlowId,
  keepLoginChallenge,
  keepReturnTo,
  leaveFor,
  linkTokenInAddress,
  loginChallengeInAddress,
  refusalInAddress,
  returnToInAddress,
} from "../navigation.ts";
import { ostiary } from "../ostiary.ts";

/** A flow that was opened. */
export interface OpenedFlow extends FoundFlow {
  /** The flow that the address named was completed: this is a fresh one, and there may be nothing left to do. */
  readonly done: boolean;
}

/**
 * The flow that the address names if it can still be used, or the one in its place, else a fresh one. `known`: the flow to look for
 * where the address names none.
 */
export async function openFlow(name: FlowName, known?: string): Promise<OpenedFlow> {
  const found = await findFlow(flowIdInAddress() ?? known);
  const isThere = found?.flow.state === FlowState.ACTIVE;
  const opened = isThere ? found : { flow: await freshFlow(name), replaced: false };
  keepFlowId(opened.flow.id);
  const { oauth2LoginRequest: request, returnTo } = opened.flow;
  // A provider, or an app, has led to the flow alone.
  if (request !== undefined) keepLoginChallenge(request.loginChallenge);
  else if (isThere && returnTo !== "" && returnToInAddress() === undefined) keepReturnTo(returnTo);
  return { ...opened, done: found?.flow.state === FlowState.COMPLETED };
}

/** A fresh flow. */
export async function freshFlow(name: FlowName): Promise<Flow> {
  const loginChallenge = loginChallengeInAddress();
  if (loginChallenge !== undefined && (name === "login" || name === "registration")) {
    return flowForOAuth2(name, loginChallenge);
  }
  const start = {
    client: ClientKind.BROWSER,
    returnTo: returnToInAddress(),
    linkToken: linkTokenInAddress(),
    invitationToken: invitationTokenInAddress(),
  };
  const missing = name === "login" ? refusalInAddress() : undefined;
  const begun = (missing && (await flowForMissing(missing, start))) ?? createFlow(ostiary, name, start);
  const flow = await Promise.resolve(begun).catch((error: unknown) => {
    // A dead link or invitation stays dead: another attempt begins without it.
    const reason = reasonOf(error);
    if (reason === "LINK_INVALID" || reason === "INVITATION_INVALID") clearFragment();
    if (reason === "RETURN_TO_NOT_ALLOWED") keepReturnTo(undefined);
    throw error;
  });
  keepFlowId(flow.id);
  return flow;
}

/** The login that shows what the visitor's session lacks; undefined for somebody who has none any more. */
async function flowForMissing(
  refusal: NonNullable<ReturnType<typeof refusalInAddress>>,
  start: Parameters<typeof stepUp>[2],
): Promise<Flow | undefined> {
  try {
    return await stepUp(ostiary, refusal, start);
  } catch (error) {
    if (!reasonOf(error)?.startsWith("SESSION_")) throw error;
    return undefined;
  }
}

/** The flow that an OAuth2 server asks for. Where nothing is to be filled in, the browser goes back there, and no flow comes. */
async function flowForOAuth2(name: "login" | "registration", loginChallenge: string): Promise<Flow> {
  const client = ClientKind.BROWSER;
  const begun =
    name === "login"
      ? ostiary.login.createLoginFlow({ client, loginChallenge })
      : ostiary.registration.createRegistrationFlow({
          ...{ client, loginChallenge },
          invitationToken: invitationTokenInAddress() ?? "",
        });
  const { flow, redirect } = await begun.catch((error: unknown) => {
    // Another attempt begins without it.
    if (reasonOf(error) === "OAUTH2_CHALLENGE_INVALID") keepLoginChallenge(undefined);
    throw error;
  });
  if (flow !== undefined) {
    keepFlowId(flow.id);
    return flow;
  }
  leaveFor(redirect?.url ?? "/");
  return new Promise(() => {});
}

/** The page of a kind of flow; undefined for kinds that are newer than these pages. */
export function pageOf(kind: FlowKind): FlowName | undefined {
  return pages.get(kind);
}

const pages: ReadonlyMap<FlowKind, FlowName> = new Map([
  [FlowKind.LOGIN, "login"],
  [FlowKind.REGISTRATION, "registration"],
  [FlowKind.VERIFICATION, "verification"],
  [FlowKind.RECOVERY, "recovery"],
  [FlowKind.SETTINGS, "settings"],
]);

/** Whether a call was refused because the flow cannot be used any more, so that a fresh one goes on. */
export function isFlowGone(error: unknown): boolean {
  // Security rule (SR-FLOW-3): nobody goes on with the native flow of somebody else, which a link has brought along.
  if (error instanceof FlowClientError) return true;
  const reason = reasonOf(error);
  return reason !== undefined && gone.has(reason);
}

/** Whether a call was refused because the flow has gone on meanwhile, in another tab or by an answer that was lost. */
export function hasMovedOn(error: unknown): boolean {
  const reason = reasonOf(error);
  return reason === "STEP_NOT_OFFERED" || reason === "FLOW_CHANGED" || reason === "REQUEST_ID_REUSED";
}

/** Whether a call was refused because the flow was completed. */
export function isCompleted(error: unknown): boolean {
  return reasonOf(error) === "FLOW_COMPLETED";
}

/** Whether this browser keeps no cookies: it is not known as the one that has just begun a flow. */
export async function areCookiesBlocked({ id }: Flow): Promise<boolean> {
  try {
    await getFlow(ostiary, id);
    return false;
  } catch (error) {
    return reasonOf(error) === "FLOW_CLIENT_MISMATCH";
  }
}

const gone: ReadonlySet<string> = new Set([
  "FLOW_NOT_FOUND",
  "FLOW_CLIENT_MISMATCH",
  "FLOW_IDENTITY_MISMATCH",
  "CSRF_TOKEN_MISSING",
  "CSRF_TOKEN_INVALID",
]);

async function findFlow(flowId: string | undefined): Promise<FoundFlow | undefined> {
  if (flowId === undefined) return undefined;
  try {
    return await getFlow(ostiary, flowId);
  } catch (error) {
    if (!isFlowGone(error)) throw error;
    return undefined;
  }
}
