import { RateClass } from "../../../gen/ostiary/option/v1/option_pb.js";
import type { Exchange } from "../net/exchange.ts";
import { isFromThisMachine, isOwnName } from "../net/own-names.ts";
import type { Access } from "../rpc/access.ts";
import type { AddressLimits } from "../rpc/address-limits.ts";
import { admitAddress, admitCall } from "../rpc/admit-call.ts";
import { toConnectError } from "../rpc/errors.ts";
import { connectPost } from "../rpc/unary/connect-wire.ts";
import type { HttpHandler } from "./health.ts";
import type { Metrics } from "./metrics.ts";

/** The scope that an API key or certificate needs to read metrics from elsewhere than the machine itself. */
export const metricsScope = "metrics:read";

/** What guards a path of the admin listener. */
interface PathGuard {
  readonly access: Access;
  readonly addressLimits: AddressLimits;
  /** `server.admin.host`. */
  readonly host: string;
}

/**
 * `/metrics`, on the admin listener only. A scraper on the same machine needs no credentials, as long as it asks by an
 * address or name of the machine, and nothing says that it forwards for someone else; every other one needs an API key or
 * certificate with `metrics:read`.
 */
export function metricsRoute(metrics: Metrics, guard: PathGuard): HttpHandler {
  const isOpen = (exchange: Exchange) => isFromThisMachine(exchange) && isOwnName(exchange.host, guard.host);
  return guarded("/metrics", guard, isOpen, (exchange, headers) => {
    headers["content-type"] = "text/plain; version=0.0.4; charset=utf-8";
    exchange.respond({ status: 200, headers, body: metrics.render() });
  });
}

/**
 * A plain path of the admin listener that is open to everybody who asks for it by a name of the listener. A browser on this
 * machine that was led here by another name gets nothing (own-names.ts).
 */
export function adminRoute(path: string, guard: PathGuard, handler: HttpHandler): HttpHandler {
  const isOpen = (exchange: Exchange) => !isFromThisMachine(exchange) || isOwnName(exchange.host, guard.host);
  return guarded(path, guard, isOpen, handler);
}

/** Security rule: a key is guessed against the same count, whichever path it is tried at. */
function guarded(
  name: string,
  guard: PathGuard,
  isOpen: (exchange: Exchange) => boolean,
  handler: HttpHandler,
): HttpHandler {
  const route = {
    name,
    access: { kind: "api_key", scope: metricsScope },
    rateClass: RateClass.ADMIN_READ,
  } as const;
  return async (exchange, headers, inbound) => {
    try {
      if (!isOpen(exchange)) {
        await admitAddress(guard, inbound, route);
        await admitCall(guard, inbound, route);
      }
    } catch (error) {
      const mapped = toConnectError(error, headers["x-request-id"]?.toString() ?? "");
      connectPost.json.fail(exchange, { headers, trailers: {} }, mapped);
      return;
    }
    await handler(exchange, headers, inbound);
  };
}
