import { lookup as systemLookup } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { Agent, buildConnector } from "undici";
import { OutgoingHttpError } from "../domain/outgoing-http.ts";
import { bareHost, type Destinations } from "./destinations.ts";
import { isPublicAddress } from "./public-address.ts";

export { fetch } from "undici";

/** What opens connections. */
export interface GuardedAgentOptions {
  readonly destinations: Destinations;
  /** Resolves names; default the system's resolver, with its hosts file. */
  readonly lookup?: LookupFunction | undefined;
  /** Which addresses may be connected to; default those of the public internet. */
  readonly isAddressAllowed?: ((address: string) => boolean) | undefined;
}

/** At most so many connections to one origin; further requests wait within their own time. */
const maxConnections = 16;

/**
 * Makes the agent whose connections are guarded. One of our own: the process-wide one can be replaced by anything, and
 * may read the variables that name a proxy, which would resolve names itself, past the guard.
 */
export function createGuardedAgent(options: GuardedAgentOptions): Agent {
  return new Agent({ connect: guardedConnector(options), connections: maxConnections, pipelining: 1 });
}

/**
 * Opens connections to public addresses only.
 *
 * Security rule (peers D 51, D4 class 18): the check is part of the connection's own name resolution. A socket gets
 * exactly the addresses that were looked at and resolves nothing again, so a name that answers differently the second
 * time (DNS rebinding) gains nothing. Addresses that are not allowed are left out; if none stays, nothing is opened.
 */
function guardedConnector(options: GuardedAgentOptions): buildConnector.connector {
  const {
    destinations,
    lookup = systemLookup as LookupFunction,
    isAddressAllowed = isPublicAddress,
  } = options;
  // With autoSelectFamily a socket asks for all addresses of a name, and tries the others if one does not answer.
  const trusting = buildConnector({ lookup, autoSelectFamily: true, allowH2: false });
  const guarding = buildConnector({
    lookup: guardedLookup(lookup, isAddressAllowed),
    autoSelectFamily: true,
    allowH2: false,
  });
  return (target, callback) => {
    const hostname = bareHost(target.hostname);
    const port = target.port === "" ? (target.protocol === "https:" ? 443 : 80) : Number(target.port);
    if (destinations.isExempt(hostname, port)) {
      trusting(target, callback);
    } else if (isIP(hostname) !== 0 && !isAddressAllowed(hostname)) {
      // A literal address is connected to without being looked up.
      queueMicrotask(() => callback(addressRefused(hostname), null));
    } else {
      guarding(target, callback);
    }
  };
}

function guardedLookup(
  lookup: LookupFunction,
  isAddressAllowed: (address: string) => boolean,
): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, []);
      const allowed =
        typeof found === "string" ? [] : found.filter(({ address }) => isAddressAllowed(address));
      if (allowed.length === 0) return callback(addressRefused(hostname), []);
      callback(null, allowed);
    });
  };
}

/** Does not say which address it is: the answer would tell strangers how the inner network is laid out. */
function addressRefused(hostname: string): OutgoingHttpError {
  const remedy = "list it in server.outbound.allowed_private_hosts to allow it";
  return new OutgoingHttpError("address_refused", `${hostname} has no public address: ${remedy}`);
}
