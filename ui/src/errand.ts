import { type FlowName, keepTyped } from "@ostiary/sdk/form";
import { type Flow, type FormNode, InputType } from "@ostiary/sdk/v1/flow";
import {
  flowIdInAddress,
  invitationTokenInAddress,
  linkTokenInAddress,
  loginChallengeInAddress,
  returnToInAddress,
} from "./navigation.ts";
import { forgetInTab, keepInTab, keptInTab } from "./session-storage.ts";

/** What a person was about to do when they were found to be signed out. */
export interface Errand {
  readonly page: FlowName;
  readonly flowId: string | undefined;
  /** Whose account it was about, where that was known. */
  readonly identityId: string | undefined;
  /** Whether a change waited for the login: the flow goes on by itself. */
  readonly resumes: boolean;
  /** What they had filled in and not sent, by the names of the fields. */
  readonly typed: readonly (readonly [name: string, text: string])[];
  /** When they were interrupted, in milliseconds. */
  readonly at: number;
}

const storageKey = "ostiary.errand";

/** A person who comes back later begins anew. */
const mostAgeMs = 30 * 60 * 1000;

/** Remembers in this tab, until somebody has signed in, what a person was about to do on a page. `data`: what they had filled in. */
export function keepErrand(page: FlowName, flow?: Flow, data?: FormData, resumes = false): void {
  const errand: Errand = {
    ...{ page, flowId: flow?.id, identityId: flow?.account?.identityId, resumes, at: Date.now() },
    typed: flow === undefined || data === undefined ? [] : changedIn(flow, data),
  };
  keepInTab(storageKey, errand);
}

/** What somebody who signs in was about to do; undefined if there is nothing. */
export function errand(): Errand | undefined {
  const found = keptInTab(storageKey);
  return isErrand(found) && Math.abs(Date.now() - found.at) < mostAgeMs ? found : undefined;
}

/** A flow, and what became of what was typed before. */
export interface TakenErrand {
  readonly flow: Flow;
  readonly isFilledIn: boolean;
  /** It was typed by somebody else, and is gone. */
  readonly isOfAnother: boolean;
}

/**
 * Fills in what was typed before.
 *
 * Security rule (SR-FLOW-3): what was typed for one account is filled in for that account alone, once. Nothing secret was kept.
 */
export function takeErrand(page: FlowName, flow: Flow): TakenErrand {
  const found = errand();
  const nothing = { flow, isFilledIn: false, isOfAnother: false };
  if (found?.page !== page) return nothing;
  forgetErrand();
  if (found.typed.length === 0) return nothing;
  const isSame = flow.account !== undefined && found.identityId === flow.account.identityId;
  if (!isSame) return { ...nothing, isOfAnother: true };
  const data = new FormData();
  const names = new Set(found.typed.map(([name]) => name));
  for (const node of flow.form?.nodes ?? [])
    if (isTicked(node) && !names.has(node.name)) data.append(node.name, "on");
  for (const [name, text] of found.typed) data.append(name, text);
  return { flow: keepTyped(flow, data, flow), isFilledIn: true, isOfAnother: false };
}

/** Forgets what somebody was about to do. */
export function forgetErrand(): void {
  forgetInTab(storageKey);
}

/**
 * To be called when the pages are loaded: an app that sends a person here with a purpose of its own ends what they were about to do
 * before.
 */
export function forgetErrandOfOthers(): void {
  const isSent = [
    returnToInAddress(),
    loginChallengeInAddress(),
    linkTokenInAddress(),
    invitationTokenInAddress(),
  ].some((each) => each !== undefined);
  if (isSent && flowIdInAddress() === undefined) forgetErrand();
}

/** What was changed in a form, without secrets. A list is kept whole. */
function changedIn(flow: Flow, data: FormData): Errand["typed"] {
  const filled = keepTyped(flow, data, flow).form?.nodes ?? [];
  const before = new Set(flow.form?.nodes ?? []);
  const changed = filled.filter((node) => !before.has(node));
  const isOf = (name: string, node: FormNode) => name === node.name || name.startsWith(`${node.name}.`);
  const typed = [...data].flatMap(([name, text]) =>
    typeof text === "string" && changed.some((node) => isOf(name, node)) ? [[name, text] as const] : [],
  );
  // A box that is not ticked any more sends nothing.
  const unticked = changed.filter((node) => isBox(node) && !data.has(node.name));
  return [...typed, ...unticked.map(({ name }) => [name, ""] as const)];
}

function isBox({ kind }: FormNode): boolean {
  return kind.case === "input" && kind.value.type === InputType.CHECKBOX && kind.value.choices.length === 0;
}

function isTicked(node: FormNode): boolean {
  return isBox(node) && node.kind.case === "input" && node.kind.value.value?.kind.value === true;
}

function isErrand(found: unknown): found is Errand {
  if (typeof found !== "object" || found === null) return false;
  const { page, at, typed } = found as Partial<Record<keyof Errand, unknown>>;
  const isPage = page === "settings" || page === "verification" || page === "recovery";
  return isPage && typeof at === "number" && Array.isArray(typed);
}
