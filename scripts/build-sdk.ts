// SPDX-License-Identifier: Apache-2.0
// Compiles @ostiary/sdk into sdk/typescript/dist. Does nothing if nothing has changed since.
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildPackage } from "./build-package.ts";
import { buildIfChanged } from "./digest.ts";
import { leaveOutServerOptions } from "./leave-out-options.ts";

const outDir = "sdk/typescript/dist";
const tsconfig = "sdk/typescript/tsconfig.build.json";
const protos = "sdk/typescript/proto";
const inputs = [
  "package-lock.json",
  "tsconfig.json",
  tsconfig,
  "scripts/build-package.ts",
  "scripts/build-sdk.ts",
  "scripts/leave-out-options.ts",
  "sdk/typescript/src",
  "gen",
  "proto",
];

buildIfChanged({ name: "sdk", inputs, outputs: [outDir, protos] }, build);

function build(): void {
  buildPackage(tsconfig, outDir);

  // The contract itself, for those who generate for other languages.
  rmSync(protos, { recursive: true, force: true });
  cpSync("proto", protos, { recursive: true });

  for (const name of readdirSync(join(outDir, "gen"), { recursive: true, encoding: "utf8" })) {
    const file = join(outDir, "gen", name);
    if (name.endsWith(".js")) writeFileSync(file, leaveOutServerOptions(readFileSync(file, "utf8")));
  }
}
