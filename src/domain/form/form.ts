import { joinFieldPath } from "../field-path.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import type { MethodKind } from "../kinds.ts";
import { endOtherSessions } from "../user-message/factor-messages.ts";
import { consentMissing } from "../user-message/trait-messages.ts";
import { required, type UserMessage } from "../user-message/user-messages.ts";

/** What is filled in. */
export type InputType =
  | "text"
  | "multi_line_text"
  | "email"
  | "phone"
  | "url"
  | "number"
  | "checkbox"
  | "date"
  | "date_time"
  | "time"
  | "password"
  | "hidden"
  | "code";

/** A field to fill in. */
export interface InputKind {
  readonly kind: "input";
  readonly type: InputType;
  readonly value?: JsonValue | undefined;
  /** Whether the value differs from the saved one. Then it is sent also if nobody changes it. */
  readonly unsaved?: boolean | undefined;
  readonly required?: boolean | undefined;
  /** Whether it is shown and not filled in. */
  readonly readOnly?: boolean | undefined;
  readonly autocomplete?: string | undefined;
  readonly placeholder?: UserMessage | undefined;
  /** The value that the schema proposes if none is given. */
  readonly default?: JsonValue | undefined;
  /** Lengths are in Unicode code points. */
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly pattern?: string | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  /** The number that values are multiples of: 1 for whole numbers. */
  readonly step?: number | undefined;
  /** Whether it is a box that must be ticked, or be empty if it is not required. */
  readonly isConsent?: boolean | undefined;
  readonly choices?: readonly InputChoice[] | undefined;
  /** The usual number of digits of a code. Undefined: it is not known. */
  readonly codeLength?: number | undefined;
}

/** One value to choose. */
export interface InputChoice {
  readonly value: JsonValue;
  readonly label: UserMessage;
}

/** A list of traits, with all its items. */
export interface ListKind {
  readonly kind: "list";
  /** The nodes of one item, with names relative to the item; empty if nothing can be added. */
  readonly template: readonly Node[];
  /** The items, with whole names. */
  readonly items: readonly (readonly Node[])[];
  readonly minItems: number;
  /** Undefined: only the limits of traits hold. */
  readonly maxItems: number | undefined;
  /** The values that each can be an item once, as a box to tick; none for any other list. */
  readonly choices?: readonly InputChoice[] | undefined;
  /** Whether the list is shown and cannot be changed, because an item cannot be drawn whole or only an operator sets it. */
  readonly readOnly: boolean;
  /** Whether the items differ from the saved ones. Then they are sent also if nobody changes them. */
  readonly unsaved: boolean;
}

/** A button that submits the form with the step of its node. */
export interface ButtonKind {
  readonly kind: "button";
  /** The value that it gives to the field of its node's name. */
  readonly value?: JsonValue | undefined;
  /** Undefined: the first button of the form or section that needs its fields is the primary one. */
  readonly importance?: ButtonImportance | undefined;
  /** Whether it destroys something. */
  readonly danger?: boolean | undefined;
  /** The question to ask first. */
  readonly confirmation?: UserMessage | undefined;
  /** Whether the form may be sent although required fields are empty. */
  readonly skipsRequired?: boolean | undefined;
  /** The id of a mark beside the label. Default: none. */
  readonly icon?: string | undefined;
  /** The method that it tries. Undefined: it is none. */
  readonly method?: MethodKind | undefined;
  /** How long the step is still refused. Undefined: it is accepted. */
  readonly waitMs?: number | undefined;
}

/** How prominent a button is. */
export type ButtonImportance = "primary" | "secondary";

/** A link to somewhere else. */
export interface AnchorKind {
  readonly kind: "anchor";
  readonly url: string;
}

/** A paragraph. It may be a secret that is shown once. */
export interface TextKind {
  readonly kind: "text";
  readonly text: UserMessage;
  /** Whether people copy it. */
  readonly copyable?: boolean | undefined;
  /** Whether people keep it as a file or on paper. */
  readonly keepable?: boolean | undefined;
}

/** An image. It may show a secret. */
export interface ImageKind {
  readonly kind: "image";
  readonly data: Uint8Array;
  readonly mediaType: string;
  /** For people who do not see it. */
  readonly alternativeText: UserMessage;
}

