import { examine, type Finding } from "../app-doctor.ts";
import { ConfigError } from "../config/problems.ts";
import { appOptionsFrom, type CommandContext, type CommandOptions, loadFrom } from "./context.ts";
import { describeFailure } from "./describe-failure.ts";

const marks: Readonly<Record<Finding["state"], string>> = { good: "ok   ", look: "LOOK ", wrong: "WRONG" };

/**
 * `ostiary doctor`: looks at all that a set-up needs, and says of each part that it is good or what to do. Changes nothing and sends
 * nothing. Resolves with 1 if something is wrong.
 */
export async function examineSetUp(options: CommandOptions, context: CommandContext): Promise<number> {
  let isWrong = false;
  const print = ({ part, state, text, remedy }: Finding) => {
    isWrong ||= state === "wrong";
    context.print(`${marks[state]}  ${part.padEnd(13)}  ${text}`);
    if (remedy !== "") context.print(`${" ".repeat(22)}-> ${remedy}`);
  };
  try {
    const appOptions = appOptionsFrom(loadFrom(options, context), context);
    for await (const finding of examine(appOptions, (error) => describeFailure(error).join(" ")))
      print(finding);
  } catch (error) {
    // Nothing else can be looked at without one.
    if (!(error instanceof ConfigError)) throw error;
    for (const text of error.problems) {
      print({ part: "configuration", state: "wrong", text, remedy: "Correct it, and look again." });
    }
  }
  return isWrong ? 1 : 0;
}
