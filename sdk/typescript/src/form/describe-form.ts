// SPDX-License-Identifier: Apache-2.0

import { durationMs } from "@bufbuild/protobuf/wkt";
import { MethodKind } from "../../../../gen/ostiary/common/v1/method_kind_pb.js";
import type { Flow } from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import {
  ButtonImportance,
  type FormNode,
  InputType,
  type ListNode,
  PasskeyCeremony,
} from "../../../../gen/ostiary/flow/v1/form_pb.js";
import { assertFlowClient } from "../client-kind.ts";
import { canTakeOut, hasRoom, heldValues, isOfBoxes, itemName, itemNodes } from "../form-list.ts";
import { textOf, valueText } from "../form-value.ts";
import {
  describedBy,
  type FieldLink,
  type FormField,
  fieldOf,
  hintIn,
  idOf,
  isWebUrl,
  linkOf,
  type ShownWhile,
  shownWhile,
} from "./field.ts";
import { withEnterKeys, withSelfSending } from "./field-notes.ts";
import {
  type FieldOptions,
  type FormMessageView,
  type FormOptions,
  saidOf,
  viewMessage,
} from "./message-view.ts";
import type { FormPasskey } from "./passkey.ts";
import { englishFormTexts } from "./texts.ts";
import { beginsAnotherWay, withPutAway } from "./ways.ts";

/** A form as it is drawn. */
export interface FormView {
  /** What the stage is called: the heading of the page. */
  readonly title: FormMessageView | undefined;
  /** What is to be done, in a sentence. */
  readonly subtitle: FormMessageView | undefined;
  /** Whose account it is about. */
  readonly account: FormMessageView | undefined;
  /** About the form as a whole. */
  readonly messages: readonly FormMessageView[];
  /** Not drawn, but sent. */
  readonly hidden: readonly HiddenField[];
  /**
   * The fields that every step sends come first, then the steps in the order of the form; before them only buttons that the form
   * begins with.
   */
  readonly parts: readonly FormPart[];
  /** Not drawn: what the browser is called for when the button of the step is pressed. */
  readonly passkeys: readonly FormPasskey[];
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
  /** The heading that the part begins with; undefined if it belongs to the one before, or there is none. */
  readonly heading: string | undefined;
  /** The section that the part belongs to, by its id, with its heading. Undefined: none. */
  readonly section: FormSectionView | undefined;
  /** All that is drawn above the buttons, in order. */
  readonly elements: readonly FormElement[];
  /** The fields among them, with those of the items of lists. */
  readonly fields: readonly FormField[];
  readonly buttons: readonly FormButton[];
  /**
   * Whether it is another way to go on, below one that is drawn before: with fields of its own, or with buttons each of which is a choice
   * by itself, such as those of other providers.
   */
  readonly alternative: boolean;
  /** Whether it is one of so many other ways to go on that they are put away behind "Try another way". */
  readonly putAway: boolean;
}

/** A section of a form. */
export interface FormSectionView {
  /** As in the form: `profile`, `password`. */
  readonly id: string;
  readonly heading: string;
  /** The id of the heading in the page. */
  readonly headingId: string;
}

/** What a part is made of. */
export type FormElement = FormField | FormGroup | FormList | FormText | FormImage | FormAnchor;

/** An object whose fields are drawn together, below its label. */
export interface FormGroup {
  readonly kind: "group";
  readonly name: string;
  readonly label: string;
  readonly hint: string | undefined;
  readonly ids: { readonly hint: string };
  readonly elements: readonly FormElement[];
}

/** A list of any length. */
export interface FormList {
  readonly kind: "list";
  readonly name: string;
  readonly label: string;
  readonly hint: string | undefined;
  readonly errors: readonly FormMessageView[];
  readonly shownWhile: ShownWhile | undefined;
  readonly ids: { readonly list: string; readonly hint: string; readonly errors: string };
  /** The attributes of the element around the list. One with errors can get the focus. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly link: FieldLink | undefined;
  /**
   * The boxes to tick, in the place of items; undefined for any other list. Draw a hidden control with the name of the list and no
   * value before them: it says that they were drawn when none is ticked.
   */
  readonly boxes: readonly FormBox[] | undefined;
  /** The fields of the items that there are. */
  readonly items: readonly (readonly FormField[])[];
  /** Whether another item can be added to so many. */
  canAdd(count: number): boolean;
  /** The item at an index; of one that is added empty. */
  item(index: number): FormItem;
}

