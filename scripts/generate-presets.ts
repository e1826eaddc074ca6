// SPDX-License-Identifier: Apache-2.0
// Writes src/domain/provider/presets/presets.generated.ts: the list of the files beside it, so that a new preset is one file.
import { execFileSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";

const folder = "src/domain/provider/presets";
const file = `${folder}/presets.generated.ts`;

const names = readdirSync(folder)
  .filter((name) => /^[a-z0-9]+\.ts$/.test(name) && name !== "presets.ts")
  .map((name) => name.replace(/\.ts$/, ""))
  .sort();
const lines = [
  "// Written by scripts/generate-presets.ts (`make generate`).",
  'import type { ProviderPreset } from "../preset.ts";',
  ...names.map((name) => `import { ${name} } from "./${name}.ts";`),
  "",
  "/** Every preset. Each is a file beside this one that exports a constant of its name. */",
  `export const presets: readonly ProviderPreset[] = [${names.join(", ")}];`,
  "",
];
writeFileSync(file, lines.join("\n"));
execFileSync("node_modules/.bin/biome", ["format", "--write", file], { stdio: "ignore" });
