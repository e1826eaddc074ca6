import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadConfig } from "./load-config.ts";
import { ConfigError } from "./problems.ts";

const directory = mkdtempSync(join(tmpdir(), "ostiary-token-templates-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The problems of what stands below `tenant_defaults.session.tokens`, which begins in line 4. */
function problemsWith(tokens: string): readonly string[] {
  const file = join(directory, "ostiary.yaml");
  const indented = tokens.replaceAll("\n", "\n      ");
  writeFileSync(file, `tenant_defaults:\n  session:\n    tokens:\n      ${indented}\n`);
  try {
    loadConfig({ file, environment: {}, flags: {}, workingDirectory: directory });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

const key = "tenant_defaults.session.tokens";
const template = (claims: string, name = "a") => `templates:\n  - name: ${name}\n    claims: ${claims}`;

test.each([
  [
    template("{sub: identity.traits.email}"),
    `${key}.templates[0].claims.sub (ostiary.yaml:6): is a claim that the server itself`,
  ],
  [
    template("{a: claims.email}"),
    `${key}.templates[0].claims.a (ostiary.yaml:6): there is no \`claims\`; there is session and identity`,
  ],
  [template("{a: {b: 'session.'}}"), `${key}.templates[0].claims.a.b (ostiary.yaml:6): is not CEL`],
  [template("{a: 1}"), `${key}.templates[0].claims.a (ostiary.yaml:6): is no expression`],
  [template("{}", "Not-A-Name"), `${key}.templates[0].name (ostiary.yaml:5)`],
  ["templates:\n  - name: a", `${key}.templates[0].claims (ostiary.yaml:5): must be set`],
  [
    `${template("{}")}\n  - name: a\n    claims: {}`,
    `${key}.templates[1].name (ostiary.yaml:7): is there twice`,
  ],
  ["lifetime: 2h", `${key}.lifetime (ostiary.yaml:4)`],
  ["lifetime: 500ms", `${key}.lifetime (ostiary.yaml:4)`],
  ["key_rotation: 1h", `${key}.key_rotation (ostiary.yaml:4)`],
  ["algorithm: hs256", `${key}.algorithm (ostiary.yaml:4)`],
  ["issuer: not a URL", `${key}.issuer (ostiary.yaml:4)`],
  ["audiences: ['']", `${key}.audiences[0] (ostiary.yaml:4)`],
  ["audiences: [a, a]", `${key}.audiences (ostiary.yaml:4)`],
])("%j is refused, and the key and its line are named", (tokens, problem) => {
  const problems = problemsWith(tokens);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(problem);
});

test("what can be meant is taken", () => {
  const claims = "{email: identity.traits.email, org: {plan: identity.public_metadata.plan}}";
  expect(
    problemsWith(`audiences: [https://api.example.com, reports]\nalgorithm: eddsa\n${template(claims)}`),
  ).toEqual([]);
});
