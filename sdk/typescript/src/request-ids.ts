// SPDX-License-Identifier: Apache-2.0
import type { Transport } from "@connectrpc/connect";

/** A random request id; empty in a browser over plain HTTP, which has no `randomUUID`. */
export function newRequestId(): string {
  return globalThis.crypto?.randomUUID?.() ?? "";
}

/**
 * Gives each call that can have a request id a random one, unless the caller gives an id. So a proxy or transport that repeats
 * the call after a lost answer makes nothing twice. A caller that repeats calls itself must give the same id each time.
 */
export function withRequestIds(transport: Transport): Transport {
  return {
    ...transport,
    unary(method, signal, timeoutMs, header, input, contextValues) {
      const takesId = method.input.fields.some(({ name }) => name === "request_id");
      const given = "requestId" in input && typeof input.requestId === "string" ? input.requestId : "";
      const identified = takesId && given === "" ? { ...input, requestId: newRequestId() } : input;
      return transport.unary(method, signal, timeoutMs, header, identified, contextValues);
    },
    stream(...call) {
      return transport.stream(...call);
    },
  };
}
