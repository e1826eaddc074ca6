import { readFile } from "node:fs/promises";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { mailboxFile } from "../app-courier.ts";
import { type CommandContext, type CommandOptions, loadFrom } from "./context.ts";
import { UserError } from "./describe-failure.ts";

interface Message {
  readonly id: string;
  readonly time: string;
  readonly recipient: string;
  readonly subject: string;
  readonly text: string;
}

const followIntervalMs = 500;

/**
 * `ostiary mailbox`: prints the messages of the development mailbox of the server that runs on this data directory,
 * oldest first; with `--follow` also those that come, with `--json` one object a line, with `--link` a link instead
 * that opens the mailbox in a browser once.
 */
export async function readMailbox(options: CommandOptions, context: CommandContext): Promise<void> {
  const { config } = loadFrom(options, context);
  const server = await findServer(config.database.dataDirectory);
  if (options.link === true) {
    const { path } = (await ask(server, "/mailbox/link.json")) as { path: string };
    context.print(server.url + path);
    return;
  }
  const seen = new Set<string>();
  for (;;) {
    const { messages } = (await ask(server, "/mailbox/messages.json")) as { messages: readonly Message[] };
    for (const message of messages.toReversed()) {
      if (seen.has(message.id)) continue;
      seen.add(message.id);
      context.print(options.json === true ? JSON.stringify(message) : describe(message));
    }
    if (options.follow !== true) return;
    await delay(followIntervalMs);
  }
}

interface RunningServer {
  readonly url: string;
  readonly token: string;
}

async function findServer(dataDirectory: string): Promise<RunningServer> {
  const file = join(dataDirectory, mailboxFile);
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw new UserError(
      `there is no mailbox in ${dataDirectory}: it is there once \`ostiary serve\` has run without a mail server`,
    );
  });
  const [url = "", token = ""] = text.split("\n");
  return { url, token };
}

/** Asks the server itself, past any proxy. Its certificate may be for another name than the loopback address. */
function ask({ url, token }: RunningServer, path: string): Promise<unknown> {
  const request = url.startsWith("https:") ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const away = () =>
      reject(new UserError(`no server with a mailbox answers at ${url}: is \`ostiary serve\` running?`));
    const call = request(
      url + path,
      { headers: { authorization: `Bearer ${token}` }, rejectUnauthorized: false, timeout: 10_000 },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          body += chunk;
        });
        response.on("error", away);
        response.on("end", () => {
          if (response.statusCode !== 200) return away();
          resolve(JSON.parse(body));
        });
      },
    );
    call.on("timeout", () => call.destroy());
    call.on("error", away);
    call.end();
  });
}

function describe({ time, recipient, subject, text }: Message): string {
  return `${time}  to ${recipient}\n${subject}\n\n${text.trimEnd()}\n`;
}
