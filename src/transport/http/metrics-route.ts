import { RateClass } from "../../../gen/ostiary/access/v1/access_pb.js";
import type { Access } from "../rpc/access.ts";
import type { AddressLimits } from "../rpc/address-limits.ts";
import { admitAddress, admitCall } from "../rpc/admit-call.ts";
import { toConnectError } from "../rpc/errors.ts";
import { connectPost } from "../rpc/unary/connect-wire.ts";
import type { HttpHandler } from "./health.ts";
import type { Metrics } from "./metrics.ts";
import { isLoopback } from "./peers.ts";

/** The scope that an API key or certificate needs to read metrics from elsewhere than the machine itself. */
export const metricsScope = "metrics:read";

const guarded = {
  name: "/metrics",
  access: { kind: "api_key", scope: metricsScope },
  rateClass: RateClass.ADMIN_READ,
} as const;

/**
 * `/metrics`, on the admin listener only. A scraper on the same machine needs no credentials, as long as nothing
 * says that it forwards for someone else; every other one needs an API key or certificate with `metrics:read`.
 *
 * Security rule: a key is guessed against the same count, whichever path it is tried at.
 */
export function metricsRoute(
  metrics: Metrics,
  admission: { readonly access: Access; readonly addressLimits: AddressLimits },
): HttpHandler {
  return async (exchange, headers, inbound) => {
    const isForwarded =
      exchange.header("x-forwarded-for") !== undefined || exchange.header("forwarded") !== undefined;
    try {
      if (isForwarded || !isLoopback(exchange.peer.address)) {
        await admitAddress(admission, inbound, guarded);
        await admitCall(admission, inbound, guarded);
      }
    } catch (error) {
      const mapped = toConnectError(error, headers["x-request-id"]?.toString() ?? "");
      connectPost.json.fail(exchange, { headers, trailers: {} }, mapped);
      return;
    }
    headers["content-type"] = "text/plain; version=0.0.4; charset=utf-8";
    exchange.respond({ status: 200, headers, body: metrics.render() });
  };
}
