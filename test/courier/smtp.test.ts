import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { rootCertificates } from "node:tls";
import { afterEach, describe, expect, test, vi } from "vitest";
import { readSmtpUrl } from "../../src/config/smtp-server.ts";
import { Attempt } from "../../src/domain/courier/attempt.ts";
import type { Delivery } from "../../src/domain/courier/delivery.ts";
import { MailReach } from "../../src/domain/courier/mail-reach.ts";
import { newId } from "../../src/domain/ids.ts";
import { standardTimeouts } from "../../src/outbound/smtp-session.ts";
import { createSmtpTransport, type SmtpTransportOptions } from "../../src/outbound/smtp-transport.ts";
import { type MailServer, mailAuthority, smtpError, startMailServer } from "../support/mail-server.ts";
import { noon } from "../support/records.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function aServer(options: Parameters<typeof startMailServer>[0] = {}): Promise<MailServer> {
  const server = await startMailServer(options);
  closers.push(() => server.close());
  return server;
}

function transportTo(url: string, options: Partial<SmtpTransportOptions> = {}) {
  const read = readSmtpUrl(url, "url");
  if (read.kind === "wrong") throw new Error(JSON.stringify(read.problems));
  const transport = createSmtpTransport({
    server: read.server,
    allowPlainText: false,
    authorities: undefined,
    timeouts: { connectMs: 5_000 },
    from: { address: "no-reply@example.com", name: "Acme" },
    ...options,
  });
  closers.push(() => transport.close());
  return { deliver: (mail: Delivery, attempt = new Attempt()) => transport.deliver(mail, attempt) };
}

const authorities = mailAuthority;

function aMail(change: Partial<Delivery> = {}): Delivery {
  return {
    id: newId(noon),
    template: "login_code",
    language: "en",
    recipient: "ada@example.com",
    message: { channel: "email", subject: "Grüße", text: "Text: 123456", html: "<p>HTML: 123456</p>" },
    confidential: ["123456"],
    ...change,
  };
}

describe("a mail", () => {
  test("arrives whole, with a Message-ID made from its id and headers that keep machines from answering", async () => {
    const server = await aServer();
    const mail = aMail();
    expect(await transportTo(`smtp://127.0.0.1:${server.port}`).deliver(mail)).toEqual({ kind: "sent" });
    const [received] = server.mails;
    expect(received).toMatchObject({ from: "no-reply@example.com", to: ["ada@example.com"] });
    const source = received?.source ?? "";
    expect(source).toContain(`Message-ID: <${mail.id}@example.com>`);
    expect(source).toContain("Auto-Submitted: auto-generated");
    expect(source).toMatch(/^From: "?Acme"? <no-reply@example\.com>/m);
    expect(source).toMatch(/multipart\/alternative.*text\/plain.*123456.*text\/html.*123456/s);
  });

  test("shares its connection with the next one", async () => {
    const server = await aServer();
    const transport = transportTo(`smtp://127.0.0.1:${server.port}`);
    for (let count = 0; count < 5; count++) await transport.deliver(aMail());
    expect(server.mails).toHaveLength(5);
    expect(server.connections()).toBe(1);
  });

  // Security rule (SR-MAIL-1): what people enter reaches no header and adds no recipient.
  test.each([
    ["ada@example.com, eve@example.com"],
    ["ada@example.com\r\nRCPT TO:<eve@example.com>"],
    ["ada@example.com>\r\nBcc: <eve@example.com"],
    ["<eve@example.com> ada@example.com"],
  ])("to %j, which is no one address, goes to nobody", async (recipient) => {
    const server = await aServer();
    const result = await transportTo(`smtp://127.0.0.1:${server.port}`).deliver(aMail({ recipient }));
    expect(result).toMatchObject({ kind: "failed", permanent: true });
    expect(server.mails).toEqual([]);
  });

  test.each([["o'brien+tag@example.com"], ["grüße@example.com"]])(
    "to the unusual address %s goes there",
    async (recipient) => {
      const server = await aServer();
      await transportTo(`smtp://127.0.0.1:${server.port}`).deliver(aMail({ recipient }));
      expect(server.mails[0]?.to).toEqual([recipient]);
    },
  );

  test("with line breaks in its subject gets no further header (SR-MAIL-1)", async () => {
    const server = await aServer();
    const message = {
      channel: "email",
      subject: "Hi\r\nBcc: eve@example.com\r\n\r\nbody",
      text: "t",
      html: "h",
    } as const;
    await transportTo(`smtp://127.0.0.1:${server.port}`).deliver(aMail({ message }));
    expect(server.mails[0]?.source).not.toMatch(/^Bcc:/im);
    expect(server.mails[0]?.to).toEqual(["ada@example.com"]);
  });
});

