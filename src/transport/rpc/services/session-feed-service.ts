import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, durationMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import {
  type SessionFeedService as Contract,
  type ReportSessionUsesRequest,
  SessionChangeKind,
  type WatchSessionsRequest,
  WatchSessionsResponseSchema,
} from "../../../../gen/ostiary/session/v1/session_feed_service_pb.js";
import type { IdentityId, SessionId } from "../../../domain/ids.ts";
import type { SessionChangeKind as Kind, SessionChange } from "../../../domain/session/session-change.ts";
import type { FeedMessage, SessionFeed } from "../../../domain/session/session-feed.ts";
import type { Sessions } from "../../../domain/session/sessions.ts";
import { type Call, callOf } from "../call.ts";
import { type Broadcast, type BroadcastingImpl, SharedMessage } from "../stream/broadcast.ts";

interface Deps {
  readonly sessionFeed: Pick<SessionFeed, "watch">;
  readonly sessions: Pick<Sessions, "noteUses">;
}

/** ostiary.session.v1.SessionFeedService. Its stream is a broadcast: watchers with the same filter are sent the same bytes. */
export class SessionFeedService implements BroadcastingImpl<typeof Contract> {
  readonly #deps: Deps;
  /** What was sent lately, for all that are sent the same. */
  readonly #sent = new WeakMap<FeedMessage, SharedMessage<typeof WatchSessionsResponseSchema>>();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  watchSessions({ after, kinds, identityIds }: WatchSessionsRequest, call: Call): Broadcast {
    const filter = {
      kinds: kinds.map((kind) => changeKinds.get(kind) ?? unknownKind(kind)),
      identityIds: identityIds as IdentityId[],
    };
    return (receiver) =>
      this.#deps.sessionFeed.watch({
        scope: call.scope,
        filter,
        after: after && { epoch: after.epoch, sequence: after.sequence },
        receive: (message) => receiver.send(this.#toShared(message)),
      });
  }

  async reportSessionUses({ uses }: ReportSessionUsesRequest, context: HandlerContext) {
    const { tenant } = callOf(context);
    const notedCount = this.#deps.sessions.noteUses(
      tenant,
      uses.map(({ sessionId, age }) => ({
        id: sessionId as SessionId,
        agoMs: age === undefined ? 0 : durationMs(age),
      })),
    );
    return { notedCount };
  }

  #toShared(message: FeedMessage): SharedMessage<typeof WatchSessionsResponseSchema> {
    let shared = this.#sent.get(message);
    if (shared === undefined) {
      shared = new SharedMessage(WatchSessionsResponseSchema, toResponse(message));
      this.#sent.set(message, shared);
    }
    return shared;
  }
}

function toResponse({
  event,
  position,
  ageMs,
  sentAt,
  serverTime,
}: FeedMessage): MessageInitShape<typeof WatchSessionsResponseSchema> {
  return {
    ...(position && { position: { epoch: position.epoch, sequence: position.sequence } }),
    event: toEvent(event),
    ...(ageMs !== undefined && { feedAge: durationFromMs(Math.ceil(ageMs)) }),
    sendUptime: durationFromMs(Math.floor(sentAt)),
    serverTime: timestampFromDate(serverTime),
  };
}

function toEvent(event: FeedMessage["event"]): MessageInitShape<typeof WatchSessionsResponseSchema>["event"] {
  switch (event.kind) {
    case "changes":
      return { case: "changes", value: { changes: event.changes.map(toChange) } };
    case "heartbeat":
      return { case: "heartbeat", value: { interval: durationFromMs(event.intervalMs) } };
    case "reset":
      return { case: "reset", value: {} };
    default:
      return event satisfies never;
  }
}

function toChange({ kind, sessionId, identityId, sequence }: SessionChange) {
  return { kind: kindNumbers[kind], sessionId: sessionId ?? "", identityId: identityId ?? "", sequence };
}

const kindNumbers: Readonly<Record<Kind, SessionChangeKind>> = {
  revoked: SessionChangeKind.REVOKED,
  extended: SessionChangeKind.EXTENDED,
  token_replaced: SessionChangeKind.TOKEN_REPLACED,
  identity_changed: SessionChangeKind.IDENTITY_CHANGED,
  identity_disabled: SessionChangeKind.IDENTITY_DISABLED,
  identity_deleted: SessionChangeKind.IDENTITY_DELETED,
  factors_changed: SessionChangeKind.FACTORS_CHANGED,
  actions_changed: SessionChangeKind.ACTIONS_CHANGED,
};
const changeKinds: ReadonlyMap<SessionChangeKind, Kind> = new Map(
  (Object.keys(kindNumbers) as Kind[]).map((kind) => [kindNumbers[kind], kind]),
);

function unknownKind(kind: number): never {
  throw new Error(`validation lets no kind ${kind} through`);
}
