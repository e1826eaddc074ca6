import { isIP } from "node:net";
import { createTransport } from "nodemailer";
import type { Delivery, DeliveryResult, MessageTransport } from "../domain/courier/delivery.ts";
import { isLoopbackAddress } from "../domain/hosts.ts";
import { isEmailAddress } from "../domain/identifier/normalise.ts";
import type { Secret } from "../domain/secret.ts";

/** Connection to an SMTP server, and the sender of mail. */
export interface SmtpTransportOptions {
  readonly server: {
    /** A name, or an address without brackets. */
    readonly host: string;
    readonly port: number;
    /** Whether TLS begins with the first byte rather than by STARTTLS. */
    readonly implicitTls: boolean;
    readonly login: { readonly user: string; readonly password: Secret } | undefined;
  };
  /** Name in the greeting of the client; undefined: the machine's name. */
  readonly clientName?: string | undefined;
  /** Does without STARTTLS beyond this machine. */
  readonly allowPlainText: boolean;
  /** PEM of the authorities that may sign the server's certificate; undefined: those of Node. */
  readonly authorities: string | undefined;
  readonly timeoutMs: number;
  /** How many messages may be under way at the same time. */
  readonly connections: number;
  readonly from: { readonly address: string; readonly name: string };
}

/** A transport that holds connections. */
export interface ClosableTransport extends MessageTransport {
  /** Connects, encrypts and signs in as a delivery does, and sends nothing. Throws what the server or the network said. */
  verify(): Promise<void>;
  /** Ends idle connections. To be called when nothing is being sent any more. */
  close(): void;
}

/** Sends mail through an SMTP server, over connections that are kept open. */
export function createSmtpTransport(options: SmtpTransportOptions): ClosableTransport {
  const mailer = createTransport(connectionOf(options));
  const domain = options.from.address.slice(options.from.address.lastIndexOf("@") + 1);
  return {
    keepsMessages: false,
    deliver: async (delivery) => {
      const { message, recipient, id } = delivery;
      if (message.channel !== "email") {
        return { kind: "failed", permanent: true, error: "SMTP takes no text messages" };
      }
      // Security rule (SR-MAIL-1): nodemailer takes envelope addresses apart, so that one text may become two
      // recipients. What gets there is one address in its normal form, or nothing.
      if (!isEmailAddress(recipient)) {
        return { kind: "failed", permanent: true, error: "the recipient is no e-mail address" };
      }
      try {
        await mailer.sendMail({
          from: options.from,
          to: { name: "", address: recipient },
          envelope: { from: options.from.address, to: [recipient] },
          subject: message.subject,
          text: message.text,
          html: message.html,
          // The same at every attempt, so that a mail that comes twice can be known.
          messageId: `<${id}@${domain}>`,
          // RFC 3834: holiday notices do not answer this.
          headers: { "Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All" },
          // Security rule (SR-MAIL-1): content is text, never the name of a file or address to read.
          disableFileAccess: true,
          disableUrlAccess: true,
          signal: AbortSignal.timeout(options.timeoutMs * 4),
        });
        return { kind: "sent" };
      } catch (error) {
        return failureOf(error, delivery);
      }
    },
    verify: async () => {
      await mailer.verify();
    },
    close: () => mailer.close(),
  };
}

function connectionOf(options: SmtpTransportOptions) {
  const { server, clientName, timeoutMs, authorities } = options;
  const { host, port, implicitTls: secure, login } = server;
  // Security rule (SR-MAIL-4): beyond this machine codes only travel encrypted, and nothing is sent to a server without STARTTLS,
  // nor if an attacker on the way hides the offer (RFC 8314, section 3).
  const plain = options.allowPlainText || (isLoopbackAddress(host) && authorities === undefined);
  return {
    pool: true as const,
    host,
    port,
    secure,
    requireTLS: !secure && !plain,
    ignoreTLS: !secure && plain,
    ...(login === undefined ? {} : { auth: { user: login.user, pass: login.password.reveal() } }),
    ...(clientName === undefined ? {} : { name: clientName }),
    tls: {
      minVersion: "TLSv1.2" as const,
      ...(authorities === undefined ? {} : { ca: authorities }),
      ...(isIP(host) === 0 ? { servername: host } : {}),
    },
    maxConnections: Math.max(1, options.connections),
    maxMessages: 1_000,
    // A connection that breaks may break after the server's yes: whether to try again is not decided here.
    maxRequeues: 0,
    // Below the five minutes that servers must wait (RFC 5321, section 4.5.3.2.7).
    idleTimeout: 60_000,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
  };
}

/**
 * The replies that say that a login or encryption is missing or was refused (RFC 4954, section 6), also to the sender's
 * command.
 */
const aboutLogin: ReadonlySet<number> = new Set([530, 534, 535, 538]);

/**
 * A 5xx is permanent (RFC 5321, section 4.2.1) where it is about the message: its sender, recipient or content. Said
 * of the connection or of our password it is about the configuration, which the operator can correct.
 */
function failureOf(error: unknown, { recipient }: Delivery): DeliveryResult {
  if (!(error instanceof Error)) return { kind: "failed", permanent: false, error: "unknown error" };
  const { code, responseCode, command } = error as Error & {
    readonly code?: string;
    readonly responseCode?: number;
    readonly command?: string;
  };
  const aboutMessage = (code === "EENVELOPE" || code === "EMESSAGE") && !aboutLogin.has(responseCode ?? 0);
  const permanent = aboutMessage && (responseCode === undefined || responseCode >= 500);
  // The server's words may quote the address; that is in the record already and not twice.
  const said = error.message.replaceAll(recipient, "[recipient]");
  return { kind: "failed", permanent, error: command ? `${command}: ${said}` : said };
}
