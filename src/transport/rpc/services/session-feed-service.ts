import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type {
  SessionFeedService as Contract,
  WatchSessionsRequest,
  WatchSessionsResponse,
} from "../../../../gen/ostiary/session/v1/session_feed_service_pb.js";
import { unservedMethod } from "../convert/common.ts";

/** ostiary.session.v1.SessionFeedService: in the contract, and not served yet. */
export class SessionFeedService implements ServiceImpl<typeof Contract> {
  // biome-ignore lint/correctness/useYield: the feed is not served yet.
  async *watchSessions(
    _request: WatchSessionsRequest,
    context: HandlerContext,
  ): AsyncGenerator<WatchSessionsResponse> {
    throw unservedMethod(context);
  }
}