describe("an address with letters beyond ASCII before the @", () => {
  const mail = aMail({ recipient: "tëst@example.com" });

  // RFC 6531, section 3.2. A lax server says yes to bytes that it never agreed to.
  test("never reaches a server that does not offer SMTPUTF8, and what it said is kept", async () => {
    const server = await aScriptedServer(() => ({ EHLO: "250-here\r\n250 SIZE" }));
    const reach = new MailReach("auto");
    const transport = transportTo(`smtp://127.0.0.1:${server.port}`, { reach });
    expect(await transport.deliver(mail)).toMatchObject({ kind: "failed", permanent: false });
    expect(server.commands.map((line) => line.split(" ")[0])).toEqual(["EHLO"]);
    expect(reach.reaches("tëst@example.com")).toBe(false);
    // The same connection takes others, also one whose domain alone is beyond ASCII.
    for (const recipient of ["ada@example.com", "ada@münchen.de"]) {
      expect(await transport.deliver(aMail({ recipient }))).toEqual({ kind: "sent" });
    }
    expect(server.connections()).toBe(1);
    expect(server.commands).toContain("RCPT TO:<ada@xn--mnchen-3ya.de>");
    // Every byte of what went out was agreed upon.
    expect(server.commands.join("")).toMatch(/^\p{ASCII}*$/u);
  });

  test("goes to a server that offers it, which is told so", async () => {
    const server = await aScriptedServer(() => ({ EHLO: "250-here\r\n250-SIZE\r\n250 SMTPUTF8" }));
    const reach = new MailReach("auto");
    reach.heard(true);
    const transport = transportTo(`smtp://127.0.0.1:${server.port}`, { reach });
    expect(await transport.deliver(mail)).toEqual({ kind: "sent" });
    expect(server.commands.find((line) => line.startsWith("MAIL"))).toContain("SMTPUTF8");
    expect(server.commands).toContain("RCPT TO:<tëst@example.com>");
  });
});

test("the server is greeted with the client's name", async () => {
  const greeted: string[] = [];
  const server = await aServer({
    onMailFrom: (_address, session, callback) => {
      greeted.push(session.hostNameAppearsAs);
      callback();
    },
  });
  const transport = transportTo(`smtp://127.0.0.1:${server.port}`, { clientName: "auth.example.com" });
  expect(await transport.deliver(aMail())).toEqual({ kind: "sent" });
  expect(greeted).toEqual(["auth.example.com"]);
});

describe("encryption", () => {
  test("by STARTTLS is used where the server's authority is known", async () => {
    const server = await aServer();
    const result = await transportTo(`smtp://localhost:${server.port}`, { authorities }).deliver(aMail());
    expect(result).toEqual({ kind: "sent" });
    expect(server.mails[0]?.secure).toBe(true);
  });

  test("from the first byte is used with smtps", async () => {
    const server = await aServer({ secure: true });
    const result = await transportTo(`smtps://localhost:${server.port}`, { authorities }).deliver(aMail());
    expect(result).toEqual({ kind: "sent" });
    expect(server.mails[0]?.secure).toBe(true);
  });

  // Security rule (SR-MAIL-4): a server that does not offer STARTTLS, or somebody between who hides it, gets no mail.
  test("that is not offered is not done without", async () => {
    const server = await aServer({ hideSTARTTLS: true, disabledCommands: ["STARTTLS", "AUTH"] });
    const result = await transportTo(`smtp://localhost:${server.port}`, { authorities }).deliver(aMail());
    expect(result).toMatchObject({ kind: "failed", permanent: false });
    expect(server.mails).toEqual([]);
  });

  test.each([
    ["smtp", false],
    ["smtps", true],
  ])("by %s with a certificate that nobody vouches for is refused", async (scheme, secure) => {
    const server = await aServer({ secure });
    const transport = transportTo(`${scheme}://localhost:${server.port}`, {
      authorities: rootCertificates[0],
    });
    expect(await transport.deliver(aMail())).toMatchObject({ kind: "failed", permanent: false });
    expect(server.mails).toEqual([]);
  });
});

