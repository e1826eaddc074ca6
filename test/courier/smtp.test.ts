import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { rootCertificates } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { readSmtpUrl } from "../../src/config/smtp-server.ts";
import type { Delivery } from "../../src/domain/courier/delivery.ts";
import { newId } from "../../src/domain/ids.ts";
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
    timeoutMs: 5_000,
    connections: 2,
    from: { address: "no-reply@example.com", name: "Acme" },
    ...options,
  });
  closers.push(() => transport.close());
  return transport;
}

const authorities = mailAuthority;

function aMail(change: Partial<Delivery> = {}): Delivery {
  return {
    id: newId(noon),
    template: "login_code",
    language: "en",
    recipient: "ada@example.com",
    message: { channel: "email", subject: "Grüße", text: "Text: 123456", html: "<p>HTML: 123456</p>" },
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
    const result = await transportTo(`smtp://127.0.0.1:${port}`, { timeoutMs: 300 }).deliver(aMail());
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
    const result = await transportTo(`smtp://127.0.0.1:${server.port}`, { timeoutMs: 5_000 }).deliver(
      aMail(),
    );
    expect(result).toEqual({ kind: "sent" });
  });
});

/** A server of a test's own protocol, on a free port. */
async function aRawServer(serve: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    serve(socket);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}
