import { RateClass } from "../../../gen/ostiary/access/v1/access_pb.js";
import { DomainError, domainError, type ErrorReason } from "../../domain/errors.ts";
import type { Clock, Logger } from "../../domain/ports.ts";
import type { Tenant } from "../../domain/tenant/tenant.ts";
import { addressSubject } from "../../domain/throttle/address-subject.ts";
import type { LocalLimitName } from "../../domain/throttle/limits.ts";
import { LocalBuckets } from "../../domain/throttle/local-buckets.ts";
import { ProxyWatch } from "../http/proxy-watch.ts";
import type { Inbound } from "./inbound.ts";
import type { Route } from "./routes.ts";

/**
 * The limit of each rate class, counted for each call before anything is read. Checks cost nothing here, and admin
 * calls are only limited by what fails to authenticate.
 */
const classLimits: Readonly<Record<RateClass, LocalLimitName | undefined>> = {
  [RateClass.UNSPECIFIED]: undefined,
  [RateClass.CHECK]: undefined,
  [RateClass.FLOW_CREATE]: "flow_create",
  [RateClass.FLOW_SUBMIT]: "flow_submit",
  [RateClass.SELF_SERVICE]: "self_service",
  [RateClass.ADMIN_READ]: undefined,
  [RateClass.ADMIN_WRITE]: undefined,
};

/** What only somebody sends who was never given it. Ended sessions and keys are what honest clients come with. */
const guesses: ReadonlySet<ErrorReason> = new Set<ErrorReason>([
  "SESSION_TOKEN_MALFORMED",
  "SESSION_TOKEN_KIND_MISMATCH",
  "SESSION_TOKEN_UNKNOWN",
  "API_KEY_MALFORMED",
  "API_KEY_KIND_MISMATCH",
  "API_KEY_UNKNOWN",
  "CLIENT_CERTIFICATE_UNKNOWN",
]);

/** What the limits need to know of a method, or of a path that is guarded like one. */
export type LimitedRoute = Pick<Route, "name" | "access" | "rateClass">;

/**
 * The limits by client address that this process keeps in memory: they protect its work and that of the database, so
 * they cost no round trip. What protects a secret is counted by domain/throttle, for all servers together.
 */
export class AddressLimits {
  readonly #buckets = new LocalBuckets();
  readonly #proxies: ProxyWatch;
  readonly #clock: Clock;

  constructor({ clock, logger }: { clock: Clock; logger: Logger }) {
    this.#clock = clock;
    this.#proxies = new ProxyWatch({ clock, logger });
  }

  /**
   * Counts a call before it is authenticated. Throws RATE_LIMITED. Notes in the call which address its further
   * limits count.
   */
  admit(inbound: Inbound, route: LimitedRoute, tenant: Tenant): void {
    inbound.limitedAddress = this.#limitedAddress(inbound, route);
    if (!tenant.settings.throttle.enabled || inbound.limitedAddress === undefined) return;
    const name = classLimits[route.rateClass];
    const now = this.#clock.now().getTime();
    const { limits } = tenant.settings.throttle;
    let waitMs = 0;
    if (name !== undefined) {
      waitMs = this.#buckets.take(subjectOf(inbound.limitedAddress, name), limits[name], now);
    }
    if (isAuthenticated(route)) {
      const subject = failureSubject(inbound.limitedAddress, route);
      waitMs = Math.max(waitMs, this.#buckets.waitOf(subject, limits.failed_authentication, now));
    }
    if (waitMs > 0) throw domainError("RATE_LIMITED", { scope: "address" }, { retryAfterMs: waitMs });
  }

  /** Counts a call that was refused, if it was for a credential that nobody has. */
  noteRefused(inbound: Inbound, route: LimitedRoute, tenant: Tenant, error: unknown): void {
    const { limitedAddress } = inbound;
    if (!tenant.settings.throttle.enabled || limitedAddress === undefined || !isAuthenticated(route)) return;
    if (!(error instanceof DomainError) || !guesses.has(error.reason)) return;
    const limit = tenant.settings.throttle.limits.failed_authentication;
    this.#buckets.take(failureSubject(limitedAddress, route), limit, this.#clock.now().getTime());
  }

  #limitedAddress({ exchange, address }: Inbound, route: LimitedRoute): string | undefined {
    if (address === "") return undefined;
    // A proxy that is trusted and does not say for whom it calls: its address is everybody's.
    if (exchange.peer.trustedProxy && address === exchange.peer.address) return undefined;
    const { rateClass } = route;
    const forwarded = exchange.header("x-forwarded-for") !== undefined;
    // Only flows tell whether everybody comes through a proxy: a service that checks sessions comes past it.
    if (rateClass === RateClass.FLOW_CREATE || rateClass === RateClass.FLOW_SUBMIT) {
      this.#proxies.note(exchange.peer, forwarded);
    }
    return this.#proxies.standsAside(exchange.peer, forwarded) ? undefined : address;
  }
}

function isAuthenticated({ access }: LimitedRoute): boolean {
  return access.kind === "session" || access.kind === "api_key";
}

/** Apart, so that an application that forwards stale cookies does not shut its own API key out. */
function failureSubject(address: string, { access }: LimitedRoute): string {
  return subjectOf(address, `failed ${access.kind}`);
}

function subjectOf(address: string, name: string): string {
  return `${name} ${addressSubject(address)}`;
}
