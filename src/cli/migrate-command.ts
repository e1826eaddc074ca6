import { migrateDatabase } from "../app.ts";
import { appOptionsFrom, type CommandContext, type CommandOptions, loadFrom } from "./context.ts";

/** `ostiary migrate`: brings the database up to date, or says what that would do. */
export async function migrate(options: CommandOptions, context: CommandContext): Promise<void> {
  const dryRun = options.dryRun === true;
  const migrations = await migrateDatabase(appOptionsFrom(loadFrom(options, context), context), { dryRun });
  if (migrations.length === 0) context.print("The database is up to date.");
  for (const name of migrations) context.print(`${dryRun ? "would apply" : "applied"} ${name}`);
}
