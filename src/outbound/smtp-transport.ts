import { createTransport } from "nodemailer";
import { saysAddressIsGone } from "../domain/courier/address-gone.ts";
import type { Attempt } from "../domain/courier/attempt.ts";
import type { Delivery, DeliveryResult, MessageTransport } from "../domain/courier/delivery.ts";
import { MailReach, needsSmtpUtf8 } from "../domain/courier/mail-reach.ts";
import { reasonFor } from "../domain/courier/reason.ts";
import { isLoopbackAddress } from "../domain/hosts.ts";
import { isEmailAddress } from "../domain/identifier/normalise.ts";
import type { MessageId } from "../domain/ids.ts";
import {
  refusesMessage,
  type SmtpFailure,
  SmtpSession,
  type SmtpSessionOptions,
  standardTimeouts,
} from "./smtp-session.ts";

/** Connection to an SMTP server, and the sender of mail. */
export interface SmtpTransportOptions
  extends Pick<SmtpSessionOptions, "server" | "clientName" | "authorities"> {
  /** Does without STARTTLS beyond this machine, where it is not offered. */
  readonly allowPlainText: boolean;
  /** Time-outs of the phases of a session, other than those of RFC 5321. */
  readonly timeouts: Pick<SmtpSessionOptions["timeouts"], "connectMs"> &
    Partial<SmtpSessionOptions["timeouts"]>;
  /** Where what the server says of SMTPUTF8 is kept. Default: addresses beyond ASCII go out if it offers that. */
  readonly reach?: MailReach | undefined;
  readonly from: { readonly address: string; readonly name: string };
  /** Headers by which a provider gives the id of a message back when it reports on it. Default: none. */
  readonly idHeaders?: ((id: MessageId) => Readonly<Record<string, string>>) | undefined;
  /** How long an idle connection is kept; default ten seconds. Few enough that no router on the way has forgotten it. */
  readonly idleMs?: number | undefined;
}

/** A transport that holds connections. */
export interface ClosableTransport extends MessageTransport {
  /** Connects, encrypts and signs in as a delivery does, and sends nothing. Throws what the server or the network said. */
  verify(): Promise<void>;
  /** Ends all connections. To be called when nothing is to be sent any more. */
  close(): void;
}

/** How many connections one message is tried over at once, as long as none of them takes its content. */
const connectionsInTurn = 3;

/** How long somebody who tries a server waits for it: they look at a screen. */
const verifyMs = 30_000;

/** Sends mail through an SMTP server, over connections that are kept for a while. */
export function createSmtpTransport(options: SmtpTransportOptions): ClosableTransport {
  const { server, authorities, allowPlainText, idleMs = 10_000, reach = new MailReach("auto") } = options;
  const sessions = new Sessions(
    {
      ...options,
      // Security rule (SR-MAIL-4): beyond this machine codes only travel encrypted, and nothing is sent to a server without STARTTLS,
      // nor if an attacker on the way hides the offer (RFC 8314, section 3).
      mayBePlain: allowPlainText || (isLoopbackAddress(server.host) && authorities === undefined),
      timeouts: { ...standardTimeouts, ...options.timeouts },
    },
    idleMs,
    (session) => reach.heard(session.offers("SMTPUTF8")),
  );
  return {
    keepsMessages: false,
    deliver: async (delivery, attempt) => {
      if (delivery.message.channel !== "email") {
        return { kind: "failed", permanent: true, error: "SMTP takes no text messages" };
      }
      // Security rule (SR-MAIL-1): nodemailer takes envelope addresses apart, so that one text may become two
      // recipients. What gets there is one address in its normal form, or nothing.
      if (!isEmailAddress(delivery.recipient)) {
        return { kind: "failed", permanent: true, error: "the recipient is no email address" };
      }
      if (!reach.reaches(delivery.recipient)) return unreached(delivery);
      try {
        return await send(sessions, delivery, await compose(delivery, options), attempt);
      } catch (error) {
        return failureOf(error, delivery);
      }
    },
    verify: () => sessions.verify(),
    close: () => sessions.close(),
  };
}

