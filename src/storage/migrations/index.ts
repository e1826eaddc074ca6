import { readdirSync } from "node:fs";
import type { Migration } from "@mikro-orm/migrations";

type MigrationClass = new (...parameters: ConstructorParameters<typeof Migration>) => Migration;

/** A migration: its name as it is recorded, and how to get its code, which is not read while nothing is pending. */
export interface ListedMigration {
  readonly name: string;
  readonly load: () => Promise<MigrationClass>;
}

/** All migrations, oldest first: the files beside this one, compiled or not. Each exports one class. */
export const migrations: readonly ListedMigration[] = readdirSync(import.meta.dirname)
  .filter((file) => /^\d{14}-[a-z-]+\.[jt]s$/.test(file))
  .sort()
  .map((file) => ({
    name: file.slice(0, -".ts".length),
    load: async () => {
      const { href } = new URL(file, import.meta.url);
      const module: Readonly<Record<string, MigrationClass>> = await import(/* @vite-ignore */ href);
      const [migration, second] = Object.values(module);
      if (migration === undefined || second !== undefined) throw new Error(`${file} must export one class`);
      return migration;
    },
  }));
