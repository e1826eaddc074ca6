import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { expressionFunctions, expressionMacros } from "../../src/domain/provider/expression-functions.ts";
import { compileMapping } from "../../src/domain/provider/mapping.ts";
import { presets } from "../../src/domain/provider/presets/presets.generated.ts";
import { runInProcess } from "../cli/run-ostiary.ts";

const page = readFileSync("docs/social-login.md", "utf8");
const blocks = [...page.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language, code = ""]) => ({
  language,
  code,
}));

/** The rows of the table that begins with a heading, each with its cells. */
function tableOf(firstHeading: string): readonly (readonly string[])[] {
  const lines = page.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`| ${firstHeading}`));
  const rest = lines.slice(start + 2);
  return rest.slice(0, rest.indexOf("")).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll("\\|", "|")),
  );
}

const codeIn = (cell = "") => /^`(.*)`$/.exec(cell)?.[1] ?? "";

describe("docs/social-login.md", () => {
  test.each(tableOf("expression").map((cells) => cells.map(codeIn)))(
    "%s of %s gives %s",
    (expression, claims, result) => {
      const compiled = compileMapping({
        traits: { made: expression ?? "" },
        verifiedAddresses: "",
        publicMetadata: {},
        adminMetadata: {},
        account: "",
      });
      if ("problems" in compiled) throw new Error(JSON.stringify(compiled.problems));
      expect(compiled.mapping.apply(JSON.parse(claims ?? "")).traits).toEqual({
        made: JSON.parse(result ?? ""),
      });
    },
  );

  test("names every function and macro of expressions", () => {
    const [, sentence = ""] = /There are the operators of CEL, ([\s\S]*?)\.\n\n/.exec(page) ?? [];
    const names = [...sentence.matchAll(/`(\w+)`/g)].map(([, name]) => name);
    expect(names.toSorted()).toEqual([...expressionFunctions.keys(), ...expressionMacros.keys()].toSorted());
  });

  test("shows every preset with its scopes", () => {
    const rows = tableOf("preset      | scopes");
    const scopesIn = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, scope]) => scope);
    const shown = new Map(rows.map(([id, cell = ""]) => [codeIn(id), scopesIn(cell)]));
    expect(shown.size).toBe(rows.length);
    expect(shown).toEqual(new Map(presets.map(({ id, scopes }) => [id, scopes])));
  });

  test("shows what `ostiary providers map` prints", async () => {
    const directory = mkdtempSync(join(tmpdir(), "ostiary-docs-"));
    try {
      const yaml = blocks.find(({ code }) => code.includes("mapping:"))?.code ?? "";
      const secret = join(directory, "work-secret");
      writeFileSync(secret, "s".repeat(32), { mode: 0o600 });
      writeFileSync(join(directory, "ostiary.yaml"), yaml.replace("/run/secrets/work-secret", secret));
      const json = blocks.find(({ language }) => language === "json")?.code ?? "";
      writeFileSync(join(directory, "claims.json"), json);
      const [command = "", ...shown] =
        blocks
          .find(({ code }) => code.startsWith("ostiary providers map"))
          ?.code.trimEnd()
          .split("\n") ?? [];
      const words = [...command.split(" ").slice(1), "--config", "ostiary.yaml"];
      const { code, stdout, stderr } = await runInProcess(words, { directory });
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout.trimEnd().split("\n")).toEqual(shown.map((line) => line.slice(2)));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
