import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type AddressMarkSchema,
  CourierMessageArrival,
  CourierMessageChannel,
  type CourierMessageSchema,
  CourierMessageState,
} from "../../../../gen/ostiary/courier/v1/courier_message_pb.js";
import type {
  CourierService as Contract,
  DeleteAddressMarkRequest,
  GetAddressMarkRequest,
  GetMessageRequest,
  ListAddressMarksRequest,
  ListMessagesRequest,
  ReaddressMessageRequest,
  RetryMessageRequest,
  RetryMessagesRequest,
} from "../../../../gen/ostiary/courier/v1/courier_service_pb.js";
import type { Arrivals } from "../../../domain/courier/arrivals.ts";
import type { MessageTemplate } from "../../../domain/courier/message.ts";
import type { Messages } from "../../../domain/courier/messages.ts";
import type { AddressMark, MessageRecord } from "../../../domain/courier/store.ts";
import type { IdentityId, MessageId } from "../../../domain/ids.ts";
import { callOf } from "../call.ts";
import { toTimestamp } from "../convert/common.ts";

interface Deps {
  readonly messages: Messages;
  readonly arrivals: Arrivals;
}

/** ostiary.courier.v1.CourierService. */
export class CourierService implements ServiceImpl<typeof Contract> {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  async listMessages(request: ListMessagesRequest, context: HandlerContext) {
    const { tenant } = callOf(context);
    const filter = {
      state: fromState(request.state),
      recipient: given(request.recipient),
      identityId: given(request.identityId) as IdentityId | undefined,
      template: given(request.template) as MessageTemplate | undefined,
    };
    const page = { size: request.pageSize, token: request.pageToken };
    const { items, nextToken } = await this.#deps.messages.list(tenant, filter, page);
    return { messages: items.map(toMessage), nextPageToken: nextToken };
  }

  async getMessage(request: GetMessageRequest, context: HandlerContext) {
    const { tenant } = callOf(context);
    return { message: toMessage(await this.#deps.messages.get(tenant, request.messageId as MessageId)) };
  }

  async retryMessage(request: RetryMessageRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    return {
      message: toMessage(await this.#deps.messages.retry(tenant, origin, request.messageId as MessageId)),
    };
  }

  async retryMessages(request: RetryMessagesRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    const { retried, hastened, hasMore } = await this.#deps.messages.retryAll(tenant, origin, {
      state: fromState(request.state),
      channel: fromChannel(request.channel),
      recipient: given(request.recipient),
      identityId: given(request.identityId) as IdentityId | undefined,
      template: given(request.template) as MessageTemplate | undefined,
      errorContains: given(request.errorContains),
    });
    return { retriedCount: retried, hastenedCount: hastened, hasMore };
  }

  async readdressMessage(request: ReaddressMessageRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    const id = request.messageId as MessageId;
    return { message: toMessage(await this.#deps.messages.readdress(tenant, origin, id, request.recipient)) };
  }

  async listAddressMarks(request: ListAddressMarksRequest, context: HandlerContext) {
    const page = { size: request.pageSize, token: request.pageToken };
    const { items, nextToken } = await this.#deps.arrivals.list(callOf(context).tenant, page);
    return { marks: items.map(toMark), nextPageToken: nextToken };
  }

  async getAddressMark({ address }: GetAddressMarkRequest, context: HandlerContext) {
    return { mark: toMark(await this.#deps.arrivals.get(callOf(context).tenant, address)) };
  }

  async deleteAddressMark({ address }: DeleteAddressMarkRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    await this.#deps.arrivals.clear(tenant, origin, address);
    return {};
  }
}

const arrivalNames: Record<NonNullable<MessageRecord["arrival"]>, CourierMessageArrival> = {
  delivered: CourierMessageArrival.DELIVERED,
  bounced: CourierMessageArrival.BOUNCED,
  complained: CourierMessageArrival.COMPLAINED,
};

const states: Record<MessageRecord["state"], CourierMessageState> = {
  queued: CourierMessageState.QUEUED,
  sending: CourierMessageState.SENDING,
  sent: CourierMessageState.SENT,
  failed: CourierMessageState.FAILED,
};

const channels: Record<MessageRecord["channel"], CourierMessageChannel> = {
  email: CourierMessageChannel.EMAIL,
  sms: CourierMessageChannel.SMS,
};

function toMessage(message: MessageRecord): MessageInitShape<typeof CourierMessageSchema> {
  return {
    id: message.id,
    createTime: toTimestamp(message.createdAt),
    updateTime: toTimestamp(message.updatedAt),
    state: states[message.state],
    channel: channels[message.channel],
    template: message.template,
    recipient: message.recipient,
    language: message.language,
    identityId: message.identityId ?? "",
    attemptCount: message.attempts,
    nextAttemptTime: toTimestamp(message.nextAttemptAt),
    expireTime: toTimestamp(message.expiresAt),
    endTime: toTimestamp(message.endedAt),
    lastError: message.lastError ?? "",
    arrival: message.arrival && arrivalNames[message.arrival],
    arrivalTime: toTimestamp(message.arrivalAt),
    arrivalReason: message.arrivalReason ?? "",
  };
}

function toMark(mark: AddressMark): MessageInitShape<typeof AddressMarkSchema> {
  return {
    address: mark.value,
    bounceTime: toTimestamp(mark.bouncedAt),
    bounceReason: mark.bounceReason ?? "",
    complaintTime: toTimestamp(mark.complainedAt),
    updateTime: toTimestamp(mark.updatedAt),
  };
}

function fromState(state: CourierMessageState): MessageRecord["state"] | undefined {
  switch (state) {
    case CourierMessageState.QUEUED:
      return "queued";
    case CourierMessageState.SENDING:
      return "sending";
    case CourierMessageState.SENT:
      return "sent";
    case CourierMessageState.FAILED:
      return "failed";
    case CourierMessageState.UNSPECIFIED:
      return undefined;
    default: {
      const unreachable: never = state;
      return unreachable;
    }
  }
}

function fromChannel(channel: CourierMessageChannel): MessageRecord["channel"] | undefined {
  switch (channel) {
    case CourierMessageChannel.EMAIL:
      return "email";
    case CourierMessageChannel.SMS:
      return "sms";
    case CourierMessageChannel.UNSPECIFIED:
      return undefined;
    default:
      return channel satisfies never;
  }
}

function given(text: string): string | undefined {
  return text === "" ? undefined : text;
}
