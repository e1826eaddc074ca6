import { domainError } from "../errors.ts";
import { isObject, type JsonObject, type JsonValue } from "../json.ts";
import { type Node, nodeName } from "./form.ts";
import { FormReader } from "./form-reader.ts";
import type { FlowSubmission, SubmittedStep } from "./submission.ts";

/** A filled-in form of any kind of flow: values by the names of its nodes. */
export interface FilledForm extends FlowSubmission {
  /** The step of the button that was pressed. */
  readonly pressed: string;
  /** Settings only: the etag of the traits that the form was drawn from; empty if the client sent none. */
  readonly traitsEtag: string;
  readonly values: ReadonlyMap<string, JsonValue>;
}

/** A filled-in form that was read: the fields that the typed submits of all kinds have. */
export interface FormSubmission extends FlowSubmission {
  readonly step: SubmittedStep;
  readonly identifier: string;
  readonly address: string;
  /** A merge patch. */
  readonly traits: JsonObject;
  readonly traitsEtag: string;
}

/**
 * The submission as it is, or read from a form.
 *
 * Security rule (SR-FLOW-1): call it only once the caller has shown that the flow is theirs. The violations tell what is in the form, which
 * a stranger must not learn.
 */
export function submissionOf<Submission extends FlowSubmission>(
  submitted: Submission | FilledForm,
  nodes: () => readonly Node[],
): Submission | FormSubmission {
  return isFilledForm(submitted) ? readForm(submitted, nodes()) : submitted;
}

/** Whether it is a form that was not read yet. */
export function isFilledForm(submitted: object): submitted is FilledForm {
  return "pressed" in submitted;
}

/** The name of the step that was submitted. */
export function stepNameOf(submitted: { readonly step: SubmittedStep } | FilledForm): string {
  return isFilledForm(submitted) ? submitted.pressed : submitted.step.name;
}

/** The fields of the step that was submitted, as they came, of a form also before it was read. */
export function fieldsOf(
  submitted: { readonly step: SubmittedStep } | FilledForm,
): (name: string) => unknown {
  if (isFilledForm(submitted)) return (name) => submitted.values.get(nodeName(submitted.pressed, name));
  return (name) => submitted.step.fields[name];
}

/** The identifier that was typed into a form that was not read yet; empty if it is no text. */
export function typedIdentifierOf({ values }: FilledForm): string {
  const typed = values.get("identifier");
  return typeof typed === "string" ? typed : "";
}

/**
 * Reads a form by its present nodes. A value is taken only for a node that the form has, or for an added item of a list. Values
 * of a step that was not pressed are left out. Throws STEP_NOT_OFFERED, and REQUEST_INVALID with a violation at each name that
 * is wrong.
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
