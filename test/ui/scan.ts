import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What the accessibility scan finds against WCAG 2.2 AA and its best practices. `rules`: only these. */
export async function violationsOf(page: Page, rules?: readonly string[]): Promise<string[]> {
  const asked = rules ?? ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  // By the debugger, which the content security policy of the page does not bind.
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
  return page.evaluate(async (values) => {
    const { axe } = window as unknown as {
      axe: { run(options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    // What passed is not gathered, and style sheets are not fetched for a rule that is not among these: half the work.
    const { violations } = await axe.run({ runOnly: values, resultTypes: ["violations"], preload: false });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  }, asked);
}

/** How far the page reaches beyond the side of the window. */
export function overflowOf(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

/**
 * What Chromium warns of in its console about forms, by its own rules, which its build without windows does not have: a password outside a
 * form, without `autocomplete`, or without a field before it (perhaps out of sight) that says whose it is; and ids that are there twice.
 */
export function formProblemsOf(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const problems: string[] = [];
    const name = (field: HTMLInputElement) => field.name || field.id;
    for (const field of document.querySelectorAll<HTMLInputElement>("input[type='password']")) {
      if (field.form === null) problems.push(`${name(field)}: in no form`);
      if (field.autocomplete === "") problems.push(`${name(field)}: no autocomplete`);
      const fields = Array.from(field.form?.querySelectorAll<HTMLInputElement>("input") ?? []);
      const before = fields.slice(0, fields.indexOf(field));
      const isNamed = before.some(({ autocomplete }) => /\b(username|email|tel)\b/.test(autocomplete));
      if (!isNamed) problems.push(`${name(field)}: no username`);
      if (field.autocomplete === "new-password" && !field.hasAttribute("passwordrules"))
        problems.push(`${name(field)}: no passwordrules`);
    }
    const seen = new Set<string>();
    for (const { id } of document.querySelectorAll("[id]")) {
      if (seen.has(id)) problems.push(`${id}: twice`);
      seen.add(id);
    }
    return problems;
  });
}