describe("a password", () => {
  const auth = (given: string) =>
    aServer({
      allowInsecureAuth: true,
      onAuth: ({ username, password }, _session, callback) =>
        password === given
          ? callback(null, { user: username ?? "" })
          : callback(smtpError(535, "wrong password")),
    });

  test("in the URL is used, with its special characters decoded", async () => {
    const server = await auth("p@ss:word");
    const url = `smtp://courier:p%40ss%3Aword@127.0.0.1:${server.port}`;
    expect(await transportTo(url).deliver(aMail())).toEqual({ kind: "sent" });
    expect(server.mails[0]?.user).toBe("courier");
  });

  /** @see ory/kratos#1718: a `+` is a plus in a URL's password, not a blank; what is decoded arrives as it was. */
  test.each([
    ["p+w", "p+w"],
    ["100%25%2Fsure%23%3F%40", "100%/sure#?@"],
    ["gr%C3%BC%C3%9Fe", "grüße"],
  ])("in the URL written %s arrives as %s", async (written, meant) => {
    const server = await auth(meant);
    const url = `smtp://courier:${written}@127.0.0.1:${server.port}`;
    expect(await transportTo(url).deliver(aMail())).toEqual({ kind: "sent" });
    expect(server.mails[0]?.user).toBe("courier");
  });

  // It is about the configuration, which somebody will put right; the mail can wait.
  test("that is wrong is tried again", async () => {
    const server = await auth("right");
    const result = await transportTo(`smtp://courier:hunter2@127.0.0.1:${server.port}`).deliver(aMail());
    expect(result).toMatchObject({ kind: "failed", permanent: false });
    expect(JSON.stringify(result)).not.toContain("hunter2");
  });
});

describe("a refusal", () => {
  test.each([
    ["of the recipient for good", 550, true],
    ["of the recipient for now", 450, false],
    ["because the mailbox is full", 552, true],
  ])("%s (%i)", async (_name, code, permanent) => {
    const server = await aServer({
      onRcptTo: (_address, _session, callback) => callback(smtpError(code, "not <ada@example.com>")),
    });
    const result = await transportTo(`smtp://127.0.0.1:${server.port}`).deliver(aMail());
    expect(result).toMatchObject({ kind: "failed", permanent });
    expect(JSON.stringify(result)).toContain(String(code));
    expect(JSON.stringify(result)).not.toContain("ada@example.com");
  });

  test.each([
    [554, true],
    [451, false],
  ])("of the content (%i)", async (code, permanent) => {
    const server = await aServer({ onMail: () => smtpError(code, "no") });
    const result = await transportTo(`smtp://127.0.0.1:${server.port}`).deliver(aMail());
    expect(result).toMatchObject({ kind: "failed", permanent });
    expect(JSON.stringify(result)).not.toContain("123456");
  });

  test("of the connection is not the mail's fault", async () => {
    const server = await aServer({
      onConnect: (_session, callback) => callback(smtpError(554, "not you")),
    });
    const result = await transportTo(`smtp://127.0.0.1:${server.port}`).deliver(aMail());
    expect(result).toMatchObject({ kind: "failed", permanent: false });
  });
});

