import type { ContinueWith, Flow } from "@ostiary/sdk/v1/flow";
import { FlowKind } from "@ostiary/sdk/v1/flow";
import { errand } from "../errand.ts";
import { leaveFor, redirect, type Said } from "../navigation.ts";
import { isOffer, isOfferWanted } from "./passkey-offer.ts";

/**
 * To the flow that comes next, else to what the person was about to do when they were found to be signed out, else to where this flow was
 * begun for: the server has compared that with its list.
 */
export function goOn(returnTo: string, following: readonly ContinueWith[], says?: Said): void {
  const next = following
    .flatMap(({ action }) => (action.case === "verification" || action.case === "settings" ? [action] : []))
    .find(({ value: { flow } }) => flow !== undefined && (!isOffer(flow) || isOfferWanted(flow)));
  // The settings say what the account is asked to do.
  const isAsked = following.some(({ action }) => action.case === "requiredAction");
  const due = errand();
  if (next !== undefined) redirect(next.case, next.value.flow?.id, {}, says);
  else if (due !== undefined) redirect(due.page, due.flowId, due.resumes ? { resumed: true } : {}, says);
  else if (returnTo !== "") leaveFor(returnTo);
  else redirect(isAsked ? "settings" : "sessions", undefined, {}, says);
}

/** The login that tells the OAuth2 server again, where it could not be told. */
export function handOverIn(following: readonly ContinueWith[]): Flow | undefined {
  return following.flatMap(({ action }) => (action.case === "login" ? [action.value.flow] : []))[0];
}

/** What is said on the page that follows a flow; undefined where that says enough by itself. */
export function saidAfter({ kind, stage }: Flow): Said | undefined {
  if (stage.case === "setNewSecret") return "passwordSet";
  if (kind === FlowKind.VERIFICATION) return "verified";
  return kind === FlowKind.REGISTRATION ? "created" : undefined;
}
