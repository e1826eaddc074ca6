import type { Clock, Logger } from "../../domain/ports.ts";
import type { Peer as AnyPeer } from "./exchange.ts";
import { isInternal } from "./peers.ts";

type Peer = Pick<AnyPeer, "address" | "trustedProxy">;

/** What was seen in one window of time. */
interface Window {
  readonly beganAt: number;
  /** Of the only peer so far; undefined: none came, or several did. */
  readonly onlyPeer: string | undefined;
  /** Whether all of them said for whom they forward. */
  readonly allForwarded: boolean;
  readonly calls: number;
}

const windowMs = 5 * 60_000;
/** With fewer calls it is too early to tell a proxy from somebody who happens to come first. */
const fewestCalls = 20;

/**
 * Finds out whether all traffic comes from one proxy that is not configured: then every client has the same address,
 * and a limit by client IP would shut all of them out together. So it is several times as wide until the proxy is listed.
 *
 * Security rule (SR-LIMIT-8): nobody gets out of the limits by sending a header, and a ceiling holds whatever is sent. The peer must be on the machine itself or in a
 * private network, which nobody on the internet is, and within the last five to ten minutes nobody else may have
 * come, nor a call without the header: one call of anybody else and the limits are back.
 */
export class ProxyWatch {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #before: Window;
  #current: Window;
  #warned = false;

  constructor({ clock, logger }: { clock: Clock; logger: Logger }) {
    this.#clock = clock;
    this.#current = emptyWindow(clock.now().getTime());
    this.#before = this.#current;
    this.#logger = logger;
  }

  /** Notes a call of the kind that is limited by client IP. */
  note(peer: Peer, forwarded: boolean): void {
    this.#turn(this.#clock.now().getTime());
    const { onlyPeer, allForwarded, calls, beganAt } = this.#current;
    this.#current = {
      beganAt,
      onlyPeer: calls === 0 || onlyPeer === peer.address ? peer.address : undefined,
      allForwarded: (calls === 0 || allForwarded) && forwarded && !peer.trustedProxy,
      calls: calls + 1,
    };
  }

  /** Whether a call comes from a proxy that is not listed: its address is that of many clients. */
  isUnlistedProxy(peer: Peer, forwarded: boolean): boolean {
    if (!forwarded || peer.trustedProxy) return false;
    this.#turn(this.#clock.now().getTime());
    const windows = [this.#before, this.#current].filter(({ calls }) => calls > 0);
    const alone = windows.every((each) => each.onlyPeer === peer.address && each.allForwarded);
    const seen = windows.reduce((sum, each) => sum + each.calls, 0);
    if (!alone || seen < fewestCalls || !isInternal(peer.address)) return false;
    this.#warn(peer);
    return true;
  }

  #turn(now: number): void {
    // Also if the clock was set back.
    const age = Math.abs(now - this.#current.beganAt);
    if (age < windowMs) return;
    this.#before = age < 2 * windowMs ? this.#current : emptyWindow(now);
    this.#current = emptyWindow(now);
  }

  #warn({ address }: Peer): void {
    if (this.#warned) return;
    this.#warned = true;
    this.#logger.warn(
      { peer: address },
      `all clients come from the one address ${address}, which sends X-Forwarded-For: limits by address hold for all of them together, as wide as unlisted_proxy_factor says. Add it to server.trusted_proxies`,
    );
  }
}

function emptyWindow(beganAt: number): Window {
  return { beganAt, onlyPeer: undefined, allForwarded: true, calls: 0 };
}
