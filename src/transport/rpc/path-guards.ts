import { RateClass } from "../../../gen/ostiary/option/v1/option_pb.js";
import type { Exchange } from "../net/exchange.ts";
import { isFromThisMachine, isOwnName } from "../net/own-names.ts";
import type { Call } from "./call.ts";
import type { Pipeline } from "./pipeline.ts";

/** The scope that an API key or certificate needs to read metrics from elsewhere than the machine itself. */
export const metricsScope = "metrics:read";

/** Lets requests of plain HTTP paths through. */
export interface PathGuards {
  /** Lets a request through, or throws what refuses it. */
  admit(call: Call): void | Promise<void>;
}

/** The guards of the public listener, whose plain paths are for everybody. */
export const noGuards: PathGuards = { admit: () => {} };

/**
 * Guards the plain paths of the admin listener. `/metrics` needs no credentials of a scraper on the same machine, as long as it
 * asks by an address or name of the machine (`host` is `server.admin.host`), and nothing says that it forwards for someone else.
 * The other paths need no credentials, except from a browser on this machine that uses another name
 * (own-names.ts). Else an API key or certificate with `metrics:read` is needed.
 *
 * Security rule (SR-LIMIT-6): a key is guessed against the same count, whichever path it is tried at.
 */
export function adminGuards(pipeline: Pipeline, host: string): PathGuards {
  const isOpen = (exchange: Exchange) =>
    exchange.path === "/metrics"
      ? isFromThisMachine(exchange) && isOwnName(exchange.host, host)
      : !isFromThisMachine(exchange) || isOwnName(exchange.host, host);
  return {
    async admit(call) {
      const { exchange } = call;
      if (isOpen(exchange)) return;
      await pipeline.admit(call, {
        name: exchange.path,
        access: { kind: "api_key", scope: metricsScope },
        rateClass: RateClass.ADMIN_READ,
        maxRequestBytes: 0,
      });
    },
  };
}