/** One item of a list. */
export interface FormItem {
  /** The name of the item. A hidden control with it and no value, in the place of the item's fields, takes the item out. */
  readonly name: string;
  /** What tells it from the others, for screen readers. */
  readonly label: string;
  readonly elements: readonly FormElement[];
  /** Whether it can be taken out. One that was added can be, by no longer drawing it. */
  readonly canTakeOut: boolean;
}

/** A box of a list of which any number can be ticked. */
export interface FormBox {
  readonly value: string;
  readonly label: string;
  readonly checked: boolean;
  /** The attributes of the control, a checkbox. */
  readonly attributes: FormField["attributes"];
}

/** A paragraph. */
export interface FormText {
  readonly kind: "text";
  readonly name: string;
  readonly label: string | undefined;
  readonly text: string;
  /** Whether to offer a button that copies it. */
  readonly copyable: boolean;
  /** Whether to offer buttons that save it as a file and print it. */
  readonly keepable: boolean;
}

/** An image. */
export interface FormImage {
  readonly kind: "image";
  readonly name: string;
  /** Of the element `img`. */
  readonly source: string;
  readonly alternativeText: string;
}

/** A link to somewhere else. */
export interface FormAnchor {
  readonly kind: "anchor";
  readonly name: string;
  readonly label: string;
  readonly url: string;
}

/** A button that submits the form. */
export interface FormButton {
  readonly step: string;
  readonly label: string;
  /** What it is sent as; undefined if the step alone is. */
  readonly sent: { readonly name: string; readonly value: string } | undefined;
  /** What most people are here for. */
  readonly primary: boolean;
  /** Whether it destroys something. */
  readonly danger: boolean;
  /** What to ask before the form is sent with it. */
  readonly confirmation: string | undefined;
  /** The id of a mark to draw beside the label, such as `google`; undefined if there is none. */
  readonly icon: string | undefined;
  /** The method that it tries; undefined if it is none. */
  readonly method: MethodKind | undefined;
  /** Whether this browser signed in with it last. The hint says so. */
  readonly lastUsed: boolean;
  /** How long it cannot be pressed yet, in milliseconds from when the flow came; 0 if it can. */
  readonly waitMs: number;
  /** What happens when it is pressed, where that needs saying. */
  readonly hint: { readonly id: string; readonly text: string } | undefined;
}

/**
 * Turns the form of a flow into what a page draws, from its nodes alone. Nodes of kinds that are newer than this
 * package are left out. Throws a FlowClientError for a flow of another kind of client than `options.client`.
 */
export function describeForm(flow: Flow, options: FieldOptions = {}): FormView {
  assertFlowClient(flow, options.client);
  const nodes = flow.form?.nodes ?? [];
  const headings = new Map((flow.form?.sections ?? []).map(({ id, title }) => [id, title] as const));
  let section = "";
  const parts: FormPart[] = [];
  for (const { step, nodes: own } of groupsOf(nodes)) {
    const elements = elementsOf(own, step, options);
    const buttons = own.flatMap((node) => buttonOf(node, options) ?? []);
    if (elements.length === 0 && buttons.length === 0) continue;
    const begins = own.find((node) => node.section !== "")?.section ?? "";
    const title = headings.get(begins);
    const heading = title && viewMessage(title, options).text;
    const isChoice =
      elements.length === 0 &&
      begins === "" &&
      own.every((node) => node.kind.case !== "button" || isChoiceByItself(node));
    parts.push({
      step,
      heading: begins === section ? undefined : heading,
      section:
        heading === undefined
          ? undefined
          : { id: begins, heading, headingId: idOf(`section.${begins}`, options) },
      elements,
      fields: elements.flatMap(fieldsIn),
      buttons,
      // A heading says by itself that something else begins.
      alternative:
        step !== undefined && heading === undefined && beginsAnotherWay(parts, elements, buttons, isChoice),
      putAway: false,
    });
    section = begins;
  }
  return {
    title: flow.form?.title && viewMessage(flow.form.title, options),
    subtitle: flow.form?.subtitle && viewMessage(flow.form.subtitle, options),
    account: flow.form?.account && viewMessage(flow.form.account, options),
    // A passkey is not drawn, so what is wrong with it is said above the form.
    messages: [
      ...(flow.form?.messages ?? []),
      ...nodes.flatMap(({ kind, messages }) => (kind.case === "passkey" ? messages : [])),
    ].map((message) => viewMessage(message, options)),
    hidden: hiddenIn(nodes, options),
    parts: withEnterKeys(withSelfSending(withPutAway(withoutEchoes(parts)), options)),
    passkeys: nodes.flatMap(passkeyOf),
  };
}

