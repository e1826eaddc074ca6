import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  ClientKind,
  type FlowSchema,
  type OAuth2LoginRequestSchema,
  FlowKind as ProtoFlowKind,
  FlowState as ProtoFlowState,
} from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import {
  type FormConditionSchema,
  type FormNodeSchema,
  type FormSchema,
  type InputChoiceSchema,
  type InputNodeSchema,
  PasskeyCeremony,
  ButtonImportance as ProtoButtonImportance,
  InputType as ProtoInputType,
} from "../../../../gen/ostiary/flow/v1/form_pb.js";
import type { Flow, FlowStage, FlowState, OAuth2Origin } from "../../../domain/flow/shared/flow.ts";
import type {
  ButtonImportance,
  Form,
  InputChoice,
  InputKind,
  InputType,
  Node,
  NodeCondition,
} from "../../../domain/form/form.ts";
import type { FlowClient, FlowKind } from "../../../domain/kinds.ts";
import { toTimestamp } from "./common.ts";
import { toAddress, toCredential } from "./identity.ts";
import { toMessage } from "./message.ts";
import { methodKinds, toMethodOffer, toPasskeyOffer, toSettingsOffer } from "./method.ts";
import { toRequiredAction } from "./required-action.ts";
import { toValue } from "./value.ts";

const clients: Record<FlowClient, ClientKind> = { browser: ClientKind.BROWSER, native: ClientKind.NATIVE };
const kinds: Record<FlowKind, ProtoFlowKind> = {
  login: ProtoFlowKind.LOGIN,
  registration: ProtoFlowKind.REGISTRATION,
  verification: ProtoFlowKind.VERIFICATION,
  recovery: ProtoFlowKind.RECOVERY,
  settings: ProtoFlowKind.SETTINGS,
};
const states: Record<FlowState, ProtoFlowState> = {
  active: ProtoFlowState.ACTIVE,
  completed: ProtoFlowState.COMPLETED,
};
const inputTypes: Record<InputType, ProtoInputType> = {
  text: ProtoInputType.TEXT,
  multi_line_text: ProtoInputType.MULTI_LINE_TEXT,
  email: ProtoInputType.EMAIL,
  phone: ProtoInputType.PHONE,
  url: ProtoInputType.URL,
  number: ProtoInputType.NUMBER,
  checkbox: ProtoInputType.CHECKBOX,
  date: ProtoInputType.DATE,
  date_time: ProtoInputType.DATE_TIME,
  time: ProtoInputType.TIME,
  password: ProtoInputType.PASSWORD,
  hidden: ProtoInputType.HIDDEN,
  code: ProtoInputType.CODE,
};
const importances: Record<ButtonImportance, ProtoButtonImportance> = {
  primary: ProtoButtonImportance.PRIMARY,
  secondary: ProtoButtonImportance.SECONDARY,
};

/** A flow as its holder sees it. */
export function toFlow(flow: Flow): MessageInitShape<typeof FlowSchema> {
  return {
    id: flow.id.reveal(),
    createTime: toTimestamp(flow.createdAt),
    expireTime: toTimestamp(flow.expiresAt),
    kind: kinds[flow.kind],
    client: clients[flow.client],
    state: states[flow.state],
    stage: toStage(flow.stage),
    returnTo: flow.returnTo ?? "",
    form: toForm(flow.form),
    csrfToken: flow.csrfToken?.reveal() ?? "",
    ...(flow.account && { account: flow.account }),
    ...(flow.oauth2 && { oauth2LoginRequest: toLoginRequest(flow.oauth2) }),
    traitsEtag: flow.traitsEtag ?? "",
  };
}

function toLoginRequest({
  challenge,
  client,
}: OAuth2Origin): MessageInitShape<typeof OAuth2LoginRequestSchema> {
  return { loginChallenge: challenge, clientId: client.id, clientName: client.name };
}

/** The kind of client of a request that passed validation, which refuses unspecified. */
export function fromClient(client: ClientKind): FlowClient {
  return client === ClientKind.BROWSER ? "browser" : "native";
}

function toStage(stage: FlowStage | undefined): MessageInitShape<typeof FlowSchema>["stage"] {
  switch (stage?.kind) {
    case undefined:
      return { case: undefined };
    case "enter_identifier":
      return { case: "enterIdentifier", value: { offers: stage.offers.map(toMethodOffer) } };
    case "fill_profile":
      return { case: "fillProfile", value: { offers: stage.offers.map(toMethodOffer) } };
    case "choose_method":
      return {
        case: "chooseMethod",
        value: { offers: stage.offers.map(toMethodOffer), secondFactor: stage.secondFactor ?? false },
      };
    case "choose_address":
      return { case: "chooseAddress", value: { offers: stage.offers.map(toMethodOffer) } };
    case "enter_code":
      return {
        case: "enterCode",
        value: {
          sentTo: stage.sentTo,
          codeExpireTime: toTimestamp(stage.expiresAt),
          resendTime: toTimestamp(stage.resendAt),
          codeLength: stage.codeLength,
          longCodeLength: stage.longCodeLength,
        },
      };
    case "link_sent":
      return {
        case: "linkSent",
        value: {
          sentTo: stage.sentTo,
          linkExpireTime: toTimestamp(stage.expiresAt),
          resendTime: toTimestamp(stage.resendAt),
        },
      };
    case "confirm_link":
      return { case: "confirmLink", value: { address: stage.address } };
    case "claim_account":
      return { case: "claimAccount", value: { address: stage.address } };
    case "on_hold":
      return { case: "onHold", value: { endTime: toTimestamp(stage.until) } };
    case "stop_recovery": {
      const { address, until } = stage;
      return { case: "stopRecovery", value: { address, endTime: toTimestamp(until) } };
    }
    case "change_settings":
      return {
        case: "changeSettings",
        value: {
          offers: stage.offers.map(toSettingsOffer),
          credentials: stage.credentials.map(toCredential),
          requiredActions: stage.requiredActions.map(toRequiredAction),
          addresses: stage.addresses.map(toAddress),
        },
      };
    case "manage_credential":
      return {
        case: "manageCredential",
        value: { credential: stage.credential && toCredential(stage.credential) },
      };
    case "required_action":
      return {
        case: "requiredAction",
        value: {
          action: stage.action && toRequiredAction(stage.action),
          offers: stage.offers.map(toSettingsOffer),
          address: stage.masked ?? "",
          termsTitle: stage.terms?.title ?? "",
          termsUrl: stage.terms?.url ?? "",
        },
      };
    case "set_new_secret":
      return { case: "setNewSecret", value: { offers: stage.offers.map(toMethodOffer) } };
    case "create_passkey":
      return {
        case: "createPasskey",
        value: { passkey: toPasskeyOffer(stage.offer) },
      };
    case "hand_over":
      return { case: "handOver", value: {} };
    default: {
      const unreachable: never = stage;
      return unreachable;
    }
  }
}

