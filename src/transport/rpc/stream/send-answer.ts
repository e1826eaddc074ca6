import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { NodePair } from "../../net/exchange.ts";

/**
 * Writes the answer of a stream, as fast as its client reads it. Throws what the service throws, and if the client is gone.
 *
 * It stands here because connect-node's (2.3.0) answers nothing over HTTP/1.1 before it has read up to 256 KiB of what is left of the
 * request, and ends the connection if there is more (test/transport/streams.test.ts).
 */
export async function sendAnswer(answer: UniversalServerResponse, to: NodePair["response"]): Promise<void> {
  // The two versions of HTTP are typed apart, and the same in what is used here.
  const response = to as ServerResponse;
  let closed = false;
  response.once("close", () => {
    closed = true;
  });
  const chunks = answer.body?.[Symbol.asyncIterator]();
  try {
    // A service may set headers until its first message is there.
    let chunk = await chunks?.next();
    response.writeHead(answer.status, toNodeHeaders(answer.header));
    while (chunk !== undefined && chunk.done !== true) {
      if (closed) throw new Error("the client went away");
      if (!response.write(chunk.value)) await drained(response);
      chunk = await chunks?.next();
    }
    if (answer.trailer !== undefined) response.addTrailers(toNodeHeaders(answer.trailer));
    response.end();
  } finally {
    // Not awaited: it would wait for a message that the service has not made yet. Nobody is left who could be told what it throws.
    chunks?.return?.().catch(() => {});
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      response.off("drain", go).off("close", go);
      resolve();
    };
    response.on("drain", go).on("close", go);
  });
}

function toNodeHeaders(headers: Headers | undefined): OutgoingHttpHeaders {
  const nodeHeaders: OutgoingHttpHeaders = {};
  headers?.forEach((value, name) => {
    nodeHeaders[name] = value;
  });
  // Unlike all others they cannot be joined.
  const cookies = headers?.getSetCookie() ?? [];
  if (cookies.length > 0) nodeHeaders["set-cookie"] = cookies;
  return nodeHeaders;
}
