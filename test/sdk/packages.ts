import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { digestOf } from "../../scripts/digest.ts";

/** A packed package. */
export interface Packed {
  readonly tarball: string;
  readonly files: readonly string[];
  /** Its size packed, in bytes. */
  readonly size: number;
}

/** A folder of its own for one test file; `remove` takes it away. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "ostiary-packages-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/**
 * Builds a package with its script and packs it as npm would publish it. To pack the server takes npm seconds, so the tarball is
 * kept for as long as nothing in it changes.
 */
export function pack(script: string, folder: string, destination: string): Packed {
  run("node", [script]);
  const { name, files } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    readonly name: string;
    readonly files: readonly string[];
  };
  // npm adds the first three by itself.
  const packedPaths = ["package.json", "README.md", "LICENSE", ...files].map((path) => join(folder, path));
  const kept = resolve(".cache/packed", name);
  const digest = digestOf([...packedPaths, "test/sdk/packages.ts"]);
  const digestFile = join(kept, "digest");
  if (!existsSync(digestFile) || readFileSync(digestFile, "utf8") !== digest) {
    rmSync(kept, { recursive: true, force: true });
    mkdirSync(kept, { recursive: true });
    const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", kept];
    writeFileSync(join(kept, "printed.json"), run("npm", args, folder));
    writeFileSync(digestFile, digest);
  }
  const printed = readFileSync(join(kept, "printed.json"), "utf8");
  const parsed: unknown = JSON.parse(printed);
  // npm 12 answers with an object by package name, those before with a list.
  const [packed] = Object.values(
    parsed as Record<string, { filename: string; size: number; files: { path: string }[] }>,
  );
  if (packed === undefined) throw new Error(`npm pack printed ${printed}`);
  const tarball = join(destination, packed.filename);
  copyFileSync(join(kept, packed.filename), tarball);
  return {
    tarball,
    files: packed.files.map((file) => file.path).sort(),
    size: packed.size,
  };
}

/** Makes a folder whose node_modules holds all that the repository has installed, but none of our own packages. */
export function projectWithInstalledModules(path: string): void {
  const modules = join(path, "node_modules");
  mkdirSync(modules, { recursive: true });
  for (const name of readdirSync("node_modules")) {
    if (name !== "@ostiary") symlinkSync(resolve("node_modules", name), join(modules, name));
  }
}

/** Unpacks a tarball to where an import finds it. */
export function unpack(tarball: string, folder: string): void {
  mkdirSync(folder, { recursive: true });
  run("tar", ["-xzf", resolve(tarball), "-C", folder, "--strip-components=1"]);
}

/** Runs a program and returns what it printed; its output is in the error if it fails. */
export function run(program: string, args: readonly string[], cwd = "."): string {
  const path = `${resolve("node_modules/.bin")}:${process.env.PATH ?? ""}`;
  try {
    return execFileSync(program, args, {
      cwd,
      encoding: "utf8",
      env: { ...process.env, PATH: path },
      stdio: "pipe",
    });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${program} ${args.join(" ")} failed:\n${stdout}\n${stderr}`, { cause: error });
  }
}
