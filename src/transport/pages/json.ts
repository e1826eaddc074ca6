import type { Exchange, ResponseHeaders } from "../net/exchange.ts";

/** Answers with a JSON value. */
export function respondJson(
  exchange: Exchange,
  headers: ResponseHeaders,
  status: number,
  value: object,
): void {
  headers["content-type"] = "application/json";
  exchange.respond({ status, headers, body: JSON.stringify(value) });
}
