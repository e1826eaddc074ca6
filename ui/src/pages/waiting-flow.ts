import type { FlowName } from "@ostiary/sdk/form";
import { type Flow, FlowKind } from "@ostiary/sdk/v1/flow";
import {
  flowIdInAddress,
  invitationTokenInAddress,
  linkTokenInAddress,
  resumeInAddress,
} from "../navigation.ts";

/** A flow that waits for a login, for which the browser is away at a provider. */
export interface WaitingFlow {
  readonly page: FlowName;
  readonly flowId: string;
  /** The login that it waits for. */
  readonly loginId: string;
}

const storageKey = "ostiary.waiting-flow";

/** Remembers a flow in this tab until the browser is back. The ids of both flows, and nothing else. */
export function rememberWaiting(page: FlowName, waiting: Flow, login: Flow): void {
  const remembered: WaitingFlow = { page, flowId: waiting.id, loginId: login.id };
  try {
    window.sessionStorage.setItem(storageKey, JSON.stringify(remembered));
  } catch {
    // A browser that keeps nothing for this page throws; what waits is then asked for once more.
  }
}

/** Takes what waits for a login that was completed; undefined if nothing does. */
export function takeWaiting(login: Flow): WaitingFlow | undefined {
  const waiting = remembered();
  if (waiting?.loginId !== login.id) return undefined;
  forget();
  return waiting;
}

/**
 * To be called when the pages are loaded. A browser that is back from a provider and whose address names no flow has completed the login:
 * it goes on with what waited, whichever page it was led to. If the address names that login, it was not completed yet. Whoever has
 * gone elsewhere has left it.
 */
export function goOnWithWaiting(): void {
  const waiting = remembered();
  if (waiting === undefined) return;
  const named = flowIdInAddress();
  if (named === waiting.loginId) return;
  forget();
  const isElsewhere =
    named !== undefined || linkTokenInAddress() !== undefined || invitationTokenInAddress() !== undefined;
  if (!isElsewhere) resumeInAddress(waiting.page, waiting.flowId);
}

const sharedKey = "ostiary.waiting-change";

/** As long as a link is good, and a little more. */
const mostAgeMs = 60 * 60 * 1000;

/** How long a tab may take that has claimed a change: as long as a call, and a little more. */
const mostClaimMs = 40_000;

/** A change of an account that waits for a link to be opened, maybe in another tab. */
interface SharedChange {
  readonly flowId: string;
  readonly identityId: string;
  /** In milliseconds. */
  readonly at: number;
  /** When the tab in which the link was opened has sent its login. */
  readonly claimedAt?: number;
}

/**
 * Tells the other tabs of this browser of settings that wait for a login by link, so that the tab in which the link is opened carries out
 * the change. A flow's id is worthless without this browser's cookie and a session of its owner.
 */
export function shareWaiting(waiting: Flow): void {
  const identityId = waiting.account?.identityId;
  if (waiting.kind !== FlowKind.SETTINGS || identityId === undefined) return;
  const shared: SharedChange = { flowId: waiting.id, identityId, at: Date.now() };
  try {
    window.localStorage.setItem(sharedKey, JSON.stringify(shared));
  } catch {
    // Then the tab that began it goes on, once somebody looks at it.
  }
}

/** Tells the tab that waits that this one, in which the link was opened, is about to carry the change out. */
export function claimShared(): void {
  const shared = readShared();
  if (shared === undefined) return;
  try {
    window.localStorage.setItem(sharedKey, JSON.stringify({ ...shared, claimedAt: Date.now() }));
  } catch {
    // Then whichever tab is first does it.
  }
}

/**
 * Takes the settings that wait for the login of an account, once; undefined if there are none, or another tab does it. `isClaimant`: this
 * tab has claimed them.
 */
export function takeShared(identityId: string | undefined, { isClaimant = false } = {}): string | undefined {
  const shared = readShared();
  if (shared === undefined || shared.identityId !== identityId) return undefined;
  const isClaimed = shared.claimedAt !== undefined && Date.now() - shared.claimedAt < mostClaimMs;
  if (isClaimed && !isClaimant) return undefined;
  forgetShared();
  return Date.now() - shared.at < mostAgeMs ? shared.flowId : undefined;
}

function readShared(): SharedChange | undefined {
  try {
    const found: unknown = JSON.parse(window.localStorage.getItem(sharedKey) ?? "null");
    return isShared(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

function isShared(found: unknown): found is SharedChange {
  if (typeof found !== "object" || found === null) return false;
  const { flowId, identityId, at } = found as Partial<Record<keyof SharedChange, unknown>>;
  return typeof flowId === "string" && typeof identityId === "string" && typeof at === "number";
}

/** Forgets it: the person goes on in the tab that began, or has given it up. */
export function forgetShared(): void {
  try {
    window.localStorage.removeItem(sharedKey);
  } catch {
    // Nothing was kept.
  }
}

function remembered(): WaitingFlow | undefined {
  try {
    const found: unknown = JSON.parse(window.sessionStorage.getItem(storageKey) ?? "null");
    return isWaiting(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

function isWaiting(found: unknown): found is WaitingFlow {
  if (typeof found !== "object" || found === null) return false;
  const { page, flowId, loginId } = found as Partial<Record<keyof WaitingFlow, unknown>>;
  const isPage = page === "settings" || page === "verification" || page === "recovery";
  return isPage && typeof flowId === "string" && typeof loginId === "string";
}

function forget(): void {
  try {
    window.sessionStorage.removeItem(storageKey);
  } catch {
    // See above.
  }
}
