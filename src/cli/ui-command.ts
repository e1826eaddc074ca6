import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { startPreview } from "../app-preview.ts";
import { type CommandContext, type CommandOptions, loadFrom } from "./context.ts";
import { UserError } from "./describe-failure.ts";

/** The source of the pages, in a checkout and in the published package. */
const source = fileURLToPath(new URL("../../ui", import.meta.url));

/** What every project of pages has, beside the pages themselves. */
const projectFiles = ["README.md", "vite.config.ts", "tsconfig.json"];

/** `ostiary ui eject <folder>`: copies the source of the self-service pages into a new or empty folder, ready to build. */
export function ejectPages(folder: string, context: CommandContext): void {
  const target = resolve(folder);
  assertEmpty(target, folder);
  mkdirSync(target, { recursive: true });
  for (const name of ["index.html", "public", "src"]) {
    const isTest = (path: string) => /\.test\.tsx?$/.test(path);
    cpSync(join(source, name), join(target, name), { recursive: true, filter: (path) => !isTest(path) });
  }
  for (const name of projectFiles) cpSync(join(source, "eject", name), join(target, name));
  writeFileSync(join(target, "package.json"), `${JSON.stringify(packageOfPages(), undefined, 2)}\n`);
  context.print(`The source of the pages is in ${folder}. Its README.md says how they are built and served.`);
}

/** Nothing of anybody's is written over. */
function assertEmpty(target: string, folder: string): void {
  if (!existsSync(target)) return;
  if (!statSync(target).isDirectory()) throw new UserError(`${folder} is not a directory`);
  if (readdirSync(target).length > 0) {
    throw new UserError(`the directory ${folder} is not empty: name a new or an empty one`);
  }
}

function packageOfPages(): object {
  const { dependencies, devDependencies } = JSON.parse(
    readFileSync(join(source, "package.json"), "utf8"),
  ) as Readonly<Record<"dependencies" | "devDependencies", Readonly<Record<string, string>>>>;
  return {
    name: "self-service-pages",
    private: true,
    type: "module",
    scripts: { build: "vite build", check: "tsc" },
    dependencies,
    devDependencies: { ...devDependencies, "@types/node": "^24", typescript: "^7.0.2" },
  };
}

/**
 * `ostiary ui preview`: serves every state of the self-service pages with sample data, to this machine alone and without a database, until
 * a signal ends it. Name, colours and providers are those of the configuration.
 */
export async function previewPages(options: CommandOptions, context: CommandContext): Promise<void> {
  const wanted = String(options.port);
  const port = Number(wanted);
  if (!/^\d+$/.test(wanted) || port > 65_535) {
    throw new UserError(`--port must be a whole number from 0 to 65535, not ${wanted}`);
  }
  const preview = await startPreview({ config: loadFrom(options, context), port });
  const ended = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  context.print(`Every state of the pages: http://localhost:${preview.port}/ (Ctrl-C ends the preview)`);
  await ended;
  await preview.stop();
}
