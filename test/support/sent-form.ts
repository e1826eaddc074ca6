import type { Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import type { FormNode } from "../../gen/ostiary/flow/v1/form_pb.js";
import { formDataToValues } from "../../sdk/typescript/src/form-data.ts";
import { JsonTree, parseNodeName } from "../../sdk/typescript/src/form-path.ts";
import type { JsonObject, JsonValue } from "../../src/domain/json.ts";
import { fromValue } from "../../src/transport/rpc/convert/value.ts";

/** A form as the SDK sends it, as the fields of the corresponding typed submit. */
export interface SentForm {
  readonly step: { readonly case: string; readonly value: JsonValue };
  readonly identifier?: JsonValue;
  readonly traits?: JsonObject;
}

export function sentForm(flow: Flow, data: FormData, pressed: FormNode | string): SentForm {
  const { step, values } = formDataToValues(flow, data, pressed);
  const tree = new JsonTree();
  for (const [name, value] of Object.entries(values)) {
    const path = parseNodeName(name);
    if (path === undefined) throw new Error(`${name} is no name`);
    tree.set(path, fromValue(value));
  }
  const { [step]: fields = {}, ...common } = tree.toObject();
  return { ...common, step: { case: step, value: fields } };
}
