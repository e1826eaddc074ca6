import { useSyncExternalStore } from "react";
import { type Route, routes } from "./routes.ts";

/** The address of a page. */
export function addressOf(route: Route): string {
  return `/ui/${route}`;
}

/** The pages that answer the login request of an OAuth2 server. */
const answering: ReadonlySet<Route> = new Set<Route>(["login", "registration"]);

/** The address of a page, for a link. The login request of an OAuth2 server goes along between the pages that answer it. */
export function linkTo(route: Route): string {
  const challenge = loginChallengeInAddress();
  if (challenge === undefined || !answering.has(route)) return addressOf(route);
  return `${addressOf(route)}?${new URLSearchParams({ login_challenge: challenge })}`;
}

/** Goes to a page without loading it anew, to go on with a flow if one is named. */
export function navigate(route: Route, flowId?: string): void {
  go(route, flowId, null);
}

/** As `navigate`, to the flow that takes the place of another page's, which had expired. */
export function navigateToReplacement(route: Route, flowId: string): void {
  go(route, flowId, { replaced: true });
}

/** Whether the page was come to by `navigateToReplacement`, until it has put its flow into the address. */
export function isReplacement(): boolean {
  return window.history.state?.replaced === true;
}

/** As `navigate`, to a flow that goes on by itself: the login that it waited for is completed. */
export function navigateToResume(route: Route, flowId: string): void {
  go(route, flowId, { resumed: true });
}

/** As `navigateToResume`, before the pages are drawn. */
export function resumeInAddress(route: Route, flowId: string): void {
  window.history.replaceState({ resumed: true }, "", `${addressOf(route)}#flow=${flowId}`);
}

/** Whether the page was come to so, until it has put its flow into the address. */
export function isResumed(): boolean {
  return window.history.state?.resumed === true;
}

function go(route: Route, flowId: string | undefined, state: object | null): void {
  window.history.pushState(state, "", `${linkTo(route)}${flowId === undefined ? "" : `#flow=${flowId}`}`);
  window.dispatchEvent(new PopStateEvent("popstate"));
}

/** The number of the message that says that a browser's sessions were removed. */
export const sessionsRemoved = 9000531;

/** The number of the server's message that the login page shows to a person who was sent there. */
export interface SignedOutBy {
  readonly signedOutBy: typeof sessionsRemoved;
}

/** Goes to the login page, and has it say why if its visitor could not know. */
export function navigateToLogin(state?: SignedOutBy): void {
  window.history.pushState(state ?? null, "", addressOf("login"));
  window.dispatchEvent(new PopStateEvent("popstate"));
}

/** Why the visitor was sent to the login page; undefined if there is nothing to say of it. */
export function signedOutBy(): SignedOutBy["signedOutBy"] | undefined {
  const state: unknown = window.history.state;
  const found = typeof state === "object" && state !== null && "signedOutBy" in state;
  return found && state.signedOutBy === sessionsRemoved ? sessionsRemoved : undefined;
}

/** The page that the address bar names; undefined if there is none. */
export function useRoute(): Route | undefined {
  const path = useSyncExternalStore(subscribe, () => window.location.pathname);
  return routes.find((route) => addressOf(route) === path || `${addressOf(route)}/` === path);
}

/**
 * The id of the flow that the address names. It is looked for in the fragment, which is never sent to a server, and
 * in the query, where a redirect may have put it.
 */
export function flowIdInAddress(): string | undefined {
  const { hash, search } = window.location;
  return (
    new URLSearchParams(hash.slice(1)).get("flow") ?? new URLSearchParams(search).get("flow") ?? undefined
  );
}

/** The token of the link that was opened. It is in the fragment, which is never sent to a server. */
export function linkTokenInAddress(): string | undefined {
  return new URLSearchParams(window.location.hash.slice(1)).get("link") ?? undefined;
}

/** The token of the invitation that was opened. It is in the fragment as well. */
export function invitationTokenInAddress(): string | undefined {
  return new URLSearchParams(window.location.hash.slice(1)).get("invitation") ?? undefined;
}

/** Takes a link's token, or whatever else the fragment says, out of the address. */
export function clearFragment(): void {
  window.history.replaceState(null, "", window.location.pathname + window.location.search);
}

/** Puts the flow's id into the address, so that loading the page anew goes on with it. It takes a link's token away. */
export function keepFlowId(flowId: string): void {
  const query = new URLSearchParams(window.location.search);
  query.delete("flow");
  const search = query.size === 0 ? "" : `?${query}`;
  window.history.replaceState(null, "", `${window.location.pathname}${search}#flow=${flowId}`);
}

/** Where the address asks to go after the flow; the server decides whether that is allowed. */
export function returnToInAddress(): string | undefined {
  return parameter("return_to");
}

/** The login request that the OAuth2 server has sent the browser here with. */
export function loginChallengeInAddress(): string | undefined {
  return parameter("login_challenge");
}

/** Puts the login request of a flow into the address, or takes one that cannot be answered any more out of it. */
export function keepLoginChallenge(challenge: string | undefined): void {
  const query = new URLSearchParams(window.location.search);
  if (challenge === undefined) query.delete("login_challenge");
  else query.set("login_challenge", challenge);
  const search = query.size === 0 ? "" : `?${query}`;
  window.history.replaceState(null, "", window.location.pathname + search + window.location.hash);
}

/** The logout request that the OAuth2 server has sent the browser here with. */
export function logoutChallengeInAddress(): string | undefined {
  return parameter("logout_challenge");
}

function parameter(name: string): string | undefined {
  return new URLSearchParams(window.location.search).get(name) ?? undefined;
}

function subscribe(listener: () => void): () => void {
  window.addEventListener("popstate", listener);
  return () => window.removeEventListener("popstate", listener);
}
