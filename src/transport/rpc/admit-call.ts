import { RateClass } from "../../../gen/ostiary/option/v1/option_pb.js";
import { DomainError, domainError } from "../../domain/errors.ts";
import type { Access, Admission } from "./access.ts";
import type { AddressLimits, LimitedRoute } from "./address-limits.ts";
import type { Caller } from "./call.ts";
import { forwardingScope, readForwardedClient } from "./forwarded-client.ts";
import type { Inbound } from "./inbound.ts";

interface AdmissionDependencies {
  readonly access: Access;
  readonly addressLimits: AddressLimits;
}

/**
 * Lets a call through by its IP address, before its body is read. Throws RATE_LIMITED. It is synchronous, unless a server says
 * by its key for whom it calls, or the IP address is beyond its limit and a session may be shown with the call.
 */
export function admitAddress(
  dependencies: AdmissionDependencies,
  inbound: Inbound,
  route: LimitedRoute,
): Promise<void> | undefined {
  const { forwardingKey } = inbound;
  return forwardingKey === undefined
    ? admitByAddress(dependencies, inbound, route)
    : admitForwarded(dependencies, inbound, route, forwardingKey);
}

/**
 * Checks the key of a server that says for whom it calls, and lets the call through by that IP address. Throws an API_KEY_
 * reason, REQUEST_INVALID, RATE_LIMITED.
 *
 * Security rule: until its key is found live and with the scope, the caller is a stranger. A failed key is counted for the IP
 * address that the call comes from, not for the one that it names. The call is refused and never goes on as a call of the peer
 * (test/transport/client-forward.test.ts).
 */
async function admitForwarded(
  dependencies: AdmissionDependencies,
  inbound: Inbound,
  route: LimitedRoute,
  key: string,
): Promise<void> {
  const { access, addressLimits } = dependencies;
  const { exchange } = inbound;
  const tenant = access.tenantOf(exchange);
  const asForwarder = {
    name: route.name,
    access: { kind: "api_key", scope: forwardingScope },
    rateClass: RateClass.CHECK,
  } as const;
  addressLimits.take(inbound, asForwarder, tenant);
  const { id } = await addressLimits.lookUp(inbound, asForwarder, tenant, () =>
    access.forwardingKey(exchange, key),
  );
  const { address, userAgent } = readForwardedClient(exchange);
  inbound.address = address;
  inbound.userAgent = userAgent;
  inbound.forwardedBy = id;
  await admitByAddress(dependencies, inbound, route);
}

function admitByAddress(
  dependencies: AdmissionDependencies,
  inbound: Inbound,
  route: LimitedRoute,
): Promise<void> | undefined {
  const { access, addressLimits } = dependencies;
  const retryAfterMs = addressLimits.take(inbound, route, access.tenantOf(inbound.exchange));
  return retryAfterMs === 0 ? undefined : admitBySession(dependencies, inbound, route, retryAfterMs);
}

/**
 * Authenticates and authorizes a call that the limits by address have let through, and counts guesses. What is to be set in
 * the browser is added to `setCookies`, whether or not the call is let through.
 */
export async function admitCall(
  { access, addressLimits }: AdmissionDependencies,
  inbound: Inbound,
  route: LimitedRoute,
  setCookies?: string[],
): Promise<Admission> {
  const tenant = access.tenantOf(inbound.exchange);
  const admission = await addressLimits.lookUp(inbound, route, tenant, () =>
    access.admit(inbound.exchange, route.access, route.name, setCookies),
  );
  if (admission.caller.kind === "session") countSession(addressLimits, route, admission, admission.caller);
  return admission;
}

/** Security rule: a live session is served whatever others of its address do, as often as one session may. */
async function admitBySession(
  { access, addressLimits }: AdmissionDependencies,
  inbound: Inbound,
  route: LimitedRoute,
  retryAfterMs: number,
): Promise<void> {
  const refused = domainError("RATE_LIMITED", { scope: "address" }, { retryAfterMs });
  const { access: rule } = route;
  if ((rule.kind !== "anyone" && rule.kind !== "flow") || !rule.withSession) throw refused;
  const tenant = access.tenantOf(inbound.exchange);
  const asSession = { ...route, access: { kind: "session", demands: [] } } as const;
  const admission = await addressLimits
    .lookUp(inbound, asSession, tenant, () => access.admit(inbound.exchange, asSession.access, route.name))
    .catch((error: unknown) => {
      // Whatever is wrong with what was shown: it is no session, so the address counts.
      if (error instanceof DomainError) throw refused;
      throw error;
    });
  if (admission.caller.kind === "session") countSession(addressLimits, route, admission, admission.caller);
}

function countSession(
  addressLimits: AddressLimits,
  route: LimitedRoute,
  { tenant }: Admission,
  { session }: Extract<Caller, { kind: "session" }>,
): void {
  const retryAfterMs = addressLimits.takeBySession(route, tenant, session.id);
  if (retryAfterMs > 0) throw domainError("RATE_LIMITED", { scope: "device" }, { retryAfterMs });
}
