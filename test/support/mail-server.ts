import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { makeCertificateFolder } from "./certificates.ts";

/** A mail as it arrived. */
export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** Whether the connection was encrypted. */
  readonly secure: boolean;
  readonly user: string | undefined;
  /** Headers and body as they were on the wire. */
  readonly source: string;
}

/** A real SMTP server that keeps what it is given. */
export interface MailServer {
  readonly port: number;
  readonly mails: readonly ReceivedMail[];
  /** How many connections there have been. */
  readonly connections: () => number;
  /** Resolves when this many mails have arrived. */
  received(count: number): Promise<readonly ReceivedMail[]>;
  close(): Promise<void>;
}

/** The certificate of the test servers, made by openssl(1) at the first use, and the authority that signed it. */
const folder = await makeCertificateFolder();
const authority = await folder.authority("authority");
const issued = await folder.issue({ name: "localhost", authority, names: "DNS:localhost,IP:127.0.0.1" });
const certificate = { key: readFileSync(issued.key), cert: readFileSync(issued.certificate) };

/** That authority, in PEM form. */
export const mailAuthority = readFileSync(authority.certificate, "utf8");
await folder.remove();

/** What a test may change: of smtp-server, and what to say to a mail. */
interface MailServerOptions extends SMTPServerOptions {
  /** Called with each mail before it is kept; an error is what the server answers. */
  readonly onMail?: (mail: ReceivedMail) => Promise<Error | undefined> | Error | undefined;
}

/** Starts a server on a free port of loopback. */
export async function startMailServer({ onMail, ...options }: MailServerOptions = {}): Promise<MailServer> {
  const mails: ReceivedMail[] = [];
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  let connections = 0;
  const server = new SMTPServer({
    ...certificate,
    authOptional: true,
    disabledCommands: options.onAuth === undefined ? ["AUTH"] : [],
    logger: false,
    closeTimeout: 1_000,
    onConnect: (_session, callback) => {
      connections++;
      callback();
    },
    onData: (stream, session, callback) => {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", async () => {
        const { mailFrom, rcptTo } = session.envelope;
        const mail = {
          from: mailFrom === false ? "" : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          secure: session.secure,
          user: session.user as string | undefined,
          source: Buffer.concat(chunks).toString(),
        };
        const refusal = await onMail?.(mail);
        if (refusal) return callback(refusal);
        mails.push(mail);
        callback();
        for (const waiter of waiting) if (mails.length >= waiter.count) waiter.resolve();
      });
    },
    ...options,
  });
  server.on("error", () => {
    // Clients that hang up are part of the tests.
  });
  const listening = server.listen(0, "127.0.0.1");
  await once(listening, "listening");
  return {
    port: (listening.address() as AddressInfo).port,
    mails,
    connections: () => connections,
    received: async (count) => {
      if (mails.length < count) {
        await new Promise<void>((resolve) => {
          waiting.push({ count, resolve });
        });
      }
      return mails;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** What a server says when it refuses: `smtpError(550, "no such user")`. */
export function smtpError(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}
