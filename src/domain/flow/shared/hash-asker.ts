import { hexOf } from "../../bytes.ts";
import type { HashAsker } from "../../ports.ts";
import { clientIpSubject } from "../../throttle/client-ip-subject.ts";
import type { FlowCaller } from "./flow.ts";

/**
 * For whom the password of a step is hashed. `account`: by which the account was named, whether or not it exists, so that the queue treats
 * both alike. `own`: what shows the owner. They wait apart from strangers who name their account and so cannot be kept out by them.
 */
export function askerOf(
  { tenant, limitedClientIp, signal }: FlowCaller,
  account: string | undefined,
  own?: Uint8Array | undefined,
): HashAsker {
  const isKnown = limitedClientIp !== undefined && !limitedClientIp.isShared;
  return {
    lane: "sign_in",
    tenantId: tenant.tenantId,
    source: isKnown ? clientIpSubject(limitedClientIp.clientIp) : undefined,
    account: own === undefined ? account : `own\0${hexOf(own)}`,
    signal,
  };
}
