// SPDX-License-Identifier: Apache-2.0
import type { FormPart } from "./describe-form.ts";

/** Parts of a form that are drawn together. */
export interface FormBlock {
  /**
   * `plain`: one after the other. `section`: below the heading of a section. `more`: other ways to go on, behind "Try another way",
   * because there are too many of them to show at once.
   */
  readonly kind: "plain" | "section" | "more";
  /** The section; undefined for a block of another kind. */
  readonly section: FormPart["section"];
  readonly parts: readonly FormPart[];
}

/** The parts of a form as they are drawn together: each section, and the ways that are put away. */
export function layoutOf(parts: readonly FormPart[]): readonly FormBlock[] {
  const blocks: { kind: FormBlock["kind"]; section: FormPart["section"]; parts: FormPart[] }[] = [];
  for (const part of parts) {
    const { section, putAway } = part;
    const kind = putAway ? "more" : section === undefined ? "plain" : "section";
    const last = blocks.at(-1);
    if (last?.kind === kind && last.section?.id === section?.id) last.parts.push(part);
    else blocks.push({ kind, section, parts: [part] });
  }
  return blocks;
}

/** Whether something is wrong in a block, so that it must not be put away. */
export function hasErrors({ parts }: Pick<FormBlock, "parts">): boolean {
  return parts.some(({ fields }) => fields.some(({ errors }) => errors.length > 0));
}
