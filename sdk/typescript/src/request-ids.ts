// SPDX-License-Identifier: Apache-2.0
import type { DescMethodUnary } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";

/**
 * Gives each unary call a random `request_id` where its request has that field and the caller said none: a call that a proxy
 * or a connection repeats then makes nothing twice.
 */
export function withRequestIds(transport: Transport): Transport {
  return {
    unary(method, signal, timeoutMs, header, input, contextValues) {
      const message = takesRequestId(method) && !hasRequestId(input) ? withRandomId(input) : input;
      return transport.unary(method, signal, timeoutMs, header, message, contextValues);
    },
    stream: transport.stream.bind(transport),
  };
}

function takesRequestId(method: DescMethodUnary): boolean {
  return method.input.field.requestId?.fieldKind === "scalar";
}

function hasRequestId(input: object): boolean {
  return "requestId" in input && input.requestId !== undefined && input.requestId !== "";
}

/** A copy: the caller's own object may be sent again, as another call. */
function withRandomId<T extends object>(input: T): T {
  return { ...input, requestId: globalThis.crypto.randomUUID() };
}
