import { connect as connectSocket, isIP, type Socket } from "node:net";
import SMTPConnection from "nodemailer/lib/smtp-connection";
import type { Attempt } from "../domain/courier/attempt.ts";
import type { Secret } from "../domain/secret.ts";

/** How long the server may be silent in each phase of a session (RFC 5321, section 4.5.3.2). */
export interface SmtpTimeouts {
  /** For the TCP connection, and for the handshake of TLS. */
  readonly connectMs: number;
  readonly greetingMs: number;
  /** For each command but DATA. */
  readonly commandMs: number;
  readonly dataMs: number;
  /** For taking the content. */
  readonly contentMs: number;
  /** For the answer to the final dot: a client that hangs up before makes a double of a message that was taken (RFC 1047). */
  readonly answerMs: number;
}

const minuteMs = 60_000;

/** The least that RFC 5321 asks of a client, beside the time for connecting, of which it says nothing. */
export const standardTimeouts: Omit<SmtpTimeouts, "connectMs"> = {
  greetingMs: 5 * minuteMs,
  commandMs: 5 * minuteMs,
  dataMs: 2 * minuteMs,
  contentMs: 3 * minuteMs,
  answerMs: 10 * minuteMs,
};

/** The server of a session. */
export interface SmtpSessionOptions {
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
  /** Whether the session may go on in plain text if the server does not offer STARTTLS. It is used in any case if it is offered. */
  readonly mayBePlain: boolean;
  /** PEM of the authorities that may sign the server's certificate; undefined: those of Node. */
  readonly authorities: string | undefined;
  readonly timeouts: SmtpTimeouts;
}

/** Why a session failed. */
export interface SmtpFailure extends Error {
  /** `EENVELOPE` or `EMESSAGE` if the server refused a message; others are about the session. */
  readonly code?: string;
  /** The code of its reply. */
  readonly responseCode?: number;
  /** The command that it refused. */
  readonly command?: string;
}

/** A session with an SMTP server, which can send one message after the other. */
export class SmtpSession {
  readonly #connection: SMTPConnection;
  readonly #dialogue: Dialogue;
  /** Ends what is under way. */
  #reject: (error: Error) => void = () => {};
  #isOver = false;
  /** Whether it has sent a message before. */
  wasUsed = false;

  /** Connects, encrypts and logs in. Throws an `SmtpFailure`. */
  static async open(options: SmtpSessionOptions, signal: AbortSignal): Promise<SmtpSession> {
    const socket = await openSocket(options, signal);
    const session = new SmtpSession(options, socket);
    const { login } = options.server;
    await session.#run(signal, async () => {
      await session.#connect();
      if (login !== undefined) await session.#logIn(login.user, login.password);
    });
    return session;
  }

  private constructor(options: SmtpSessionOptions, socket: Socket) {
    const { server, clientName, authorities, mayBePlain, timeouts } = options;
    this.#dialogue = new Dialogue(timeouts, (error) => this.#fail(error));
    this.#connection = new SMTPConnection({
      connection: socket,
      host: server.host,
      port: server.port,
      secure: server.implicitTls,
      requireTLS: !server.implicitTls && !mayBePlain,
      ...(clientName === undefined ? {} : { name: clientName }),
      tls: {
        minVersion: "TLSv1.2",
        ...(authorities === undefined ? {} : { ca: authorities }),
        ...(isIP(server.host) === 0 ? { servername: server.host } : {}),
        // Where plain text would do, an unknown certificate is no reason to do without encryption.
        ...(mayBePlain && authorities === undefined && !server.implicitTls
          ? { rejectUnauthorized: false }
          : {}),
      },
      // The dialogue watches each phase; these only must not be shorter.
      connectionTimeout: 2 * timeouts.greetingMs,
      greetingTimeout: timeouts.greetingMs + timeouts.connectMs,
      socketTimeout: timeouts.answerMs + timeouts.greetingMs,
      maxResponseSize: 64 * 1024,
      transactionLog: true,
      logger: this.#dialogue,
    });
    this.#connection.on("error", (error: Error) => this.#fail(error));
    // What the server said last, a 421 for example, tells more: it is on its way to the caller.
    this.#connection.on("end", () => setImmediate(() => this.close()));
  }

  /** Whether the server has named an extension (RFC 5321, section 4.1.1.1). */
  offers(extension: "AUTH" | "SMTPUTF8"): boolean {
    return new RegExp(`^250[ -]${extension}\\b`, "im").test(this.#dialogue.ehlo);
  }

  /** Whether another message can be sent. */
  get isOpen(): boolean {
    return !this.#isOver;
  }

  /** Sends a message. Throws an `SmtpFailure`. */
  async send(
    envelope: { readonly from: string; readonly to: readonly string[] },
    content: Buffer,
    attempt: Attempt,
  ): Promise<void> {
    const { contentMs, answerMs } = this.#dialogue.timeouts;
    this.#dialogue.onContent = () => attempt.handOver(contentMs + answerMs);
    await this.#run(attempt.signal, async () => {
      await new Promise<void>((resolve, reject) => {
        const { from, to } = envelope;
        this.#connection.send({ from, to: [...to], size: content.length }, content, (error) =>
          error ? reject(error) : resolve(),
        );
      });
    });
    this.wasUsed = true;
  }

  /** Makes the session ready for the next message after one was refused. */
  async reset(): Promise<void> {
    await this.#run(new AbortController().signal, async () => {
      await new Promise<void>((resolve, reject) => {
        this.#connection.reset((error) => (error ? reject(error) : resolve()));
      });
    });
  }

  /** Says goodbye. */
  quit(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#connection.quit();
  }

  /** Hangs up. */
  close(): void {
    this.#fail(new Error("the connection was closed"));
  }

  async #connect(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#connection.connect((error) => (error ? reject(error) : resolve()));
    });
  }

  async #logIn(user: string, password: Secret): Promise<void> {
    if (!this.offers("AUTH"))
      throw new Error("the server offers no AUTH, but a user and a password are configured");
    await new Promise<void>((resolve, reject) => {
      const credentials = { user, pass: password.reveal() };
      this.#connection.login({ credentials }, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Runs a part of the dialogue. What fails ends the session, except if the server refused a message only. */
  async #run(signal: AbortSignal, part: () => Promise<void>): Promise<void> {
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => {});
    this.#reject = failed.reject;
    // What was handed over goes on: the server may have it already.
    const stop = () => {
      if (!this.#dialogue.isContentSent) this.close();
    };
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    try {
      if (this.#isOver) throw new Error("the connection was closed");
      await Promise.race([part(), failed.promise]);
    } catch (error) {
      if (!refusesMessage(error)) this.#fail(error as Error);
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
      this.#dialogue.rest();
      this.#reject = () => {};
    }
  }

  #fail(error: Error): void {
    this.#reject(error);
    if (this.#isOver) return;
    this.#isOver = true;
    this.#dialogue.rest();
    this.#connection.close();
  }
}

/** Whether the server refused a message, so that the session can go on. */
export function refusesMessage(error: unknown): boolean {
  const { code, responseCode } = error as SmtpFailure;
  return (code === "EENVELOPE" || code === "EMESSAGE") && responseCode !== 421;
}

function openSocket({ server, timeouts }: SmtpSessionOptions, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const { host, port } = server;
    const socket = connectSocket({ host, port });
    const settle = (error?: Error) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      socket.off("connect", settle).off("error", settle);
      if (error === undefined) return resolve(socket);
      // It may fail once more while it is taken down.
      socket.on("error", () => {});
      socket.destroy();
      reject(error);
    };
    const stop = () => settle(new Error("the attempt was ended"));
    const timer = setTimeout(
      () => settle(new Error(`no connection within ${timeouts.connectMs / 1000} s`)),
      timeouts.connectMs,
    );
    // Called without an error by the first of the two.
    socket.once("connect", settle).once("error", settle);
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
  });
}

