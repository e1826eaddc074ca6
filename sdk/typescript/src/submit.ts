// SPDX-License-Identifier: Apache-2.0
import type { Flow } from "../../../gen/ostiary/flow/v1/flow_pb.js";
import type { FormNode } from "../../../gen/ostiary/flow/v1/form_pb.js";
import type { FlowCompleted, Rejected, RejectionReason } from "../../../gen/ostiary/flow/v1/outcome_pb.js";
import type { IdentityProfile } from "../../../gen/ostiary/identity/v1/identity_pb.js";
import type { Ostiary } from "./client.ts";
import { keepTyped } from "./form/keep-typed.ts";
import { signalUnknownPasskey } from "./form/signal-passkeys.ts";
import { type FormValues, formDataToValues } from "./form-data.ts";

/** What came of a submit, for a page that draws any kind of flow. */
export type SubmitOutcome =
  /**
   * It worked. Go on with what `completed.continueWith` names, or to `completed.returnTo`; a native client keeps
   * `completed.signedIn.sessionToken`.
   */
  | { readonly kind: "completed"; readonly completed: FlowCompleted }
  /** There is more to do: draw the flow again, with the form of its next step. */
  | { readonly kind: "next_step"; readonly flow: Flow }
  /**
   * The method goes on elsewhere. Send the browser to `url`, with `leavePage` of `@ostiary/sdk/form` or a status 303; it comes back to
   * the page of the flow that goes on, or to where the flow was begun for. `fields`: what to post there; empty: nothing.
   */
  | {
      readonly kind: "redirect";
      readonly url: string;
      readonly fields: Readonly<Record<string, string>>;
      readonly flow: Flow;
    }
  /** Something was not accepted: draw the flow again, with its messages. `reason` and `detail` are for programs. */
  | {
      readonly kind: "rejected";
      readonly reason: RejectionReason;
      readonly detail: Rejected["detail"];
      readonly flow: Flow;
    }
  /** Settings: it was saved. Draw the flow again; it goes on, for more changes. */
  | { readonly kind: "saved"; readonly flow: Flow; readonly identity: IdentityProfile | undefined }
  /**
   * A login comes first: settings, before a change is carried out; verification and recovery, before an account that nobody
   * has claimed is kept. Draw `flow`, which is that login; once it is completed, submit `waitingFlow` with the step `resume`.
   * No `waitingFlow`: what was submitted is done, and that login gives the session once the account has done what it is asked to do.
   */
  | { readonly kind: "login_required"; readonly flow: Flow; readonly waitingFlow: Flow | undefined }
  /**
   * It came too late: draw this fresh flow instead. It holds what was typed, except secrets. In place of the settings after a
   * recovery it is a recovery, and `flow.kind` says so.
   */
  | { readonly kind: "expired"; readonly flow: Flow };

/** How a form is submitted. */
export interface SubmitOptions {
  /**
   * A name for the submit, for a page that sends the very same again because no answer came: with the id of the first time nothing is done
   * twice, and the answer that was lost comes. Default: a random one each time.
   */
  readonly requestId?: string | undefined;
}

/**
 * Submits a filled-in HTML form of any kind of flow with `formDataToValues` and `FlowService.SubmitForm`, and gives the answer
 * in one shape. Throws the errors of these two. A wrong password is an outcome, not an error. A step that is newer than this
 * SDK is submitted like any other. An outcome that is newer is given as a next step, with the flow to draw.
 */
export async function submit(
  ostiary: Pick<Ostiary, "flows">,
  flow: Flow,
  data: FormData,
  pressed: FormNode | string,
  { requestId = "" }: SubmitOptions = {},
): Promise<SubmitOutcome> {
  // The page decides only the values of the fields that the form offers.
  const outcome = await submitValues(ostiary, flow, formDataToValues(flow, data, pressed), requestId);
  return outcome.kind === "expired" ? { ...outcome, flow: keepTyped(outcome.flow, data, flow) } : outcome;
}

/** Submits values for a step of a flow of any kind, and gives the answer in one shape. */
export async function submitValues(
  ostiary: Pick<Ostiary, "flows">,
  flow: Flow,
  filled: FormValues,
  requestId = "",
): Promise<SubmitOutcome> {
  const { id: flowId, csrfToken, traitsEtag } = flow;
  const { flow: next = flow, outcome } = await ostiary.flows.submitForm({
    ...filled,
    flowId,
    csrfToken,
    // So that nothing is overwritten that was changed elsewhere since the form was drawn.
    traitsEtag,
    requestId,
  });
  switch (outcome.case) {
    case "completed":
      return { kind: "completed", completed: outcome.value };
    case "redirect":
      return { kind: "redirect", url: outcome.value.url, fields: outcome.value.fields, flow: next };
    case "rejected":
      signalUnknownPasskey(outcome.value);
      return { kind: "rejected", reason: outcome.value.reason, detail: outcome.value.detail, flow: next };
    case "expired":
      return { kind: "expired", flow: next };
    case "saved":
      return { kind: "saved", flow: next, identity: outcome.value.identity };
    case "loginRequired":
      return { kind: "login_required", flow: next, waitingFlow: outcome.value.waitingFlow };
    default:
      return { kind: "next_step", flow: next };
  }
}
