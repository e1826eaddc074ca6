import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { FlowSchema } from "../../../gen/ostiary/flow/v1/flow_pb.js";
import { renderForm } from "../../../sdk/typescript/src/form.ts";

/** What a test sees of a page that draws a form. */
export interface DrawnPage {
  /** Draws a flow; each submit is answered with the next of these: a flow, an end, or a failure. */
  draw(flow: JsonValue, answers: readonly (JsonValue | "end" | "failure")[]): void;
  /** What was sent so far: the step and the values of the form. */
  readonly sent: { step: string; values: Record<string, string> }[];
}

const sent: DrawnPage["sent"] = [];

/** Called by the test. */
export const page: DrawnPage = {
  sent,
  draw(flow, answers) {
    const element = document.querySelector<HTMLElement>("main");
    const heading = document.querySelector<HTMLElement>("h1") ?? undefined;
    if (element === null) throw new Error("the page has no main part");
    const rest = [...answers];
    renderForm(element, fromJson(FlowSchema, flow), {
      heading,
      onSubmit: async ({ step, data }) => {
        const entries = [...data].map(([name, value]) => [name, String(value)]);
        sent.push({ step, values: Object.fromEntries(entries) });
        const answer = rest.shift();
        if (answer === "failure" || answer === undefined) throw new Error("no answer");
        return answer === "end" ? undefined : fromJson(FlowSchema, answer);
      },
    });
  },
};
