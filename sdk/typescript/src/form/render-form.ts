// SPDX-License-Identifier: Apache-2.0
import type { Flow } from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import { retryAfterOf } from "../errors.ts";
import { type OptionNames, refuseUnknownOptions } from "../options.ts";
import { CodeEntry } from "./code-entry.ts";
import { applyConditions, conditionAttributes } from "./conditions.ts";
import { listenToControls } from "./controls.ts";
import { canCopy, copyText } from "./copy-text.ts";
import { countDown, isWorthCounting } from "./count-down.ts";
import { describeFailure, type FailureOptions } from "./describe-failure.ts";
import {
  describeForm,
  type FormBox,
  type FormButton,
  type FormElement,
  type FormGroup,
  type FormList,
  type FormPart,
  type FormText,
  type FormView,
  type HiddenField,
} from "./describe-form.ts";
import { createEchoes } from "./echoes.ts";
import type { FieldLink, FormField } from "./field.ts";
import { buttonForEnter, focusAfterRemoval, focusFirstControl, focusFirstProblem } from "./focus.ts";
import { printText, saveText } from "./keep-text.ts";
import { type FormBlock, hasErrors, layoutOf } from "./layout.ts";
import type { FormMessageView } from "./message-view.ts";
import { type FormPasskey, fillInPasskeys, offerPasskey, prepare, stopOffering } from "./passkey.ts";
import { openMark, watchRules } from "./password-rules.ts";
import { type Confirm, readPressed } from "./read-pressed.ts";
import { signalPasskeys } from "./signal-passkeys.ts";
import { englishFormTexts, type FormTexts, fillIn } from "./texts.ts";
import { countDownOn } from "./waiting-button.ts";

/** A form that was sent. */
export interface SubmittedForm {
  readonly flow: Flow;
  readonly data: FormData;
  /** The step of the button that was pressed. */
  readonly step: string;
}

/** What a page does with a form. */
export interface FormHandlers extends FailureOptions {
  /** Sends the form; resolves with the flow to draw next, or undefined if this was the last. */
  onSubmit(submitted: SubmittedForm): Promise<Flow | undefined>;
  /** Asks before something is done that cannot be undone. Default: `window.confirm`. */
  readonly confirm?: Confirm | undefined;
  /** What gets the focus after a submit that brought no error. It needs `tabindex="-1"`. */
  readonly heading?: HTMLElement | undefined;
}

const handlerNames: OptionNames<FormHandlers> = {
  onSubmit: true,
  describeError: true,
  heading: true,
  translate: true,
  texts: true,
  language: true,
  confirm: true,
  idPrefix: true,
  client: true,
  lastUsedMethod: true,
  username: true,
};

/** A form that was drawn. */
export interface RenderedForm {
  /** Draws another flow in its place. */
  update(flow: Flow): void;
  /** Takes the form away. */
  remove(): void;
}

/**
 * Draws the form of a flow into an element, from its nodes alone, and draws what the handler gives after each
 * submit. It styles nothing; its classes begin with `ostiary-`. Whatever the server sends becomes text, never markup.
 * Throws a TypeError for a handler or an option that there is not.
 */
