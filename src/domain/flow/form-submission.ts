import { domainError } from "../errors.ts";
import { isObject, type JsonObject, type JsonValue } from "../json.ts";
import type { SubmittedStep } from "../method/method.ts";
import type { FlowSubmission } from "./flow-keeper.ts";
import type { Node } from "./form.ts";
import { FormReader } from "./form-reader.ts";

/** A form as somebody filled it in, whatever kind of flow it is of: values by the names of its nodes. */
export interface FilledForm extends FlowSubmission {
  /** The step of the button that was pressed. */
  readonly pressed: string;
  /** Of settings: the traits that the form was drawn from; empty where nobody knows. */
  readonly traitsEtag: string;
  readonly values: ReadonlyMap<string, JsonValue>;
}

/** What a filled-in form says: the fields that the typed submits of all kinds have together. */
export interface FormSubmission extends FlowSubmission {
  readonly step: SubmittedStep;
  readonly identifier: string;
  readonly address: string;
  /** A merge patch. */
  readonly traits: JsonObject;
  readonly traitsEtag: string;
}

/**
 * What was submitted: as it is, or read from a form.
 *
 * Security rule: only to be asked for once the caller has shown that the flow is theirs. What is wrong with a form tells what is
 * in it, and a stranger learns nothing of that.
 */
export function submissionOf<Submission extends FlowSubmission>(
  submitted: Submission | FilledForm,
  nodes: () => readonly Node[],
): Submission | FormSubmission {
  return isFilledForm(submitted) ? readForm(submitted, nodes()) : submitted;
}

/** Whether it is a form, which nobody has judged yet. */
export function isFilledForm(submitted: object): submitted is FilledForm {
  return "pressed" in submitted;
}

/** The name of the step that was submitted. */
export function stepNameOf(submitted: { readonly step: SubmittedStep } | FilledForm): string {
  return isFilledForm(submitted) ? submitted.pressed : submitted.step.name;
}

/** What was typed to sign in with, in a form that nobody has judged yet; empty if that is no text. */
export function typedIdentifierOf({ values }: FilledForm): string {
  const typed = values.get("identifier");
  return typeof typed === "string" ? typed : "";
}

/**
 * Reads a form by the nodes that it has now. A value is taken only for a node that is there, or for the next items of a list;
 * those of a step that was not pressed are left out. Throws STEP_NOT_OFFERED, REQUEST_INVALID with a violation at each name
 * that is wrong.
 */
export function readForm(filled: FilledForm, nodes: readonly Node[]): FormSubmission {
  const { pressed, values, ...common } = filled;
  if (!nodes.some(({ element, step }) => element.kind === "button" && step === pressed)) {
    throw domainError("STEP_NOT_OFFERED", { step: pressed });
  }
  const document = new FormReader(nodes, pressed).read(values);
  const fields = memberOf(document, pressed);
  const traits = memberOf(document, "traits");
  return {
    ...common,
    step: { name: pressed, fields: isObject(fields) ? fields : {} },
    identifier: textOf(memberOf(document, "identifier")),
    address: textOf(memberOf(document, "address")),
    traits: isObject(traits) ? traits : {},
  };
}

function memberOf(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}
