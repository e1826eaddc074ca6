import { createRenderer } from "../app-courier.ts";
import { type MessageTemplate, messageTemplates, sampleContent } from "../domain/courier/message.ts";
import { type CommandContext, type CommandOptions, loadFrom } from "./context.ts";
import { UserError } from "./describe-failure.ts";

/** `ostiary templates check`: OK, or the first template that cannot be used, with its file and line. */
export async function checkTemplates(options: CommandOptions, context: CommandContext): Promise<void> {
  const renderer = await createRenderer(loadFrom(options, context));
  await renderer.check();
  context.print("OK");
}

/** `ostiary templates preview <template>`: the message as people get it, filled in with sample data. */
export async function previewTemplate(
  name: string,
  options: CommandOptions,
  context: CommandContext,
): Promise<void> {
  const template = messageTemplates.find((each): each is MessageTemplate => each === name);
  if (template === undefined) {
    throw new UserError(`there is no template ${name}; there is ${messageTemplates.join(", ")}`);
  }
  const renderer = await createRenderer(loadFrom(options, context));
  const language = typeof options.language === "string" ? options.language : "";
  const content = sampleContent(template);
  if (options.sms === true) {
    context.print((await renderer.render(content, "sms", language)).text);
    return;
  }
  const mail = await renderer.render(content, "email", language);
  if (mail.channel !== "email") return;
  context.print(options.html === true ? mail.html.trimEnd() : `${mail.subject}\n\n${mail.text.trimEnd()}`);
}
