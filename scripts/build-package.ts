// SPDX-License-Identifier: Apache-2.0
// What the builds of the two packages share. Node strips no types below node_modules, so both are compiled.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

/**
 * Compiles what a tsconfig names into a fresh folder, laid out as in the repository, and adds the generated files that
 * it imports. So every relative import, also one of gen/, leads to the same place as in the checkout.
 */
export function buildPackage(tsconfig: string, outDir: string): void {
  rmSync(outDir, { recursive: true, force: true });
  execFileSync("node_modules/.bin/tsc", ["-p", tsconfig], { stdio: "inherit" });
  const compiled = readdirSync(outDir, { recursive: true, encoding: "utf8" }).map((name) =>
    join(outDir, name),
  );
  for (const file of compiled.filter((name) => name.endsWith(".d.ts"))) nameCompiledImports(file);
  for (const file of compiled.filter((name) => /\.(js|d\.ts)$/.test(name))) copyImportsOf(file, outDir);
}

/**
 * The compiler rewrites the ending of imports from .ts to .js in code, but not in declarations. Both are of one length, so
 * that the declaration maps still fit; after an import of .tsx there is nothing on the line that they could point to.
 */
function nameCompiledImports(file: string): void {
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(/((?:from|import)\s*\(?\s*"\.[^"]*)\.tsx?"/g, '$1.js"'));
}

/** Copies what a file imports and the build has not made, and what that imports, with its declarations. */
function copyImportsOf(file: string, outDir: string): void {
  const imports = readFileSync(file, "utf8").matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+\.js)"/g);
  for (const [, specifier = ""] of imports) {
    const target = resolve(dirname(file), specifier);
    if (existsSync(target)) continue;
    const source = relative(resolve(outDir), target);
    if (!source.startsWith("gen/"))
      throw new Error(`${file} imports ${specifier}, which the build did not make`);
    for (const name of [source, source.replace(/\.js$/, ".d.ts")]) {
      cpSync(name, join(outDir, name), { recursive: true });
    }
    copyImportsOf(target, outDir);
  }
}
