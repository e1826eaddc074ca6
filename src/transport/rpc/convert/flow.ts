import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  ClientKind,
  type FlowSchema,
  FlowKind as ProtoFlowKind,
  FlowState as ProtoFlowState,
  SettingsPart as ProtoSettingsPart,
} from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import {
  type FormMessageSchema,
  FormMessageType,
  type FormNodeSchema,
  InputType as ProtoInputType,
  NodeGroup as ProtoNodeGroup,
} from "../../../../gen/ostiary/flow/v1/form_pb.js";
import type {
  Flow,
  FlowClient,
  FlowKind,
  FlowState,
  FlowStep,
  SettingsPart,
} from "../../../domain/flow/flow.ts";
import type { InputType, Node, NodeGroup } from "../../../domain/flow/form.ts";
import type { JsonValue } from "../../../domain/json.ts";
import type { Message } from "../../../domain/message/message.ts";
import { methodKinds, toTimestamp } from "./common.ts";
import { addressKinds } from "./identity.ts";
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
const settingsParts: Record<SettingsPart, ProtoSettingsPart> = {
  profile: ProtoSettingsPart.PROFILE,
  password: ProtoSettingsPart.PASSWORD,
  deletion: ProtoSettingsPart.DELETION,
};
const groups: Record<NodeGroup, ProtoNodeGroup> = {
  default: ProtoNodeGroup.DEFAULT,
  profile: ProtoNodeGroup.PROFILE,
  password: ProtoNodeGroup.PASSWORD,
  code: ProtoNodeGroup.CODE,
  link: ProtoNodeGroup.LINK,
};
const inputTypes: Record<InputType, ProtoInputType> = {
  text: ProtoInputType.TEXT,
  email: ProtoInputType.EMAIL,
  phone: ProtoInputType.PHONE,
  url: ProtoInputType.URL,
  number: ProtoInputType.NUMBER,
  checkbox: ProtoInputType.CHECKBOX,
  date: ProtoInputType.DATE,
  date_time: ProtoInputType.DATE_TIME,
  password: ProtoInputType.PASSWORD,
  hidden: ProtoInputType.HIDDEN,
  code: ProtoInputType.CODE,
};
const messageTypes: Record<Message["type"], FormMessageType> = {
  info: FormMessageType.INFO,
  error: FormMessageType.ERROR,
  success: FormMessageType.SUCCESS,
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
    stage: toStage(flow.step),
    returnTo: flow.returnTo ?? "",
    form: { nodes: flow.form.nodes.map(toNode), messages: flow.form.messages.map(toMessage) },
    csrfToken: flow.csrfToken?.reveal() ?? "",
    ...(flow.account && { account: flow.account }),
    traitsEtag: flow.traitsEtag ?? "",
  };
}

/** The kind of client of a request that passed validation, which refuses unspecified. */
export function fromClient(client: ClientKind): FlowClient {
  return client === ClientKind.BROWSER ? "browser" : "native";
}

function toStage(step: FlowStep | undefined): MessageInitShape<typeof FlowSchema>["stage"] {
  switch (step?.kind) {
    case undefined:
      return { case: undefined };
    case "fill_profile":
      return { case: "fillProfile", value: {} };
    case "enter_identifier":
      return { case: "enterIdentifier", value: {} };
    case "choose_method":
      return {
        case: "chooseMethod",
        value: {
          methods: step.methods.map((method) => methodKinds[method]),
          secondFactor: step.secondFactor ?? false,
        },
      };
    case "enter_code":
      return {
        case: "enterCode",
        value: {
          sentTo: step.sentTo,
          codeExpireTime: toTimestamp(step.expiresAt),
          resendTime: toTimestamp(step.resendAt),
          codeLength: step.codeLength,
          longCodeLength: step.longCodeLength,
        },
      };
    case "link_sent":
      return {
        case: "linkSent",
        value: {
          sentTo: step.sentTo,
          linkExpireTime: toTimestamp(step.expiresAt),
          resendTime: toTimestamp(step.resendAt),
        },
      };
    case "confirm_link":
      return { case: "confirmLink", value: { address: step.address } };
    case "choose_address":
      return {
        case: "chooseAddress",
        value: {
          addresses: step.addresses.map(({ id, masked, kind }) => ({
            id,
            address: masked,
            kind: addressKinds[kind],
          })),
        },
      };
    case "claim_account":
      return { case: "claimAccount", value: { address: step.address } };
    case "change_settings":
      return { case: "changeSettings", value: { parts: step.parts.map((part) => settingsParts[part]) } };
    case "set_new_secret":
      return { case: "setNewSecret", value: { methods: step.methods.map((method) => methodKinds[method]) } };
    default: {
      const unreachable: never = step;
      return unreachable;
    }
  }
}

function toNode(node: Node): MessageInitShape<typeof FormNodeSchema> {
  return {
    name: node.name,
    group: groups[node.group],
    label: node.label === undefined ? undefined : toMessage(node.label),
    messages: node.messages.map(toMessage),
    kind: toElement(node.element),
  };
}

function toElement(element: Node["element"]): MessageInitShape<typeof FormNodeSchema>["kind"] {
  switch (element.kind) {
    case "button":
      return { case: "button", value: { step: element.step, skipsRequired: element.skipsRequired ?? false } };
    case "input":
      return {
        case: "input",
        value: {
          type: inputTypes[element.type],
          value: element.value === undefined ? undefined : toValue(element.value),
          required: element.required ?? false,
          autocomplete: element.autocomplete ?? "",
          minLength: element.minLength ?? 0,
          maxLength: element.maxLength ?? 0,
          pattern: element.pattern ?? "",
          options: (element.options ?? []).map(({ value, label }) => ({
            value: toValue(value),
            label: label ?? labelOf(value),
          })),
          listItem: element.listItem ?? false,
          unsaved: element.unsaved ?? false,
        },
      };
    default: {
      const unreachable: never = element;
      return unreachable;
    }
  }
}

function labelOf(value: JsonValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A message for people. */
export function toMessage(message: Message): MessageInitShape<typeof FormMessageSchema> {
  return {
    id: message.id,
    type: messageTypes[message.type],
    text: message.text,
    context: Object.keys(message.context).length === 0 ? undefined : message.context,
  };
}
