import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { runInProcess } from "../cli/run-ostiary.ts";

const page = readFileSync("docs/branding.md", "utf8");
const blocks = [...page.matchAll(/```(\w+)[^\n]*\n([\s\S]*?)```/g)].map(([, language = "", code = ""]) => ({
  language,
  code,
}));
const only = (language: string) =>
  blocks.filter((block) => block.language === language).map(({ code }) => code);

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "ostiary-branding-page-"));
  for (const folder of ["brand", "custom", "pages/dist"])
    mkdirSync(join(directory, folder), { recursive: true });
  for (const name of ["logo.svg", "logo-dark.svg", "icon.png"]) {
    writeFileSync(join(directory, "brand", name), '<svg xmlns="http://www.w3.org/2000/svg"/>');
  }
  writeFileSync(join(directory, "pages/dist/index.html"), "<!doctype html>");
});
afterAll(() => rmSync(directory, { recursive: true }));

async function check(config: object) {
  writeFileSync(join(directory, "ostiary.yaml"), stringify(config));
  return runInProcess(["config", "check", "--config", "ostiary.yaml"], { directory });
}

test.each(only("yaml"))("docs/branding.md shows configurations that are taken (%#)", async (code) => {
  const { code: exit, stderr } = await check(parse(code));
  expect([exit, stderr]).toEqual([0, ""]);
});

test("its style sheet and texts are taken, and name what there is", async () => {
  writeFileSync(join(directory, "custom/style.css"), only("css").join(""));
  writeFileSync(join(directory, "custom/texts.en.json"), only("json").join(""));
  const { code, stderr } = await check({ tenant_defaults: { branding: { custom_directory: "custom" } } });
  expect([code, stderr]).toEqual([0, ""]);
  // The custom properties that it promises are those of the pages.
  const promised =
    /These custom properties stay[\s\S]*?`--radius`\./.exec(page)?.[0].match(/--[\w-]+/g) ?? [];
  const sheet = readFileSync("ui/src/style.css", "utf8");
  expect(promised).toHaveLength(15);
  expect(promised.filter((name) => !sheet.includes(`${name}: `))).toEqual([]);
});

test("its refusal is that of the server", async () => {
  const { stderr } = await check({
    log: { level: "info" },
    tenant_defaults: { branding: { colors: { primary: "#ffcc00", on_primary: "#000000" } } },
  });
  const flat = (text: string) => text.replace(/\s+/g, " ");
  expect(flat(stderr)).toContain(flat(only("text").join("")).trim());
});

test("its commands are those of the program", async () => {
  const [, folder = ""] = /ostiary ui eject (\w+)/.exec(only("sh").join("")) ?? [];
  expect((await runInProcess(["ui", "eject", join(directory, "ejected", folder)], { directory })).code).toBe(
    0,
  );
});
