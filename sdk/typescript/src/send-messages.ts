// SPDX-License-Identifier: Apache-2.0
import { create, type DescMethodBiDiStreaming, type MessageShape } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import type { IdentityService } from "../../../gen/ostiary/identity/v1/identity_service_pb.js";
import { type OptionNames, refuseUnknownOptions } from "./options.ts";

/** How many ids go in one call: their results come well within the time-out of a call. */
const idsPerCall = 100;

/** How messages are sent to a stream of identities. */
export interface SendMessagesOptions {
  /**
   * Makes it safe to begin again for a day, after a lost connection for example: whoever got a message under this id gets no
   * other one. The same for the whole list; at most 128 characters, a random UUID will do. Default: nothing is remembered.
   */
  readonly requestId?: string | undefined;
  /** Stops it. What was sent by then stays sent. */
  readonly signal?: AbortSignal | undefined;
}

const optionNames: OptionNames<SendMessagesOptions> = { requestId: true, signal: true };

/** Identities' ids: a list, or a stream of any length, which is read only as fast as results are taken. */
export type IdentityIds = Iterable<string> | AsyncIterable<string>;

type Methods = typeof IdentityService.method;
type SendMethod = Methods["sendRecoveryMessages"] | Methods["sendVerificationMessages"];

/** Sends to a stream of identities, with a result for each in the order of the ids. */
export type SendMessages<Method extends SendMethod> = (
  identityIds: IdentityIds,
  options?: SendMessagesOptions,
) => AsyncIterable<MessageShape<Method["output"]>>;

/**
 * Makes it for every transport. `fetch` cannot send a stream, so the ids go in calls of one message each, which any
 * transport can make; the wire is the same.
 */
export function createSendMessages<Method extends SendMethod>(
  transport: Transport,
  method: Method,
): SendMessages<Method> {
  async function* send(
    identityIds: IdentityIds,
    { requestId = "", signal }: SendMessagesOptions,
  ): AsyncGenerator<MessageShape<Method["output"]>> {
    for await (const ids of inChunks(identityIds)) {
      const request = create(method.input, { requestId, identityIds: ids });
      yield* callOnce(transport, method, request as MessageShape<Method["input"]>, signal);
    }
  }
  return (identityIds, options = {}) => {
    // At the call, not when the first result is asked for: without its request id a list is not safe to send again.
    refuseUnknownOptions(method.localName, options, optionNames);
    return send(identityIds, options);
  };
}

async function* callOnce<Method extends SendMethod>(
  transport: Transport,
  method: Method,
  request: MessageShape<Method["input"]>,
  signal: AbortSignal | undefined,
): AsyncGenerator<MessageShape<Method["output"]>> {
  // Ends the call if whoever takes the results stops in the middle.
  const call = new AbortController();
  const either = signal === undefined ? call.signal : AbortSignal.any([signal, call.signal]);
  const bidirectional: DescMethodBiDiStreaming<Method["input"], Method["output"]> = method;
  const oneRequest = { ...bidirectional, methodKind: "server_streaming" as const };
  try {
    const { message } = await transport.stream(oneRequest, either, undefined, undefined, only(request));
    yield* message;
  } finally {
    call.abort();
  }
}

async function* only<T>(message: T): AsyncGenerator<T> {
  yield message;
}

async function* inChunks(ids: IdentityIds): AsyncGenerator<string[]> {
  let chunk: string[] = [];
  for await (const id of ids) {
    chunk.push(id);
    if (chunk.length < idsPerCall) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