interface Entry {
  readonly tnx?: string;
}

/**
 * Follows the commands and replies of a session, as nodemailer writes them to a log, and measures the silence of each phase: nodemailer
 * itself knows one time-out for all of them. Nothing of it is kept but the last answer to EHLO.
 */
class Dialogue {
  readonly timeouts: SmtpTimeouts;
  readonly #onSilence: (error: Error) => void;
  /** Commands that wait for their reply, in their order: with PIPELINING there are several (RFC 2920). */
  #waiting: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** The answer to the last EHLO. */
  ehlo = "";
  /** Called before the first byte of a content leaves. */
  onContent: () => void = () => {};
  /** Whether a content is under way, or was given to the server whole. */
  isContentSent = false;

  constructor(timeouts: SmtpTimeouts, onSilence: (error: Error) => void) {
    this.timeouts = timeouts;
    this.#onSilence = onSilence;
    this.#await("greeting", timeouts.greetingMs);
  }

  readonly debug = ({ tnx }: Entry, text = "") => {
    if (tnx === "client") this.#onCommand(text);
    if (tnx === "server") this.#onReply(text);
  };

  readonly info = ({ tnx }: Entry) => {
    if (tnx === "message") this.#await("the final dot", this.timeouts.answerMs);
  };

  // The others of a logger say nothing of the dialogue.
  readonly trace = () => {};
  readonly warn = () => {};
  readonly error = () => {};
  readonly fatal = () => {};

  /** Nothing is awaited. */
  rest(): void {
    clearTimeout(this.#timer);
    this.#waiting = [];
    this.isContentSent = false;
    this.onContent = () => {};
  }

  #onCommand(text: string): void {
    this.#waiting.push(text.split(/[ :]/, 1)[0]?.toUpperCase() ?? "");
    if (this.#waiting.length === 1) this.#awaitReply();
  }

  #onReply(text: string): void {
    const command = this.#waiting.shift();
    clearTimeout(this.#timer);
    if (command === "EHLO") this.ehlo = text;
    if (command === "STARTTLS" && text.startsWith("2")) this.#await("STARTTLS", this.timeouts.connectMs);
    else if (command === "DATA" && /^[23]/.test(text)) {
      this.isContentSent = true;
      this.onContent();
      this.#await("the content", this.timeouts.contentMs);
    } else this.#awaitReply();
  }

  #awaitReply(): void {
    const [command] = this.#waiting;
    if (command === undefined) return;
    const { dataMs, commandMs } = this.timeouts;
    // A line of a login is part of it, and is not to be named.
    const name = /^[A-Z]{4,8}$/.test(command) ? command : "the login";
    this.#await(name, command === "DATA" ? dataMs : commandMs);
  }

  #await(phase: string, milliseconds: number): void {
    clearTimeout(this.#timer);
    const silence = `the server was silent after ${phase} for ${milliseconds / 1000} s`;
    this.#timer = setTimeout(() => this.#onSilence(new Error(silence)), milliseconds);
  }
}
