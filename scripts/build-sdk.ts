// SPDX-License-Identifier: Apache-2.0
// Compiles @ostiary/sdk into sdk/typescript/dist.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildPackage } from "./build-package.ts";

const outDir = "sdk/typescript/dist";

buildPackage("sdk/typescript/tsconfig.build.json", outDir);

for (const name of readdirSync(join(outDir, "gen"), { recursive: true, encoding: "utf8" })) {
  if (name.endsWith(".js")) leaveOutValidation(join(outDir, "gen", name));
}

/**
 * Takes the import of buf/validate/validate.proto out of a generated file. Its descriptor alone is a third of what a
 * web page would load, and its package brings a CEL interpreter, while only servers validate. The rules stay in our
 * descriptors as options, so protovalidate can still read them there.
 */
function leaveOutValidation(file: string): void {
  const text = readFileSync(file, "utf8")
    .replace(/^import \{ file_buf_validate_validate \}.*\n/m, "")
    .replace(/\bfile_buf_validate_validate(, )?/, "");
  if (text.includes("buf/validate/") || text.includes("file_buf_validate")) {
    throw new Error(`${file} still imports the validation rules`);
  }
  writeFileSync(file, text);
}
