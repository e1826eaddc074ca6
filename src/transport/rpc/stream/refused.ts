import type { ConnectError } from "@connectrpc/connect";
import { endStreamFlag, endStreamToJson } from "@connectrpc/connect/protocol-connect";
import type { Call } from "../call.ts";
import { encloseMessage } from "../unary/envelope.ts";
import { wireOf } from "../unary/negotiate.ts";

/** Answers a stream that the pipeline has refused. Connect's handlers would cost as much as for one that is served. */
export function answerRefused(call: Call, error: ConnectError): void {
  const { exchange, headers } = call;
  call.completeHeaders();
  const type = exchange.header("content-type") ?? "";
  const wire = wireOf(type);
  if (wire !== undefined) {
    wire.fail(exchange, { headers, trailers: {} }, error);
    return;
  }
  headers["content-type"] = `application/connect+${/json/i.test(type) ? "json" : "proto"}`;
  const end = JSON.stringify(endStreamToJson(new Headers(), error, undefined));
  exchange.respond({ status: 200, headers, body: encloseMessage(end, endStreamFlag) });
}
