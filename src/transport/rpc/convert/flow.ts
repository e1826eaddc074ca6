import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  Client,
  type FlowSchema,
  FlowKind as ProtoFlowKind,
  FlowState as ProtoFlowState,
  MethodKind as ProtoMethodKind,
} from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import {
  type FormMessageSchema,
  FormMessageType,
  type NodeSchema,
  InputType as ProtoInputType,
  NodeGroup as ProtoNodeGroup,
} from "../../../../gen/ostiary/flow/v1/form_pb.js";
import type { Flow, FlowClient, FlowKind, FlowState } from "../../../domain/flow/flow.ts";
import type { InputType, Node, NodeGroup } from "../../../domain/flow/form.ts";
import type { JsonValue } from "../../../domain/json.ts";
import type { Message } from "../../../domain/message/message.ts";
import type { MethodKind } from "../../../domain/method/method.ts";
import { toTimestamp } from "./common.ts";
import { toValue } from "./value.ts";

const clients: Record<FlowClient, Client> = { browser: Client.BROWSER, native: Client.NATIVE };
const kinds: Record<FlowKind, ProtoFlowKind> = {
  login: ProtoFlowKind.LOGIN,
  registration: ProtoFlowKind.REGISTRATION,
};
const states: Record<FlowState, ProtoFlowState> = {
  active: ProtoFlowState.ACTIVE,
  completed: ProtoFlowState.COMPLETED,
};
const methods: Record<MethodKind, ProtoMethodKind> = { password: ProtoMethodKind.PASSWORD };
const groups: Record<NodeGroup, ProtoNodeGroup> = {
  default: ProtoNodeGroup.DEFAULT,
  profile: ProtoNodeGroup.PROFILE,
  password: ProtoNodeGroup.PASSWORD,
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
    step:
      flow.methods.length === 0
        ? { case: undefined }
        : { case: "chooseMethod", value: { methods: flow.methods.map((method) => methods[method]) } },
    returnTo: flow.returnTo ?? "",
    form: { nodes: flow.form.nodes.map(toNode), messages: flow.form.messages.map(toMessage) },
    csrfToken: flow.csrfToken?.reveal() ?? "",
  };
}

/** The kind of client of a request that passed validation, which refuses unspecified. */
export function fromClient(client: Client): FlowClient {
  return client === Client.BROWSER ? "browser" : "native";
}

function toNode(node: Node): MessageInitShape<typeof NodeSchema> {
  return {
    name: node.name,
    group: groups[node.group],
    label: node.label === undefined ? undefined : toMessage(node.label),
    messages: node.messages.map(toMessage),
    kind: toElement(node.element),
  };
}

function toElement(element: Node["element"]): MessageInitShape<typeof NodeSchema>["kind"] {
  switch (element.kind) {
    case "button":
      return { case: "button", value: { step: element.step } };
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
          options: (element.options ?? []).map((value) => ({ value: toValue(value), label: labelOf(value) })),
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

function toMessage(message: Message): MessageInitShape<typeof FormMessageSchema> {
  return {
    id: message.id,
    type: messageTypes[message.type],
    text: message.text,
    context: Object.keys(message.context).length === 0 ? undefined : message.context,
  };
}
