import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Position, PositionSchema } from "../../../../gen/ostiary/common/v1/position_pb.js";
import { Consistency as ProtoConsistency } from "../../../../gen/ostiary/session/v1/session_service_pb.js";
import type { FeedPosition } from "../../../domain/event/feed.ts";
import type { ReadingWish } from "../../../domain/session/session-reader.ts";

/** How a request wants a session to be read. */
export function fromReadingWish({
  consistency,
  atLeast,
}: {
  readonly consistency: ProtoConsistency;
  readonly atLeast?: Position | undefined;
}): ReadingWish {
  return {
    consistency: consistency === ProtoConsistency.STRONG ? "strong" : "bounded",
    atLeast: atLeast && { epoch: atLeast.epoch, sequence: atLeast.sequence },
  };
}

/** A position of the event log as the contract has it. */
export function toPosition({ epoch, sequence }: FeedPosition): MessageInitShape<typeof PositionSchema> {
  return { epoch, sequence };
}
