// SPDX-License-Identifier: Apache-2.0
import { MethodKind } from "../../../../gen/ostiary/common/v1/method_kind_pb.js";
import { type Flow, FlowKind } from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import type { SubmitOutcome } from "../submit.ts";

const storageKey = "ostiary.last-method";

/** What the first proof of a login that goes on was tried with. */
let tried: { readonly flowId: string; readonly method: MethodKind } | undefined;

/**
 * The method that this browser signed in with last, for `lastUsedMethod` of a form. Undefined: none is known, or it was another provider,
 * which the server marks.
 *
 * Security rule (SR-PAGES-9): it is of this browser and its last completed login, whatever is typed, so it tells nobody how another person signs
 * in. Only the number of the method is kept, no name and no account.
 */
export function lastUsedMethod(): MethodKind | undefined {
  try {
    const kept = Number(window.localStorage.getItem(storageKey));
    return marked.has(kept) ? kept : undefined;
  } catch {
    // A browser that keeps nothing for this page throws: nothing is marked.
    return undefined;
  }
}

const marked: ReadonlySet<number> = new Set([
  MethodKind.PASSWORD,
  MethodKind.CODE,
  MethodKind.LINK,
  MethodKind.PASSKEY,
]);

/** Keeps what a login was completed with. To be called after each submit, with what was submitted and what came of it. */
export function rememberMethod(
  { flow, step }: { readonly flow: Flow; readonly step: string },
  { kind }: Pick<SubmitOutcome, "kind">,
): void {
  if (flow.kind !== FlowKind.LOGIN) return;
  const method = methodOf(flow, step);
  // The second factor is not what somebody chooses to sign in with.
  if (method !== undefined && !asksForSecond(flow)) tried = { flowId: flow.id, method };
  // From there on the server's mark is the newer one.
  if (kind === "redirect") keep(undefined);
  if (kind !== "completed") return;
  if (tried?.flowId === flow.id) keep(tried.method);
  tried = undefined;
}

function methodOf(flow: Flow, step: string): MethodKind | undefined {
  for (const node of flow.form?.nodes ?? []) {
    if (node.step === step && node.kind.case === "button") return node.kind.value.method || undefined;
  }
  return undefined;
}

function asksForSecond({ stage }: Flow): boolean {
  return stage.case === "chooseMethod" && stage.value.secondFactor;
}

function keep(method: MethodKind | undefined): void {
  try {
    if (method === undefined) window.localStorage.removeItem(storageKey);
    else window.localStorage.setItem(storageKey, String(method));
  } catch {
    // See above.
  }
}
