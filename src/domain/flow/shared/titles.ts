import type { FlowKind } from "../../kinds.ts";
import * as messages from "../../user-message/stage-messages.ts";
import type { UserMessage } from "../../user-message/user-messages.ts";

const titles: Readonly<Record<FlowKind, () => UserMessage>> = {
  login: messages.signInTitle,
  registration: messages.signUpTitle,
  verification: messages.verifyTitle,
  recovery: messages.recoverTitle,
  settings: messages.settingsTitle,
};

/** The title of a kind of flow. */
export function titleOf(kind: FlowKind): UserMessage {
  return titles[kind]();
}
