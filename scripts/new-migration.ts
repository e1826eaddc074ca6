// SPDX-License-Identifier: Apache-2.0
// Writes the next migration: from what entities.ts has and the snapshot of the last migration has not.
import { execFileSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { TSMigrationGenerator } from "@mikro-orm/migrations";
import { openMikroOrm } from "../src/storage/mikro-orm.ts";

const folder = "src/storage/migrations";

const [name = ""] = process.argv.slice(2);
if (!/^[a-z]+(-[a-z]+)*$/.test(name))
  throw new Error("give it a name, such as: make migration NAME=identity-locale");

/** MikroORM's, with our names: a migration is recorded by the name of its file. */
class Generator extends TSMigrationGenerator {
  override async generate(diff: { up: string[]; down: string[] }): Promise<[string, string]> {
    const file = `${nextTimestamp()}-${name}.ts`;
    const className = name.replaceAll(/(?:^|-)(.)/g, (_match, letter: string) => letter.toUpperCase());
    const code = this.generateMigrationFile(className, diff)
      .replace(/^ *override name.*\n/m, "")
      .replace(
        "export class",
        "/** TODO: what changes, and what becomes of the rows that are there. */\nexport class",
      );
    writeFileSync(`${folder}/${file}`, code);
    return [code, file];
  }
}

/** Of now, or after the last migration, where that is later. */
function nextTimestamp(): number {
  const now = Number(new Date().toISOString().replaceAll(/\D/g, "").slice(0, 14));
  const last = Math.max(...readdirSync(folder).map((file) => Number(/^\d{14}(?=-)/.exec(file)?.[0] ?? 0)));
  return Math.max(now, last + 1);
}

const orm = await openMikroOrm();
orm.config.get("migrations").generator = Generator;
const { fileName } = await orm.migrator.create();
await orm.close();
if (fileName === "")
  throw new Error("the entities are as the last migration left them: change entities.ts first");
await import("./generate-rows.ts");
execFileSync("biome", ["check", "--write", "--log-level=error", folder], { stdio: "inherit" });
process.stdout.write(`${folder}/${fileName}: say in it what it does, and look at each statement\n`);
