import { open, rm } from "node:fs/promises";
import { bootstrapAdminKey } from "../app.ts";
import { appOptionsFrom, type CommandContext, type CommandOptions, loadFrom } from "./context.ts";
import { UserError } from "./describe-failure.ts";

/**
 * `ostiary keys bootstrap`: makes the first admin key of an external database, once ever.
 *
 * Security rule (SR-ACCESS-8): the key goes to a terminal, where a person reads it, or into a new file of this account only; never
 * into a pipe, which is how it would end up in a log. That is checked before the one key is made.
 */
export async function bootstrapKey(options: CommandOptions, context: CommandContext): Promise<void> {
  const output = typeof options.output === "string" ? options.output : undefined;
  if (output === undefined && !context.isTerminal) {
    throw new UserError(
      "the key is only shown on a terminal: name a new file with --output to write it there",
    );
  }
  const config = loadFrom(options, context);
  if (config.embedded) {
    const directory = config.config.database.dataDirectory;
    throw new UserError(
      `with the embedded database, \`ostiary serve\` makes the first key and keeps it in ${directory}`,
    );
  }
  const file = output === undefined ? undefined : await newFile(output);
  let written = false;
  try {
    const key = await bootstrapAdminKey(appOptionsFrom(config, context));
    if (key === undefined) {
      throw new UserError("the first admin key was made before: make others with ApiKeyService.CreateApiKey");
    }
    if (file === undefined) {
      context.print(key.reveal());
      return;
    }
    await file.writeFile(`${key.reveal()}\n`);
    await file.sync();
    written = true;
    context.print(`The first admin key is in ${output}.`);
  } finally {
    await file?.close();
    if (output !== undefined && file !== undefined && !written) await rm(output, { force: true });
  }
}

async function newFile(path: string) {
  try {
    return await open(path, "wx", 0o600);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new UserError(`${path}: ${code === "EEXIST" ? "is there already" : `cannot be made (${code})`}`);
  }
}
