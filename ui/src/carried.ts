import { textOf } from "@ostiary/sdk";
import { type Flow, FlowKind, type FormNode, InputType } from "@ostiary/sdk/v1/flow";

/**
 * The name or address that a person has typed on one page, for the next one: from the login to the registration, to the recovery and
 * back. Kept in memory alone.
 */
let carried = "";

/** The kinds of flows that ask who somebody is. */
const asking: ReadonlySet<FlowKind> = new Set([
  FlowKind.LOGIN,
  FlowKind.REGISTRATION,
  FlowKind.VERIFICATION,
  FlowKind.RECOVERY,
]);

/** Takes along what a form says of who somebody is. */
export function carry(flow: Flow, data: FormData): void {
  if (!asking.has(flow.kind) || flow.account !== undefined) return;
  const typed = (flow.form?.nodes ?? [])
    .filter(isName)
    .map(({ name }) => String(data.get(name) ?? "").trim())
    .find((text) => text !== "");
  if (typed !== undefined) carried = typed;
}

/** Forgets it: somebody has signed in, or out. Security rule (SR-FLOW-3): it is never shown to the next person. */
export function forgetCarried(): void {
  carried = "";
}

/** A fresh flow, filled in with it where it fits. */
export function fillCarried(flow: Flow): Flow {
  if (carried === "" || flow.form === undefined || flow.account !== undefined || !asking.has(flow.kind))
    return flow;
  const place = flow.form.nodes.find((node) => isName(node) && fits(node));
  if (place?.kind.case !== "input" || textOf(place.kind.value.value) !== "") return flow;
  const value = { ...place.kind.value, value: textValue(carried), unsaved: true };
  const filled: FormNode = { ...place, kind: { case: "input", value } };
  const nodes = flow.form.nodes.map((node) => (node === place ? filled : node));
  return { ...flow, form: { ...flow.form, nodes } };
}

function textValue(text: string) {
  return { $typeName: "google.protobuf.Value" as const, kind: { case: "stringValue" as const, value: text } };
}

/** Whether a field asks by what somebody is known. */
function isName({ name, kind }: FormNode): boolean {
  if (kind.case !== "input" || kind.value.type === InputType.HIDDEN) return false;
  if (name === "identifier" || name === "address") return true;
  const { type, autocomplete } = kind.value;
  const isContact = type === InputType.EMAIL || type === InputType.PHONE;
  return name.startsWith("traits.") && (isContact || /\b(username|email|tel)\b/.test(autocomplete));
}

/** Whether a field of a registration takes such a text. */
function fits({ name, kind }: FormNode): boolean {
  if (kind.case !== "input") return false;
  if (!name.startsWith("traits.")) return true;
  if (carried.includes("@")) return kind.value.type === InputType.EMAIL;
  const isNumber = /^\+[\d ()/.-]+$/.test(carried);
  return isNumber === (kind.value.type === InputType.PHONE) && kind.value.type !== InputType.EMAIL;
}
