import { Command, CommanderError } from "commander";
import { configFlags } from "../config/flags.ts";
import type { CommandContext, CommandOptions } from "./context.ts";
import { describeFailure, UserError } from "./describe-failure.ts";
import { withoutTokens } from "./logger.ts";
import { readVersion } from "./version.ts";

/**
 * Runs a command line (without the program's own name) and resolves with the exit code: 0 if all went well, 1 if
 * not. Failures are one line each on standard error; the stack only at log level debug.
 */
export async function runCommandLine(words: readonly string[], context: CommandContext): Promise<number> {
  let code = 0;
  const program = createProgram(context, (result) => {
    code = result;
  });
  try {
    await program.parseAsync([...words], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    for (const line of describeFailure(error)) context.warn(`ostiary: ${line}`);
    if (isDebugging(words, context)) context.warn(stacksOf(error));
    return 1;
  }
}

/** Resolves with an exit code, or with nothing for 0. */
type Action = (options: CommandOptions, context: CommandContext) => unknown;

/**
 * The commands. Each loads its own code only when it runs: `version` and `config check` need neither the database
 * driver nor the listeners.
 */
function createProgram(context: CommandContext, finish: (code: number) => void): Command {
  // Every command goes through here; commander passes (…arguments, options, command) to an action.
  const run = (load: () => Promise<Action>) => async (options: CommandOptions, command: Command) => {
    // An unknown command arrives as an argument of the default one.
    const [unknown] = command.args;
    if (unknown !== undefined) throw new UserError(`there is no command ${unknown}; see \`ostiary --help\``);
    const action = await load();
    const result = await action(options, context);
    finish(typeof result === "number" ? result : 0);
  };
  const program = newCommand("ostiary", "A headless identity server.", context).addHelpText(
    "after",
    helpText,
  );

  const serve = program
    .command("serve", { isDefault: true })
    .description("start the server (the default command)");
  withConfigOptions(serve)
    .allowExcessArguments()
    .action(run(async () => (await import("./serve-command.ts")).serve));

  const migrate = program.command("migrate").description("bring the database up to date");
  withConfigOptions(migrate)
    .option("--dry-run", "only say what would be done")
    .action(run(async () => (await import("./migrate-command.ts")).migrate));

  const config = program.command("config").description("look at the configuration");
  withConfigOptions(config.command("check").description("say OK, or name every problem")).action(
    run(async () => (await import("./config-command.ts")).checkConfig),
  );
  withConfigOptions(config.command("print").description("print what is in effect, secrets hidden"))
    .option("--sources", "say where each value came from")
    .action(run(async () => (await import("./config-command.ts")).showConfig));

  withConfigOptions(
    program
      .command("doctor")
      .description("look at configuration, database, clock, mail, https, proxies and origins"),
  ).action(run(async () => (await import("./doctor-command.ts")).examineSetUp));

  const keys = program.command("keys").description("the first API key, and the keys that sign tokens");
  withConfigOptions(keys.command("bootstrap").description("make the first admin key of an external database"))
    .option("--output <file>", "write it to a new file that only this account can read")
    .action(run(async () => (await import("./keys-command.ts")).bootstrapKey));
  withConfigOptions(
    keys.command("list").description("list the keys that sign tokens, for the services that check them"),
  ).action(run(async () => (await import("./keys-command.ts")).listSigningKeys));
  withConfigOptions(
    keys.command("rotate").description("make the next key that signs tokens now; it signs an hour later"),
  )
    .option("--withdraw", "let it sign at once, and the others end at once, because one is known to others")
    .action(run(async () => (await import("./keys-command.ts")).rotateSigningKeys));

  const templates = program.command("templates").description("the templates of mail and text messages");
  withConfigOptions(templates.command("check").description("say OK, or name the file and line")).action(
    run(async () => (await import("./templates-command.ts")).checkTemplates),
  );
  const preview = templates
    .command("preview")
    .argument("<template>", "for example login_code")
    .description("print a message, filled in with sample data");
  withConfigOptions(preview)
    .option("--language <tag>", "for example de")
    .option("--html", "the HTML of the mail")
    .option("--sms", "the text message")
    .action(async (name: string, options: CommandOptions) => {
      await (await import("./templates-command.ts")).previewTemplate(name, options, context);
    });

  const texts = program.command("texts").description("the sentences of messages and pages, in any language");
  texts
    .command("check")
    .argument("<file>", "an object from keys to sentences, as JSON")
    .description("say OK, or what is wrong with each text")
    .option("--complete", "also name what the file lacks")
    .action(async (file: string, options: CommandOptions) => {
      (await import("./texts-command.ts")).checkTextsFile(file, options, context);
    });
  texts
    .command("list")
    .description("print all texts in English, as a file to begin with")
    .action(run(async () => (await import("./texts-command.ts")).listTexts));

  const providers = program.command("providers").description("other providers that people sign in with");
  withConfigOptions(providers.command("map").description("say what a provider's claims would become"))
    .requiredOption("--provider <id>", "the provider")
    .option("--claims <file>", "the claims as JSON; without it they are read from standard input")
    .action(run(async () => (await import("./providers-command.ts")).mapClaims));

  const ui = program.command("ui").description("the self-service pages");
  ui.command("eject")
    .argument("<folder>", "a new or an empty one")
    .description("copy the source of the pages, to make pages of your own of it")
    .action(async (folder: string) => (await import("./ui-command.ts")).ejectPages(folder, context));
  withConfigOptions(ui.command("preview").description("serve every state of the pages, with sample data"))
    .option("--port <port>", "the port, on loopback", "4455")
    .action(run(async () => (await import("./ui-command.ts")).previewPages));

  const mailbox = program.command("mailbox").description("print the messages of the development mailbox");
  withConfigOptions(mailbox)
    .option("--follow", "go on with those that come")
    .option("--json", "one JSON object a line")
    .option("--link", "print a link instead that opens the mailbox in a browser once")
    .action(run(async () => (await import("./mailbox-command.ts")).readMailbox));

  const hash = program.command("hash").description("password hashing");
  hash
    .command("calibrate")
    .description("measure this machine and recommend parameters of argon2id")
    .option("--target <duration>", "how long a hash may take", "250ms")
    .option("--max-memory <MiB>", "the memory that one hash may use", "64")
    .action(run(async () => (await import("./hash-command.ts")).calibrateHash));

  program
    .command("version")
    .description("print the version")
    .action(() => context.print(readVersion()));
  return program;
}

const helpText = `
Every key of the configuration can be set in the file, by a variable such as OSTIARY_SERVER_PUBLIC_PORT, and the
frequent ones by flag: docs/configuration.md. OSTIARY_CONFIG names the file if --config does not.`;

function newCommand(name: string, description: string, context: CommandContext): Command {
  return new Command(name)
    .description(description)
    .version(readVersion(), "--version", "print the version")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.print(text.trimEnd()),
      writeErr: (text) => context.warn(text.trimEnd().replace(/^error: /, "ostiary: ")),
    });
}

function withConfigOptions(command: Command): Command {
  command.option("--config <file>", "the configuration, a YAML file");
  for (const { name, argument, description } of configFlags) {
    command.option(argument === undefined ? name : `${name} <${argument}>`, description);
  }
  return command;
}

/** Asked for before, and also where the configuration itself could not be read. */
function isDebugging(words: readonly string[], context: CommandContext): boolean {
  return /--log-level[ =]debug\b/.test(words.join(" ")) || context.environment.OSTIARY_LOG_LEVEL === "debug";
}

function stacksOf(error: unknown): string {
  const stacks: string[] = [];
  for (let current = error; current instanceof Error && stacks.length < 10; current = current.cause) {
    stacks.push(current.stack ?? current.message);
  }
  return withoutTokens(stacks.join("\ncaused by: "));
}
