// SPDX-License-Identifier: Apache-2.0

/** How long somebody has to stop typing before a whole code is sent: a longer one may have been sent to them. */
const restMs = 500;
/** What mail programs and people put between digits. */
const separators = /[\s\p{Pd}\u2212]/gu;

/**
 * The code in a text that was pasted: digits of the usual length, with blanks or hyphens within, alone or in a sentence. Undefined if
 * there is none or more than one; the text then goes into the field as it is, and the server reads it.
 */
export function codeIn(text: string, length: number): string | undefined {
  const found = [...text.matchAll(/(?<!\d)\d(?:[\s\p{Pd}\u2212]?\d)*(?!\d)/gu)]
    .map(([group]) => group.replace(separators, ""))
    .filter((digits) => digits.length === length);
  return new Set(found).size === 1 ? found[0] : undefined;
}

/**
 * Fields for codes: takes the code out of what is pasted, and presses the button as soon as all digits are there. Only where the form says
 * so beside the field (WCAG 2.2, 3.2.2), once for a code, and never after one was wrong: it may have more digits than usual.
 */
export class CodeEntry {
  readonly #press: (button: HTMLButtonElement) => void;
  readonly #sent = new WeakMap<HTMLInputElement, string>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(press: (button: HTMLButtonElement) => void) {
    this.#press = press;
  }

  /** To be called for each `paste` in the form. */
  onPaste(event: ClipboardEvent): void {
    const field = fieldOf(event);
    if (field === undefined) return;
    const code = codeIn(event.clipboardData?.getData("text") ?? "", Number(field.dataset.codeLength));
    if (code === undefined) return;
    event.preventDefault();
    field.value = code;
    field.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertFromPaste" }));
  }

  /** To be called for each `input` in the form. */
  onInput(event: Event): void {
    this.stop();
    const field = fieldOf(event);
    if (field?.dataset.sendsItself === undefined) return;
    const digits = field.value.replace(separators, "");
    const isWhole = /^\d+$/.test(digits) && digits.length === Number(field.dataset.codeLength);
    if (!isWhole || this.#sent.get(field) === digits) return;
    const send = () => {
      const button = field.closest(".ostiary-part")?.querySelector<HTMLButtonElement>("button[type=submit]");
      if (!button || button.disabled || field.form?.getAttribute("aria-busy") === "true") return;
      this.#sent.set(field, digits);
      this.#press(button);
    };
    // Pasted, or filled in by the browser: it is all there.
    const isTyped = event instanceof InputEvent && event.inputType.startsWith("insertText");
    if (isTyped) this.#timer = setTimeout(send, restMs);
    else send();
  }

  /** Sends nothing any more by itself. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}

function fieldOf({ target }: Event): HTMLInputElement | undefined {
  return target instanceof HTMLInputElement && target.dataset.codeLength !== undefined ? target : undefined;
}
