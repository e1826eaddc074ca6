// SPDX-License-Identifier: Apache-2.0
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Flow } from "../../../gen/ostiary/flow/v1/flow_pb.js";
import type { FormNode } from "../../../gen/ostiary/flow/v1/form_pb.js";
import type { LoginCompleted } from "../../../gen/ostiary/flow/v1/login_service_pb.js";
import type { ContinueWith } from "../../../gen/ostiary/flow/v1/outcome_pb.js";
import type { RecoveryCompleted } from "../../../gen/ostiary/flow/v1/recovery_service_pb.js";
import type { RegistrationCompleted } from "../../../gen/ostiary/flow/v1/registration_service_pb.js";
import type {
  AccountDeletionScheduled,
  SettingsCompleted,
} from "../../../gen/ostiary/flow/v1/settings_service_pb.js";
import type { VerificationCompleted } from "../../../gen/ostiary/flow/v1/verification_service_pb.js";
import type { IdentityProfile } from "../../../gen/ostiary/identity/v1/identity_pb.js";
import type { Session } from "../../../gen/ostiary/session/v1/session_pb.js";
import type { Ostiary } from "./client.ts";
import { keepTyped } from "./form/keep-typed.ts";
import { formDataToRequest, type SubmitRequest } from "./form-data.ts";

/** What came of a submit, for a page that draws any kind of flow. */
export type SubmitOutcome =
  /**
   * It worked. Go on with what `completed.continueWith` names, or to `completed.returnTo`; a native client keeps
   * `completed.sessionToken`.
   */
  | { readonly kind: "completed"; readonly completed: Completed }
  /** There is more to do: draw the flow again, with the form of its next step. */
  | { readonly kind: "next_step"; readonly flow: Flow }
  /** Login: the method goes on elsewhere. Send the browser to `url`; it comes back to the flow's page. */
  | { readonly kind: "redirect"; readonly url: string; readonly flow: Flow }
  /** Something was not accepted: draw the flow again, with its messages. `reason` is for programs. */
  | { readonly kind: "rejected"; readonly reason: string; readonly flow: Flow }
  /** Settings: it was saved. Draw the flow again; it goes on, for more changes. */
  | { readonly kind: "saved"; readonly flow: Flow; readonly identity: IdentityProfile | undefined }
  /**
   * A login comes first: settings, before a change is carried out; verification and recovery, before an account that nobody
   * has claimed is kept. Draw `loginFlow`; once it is completed, submit `flow` with the step `resume` to go on.
   */
  | { readonly kind: "login_required"; readonly loginFlow: Flow; readonly flow: Flow }
  /**
   * It came too late: draw this fresh flow instead. It holds what was typed, except secrets. In place of the settings after a
   * recovery it is a recovery, and `flow.kind` says so.
   */
  | { readonly kind: "expired"; readonly flow: Flow };

/** What a flow gives when it is over, whatever its kind; what it does not give is empty or undefined. */
export interface Completed {
  /** The new session. */
  readonly session: Session | undefined;
  /** Native flows only: the token of the new session. A browser has it as a cookie. */
  readonly sessionToken: string;
  /** Whose account it is. */
  readonly identity: IdentityProfile | undefined;
  /** Where the browser should go now. */
  readonly returnTo: string;
  /** What to go on with before that, for example the verification of an address. */
  readonly continueWith: readonly ContinueWith[];
  /**
   * Settings: when the account will be deleted, because that was asked for; not in the future where it is gone already.
   * Every session of the account is over.
   */
  readonly deleteTime: Date | undefined;
}

/** The clients that flows are submitted with. */
type FlowClients = Pick<Ostiary, "login" | "registration" | "verification" | "recovery" | "settings">;

/**
 * Submits a filled-in HTML form, whatever its flow is for: `formDataToRequest`, the method that fits, and its
 * answer in one shape. Throws what these throw; a wrong password is an outcome, not an error.
 */
export async function submit(
  ostiary: FlowClients,
  flow: Flow,
  data: FormData,
  pressed: FormNode | string,
): Promise<SubmitOutcome> {
  const { outcome } = await send(ostiary, formDataToRequest(flow, data, pressed));
  switch (outcome.case) {
    case "completed":
      return { kind: "completed", completed: toCompleted(outcome.value) };
    case "nextStep":
      if (outcome.value.flow === undefined) break;
      return { kind: "next_step", flow: outcome.value.flow };
    case "redirect":
      return { kind: "redirect", url: outcome.value.url, flow: outcome.value.flow ?? flow };
    case "rejected":
      return { kind: "rejected", reason: outcome.value.reason, flow: outcome.value.flow ?? flow };
    case "expired":
      if (outcome.value.replacement === undefined) break;
      return { kind: "expired", flow: keepTyped(outcome.value.replacement, data, flow) };
    case "saved":
      return { kind: "saved", flow: outcome.value.flow ?? flow, identity: outcome.value.identity };
    case "loginRequired":
      if (outcome.value.loginFlow === undefined) break;
      return { kind: "login_required", loginFlow: outcome.value.loginFlow, flow: outcome.value.flow ?? flow };
    case "deletionScheduled":
      return { kind: "completed", completed: toCompleted(outcome.value) };
    case undefined:
      break;
    default: {
      const unreachable: never = outcome;
      return unreachable;
    }
  }
  throw new Error("the server's answer is newer than this version of @ostiary/sdk: update it");
}

function send(ostiary: FlowClients, request: SubmitRequest) {
  switch (request.$typeName) {
    case "ostiary.flow.v1.SubmitLoginFlowRequest":
      return ostiary.login.submitLoginFlow(request);
    case "ostiary.flow.v1.SubmitRegistrationFlowRequest":
      return ostiary.registration.submitRegistrationFlow(request);
    case "ostiary.flow.v1.SubmitVerificationFlowRequest":
      return ostiary.verification.submitVerificationFlow(request);
    case "ostiary.flow.v1.SubmitRecoveryFlowRequest":
      return ostiary.recovery.submitRecoveryFlow(request);
    case "ostiary.flow.v1.SubmitSettingsFlowRequest":
      return ostiary.settings.submitSettingsFlow(request);
    default: {
      const unreachable: never = request;
      return unreachable;
    }
  }
}

type CompletedMessage =
  | LoginCompleted
  | RegistrationCompleted
  | VerificationCompleted
  | RecoveryCompleted
  | SettingsCompleted
  | AccountDeletionScheduled;

function toCompleted(message: CompletedMessage): Completed {
  return {
    session: "session" in message ? message.session : undefined,
    sessionToken: "sessionToken" in message ? message.sessionToken : "",
    identity: "identity" in message ? message.identity : undefined,
    returnTo: "returnTo" in message ? message.returnTo : "",
    continueWith: "continueWith" in message ? message.continueWith : [],
    deleteTime: "deleteTime" in message ? message.deleteTime && timestampDate(message.deleteTime) : undefined,
  };
}
