import type { DescMessage, DescMethod, MessageShape } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { RateClass } from "../../../gen/ostiary/option/v1/option_pb.js";
import { DomainError, domainError } from "../../domain/errors.ts";
import type { Clock } from "../../domain/ports.ts";
import type { Access, Admission } from "./access.ts";
import { anonymous, type Caller, credentialKindOf } from "./access.ts";
import type { Call } from "./call.ts";
import { type CallBudgets, Holding } from "./call-budgets.ts";
import type { ClientLimits, LimitedRoute } from "./client-limits.ts";
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

  /** Lets a call through, up to the reading of its request, or throws what refuses it. */
  async admit(call: Call, route: GuardedRoute): Promise<void> {
    // Nearly all calls need no look-up here; a promise for nothing costs a turn.
    const limited = this.#limitByClientIp(call, route);
    if (limited !== undefined) await limited;
    const holding = this.#hold(call);
    const admission = await this.#authorize(call, route, call.setCookies);
    call.admit(admission, this.#deps.clock.now());
    const { caller } = call;
    const isStream = route.spec !== undefined && route.spec.kind !== "unary";
    const asks = caller.kind === "anonymous" && showsCredential(call);
    // Looked up only where a stranger would be refused.
    const identified = asks && !holding.hasRoomFor(route.maxRequestBytes, isStream);
    this.#takeBudget(call, identified ? await this.#identify(call, route) : caller, holding, isStream);
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

  /** Step 1. Throws RATE_LIMITED; for the call of a server that forwards, an API_KEY_ reason or REQUEST_INVALID as well. */
  #limitByClientIp(call: Call, route: LimitedRoute): Promise<void> | undefined {
    const { forwardingKey } = call;
    if (forwardingKey !== undefined) return this.#limitForwarded(call, route, forwardingKey);
    const retryAfterMs = this.#deps.clientLimits.take(call, route, call.tenant);
    return retryAfterMs === 0 ? undefined : this.#limitBySession(call, route, retryAfterMs);
  }

  /**
   * Checks the key of a server that says for whom it calls, and counts the call for that client IP.
   *
   * Security rule (SR-ACCESS-5): until its key is found live and with the scope, the caller is a stranger. A failed key is counted for the IP
   * address that the call comes from, not for the one that it names. The call is refused and never goes on as a call of the peer
   * (test/transport/client-forward.test.ts).
   */
  async #limitForwarded(call: Call, route: LimitedRoute, key: string): Promise<void> {
    const { access, clientLimits } = this.#deps;
    const { exchange, tenant } = call;
    const asForwarder = {
      name: route.name,
      access: { kind: "api_key", scope: forwardingScope },
      rateClass: RateClass.CHECK,
    } as const;
    clientLimits.take(call, asForwarder, tenant);
    const apiKey = await clientLimits.lookUp(call, asForwarder, tenant, () =>
      access.forwardingKey(exchange, key),
    );
    const { clientIp, userAgent } = readForwardedClient(exchange);
    call.clientIp = clientIp;
    call.userAgent = userAgent;
    call.forwarder = { kind: "api_key", apiKey };
    const retryAfterMs = clientLimits.take(call, route, tenant);
    if (retryAfterMs > 0) await this.#limitBySession(call, route, retryAfterMs);
  }

  /** Security rule (SR-LIMIT-7): a live session is served whatever others of its client IP do, as often as one session may. */
  async #limitBySession(call: Call, route: LimitedRoute, retryAfterMs: number): Promise<void> {
    const refused = domainError("RATE_LIMITED", { scope: "address" }, { retryAfterMs });
    const { access } = route;
    if ((access.kind !== "anyone" && access.kind !== "flow") || !access.withSession) throw refused;
    try {
      await this.#authorize(call, { ...route, access: { kind: "session", demands: [] } });
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      // Whatever is wrong with what was shown: it is no session, so the client IP counts.
      throw error.reason === "RATE_LIMITED" && error.metadata.scope === "device" ? error : refused;
    }
  }

  /** Steps 2 and 3. Counts guesses, and calls of sessions. Adds to `setCookies` whether or not the call is let through. */
  async #authorize(call: Call, route: LimitedRoute, setCookies?: string[]): Promise<Admission> {
    const { access, clientLimits } = this.#deps;
    const { exchange, tenant } = call;
    const admission = await clientLimits.lookUp(call, route, tenant, () =>
      access.admit(exchange, route.access, route.name, setCookies),
    );
    const { caller } = admission;
    if (caller.kind === "session") {
      const retryAfterMs = clientLimits.takeBySession(route, admission.tenant, caller.session.id);
      if (retryAfterMs > 0) throw domainError("RATE_LIMITED", { scope: "device" }, { retryAfterMs });
    }
    return admission;
  }

  /** What step 4 is about is held from here on, as a stranger's: to look credentials up takes time as well. */
  #hold(call: Call): Holding {
    try {
      const holding = new Holding(this.#deps.budgets, call, showsCredential(call));
      call.exchange.onClosed(() => holding.release());
      call.holding = holding;
      return holding;
    } catch (error) {
      // An answer that is not read is held as well, and this one has no room in the budget.
      call.exchange.hurry();
      throw error;
    }
  }

  /** Step 4. Throws RATE_LIMITED or SERVER_OVERLOADED. */
  #takeBudget(call: Call, caller: Caller, holding: Holding, isStream: boolean): void {
    if (caller.kind !== "anonymous") {
      holding.moveTo(caller);
      call.exchange.peer.connection.prove();
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
      if (error instanceof DomainError) return anonymous;
      throw error;
    }
  }
}

function showsCredential({ exchange, forwarder }: Call): boolean {
  return (
    forwarder !== undefined ||
    exchange.header("authorization") !== undefined ||
    exchange.header("cookie") !== undefined ||
    exchange.peer.certificate !== undefined
  );
}
