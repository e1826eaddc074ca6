import type { FlowKind } from "../../kinds.ts";
import type { Message } from "../../message/message.ts";
import * as messages from "../../message/stage-messages.ts";

const titles: Readonly<Record<FlowKind, () => Message>> = {
  login: messages.signInTitle,
  registration: messages.signUpTitle,
  verification: messages.verifyTitle,
  recovery: messages.recoverTitle,
  settings: messages.settingsTitle,
};

/** The title of a kind of flow. */
export function titleOf(kind: FlowKind): Message {
  return titles[kind]();
}
