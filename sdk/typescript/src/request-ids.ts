// SPDX-License-Identifier: Apache-2.0
import type { Transport } from "@connectrpc/connect";

/** A request id that nobody else has; empty in a browser over plain HTTP, where there is no such thing. */
export function newRequestId(): string {
  return globalThis.crypto?.randomUUID?.() ?? "";
}

/**
 * Gives each call that can have a request id one of its own, unless the caller gives it: a proxy or transport that repeats the
 * call after a lost answer then makes nothing twice. A caller that repeats calls itself gives the same id each time.
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
