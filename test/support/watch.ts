import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { type Client, ConnectError } from "@connectrpc/connect";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import type { Position } from "../../gen/ostiary/common/v1/position_pb.js";
import {
  type SessionChange,
  SessionFeedService,
  type WatchSessionsRequestSchema,
  type WatchSessionsResponse,
} from "../../gen/ostiary/session/v1/session_feed_service_pb.js";
import type { Protocol, TestApp } from "./app.ts";

const patienceMs = 20_000;

/** A stream of WatchSessions, while it is read. */
export interface Watch {
  readonly messages: readonly WatchSessionsResponse[];
  readonly changes: readonly SessionChange[];
  /** The position of the last message that has one. */
  readonly position: Position;
  /** Resolves with the first message, also of those that have come, that is like this; fails after 20 seconds. */
  until(isMeant: (message: WatchSessionsResponse) => boolean): Promise<WatchSessionsResponse>;
  /** The same for a change. */
  untilChange(isMeant: (change: SessionChange) => boolean): Promise<SessionChange>;
  /** Resolves with what has ended the stream. */
  readonly ended: Promise<ConnectError>;
  /** Ends it. */
  stop(): Promise<void>;
}

/** Makes an API key that may watch. */
export async function watchKey(app: Pick<TestApp, "client">): Promise<{ id: string; secret: string }> {
  const request = { name: "watcher", scopes: ["session:watch"] };
  const { apiKey, secret } = await app.client(ApiKeyService).createApiKey(request);
  return { id: apiKey?.id ?? "", secret };
}

/** Watches with a key of its own, unless one is given, and waits for the first message. */
export async function watch(
  app: Pick<TestApp, "client">,
  {
    key,
    protocol = "Connect binary",
    ...request
  }: MessageInitShape<typeof WatchSessionsRequestSchema> & { key?: string; protocol?: Protocol } = {},
): Promise<Watch> {
  const bearer = key ?? (await watchKey(app)).secret;
  const reading = read(app.client(SessionFeedService, { protocol, bearer }), request);
  await Promise.race([reading.until(() => true), reading.ended]);
  return reading;
}

/** Reads a stream. */
export function read(
  client: Pick<Client<typeof SessionFeedService>, "watchSessions">,
  request: MessageInitShape<typeof WatchSessionsRequestSchema>,
): Watch {
  const stopping = new AbortController();
  const messages: WatchSessionsResponse[] = [];
  let tell = () => {};
  const ended = (async () => {
    try {
      for await (const message of client.watchSessions(request, { signal: stopping.signal })) {
        messages.push(message);
        tell();
      }
      throw new Error("the stream ended without an error");
    } catch (error) {
      return ConnectError.from(error);
    }
  })();
  const changes = () =>
    messages.flatMap(({ event }) => (event.case === "changes" ? event.value.changes : []));
  const find = async <T>(look: () => T | undefined): Promise<T> => {
    const late = performance.now() + patienceMs;
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      const leftMs = late - performance.now();
      if (leftMs <= 0) throw new Error(`nothing like this has come in ${patienceMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        tell = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  };
  return {
    messages,
    get changes() {
      return changes();
    },
    get position() {
      const position = messages.findLast((message) => message.position !== undefined)?.position;
      if (position === undefined) throw new Error("no message has a position yet");
      return position;
    },
    until: (isMeant) => find(() => messages.find(isMeant)),
    untilChange: (isMeant) => find(() => changes().find(isMeant)),
    ended,
    stop: async () => {
      stopping.abort();
      await ended;
    },
  };
}

/** How old what a message tells is at most, in milliseconds; undefined: it does not say. */
export function ageOf({ feedAge }: WatchSessionsResponse): number | undefined {
  return feedAge && durationMs(feedAge);
}