describe("a server that", () => {
  test("is not there is tried again", async () => {
    const server = await startMailServer();
    await server.close();
    const result = await transportTo(`smtp://127.0.0.1:${server.port}`).deliver(aMail());
    expect(result).toMatchObject({ kind: "failed", permanent: false });
  });

  test("hangs up in the middle of the content gets the mail once, and then no more by itself", async () => {
    let contents = 0;
    const port = await aRawServer((socket) => {
      let inContent = false;
      socket.write("220 here\r\n");
      socket.on("data", (chunk) => {
        const text = String(chunk);
        if (inContent) {
          if (!text.endsWith("\r\n.\r\n")) return;
          contents++;
          socket.destroy();
        } else if (text.startsWith("DATA")) {
          inContent = true;
          socket.write("354 go on\r\n");
        } else socket.write("250 yes\r\n");
      });
    });
    const result = await transportTo(`smtp://127.0.0.1:${port}`).deliver(aMail());
    expect(result).toMatchObject({ kind: "failed", permanent: false });
    expect(contents).toBe(1);
  });

  test("says nothing is given up after the time-out", async () => {
    const port = await aRawServer(() => {});
    const startedAt = performance.now();
    const result = await transportTo(`smtp://127.0.0.1:${port}`, {
      timeouts: { connectMs: 300, greetingMs: 300 },
    }).deliver(aMail());
    expect(result).toMatchObject({ kind: "failed", permanent: false });
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });

  test("is slow, but answers in time, gets the mail", async () => {
    const server = await aServer({
      onMail: async () => {
        await new Promise((resolve) => setTimeout(resolve, 700));
        return undefined;
      },
    });
    const result = await transportTo(`smtp://127.0.0.1:${server.port}`).deliver(aMail());
    expect(result).toEqual({ kind: "sent" });
  });
});

/** What a scripted server says to each command, by its first word; 250 to all others. A function says it when it likes. */
type Script = Readonly<Record<string, string | ((say: (text: string) => void, socket: Socket) => void)>>;

interface ScriptedServer {
  readonly port: number;
  /** The commands of all connections, in order; contents are left out. */
  readonly commands: readonly string[];
  /** How many contents have arrived. */
  readonly contents: () => number;
  readonly connections: () => number;
}

/** A server of a test's own words, on a free port. The script may differ with the number of the connection, which begins with 1. */
async function aScriptedServer(
  scriptOf: (connection: number) => Script | undefined,
): Promise<ScriptedServer> {
  const commands: string[] = [];
  let connections = 0;
  let contents = 0;
  const port = await aRawServer((socket) => {
    const script = scriptOf(++connections) ?? {};
    const say = (text: string) => {
      if (!socket.destroyed) socket.write(`${text}\r\n`);
    };
    const answer = (key: string, otherwise: string) => {
      const said = script[key] ?? otherwise;
      if (typeof said === "string") say(said);
      else said(say, socket);
    };
    let received = "";
    let isContent = false;
    answer("greeting", "220 here");
    socket.setEncoding("utf8");
    socket.on("data", (chunk) => {
      received += chunk;
      for (;;) {
        const end = received.indexOf(isContent ? "\r\n.\r\n" : "\r\n");
        if (end < 0) return;
        const line = received.slice(0, end);
        received = received.slice(end + (isContent ? 5 : 2));
        if (isContent) {
          contents++;
          isContent = false;
          answer("content", "250 taken");
          continue;
        }
        commands.push(line);
        const verb = line.split(/[ :]/)[0]?.toUpperCase() ?? "";
        isContent = verb === "DATA" && script.DATA === undefined;
        answer(verb, verb === "DATA" ? "354 go on" : "250 yes");
      }
    });
  });
  return { port, commands, contents: () => contents, connections: () => connections };
}

