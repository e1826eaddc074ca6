import { reasonOf } from "@ostiary/sdk";
import { createFlow, FlowClientError, type FlowName, type FoundFlow, getFlow } from "@ostiary/sdk/form";
import { ClientKind, type Flow, FlowKind, FlowState } from "@ostiary/sdk/v1/flow";
import {
  clearFragment,
  flowIdInAddress,
  invitationTokenInAddress,
  keepFlowId,
  keepLoginChallenge,
  linkTokenInAddress,
  loginChallengeInAddress,
  returnToInAddress,
} from "../navigation.ts";
import { ostiary } from "../ostiary.ts";

/** The flow that the address names if it can still be used, or the one in its place, else a fresh one. */
export async function openFlow(name: FlowName): Promise<FoundFlow> {
  const found = (await findFlow(flowIdInAddress())) ?? { flow: await freshFlow(name), replaced: false };
  keepFlowId(found.flow.id);
  const { oauth2LoginRequest: request } = found.flow;
  // A provider has led back to the flow alone.
  if (request !== undefined) keepLoginChallenge(request.loginChallenge);
  return found;
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
  const flow = await createFlow(ostiary, name, start).catch((error: unknown) => {
    // A dead link or invitation stays dead: another attempt begins without it.
    const reason = reasonOf(error);
    if (reason === "LINK_INVALID" || reason === "INVITATION_INVALID") clearFragment();
    throw error;
  });
  keepFlowId(flow.id);
  return flow;
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
  window.location.assign(redirect?.url ?? "/");
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

const gone: ReadonlySet<string> = new Set([
  "FLOW_NOT_FOUND",
  "FLOW_COMPLETED",
  "FLOW_CLIENT_MISMATCH",
  "FLOW_IDENTITY_MISMATCH",
  "CSRF_TOKEN_MISSING",
  "CSRF_TOKEN_INVALID",
]);

async function findFlow(flowId: string | undefined): Promise<FoundFlow | undefined> {
  if (flowId === undefined) return undefined;
  try {
    const found = await getFlow(ostiary, flowId);
    return found.flow.state === FlowState.ACTIVE ? found : undefined;
  } catch (error) {
    if (!isFlowGone(error)) throw error;
    return undefined;
  }
}
