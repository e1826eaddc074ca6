import { renderForm } from "../../../sdk/typescript/src/form.ts";
import { DrawnPage } from "./drawn-page.ts";

/** Called by the test. */
export const page = new DrawnPage(({ element, flow, ...handlers }) => {
  renderForm(element, flow, handlers);
});
