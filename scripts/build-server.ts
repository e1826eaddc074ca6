// SPDX-License-Identifier: Apache-2.0
// Compiles @ostiary/server into dist/, with the command that package.json names as its bin, and adds the
// pages. Does nothing if nothing has changed since.
import { chmodSync, cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { buildPackage } from "./build-package.ts";
import { buildIfChanged } from "./digest.ts";

const command = "dist/src/main.js";
const templates = "src/outbound/templates/built-in";
/** What `ostiary ui eject` copies. */
const sources = ["ui/index.html", "ui/package.json", "ui/public", "ui/src", "ui/eject"];
const inputs = [
  "package-lock.json",
  "tsconfig.json",
  "tsconfig.build.json",
  "scripts/build-package.ts",
  "scripts/build-server.ts",
  "src",
  "gen",
  "ui/dist",
  ...sources,
];

buildIfChanged({ name: "server", inputs, outputs: ["dist"] }, build);

function build(): void {
  buildPackage("tsconfig.build.json", "dist");

  // The built-in templates lie beside the code that reads them.
  cpSync(templates, `dist/${templates}`, { recursive: true });
  // The self-service pages, where src/app.ts looks for them: beside the compiled sources.
  if (!existsSync("ui/dist/index.html")) throw new Error("the pages are not built: run `make ui` first");
  cpSync("ui/dist", "dist/ui/dist", { recursive: true, filter: (source) => !source.endsWith(".inputs") });

  for (const path of sources) {
    cpSync(path, `dist/${path}`, { recursive: true, filter: (source) => !source.includes(".test.") });
  }

  // npm links the command as it is, so it says itself what runs it.
  const text = readFileSync(command, "utf8");
  if (!text.startsWith("#!")) writeFileSync(command, `#!/usr/bin/env node\n${text}`);
  chmodSync(command, 0o755);
}