/** Leaves out the label of a text that says what the heading of its section says, where the section is about nothing else. */
function withoutEchoes(parts: readonly FormPart[]): readonly FormPart[] {
  const labelled = (part: FormPart) =>
    part.elements.flatMap((element) => (element.kind === "text" && element.label ? [element] : []));
  return parts.map((part) => {
    const { section } = part;
    const beside = parts.filter((each) => each.section?.id === section?.id).flatMap(labelled);
    const [only, ...others] = beside;
    if (section === undefined || others.length > 0 || only?.label !== section.heading) return part;
    const elements = part.elements.map((each) => (each === only ? { ...only, label: undefined } : each));
    return { ...part, elements };
  });
}

/** What is sent and not drawn, with what the person signs in with whose password a form asks for alone. */
function hiddenIn(nodes: readonly FormNode[], { username }: FormOptions): readonly HiddenField[] {
  const inputs = nodes.flatMap(({ name, kind }) => (kind.case === "input" ? [{ name, ...kind.value }] : []));
  const hidden = inputs
    .filter(({ type }) => type === InputType.HIDDEN)
    .map(({ name, value, autocomplete }) => ({
      ...{ name, value: textOf(value), autocomplete: autocomplete || undefined },
    }));
  const asksForPassword = inputs.some(({ type }) => type === InputType.PASSWORD);
  const isNamed = inputs.some(({ autocomplete }) => /\busername\b/.test(autocomplete));
  if (!asksForPassword || isNamed || username === undefined || username === "") return hidden;
  // No field of the request has this name, so it is not sent.
  return [...hidden, { name: "username", value: username, autocomplete: "username" }];
}

/** Nodes that are drawn together, as the part of a step. */
interface NodeGroup {
  readonly step: string | undefined;
  readonly nodes: readonly FormNode[];
}

/**
 * The parts of a form in their order, section by section. What every step sends comes first, and before that only buttons that stand
 * before all fields. Within a section, what only says something belongs to the button that follows it, such as that of one of several
 * credentials.
 */
function groupsOf(nodes: readonly FormNode[]): readonly NodeGroup[] {
  const steps = stepsOf(nodes);
  const leading = leadingStepsOf(nodes);
  const ordered = [...leading, undefined, ...[...steps].filter((each) => !leading.has(each))];
  const sections = [...new Set(["", ...nodes.map(({ section }) => section)])];
  return sections.flatMap((section) => {
    const own = nodes.filter((node) => node.section === section);
    const said = section === "" ? new Map<FormNode, FormNode>() : buttonsBelow(own, steps);
    const apart = new Set(said.values());
    const groups = ordered.map((step) => ({
      step,
      nodes: own.filter(
        (node) =>
          !said.has(node) && !apart.has(node) && (steps.has(node.step) ? node.step : undefined) === step,
      ),
    }));
    const withWords = [...apart].map((button) => ({
      step: button.step,
      nodes: own.filter((node) => node === button || said.get(node) === button),
    }));
    const first = (group: NodeGroup) => own.findIndex((node) => group.nodes.includes(node));
    const rest = groups.filter((group) => group.nodes.length > 0);
    return withWords.length === 0 ? rest : [...rest, ...withWords].sort((a, b) => first(a) - first(b));
  });
}

/** The button that follows each node that only says something. */
function buttonsBelow(
  nodes: readonly FormNode[],
  steps: ReadonlySet<string>,
): ReadonlyMap<FormNode, FormNode> {
  const below = new Map<FormNode, FormNode>();
  let said: FormNode[] = [];
  for (const node of nodes) {
    const { kind, step } = node;
    const isSaid =
      !steps.has(step) && (kind.case === "text" || kind.case === "anchor" || kind.case === "image");
    if (isSaid) said.push(node);
    else if (kind.case === "button") for (const each of said) below.set(each, node);
    if (!isSaid) said = [];
  }
  return below;
}

