// SPDX-License-Identifier: Apache-2.0
import { type FormTexts, fillIn } from "./texts.ts";
import { isCommonPassword, isLikeWords, ownWords, passwordForm } from "./weak-passwords.ts";

/** One thing that is asked of a new password. */
export interface FieldRule {
  readonly name: "shortest" | "longest" | "own" | "common";
  readonly text: string;
}

/** The lengths of a password, in Unicode code points of its NFC form. 0: no limit. */
export interface PasswordLengths {
  readonly minLength: number;
  readonly maxLength: number;
}

/**
 * Whether a rule is kept. `open`: it cannot be told, or not yet. Nothing is wrong with a password that is not typed to its end, and which
 * ones are common the server knows better.
 */
export type RuleState = "open" | "kept" | "broken";

/** The rules of a field, as they are written beside it. Only what the server asks as well. */
export function rulesOf({ minLength, maxLength }: PasswordLengths, texts: FormTexts): readonly FieldRule[] {
  const filled = (text: string) => fillIn(text, { min_length: minLength, max_length: maxLength }) ?? text;
  return [
    ...(minLength === 0 ? [] : [{ name: "shortest", text: filled(texts.minLength) } as const]),
    ...(maxLength === 0 ? [] : [{ name: "longest", text: filled(texts.maxLength) } as const]),
    { name: "own", text: texts.notOwn },
    { name: "common", text: texts.notCommon },
  ];
}

/** How a password keeps the rules. `texts`: what the person calls themselves and signs in with. */
export function judgePassword(
  password: string,
  texts: readonly string[],
  { minLength, maxLength }: PasswordLengths,
): Readonly<Record<FieldRule["name"], RuleState>> {
  const form = passwordForm(password);
  const length = [...form].length;
  if (length === 0 || length < minLength)
    return { shortest: "open", longest: "open", own: "open", common: "open" };
  const words = ownWords(texts);
  return {
    shortest: "kept",
    longest: maxLength > 0 && length > maxLength ? "broken" : "kept",
    own: words.size === 0 ? "open" : isLikeWords(form.toLowerCase(), words) ? "broken" : "kept",
    common: isCommonPassword(form.toLowerCase()) ? "broken" : "open",
  };
}

/** The attributes of the list of a field's rules: what `watchRules` reads. */
export function rulesAttributes(
  lengths: PasswordLengths,
  texts: FormTexts,
): Readonly<Record<string, string>> {
  const { minLength, maxLength } = lengths;
  const { ruleOpen: open, ruleKept: kept, ruleBroken: broken } = texts;
  return { [attribute]: JSON.stringify({ minLength, maxLength, open, kept, broken } satisfies Watched) };
}

/** What stands before a rule, with its name for screen readers, until `watchRules` looks at the field. */
export function openMark({ ruleOpen }: FormTexts): {
  readonly text: string;
  readonly attributes: Readonly<Record<string, string>>;
} {
  return { text: marks.open, attributes: { role: "img", "aria-label": ruleOpen } };
}

const attribute = "data-rules";
const marks = { open: "○", kept: "✓", broken: "✗" } as const;
/** How long somebody has to stop typing before a screen reader is told. */
const restMs = 1000;

type Watched = PasswordLengths & Readonly<Record<RuleState, string>>;

const watched = new WeakSet<HTMLFormElement>();

/**
 * Shows beside the new passwords of a form which rules they keep, now and whenever something is typed. To be called each time that
 * fields were drawn; the forms of this package do it by themselves. Nothing is refused by it: the server decides.
 */
export function watchRules(form: HTMLFormElement): void {
  showRules(form);
  if (watched.has(form)) return;
  watched.add(form);
  let timer: ReturnType<typeof setTimeout> | undefined;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    // Once for each pause, politely, and only what is another than before.
    timer = setTimeout(() => tellRules(form), restMs);
    showRules(form);
  });
}

function showRules(form: HTMLFormElement): void {
  for (const list of form.querySelectorAll<HTMLElement>(`[${attribute}]`)) {
    const field = list.closest(".ostiary-field")?.querySelector("input");
    if (!field) continue;
    const { minLength, maxLength, ...words } = JSON.parse(list.getAttribute(attribute) ?? "{}") as Watched;
    const texts = ownTextsIn(form);
    const states = judgePassword(field.value, texts ?? [], { minLength, maxLength });
    for (const rule of list.querySelectorAll<HTMLElement>("[data-rule]")) {
      const name = rule.dataset.rule as FieldRule["name"];
      const state = states[name];
      rule.dataset.state = state;
      // Hardly anybody meets the greatest length, and a page that does not know the person cannot tell what is like them.
      rule.hidden = (name === "longest" && state !== "broken") || (name === "own" && texts === undefined);
      const mark = rule.querySelector(".ostiary-mark");
      if (mark === null) continue;
      mark.textContent = marks[state];
      mark.setAttribute("aria-label", words[state]);
    }
  }
}

/** What the person calls themselves in the form, and signs in with; undefined if the form has no such field. */
function ownTextsIn(form: HTMLFormElement): readonly string[] | undefined {
  const controls = form.querySelectorAll<HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement>(
    "input:not([type=checkbox]), select, textarea",
  );
  const own = Array.from(controls).filter(
    ({ name, autocomplete }) => name.startsWith("traits.") || /\busername\b/.test(autocomplete),
  );
  return own.length === 0 ? undefined : own.map(({ value }) => value);
}

function tellRules(form: HTMLFormElement): void {
  for (const list of form.querySelectorAll<HTMLElement>(`[${attribute}]`)) {
    const status = list.parentElement?.querySelector(".ostiary-rules-status");
    const rules = Array.from(list.querySelectorAll<HTMLElement>("[data-rule]:not([hidden])"));
    const isNew = ({ dataset: { state = "open", told = "open" } }: HTMLElement) => state !== told;
    const changed = rules.filter(isNew);
    for (const rule of rules) rule.dataset.told = rule.dataset.state;
    if (!status || changed.length === 0) continue;
    const said = changed.map((rule) => {
      const mark = rule.querySelector(".ostiary-mark");
      return `${mark?.getAttribute("aria-label")}: ${rule.querySelector(".ostiary-rule")?.textContent}.`;
    });
    status.textContent = said.join(" ");
  }
}
