import type { Form } from "../../form/form.ts";
import type { FlowKind } from "../../kinds.ts";
import type { Message } from "../../message/message.ts";
import * as messages from "../../message/stage-messages.ts";
import type { FlowRecord, FlowStage } from "./flow.ts";

/** The heading of the form at a stage, and the sentence below it; none once the flow is completed. */
export function stageTexts(flow: FlowRecord, stage: FlowStage | undefined): Pick<Form, "title" | "subtitle"> {
  switch (stage?.kind) {
    case undefined:
      return {};
    case "enter_identifier":
      return { title: messages.signInTitle(), subtitle: messages.signInIdentifier() };
    case "fill_profile":
      return { title: messages.signUpTitle(), subtitle: messages.signUpProfile() };
    case "choose_method":
      return methodTexts(flow);
    case "choose_address":
      return { title: messages.chooseAddressTitle(), subtitle: messages.chooseAddressHelp() };
    case "enter_code":
      return { title: messages.codeTitle(), subtitle: messages.lookForCode(stage.sentTo) };
    case "link_sent":
      return { title: messages.linkTitle(), subtitle: messages.lookForLink(stage.sentTo) };
    case "confirm_link":
      return { title: titleOf(flow.kind), subtitle: messages.oneMoreClick() };
    case "claim_account":
      return { title: messages.claimTitle(), subtitle: messages.claimHelp() };
    case "change_settings":
      return { title: messages.settingsTitle(), subtitle: messages.settingsHelp() };
    case "set_new_secret":
      return { title: messages.newSecretTitle(), subtitle: messages.newSecretHelp() };
    default: {
      const unreachable: never = stage;
      return unreachable;
    }
  }
}

function methodTexts({ kind, data }: FlowRecord): Pick<Form, "title" | "subtitle"> {
  const title = titleOf(kind);
  switch (kind) {
    case "login":
      if (data.firstFactor !== undefined) {
        return { title: messages.confirmTitle(), subtitle: messages.confirmSecond() };
      }
      return data.refreshes === undefined && data.ofOwner === undefined
        ? { title, subtitle: messages.signInMethod() }
        : { title: messages.confirmTitle(), subtitle: messages.confirmAgain() };
    case "registration":
      return { title, subtitle: data.profileGiven ? messages.signUpMethodNext() : messages.signUpMethod() };
    case "verification":
      return { title, subtitle: messages.verifyAddress() };
    case "recovery":
      return { title, subtitle: messages.recoverName() };
    case "settings":
      return { title };
    default: {
      const unreachable: never = kind;
      return unreachable;
    }
  }
}

function titleOf(kind: FlowKind): Message {
  switch (kind) {
    case "login":
      return messages.signInTitle();
    case "registration":
      return messages.signUpTitle();
    case "verification":
      return messages.verifyTitle();
    case "recovery":
      return messages.recoverTitle();
    case "settings":
      return messages.settingsTitle();
    default: {
      const unreachable: never = kind;
      return unreachable;
    }
  }
}