/** Whether a button needs no field, and says by its value what was chosen. */
function isChoiceByItself({ kind }: FormNode): boolean {
  return kind.case === "button" && kind.value.value !== undefined && kind.value.skipsRequired;
}

function passkeyOf({ name, step, kind }: FormNode): readonly FormPasskey[] {
  if (kind.case !== "passkey") return [];
  const { options = {}, ceremony, conditional } = kind.value;
  switch (ceremony) {
    case PasskeyCeremony.GET:
      return [{ step, name, options, ceremony: "get", conditional }];
    case PasskeyCeremony.CREATE:
      return [{ step, name, options, ceremony: "create", conditional }];
    default:
      return [];
  }
}

/** The steps that the form has buttons for, in their order. */
function stepsOf(nodes: readonly FormNode[]): ReadonlySet<string> {
  return new Set(nodes.flatMap(({ kind, step }) => (kind.case === "button" ? [step] : [])));
}

/** The steps whose buttons stand before all fields that are drawn. */
function leadingStepsOf(nodes: readonly FormNode[]): ReadonlySet<string> {
  const first = nodes.findIndex(
    ({ kind }) => kind.case === "list" || (kind.case === "input" && kind.value.type !== InputType.HIDDEN),
  );
  return first === -1 ? new Set() : stepsOf(nodes.slice(0, first));
}

/** The elements of nodes, within their groups. */
function elementsOf(
  nodes: readonly FormNode[],
  step: string | undefined,
  options: FieldOptions,
): readonly FormElement[] {
  const elements: FormElement[] = [];
  let open: { readonly name: string; readonly elements: FormElement[] }[] = [];
  for (const node of nodes) {
    const element = elementOf(node, step, options);
    if (element === undefined) continue;
    const left = node.groups.findIndex(({ name }, depth) => open[depth]?.name !== name);
    const depth = left === -1 ? node.groups.length : left;
    open = open.slice(0, depth);
    for (const { name, label, help } of node.groups.slice(depth)) {
      const group = {
        kind: "group" as const,
        name,
        label: label === undefined ? name : viewMessage(label, options).text,
        hint: help && viewMessage(help, options).text,
        ids: { hint: `${idOf(name, options)}_hint` },
        elements: [] as FormElement[],
      };
      (open.at(-1)?.elements ?? elements).push(group);
      open.push(group);
    }
    (open.at(-1)?.elements ?? elements).push(element);
  }
  return elements;
}

function fieldsIn(element: FormElement): readonly FormField[] {
  if (element.kind === "list") return element.items.flat();
  if (element.kind === "group") return element.elements.flatMap(fieldsIn);
  return element.kind === "field" ? [element] : [];
}

/** The element of a node. Undefined for hidden inputs and unknown kinds. */
function elementOf(node: FormNode, step: string | undefined, options: FieldOptions): FormElement | undefined {
  const { name, kind } = node;
  switch (kind.case) {
    case "input":
      return fieldOf(node, step, options);
    case "list":
      return listOf(node, step, options);
    case "text": {
      const { copyable, keepable } = kind.value;
      const text = kind.value.text ? viewMessage(kind.value.text, options).text : "";
      const label = node.label && viewMessage(node.label, options).text;
      return { kind: "text", name, label, text, copyable, keepable };
    }
    case "image": {
      const { source, alternativeText } = kind.value;
      const drawn =
        source.case === "data" ? dataUrl(kind.value.mediaType, source.value) : (source.value ?? "");
      const text = alternativeText ? viewMessage(alternativeText, options).text : "";
      return isSafeUrl(drawn, true)
        ? { kind: "image", name, source: drawn, alternativeText: text }
        : undefined;
    }
    case "anchor":
      return isSafeUrl(kind.value.url, false)
        ? { kind: "anchor", name, label: labelOf(node, options), url: kind.value.url }
        : undefined;
    default:
      return undefined;
  }
}

