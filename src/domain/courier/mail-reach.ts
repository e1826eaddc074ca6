/** What is known of a mail server: that it takes addresses with letters beyond ASCII, that it does not, or what it says itself. */
export type MailReachMode = "auto" | "yes" | "no";

/** Which email addresses can be reached by the mail server. */
export class MailReach {
  readonly #mode: MailReachMode;
  #offersSmtpUtf8: boolean | undefined;

  constructor(mode: MailReachMode) {
    this.#mode = mode;
  }

  /** Keeps what the server said last; it counts with `auto`. */
  heard(offersSmtpUtf8: boolean): void {
    this.#offersSmtpUtf8 = offersSmtpUtf8;
  }

  /** Whether mail to the address may be handed to the server. With `auto` yes until the server has said otherwise. */
  reaches(address: string): boolean {
    if (!needsSmtpUtf8(address) || this.#mode === "yes") return true;
    return this.#mode === "auto" && this.#offersSmtpUtf8 !== false;
  }
}

/**
 * Whether only servers with SMTPUTF8 take the address (RFC 6531, section 3.2). What is before the @ decides: every domain has a form in
 * ASCII.
 */
export function needsSmtpUtf8(address: string): boolean {
  return /[^\p{ASCII}]/u.test(address.slice(0, address.lastIndexOf("@")));
}
