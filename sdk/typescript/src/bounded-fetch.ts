// SPDX-License-Identifier: Apache-2.0
import { Code, ConnectError } from "@connectrpc/connect";

type Fetch = typeof globalThis.fetch;

/**
 * A fetch whose answers have a limit of bytes, counted after decompression, and end with the signal of their call. A
 * streaming answer has no limit as a whole.
 *
 * Security rule (SR-SDK-2): time and memory of a call are bounded whatever the other end sends. The signal is watched here because
 * fetch of Node 20 does not end an answer that stalls after its first megabytes.
 */
export function boundedFetch(fetch: Fetch, mostBytes: number): Fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    // Some runtimes, such as React Native, have no streams; what they read whole stays as it is.
    if (!(response.body instanceof ReadableStream)) return response;
    const streaming = response.headers.get("content-type")?.startsWith("application/connect+") === true;
    const most = streaming ? Number.POSITIVE_INFINITY : mostBytes;
    return new Response(boundedBody(response.body, most, init?.signal ?? undefined), response);
  };
}

function boundedBody(
  body: ReadableStream<Uint8Array>,
  mostBytes: number,
  signal: AbortSignal | undefined,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let bytes = 0;
  // What a connection that is given up still says is of no interest to anybody.
  const giveUp = (reason: unknown): void => void reader.cancel(reason).catch(() => {});
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const end = (): void => {
        controller.error(signal?.reason);
        giveUp(signal?.reason);
      };
      if (signal?.aborted === true) end();
      else signal?.addEventListener("abort", end, { once: true });
    },
    async pull(controller) {
      const { done, value } = await reader.read();
      if (signal?.aborted === true) return;
      if (done) return controller.close();
      bytes += value.byteLength;
      if (bytes <= mostBytes) return controller.enqueue(value);
      const error = new ConnectError(`the answer is larger than ${mostBytes} bytes`, Code.ResourceExhausted);
      giveUp(error);
      throw error;
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
