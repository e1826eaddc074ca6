// SPDX-License-Identifier: Apache-2.0
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import type { Flow } from "../../../gen/ostiary/flow/v1/flow_pb.js";
import { type FormNode, InputType } from "../../../gen/ostiary/flow/v1/form_pb.js";
import { parseNodeName } from "./form-path.ts";
import { traitChanges } from "./form-traits.ts";
import { jsonOf, textOf, textsOf, valueOfInput } from "./form-value.ts";

/** What `FlowService.SubmitForm` takes: what was filled in, by the names of the nodes. */
export interface FormValues {
  /** The step of the button that was pressed. */
  readonly step: string;
  readonly values: { readonly [name: string]: Value };
}

/**
 * Turns a filled-in HTML form into what `FlowService.SubmitForm` takes: the fields that every step sends, and those of
 * the pressed button's step. It works for any kind of flow and any step. `pressed` is the button's node, whose value is sent
 * along, or the name of its step. With a name, the value of the button is read from the data.
 *
 * Only what the flow's form offers is read from the data; everything else in it is ignored. Values get the types that their
 * nodes ask for: a number is sent as a number, a choice as the server's value. Empty fields are left out.
 *
 * Of the traits only changes are sent: an emptied field as null, a checkbox whose tick was taken away as false, and a list with
 * a changed item as a whole, without emptied items (`[]` when the last item went). A checkbox that had no value and gets no
 * tick is false if it is required, and is left out otherwise. A form that nobody touched changes nothing, even if a browser's
 * control cannot hold a value. Throws a TypeError if the flow has no such button.
 */
export function formDataToValues(flow: Flow, data: FormData, pressed: FormNode | string): FormValues {
  const step = stepOf(flow, pressed);
  const values = new Map<string, JsonValue>();
  // A field of another step is not sent: of two methods on one page, only the chosen one gets a secret.
  const nodes = (flow.form?.nodes ?? []).filter((node) => node.step === "" || node.step === step);
  for (const node of nodes) {
    if (parseNodeName(node.name) === undefined || isTrait(node)) continue;
    const value = sentValue(node, data, pressed);
    if (value !== undefined) values.set(node.name, value);
  }
  for (const [name, change] of traitChanges(nodes.filter(isTrait), data)) values.set(name, change);
  // fromEntries defines properties, it does not assign them: no setter of a prototype can run.
  const entries = [...values].map(([name, value]) => [name, fromJson(ValueSchema, value)]);
  return { step, values: Object.fromEntries(entries) };
}

function isTrait({ name, kind }: FormNode): boolean {
  return name.startsWith("traits.") && !(kind.case === "input" && kind.value.type === InputType.HIDDEN);
}

function sentValue({ name, kind }: FormNode, data: FormData, pressed: FormNode | string) {
  if (kind.case === "input") return valueOfInput(kind.value, textsOf(data, name));
  // The browser's answer, as a text with its JSON.
  if (kind.case === "passkey") return textsOf(data, name).at(-1) || undefined;
  if (kind.case !== "button" || kind.value.value === undefined) return undefined;
  // Of several buttons of one step the value says which was pressed.
  const texts = typeof pressed === "string" ? textsOf(data, name) : textsOfButton(pressed, name);
  return texts.includes(textOf(kind.value.value)) ? jsonOf(kind.value.value) : undefined;
}

/** What a button that was pressed sends under a name. */
function textsOfButton(pressed: FormNode, name: string): readonly string[] {
  return pressed.name === name && pressed.kind.case === "button" ? [textOf(pressed.kind.value.value)] : [];
}

function stepOf(flow: Flow, pressed: FormNode | string): string {
  if (typeof pressed !== "string") {
    if (pressed.kind.case === "button") return pressed.step;
    throw new TypeError(`the node "${pressed.name}" is not a button`);
  }
  const offered = (flow.form?.nodes ?? []).flatMap(({ kind, step }) =>
    kind.case === "button" ? [step] : [],
  );
  if (!offered.includes(pressed)) {
    throw new TypeError(`the flow has no button for the step "${pressed}", only for: ${offered.join(", ")}`);
  }
  return pressed;
}