export function renderForm(element: HTMLElement, flow: Flow, handlers: FormHandlers): RenderedForm {
  refuseUnknownOptions("renderForm", handlers, handlerNames);
  const texts: FormTexts = { ...englishFormTexts, ...handlers.texts };
  let current = flow;
  let passkeys: readonly FormPasskey[] = [];
  const codes = new CodeEntry((button) => button.click());
  const echoes = createEchoes();
  /** Of what was refused, and of buttons that wait by themselves. */
  let stopWaiting = (): void => {};
  let stopCounting = (): void => {};
  /** Whether the ways that are put away were opened. */
  let isOpen = false;
  let form = draw([]);
  element.replaceChildren(form);

  function draw(more: readonly FormMessageView[]): HTMLFormElement {
    const view = describeForm(current, { ...handlers, localNumbers: true });
    const drawn = drawForm(view, { more, texts, isOpen });
    passkeys = view.passkeys;
    signalPasskeys(current);
    offerPasskeys(drawn);
    drawn.addEventListener("keydown", (event) => {
      const button = buttonForEnter(event);
      if (button === undefined) return;
      event.preventDefault();
      button.click();
    });
    listenToControls(drawn);
    watchRules(drawn);
    applyConditions(drawn);
    drawn.addEventListener("input", (event) => {
      echoes.forget();
      applyConditions(drawn);
      codes.onInput(event);
    });
    drawn.addEventListener("paste", (event) => codes.onPaste(event));
    drawn.addEventListener("click", (event) => {
      if (echoes.isEcho(event)) event.preventDefault();
    });
    stopCounting();
    stopCounting = countOnButtons(drawn, view, handlers, texts);
    drawn.addEventListener("submit", (event) => {
      event.preventDefault();
      const { submitter } = event;
      // One submit at a time: a second press of the button would be answered that the flow is completed.
      const isFree = drawn.getAttribute("aria-busy") !== "true" && submitter?.ariaDisabled !== "true";
      if (submitter instanceof HTMLButtonElement && isFree) {
        void send(drawn, submitter);
      }
    });
    return drawn;
  }

  /** Sends the form with a passkey that was chosen in the field of the name, or that the browser has made by itself. */
  function offerPasskeys(drawn: HTMLFormElement): void {
    prepare(passkeys);
    const offered = passkeys.find(({ conditional }) => conditional);
    if (offered === undefined) return;
    void offerPasskey(offered).then((answer) => {
      const button = drawn.querySelector<HTMLButtonElement>(`button[data-step="${offered.step}"]`);
      const isFree = drawn === form && drawn.getAttribute("aria-busy") !== "true";
      if (answer !== undefined && button !== null && isFree) void send(drawn, button, answer);
    });
  }

  async function send(sent: HTMLFormElement, button: HTMLButtonElement, chosen?: string): Promise<void> {
    const flow = current;
    const asked = passkeys;
    codes.stop();
    setBusy(sent, true, texts);
    stopWaiting();
    try {
      const pressed = await readPressed(sent, button, handlers.confirm);
      if (pressed === undefined) {
        echoes.forget();
        return setBusy(sent, false, texts);
      }
      // For style sheets: which button shows that something goes on.
      button.dataset.pending = "";
      await fillInPasskeys(asked, pressed, chosen);
      const next = await handlers.onSubmit({ flow, ...pressed });
      if (next === undefined || sent !== form) return;
      const replaced = next.id !== flow.id && next.kind === flow.kind;
      show(next, replaced ? [{ id: 0, kind: "error", text: texts.expired }] : []);
    } catch (error) {
      setBusy(sent, false, texts);
      // What was offered in the field has ended, at the latest by the button. A person who has just said no is not made a passkey by
      // the browser.
      if (asked.every(({ ceremony }) => ceremony === "get")) offerPasskeys(sent);
      const text = describeFailure(error, handlers);
      const messages = sent.querySelector(".ostiary-messages");
      messages?.replaceChildren(drawMessage({ id: 0, kind: "error", text }));
      focusFirstProblem(sent);
      const waitMs = retryAfterOf(error);
      if (messages !== null && isWorthCounting(waitMs))
        wait(sent, button.dataset.step, messages, error, waitMs);
    }
  }

  /** Counts down until the buttons of a step are of use again. */
  function wait(
    drawn: HTMLFormElement,
    step: string | undefined,
    messages: Element,
    error: unknown,
    ms: number,
  ): void {
    const waiting = Array.from(drawn.querySelectorAll<HTMLButtonElement>("button[data-step]")).filter(
      ({ dataset }) => dataset.step === step,
    );
    for (const each of waiting) each.ariaDisabled = "true";
    const end = () => {
      stop();
      messages.removeAttribute("aria-live");
      for (const each of waiting) each.ariaDisabled = null;
    };
    const stop = countDown(
      ms,
      (leftMs) => {
        // Each second is shown, and not read out.
        messages.setAttribute("aria-live", "off");
        const text = describeFailure(error, handlers, leftMs);
        messages.replaceChildren(drawMessage({ id: 0, kind: "error", text }));
      },
      () => {
        end();
        messages.replaceChildren();
        const status = drawn.querySelector(":scope > .ostiary-status");
        if (status !== null) status.textContent = texts.tryAgainNow;
      },
    );
    stopWaiting = end;
  }

  function show(next: Flow, more: readonly FormMessageView[]): void {
    stopWaiting();
    current = next;
    isOpen = form.querySelector(".ostiary-more")?.hasAttribute("open") ?? isOpen;
    form = draw(more);
    element.replaceChildren(form);
    if (!focusFirstProblem(form)) handlers.heading?.focus();
  }

  const remove = () => {
    stopWaiting();
    stopCounting();
    stopOffering();
    codes.stop();
    form.remove();
  };
  return { update: (next) => show(next, []), remove };
}

