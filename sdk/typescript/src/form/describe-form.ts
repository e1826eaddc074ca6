// SPDX-License-Identifier: Apache-2.0
import type { Flow } from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import { type FormNode, InputType } from "../../../../gen/ostiary/flow/v1/form_pb.js";
import { assertFlowClient } from "../client-kind.ts";
import { parseNodeName } from "../form-path.ts";
import { textOf } from "../form-value.ts";
import { type FormField, fieldOf, idOf } from "./field.ts";
import { type FormMessageView, type FormOptions, viewMessage } from "./message-view.ts";

/** A form as it is drawn. */
export interface FormView {
  /** About the form as a whole. */
  readonly messages: readonly FormMessageView[];
  /** Not drawn, but sent. */
  readonly hidden: readonly HiddenField[];
  /**
   * The fields that every step sends come first, then the steps in the order of the form; before them only buttons that the form
   * begins with.
   */
  readonly parts: readonly FormPart[];
}

/** A field that is not drawn, but sent. */
export interface HiddenField {
  readonly name: string;
  readonly value: string;
  /**
   * The token of the attribute `autocomplete`; undefined if there is none. One with `username` says whose password the form
   * asks for: programs that keep passwords look for it in a field of text, which can be out of sight, but not of the type
   * hidden.
   */
  readonly autocomplete: string | undefined;
}

/** The fields and buttons of one step; or, without a step, the fields that every step sends. */
export interface FormPart {
  readonly step: string | undefined;
  readonly fields: readonly FormField[];
  readonly buttons: readonly FormButton[];
  /** Whether it is another way to go on, with fields of its own, below one that is drawn before. */
  readonly alternative: boolean;
}

/** A button that submits the form. */
export interface FormButton {
  readonly step: string;
  readonly label: string;
  /** The first button that sends the fields of the form: what Enter presses, and what most people are here for. */
  readonly primary: boolean;
  /** What happens when it is pressed, where that needs saying. */
  readonly hint: { readonly id: string; readonly text: string } | undefined;
}

/**
 * Turns the form of a flow into what a page draws, from its nodes alone. Nodes of kinds that are newer than this
 * package are left out. Throws a FlowClientError for a flow of another kind of client than `options.client`.
 */
export function describeForm(flow: Flow, options: FormOptions = {}): FormView {
  assertFlowClient(flow, options.client);
  const nodes = flow.form?.nodes ?? [];
  const steps = stepsOf(nodes);
  const first = primaryStepOf(nodes);
  const stepOf = (node: FormNode) => {
    const [part] = parseNodeName(node.name) ?? [];
    return part !== undefined && steps.has(part) ? part : undefined;
  };
  const leading = leadingStepsOf(nodes);
  let seenFields = false;
  const parts: FormPart[] = [];
  for (const step of [...leading, undefined, ...[...steps].filter((each) => !leading.has(each))]) {
    const own = nodes.filter((node) => node.kind.case !== "button" && stepOf(node) === step);
    const fields = own.flatMap((node) => fieldOf(node, step, options) ?? []);
    const buttons = nodes.flatMap((node) => {
      if (node.kind.case !== "button" || node.kind.value.step !== step) return [];
      const hint = hintOf(node, step, options);
      return [{ step, label: labelOf(node, options), primary: step === first, hint }];
    });
    if (fields.length === 0 && buttons.length === 0) continue;
    const alternative = step !== undefined && fields.length > 0 && seenFields;
    parts.push({ step, fields, buttons, alternative });
    seenFields ||= step !== undefined && fields.length > 0;
  }
  return {
    messages: (flow.form?.messages ?? []).map((message) => viewMessage(message, options)),
    hidden: nodes.flatMap(({ name, kind }) =>
      kind.case === "input" && kind.value.type === InputType.HIDDEN
        ? [{ name, value: textOf(kind.value.value), autocomplete: kind.value.autocomplete || undefined }]
        : [],
    ),
    parts,
  };
}

/** The steps that the form has buttons for, in their order. */
function stepsOf(nodes: readonly FormNode[]): ReadonlySet<string> {
  return new Set(nodes.flatMap(({ kind }) => (kind.case === "button" ? [kind.value.step] : [])));
}

/** The steps whose buttons stand before all fields that are drawn. */
function leadingStepsOf(nodes: readonly FormNode[]): ReadonlySet<string> {
  const first = nodes.findIndex(({ kind }) => kind.case === "input" && kind.value.type !== InputType.HIDDEN);
  return first === -1 ? new Set() : stepsOf(nodes.slice(0, first));
}

/** Buttons that need no field are beside the point, unless there are no others. */
function primaryStepOf(nodes: readonly FormNode[]): string | undefined {
  const buttons = nodes.flatMap(({ kind }) => (kind.case === "button" ? [kind.value] : []));
  return (buttons.find(({ skipsRequired }) => !skipsRequired) ?? buttons[0])?.step;
}

function hintOf(node: FormNode, step: string, options: FormOptions): FormButton["hint"] {
  if (node.messages.length === 0) return undefined;
  const text = node.messages.map((message) => viewMessage(message, options).text).join(" ");
  return { id: `${idOf(step, options)}_hint`, text };
}

function labelOf(node: FormNode, options: FormOptions): string {
  return node.label === undefined ? node.name : viewMessage(node.label, options).text;
}
