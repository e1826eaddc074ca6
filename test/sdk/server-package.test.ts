import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Packed, pack, projectWithInstalledModules, run, temporaryFolder, unpack } from "./packages.ts";

const temporary = temporaryFolder();
const project = join(temporary.path, "project");
const installed = join(project, "node_modules/@ostiary/server");
let packed: Packed;

// Below node_modules, where Node strips no types; the dependencies are those of the repository, by link.
beforeAll(() => {
  packed = pack("scripts/build-server.ts", ".", temporary.path);
  mkdirSync(project);
  projectWithInstalledModules(project);
  unpack(packed.tarball, installed);
}, 120_000);
afterAll(() => temporary.remove());

describe("the tarball of @ostiary/server", () => {
  test("holds compiled code with declarations, the protos and the source of the pages, and no other sources, tests or tools", () => {
    const expected =
      /^(dist\/ui\/(index\.html|package\.json|public\/icon\.svg|src\/.+\.(tsx?|css|svg)|eject\/(README\.md|tsconfig\.json|vite\.config\.ts))|package\.json|README\.md|LICENSE|dist\/(src|gen)\/.+\.(js|d\.ts|js\.map)|dist\/.+\.liquid|dist\/ui\/dist\/.+\.(html|js|css|svg)(\.br|\.gz)?|proto\/.+\.proto)$/;
    expect(packed.files.filter((name) => !expected.test(name) || name.includes(".test."))).toEqual([]);
    expect(packed.files).toEqual(
      expect.arrayContaining(["dist/src/main.js", "dist/src/app.d.ts", "dist/ui/dist/login.html.br"]),
    );
  });

  test("has the command that package.json names, ready to run", () => {
    const { bin } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as {
      bin: { ostiary: string };
    };
    const command = join(installed, bin.ostiary);
    expect(readFileSync(command, "utf8").split("\n")[0]).toBe("#!/usr/bin/env node");
    expect(statSync(command).mode & 0o111).toBe(0o111);
  });

  test("prints its version", () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    expect(run("node", [join(installed, "dist/src/main.js"), "--version"], project)).toContain(version);
  });

  // An older Node ended by a segmentation fault in a native package.
  test.each(["config check", "serve", "--version"])(
    "says in one sentence that a Node is too old: %s",
    (command) => {
      const main = join(installed, "dist/src/main.js");
      const older = `Object.defineProperty(process.versions, "node", { value: "20.20.2" });
      process.argv = [process.argv[0], ${JSON.stringify(main)}, ...${JSON.stringify(command.split(" "))}];
      await import(${JSON.stringify(main)});`;
      const { status, stdout, stderr } = spawnSync("node", ["--input-type=module", "--eval", older], {
        encoding: "utf8",
      });
      expect({ status, stdout, stderr }).toEqual({
        status: 1,
        stdout: "",
        stderr: "ostiary: Node.js 22.18 or newer is needed, and this is 20.20.2\n",
      });
    },
  );

  test("finds its built-in templates", () => {
    const command = join(installed, "dist/src/main.js");
    const preview = ["templates", "preview", "login_code", "--language", "de"];
    expect(run("node", [command, ...preview], project)).toContain("Ihr Anmeldecode: 123456");
  });

  test("ejects the pages, which then build with the published SDK, and are served in the place of its own", () => {
    const sdk = pack("scripts/build-sdk.ts", "sdk/typescript", temporary.path);
    unpack(sdk.tarball, join(project, "node_modules/@ostiary/sdk"));
    const command = join(installed, "dist/src/main.js");
    expect(run("node", [command, "ui", "eject", "pages"], project)).toContain("README.md says how");
    const pages = join(project, "pages");
    run(resolve("node_modules/.bin/tsc"), [], pages);
    run(resolve("node_modules/.bin/vite"), ["build", "--logLevel", "error"], pages);
    const html = readFileSync(join(pages, "dist/login.html"), "utf8");
    expect(html).toMatch(/<script type="module" crossorigin src="\/ui\/assets\/index-[\w-]+\.js">/);
    const config = join(project, "ostiary.yaml");
    writeFileSync(config, "server:\n  ui:\n    directory: pages/dist\n");
    expect(run("node", [command, "config", "check", "--config", config], project)).toContain("OK");
  }, 120_000);

  test("loads every room of the server, down to the ones that only serve needs", () => {
    const program = `await import("./dist/src/app.js"); await import("./dist/src/cli/cli.js"); console.log("loaded");`;
    expect(run("node", ["--input-type=module", "--eval", program], installed)).toContain("loaded");
  });

  test("has all that the preview of the pages needs", async () => {
    const command = join(installed, "dist/src/main.js");
    const preview = spawn("node", [command, "ui", "preview", "--port", "0"], { cwd: project });
    const ended = once(preview, "close");
    const [printed] = await once(preview.stdout.setEncoding("utf8"), "data");
    const [url = ""] = /http:\S+/.exec(String(printed)) ?? [];
    expect((await fetch(`${url}preview/login/one-step`)).status).toBe(200);
    preview.kill();
    expect(await ended).toEqual([0, null]);
  });

  test("pleases publint", () => {
    run("publint", ["run", "--strict", packed.tarball]);
  });
});