function drawForm(
  view: FormView,
  {
    more,
    texts,
    isOpen,
  }: {
    readonly more: readonly FormMessageView[];
    readonly texts: FormTexts;
    /** Whether the ways that are put away were opened before. */
    readonly isOpen: boolean;
  },
): HTMLFormElement {
  const form = make("form", "ostiary-form", { novalidate: true, method: "post" });
  if (view.account !== undefined) form.dataset.account = "";
  const messages = make("div", "ostiary-messages", { tabindex: "-1", role: "alert" });
  messages.append(...[...more, ...view.messages].map(drawMessage));
  form.append(messages);
  for (const field of view.hidden) form.append(drawHidden(field));
  for (const block of layoutOf(view.parts)) form.append(...drawBlock(block, texts, isOpen));
  form.append(make("p", "ostiary-status", { role: "status" }));
  return form;
}

function drawHidden({ name, value, autocomplete }: HiddenField): HTMLElement {
  if (autocomplete === undefined) return make("input", "", { type: "hidden", name, value });
  return make("input", "", { type: "text", name, value, autocomplete, readonly: true, hidden: true });
}

function drawMessage({ kind, text }: FormMessageView): HTMLElement {
  return make("p", "ostiary-message", { "data-kind": kind }, text);
}

function drawBlock(block: FormBlock, texts: FormTexts, isOpen: boolean): readonly HTMLElement[] {
  const parts = block.parts.flatMap((part) => drawPart(part, texts));
  if (block.kind === "more") {
    const details = make("details", "ostiary-more", isOpen || hasErrors(block) ? { open: true } : {});
    details.append(make("summary", "ostiary-summary", {}, texts.anotherWay), ...parts);
    return [details];
  }
  if (block.section === undefined) return parts;
  const { id, heading, headingId } = block.section;
  const attributes = { "data-section": id, "aria-labelledby": headingId };
  const section = make("section", "ostiary-section", attributes);
  section.append(make("h2", "ostiary-heading", { id: headingId, tabindex: "-1" }, heading), ...parts);
  return [section];
}

function drawPart(part: FormPart, texts: FormTexts): readonly HTMLElement[] {
  const drawn = make("div", "ostiary-part");
  for (const element of part.elements) drawn.append(...drawElement(element, texts));
  for (const button of part.buttons) drawn.append(...drawButton(button));
  return part.alternative ? [make("p", "ostiary-or", {}, texts.or), drawn] : [drawn];
}

function drawElement(element: FormElement, texts: FormTexts): readonly HTMLElement[] {
  switch (element.kind) {
    case "field":
      return [drawField(element, texts)];
    case "group":
      return [drawGroup(element, texts)];
    case "list":
      return [drawList(element, texts)];
    case "text": {
      const label = element.label === undefined ? [] : [make("p", "ostiary-label", {}, element.label)];
      const text = make("p", "ostiary-text", {}, element.text);
      return [
        ...label,
        text,
        ...(element.copyable && canCopy() ? drawCopy(element.text, texts) : []),
        ...(element.keepable ? drawKeep(element, texts) : []),
      ];
    }
    case "image":
      return [make("img", "ostiary-image", { src: element.source, alt: element.alternativeText })];
    case "anchor":
      return [make("a", "ostiary-link", { href: element.url }, element.label)];
    default:
      return element satisfies never;
  }
}

function drawGroup(group: FormGroup, texts: FormTexts): HTMLElement {
  const element = make("fieldset", "ostiary-group", {
    ...(group.hint !== undefined && { "aria-describedby": group.ids.hint }),
  });
  element.append(make("legend", "ostiary-label", {}, group.label), ...drawHint(group.ids.hint, group.hint));
  for (const inner of group.elements) element.append(...drawElement(inner, texts));
  return element;
}

function drawList(list: FormList, texts: FormTexts): HTMLElement {
  const attributes = { ...list.attributes, ...conditionAttributes(list.shownWhile) };
  const element = make("fieldset", "ostiary-list", attributes);
  element.append(make("legend", "ostiary-label", {}, list.label), ...drawHint(list.ids.hint, list.hint));
  element.append(...(list.boxes === undefined ? drawItems(list, texts) : drawBoxes(list.name, list.boxes)));
  element.append(...drawLink(list.link, texts), ...drawErrors(list.ids.errors, list.errors));
  return element;
}

function drawBoxes(name: string, boxes: readonly FormBox[]): readonly HTMLElement[] {
  const drawn = make("div", "ostiary-boxes");
  // Says that the boxes were drawn, if none is ticked.
  drawn.append(make("input", "", { type: "hidden", name, value: "" }));
  for (const { label, checked, attributes } of boxes) {
    const box = make("div", "ostiary-field", { "data-control": "checkbox" });
    const input = make("input", "ostiary-input", attributes);
    input.checked = checked;
    box.append(input, make("label", "ostiary-label", { for: input.id }, label));
    drawn.append(box);
  }
  return [drawn];
}