describe("each phase has a time-out of its own", () => {
  /** Each is much shorter than the others, or far too long for a test. */
  const longMs = 60_000;
  const timeouts = {
    connectMs: longMs,
    greetingMs: longMs,
    commandMs: longMs,
    dataMs: longMs,
    contentMs: longMs,
    answerMs: longMs,
  };
  const silent = () => {};

  test.each<[string, Script, keyof typeof timeouts, string]>([
    ["the greeting", { greeting: silent }, "greetingMs", "greeting"],
    ["EHLO", { EHLO: silent }, "commandMs", "EHLO"],
    ["MAIL", { MAIL: silent }, "commandMs", "MAIL"],
    ["RCPT", { RCPT: silent }, "commandMs", "RCPT"],
    ["DATA", { DATA: silent }, "dataMs", "DATA"],
    ["the final dot", { content: silent }, "answerMs", "the final dot"],
  ])("%s", async (_name, script, phase, named) => {
    const server = await aScriptedServer(() => script);
    const transport = transportTo(`smtp://127.0.0.1:${server.port}`, {
      timeouts: { ...timeouts, [phase]: 200 },
    });
    const attempt = new Attempt();
    const result = await transport.deliver(aMail(), attempt);
    expect(result).toMatchObject({ kind: "failed", permanent: false, isOutage: true });
    expect(JSON.stringify(result)).toContain(`silent after ${named} for 0.2 s`);
    // Only after the content does nobody know whether the server has it.
    expect(attempt.answerInMs !== undefined).toBe(phase === "answerMs");
  });

  /** @see RFC 1047, freescout#5457: a server that said yes after 20 s got the same mail seven times. */
  test("a server that takes its time to say yes gets the mail once", async () => {
    const server = await aScriptedServer(() => ({
      content: (say) => setTimeout(() => say("250 taken"), 600),
    }));
    const transport = transportTo(`smtp://127.0.0.1:${server.port}`, {
      timeouts: { connectMs: 200, greetingMs: 200, commandMs: 200, dataMs: 200, contentMs: 200 },
    });
    expect(await transport.deliver(aMail())).toEqual({ kind: "sent" });
    expect(server.contents()).toBe(1);
  });

  test("those of a server's configuration are the ones of RFC 5321, section 4.5.3.2", () => {
    const minute = 60_000;
    expect(standardTimeouts).toEqual({
      greetingMs: 5 * minute,
      commandMs: 5 * minute,
      dataMs: 2 * minute,
      contentMs: 3 * minute,
      answerMs: 10 * minute,
    });
  });
});

describe("an attempt that is ended", () => {
  test.each<[string, (reached: () => void) => Script]>([
    ["before the greeting", (reached) => ({ greeting: () => reached() })],
    ["at the sender", (reached) => ({ MAIL: () => reached() })],
    ["at DATA", (reached) => ({ DATA: () => reached() })],
  ])("%s hangs up, and the server has nothing", async (_name, scriptOf) => {
    const reached = Promise.withResolvers<void>();
    const server = await aScriptedServer(() => scriptOf(reached.resolve));
    const attempt = new Attempt();
    const result = transportTo(`smtp://127.0.0.1:${server.port}`).deliver(aMail(), attempt);
    await reached.promise;
    attempt.end();
    expect(await result).toMatchObject({ kind: "failed", permanent: false });
    expect(attempt.answerInMs).toBeUndefined();
    expect(server.contents()).toBe(0);
    expect(server.connections()).toBe(1);
  });

  test("after the final dot still waits for the answer", async () => {
    const reached = Promise.withResolvers<(text: string) => void>();
    const server = await aScriptedServer(() => ({ content: (say) => reached.resolve(say) }));
    const attempt = new Attempt();
    const result = transportTo(`smtp://127.0.0.1:${server.port}`).deliver(aMail(), attempt);
    const say = await reached.promise;
    attempt.end();
    expect(attempt.answerInMs).toBeGreaterThan(9 * 60_000);
    say("250 taken");
    expect(await result).toEqual({ kind: "sent" });
  });
});

