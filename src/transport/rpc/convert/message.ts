import type { MessageInitShape } from "@bufbuild/protobuf";
import { type FormMessageSchema, FormMessageType } from "../../../../gen/ostiary/flow/v1/form_pb.js";
import type { UserMessage } from "../../../domain/user-message/user-message.ts";

const messageTypes: Record<UserMessage["type"], FormMessageType> = {
  info: FormMessageType.INFO,
  error: FormMessageType.ERROR,
  success: FormMessageType.SUCCESS,
};

/** A message for people. */
export function toMessage(message: UserMessage): MessageInitShape<typeof FormMessageSchema> {
  return {
    id: message.id,
    type: messageTypes[message.type],
    text: message.text,
    context: Object.keys(message.context).length === 0 ? undefined : message.context,
    translations: { ...message.translations },
  };
}