function drawItems(list: FormList, texts: FormTexts): readonly HTMLElement[] {
  const items = make("div", "ostiary-items");
  const name = fillIn(texts.addTo, { list: list.label }) ?? texts.add;
  const add = make("button", "ostiary-add", { type: "button", "aria-label": name }, texts.add);
  let next = 0;
  const update = () => {
    add.hidden = !list.canAdd(items.querySelectorAll(":scope > .ostiary-item").length);
    if (add.form !== null) applyConditions(add.form);
  };
  const addItem = () => {
    const index = next++;
    const { name: itemName, label, elements, canTakeOut } = list.item(index);
    const item = make("div", "ostiary-item", { role: "group", "aria-label": label });
    for (const element of elements) item.append(...drawElement(element, texts));
    if (canTakeOut) {
      const full = fillIn(texts.removeNamed, { item: label }) ?? texts.remove;
      const button = make("button", "ostiary-remove", { type: "button", "aria-label": full }, texts.remove);
      button.addEventListener("click", () => {
        const after = item.nextElementSibling ?? item.previousElementSibling;
        // An item that the server knows is said to be gone; of one that was added nothing is left.
        if (index < list.items.length)
          item.replaceWith(make("input", "", { type: "hidden", name: itemName, value: "" }));
        else item.remove();
        update();
        focusAfterRemoval(after, add);
      });
      item.append(button);
    }
    items.append(item);
    return item;
  };
  for (const _ of list.items) addItem();
  add.addEventListener("click", () => {
    const item = addItem();
    update();
    focusFirstControl(item);
  });
  update();
  return list.item(list.items.length).elements.length === 0 ? [items] : [items, add];
}

function drawLink(link: FieldLink | undefined, texts: FormTexts): readonly HTMLElement[] {
  if (link === undefined) return [];
  const full = fillIn(texts.opensNewTab, { link: link.label }) ?? link.label;
  const attributes = { href: link.url, target: "_blank", rel: "noopener", "aria-label": full };
  const paragraph = make("p", "ostiary-hint");
  paragraph.append(make("a", "ostiary-link", attributes, link.label));
  return [paragraph];
}

function drawCopy(text: string, texts: FormTexts): readonly HTMLElement[] {
  const button = make("button", "ostiary-copy", { type: "button" }, texts.copy);
  const status = make("p", "ostiary-status", { role: "status" });
  button.addEventListener("click", async () => {
    status.textContent = (await copyText(text)) ? texts.copied : texts.notCopied;
  });
  return [button, status];
}

function drawKeep({ name, text }: FormText, texts: FormTexts): readonly HTMLElement[] {
  const save = make("button", "ostiary-save", { type: "button" }, texts.save);
  save.addEventListener("click", () => saveText(name, text));
  const print = make("button", "ostiary-print", { type: "button" }, texts.print);
  print.addEventListener("click", printText);
  return [save, print];
}

function drawHint(id: string, text: string | undefined): readonly HTMLElement[] {
  return text === undefined ? [] : [make("p", "ostiary-hint", { id }, text)];
}

function drawErrors(id: string, errors: readonly FormMessageView[]): readonly HTMLElement[] {
  if (errors.length === 0) return [];
  return [make("p", "ostiary-error", { id }, errors.map(({ text }) => text).join(" "))];
}

function drawField(field: FormField, texts: FormTexts): HTMLElement {
  const element = make("div", "ostiary-field", {
    "data-control": field.control,
    ...conditionAttributes(field.shownWhile),
  });
  const label = make("label", "ostiary-label", { for: field.ids.control }, field.label);
  if (field.optional) {
    label.append(" ", make("span", "ostiary-optional", {}, `(${texts.optional})`));
  }
  const control = drawControl(field, texts);
  element.append(...(field.control === "checkbox" ? [control, label] : [label, control]));
  element.append(
    ...drawRules(field, texts),
    ...drawHint(field.ids.hint, field.hint),
    ...drawLink(field.link, texts),
    ...drawErrors(field.ids.errors, field.errors),
  );
  return element;
}

function drawRules({ rules, rulesAttributes }: FormField, texts: FormTexts): readonly HTMLElement[] {
  if (rules.length === 0) return [];
  // Without their marks, lists are none to some screen readers unless they say so.
  const list = make("ul", "ostiary-rules", { role: "list", ...rulesAttributes });
  for (const { name, text } of rules) {
    const item = make("li", "", { "data-rule": name });
    const mark = openMark(texts);
    item.append(make("span", "ostiary-mark", mark.attributes, mark.text), " ");
    item.append(make("span", "ostiary-rule", {}, text));
    list.append(item);
  }
  return [list, make("p", "ostiary-rules-status", { role: "status" })];
}

