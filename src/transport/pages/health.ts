import type { HttpHandler } from "../net/exchange.ts";
import type { Readiness } from "../net/readiness.ts";
import { respondJson } from "./json.ts";

/** What `/version` says. */
export interface VersionInfo {
  readonly version: string;
  readonly [key: string]: string;
}

/**
 * The paths for probes and people, on both listeners and without credentials. `/health/alive` says that the
 * process answers, `/health/ready` whether calls will succeed (503 if not), `/version` what runs here.
 */
export function healthRoutes(readiness: Readiness, version: VersionInfo): ReadonlyMap<string, HttpHandler> {
  return new Map<string, HttpHandler>([
    ["/health/alive", (exchange, headers) => respondJson(exchange, headers, 200, { status: "alive" })],
    [
      "/health/ready",
      (exchange, headers) => {
        const { ready, components } = readiness;
        const status = ready ? "ready" : "not ready";
        respondJson(exchange, headers, ready ? 200 : 503, { status, components });
      },
    ],
    ["/version", (exchange, headers) => respondJson(exchange, headers, 200, version)],
  ]);
}
