import { open, rm } from "node:fs/promises";
import { bootstrapAdminKey, signingKeysOf } from "../app.ts";
import { never } from "../domain/instant.ts";
import type { SigningKeyState } from "../domain/signed-token/signing-keys.ts";
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

/** `ostiary keys list`: the keys that sign tokens, newest first. Nothing of them is a secret. */
export async function listSigningKeys(options: CommandOptions, context: CommandContext): Promise<void> {
  const config = loadFrom(options, context);
  printKeys(await signingKeysOf(appOptionsFrom(config, context), "list"), context);
}

/** `ostiary keys rotate`: makes the next key that signs tokens. Servers that run follow within ten seconds. */
export async function rotateSigningKeys(options: CommandOptions, context: CommandContext): Promise<void> {
  const config = loadFrom(options, context);
  const how = options.withdraw === true ? "withdraw" : "rotate";
  printKeys(await signingKeysOf(appOptionsFrom(config, context), how), context);
  if (how === "withdraw") {
    context.warn(
      "Services refuse what the withdrawn keys have signed once they read the keys again: most within five to ten minutes, at once after a restart.",
    );
  }
}

function printKeys(keys: readonly SigningKeyState[], context: CommandContext): void {
  if (keys.length === 0) context.print("There is no key yet. The server makes the first one when it starts.");
  for (const { keyId, state, signsAt, endsAt } of keys) {
    const end = endsAt === never ? "" : `, published until ${endsAt.toISOString()}`;
    context.print(`${keyId} ${state}: signs from ${signsAt.toISOString()}${end}`);
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
