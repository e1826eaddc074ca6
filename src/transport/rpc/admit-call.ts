import type { Access, Admission } from "./access.ts";
import type { AddressLimits, LimitedRoute } from "./address-limits.ts";
import type { Inbound } from "./inbound.ts";

/**
 * Authenticates and authorizes a call that the limits by address have let through, and counts guesses. What is to be set in
 * the browser is added to `setCookies`, whether or not the call is let through.
 */
export async function admitCall(
  { access, addressLimits }: { readonly access: Access; readonly addressLimits: AddressLimits },
  inbound: Inbound,
  route: LimitedRoute,
  setCookies?: string[],
): Promise<Admission> {
  try {
    return await access.admit(inbound.exchange, route.access, route.name, setCookies);
  } catch (error) {
    addressLimits.noteRefused(inbound, route, access.tenantOf(inbound.exchange), error);
    throw error;
  }
}