describe("a connection that the server ends", () => {
  test.each(["greeting", "EHLO", "MAIL", "RCPT"])(
    "with 421 to %s: the mail goes over the next one at once",
    async (command) => {
      const server = await aScriptedServer((connection) =>
        connection === 1 ? { [command]: "421 4.3.2 shutting down" } : undefined,
      );
      const result = await transportTo(`smtp://127.0.0.1:${server.port}`).deliver(aMail());
      expect(result).toEqual({ kind: "sent" });
      expect(server.connections()).toBe(2);
      expect(server.contents()).toBe(1);
    },
  );

  test("with 421 to the content is not tried over another: it may have been taken", async () => {
    const server = await aScriptedServer(() => ({ content: "421 4.3.2 shutting down" }));
    const result = await transportTo(`smtp://127.0.0.1:${server.port}`).deliver(aMail());
    expect(result).toMatchObject({ kind: "failed", permanent: false });
    expect(server.contents()).toBe(1);
  });

  test("without a word while it is idle: the next mail goes over another", async () => {
    const sockets: Socket[] = [];
    const server = await aScriptedServer((connection) =>
      connection === 1
        ? {
            content: (say, socket) => {
              sockets.push(socket);
              say("250 taken");
            },
          }
        : undefined,
    );
    const transport = transportTo(`smtp://127.0.0.1:${server.port}`);
    await transport.deliver(aMail());
    sockets[0]?.resetAndDestroy();
    expect(await transport.deliver(aMail())).toEqual({ kind: "sent" });
    expect(server.connections()).toBe(2);
  });
});

describe("on this machine", () => {
  // postfix with smtpd_tls_auth_only=yes, and every tunnel to a submission server on a local port.
  test("STARTTLS is used where it is offered, with whatever certificate, and the login goes over it", async () => {
    const server = await aServer({
      onAuth: ({ username, password }, session, callback) =>
        password === "right" && session.secure
          ? callback(null, { user: username ?? "" })
          : callback(smtpError(535, "no")),
    });
    const result = await transportTo(`smtp://courier:right@127.0.0.1:${server.port}`).deliver(aMail());
    expect(result).toEqual({ kind: "sent" });
    expect(server.mails).toMatchObject([{ secure: true, user: "courier" }]);
  });

  test("a server without STARTTLS gets the mail", async () => {
    const server = await aServer({ hideSTARTTLS: true, disabledCommands: ["STARTTLS", "AUTH"] });
    expect(await transportTo(`smtp://127.0.0.1:${server.port}`).deliver(aMail())).toEqual({ kind: "sent" });
    expect(server.mails).toMatchObject([{ secure: false }]);
  });

  test("a login that the server does not ask for is an error, and nothing is sent", async () => {
    const server = await aServer();
    const result = await transportTo(`smtp://courier:right@127.0.0.1:${server.port}`).deliver(aMail());
    expect(result).toMatchObject({ kind: "failed", permanent: false, isOutage: true });
    expect(JSON.stringify(result)).toContain("offers no AUTH");
    expect(server.mails).toEqual([]);
  });
});

// Security rule (SR-MAIL-4): plain text is the last resort, also where it is allowed.
test("what allow_plain_text permits is not done where STARTTLS is offered (SR-MAIL-4)", async () => {
  const server = await aServer();
  const transport = transportTo(`smtp://localhost:${server.port}`, { allowPlainText: true, authorities });
  expect(await transport.deliver(aMail())).toEqual({ kind: "sent" });
  expect(server.mails).toMatchObject([{ secure: true }]);
});

test("a refusal keeps the connection for the next mail", async () => {
  const server = await aScriptedServer(() => ({ RCPT: "550 5.1.1 no such user" }));
  const transport = transportTo(`smtp://127.0.0.1:${server.port}`);
  for (let count = 0; count < 3; count++) {
    expect(await transport.deliver(aMail())).toMatchObject({ kind: "failed", permanent: true });
    // It is made ready before it is used again.
    await vi.waitUntil(() => server.commands.filter((line) => line === "RSET").length > count, 10_000);
  }
  expect(server.connections()).toBeLessThanOrEqual(3);
});

/** A server of a test's own protocol, on a free port. */
async function aRawServer(serve: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    serve(socket);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
