import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { type Flow, FlowSchema } from "../../../gen/ostiary/flow/v1/flow_pb.js";
import type { SubmittedForm } from "../../../sdk/typescript/src/form.ts";

/** What comes of a submit: a flow, an end, or a failure. */
export type Answer = JsonValue | "end" | "failure";

/** Who is asked before something is destroyed: the browser's own question, the test, or something that is broken. */
export type Asked = "browser" | "test" | "broken";

/** A renderer of forms, as a page of a test uses it. */
export type Renderer = (page: {
  readonly element: HTMLElement;
  readonly heading: HTMLElement;
  readonly flow: Flow;
  readonly confirm: ((question: string) => Promise<boolean>) | undefined;
  readonly onSubmit: (submitted: SubmittedForm) => Promise<Flow | undefined>;
}) => void;

/** What a test sees of a page that draws a form. */
export class DrawnPage {
  /** What was sent so far: the step and the values of the form. */
  readonly sent: { step: string; values: Record<string, string> }[] = [];
  /** What the test was asked, and how it answers. */
  readonly questions: { text: string; answer: (confirmed: boolean) => void }[] = [];
  readonly #render: Renderer;

  constructor(render: Renderer) {
    this.#render = render;
  }

  /** Draws a flow; each submit is answered with the next of the answers. */
  draw(flow: JsonValue, answers: readonly Answer[], asked: Asked): void {
    const element = document.querySelector<HTMLElement>("main");
    const heading = document.querySelector<HTMLElement>("h1");
    if (element === null || heading === null) throw new Error("the page has no main part or no heading");
    const rest = [...answers];
    this.#render({
      element,
      heading,
      flow: fromJson(FlowSchema, flow),
      confirm: asked === "browser" ? undefined : (text) => this.#ask(text, asked),
      onSubmit: async ({ step, data }) => {
        const entries = [...data].map(([name, value]) => [name, String(value)]);
        this.sent.push({ step, values: Object.fromEntries(entries) });
        const answer = rest.shift();
        if (answer === "failure" || answer === undefined) throw new Error("no answer");
        return answer === "end" ? undefined : fromJson(FlowSchema, answer);
      },
    });
  }

  async #ask(text: string, asked: Asked): Promise<boolean> {
    if (asked === "broken") throw new Error("nobody can be asked");
    return new Promise((answer) => this.questions.push({ text, answer }));
  }
}