interface ComposedMail {
  readonly envelope: { readonly from: string; readonly to: readonly string[] };
  readonly content: Buffer;
}

const composer = createTransport({ streamTransport: true, buffer: true, newline: "windows" });

async function compose(
  { message, recipient, id }: Delivery,
  { from, idHeaders }: Pick<SmtpTransportOptions, "from" | "idHeaders">,
): Promise<ComposedMail> {
  if (message.channel !== "email") throw new Error("only mail is composed");
  const domain = from.address.slice(from.address.lastIndexOf("@") + 1);
  const { envelope, message: content } = await composer.sendMail({
    from,
    to: { name: "", address: recipient },
    envelope: { from: from.address, to: [recipient] },
    subject: message.subject,
    text: message.text,
    html: message.html,
    // The same at every attempt, so that a mail that comes twice can be known.
    messageId: `<${id}@${domain}>`,
    // RFC 3834: holiday notices do not answer this.
    headers: {
      "Auto-Submitted": "auto-generated",
      "X-Auto-Response-Suppress": "All",
      // As they are: a program reads them, and not all of them can read encoded words.
      ...Object.fromEntries(
        Object.entries(idHeaders?.(id) ?? {}).map(([name, value]) => [name, { prepared: true, value }]),
      ),
    },
    // Security rule (SR-MAIL-1): content is text, never the name of a file or address to read.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return { envelope: { from: envelope.from || from.address, to: envelope.to }, content: content as Buffer };
}

/** It is tried again, since another of the servers behind a name may offer it. */
function unreached(delivery: Delivery): DeliveryResult {
  const why =
    "its address needs SMTPUTF8, which the server does not offer: tenant_defaults.courier.email.smtp.utf8";
  return { kind: "failed", permanent: false, error: reasonFor(delivery, why) };
}

async function send(
  sessions: Sessions,
  delivery: Delivery,
  mail: ComposedMail,
  attempt: Attempt,
): Promise<DeliveryResult> {
  for (let connection = 1; ; connection++) {
    let session: SmtpSession | undefined;
    try {
      session = await sessions.take(attempt.signal);
      // RFC 6531, section 3.2: such an address, and headers that have it, must not go to another server.
      if (needsSmtpUtf8(delivery.recipient) && !session.offers("SMTPUTF8")) {
        sessions.giveBack(session);
        return unreached(delivery);
      }
      await session.send(mail.envelope, mail.content, attempt);
      sessions.giveBack(session);
      return { kind: "sent" };
    } catch (error) {
      if (session !== undefined && refusesMessage(error)) sessions.resetAndGiveBack(session);
      const isLast = connection === connectionsInTurn || attempt.signal.aborted;
      const isHandedOver = attempt.answerInMs !== undefined;
      if (isLast || isHandedOver || !isOfThisConnection(error, session)) throw error;
    }
  }
}

/** Whether another connection may do better at once: the server ends this one, or has ended it while it was idle. */
function isOfThisConnection(error: unknown, session: SmtpSession | undefined): boolean {
  if ((error as SmtpFailure).responseCode === 421) return true;
  return session?.wasUsed === true && !refusesMessage(error);
}

/** The connections that wait for a mail. There are never more than have been used at the same time. */
class Sessions {
  readonly #options: SmtpSessionOptions;
  readonly #idleMs: number;
  readonly #onOpen: (session: SmtpSession) => void;
  readonly #idle = new Map<SmtpSession, NodeJS.Timeout>();
  readonly #all = new Set<SmtpSession>();

  constructor(options: SmtpSessionOptions, idleMs: number, onOpen: (session: SmtpSession) => void) {
    this.#onOpen = onOpen;
    this.#options = options;
    this.#idleMs = idleMs;
  }

  /** An idle session, or a new one. */
  async take(signal: AbortSignal): Promise<SmtpSession> {
    for (const [session, timer] of this.#idle) {
      clearTimeout(timer);
      this.#idle.delete(session);
      if (session.isOpen) return session;
      this.#all.delete(session);
    }
    const session = await SmtpSession.open(this.#options, signal);
    for (const known of this.#all) if (!known.isOpen) this.#all.delete(known);
    this.#all.add(session);
    this.#onOpen(session);
    return session;
  }

  /** Opens a session, and ends it. */
  async verify(): Promise<void> {
    const session = await SmtpSession.open(this.#options, AbortSignal.timeout(verifyMs));
    session.quit();
  }

  giveBack(session: SmtpSession): void {
    if (!session.isOpen) return;
    const timer = setTimeout(() => {
      this.#idle.delete(session);
      this.#all.delete(session);
      session.quit();
    }, this.#idleMs).unref();
    this.#idle.set(session, timer);
  }

  /** Gives one back after the server refused a message, once it is ready for the next. */
  resetAndGiveBack(session: SmtpSession): void {
    // It has ended itself if it failed.
    void session.reset().then(
      () => this.giveBack(session),
      () => {},
    );
  }

  close(): void {
    for (const [session, timer] of this.#idle) {
      clearTimeout(timer);
      session.quit();
    }
    for (const session of this.#all) if (!this.#idle.has(session)) session.close();
    this.#idle.clear();
    this.#all.clear();
  }
}

/** The replies that say that a login or encryption is missing or was refused (RFC 4954, section 6), to whichever command. */
const aboutLogin: ReadonlySet<number> = new Set([530, 534, 535, 538]);

/** The replies that say that the server knows or takes no such command now. */
const aboutCommands: ReadonlySet<number> = new Set([502, 503, 504]);

/** Words by which servers say of a recipient that they do not know us, or do not want us. */
const aboutUs = /relay|authenticat|credential|encrypt|starttls|client host|blocked using|block ?list|listed/i;

/**
 * A 5xx is permanent (RFC 5321, section 4.2.1) where it is about the message: its recipient, size or content. Said of the connection, our
 * login, our sender or our network, it is about what the operator can correct, so nothing is given up for it.
 */
function failureOf(error: unknown, delivery: Delivery): DeliveryResult {
  if (!(error instanceof Error))
    return { kind: "failed", permanent: false, isOutage: true, error: "unknown error" };
  const { command, responseCode, message } = error as SmtpFailure;
  const reason = reasonFor(delivery, command ? `${command}: ${message}` : message);
  if (!refusesMessage(error) || isAboutUs(error)) {
    return { kind: "failed", permanent: false, isOutage: true, error: reason };
  }
  return {
    kind: "failed",
    permanent: responseCode === undefined || responseCode >= 500,
    isAddressGone: command === "RCPT TO" && saysAddressIsGone(statusIn(message)),
    error: reason,
  };
}

/** The enhanced status code of a reply (RFC 3463); empty without one. */
function statusIn(reply: string): string {
  return /\b[45]\.\d{1,3}\.\d{1,3}\b/.exec(reply)?.[0] ?? "";
}

/** Whether a refusal of a message is in truth about the server, or about us. */
function isAboutUs({ command, responseCode: code, message }: SmtpFailure): boolean {
  if (code === undefined) return false;
  // RFC 3463: the class, what it is about, and the detail.
  const [, subject, detail] = statusIn(message).split(".");
  const isTooBig = code === 552 || (subject === "3" && detail === "4");
  if (isTooBig) return false;
  if (aboutLogin.has(code) || aboutCommands.has(code) || subject === "3") return true;
  if (command === "MAIL FROM") return true;
  if (code < 500) return false;
  if (command === "RCPT TO") return aboutUs.test(message);
  // RFC 7372: the sender's domain failed SPF, DKIM or DMARC.
  return subject === "7" && /^2\d$/.test(detail ?? "");
}
