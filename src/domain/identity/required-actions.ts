import { type CallOrigin, type Event, type EventActor, newEvent } from "../event/event.ts";
import type { RequiredActionData } from "../event/event-data.ts";
import { type IdentityId, newId, type RequiredActionId } from "../ids.ts";
import type { TenantSettings } from "../tenant/tenant.ts";
import type { Identity } from "./identity.ts";

/** What an identity is asked to do. */
export type RequiredActionKind =
  | "set_password"
  | "verify_address"
  | "complete_traits"
  | "enrol_factor"
  | "accept_terms";

/** Whether it comes before the next session, or at any time. */
export type RequiredActionTiming = "before_session" | "when_convenient";

/** Who asks for it: an operator, or the server by one of its rules. */
export type RequiredActionSource =
  | Extract<EventActor, { readonly kind: "api_key" | "certificate" }>
  | { readonly kind: "server"; readonly because: "second_factor_policy" | "breached_password" };

/** A document to accept, and its version. */
export interface TermsVersion {
  readonly document: string;
  readonly version: string;
}

/** Something that an identity is asked to do. */
export interface RequiredAction {
  readonly id: RequiredActionId;
  readonly createdAt: Date;
  readonly kind: RequiredActionKind;
  readonly timing: RequiredActionTiming;
  readonly setBy: RequiredActionSource;
  /** For `accept_terms`. */
  readonly terms?: TermsVersion | undefined;
}

/** An action to ask for. */
export type NewRequiredAction = Pick<RequiredAction, "kind" | "timing" | "terms">;

/** Makes an action of this moment. */
export function newRequiredAction(
  action: NewRequiredAction,
  setBy: RequiredActionSource,
  at: Date,
): RequiredAction {
  return { id: newId<RequiredActionId>(at), createdAt: at, ...action, setBy };
}

/**
 * What an identity is asked to do now, each as its tenant has it now. Left out are those that have become pointless: the rule that set
 * them is off, or there is an address that is verified.
 */
export function pendingActions(
  { requiredActions, verifiableAddresses }: Pick<Identity, "requiredActions" | "verifiableAddresses">,
  { secondFactor }: Pick<TenantSettings, "secondFactor">,
  now: Date,
): readonly RequiredAction[] {
  // Of nearly all identities, at every check of a session.
  if (requiredActions.length === 0) return requiredActions;
  const lacksVerified =
    verifiableAddresses.length > 0 && verifiableAddresses.every(({ verifiedAt }) => verifiedAt === undefined);
  return requiredActions.flatMap((action): readonly RequiredAction[] => {
    if (action.kind === "verify_address" && !lacksVerified) return [];
    if (!isOfPolicy(action)) return [action];
    if (secondFactor.policy !== "required") return [];
    const isDue = now.getTime() - action.createdAt.getTime() >= secondFactor.graceMs;
    return [{ ...action, timing: isDue ? "before_session" : "when_convenient" }];
  });
}

/** Whether the policy of second factors asks for it. */
export function isOfPolicy({ setBy }: RequiredAction): boolean {
  return setBy.kind === "server" && setBy.because === "second_factor_policy";
}

/** The actions of these kinds that a change of the account has done. */
export function doneBy(
  { requiredActions }: Pick<Identity, "requiredActions">,
  ...kinds: readonly RequiredActionKind[]
): readonly RequiredAction[] {
  return requiredActions.filter(({ kind }) => kinds.includes(kind));
}

/** The actions that are left once these are done. */
export function without(
  { requiredActions }: Pick<Identity, "requiredActions">,
  done: readonly RequiredAction[],
): readonly RequiredAction[] {
  const ids = new Set(done.map(({ id }) => id));
  return ids.size === 0 ? requiredActions : requiredActions.filter(({ id }) => !ids.has(id));
}

/** An action as events say it. */
export function actionData({ id, kind, timing, terms }: RequiredAction): RequiredActionData {
  return { actionId: id, kind, timing, ...(terms && { ...terms }) };
}

/** The events of actions that are done. */
export function completedEvents(
  identityId: IdentityId,
  done: readonly RequiredAction[],
  at: Date,
  origin: CallOrigin,
): readonly Event[] {
  return done.map((action) =>
    newEvent("identity.required_action_completed", at, origin, { identityId, data: actionData(action) }),
  );
}