function listOf(node: FormNode, step: string | undefined, options: FieldOptions): FormList | undefined {
  if (node.kind.case !== "list") return undefined;
  const { items } = node.kind.value;
  const { hints, errors } = saidOf(node, options);
  const hint = hintIn(hints);
  const id = idOf(node.name, options);
  const ids = { list: id, hint: `${id}_hint`, errors: `${id}_errors` };
  const label = labelOf(node, options);
  const item = (index: number): FormItem => {
    const nodes = itemNodes(node, index);
    const elements = elementsOf(nodes, step, options).map((element) =>
      // Of a list of values the label is that of the list.
      nodes.length === 1 && element.kind === "field" && element.name === itemName(node, index)
        ? { ...element, label: `${element.label} ${index + 1}`, optional: false }
        : element,
    );
    const name = itemName(node, index);
    return { name, label: `${label} ${index + 1}`, elements, canTakeOut: canTakeOut(node, index) };
  };
  return {
    kind: "list",
    name: node.name,
    label,
    hint,
    errors,
    link: linkOf(node, options),
    shownWhile: shownWhile(node),
    ids,
    attributes: {
      id,
      ...describedBy({ hint, errors, ids }),
      ...(errors.length > 0 && { tabindex: "-1", "data-invalid": "true" }),
    },
    boxes: isOfBoxes(node) ? boxesOf(node, node.kind.value, options) : undefined,
    items: items.map((_, index) => item(index).elements.flatMap(fieldsIn)),
    canAdd: (count) => hasRoom(node, count),
    item,
  };
}

function boxesOf(node: FormNode, list: ListNode, options: FormOptions): readonly FormBox[] {
  const held = heldValues(node).map(valueText);
  return list.choices.map(({ value, label }) => {
    const text = textOf(value);
    return {
      value: text,
      label: label === undefined ? text : viewMessage(label, options).text,
      checked: held.includes(text),
      attributes: {
        type: "checkbox",
        id: idOf(`${node.name}.${text}`, options),
        name: node.name,
        value: text,
        ...(list.readOnly && { disabled: true }),
      },
    };
  });
}

function buttonOf(node: FormNode, options: FormOptions): FormButton | undefined {
  if (node.kind.case !== "button") return undefined;
  const { value, importance, danger, confirmation, icon, method, wait } = node.kind.value;
  const lastUsed = method !== MethodKind.UNSPECIFIED && method === options.lastUsedMethod;
  return {
    step: node.step,
    label: labelOf(node, options),
    sent: value && { name: node.name, value: textOf(value) },
    primary: importance === ButtonImportance.PRIMARY,
    danger,
    confirmation: confirmation && viewMessage(confirmation, options).text,
    icon: icon || undefined,
    method: method || undefined,
    lastUsed: lastUsed || isMarkedLast(node, options),
    waitMs: wait === undefined ? 0 : durationMs(wait),
    hint: hintOf(node, lastUsed, options),
  };
}

/** The number of the server's mark on the provider that was used last. */
const lastUsedMark = 9000712;

/** Whether the server marks a provider. A method that the page knows of was used after it. */
function isMarkedLast({ help }: FormNode, { lastUsedMethod }: FormOptions): boolean {
  return help?.id === lastUsedMark && lastUsedMethod === undefined;
}

function hintOf(node: FormNode, lastUsed: boolean, options: FormOptions): FormButton["hint"] {
  const isStale = node.help?.id === lastUsedMark && !isMarkedLast(node, options);
  const { hints, errors } = saidOf(isStale ? { ...node, help: undefined } : node, options);
  const own = lastUsed ? [options.texts?.lastUsed ?? englishFormTexts.lastUsed] : [];
  const text = hintIn([...own, ...hints, ...errors.map((error) => error.text)]);
  if (text === undefined) return undefined;
  // Several buttons may have one name.
  const value = node.kind.case === "button" ? textOf(node.kind.value.value) : "";
  return { id: `${idOf(value === "" ? node.name : `${node.name}.${value}`, options)}_hint`, text };
}

function labelOf(node: FormNode, options: FormOptions): string {
  return node.label === undefined ? node.name : viewMessage(node.label, options).text;
}

function dataUrl(mediaType: string, bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return `data:${mediaType};base64,${btoa(text)}`;
}

/** Security: what the server names is shown or followed only where it is no script. */
function isSafeUrl(url: string, isImage: boolean): boolean {
  return isWebUrl(url) || (isImage && /^data:image\//i.test(url));
}
