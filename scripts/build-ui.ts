// SPDX-License-Identifier: Apache-2.0
// Builds the self-service pages into ui/dist, compressed, and fails if a first visit would load too much. Does
// nothing if nothing that goes into them has changed since.
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { brotliCompressSync, gzipSync, constants as zlib } from "node:zlib";
import { routes } from "../ui/src/routes.ts";
import { digestOf, filesIn } from "./digest.ts";

/** The most bytes, compressed with gzip, that the first page may load. */
const mostFirstLoadBytes = 120_000;
const finalFolder = "ui/dist";
const digestFile = ".inputs";
const inputs = [
  "package-lock.json",
  "scripts/build-ui.ts",
  "scripts/digest.ts",
  "scripts/leave-out-options.ts",
  "ui/index.html",
  "ui/vite.config.ts",
  "ui/public",
  "ui/src",
  "sdk/typescript/src",
  "gen/google",
  "gen/ostiary",
];

const digest = digestOf(inputs);
if (readIfThere(join(finalFolder, digestFile)) !== digest) await buildPages();

async function buildPages(): Promise<void> {
  // A test run, for example, would otherwise get the development build of React, half as large again.
  process.env.NODE_ENV = "production";
  // Only loaded when it is needed, so that a start of the server need not wait for it.
  const { build } = await import("vite");
  // Built aside and moved at the end, so that a server that starts meanwhile finds all of the pages or none.
  const folder = `ui/.dist-${process.pid}`;
  try {
    await build({
      root: "ui",
      logLevel: "warn",
      build: { outDir: `../${folder}`, emptyOutDir: true, reportCompressedSize: false },
    });
    const page = readFileSync(join(folder, "index.html"));
    for (const route of routes) if (route !== "") writeFileSync(join(folder, `${route}.html`), page);
    const firstLoad = compress(folder);
    if (firstLoad > mostFirstLoadBytes) {
      throw new Error(
        `a first visit would load ${firstLoad} bytes; at most ${mostFirstLoadBytes} are allowed`,
      );
    }
    writeFileSync(join(folder, digestFile), digest);
    rmSync(finalFolder, { recursive: true, force: true });
    renameSync(folder, finalFolder);
    console.log(`The pages are built: a first visit loads ${Math.ceil(firstLoad / 1000)} kB.`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Compresses each file beside itself; gives what a first visit loads: one page, everything that it refers to, and the texts in
 * English. Not another language, nor what calls for passkeys.
 */
function compress(folder: string): number {
  const page = readFileSync(join(folder, "index.html"), "utf8");
  let firstLoad = 0;
  for (const file of filesIn(folder)) {
    const content = readFileSync(file);
    const gzipped = gzipSync(content, { level: 9 });
    const params = { [zlib.BROTLI_PARAM_QUALITY]: 11, [zlib.BROTLI_PARAM_SIZE_HINT]: content.length };
    writeFileSync(`${file}.gz`, gzipped);
    writeFileSync(`${file}.br`, brotliCompressSync(content, { params }));
    const name = basename(file);
    const isFirst = name === "index.html" || page.includes(name) || /^en-[\w-]+\.js$/.test(name);
    if (isFirst) firstLoad += gzipped.length;
  }
  return firstLoad;
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // Not built yet, or by something else: then it is built now.
    return undefined;
  }
}
