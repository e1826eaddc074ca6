import type { DescMessage, DescMethod, MessageShape } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { RateClass } from "../../../gen/ostiary/option/v1/option_pb.js";
import { DomainError, domainError } from "../../domain/errors.ts";
import type { Clock } from "../../domain/ports.ts";
import type { Access, Admission } from "./access.ts";
import { anonymous, type Caller, credentialKindOf } from "./access.ts";
import type { Call } from "./call.ts";
import { type CallBudgets, Holding } from "./call-budgets.ts";
import { type ClientLimits, isAuthenticated, type LimitedRoute } from "./client-limits.ts";
import { forwardingScope, readForwardedClient } from "./forwarded-client.ts";
import type { Route } from "./routes.ts";
import { invalidRequest } from "./validation.ts";

interface Deps {
  readonly access: Access;
  readonly clientLimits: ClientLimits;
  readonly budgets: CallBudgets;
  readonly clock: Clock;
}

/** What the pipeline needs to know of a method, or of a path that is guarded like one. */
export type GuardedRoute = LimitedRoute & Pick<Route, "maxRequestBytes"> & Partial<Pick<Route, "spec">>;

/**
 * The way of every call, unary or stream, to its handler. The order is policy, so it is written here alone
 * (docs/security.md, test/transport/pipeline.test.ts):
 *
 * 1. limit by client IP, 2. authenticate by the headers, 3. authorize, 4. budget: `admit`;
 * 5. read, 6. validate: the unary path and Connect's handlers read, `check` validates; 7. the handler.
 *
 * Security rule (SR-LIMIT-12): nothing of a request is read before it is known who may call, and what strangers make the server hold until
 * then has a budget.
 */
export class Pipeline {
  readonly #deps: Deps;
  readonly #validator = createValidator();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /**
   * Lets a call through, up to the reading of its request, or throws what refuses it. Most calls need no look-up here, and are let through
   * at once: a promise for nothing costs a turn.
   */
  admit(call: Call, route: GuardedRoute): void | Promise<void> {
    const { clientLimits } = this.#deps;
    const { forwardingKey } = call;
    const retryAfterMs = clientLimits.take(
      call,
      forwardingKey === undefined ? route : forwarding(route),
      call.tenant,
    );
    if (retryAfterMs > 0 && !mayShowSession(call, route)) throw beyondLimit(retryAfterMs);
    const holding = this.#hold(call);
    if (forwardingKey !== undefined || retryAfterMs > 0) {
      return this.#admitLimited(call, route, holding, retryAfterMs);
    }
    const admission = this.#authorize(call, route, call.setCookies);
    if (!(admission instanceof Promise)) return this.#letIn(call, route, holding, admission);
    return admission.then((admitted) => this.#letIn(call, route, holding, admitted));
  }

  /** The rest of the way for a call whose limit must be looked up first. */
  async #admitLimited(
    call: Call,
    route: GuardedRoute,
    holding: Holding,
    retryAfterMs: number,
  ): Promise<void> {
    const { forwardingKey } = call;
    if (forwardingKey !== undefined) await this.#limitForwarded(call, route, forwardingKey, holding);
    else await this.#limitBySession(call, route, retryAfterMs);
    await this.#letIn(call, route, holding, await this.#authorize(call, route, call.setCookies));
  }

  /** Notes who was let through, and step 4. */
  #letIn(call: Call, route: GuardedRoute, holding: Holding, admission: Admission): void | Promise<void> {
    call.admit(admission, this.#deps.clock.now());
    const { caller } = call;
    const isStream = route.spec !== undefined && route.spec.kind !== "unary";
    const asks = caller.kind === "anonymous" && showsCredential(call);
    // Looked up only where a stranger would be refused.
    if (!asks || holding.hasRoomFor(route.maxRequestBytes, isStream)) {
      return this.#takeBudget(call, caller, holding, isStream);
    }
    return this.#identify(call, route).then((known) => this.#takeBudget(call, known, holding, isStream));
  }

  /** Step 6. Throws REQUEST_INVALID. */
  check(call: Call, { input }: DescMethod, message: MessageShape<DescMessage>): void {
    const result = this.#validator.validate(input, message);
    if (result.kind !== "valid") throw invalidRequest(input, result);
    call.now = this.#deps.clock.now();
  }

  /** Looks again whether a call that was let through still may. Throws if not. */
  async admitAgain({ exchange }: Call, route: LimitedRoute): Promise<void> {
    await this.#deps.access.admit(exchange, route.access, route.name);
  }

