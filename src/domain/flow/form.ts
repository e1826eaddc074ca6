import type { JsonValue } from "../json.ts";
import type { Message } from "../message/message.ts";

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

/** Puts messages where they belong; those about a field that has no node, or none that is drawn, go to the form. */
export function withProblems(nodes: readonly Node[], problems: FormProblems): Form {
  const names = new Set(nodes.filter(isDrawn).map((node) => node.name));
  return {
    nodes: nodes.map((node) => {
      const own = isDrawn(node) ? problems.fields.filter((field) => field.name === node.name) : [];
      return own.length === 0 ? node : { ...node, messages: own.map((field) => field.message) };
    }),
    messages: [
      ...problems.form,
      ...problems.fields.filter((field) => !names.has(field.name)).map((field) => field.message),
    ],
  };
}

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
  return parts.map((part) => part.replace(/[\\.]/g, "\\$&")).join(".");
}
