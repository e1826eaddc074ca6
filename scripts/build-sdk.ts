// SPDX-License-Identifier: Apache-2.0
// Compiles @ostiary/sdk into sdk/typescript/dist.
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildPackage } from "./build-package.ts";
import { leaveOutServerOptions } from "./leave-out-options.ts";

const outDir = "sdk/typescript/dist";

buildPackage("sdk/typescript/tsconfig.build.json", outDir);

// The contract itself, for those who generate for other languages.
rmSync("sdk/typescript/proto", { recursive: true, force: true });
cpSync("proto", "sdk/typescript/proto", { recursive: true });

for (const name of readdirSync(join(outDir, "gen"), { recursive: true, encoding: "utf8" })) {
  const file = join(outDir, "gen", name);
  if (name.endsWith(".js")) writeFileSync(file, leaveOutServerOptions(readFileSync(file, "utf8")));
}
