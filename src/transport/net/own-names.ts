import { hostname } from "node:os";
import ipaddr from "ipaddr.js";
import type { Exchange } from "./exchange.ts";
import { isLoopback } from "./peers.ts";

/** Whether a request comes from this machine by itself: what a proxy passes on comes from elsewhere. */
export function isFromThisMachine(exchange: Exchange): boolean {
  const isForwarded =
    exchange.header("x-forwarded-for") !== undefined || exchange.header("forwarded") !== undefined;
  return !isForwarded && isLoopback(exchange.peer.address);
}

/** The name in a Host header or `:authority`, without port and brackets; empty if there is none. */
export function nameOf(host: string | undefined): string {
  const name = (host ?? "").replace(/:\d{1,5}$/, "").replace(/^\[(.*)\]$/, "$1");
  return name.toLowerCase();
}

/**
 * Whether the Host header may name a listener that has no public name: by an address, `localhost`, the machine's own name,
 * or the name that the listener is configured with.
 *
 * Security rule (SR-ORIGIN-3): a web page can make its own host name point to this machine (DNS rebinding), and the browser would let it
 * read the answer. Such a name is none of these: an address cannot be made to point elsewhere.
 */
export function isOwnName(host: string | undefined, configuredHost: string): boolean {
  const name = nameOf(host);
  const own = ["", "localhost", hostname().toLowerCase(), configuredHost.toLowerCase()];
  return own.includes(name) || ipaddr.isValid(name);
}