/** A call of the browser or the app for a passkey; its answer fills the node. */
export interface PasskeyKind {
  readonly kind: "passkey";
  /** What to hand over (WebAuthn level 3). */
  readonly options: JsonObject;
  /** To show one, or to make one. */
  readonly ceremony: "get" | "create";
  /** Whether it can be called as soon as the form is drawn. */
  readonly conditional: boolean;
}

/** One element of a form. Its name is the JSON path of the field of the Submit request that it fills. */
export interface Node {
  readonly name: string;
  /** The step that sends the node, or that a button submits, by its JSON name. Undefined: every step sends it. */
  readonly step?: string | undefined;
  /** The section that it is drawn in. */
  readonly section?: string | undefined;
  readonly label?: UserMessage | undefined;
  readonly help?: UserMessage | undefined;
  readonly messages: readonly UserMessage[];
  /** The annotation `ostiary.ui` of the schema. */
  readonly ui?: JsonObject | undefined;
  readonly condition?: NodeCondition | undefined;
  /** The groups of traits that it is drawn in, outermost first. */
  readonly groups?: readonly NodeGroup[] | undefined;
  readonly link?: NodeLink | undefined;
  readonly element: InputKind | ListKind | ButtonKind | AnchorKind | TextKind | ImageKind | PasskeyKind;
}

/** Ties a node to the value of another node, which says which of several variants is filled in. */
export interface NodeCondition {
  /** The name of the other node. */
  readonly name: string;
  /** The values of the other node with which the node is drawn. */
  readonly values: readonly JsonValue[];
  /** The path that is sent as null if the node is not drawn. */
  readonly clears: string | undefined;
}

/** An object of the traits, whose fields are drawn together. */
export interface NodeGroup {
  /** The name that a node of the object would have. */
  readonly name: string;
  readonly label: UserMessage;
  readonly help: UserMessage | undefined;
}

/** A page to read before a field is filled in. */
export interface NodeLink {
  readonly url: string;
  /** The page in other languages, by their tags. */
  readonly urls: Readonly<Record<string, string>>;
  readonly label: UserMessage;
}

/** A group of nodes under a heading. */
export interface Section {
  readonly id: string;
  readonly title: UserMessage;
}

/** What a user interface draws. */
export interface Form {
  readonly title?: UserMessage | undefined;
  readonly subtitle?: UserMessage | undefined;
  /** The sentence that says whose account the form is about. */
  readonly account?: UserMessage | undefined;
  readonly sections?: readonly Section[] | undefined;
  readonly nodes: readonly Node[];
  readonly messages: readonly UserMessage[];
}

/** What is wrong with a form: messages about fields by their node's name, and about the whole. */
export interface FormProblems {
  readonly fields: readonly { readonly name: string; readonly message: UserMessage }[];
  readonly form: readonly UserMessage[];
}

/**
 * Puts each message at its node. A message about an object, which has no node of its own, goes to a field within; that an
 * object is missing, to each of its required fields. A message about an item that is not drawn goes to its list. A message
 * without a node goes to the form.
 */
export function withProblems(form: Form, problems: FormProblems): Form {
  const drawn = allNodes(form.nodes).filter(isDrawn);
  const placed = new Map<string, UserMessage[]>();
  const rest: UserMessage[] = [];
  for (const { name, message } of problems.fields) {
    const places = placesOf(drawn, name, message);
    for (const place of places) placed.set(place.name, [...(placed.get(place.name) ?? []), place.message]);
    if (places.length === 0) rest.push(message);
  }
  const place = (node: Node): Node => {
    const own = isDrawn(node) ? placed.get(node.name) : undefined;
    const { element } = node;
    const within =
      element.kind === "list"
        ? { ...node, element: { ...element, items: element.items.map((item) => item.map(place)) } }
        : node;
    return own === undefined ? within : withMessages(within, own);
  };
  return { ...form, nodes: form.nodes.map(place), messages: [...problems.form, ...rest] };
}

/** The nodes of a form and those of the items of its lists. */
export function allNodes(nodes: readonly Node[]): readonly Node[] {
  return nodes.flatMap((node) =>
    node.element.kind === "list" ? [node, ...node.element.items.flatMap(allNodes)] : [node],
  );
}

