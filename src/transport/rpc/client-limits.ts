import { RateClass } from "../../../gen/ostiary/option/v1/option_pb.js";
import { DomainError, domainError, type ErrorReason } from "../../domain/errors.ts";
import type { SessionId } from "../../domain/ids.ts";
import type { Clock, Logger } from "../../domain/ports.ts";
import type { Tenant } from "../../domain/tenant/tenant.ts";
import type { Limit, LocalLimitName } from "../../domain/tenant/throttle-settings.ts";
import { clientIpSubject } from "../../domain/throttle/client-ip-subject.ts";
import { LocalBuckets } from "../../domain/throttle/local-buckets.ts";
import type { LimitedClientIp } from "../../domain/throttle/subjects.ts";
import { ProxyWatch } from "../net/proxy-watch.ts";
import type { Call } from "./call.ts";
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

/**
 * Reasons that count as guesses: the credential is well-formed and unknown, so its check costs a query. Malformed ones are
 * refused by their checksum, at no cost. Ended sessions and keys come from honest clients.
 */
const guesses: ReadonlySet<ErrorReason> = new Set<ErrorReason>([
  "SESSION_TOKEN_UNKNOWN",
  "API_KEY_UNKNOWN",
  "CLIENT_CERTIFICATE_UNKNOWN",
]);

interface Deps {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What the limits need to know of a method, or of a path that is guarded like one. */
export type LimitedRoute = Pick<Route, "name" | "access" | "rateClass">;

/**
 * The limits by client IP that this process keeps in memory: they protect its work and that of the database, so
 * they cost no round trip. What protects a secret is counted by domain/throttle, for all servers together.
 */
export class ClientLimits {
  readonly #buckets = new LocalBuckets();
  /** By subject, the end of the last lookup that waits its turn. */
  readonly #lastOf = new Map<string, Promise<void>>();
  readonly #proxies: ProxyWatch;
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#proxies = new ProxyWatch(deps);
  }

  /**
   * Counts a call before it is authenticated. Returns how long its client IP has to wait; 0: it is let through. Notes in the
   * call how its further limits count its client IP.
   */
  take(call: Call, route: LimitedRoute, tenant: Tenant): number {
    call.limitedClientIp = this.#counted(call, route);
    const name = classLimits[route.rateClass];
    // Security rule (SR-LIMIT-7): calls with a session are counted by session, so that others of the client IP cannot use that up.
    if (name === undefined || isAuthenticated(route)) return 0;
    return this.#takeByClientIp(call, tenant, name);
  }

  /** Counts a call by the session that was shown with it. Returns how long it has to wait; 0: it is let through. */
  takeBySession(route: LimitedRoute, tenant: Tenant, sessionId: SessionId): number {
    const name = classLimits[route.rateClass];
    const { enabled, limits } = tenant.settings.throttle;
    if (!enabled || name === undefined) return 0;
    return this.#buckets.take(`${name} session ${sessionId}`, limits[name], this.#deps.clock.now().getTime());
  }

  /**
   * Looks up what a call authenticates with. Throws RATE_LIMITED for a credential that nobody has from a client IP with too
   * many of them.
   *
   * Security rule (SR-LIMIT-7): a credential that is found is served, whatever others of its client IP do. Beyond the limit the lookups of
   * a client IP wait for each other, so that guesses cost the database one query at a time.
   */
  async lookUp<Found>(
    call: Call,
    route: LimitedRoute,
    tenant: Tenant,
    find: () => Promise<Found>,
  ): Promise<Found> {
    const { enabled, limits } = tenant.settings.throttle;
    const { limitedClientIp } = call;
    if (!enabled || limitedClientIp === undefined || !isAuthenticated(route)) return find();
    const subject = failureSubject(limitedClientIp, route);
    const limit = this.#widened(limitedClientIp, tenant, limits.failed_authentication);
    const isFlooded = this.#buckets.waitOf(subject, limit, this.#deps.clock.now().getTime()) > 0;
    try {
      return await (isFlooded ? this.#inTurn(subject, find) : find());
    } catch (error) {
      if (!(error instanceof DomainError) || !guesses.has(error.reason)) throw error;
      const retryAfterMs = this.#buckets.take(subject, limit, this.#deps.clock.now().getTime());
      if (retryAfterMs === 0) throw error;
      throw domainError("RATE_LIMITED", { scope: "address" }, { retryAfterMs });
    }
  }

  #takeByClientIp({ limitedClientIp }: Call, tenant: Tenant, name: LocalLimitName): number {
    const { enabled, limits } = tenant.settings.throttle;
    if (!enabled || limitedClientIp === undefined) return 0;
    const limit = this.#widened(limitedClientIp, tenant, limits[name]);
    return this.#buckets.take(subjectOf(limitedClientIp, name), limit, this.#deps.clock.now().getTime());
  }

  #widened({ isShared }: LimitedClientIp, tenant: Tenant, limit: Limit): Limit {
    const { unlistedProxyFactor } = tenant.settings.throttle;
    return isShared ? { ...limit, count: limit.count * unlistedProxyFactor } : limit;
  }

  /** One after another for each subject; those that wait are held by their connections, which are bounded. */
  async #inTurn<Found>(subject: string, work: () => Promise<Found>): Promise<Found> {
    const mine = (this.#lastOf.get(subject) ?? Promise.resolve()).then(work);
    const ended = mine.then(
      () => {},
      () => {},
    );
    this.#lastOf.set(subject, ended);
    try {
      return await mine;
    } finally {
      if (this.#lastOf.get(subject) === ended) this.#lastOf.delete(subject);
    }
  }

  #counted(call: Call, { rateClass }: LimitedRoute): LimitedClientIp | undefined {
    const { exchange, clientIp, forwarder } = call;
    if (clientIp === "") return undefined;
    // A server with a key says for whom it calls. It is no proxy, so its calls do not count for finding one.
    if (forwarder !== undefined) return { clientIp, isShared: false };
    // A proxy that is trusted and does not say for whom it calls: its IP address is that of all clients.
    if (exchange.peer.trustedProxy && clientIp === exchange.peer.address) return { clientIp, isShared: true };
    const forwarded = exchange.header("x-forwarded-for") !== undefined;
    // Only flows tell whether everybody comes through a proxy: a service that checks sessions comes past it.
    if (rateClass === RateClass.FLOW_CREATE || rateClass === RateClass.FLOW_SUBMIT) {
      this.#proxies.note(exchange.peer, forwarded);
    }
    return { clientIp, isShared: forwarded && this.#proxies.isUnlistedProxy(exchange.peer, forwarded) };
  }
}

/** Whether calls of a method are let through by a credential, which is looked up. */
export function isAuthenticated({ access }: LimitedRoute): boolean {
  return access.kind === "session" || access.kind === "api_key";
}

/** Apart, so that an application that forwards stale cookies does not shut its own API key out. */
function failureSubject(client: LimitedClientIp, { access }: LimitedRoute): string {
  return subjectOf(client, `failed ${access.kind}`);
}

function subjectOf({ clientIp, isShared }: LimitedClientIp, name: string): string {
  return `${name} ${isShared ? "shared " : ""}${clientIpSubject(clientIp)}`;
}
