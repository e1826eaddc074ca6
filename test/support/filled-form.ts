import type { Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { describeForm, type FormField } from "../../sdk/typescript/src/form.ts";

/**
 * What a browser sends for the form of a flow that nobody touched, as the HTML standard has its controls change the values
 * that they are given (4.10.5.1, "value sanitization algorithm"; a list without the selected choice shows its first one).
 */
export function untouchedForm(flow: Flow): FormData {
  const data = new FormData();
  for (const field of fieldsOf(flow)) {
    const text = textIn(field);
    if (text !== undefined) data.append(field.name, text);
  }
  return data;
}

/** The fields of the form that are drawn, on the page of an app of the flow's kind. */
export function fieldsOf(flow: Flow): readonly FormField[] {
  return describeForm(flow, { client: flow.client }).parts.flatMap(({ fields }) => fields);
}

function textIn({ control, checked, value, options, offersNone, attributes }: FormField): string | undefined {
  if (attributes.disabled) return undefined;
  if (control === "textarea") return value.replace(/\r\n?/g, "\n");
  if (control === "checkbox") return checked ? "true" : undefined;
  if (control === "select") {
    if (options.some((option) => option.value === value)) return value;
    return offersNone ? "" : options[0]?.value;
  }
  const line = value.replace(/[\r\n]/g, "");
  switch (attributes.type) {
    case "email":
    case "url":
      return line.replace(/^[\t\n\f\r ]+|[\t\n\f\r ]+$/g, "");
    case "date":
      return /^\d{4,}-\d\d-\d\d$/.test(line) && !Number.isNaN(Date.parse(line)) ? line : "";
    case "datetime-local":
      // A browser leaves out seconds that are none.
      return /^\d{4,}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(line)
        ? line.replace(/:00$/, (end, at) => (at > 13 ? "" : end))
        : "";
    case "time":
      return /^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$/.test(line)
        ? line.replace(/:00$/, (end, at) => (at > 2 ? "" : end))
        : "";
    default:
      return line;
  }
}