function placesOf(drawn: readonly Node[], name: string, message: UserMessage): FormProblems["fields"] {
  if (drawn.some((node) => node.name === name)) return [{ name, message }];
  const isFilledIn = ({ element: { kind } }: Node) =>
    kind === "input" || kind === "list" || kind === "passkey";
  const within = drawn.filter((node) => isFilledIn(node) && node.name.startsWith(`${name}.`));
  if (message.id !== requiredId) {
    const list = drawn.find((node) => node.element.kind === "list" && name.startsWith(`${node.name}.`));
    return [...within, ...(list === undefined ? [] : [list])].slice(0, 1).map((node) => ({
      name: node.name,
      message,
    }));
  }
  const needed = within.filter(({ element }) => element.kind === "input" && element.required);
  return (needed.length > 0 ? needed : within.slice(0, 1)).map(({ name: place }) => ({
    name: place,
    message: required(place),
  }));
}

/** What was left as it was drawn, a box without a tick or a list without items, is an answer when the form is sent again. */
function withMessages(node: Node, messages: readonly UserMessage[]): Node {
  const { element } = node;
  if (!messages.some(({ id }) => id === requiredId)) return { ...node, messages };
  if (element.kind === "input" && element.isConsent) {
    return { ...node, messages: messages.map((each) => (each.id === requiredId ? consentMissing() : each)) };
  }
  if (element.kind === "list") return { ...node, messages, element: { ...element, unsaved: true } };
  const isEmptyBox = element.kind === "input" && element.type === "checkbox" && element.value === undefined;
  return isEmptyBox
    ? { ...node, messages, element: { ...element, value: false, unsaved: true } }
    : { ...node, messages };
}

const requiredId = required("").id;

function isDrawn({ element }: Node): boolean {
  return element.kind !== "input" || element.type !== "hidden";
}

/** A button that submits the form with a step, whose name it has. */
export function button(step: string, label: UserMessage, skipsRequired = false): Node {
  return { name: step, step, label, messages: [], element: { kind: "button", skipsRequired } };
}

/** The nodes of a method, with buttons that say so. */
export function ofMethod(method: MethodKind, nodes: readonly Node[]): readonly Node[] {
  return nodes.map((node) =>
    node.element.kind === "button" ? { ...node, element: { ...node.element, method } } : node,
  );
}

/** A button beside the way that the form is for: never the primary one, and no field is needed. */
export function sideButton(step: string, label: UserMessage, waitMs?: number): Node {
  const element = { kind: "button", skipsRequired: true, importance: "secondary", waitMs } as const;
  return { name: step, step, label, messages: [], element };
}

/** The wait until a time, for a button: in whole seconds, of which the last has begun. Undefined: the time has come. */
export function waitUntil(time: Date, now: Date): number | undefined {
  const seconds = Math.ceil((time.getTime() - now.getTime()) / 1000);
  return seconds > 0 ? seconds * 1000 : undefined;
}

/** The box of a step with which other sessions of the account end. */
export function endOtherSessionsNode(step: string): Node {
  const name = nodeName(step, "endOtherSessions");
  return {
    name,
    step,
    label: endOtherSessions(),
    messages: [],
    element: { kind: "input", type: "checkbox" },
  };
}

/** Gives each button an importance: one button of the form, or of each section, is primary, unless the first says that it is not. */
export function withImportance(nodes: readonly Node[]): readonly Node[] {
  const primary = new Map<string | undefined, Node>();
  for (const node of nodes) {
    const { section, element } = node;
    if (element.kind !== "button") continue;
    const first = primary.get(section);
    // A button that needs no field is primary only if there is no other.
    const needsFields =
      first?.element.kind === "button" && first.element.skipsRequired && !element.skipsRequired;
    if (first === undefined || needsFields) primary.set(section, node);
  }
  return nodes.map((node) => {
    if (node.element.kind !== "button" || node.element.importance !== undefined) return node;
    const importance = primary.get(node.section) === node ? "primary" : "secondary";
    return { ...node, element: { ...node.element, importance } };
  });
}

/** Joins path parts to a node name; a dot or backslash within a part is written with a backslash before it. */
export function nodeName(...parts: readonly string[]): string {
  return joinFieldPath(parts);
}