  /**
   * Checks the key of a server that says for whom it calls, and counts the call for that client IP.
   *
   * Security rule (SR-ACCESS-5): until its key is found live and with the scope, the caller is a stranger. A failed key is counted for the IP
   * address that the call comes from, not for the one that it names. The call is refused and never goes on as a call of the peer
   * (test/transport/client-forward.test.ts).
   *
   * Throws an API_KEY_ reason, REQUEST_INVALID or RATE_LIMITED.
   */
  async #limitForwarded(call: Call, route: LimitedRoute, key: string, holding: Holding): Promise<void> {
    const { access, clientLimits } = this.#deps;
    const { exchange, tenant } = call;
    const apiKey = await clientLimits.lookUp(call, forwarding(route), tenant, () =>
      access.forwardingKey(exchange, key),
    );
    const { clientIp, userAgent } = readForwardedClient(exchange);
    call.clientIp = clientIp;
    call.userAgent = userAgent;
    call.forwarder = { kind: "api_key", apiKey };
    const retryAfterMs = clientLimits.take(call, route, tenant);
    holding.forward(call);
    if (retryAfterMs > 0) await this.#limitBySession(call, route, retryAfterMs);
  }

  /** Security rule (SR-LIMIT-7): a live session is served whatever others of its client IP do, as often as one session may. */
  async #limitBySession(call: Call, route: LimitedRoute, retryAfterMs: number): Promise<void> {
    const refused = beyondLimit(retryAfterMs);
    if (!mayShowSession(call, route)) throw refused;
    try {
      await this.#authorize(call, { ...route, access: { kind: "session", demands: [] } });
    } catch (error) {
      if (!refusesCredential(error)) throw error;
      // No session was shown, so the client IP counts.
      throw error.reason === "RATE_LIMITED" && error.metadata.scope === "device" ? error : refused;
    }
  }

  /** Steps 2 and 3. Counts guesses, and calls of sessions. Adds to `setCookies` whether or not the call is let through. */
  #authorize(call: Call, route: LimitedRoute, setCookies?: string[]): Admission | Promise<Admission> {
    if (isAuthenticated(route)) return this.#authenticate(call, route, setCookies);
    return this.#deps.access.admit(call.exchange, route.access, route.name, setCookies);
  }

  async #authenticate(call: Call, route: LimitedRoute, setCookies?: string[]): Promise<Admission> {
    const { access, clientLimits } = this.#deps;
    const { exchange, tenant } = call;
    const admission = await clientLimits.lookUp(call, route, tenant, () =>
      Promise.resolve(access.admit(exchange, route.access, route.name, setCookies)),
    );
    const { caller } = admission;
    if (caller.kind === "session") {
      const retryAfterMs = clientLimits.takeBySession(route, admission.tenant, caller.session.id);
      if (retryAfterMs > 0) throw domainError("RATE_LIMITED", { scope: "device" }, { retryAfterMs });
    }
    return admission;
  }

  /**
   * Charges a call to the strangers' budget, before credentials are looked up, which takes time as well. It is charged until
   * its exchange is closed and its handler, which may outlast a deadline or a reset, has ended.
   */
  #hold(call: Call): Holding {
    const holding = new Holding(this.#deps.budgets, call, showsCredential(call));
    const release = () => holding.release();
    call.exchange.onClosed(() =>
      call.work === undefined ? release() : void call.work.then(release, release),
    );
    call.holding = holding;
    return holding;
  }

  /** Step 4. Throws RATE_LIMITED or SERVER_OVERLOADED. */
  #takeBudget(call: Call, caller: Caller, holding: Holding, isStream: boolean): void {
    if (caller.kind !== "anonymous") {
      holding.moveTo(caller);
      call.exchange.peer.connection.prove(caller.kind === "session" ? "session" : "operator");
    } else holding.stay();
    if (isStream) holding.becomeStream();
  }

  /**
   * Who the headers show, for a method that does not ask. Security rule (SR-LIMIT-14): a caller with a valid credential is served when
   * strangers have used up their budget.
   */
  async #identify(call: Call, route: LimitedRoute): Promise<Caller> {
    const { access, clientLimits } = this.#deps;
    const { exchange, tenant, forwarder } = call;
    if (forwarder !== undefined) return forwarder;
    const kind = credentialKindOf(exchange);
    const asked = kind === "session" ? ({ kind, demands: [] } as const) : ({ kind, scope: "" } as const);
    try {
      return await clientLimits.lookUp(call, { ...route, access: asked }, tenant, () =>
        access.identify(exchange),
      );
    } catch (error) {
      if (refusesCredential(error)) return anonymous;
      throw error;
    }
  }
}

/** How the look-up of the key of a server that says for whom it calls is counted. */
function forwarding({ name }: LimitedRoute) {
  const access = { kind: "api_key", scope: forwardingScope } as const;
  return { name, access, rateClass: RateClass.CHECK } as const;
}

function beyondLimit(retryAfterMs: number): DomainError {
  return domainError("RATE_LIMITED", { scope: "address" }, { retryAfterMs });
}

/** Whether a call beyond the limit of its client IP is worth a look-up: a live session would be served. */
function mayShowSession(call: Call, { access }: LimitedRoute): boolean {
  return (access.kind === "anyone" || access.kind === "flow") && access.withSession && showsCredential(call);
}

/** Whether a credential was looked at and is not valid; without its database the server cannot say. */
function refusesCredential(error: unknown): error is DomainError {
  return error instanceof DomainError && error.reason !== "DATABASE_UNAVAILABLE";
}

function showsCredential({ exchange, forwardingKey }: Call): boolean {
  return (
    forwardingKey !== undefined ||
    exchange.header("authorization") !== undefined ||
    exchange.header("cookie") !== undefined ||
    exchange.peer.certificate !== undefined
  );
}
