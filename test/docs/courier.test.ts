// The mail servers and providers of docs/courier.md, each section followed with a real SMTP server.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { freshEmail } from "../support/accounts.ts";
import { startTestApp } from "../support/app.ts";
import { openAppQueue } from "../support/app-queue.ts";
import { Caller, resultOf } from "../support/caller.ts";
import { mailAuthority, smtpError, startMailServer } from "../support/mail-server.ts";
import { sealingSecret } from "../support/messages.ts";

interface Smtp {
  url?: string;
  host?: string;
  port?: number;
  user?: string;
  password?: string | { readonly file: string };
  ca_file?: string;
  client_name?: string;
  allow_plain_text?: boolean;
}

const page = await readFile("docs/courier.md", "utf8");
const sections = page.split(/^#{2,3} /m).flatMap((section) => {
  const title = section.split("\n", 1)[0] ?? "";
  return [...section.matchAll(/```yaml config\n([\s\S]*?)```/g)].flatMap(([, yaml = ""], index) => {
    const { courier } = parse(yaml).tenant_defaults;
    const smtp = courier.email?.smtp as Smtp | undefined;
    return smtp === undefined ? [] : [[`${title}, ${index + 1}`, { courier, smtp }] as const];
  });
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ostiary-courier-page-"));
  await writeFile(join(folder, "authority.pem"), mailAuthority);
  await writeFile(join(folder, "password"), "a password from a file");
});
afterAll(() => rm(folder, { recursive: true }));

/** What a section says of its server: who logs in, and how it encrypts. */
function readSmtp({ url, ...keys }: Smtp) {
  const { protocol, hostname, port, username, password } = new URL(url ?? "smtp://none");
  const isUrl = url !== undefined;
  const ofKeys = typeof keys.password === "object" ? "a password from a file" : (keys.password ?? "");
  return {
    host: isUrl ? hostname : (keys.host ?? ""),
    implicitTls: isUrl ? protocol === "smtps:" : keys.port === 465,
    port: isUrl ? Number(port) : (keys.port ?? 0),
    user: isUrl ? decodeURIComponent(username) : (keys.user ?? ""),
    password: isUrl ? decodeURIComponent(password) : ofKeys,
  };
}

test("has a section for each kind of server and provider", () => {
  expect(sections.map(([title]) => title)).toEqual([
    "A mail server, 1",
    "A mail server, 2",
    "A mail server on this machine, 1",
    "A mail server of your own, 1",
    "A mail server of your own, 2",
    "Amazon SES, 1",
    "SendGrid, 1",
    "Postmark, 1",
    "Mailgun, 1",
    "Google Workspace, 1",
    "Reports of Amazon SES, 1",
    "Reports of Postmark, 1",
    "Reports of SendGrid, 1",
  ]);
});

test("the server is greeted with the host of public_url, as the page says", async () => {
  const greeted: string[] = [];
  const server = await startMailServer({
    onMailFrom: (_address, session, callback) => {
      greeted.push(session.hostNameAppearsAs);
      callback();
    },
  });
  const app = await startTestApp({
    config: {
      secrets: { sealing: [sealingSecret] },
      tenant_defaults: {
        public_url: "https://id.example.com",
        courier: {
          from_address: "no-reply@example.com",
          email: { smtp: { url: `smtp://127.0.0.1:${server.port}` } },
        },
      },
    },
  });
  const queue = await openAppQueue(app);
  try {
    await queue.enqueue({ template: "password_changed", data: {} }, { recipient: freshEmail() });
    await server.received(1);
    expect(greeted).toEqual(["id.example.com"]);
  } finally {
    await queue.close();
    await app.stop();
    await server.close();
  }
});

test.each(sections)("%s: mail arrives as the section says", async (_title, { courier, smtp }) => {
  const said = readSmtp(smtp);
  const greeted: string[] = [];
  const server = await startMailServer({
    secure: said.implicitTls,
    onMailFrom: (_address, session, callback) => {
      greeted.push(session.hostNameAppearsAs);
      callback();
    },
    // A relay without TLS; all others offer STARTTLS, or speak TLS from the first byte.
    ...(smtp.allow_plain_text === true ? { hideSTARTTLS: true } : {}),
    ...(said.user === ""
      ? smtp.allow_plain_text === true
        ? { disabledCommands: ["STARTTLS", "AUTH"] }
        : {}
      : {
          authOptional: false,
          onAuth: ({ username, password }, _session, callback) =>
            username === said.user && password === said.password
              ? callback(null, { user: username })
              : callback(smtpError(535, "authentication failed")),
        }),
  });
  // What stands in for the server of the section is on this machine, on a port of its own, with an authority of its own.
  const isLocal = said.host === "127.0.0.1";
  const at = `${isLocal ? said.host : "localhost"}:${server.port}`;
  const own: Smtp = { ...smtp };
  if (smtp.url !== undefined) own.url = smtp.url.replace(/[^/@]+:\d+$/, at);
  else Object.assign(own, { host: "localhost", port: server.port, implicit_tls: said.implicitTls });
  if (typeof smtp.password === "object") own.password = { file: join(folder, "password") };
  if (!isLocal && smtp.allow_plain_text !== true) own.ca_file = join(folder, "authority.pem");
  const app = await startTestApp({
    config: { tenant_defaults: { courier: { ...courier, email: { smtp: own } } } },
  });
  try {
    const address = freshEmail();
    expect(resultOf(await new Caller(app).register(address))).toBe("completed");
    const [mail] = await server.received(1);
    expect(mail).toMatchObject({
      from: courier.from_address,
      to: [address],
      secure: smtp.allow_plain_text !== true,
    });
    // The server knows nobody without a login as undefined or false.
    expect(mail?.user || "").toBe(said.user);
    if (smtp.client_name !== undefined) expect(greeted).toEqual([smtp.client_name]);
  } finally {
    await app.stop();
    await server.close();
  }
});
