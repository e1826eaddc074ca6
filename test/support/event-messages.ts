import type { DescMessage } from "@bufbuild/protobuf";
import { EventSchema } from "../../gen/ostiary/event/v1/event_pb.js";

/** The message of `ostiary.event.v1` that says what an event of a type says. */
export function messageOf(type: string): DescMessage {
  const field = EventSchema.fields.find(({ name }) => name === type.replaceAll(".", "_"));
  if (field?.message === undefined) throw new Error(`there is no message of ${type}`);
  return field.message;
}
