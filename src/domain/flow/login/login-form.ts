import { button, type Form, type InputKind, type Node } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { IdentitySchemas } from "../../identity/schemas.ts";
import type { MethodKind } from "../../kinds.ts";
import * as messages from "../../message/message.ts";
import type { LoginMethod } from "../../method/method.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { AddressProofs } from "../challenge/address-proofs.ts";
import type { FlowRecord } from "../shared/flow.ts";
import type { FlowShape } from "../shared/flow-keeper.ts";

/** Where login flows stand, and what is drawn there. */
export function loginShape(
  methods: readonly LoginMethod[],
  proofs: AddressProofs,
  schemas: Pick<IdentitySchemas, "identifierTitles">,
): FlowShape {
  const identifierNode = ({ id: tenantId }: Tenant, value: string): Node => ({
    ...identifierInput({ type: "text", value, required: true, maxLength: 320 }),
    label: messages.identifierLabel(schemas.identifierTitles({ tenantId })),
  });
  const first = methods.filter(({ factor }) => factor !== "second");
  const offered = (tenant: Tenant, { data }: FlowRecord): readonly MethodKind[] =>
    data.firstFactor?.methods ??
    data.identifier?.methods ??
    data.ofOwner?.methods ?? [
      ...first.map((method) => method.kind),
      ...proofs.forms.offered(tenant, "login"),
    ];
  const methodNodes = (tenant: Tenant, flow: FlowRecord): readonly Node[] => {
    const { method: underWay, firstFactor } = flow.data;
    const kinds = underWay === undefined ? offered(tenant, flow) : [underWay.kind];
    const own = methods.filter(({ kind }) => kinds.includes(kind));
    const stage = {
      factor: firstFactor === undefined ? "first" : "second",
      memory: underWay?.memory,
    } as const;
    return [
      ...own.flatMap((method) => method.loginNodes(tenant, stage)),
      ...proofs.forms.requestNodes(tenant, "login", kinds),
    ];
  };
  const formOf = (tenant: Tenant, flow: FlowRecord): Form => {
    const waiting = proofs.forms.nodesOf(flow);
    if (waiting !== undefined) return { nodes: waiting, messages: proofs.forms.messagesOf(flow) };
    const { identifier, refreshes, ofOwner, typed = "", method, firstFactor } = flow.data;
    if (asksIdentifier(tenant, flow)) {
      return {
        nodes: [identifierNode(tenant, typed), button("identify", messages.continueLabel())],
        messages: [],
      };
    }
    const nodes = methodNodes(tenant, flow);
    const back = button("back", messages.backLabel("login"), true);
    if (firstFactor !== undefined) return { nodes: [...nodes, back], messages: [messages.secondFactor()] };
    if (method !== undefined) return { nodes: [...nodes, back], messages: [] };
    if (identifier !== undefined) {
      return {
        account: messages.signInAs(identifier.typed),
        nodes: [chosenNode(identifier.typed), ...nodes, back],
        messages: [],
      };
    }
    if (refreshes !== undefined || ofOwner !== undefined)
      return { nodes, messages: [messages.confirmIdentity()] };
    return { nodes: [identifierNode(tenant, ""), ...nodes], messages: [] };
  };
  return {
    kind: "login",
    lifetimeMs: (tenant) => tenant.settings.login.lifetimeMs,
    stage: (tenant, flow) => {
      const waiting = proofs.forms.stageOf(tenant, flow);
      if (waiting !== undefined) return waiting;
      if (asksIdentifier(tenant, flow)) return { kind: "enter_identifier" };
      const { firstFactor, method } = flow.data;
      return {
        kind: "choose_method",
        offers: (method === undefined ? offered(tenant, flow) : [method.kind]).map((kind) => ({ kind })),
        secondFactor: firstFactor !== undefined,
      };
    },
    form: (tenant, flow, { text } = {}) => {
      const form = formOf(tenant, flow);
      return text === undefined ? form : { ...form, nodes: filledIn(form.nodes, text) };
    },
  };
}

/** Whether a flow that waits for no secret asks who signs in, before it offers anything to sign in with. */
export function asksIdentifier({ settings }: Tenant, { data }: FlowRecord): boolean {
  // Whoever proves again who they are, or has proven it once, has said it before.
  const isKnown = [data.identifier, data.refreshes, data.ofOwner, data.firstFactor].some(
    (known) => known !== undefined,
  );
  return settings.login.style === "identifier_first" && !isKnown;
}

/** A form's nodes with what was typed as the identifier. */
function filledIn(nodes: readonly Node[], identifier: string): readonly Node[] {
  return nodes.map((node) =>
    node.name === "identifier" && node.element.kind === "input" && node.element.type !== "hidden"
      ? { ...node, element: { ...node.element, value: identifier } }
      : node,
  );
}

/** Nothing was typed to sign in with. */
export function identifierRequired(): StepRejected {
  const fields = [{ name: "identifier", message: messages.required("identifier") }];
  return { kind: "rejected", reason: "FORM_INCOMPLETE", problems: { fields, form: [] } };
}

/** Something else was submitted than what the flow remembers. */
export function identifierDiffers(chosen: string): StepRejected {
  const problems = { fields: [], form: [messages.anotherIdentifier(chosen)] };
  return { kind: "rejected", reason: "FORM_INCOMPLETE", problems };
}

/** Nobody signs in with it. Only where the configuration prefers friendly answers to safe ones. */
export function nobodySignsIn(): StepRejected {
  return notFound(messages.accountNotFound());
}

/** Nobody signs in with it by a code or link. Likewise. */
export function nobodyToSendTo(): StepRejected {
  return notFound(messages.noCodeSignIn());
}

function notFound(message: messages.Message): StepRejected {
  const problems = { fields: [{ name: "identifier", message }], form: [] };
  return { kind: "rejected", reason: "IDENTITY_NOT_FOUND", problems };
}

/** Not to be changed, and there for programs that keep passwords: they look for a name beside each of them. */
function chosenNode(value: string): Node {
  return identifierInput({ type: "hidden", value });
}

function identifierInput(input: Omit<InputKind, "kind" | "autocomplete">): Node {
  const element = { kind: "input", autocomplete: "username", ...input } as const;
  return { name: "identifier", messages: [], element };
}
