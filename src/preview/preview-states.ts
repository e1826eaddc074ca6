import type { PreviewState } from "./preview-state.ts";
import type { Samples } from "./samples.ts";
import { loginStates } from "./states/login-states.ts";
import { messageStates } from "./states/message-states.ts";
import { ownSchemaStates } from "./states/own-schema-states.ts";
import { recoveryStates } from "./states/recovery-states.ts";
import { refusalStates } from "./states/refusal-states.ts";
import { registrationStates } from "./states/registration-states.ts";
import { sessionStates } from "./states/session-states.ts";
import { settingsStates } from "./states/settings-states.ts";
import { verificationStates } from "./states/verification-states.ts";

/** Every state of every page, in the order to list them. `schemaIds`: the schemas of the configuration. */
export function previewStates(samples: Samples, schemaIds: readonly string[]): readonly PreviewState[] {
  const flows = [
    ...loginStates(samples),
    ...registrationStates(samples),
    ...verificationStates(samples),
    ...recoveryStates(samples),
    ...settingsStates(samples),
  ];
  const own = ownSchemaStates(samples, schemaIds);
  return [...flows, ...own, ...sessionStates(samples), ...messageStates(flows), ...refusalStates()];
}
