import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestApp, type TestApp } from "../support/app.ts";
import { runProgram } from "../support/foreign.ts";

let app: TestApp;
let folder: string;

beforeAll(async () => {
  app = await startTestApp();
  folder = await mkdtemp(join(tmpdir(), "ostiary-docs-"));
  await mkdir(join(folder, ".ostiary"));
  await writeFile(join(folder, ".ostiary/admin-api-key"), `${app.apiKey}\n`);
});

afterAll(async () => {
  await app.stop();
  await rm(folder, { recursive: true });
});

/** The shell blocks of a page that are marked to be run, with the addresses of the test's own server. */
async function blocksOf(page: string): Promise<string> {
  const text = await readFile(page, "utf8");
  const blocks = [...text.matchAll(/<!-- test: \w+ -->\n```sh\n([\s\S]*?)```/g)].map(
    (match) => match[1] ?? "",
  );
  return blocks
    .join("\n")
    .replaceAll("http://127.0.0.1:4433", app.localUrl)
    .replaceAll("http://127.0.0.1:4434", app.adminUrl);
}

describe("the commands of the docs", () => {
  test.each([
    ["README.md", "ada@example.com"],
    ["docs/quickstart.md", "alan@example.com"],
    ["docs/admin-api.md", "grace@example.com"],
  ])("%s, pasted in order, work", async (page, email) => {
    const script = await blocksOf(page);
    expect(script).toContain(email);
    const { stdout, failed } = await runProgram("bash", ["-euc", script], { cwd: folder });
    expect(failed).toBe(false);
    expect(stdout).not.toContain('"code":');
    expect(stdout).toContain(email);
  });

  test("docs/session-checks.md checks the token of the quickstart", async () => {
    const script = `${await blocksOf("README.md")}\n${await blocksOf("docs/session-checks.md")}`;
    const { stdout } = await runProgram("bash", ["-euc", script.replaceAll("ada@", "check@")], {
      cwd: folder,
    });
    expect(stdout.trim().split("\n").length).toBeGreaterThan(0);
    expect(stdout).not.toContain('"code":');
  });
});

describe("links between the pages", () => {
  test.each([
    "README.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "docs/quickstart.md",
    "docs/concepts.md",
    "docs/clients.md",
    "docs/session-checks.md",
    "docs/ui.md",
  ])("%s points at files that exist", async (page) => {
    const text = await readFile(page, "utf8");
    const base = page.includes("/") ? page.slice(0, page.lastIndexOf("/")) : ".";
    const links = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map((match) =>
      join(base, match[1] ?? ""),
    );
    for (const link of links) await expect(readFile(link), link).resolves.toBeDefined();
  });
});
