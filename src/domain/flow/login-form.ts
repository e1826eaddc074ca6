import * as messages from "../message/message.ts";
import type { LoginMethod, StepRejected } from "../method/method.ts";
import type { AddressProofs } from "./address-proofs.ts";
import type { FlowShape } from "./flow-keeper.ts";
import type { Form, Node } from "./form.ts";

/** Where login flows stand, and what is drawn there. */
export function loginShape(methods: readonly LoginMethod[], proofs: AddressProofs): FlowShape {
  return {
    kind: "login",
    lifetimeMs: (tenant) => tenant.settings.login.lifetimeMs,
    step: (tenant, flow) =>
      proofs.stepOf(tenant, flow) ?? {
        kind: "choose_method",
        methods: [...methods.map((method) => method.kind), ...proofs.offered(tenant, "login")],
      },
    form: (tenant, flow): Form => {
      const isRefresh = flow.data.refreshes !== undefined;
      const nodes = proofs.nodesOf(tenant, flow) ?? [
        ...(isRefresh ? [] : [identifierNode()]),
        ...methods.flatMap((method) => method.loginNodes(tenant)),
        ...proofs.requestNodes(tenant, "login"),
      ];
      const note = isRefresh && flow.data.pending === undefined ? [messages.confirmIdentity()] : [];
      return { nodes, messages: [...note, ...proofs.messagesOf(flow)] };
    },
  };
}

/** A form's nodes with what was typed as the identifier. */
export function filledIn(nodes: readonly Node[], identifier: string): readonly Node[] {
  return nodes.map((node) =>
    node.name === "identifier" && node.element.kind === "input"
      ? { ...node, element: { ...node.element, value: identifier } }
      : node,
  );
}

/** Nothing was typed to sign in with. */
export function identifierRequired(): StepRejected {
  const fields = [{ name: "identifier", message: messages.required("identifier") }];
  return { kind: "rejected", reason: "FORM_INCOMPLETE", problems: { fields, form: [] } };
}

/** Only where the configuration prefers friendly answers to safe ones. */
export function nobodyToSendTo(): StepRejected {
  const fields = [{ name: "identifier", message: messages.noCodeSignIn() }];
  return { kind: "rejected", reason: "IDENTITY_NOT_FOUND", problems: { fields, form: [] } };
}

function identifierNode(): Node {
  return {
    name: "identifier",
    group: "default",
    label: messages.identifierLabel(),
    messages: [],
    element: { kind: "input", type: "text", required: true, autocomplete: "username", maxLength: 320 },
  };
}