function toForm({
  title,
  subtitle,
  account,
  sections = [],
  nodes,
  messages,
}: Form): MessageInitShape<typeof FormSchema> {
  return {
    title: title && toMessage(title),
    subtitle: subtitle && toMessage(subtitle),
    account: account && toMessage(account),
    sections: sections.map((section) => ({ id: section.id, title: toMessage(section.title) })),
    nodes: nodes.map(toNode),
    messages: messages.map(toMessage),
  };
}

function toNode(node: Node): MessageInitShape<typeof FormNodeSchema> {
  return {
    name: node.name,
    step: node.step ?? "",
    section: node.section ?? "",
    label: node.label && toMessage(node.label),
    help: node.help && toMessage(node.help),
    messages: node.messages.map(toMessage),
    ui: node.ui,
    condition: node.condition && toCondition(node.condition),
    groups: (node.groups ?? []).map(({ name, label, help }) => ({
      name,
      label: toMessage(label),
      help: help && toMessage(help),
    })),
    link: node.link && { url: node.link.url, label: toMessage(node.link.label), urls: node.link.urls },
    kind: toElement(node.element),
  };
}

function toCondition({
  name,
  values,
  clears = "",
}: NodeCondition): MessageInitShape<typeof FormConditionSchema> {
  return { name, values: values.map(toValue), clears };
}

function toElement(element: Node["element"]): MessageInitShape<typeof FormNodeSchema>["kind"] {
  switch (element.kind) {
    case "input":
      return { case: "input", value: toInput(element) };
    case "button":
      return {
        case: "button",
        value: {
          value: element.value === undefined ? undefined : toValue(element.value),
          importance: importances[element.importance ?? "secondary"],
          danger: element.danger ?? false,
          confirmation: element.confirmation && toMessage(element.confirmation),
          skipsRequired: element.skipsRequired ?? false,
          icon: element.icon ?? "",
          ...(element.method && { method: methodKinds[element.method] }),
          ...(element.waitMs && { wait: durationFromMs(element.waitMs) }),
        },
      };
    case "list":
      return {
        case: "list",
        value: {
          template: element.template.map(toNode),
          items: element.items.map((nodes) => ({ nodes: nodes.map(toNode) })),
          minItems: element.minItems,
          maxItems: element.maxItems ?? 0,
          readOnly: element.readOnly,
          unsaved: element.unsaved,
          choices: (element.choices ?? []).map(toChoice),
        },
      };
    case "anchor":
      return { case: "anchor", value: { url: element.url } };
    case "text":
      return {
        case: "text",
        value: {
          text: toMessage(element.text),
          copyable: element.copyable ?? false,
          keepable: element.keepable ?? false,
        },
      };
    case "image":
      return {
        case: "image",
        value: {
          source: { case: "data", value: element.data },
          mediaType: element.mediaType,
          alternativeText: toMessage(element.alternativeText),
        },
      };
    case "passkey":
      return {
        case: "passkey",
        value: {
          options: element.options,
          ceremony: element.ceremony === "get" ? PasskeyCeremony.GET : PasskeyCeremony.CREATE,
          conditional: element.conditional,
        },
      };
    default: {
      const unreachable: never = element;
      return unreachable;
    }
  }
}

function toInput(input: InputKind): MessageInitShape<typeof InputNodeSchema> {
  return {
    type: inputTypes[input.type],
    value: input.value === undefined ? undefined : toValue(input.value),
    unsaved: input.unsaved ?? false,
    required: input.required ?? false,
    readOnly: input.readOnly ?? false,
    autocomplete: input.autocomplete ?? "",
    placeholder: input.placeholder && toMessage(input.placeholder),
    default: input.default === undefined ? undefined : toValue(input.default),
    minLength: input.minLength ?? 0,
    maxLength: input.maxLength ?? 0,
    pattern: input.pattern ?? "",
    minimum: input.minimum,
    maximum: input.maximum,
    step: input.step,
    consent: input.isConsent ?? false,
    codeLength: input.codeLength ?? 0,
    choices: (input.choices ?? []).map(toChoice),
  };
}

function toChoice({ value, label }: InputChoice): MessageInitShape<typeof InputChoiceSchema> {
  return { value: toValue(value), label: toMessage(label) };
}
