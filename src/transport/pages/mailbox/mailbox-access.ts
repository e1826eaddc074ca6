import { createHmac, randomBytes } from "node:crypto";
import { isSameText } from "../../../domain/bytes.ts";
import type { Secret } from "../../../domain/secret.ts";
import { findCookie } from "../../net/cookies.ts";
import type { Exchange } from "../../net/exchange.ts";
import { isFromThisMachine, nameOf } from "../../net/own-names.ts";
import { isLoopback } from "../../net/peers.ts";
import type { MailboxLinks } from "./mailbox-links.ts";

const cookieName = "ostiary_mailbox";
/**
 * Who may read the development mailbox: a browser that has opened a link of ours, and the command line, which reads the
 * token in the data directory.
 */
export class MailboxAccess {
  readonly #token: Secret;
  readonly #cookie: string;
  readonly #links: MailboxLinks;

  constructor(token: Secret, links: MailboxLinks) {
    this.#token = token;
    this.#links = links;
    // Made from the token, so that a browser is let in again after a restart.
    this.#cookie = createHmac("sha256", token.reveal()).update("mailbox cookie").digest("hex");
  }

  /**
   * Whether a request comes from this machine, and to it.
   *
   * Security rule (SR-ORIGIN-3): a web page can make its own host name point here (DNS rebinding) and would then read the answer, so
   * the Host header must be a name of this machine. And what a proxy passes on comes from elsewhere.
   */
  isLocal(exchange: Exchange): boolean {
    const host = nameOf(exchange.host);
    return isFromThisMachine(exchange) && (host === "localhost" || isLoopback(host));
  }

  /** A new token for a link, good for one time. */
  newLinkToken(): string {
    const link = `ost_box_${randomBytes(32).toString("hex")}`;
    this.#links.add(link);
    return link;
  }

  /** The Set-Cookie header for the token of a link; undefined if it is none, or was used. */
  redeem(link: string): string | undefined {
    if (!this.#links.take(link)) return undefined;
    return `${cookieName}=${this.#cookie}; Path=/mailbox; HttpOnly; SameSite=Lax`;
  }

  /** Whether a browser was let in. */
  hasCookie(exchange: Exchange): boolean {
    const found = findCookie(exchange.header("cookie"), cookieName);
    return found.kind === "value" && isSameText(found.value, this.#cookie);
  }

  /** Whether the caller has read the token's file. */
  hasToken(exchange: Exchange): boolean {
    const header = exchange.header("authorization") ?? "";
    return header.startsWith("Bearer ") && isSameText(header.slice("Bearer ".length), this.#token.reveal());
  }
}
