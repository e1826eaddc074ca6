import type { HttpHandler } from "../net/exchange.ts";

/** The page of the metrics, as Prometheus reads it. */
export function metricsPage(render: () => Promise<string>): HttpHandler {
  return async (exchange, headers) => {
    const body = await render();
    headers["content-type"] = "text/plain; version=0.0.4; charset=utf-8";
    exchange.respond({ status: 200, headers, body });
  };
}
