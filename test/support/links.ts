import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import type { SubmitRecoveryFlowResponse } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";

/** The token in the fragment of a link. */
export function tokenOf(url: string): string {
  return new URLSearchParams(new URL(url).hash.slice(1)).get("link") ?? "";
}

/** What came of a recovery's submit: the reason of its rejection, or its outcome's name. */
export function recoveryResult({ outcome }: SubmitRecoveryFlowResponse): string | undefined {
  return outcome.case === "rejected" ? RejectionReason[outcome.value.reason] : outcome.case;
}

/** The id of the settings flow that follows a recovery. */
export function settingsAfter({ outcome }: SubmitRecoveryFlowResponse): string {
  const action = outcome.case === "completed" ? outcome.value.continueWith[0]?.action : undefined;
  if (action?.case !== "settings") throw new Error(`no settings followed, it was ${outcome.case}`);
  return action.value.flow?.id ?? "";
}
