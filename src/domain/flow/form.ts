import { joinFieldPath, splitFieldPath } from "../field-path.ts";
import type { JsonValue } from "../json.ts";
import { type Message, required } from "../message/message.ts";

/** What a node belongs to. */
export type NodeGroup = "default" | "profile" | "password" | "code" | "link";

/** What is filled in. */
export type InputType =
  | "text"
  | "email"
  | "phone"
  | "url"
  | "number"
  | "checkbox"
  | "date"
  | "date_time"
  | "password"
  | "hidden"
  | "code";

/** A field to fill in. */
export interface InputKind {
  readonly kind: "input";
  readonly type: InputType;
  readonly value?: JsonValue | undefined;
  readonly required?: boolean | undefined;
  readonly autocomplete?: string | undefined;
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly pattern?: string | undefined;
  readonly options?: readonly InputOption[] | undefined;
  /** Whether the last part of the name is the index of an item of a list, of which the form then draws every item. */
  readonly listItem?: boolean | undefined;
  /** Whether the value was sent and is not saved: it is sent again also if nobody changes it. */
  readonly unsaved?: boolean | undefined;
}

/** One value to choose. */
export interface InputOption {
  readonly value: JsonValue;
  /** What to show for it; the value itself if it is left out. */
  readonly label?: string | undefined;
}

/** A button that submits the form with one step. */
export interface ButtonKind {
  readonly kind: "button";
  readonly step: string;
  /** Whether the form may be sent although required fields are empty. */
  readonly skipsRequired?: boolean | undefined;
}

/** One element of a form. Its name is the JSON path of the field of the Submit request that it fills. */
export interface Node {
  readonly name: string;
  readonly group: NodeGroup;
  readonly label?: Message | undefined;
  readonly messages: readonly Message[];
  readonly element: InputKind | ButtonKind;
}

/** What a user interface draws. */
export interface Form {
  readonly nodes: readonly Node[];
  readonly messages: readonly Message[];
}

/** What is wrong with a form: messages about fields by their node's name, and about the whole. */
export interface FormProblems {
  readonly fields: readonly { readonly name: string; readonly message: Message }[];
  readonly form: readonly Message[];
}

/**
 * Puts messages where they belong. What is said of an object or list that has no node of its own is said at a field within:
 * that it is missing, at each field that must be filled in there. What finds no place goes to the form.
 */
export function withProblems(nodes: readonly Node[], problems: FormProblems): Form {
  const drawn = nodes.filter(isDrawn);
  const placed = new Map<string, Message[]>();
  const rest: Message[] = [];
  for (const { name, message } of problems.fields) {
    const places = placesOf(drawn, name, message);
    for (const place of places) placed.set(place.name, [...(placed.get(place.name) ?? []), place.message]);
    if (places.length === 0) rest.push(message);
  }
  return {
    nodes: nodes.map((node) => {
      const own = placed.get(node.name);
      return own === undefined || !isDrawn(node) ? node : withMessages(node, own);
    }),
    messages: [...problems.form, ...rest],
  };
}

function placesOf(drawn: readonly Node[], name: string, message: Message): FormProblems["fields"] {
  if (drawn.some((node) => node.name === name)) return [{ name, message }];
  const within = drawn.filter((node) => node.element.kind === "input" && node.name.startsWith(`${name}.`));
  if (message.id !== requiredId) return within.slice(0, 1).map((node) => ({ name: node.name, message }));
  const needed = within.filter(({ element }) => element.kind === "input" && element.required);
  return (needed.length > 0 ? needed : within.slice(0, 1)).map(({ name: place, element }) => {
    const isItem = element.kind === "input" && element.listItem === true;
    return { name: place, message: isItem ? message : required(splitFieldPath(place).at(-1) ?? "") };
  });
}

/** What was left as it was drawn, a box without a tick or a list without items, is an answer when the form is sent again. */
function withMessages(node: Node, messages: readonly Message[]): Node {
  const { element } = node;
  const isAsked = messages.some(({ id }) => id === requiredId);
  if (!isAsked || element.kind !== "input" || element.value !== undefined) return { ...node, messages };
  if (element.listItem === true) return { ...node, messages, element: { ...element, unsaved: true } };
  return element.type === "checkbox"
    ? { ...node, messages, element: { ...element, value: false, unsaved: true } }
    : { ...node, messages };
}

const requiredId = required("").id;

function isDrawn({ element }: Node): boolean {
  return element.kind === "button" || element.type !== "hidden";
}

/** A button that submits the form with a step of its own name. */
export function button(step: string, label: Message, skipsRequired = false): Node {
  return {
    name: step,
    group: "default",
    label,
    messages: [],
    element: { kind: "button", step, skipsRequired },
  };
}

/** Joins path parts to a node name; a dot or backslash within a part is written with a backslash before it. */
export function nodeName(...parts: readonly string[]): string {
  return joinFieldPath(parts);
}
