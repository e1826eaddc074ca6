import { useSyncExternalStore } from "react";
import { type Route, routes } from "./routes.ts";

/** The address of a page. */
export function addressOf(route: Route): string {
  return `/ui/${route}`;
}

/** The pages that answer the login request of an OAuth2 server. */
const answering: ReadonlySet<Route> = new Set<Route>(["login", "registration"]);

/** The pages of flows, which end where they were asked to. */
const returning: ReadonlySet<Route> = new Set<Route>([
  "login",
  "registration",
  "verification",
  "recovery",
  "settings",
]);

/**
 * The address of a page, for a link. Where to go afterwards goes along between the pages of flows, and the login request of an OAuth2
 * server between those that answer it.
 */
export function linkTo(route: Route): string {
  const kept = new URLSearchParams();
  const challenge = loginChallengeInAddress();
  const returnTo = returnToInAddress();
  if (challenge !== undefined && answering.has(route)) kept.set("login_challenge", challenge);
  if (returnTo !== undefined && returning.has(route)) kept.set("return_to", returnTo);
  return `${addressOf(route)}${kept.size === 0 ? "" : `?${kept}`}`;
}

/** What a page is to know of how it was come to, until it has put its flow into the address. */
interface Arrival {
  /** The flow takes the place of another page's, which had expired. */
  readonly replaced?: true;
  /** The flow goes on by itself: the login that it waited for is completed. */
  readonly resumed?: true;
  /** The number of the server's message that says why the visitor was sent to the login page. */
  readonly signedOutBy?: typeof sessionsRemoved;
  /** The visitor was sent to the login page from something that they were about to do. */
  readonly interrupted?: true;
  /** What the visitor was about to do was done before, elsewhere. */
  readonly done?: true;
}

/** What is said, once, on the page that a person is led on to. */
export type Said = "created" | "verified" | "passwordSet" | "signedIn" | "kept" | "doneBefore";

let said: Said | undefined;

/** How often somebody was led on: a page that leads to itself is drawn anew. */
let moves = 0;

/** Goes to a page that was chosen, without loading it anew. The back button leads back. */
export function navigate(route: Route): void {
  said = undefined;
  moves += 1;
  window.history.pushState(null, "", linkTo(route));
  window.dispatchEvent(new PopStateEvent("popstate"));
}

/**
 * Leads on to a page that nobody chose, to go on with a flow if one is named. It takes the place of the page before in the history, so
 * that the back button leads to where the visitor came from, and not into the same redirect again.
 */
export function redirect(route: Route, flowId?: string, arrival: Arrival = {}, says?: Said): void {
  said = says;
  moves += 1;
  const fragment = flowId === undefined ? "" : `#flow=${flowId}`;
  window.history.replaceState(arrival, "", `${linkTo(route)}${fragment}`);
  window.dispatchEvent(new PopStateEvent("popstate"));
}

/** Leaves the pages for an address that the server has compared with its list. The back button does not lead back to what is done. */
export function leaveFor(url: string): void {
  window.location.replace(url);
}

/** Changes with each move to a page, also if it is the same page. */
export function useMoves(): number {
  return useSyncExternalStore(subscribe, () => moves);
}

/** What is said on the page that is shown; undefined if nothing is. */
export function useSaid(): Said | undefined {
  return useSyncExternalStore(subscribe, () => said);
}

/** Says something on the page that is shown, or nothing any more. */
export function say(what: Said | undefined): void {
  said = what;
  window.dispatchEvent(new Event(saidEvent));
}

const saidEvent = "ostiary-said";

/** As `redirect` to a flow that goes on by itself, before the pages are drawn. */
export function resumeInAddress(route: Route, flowId: string): void {
  const arrival: Arrival = { resumed: true };
  window.history.replaceState(arrival, "", `${addressOf(route)}#flow=${flowId}`);
}

/** How the page was come to. */
export function arrival(): Arrival {
  const state: unknown = window.history.state;
  return typeof state === "object" && state !== null ? state : {};
}

/** The number of the message that says that a browser's sessions were removed. */
export const sessionsRemoved = 9000531;

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
  changeQuery((query) => query.delete("flow"), `#flow=${flowId}`);
}

/** Where the address asks to go after the flow; the server decides whether that is allowed. */
export function returnToInAddress(): string | undefined {
  return parameter("return_to");
}

/** Puts into the address where to go afterwards, or takes what is not allowed out of it. */
export function keepReturnTo(returnTo: string | undefined): void {
  keepParameter("return_to", returnTo);
}

/** What the address says that the visitor's session lacks: a proxy has sent the browser here because of it. */
export function refusalInAddress(): { reason: string; metadata: Record<string, string> } | undefined {
  const { refusal: reason, ...metadata } = Object.fromEntries(new URLSearchParams(window.location.search));
  return reason === undefined ? undefined : { reason, metadata };
}

/** The login request that the OAuth2 server has sent the browser here with. */
export function loginChallengeInAddress(): string | undefined {
  return parameter("login_challenge");
}

/** Puts the login request of a flow into the address, or takes one that cannot be answered any more out of it. */
export function keepLoginChallenge(challenge: string | undefined): void {
  keepParameter("login_challenge", challenge);
}

/** The logout request that the OAuth2 server has sent the browser here with. */
export function logoutChallengeInAddress(): string | undefined {
  return parameter("logout_challenge");
}

/** The state of an entry that the back button leaves for the step before, on the same page. */
const within = { within: true } as const;

/** Whether the back button leads to the step before, and not to the page before. */
export function isWithin(): boolean {
  const state: unknown = window.history.state;
  return typeof state === "object" && state !== null && "within" in state;
}

/** Has the back button lead to the step before, by an entry of its own. */
export function stepWithin(): void {
  window.history.pushState(within, "", window.location.href);
}

/** Takes that entry away, as a person does who presses the back button. Resolves when it is gone. */
export function stepOut(): Promise<void> {
  const gone = new Promise<void>((resolve) => {
    window.addEventListener("popstate", () => resolve(), { once: true });
    // A browser that stays where it is keeps nobody waiting.
    setTimeout(resolve, mostStepMs);
  });
  window.history.back();
  return gone;
}

const mostStepMs = 3000;

function parameter(name: string): string | undefined {
  return new URLSearchParams(window.location.search).get(name) ?? undefined;
}

function keepParameter(name: string, value: string | undefined): void {
  changeQuery((query) => {
    if (value === undefined) query.delete(name);
    else query.set(name, value);
  });
}

function changeQuery(change: (query: URLSearchParams) => void, hash = window.location.hash): void {
  const query = new URLSearchParams(window.location.search);
  change(query);
  const search = query.size === 0 ? "" : `?${query}`;
  const state = isWithin() ? within : null;
  window.history.replaceState(state, "", window.location.pathname + search + hash);
}

function subscribe(listener: () => void): () => void {
  const onPopState = (event: PopStateEvent) => {
    // What was said belongs to the way forward.
    if (event.isTrusted) said = undefined;
    listener();
  };
  window.addEventListener("popstate", onPopState);
  window.addEventListener(saidEvent, listener);
  return () => {
    window.removeEventListener("popstate", onPopState);
    window.removeEventListener(saidEvent, listener);
  };
}