function drawControl(field: FormField, texts: FormTexts): HTMLElement {
  if (field.control === "select") return drawSelect(field, texts);
  if (field.control === "textarea") {
    const area = make("textarea", "ostiary-input", field.attributes);
    area.value = field.value;
    return area;
  }
  const input = make("input", "ostiary-input", field.attributes);
  if (field.control === "checkbox") {
    input.checked = field.checked;
    return input;
  }
  input.value = field.value;
  if (field.control === "text") return input;
  const wrapper = make("div", "ostiary-secret");
  wrapper.append(input, drawReveal(input, texts));
  return wrapper;
}

function drawSelect(field: FormField, texts: FormTexts): HTMLSelectElement {
  const select = make("select", "ostiary-input", field.attributes);
  const choices = field.options.map(({ value, label }) => ({
    value,
    label,
    selected: value === field.value,
  }));
  const none = { value: "", label: texts.choose, selected: !choices.some(({ selected }) => selected) };
  for (const { value, label, selected } of field.offersNone ? [none, ...choices] : choices)
    select.append(new Option(label, value, selected, selected));
  return select;
}

function drawReveal(input: HTMLInputElement, texts: FormTexts): HTMLButtonElement {
  const button = make("button", "ostiary-reveal", { type: "button", "aria-controls": input.id });
  const show = (visible: boolean) => {
    input.type = visible ? "text" : "password";
    button.textContent = visible ? texts.hide : texts.show;
    button.setAttribute("aria-label", visible ? texts.hidePassword : texts.showPassword);
  };
  button.addEventListener("click", () => show(input.type === "password"));
  show(false);
  return button;
}

function drawButton({
  step,
  label,
  sent,
  primary,
  danger,
  confirmation,
  icon,
  lastUsed,
  waitMs,
  hint,
}: FormButton): readonly HTMLElement[] {
  const attributes = {
    type: "submit",
    "data-step": step,
    "data-importance": primary ? "primary" : "secondary",
    ...(danger && { "data-danger": true as const }),
    ...(confirmation !== undefined && { "data-question": confirmation }),
    ...(icon !== undefined && { "data-icon": icon }),
    ...(lastUsed && { "data-last-used": true as const }),
    ...(waitMs > 0 && { disabled: true as const }),
    ...sent,
    ...(hint && { "aria-describedby": hint.id }),
  };
  const button = make("button", "ostiary-button", attributes, label);
  return [...(hint === undefined ? [] : drawHint(hint.id, hint.text)), button];
}

/** Counts down on the buttons that wait. Gives what stops it. */
function countOnButtons(
  form: HTMLFormElement,
  view: FormView,
  options: FormHandlers,
  texts: FormTexts,
): () => void {
  const buttons = form.querySelectorAll<HTMLButtonElement>("button[type=submit]");
  const described = layoutOf(view.parts).flatMap(({ parts }) => parts.flatMap((part) => part.buttons));
  const stops = described.map(({ label, waitMs }, index) =>
    countDownOn(
      { label, end: performance.now() + waitMs },
      { language: options.language, texts },
      (shown) => {
        const button = buttons[index];
        if (button === undefined) return;
        button.textContent = shown.label;
        button.disabled = shown.waits;
        const status = form.querySelector(":scope > .ostiary-status");
        if (!shown.waits && status !== null) status.textContent = shown.said;
      },
    ),
  );
  return () => {
    for (const stop of stops) stop();
  };
}

/** Nothing is disabled, so that the focus stays where it is. */
function setBusy(form: HTMLFormElement, busy: boolean, texts: FormTexts): void {
  form.setAttribute("aria-busy", String(busy));
  for (const button of form.querySelectorAll("[data-pending]")) button.removeAttribute("data-pending");
  const status = form.querySelector(":scope > .ostiary-status");
  if (status !== null) status.textContent = busy ? texts.busy : "";
  if (!busy) return;
  // A browser keeps what is typed into fields of text; a shown password must not be one when it is sent.
  for (const secret of form.querySelectorAll<HTMLInputElement>(".ostiary-secret > input"))
    secret.type = "password";
}

function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className: string,
  attributes: Readonly<Record<string, string | true>> = {},
  text?: string,
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  if (className !== "") element.className = className;
  for (const [key, value] of Object.entries(attributes))
    element.setAttribute(key, value === true ? "" : value);
  if (text !== undefined) element.textContent = text;
  return element;
}
