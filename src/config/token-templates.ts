import { compileTemplate } from "../domain/signed-token/templates.ts";
import type { TokenTemplate } from "../domain/tenant/token-settings.ts";
import type { CompleteConfig } from "./complete-config.ts";
import { expressionProblem, type Problem } from "./problems.ts";

/** The sets of claims of signed tokens by their names, and what is wrong with them. */
export function readTokenTemplates({ tenantDefaults: { session } }: CompleteConfig): {
  readonly templates: ReadonlyMap<string, TokenTemplate>;
  readonly problems: readonly Problem[];
} {
  const templates = new Map<string, TokenTemplate>();
  const problems: Problem[] = [];
  for (const [index, { name, claims = {} }] of session.tokens.templates.entries()) {
    const key = `tenant_defaults.session.tokens.templates[${index}]`;
    if (templates.has(name)) problems.push({ key: `${key}.name`, message: "is there twice" });
    const compiled = compileTemplate(claims);
    if ("template" in compiled) templates.set(name, compiled.template);
    else problems.push(...compiled.problems.map((problem) => expressionProblem(`${key}.claims`, problem)));
  }
  return { templates, problems };
}
