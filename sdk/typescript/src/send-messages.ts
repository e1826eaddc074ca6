// SPDX-License-Identifier: Apache-2.0
import type { MessageShape } from "@bufbuild/protobuf";
import type { CallOptions, Client } from "@connectrpc/connect";
import type {
  IdentityService,
  SendMessageResultSchema,
} from "../../../gen/ostiary/identity/v1/identity_service_pb.js";
import { type OptionNames, refuseUnknownOptions } from "./options.ts";
import { newRequestId } from "./request-ids.ts";

/** How many ids go in one call: their results come well within the time-out of a call. */
const idsPerCall = 100;

/** How messages are sent to many identities. */
export interface SendMessagesOptions {
  /**
   * Makes it safe to send the list again within a day, for example after a lost connection: an identity that got a message
   * under this id gets no second one. One id serves the whole list; at most 128 characters. Default: a random id, so that at
   * least a call that is repeated on its way sends nothing twice.
   */
  readonly requestId?: string | undefined;
  /** Stops it. What was sent by then stays sent. */
  readonly signal?: AbortSignal | undefined;
}

const optionNames: OptionNames<SendMessagesOptions> = { requestId: true, signal: true };

/** Identities' ids: a list, or a stream of any length, which is read only as fast as results are taken. */
export type IdentityIds = Iterable<string> | AsyncIterable<string>;

/** The result for one identity. */
export type SendMessageResult = MessageShape<typeof SendMessageResultSchema>;

/** Sends to any number of identities, with a result for each in the order of the ids. */
export type SendMessages = (
  identityIds: IdentityIds,
  options?: SendMessagesOptions,
) => AsyncIterable<SendMessageResult>;

/** The method of IdentityService that sends a batch. */
type SendMethod = "batchSendRecoveryMessages" | "batchSendVerificationMessages";

/** Makes it from a method that takes a bounded list. The ids go in batches, one after the other, under one request id. */
export function createSendMessages(
  client: Client<typeof IdentityService>,
  method: SendMethod,
  name: string,
): SendMessages {
  async function* send(
    identityIds: IdentityIds,
    { requestId = newRequestId(), signal }: SendMessagesOptions,
  ): AsyncGenerator<SendMessageResult> {
    const options: CallOptions = signal === undefined ? {} : { signal };
    for await (const ids of inChunks(identityIds)) {
      const { results } = await client[method]({ requestId, identityIds: ids }, options);
      yield* results;
    }
  }
  return (identityIds, options = {}) => {
    // At the call, not when the first result is asked for: without its request id a list is not safe to send again.
    refuseUnknownOptions(name, options, optionNames);
    return send(identityIds, options);
  };
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
